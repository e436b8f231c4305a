import SCSI

/// The mode pages of a logical unit: what they hold and which of it MODE SELECT may change. Shared by all nexuses; none
/// is saved.
struct ModePages {
  /// PAGE CODE ascending, with page headers.
  private(set) var current: [ModePage]
  let defaults: [ModePage]

  /// The three fields that commands look at, kept apart so that they cost nothing.
  private(set) var isWriteCacheEnabled: Bool
  private(set) var wantsDescriptorSense = false
  private(set) var isSoftwareWriteProtected = false

  init(_ configuration: LogicalUnitConfiguration) {
    defaults = [
      ModePage.readWriteErrorRecovery, ModePage.disconnectReconnect,
      ModePage.caching(writeCacheEnabled: configuration.isWriteCacheEnabled), ModePage.control,
      ModePage.informationalExceptions,
    ]
    current = defaults
    isWriteCacheEnabled = configuration.isWriteCacheEnabled
  }

  /// True when every page holds what it holds in `other`.
  func holdsTheSame(as other: ModePages) -> Bool {
    zip(current, other.current).allSatisfy { $0.bytes == $1.bytes }
  }

  /// Sets a page. The caller has checked that it differs in changeable bits only.
  mutating func replace(_ index: Int, _ bytes: [UInt8]) {
    current[index].bytes = bytes
    switch current[index].code {
    case ModePage.cachingCode:
      isWriteCacheEnabled = bytes[2] & 0x04 != 0
    case ModePage.controlCode:
      wantsDescriptorSense = bytes[2] & 0x04 != 0
      isSoftwareWriteProtected = bytes[4] & 0x08 != 0
    default:
      break
    }
  }
}
