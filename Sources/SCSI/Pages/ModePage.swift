/// A mode page (SPC-4 §7.5, SBC-4 §6.5): its bytes, and which bits of them MODE SELECT may change.
public struct ModePage: Sendable {
  /// PAGE CODE.
  public let code: UInt8

  /// The page with its header of two bytes; PS is zero.
  public var bytes: [UInt8]

  /// The changeable values: the same header, and ones where a bit may be changed.
  public let changeable: [UInt8]

  private init(_ code: UInt8, length: UInt8, values: [Int: UInt8] = [:], changeable: [Int: UInt8] = [:]) {
    self.code = code
    let header = [code, length]
    func fill(_ marks: [Int: UInt8]) -> [UInt8] {
      header + (0..<Int(length)).map { marks[$0 + 2] ?? 0 }
    }
    bytes = fill(values)
    self.changeable = fill(changeable)
  }

  public static let cachingCode: UInt8 = 0x08
  public static let controlCode: UInt8 = 0x0A

  /// 01h, Read-Write Error Recovery (SBC-4 §6.5.8): AWRE and ARRE, for the medium takes care of itself.
  public static let readWriteErrorRecovery = ModePage(0x01, length: 0x0A, values: [2: 0xC0])

  /// 02h, Disconnect-Reconnect (SPC-4 §7.5.9); iSCSI gives no meaning to its fields beyond what is negotiated.
  public static let disconnectReconnect = ModePage(0x02, length: 0x0E)

  /// 08h, Caching (SBC-4 §6.5.6): WCE, which may be changed.
  public static func caching(writeCacheEnabled: Bool) -> ModePage {
    ModePage(cachingCode, length: 0x12, values: [2: writeCacheEnabled ? 0x04 : 0], changeable: [2: 0x04])
  }

  /// 0Ah, Control (SPC-4 §7.5.8): one task set for all nexuses, commands reordered at will, no QERR, no TAS. D_SENSE and
  /// SWP may be changed.
  public static let control = ModePage(
    controlCode, length: 0x0A, values: [2: 0x02, 3: 0x10], changeable: [2: 0x04, 4: 0x08])

  /// 1Ch, Informational Exceptions Control (SPC-4 §7.5.10): DEXCPT, for there are none to report.
  public static let informationalExceptions = ModePage(0x1C, length: 0x0A, values: [2: 0x08])
}
