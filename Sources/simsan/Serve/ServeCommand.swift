import Conformance
import Foundation
import HostRing
import Ring
import Target

let serveCommand = Command(
  name: "serve", summary: "deploy the targets of a world file on real sockets and disks", operands: "WORLD.lua",
  options: [
    Option("--ring", "NAME", "io_uring or epoll; without it, io_uring where the kernel allows it"),
    Option("--portal", "ADDRESS[:PORT]", "listen here instead of where the file says; may be given several times"),
    Option("--memory", "SIZE", "memory for buffers, such as 256MiB (the default)"),
  ],
  discussion: """
    The file holds the same target { … } tables that scenarios use. Each LUN is a file or block device
    (file = "PATH"), memory = true, or null = true. It runs as an ordinary user; SIGINT and SIGTERM end it in good order.
    """
) { arguments in
  guard arguments.operands.count == 1, let path = arguments.operands.first else {
    throw UsageError("simsan serve: expected one world file, found \(arguments.operands.count)")
  }
  return try Server(path: path, arguments: arguments).run()
}

/// A served world: its ring, its media and its target.
private final class Server {
  private let ring: any HostRing
  private let machine: TargetMachine
  private var lines: [String] = []

  init(path: String, arguments: Arguments) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw UsageError("simsan serve: \(path): cannot be read; expected a world file")
    }
    let world: WorldDescription
    do { world = try WorldFile.read(file: path, text: String(decoding: data, as: UTF8.self)) } catch {
      throw UsageError("simsan serve: \(error)")
    }
    let arena = Arena(capacity: try Self.memory(arguments, world))
    ring = try Self.makeRing(arguments["--ring"], arena)
    var nodes: [TargetNode] = []
    for target in world.targets {
      var target = target
      let media = try Self.openMedia(&target, ring, path)
      do { nodes.append(try TargetBuilder.node(target, media: media)) } catch {
        throw UsageError("simsan serve: \(path): \(error.message)")
      }
      for unit in target.units { lines.append("  \(target.iqn)  LUN \(unit.lun)  \(Self.describe(unit))") }
    }
    let names = nodes.map(\.name)
    if let twice = names.first(where: { name in names.count(where: { $0 == name }) > 1 }) {
      throw UsageError("simsan serve: \(path): two targets are called \(twice)")
    }
    let portals = try Self.listen(arguments.all("--portal"), world.targets, ring)
    var configuration = TargetConfiguration(nodes: nodes, portals: portals)
    configuration.limits = TargetBuilder.limits(world.targets)
    machine = TargetMachine(configuration: configuration, arena: arena)
    let kind = ring is IOUringRing ? HostRingKind.ioUring : .epoll
    lines.insert("simsan \(version) serves \(path) by \(kind.rawValue)\(kind == .epoll ? " and libaio" : "")", at: 0)
    for (index, portal) in portals.enumerated() {
      lines.insert("  portal \(portal.address), group \(portal.groupTag)", at: 1 + index)
    }
  }

  /// Serves until a signal ends it.
  func run() -> Int32 {
    for line in lines { say(line) }
    say("ready")
    flushOutput()
    HostLoop(ring: ring, machine: machine).runUntilSignal()
    let statistics = machine.statistics
    say(
      "stopped: \(statistics.logins) logins, \(statistics.commands) commands, \(statistics.bytesReceived) bytes received, "
        + "\(statistics.bytesSent) bytes sent")
    return 0
  }

  private static func memory(_ arguments: Arguments, _ world: WorldDescription) throws -> Int {
    var wanted = world.targets.compactMap(\.limits.memory).max() ?? 256 << 20
    if let text = arguments["--memory"] {
      guard let size = Quantity.size(text) else {
        throw UsageError("simsan serve: --memory: expected a size such as 256MiB, found \"\(text)\"")
      }
      wanted = size
    }
    guard (16 << 20...1 << 36).contains(wanted) else {
      throw UsageError("simsan serve: \(wanted) bytes of memory: expected 16 MiB to 64 GiB")
    }
    return Int(wanted)
  }

  private static func makeRing(_ name: String?, _ arena: Arena) throws -> any HostRing {
    var kind: HostRingKind?
    if let name {
      guard let known = HostRingKind(rawValue: name) else {
        throw UsageError("simsan serve: --ring: expected io_uring or epoll, found \"\(name)\"")
      }
      kind = known
    }
    do { return try HostRings.make(kind, arena: arena) } catch {
      throw UsageError(
        "simsan serve: --ring \(name ?? "epoll"): the kernel does not allow it here (\(error))"
          + (kind == .ioUring ? "; epoll would do" : ""))
    }
  }

  /// Opens the files of a target's units, and gives those without a size the size of their file.
  private static func openMedia(
    _ target: inout TargetDescription, _ ring: any HostRing, _ path: String
  ) throws -> [(handle: Handle, alignment: Int)?] {
    var media: [(handle: Handle, alignment: Int)?] = []
    for index in target.units.indices {
      let unit = target.units[index]
      let place = "simsan serve: \(path): target \(target.iqn), LUN \(unit.lun)"
      switch unit.backing {
      case .disk:
        throw UsageError(
          "\(place): is a simulated disk; expected file = \"PATH\", memory = true or null = true to serve it")
      case .memory, .null:
        media.append(nil)
      case .file(let file):
        let opened: (handle: Handle, info: MediumInfo)
        do { opened = try ring.openMedium(path: file, readOnly: unit.isReadOnly, direct: unit.isDirect) } catch {
          throw UsageError("\(place): \(error)")
        }
        let size = unit.size ?? opened.info.size
        guard opened.info.size >= size else {
          throw UsageError(
            "\(place): \(file): holds \(opened.info.size) bytes; expected at least \(size), its size in the world file")
        }
        guard size >= UInt64(unit.blockSize) else {
          throw UsageError(
            "\(place): \(file): holds \(opened.info.size) bytes; expected at least one block of \(unit.blockSize)")
        }
        target.units[index].size = size
        media.append((opened.handle, opened.info.alignment))
      }
    }
    return media
  }

  /// Opens the listeners: those of the call, or those of the targets, each address once.
  private static func listen(
    _ texts: [String], _ targets: [TargetDescription], _ ring: any HostRing
  ) throws -> [Portal] {
    var wanted: [(address: SocketAddress, tag: UInt16)] = []
    var isUsual = false
    for text in texts {
      guard let address = SocketAddress(text) else {
        throw UsageError("simsan serve: --portal: expected ADDRESS, ADDRESS:PORT or [IPV6]:PORT, found \"\(text)\"")
      }
      wanted.append((address, targets.first?.portalGroupTag ?? 1))
    }
    if wanted.isEmpty {
      for target in targets {
        if target.portals.isEmpty { isUsual = true }
        for address in target.portals.isEmpty ? TargetDescription.usualPortals : target.portals
        where !wanted.contains(where: { $0.address == address }) {
          wanted.append((address, target.portalGroupTag))
        }
      }
    }
    var portals: [Portal] = []
    for (address, tag) in wanted {
      do {
        let (listener, bound) = try ring.listen(at: address, backlog: 1024)
        portals.append(Portal(listener: listener, address: bound, groupTag: tag))
      } catch {
        // A host without IPv6 serves what it can, unless the address was asked for.
        if isUsual, !address.isIPv4, !portals.isEmpty { continue }
        throw UsageError(
          "simsan serve: portal \(address): cannot be listened on (\(error)); is another server there, or is it not an "
            + "address of this host?")
      }
    }
    return portals
  }

  private static func describe(_ unit: UnitDescription) -> String {
    let size = unit.size ?? UnitDescription.defaultSize
    let what =
      switch unit.backing {
      case .file(let file): file
      case .memory: "memory"
      case .null: "null device"
      case .disk: "simulated disk"
      }
    var marks: [String] = []
    if unit.isDirect { marks.append("direct") }
    if unit.isReadOnly { marks.append("read-only") }
    if unit.isThin { marks.append("thin") }
    if unit.isRemovable { marks.append("removable") }
    return "\(Quantity.text(bytes: size)), blocks of \(unit.blockSize), \(what)" + marks.map { ", \($0)" }.joined()
  }
}
