import Ring
import SimClock

extension Network {
  /// Opens a listener. Port zero asks for any free one.
  ///
  /// - Parameter backlog: How many connections may wait to be accepted; one more is let in, as on Linux.
  public func listen(
    on host: HostID, at address: SocketAddress, backlog: Int, owner: UInt64
  ) throws(RingError) -> (listener: ListenerID, address: SocketAddress) {
    let hostIndex = Int(host.rawValue)
    guard hosts[hostIndex].isUp else { throw .unreachable }
    guard
      address.isWildcard
        || hosts[hostIndex].interfaces.contains(where: {
          interfaces[$0].address.hasSameHost(as: address)
        })
    else { throw .addressUnavailable }
    var address = address
    if address.port == 0 {
      var tries = 0
      repeat {
        address.port = nextPort(hostIndex)
        tries += 1
      } while isTaken(address, on: host.rawValue) && tries < 65536
    }
    guard !isTaken(address, on: host.rawValue) else { throw .addressInUse }
    let slot: UInt32
    if let free = freeListeners.popLast() {
      slot = free
    } else {
      slot = UInt32(listeners.count)
      listeners.append(Listener())
    }
    let index = Int(slot)
    listeners[index].isLive = true
    listeners[index].host = host.rawValue
    listeners[index].address = address
    listeners[index].backlog = max(backlog, 0)
    listeners[index].owner = owner
    listeners[index].queue.removeAll(keepingCapacity: true)
    listeners[index].head = 0
    return (ListenerID(slot: slot, generation: listeners[index].generation), address)
  }

  private func isTaken(_ address: SocketAddress, on host: UInt32) -> Bool {
    listeners.contains { $0.isLive && $0.host == host && $0.address.overlaps(address) }
  }

  func nextPort(_ host: Int) -> UInt16 {
    let port = hosts[host].nextPort
    hosts[host].nextPort = port == .max ? 49152 : port + 1
    return port
  }

  /// Takes a connection that waits; nil when there is none.
  public func accept(_ listener: ListenerID) -> SocketID? {
    guard isLive(listener) else { return nil }
    let index = Int(listener.slot)
    while listeners[index].head < listeners[index].queue.count {
      let socket = listeners[index].queue[listeners[index].head]
      listeners[index].head += 1
      if listeners[index].head == listeners[index].queue.count {
        listeners[index].queue.removeAll(keepingCapacity: true)
        listeners[index].head = 0
      }
      if isLive(socket) { return socket }
    }
    return nil
  }

  /// Whether a connection waits to be accepted.
  public func hasWaiting(_ listener: ListenerID) -> Bool {
    guard isLive(listener) else { return false }
    let index = Int(listener.slot)
    return listeners[index].queue[listeners[index].head...].contains { isLive($0) }
  }

  /// Closes a listener; connections that nobody accepted are reset.
  public func close(_ listener: ListenerID) {
    while let socket = accept(listener) { close(socket, reset: true) }
    guard isLive(listener) else { return }
    let index = Int(listener.slot)
    listeners[index].isLive = false
    listeners[index].generation &+= 1
    freeListeners.append(listener.slot)
  }

  func isLive(_ listener: ListenerID) -> Bool {
    Int(listener.slot) < listeners.count && listeners[Int(listener.slot)].isLive
      && listeners[Int(listener.slot)].generation == listener.generation
  }

  /// The listener that a connection to `address` on `host` reaches: one on the address itself before a wildcard.
  func findListener(on host: UInt32, _ address: SocketAddress) -> Int? {
    var wildcard: Int?
    for index in listeners.indices
    where listeners[index].isLive && listeners[index].host == host && listeners[index].address.port == address.port {
      let own = listeners[index].address
      if own.hasSameHost(as: address) { return index }
      if own.isWildcard, own.isIPv4 == address.isIPv4 { wildcard = index }
    }
    return wildcard
  }
}
