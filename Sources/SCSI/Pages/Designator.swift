/// Designation descriptors of the Device Identification page (SPC-4 §7.8.6).
public enum Designator {
  private enum Association: UInt8 {
    case logicalUnit = 0
    case targetPort = 1
    case targetDevice = 2
  }

  private enum CodeSet: UInt8 {
    case binary = 1
    case ascii = 2
    case utf8 = 3
  }

  /// PROTOCOL IDENTIFIER of iSCSI (SPC-4 §7.6.1).
  private static let iSCSI: UInt8 = 5

  private static func descriptor(
    _ association: Association, _ codeSet: CodeSet, type: UInt8, _ designator: [UInt8]
  ) -> [UInt8] {
    var data: [UInt8] = []
    let hasProtocol = association != .logicalUnit
    data.append((hasProtocol ? iSCSI << 4 : 0) | codeSet.rawValue)
    data.append((hasProtocol ? 0x80 : 0) | association.rawValue << 4 | type)
    data.append(0)
    data.append(UInt8(truncatingIfNeeded: min(designator.count, 255)))
    return data + designator.prefix(255)
  }

  /// Type 1h: the vendor's name, and what is unique among that vendor's logical units.
  public static func t10Vendor(_ vendor: String, _ serial: String) -> [UInt8] {
    var designator: [UInt8] = []
    designator.appendASCII(vendor, width: 8)
    designator.appendASCII(serial, width: min(serial.utf8.count, 240))
    return descriptor(.logicalUnit, .ascii, type: 1, designator)
  }

  /// Type 3h: NAA, 8 or 16 bytes.
  public static func naa(_ bytes: [UInt8]) -> [UInt8] { descriptor(.logicalUnit, .binary, type: 3, bytes) }

  /// Type 4h.
  public static func relativeTargetPort(_ identifier: UInt16) -> [UInt8] {
    descriptor(.targetPort, .binary, type: 4, [0, 0, UInt8(identifier >> 8), UInt8(identifier & 0xFF)])
  }

  /// Type 5h.
  public static func targetPortGroup(_ identifier: UInt16) -> [UInt8] {
    descriptor(.targetPort, .binary, type: 5, [0, 0, UInt8(identifier >> 8), UInt8(identifier & 0xFF)])
  }

  /// Type 8h: the name of an iSCSI target port (RFC 7143 §4.4.1, SPC-4 §7.8.6.11).
  public static func targetPortName(_ target: String, portalGroupTag: UInt16) -> [UInt8] {
    let tag = String(portalGroupTag, radix: 16)
    return descriptor(
      .targetPort, .utf8, type: 8,
      nameString(target + ",t,0x" + String(repeating: "0", count: 4 - tag.count) + tag))
  }

  /// Type 8h: the name of the iSCSI target.
  public static func targetDeviceName(_ target: String) -> [UInt8] {
    descriptor(.targetDevice, .utf8, type: 8, nameString(target))
  }

  /// NUL-terminated, padded to a multiple of four bytes.
  private static func nameString(_ text: String) -> [UInt8] {
    var bytes = Array(text.utf8.prefix(247))
    bytes.appendZeroes(4 - bytes.count % 4)
    return bytes
  }
}
