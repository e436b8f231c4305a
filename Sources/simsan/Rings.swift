import Conformance
import Glibc
import HostRing
import Initiator
import Ring

/// The rings of the real world, by name; `uring` is short for `io_uring`.
let ringNames = ["io_uring", "uring", "epoll"]

/// The kind of ring called `name`; nil for the best that the kernel allows.
func ringKind(_ name: String?) -> HostRingKind? {
  switch name {
  case "io_uring", "uring": .ioUring
  case "epoll": .epoll
  default: nil
  }
}

/// A ring as asked for.
func makeRing(_ name: String?, arena: Arena) throws(UsageError) -> any HostRing {
  do { return try HostRings.make(ringKind(name), arena: arena) } catch {
    let hint = ringKind(name) == .ioUring ? "; --ring epoll works wherever io_uring is not allowed" : ""
    throw UsageError("cannot make a ring: \(error)\(hint)")
  }
}

/// Lets the process have as many descriptors as it may. Every session takes one, and every process that plays for a run some; the
/// soft limit is usually 1024 for the sake of programs that use select(2), of which this is none.
func raiseDescriptorLimit() {
  var limit = rlimit()
  guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
  limit.rlim_cur = limit.rlim_max
  // If it is refused, things stay as they are.
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// The address of a host by number or by name; of several, as localhost has them, the first at which somebody listens.
func resolve(_ host: String, port: UInt16) throws(UsageError) -> SocketAddress {
  if var address = SocketAddress(host, defaultPort: port) {
    address.port = port
    return address
  }
  return try withAddresses(of: host, port: port) { (infos) throws(UsageError) in
    let addresses = infos.compactMap { info in numeric(info, port: port).map { (info: info, address: $0) } }
    guard let first = addresses.first else { throw UsageError("\(host): has no address that can be used") }
    guard addresses.count > 1 else { return first.address }
    return (addresses.first { isListening($0.info) } ?? first).address
  }
}

/// What the system says of a host's addresses, for as long as `body` runs.
private func withAddresses<Result>(
  of host: String, port: UInt16, _ body: ([addrinfo]) throws(UsageError) -> Result
) throws(UsageError) -> Result {
  var hints = addrinfo()
  hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  var list: UnsafeMutablePointer<addrinfo>?
  let status = getaddrinfo(host, "\(port)", &hints, &list)
  defer { if let list { freeaddrinfo(list) } }
  guard status == 0 else {
    throw UsageError("\(host): expected an address or a host's name; \(String(cString: gai_strerror(status)))")
  }
  return try body(list.map { Array(sequence(first: $0.pointee, next: { $0.ai_next?.pointee })) } ?? [])
}

private func numeric(_ info: addrinfo, port: UInt16) -> SocketAddress? {
  guard let raw = info.ai_addr else { return nil }
  var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
  guard getnameinfo(raw, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
  let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  return SocketAddress(String(decoding: bytes, as: UTF8.self)).map { address in
    var address = address
    address.port = port
    return address
  }
}

/// Whether a connection can be made there within two seconds. It is closed at once.
private func isListening(_ info: addrinfo) -> Bool {
  let descriptor = socket(info.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
  guard descriptor >= 0 else { return false }
  defer { close(descriptor) }
  if connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 { return true }
  guard errno == EINPROGRESS else { return false }
  var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
  var error: Int32 = 0
  var length = socklen_t(MemoryLayout<Int32>.size)
  return poll(&polled, 1, 2000) == 1 && getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0
}

/// Whether a target still takes connections. One that is starting again has ten seconds.
func takesConnections(_ url: TargetURL) -> Bool {
  // What cannot be asked is not said of the target.
  let answer = try? withAddresses(of: url.host, port: url.port) { infos in
    for attempt in 0..<10 {
      if attempt > 0 { sleep(1) }
      if infos.contains(where: isListening) { return true }
    }
    return false
  }
  return answer ?? true
}

/// What the cases are played on.
func makeStage(_ options: RunOptions) throws -> Stage {
  guard let url = options.against else { return .simulation }
  let portal = try resolve(url.host, port: url.port)
  func start() throws(UsageError) -> (ring: any HostRing, machine: InitiatorMachine) {
    guard let arena = try? Arena(allocating: InitiatorMachine.usualArenaCapacity) else {
      let length = Quantity.text(bytes: UInt64(InitiatorMachine.usualArenaCapacity))
      throw UsageError("the system does not give \(length) of memory for buffers (ulimit -v says what there is)")
    }
    let machine = InitiatorMachine(arena: arena)
    return (try makeRing(options.ring, arena: machine.arena), machine)
  }
  let (ring, machine) = try start()
  let facts: TargetFacts
  do {
    facts = try TargetProbe.facts(
      ring: ring, machine: machine, portal: portal, iqn: url.iqn, lun: url.lun, credentials: options.chap)
  } catch {
    throw UsageError("--against \(url.text): \(error.message)")
  }
  return .real {
    let (ring, machine) = try start()
    return RealPlayground(ring: ring, machine: machine, target: facts)
  }
}
