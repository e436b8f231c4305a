import CAllocation
import Conformance
import Glibc
import HostRing
import Ring
import Target

/// The targets of a world file on one host ring.
struct Server {
  private let ring: any HostRing
  private let machine: TargetMachine

  /// What an operator wants to read at the start.
  private(set) var description: [String] = []

  /// Bytes of memory for buffers; what is not used is not committed.
  private static let usualMemory: UInt64 = 256 << 20

  /// Opens the media, listens, and makes the machine.
  ///
  /// - Parameters:
  ///   - busyPoll: ``HostRing/busyPoll``.
  ///   - listens: False to find out whether all is right while another server runs.
  init(
    _ file: WorldFile, portals: [SocketAddress], ring name: String?, memory: UInt64?, busyPoll: Interval? = nil,
    listens: Bool = true
  ) throws(UsageError) {
    let memory = memory ?? file.world.targets.compactMap(\.limits.memory).max() ?? Self.usualMemory
    let arena = Arena(capacity: Int(clamping: memory))
    let (ring, kind) = try makeRing(name, arena: arena)
    ring.busyPoll = busyPoll
    self.ring = ring
    description.append("ring \(kind.rawValue)\(kind == .epoll ? " and libaio" : "")")
    let names = file.world.targets.map(\.iqn)
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw UsageError("\(file.path): expected targets of different names, found \(twice) twice")
    }
    var nodes: [TargetNode] = []
    var listeners: [Portal] = []
    var units: [String] = []
    for target in file.world.targets {
      var target = target
      var media: [(handle: Handle, alignment: Int)?] = []
      for index in target.units.indices {
        media.append(try Self.open(&target.units[index], of: target.iqn, in: file, on: ring))
        units.append(Self.words(target.units[index]))
      }
      do { nodes.append(try TargetBuilder.node(target, media: media)) } catch { throw UsageError(error.message) }
      let wanted = !portals.isEmpty ? portals : target.portals.isEmpty ? TargetDescription.usualPortals : target.portals
      for address in wanted where listens && !listeners.contains(where: { $0.address == address }) {
        do throws(RingError) {
          let (listener, bound) = try Self.listen(at: address, on: ring)
          listeners.append(Portal(listener: listener, address: bound, groupTag: target.portalGroupTag))
          description.append("portal \(bound),\(target.portalGroupTag)")
        } catch {
          // A host without IPv6 serves what it can, unless the address was asked for.
          let isAskedFor = !portals.isEmpty || !target.portals.isEmpty
          if !isAskedFor, !address.isIPv4, !listeners.isEmpty { continue }
          let why =
            error == .addressUnavailable
            ? "it is taken by another program, or no address of this host; choose another with --portal" : "\(error)"
          throw UsageError("cannot listen at \(address): \(why)")
        }
      }
      description.append("target \(target.iqn)")
      description += units
      units = []
    }
    var configuration = TargetConfiguration(nodes: nodes, portals: listeners)
    configuration.limits = TargetBuilder.limits(file.world.targets)
    machine = TargetMachine(configuration: configuration, arena: arena)
  }

  /// Serves until SIGTERM or SIGINT, and says "ready" when it takes signals.
  ///
  /// - Parameter interval: How often to print a line of counters; nil for never. SIGUSR1 has all of them printed.
  func run(countersEvery interval: Interval? = nil) {
    let start = ServerCounters(machine, ring)
    var last = start
    var wasIdle = false
    var reporting: UInt64 = 0
    HostLoop(ring: ring, machine: machine).runUntilSignal(ready: { say("ready") }, reportEvery: interval) { wasAsked in
      let before = simsan_allocation_count()
      defer { reporting += simsan_allocation_count() - before }
      let now = ServerCounters(machine, ring, reporting: reporting)
      if wasAsked {
        say(now.table(since: start))
      } else {
        // A server that stays idle says so once.
        let isIdle = now.target.commands == last.target.commands
        if !isIdle || !wasIdle { say(now.line(since: last)) }
        wasIdle = isIdle
        last = now
      }
    }
    if interval != nil { say(ServerCounters(machine, ring, reporting: reporting).table(since: start)) }
    let statistics = machine.statistics
    say(
      "stopped: \(statistics.logins) logins, \(statistics.commands) commands, \(statistics.bytesReceived) bytes received, "
        + "\(statistics.bytesSent) bytes sent")
  }

  /// Listens, and waits a while for an address that is taken: the kernel ends a killed server's io_uring, and with it the
  /// listener, only some time after the process has gone, and whoever started it again must not be refused for that.
  private static func listen(
    at address: SocketAddress, on ring: any HostRing
  ) throws(RingError) -> (listener: Handle, address: SocketAddress) {
    let end = ring.now + .seconds(3)
    while true {
      do throws(RingError) {
        return try ring.listen(at: address, backlog: 1024)
      } catch {
        guard error == .addressUnavailable, ring.now < end else { throw error }
        usleep(20_000)
      }
    }
  }

  /// Opens the medium of a unit, and checks and completes its size.
  private static func open(
    _ unit: inout UnitDescription, of iqn: String, in file: WorldFile, on ring: any HostRing
  ) throws(UsageError) -> (handle: Handle, alignment: Int)? {
    let place = "target \(iqn), LUN \(unit.lun)"
    switch unit.backing {
    case .memory, .null: return nil
    case .disk:
      throw UsageError(
        "\(place): expected file = \"…\", memory = true or null = true; a simulated disk cannot be served")
    case .file(let name):
      let path = file.path(of: name)
      let handle: Handle
      let info: MediumInfo
      do throws(MediumError) {
        (handle, info) = try ring.openMedium(path: path, readOnly: unit.isReadOnly, direct: unit.isDirect)
      } catch {
        throw UsageError("\(place): \(error)")
      }
      let size = UInt64(info.size)
      if let wanted = unit.size {
        guard size >= wanted else {
          throw UsageError(
            "\(place): \(path): expected at least \(Quantity.text(bytes: wanted)) (\(wanted) bytes), found \(size) bytes; "
              + "make it longer with: truncate -s \(wanted) \(path)")
        }
      } else {
        let block = UInt64(unit.blockSize)
        guard size >= block else {
          throw UsageError(
            "\(place): \(path): expected at least one block of \(block) bytes, found \(size) bytes; "
              + "set size in the world file and make the file as long")
        }
        unit.size = size / block * block
      }
      return (handle, info.alignment)
    }
  }

  private static func words(_ unit: UnitDescription) -> String {
    var text = "  LUN \(unit.lun)  \(Quantity.text(bytes: unit.size ?? UnitDescription.defaultSize))"
    text += ", blocks of \(unit.blockSize), "
    switch unit.backing {
    case .file(let name): text += "file \(name)\(unit.isDirect ? " (direct)" : "")"
    case .memory: text += "memory"
    case .null: text += "null"
    case .disk: text += "disk"
    }
    if unit.isReadOnly { text += ", read-only" }
    if unit.isThin { text += ", thin" }
    if unit.isRemovable { text += ", removable" }
    return text + (unit.isWriteBack ? ", write-back" : ", write-through")
  }
}
