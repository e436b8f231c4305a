import SCSI

/// The names of a logical unit, settled when it is made: what is not configured follows from the target's name and the
/// LUN, so that it is the same after a restart, over all paths, and in the simulation.
struct LogicalUnitIdentity {
  let serial: String
  let naa: [UInt8]

  init(_ configuration: LogicalUnitConfiguration, target: String) {
    let digest = Self.digest(target, configuration.lun)
    serial = configuration.serial.isEmpty ? Self.hexadecimal(digest) : configuration.serial
    if configuration.naa.isEmpty {
      var naa: [UInt8] = []
      // SPC-4 §7.8.6.6.4: NAA 3h, locally assigned, 60 bits.
      naa.append64(3 << 60 | digest >> 4)
      self.naa = naa
    } else {
      naa = configuration.naa
    }
  }

  /// FNV-1a over the name and the LUN, with a final mix so that neighbouring LUNs differ early: some initiators compare
  /// the first eight characters only.
  private static func digest(_ target: String, _ lun: UInt16) -> UInt64 {
    var value: UInt64 = 0xCBF2_9CE4_8422_2325
    func fold(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
    for byte in target.utf8 { fold(byte) }
    fold(UInt8(truncatingIfNeeded: lun >> 8))
    fold(UInt8(truncatingIfNeeded: lun))
    value ^= value >> 33
    value &*= 0xFF51_AFD7_ED55_8CCD
    value ^= value >> 33
    value &*= 0xC4CE_B9FE_1A85_EC53
    return value ^ value >> 33
  }

  private static func hexadecimal(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
