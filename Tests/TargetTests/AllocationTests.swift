import CAllocation
import ISCSI
import Ring
import Testing

@testable import Target

/// The path of a read or a write allocates nothing, once every table has grown to its size.
@Suite(.enabled(if: simsan_allocations_are_counted() != 0, "a sanitizer has an allocator of its own"))
struct AllocationTests {
  /// A shape of data-out and data-in: what was negotiated, and the blocks of a command.
  struct Shape: CustomTestStringConvertible, Sendable {
    var name: String
    var keys: [(String, String)]
    var blocks: Int
    var testDescription: String { name }
  }

  private static let unsolicited = [
    ("InitialR2T", "No"), ("ImmediateData", "Yes"), ("MaxRecvDataSegmentLength", "65536"),
    ("FirstBurstLength", "65536"),
  ]
  private static let solicited = [
    ("InitialR2T", "Yes"), ("ImmediateData", "No"), ("MaxRecvDataSegmentLength", "65536"), ("MaxBurstLength", "65536"),
    ("MaxOutstandingR2T", "2"),
  ]
  private static let digests = [("HeaderDigest", "CRC32C"), ("DataDigest", "CRC32C")]

  static let shapes = [
    Shape(name: "512 B", keys: unsolicited, blocks: 1),
    Shape(name: "4 KiB", keys: unsolicited, blocks: 8),
    Shape(name: "4 KiB with digests", keys: unsolicited + digests, blocks: 8),
    Shape(name: "4 KiB by R2T", keys: solicited, blocks: 8),
    Shape(name: "64 KiB", keys: unsolicited, blocks: 128),
    Shape(name: "256 KiB by R2T", keys: solicited, blocks: 512),
    Shape(name: "256 KiB by R2T with digests", keys: solicited + digests, blocks: 512),
  ]

  static let mediumLength = 4 << 20

  static let backings: [Backing] = [.null, .memory, .medium(Handle(7), alignment: 512)]

  @Test(arguments: backings, shapes) func aReadOrAWriteAllocatesNothing(_ backing: Backing, _ shape: Shape) {
    let unit = LogicalUnitConfiguration(lun: 0, blockCount: UInt64(Self.mediumLength / 512), backing: backing)
    let bench = WireBench(units: [unit], mediumLength: Self.mediumLength)
    let initiator = TargetMachineTests.session(bench, shape.keys)
    let data = TargetMachineTests.pattern(shape.blocks * 512)
    func play(_ count: Int) {
      for number in 0..<count {
        let lba = number * shape.blocks % (Self.mediumLength / 512 - shape.blocks)
        let status = initiator.write(write10(lba, shape.blocks), data)?.header.read { $0.status }
        #expect(status == 0)
        #expect(initiator.read(read10(lba, shape.blocks), data.count)?.status == 0)
      }
    }
    // Every chunk of the memory and every slot of the tables that is used then has been used before.
    play(64)
    bench.allocations = 0
    play(64)
    #expect(bench.allocations == 0)
  }

  @Test func manyAtOnceAllocateNothingEither() {
    let bench = WireBench()
    let initiator = TargetMachineTests.session(bench)
    func play(_ rounds: Int) {
      for _ in 0..<rounds {
        let bytes = (0..<64).flatMap { initiator.command(read10($0 * 8, 8), read: 4096).encoded(initiator.options) }
        bench.feed(initiator.socket, bytes)
        #expect(initiator.receive().count == 64)
      }
    }
    play(4)
    bench.allocations = 0
    play(20)
    #expect(bench.allocations == 0)
  }

  @Test func anAllocationIsSeen() {
    let before = simsan_allocation_count()
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 16)
    memory.deallocate()
    let array = [UInt8](repeating: UInt8(truncatingIfNeeded: before), count: 1000)
    #expect(array.count == 1000)
    #expect(simsan_allocation_count() >= before + 2)
  }
}
