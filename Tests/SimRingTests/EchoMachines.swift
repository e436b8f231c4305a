import Ring
import SimDisk
import SimNet
import SimRing

/// Accepts connections and sends back what it receives, up to 64 of them; keeps a copy of all of it on a medium.
final class EchoServer: Machine {
  let arena = Arena(capacity: 1 << 20)
  private let listener: Handle
  private let medium: Handle
  private var hasBegun = false
  private var sockets: [Handle] = []
  /// What each socket still has to send back.
  private var unsent: [Extent] = []
  /// How many operations own each socket's buffer.
  private var owners: [Int] = []
  private(set) var bytesEchoed = 0
  /// How many completions each step brought.
  private(set) var batches: [Int] = []
  private(set) var errors: [RingError] = []
  private var writeOffset: UInt64 = 0

  init(listener: Handle, medium: Handle = .none) {
    self.listener = listener
    self.medium = medium
  }

  private func buffer(_ socket: Int) -> Extent { Extent(offset: socket * 4096, length: 4096) }

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    batches.append(completions.count)
    if !hasBegun {
      hasBegun = true
      operations.accept(on: listener, token: Token(0))
    }
    for completion in completions {
      let kind = completion.token.rawValue >> 32
      let socket = Int(completion.token.rawValue & 0xFFFF_FFFF)
      if kind == 0 {
        guard completion.error == .none else { continue }
        sockets.append(Handle(completion.result))
        unsent.append(.empty)
        owners.append(0)
        receive(sockets.count - 1, &operations)
        if sockets.count < 64 { operations.accept(on: listener, token: Token(0)) }
        continue
      }
      if completion.error != .none {
        errors.append(completion.error)
        if kind == 3 { release(socket, &operations) }
        if kind < 3 { operations.close(sockets[socket], token: Token(9 << 32)) }
        continue
      }
      switch kind {
      case 1:
        if completion.result == 0 {
          operations.close(sockets[socket], token: Token(9 << 32))
          continue
        }
        bytesEchoed += Int(completion.result)
        let extent = buffer(socket).prefix(Int(completion.result))
        unsent[socket] = extent
        owners[socket] = 1
        send(socket, &operations)
        if medium != .none {
          owners[socket] = 2
          let token = Token(3 << 32 | UInt64(socket))
          operations.write(to: medium, at: writeOffset % (1 << 20), from: [extent], token: token)
          writeOffset += 4096
        }
      case 2:
        unsent[socket] = unsent[socket].dropFirst(Int(completion.result))
        if unsent[socket].length > 0 { send(socket, &operations) } else { release(socket, &operations) }
      case 3: release(socket, &operations)
      default: break
      }
    }
  }

  private func release(_ socket: Int, _ operations: inout Operations) {
    owners[socket] -= 1
    if owners[socket] == 0 { receive(socket, &operations) }
  }

  private func send(_ socket: Int, _ operations: inout Operations) {
    operations.send(on: sockets[socket], from: [unsent[socket]], token: Token(2 << 32 | UInt64(socket)))
  }

  private func receive(_ socket: Int, _ operations: inout Operations) {
    operations.receive(on: sockets[socket], into: buffer(socket), token: Token(1 << 32 | UInt64(socket)))
  }
}

/// Connects, sends `count` messages one after the other, and waits for each to come back.
final class EchoClient: Machine {
  let arena = Arena(capacity: 1 << 16)
  private let address: SocketAddress
  private let count: Int
  private let length: Int
  private var socket = Handle.none
  private var sent = 0
  private var received = 0
  private var hasBegun = false
  private(set) var rounds = 0
  private(set) var mismatches = 0
  private(set) var error: RingError?

  var isDone: Bool { rounds == count || error != nil }

  init(to address: SocketAddress, count: Int, length: Int) {
    self.address = address
    self.count = count
    self.length = length
  }

