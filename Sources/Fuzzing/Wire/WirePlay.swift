import ISCSI
import Ring
import SCSI
import SimClock

/// The wire formats, which know nobody: what was read is written and read once more, and must be the same.
struct WirePlay {
  var input: FuzzInput
  var faults: [String] = []
  var trace = TraceHash()

  static func play(_ input: FuzzInput) -> FuzzOutcome {
    var play = WirePlay(input: input)
    switch play.input.below(4) {
    case 0: play.framing()
    case 1: play.text()
    case 2: play.scsi()
    default: play.numbers()
    }
    return FuzzOutcome(faults: play.faults, trace: play.trace)
  }

  mutating func expect(_ holds: Bool, _ words: @autoclosure () -> String) {
    if !holds, faults.isEmpty { faults.append(words()) }
  }

  /// All that is left of the input.
  mutating func rest() -> [UInt8] { input.take(.max) }

  mutating func fold(_ bytes: [UInt8]) {
    trace.fold(UInt64(bytes.count), bytes.withUnsafeBytes { TraceHash.digest($0) })
  }

  // MARK: SCSI data

  private mutating func scsi() {
    let bytes = rest()
    if let sense = Sense(decoding: bytes) { roundTrip(sense) }
    bytes.withUnsafeBytes { buffer in
      guard let list = UnmapList(buffer) else { return }
      for index in 0..<list.count {
        let (lba, blocks) = list.range(index)
        trace.fold(lba, blocks)
      }
    }
    var cdb = InlineArray<32, UInt8>(repeating: 0)
    for (index, byte) in bytes.prefix(32).enumerated() { cdb[index] = byte }
    let fields = BlockCDB(cdb)
    trace.fold(fields.lba, UInt64(fields.blocks))
    // A CDB of 6 bytes cannot ask for nothing, and no field reaches beyond the CDB.
    expect(fields.blocks > 0 || cdb[0] >> 5 != 0, "\(fields) of no blocks")
    expect(fields.blocksOffset < 16, "\(fields)")
  }

  private mutating func roundTrip(_ sense: Sense) {
    for isDescriptor in [false, true] {
      let again = Sense(decoding: sense.parameterData(descriptor: isDescriptor))
      var expected = sense
      // Fixed format has 32 bits for it.
      if !isDescriptor, sense.information.map({ $0 > UInt64(UInt32.max) }) == true { expected.information = nil }
      let format = isDescriptor ? "descriptor" : "fixed"
      expect(again == expected, "\(expected) in \(format) format reads as \(again.map { "\($0)" } ?? "nothing")")
    }
    trace.fold(UInt64(sense.additional.rawValue), sense.information ?? 0)
  }

  // MARK: Numbers, names, addresses

  private mutating func numbers() {
    let lun = UInt64(input.word32()) << 32 | UInt64(input.word32())
    if let number = LogicalUnitNumber.decode(lun), number <= LogicalUnitNumber.numberMax {
      let again = LogicalUnitNumber.encode(number).flatMap { LogicalUnitNumber.decode($0) }
      expect(again == number, "LUN \(number) reads as \(again.map { "\($0)" } ?? "none")")
    }
    let (left, right) = (input.word32(), input.word32())
    let orders = [left == right, SerialNumber.precedes(left, right), SerialNumber.precedes(right, left)]
    // Exactly 2^31 apart, neither is first.
    let expected = left &- right == 1 << 31 ? 0 : 1
    expect(orders.count { $0 } == expected, "\(left) and \(right) have \(orders.count { $0 }) orders")
    expect(
      SerialNumber.later(left, right) == (orders[1] ? right : left), "the later of \(left) and \(right) is not")
    let text = String(decoding: rest(), as: UTF8.self)
    if let address = SocketAddress(text) {
      let again = SocketAddress(address.description)
      expect(again?.description == address.description, "\(address) is not read again")
      trace.fold(address.high, address.low)
    }
    if let name = ISCSIName.normalized(text.utf8) {
      expect(ISCSIName.normalized(name.utf8) == name, "\(name) is not normalized")
    }
  }
}
