import ISCSI
import Ring
import SCSI
import Target

/// What the target costs without any ring: batches of commands go into the machine as one receive each, and what it sends
/// is taken as sent. They go to all of a unit of 256 MiB, more than caches hold. Prints nanoseconds a command, the best of
/// several rounds.
///
///     swift run -c release machine-bench
@main
struct MachineBench {
  static func main() throws {
    for (label, blocks, depth, digests) in [
      ("512 B read", 1, 32, false), ("4 KiB read", 8, 32, false), ("4 KiB read, digests", 8, 32, true),
      ("4 KiB write", -8, 32, false), ("4 KiB read", 8, 1, false), ("64 KiB read", 128, 8, false),
    ] {
      for backing in [Backing.null, .memory] {
        let bench = try Bench(backing: backing, digests: digests)
        let best = bench.commands(blocks: blocks, depth: depth)
        print("\(label)  depth \(depth)  \(backing == .null ? "null  " : "memory")  \(best) ns a command")
      }
    }
  }
}

/// One logged-in session on a machine whose operations are carried out by hand.
private final class Bench {
  private static let blockCount: UInt64 = 1 << 19

  private let arena = Arena(capacity: 64 << 20)
  private let machine: TargetMachine
  private var operations = Operations()
  private var completions: [Completion] = []
  private var receive: (token: Token, extents: [Extent])?

  private let encoding: EncodingOptions

  init(backing: Backing, digests: Bool) throws {
    encoding = EncodingOptions(digests: DigestSettings(header: digests, data: digests))
    let unit = LogicalUnitConfiguration(lun: 0, blockCount: Self.blockCount, backing: backing)
    machine = try TargetMachine(
      configuration: TargetConfiguration(
        nodes: [TargetNode(name: "iqn.2026-11.example:bench", logicalUnits: [unit])],
        portals: [Portal(listener: Handle(1), address: SocketAddress(127, 0, 0, 1, port: 3260))]),
      arena: arena)
    turn()
    settle()
    var writer = TextWriter()
    writer.append("InitiatorName", "iqn.2026-11.example:a")
    writer.append("TargetName", "iqn.2026-11.example:bench")
    writer.append("MaxRecvDataSegmentLength", "262144")
    writer.append("HeaderDigest", digests ? "CRC32C" : "None")
    writer.append("DataDigest", digests ? "CRC32C" : "None")
    var login = ProtocolDataUnit(.loginRequest, data: writer.bytes)
    login.header.write {
      $0.isImmediate = true
      $0.isTransit = true
      $0.currentStage = 1
      $0.nextStage = 3
      $0.cmdSN = 1
    }
    feed(login.encoded())
    // It is told that the unit was powered on.
    var first = command(blocks: 1, tag: 0).encoded(encoding)
    number(&first, 1)
    feed(first)
  }

  /// The nanoseconds of a command that reads so many blocks, or writes them if they are negative.
  func commands(blocks: Int, depth: Int) -> Int {
    var best = Int.max
    let clock = ContinuousClock()
    for _ in 0..<20 {
      let rounds = 40_000 / depth
      var batch = (0..<depth).flatMap { command(blocks: blocks, tag: UInt32($0)).encoded(encoding) }
      let elapsed = clock.measure {
        for _ in 0..<rounds {
          number(&batch, depth)
          feed(batch)
        }
      }
      let nanoseconds = elapsed.components.seconds * 1_000_000_000 + elapsed.components.attoseconds / 1_000_000_000
      best = min(best, Int(nanoseconds) / (rounds * depth))
    }
    return best
  }

  private func command(blocks: Int, tag: UInt32) -> ProtocolDataUnit {
    let length = abs(blocks) * 512
    var pdu = ProtocolDataUnit(.scsiCommand, data: [UInt8](repeating: 0x5A, count: blocks < 0 ? length : 0))
    pdu.header.write {
      $0.isRead = blocks > 0
      $0.isWrite = blocks < 0
      $0.taskAttribute = 1
      $0.initiatorTaskTag = tag
      $0.expectedDataTransferLength = UInt32(length)
    }
    pdu.header.bytes[32] = blocks > 0 ? 0x28 : 0x2A
    pdu.header.bytes[39] = UInt8(abs(blocks) >> 8)
    pdu.header.bytes[40] = UInt8(abs(blocks) & 255)
    return pdu
  }

  /// Gives the commands of a batch, which are of one length, the numbers whose turn it is, and blocks anywhere.
  private func number(_ batch: inout [UInt8], _ depth: Int) {
    let length = batch.count / depth
    batch.withUnsafeMutableBytes { bytes in
      for index in 0..<depth {
        bytes.storeBytes(of: nextNumber.bigEndian, toByteOffset: index * length + 24, as: UInt32.self)
        // An initiator that has got every answer so far: one status for each command.
        bytes.storeBytes(of: nextNumber.bigEndian, toByteOffset: index * length + 28, as: UInt32.self)
        // Multiples of the golden ratio have fractions that lie all over; the longest command fits behind each place.
        let place = ((((nextNumber &* 0x9E37_79B9) >> 16) * 0xFFF0) >> 16) << 3
        bytes.storeBytes(of: place.bigEndian, toByteOffset: index * length + 34, as: UInt32.self)
        nextNumber &+= 1
        guard encoding.digests.header else { continue }
        let header = UnsafeRawBufferPointer(rebasing: bytes[(index * length)...].prefix(HeaderView.length))
        let digest = Digest.crc32c(header).littleEndian
        bytes.storeBytes(of: digest, toByteOffset: index * length + HeaderView.length, as: UInt32.self)
      }
    }
  }
  private var nextNumber: UInt32 = 1

  /// Feeds bytes in as many receives as the target takes them with.
  private func feed(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { bytes in
      var at = 0
      while at < bytes.count {
        guard let pending = receive else {
          // A benchmark that measures nothing must not go on.
          fatalError("the target does not receive any more")
        }
        let before = at
        for extent in pending.extents {
          let count = min(extent.length, bytes.count - at)
          arena.bytes(extent.prefix(count)).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)]))
          at += count
        }
        receive = nil
        completions.append(Completion(token: pending.token, result: UInt64(at - before)))
        settle()
      }
    }
  }

  private func settle() {
    while !completions.isEmpty { turn() }
  }

  private var batch: [Completion] = []

  private func turn() {
    swap(&batch, &completions)
    completions.removeAll(keepingCapacity: true)
    machine.step(batch, now: .zero, into: &operations)
    for operation in operations.items {
      switch operation.kind {
      case .accept:
        if receive == nil, operation.token.rawValue & 0xFF == 0, !isConnected {
          isConnected = true
          completions.append(Completion(token: operation.token, result: 5))
        }
      case .describe:
        completions.append(Completion(token: operation.token, result: UInt64(2 * SocketAddress.encodedLength)))
      case .receive:
        let first = Int(operation.firstExtent)
        receive = (operation.token, Array(operations.extents[first..<(first + Int(operation.extentCount))]))
      case .send:
        var count = 0
        let first = Int(operation.firstExtent)
        for index in first..<(first + Int(operation.extentCount)) { count += operations.extents[index].length }
        completions.append(Completion(token: operation.token, result: UInt64(count)))
      default:
        break
      }
    }
    operations.removeAll()
  }
  private var isConnected = false
}