  private var outgoing: Extent { Extent(offset: 0, length: length) }
  private var incoming: Extent { Extent(offset: 16384, length: length) }

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    if !hasBegun {
      hasBegun = true
      operations.connect(to: address, token: Token(1))
    }
    for completion in completions {
      if completion.error != .none {
        error = completion.error
        continue
      }
      switch completion.token.rawValue {
      case 1:
        socket = Handle(completion.result)
        send(&operations)
      case 2:
        sent += Int(completion.result)
        if sent < length {
          operations.send(on: socket, from: [outgoing.dropFirst(sent)], token: Token(2))
        } else {
          operations.receive(on: socket, into: incoming, token: Token(3))
        }
      case 3:
        if completion.result == 0 {
          error = .brokenPipe
          continue
        }
        received += Int(completion.result)
        if received < length {
          operations.receive(on: socket, into: incoming.dropFirst(received), token: Token(3))
        } else {
          if [UInt8](arena.bytes(incoming)) != [UInt8](arena.bytes(outgoing)) { mismatches += 1 }
          rounds += 1
          if rounds < count { send(&operations) } else { operations.close(socket, token: Token(4)) }
        }
      default: break
      }
    }
  }

  private func send(_ operations: inout Operations) {
    sent = 0
    received = 0
    let bytes = arena.bytes(outgoing)
    for index in 0..<length { bytes[index] = UInt8(truncatingIfNeeded: index &* 7 &+ rounds) }
    operations.send(on: socket, from: [outgoing], token: Token(2))
  }
}

/// A server with a medium, and clients on another host.
final class EchoWorld {
  let world: World
  let serverHost: HostID
  let clientHost: HostID
  let disk: DiskID
  let serverProcess: ProcessID
  private(set) var server: EchoServer
  private(set) var clients: [EchoClient] = []
  private(set) var clientProcesses: [ProcessID] = []
  let address = SocketAddress(10, 0, 0, 1, port: 7)

  init(
    seed: UInt64, clients count: Int = 3, rounds: Int = 20, server options: HostOptions = HostOptions(),
    _ adjust: (World) -> Void = { _ in }
  ) throws {
    let world = World(seed: seed)
    self.world = world
    adjust(world)
    serverHost = world.addHost("server", addresses: [SocketAddress(10, 0, 0, 1, port: 0)], options: options)
    clientHost = world.addHost("client", addresses: [SocketAddress(10, 0, 0, 2, port: 0)])
    disk = world.addDisk("lun0", on: serverHost)
    serverProcess = world.addProcess("server", on: serverHost)
    server = try Self.makeServer(world, serverProcess, disk, address)
    world.start(serverProcess, server)
    for index in 0..<count {
      let client = EchoClient(to: address, count: rounds, length: 100 + index * 977)
      let process = world.addProcess("client\(index)", on: clientHost)
      clients.append(client)
      clientProcesses.append(process)
      world.start(process, client)
    }
  }

  private static func makeServer(
    _ world: World, _ process: ProcessID, _ disk: DiskID, _ address: SocketAddress
  ) throws -> EchoServer {
    let ring = world.ring(of: process)
    let (listener, _) = try ring.listen(at: address, backlog: 16)
    return EchoServer(listener: listener, medium: ring.open(disk))
  }

  func restartServer() throws {
    server = try Self.makeServer(world, serverProcess, disk, address)
    world.start(serverProcess, server)
  }

  func startClient(rounds: Int) -> EchoClient {
    let client = EchoClient(to: address, count: rounds, length: 300)
    clients.append(client)
    clientProcesses.append(world.addProcess("late", on: clientHost))
    world.start(clientProcesses[clientProcesses.count - 1], client)
    return client
  }

  var isDone: Bool { clients.allSatisfy(\.isDone) }
}

/// A link as bad as TCP has to live with.
func makeHostile(_ world: World) {
  world.network.defaultLink.jitter = .microseconds(400)
  world.network.defaultLink.segmentation = .drawn
  world.network.defaultLink.loss = .init(1, in: 50)
  world.network.defaultLink.shortReceive = .init(1, in: 4)
  world.network.defaultLink.shortSend = .init(1, in: 4)
}
