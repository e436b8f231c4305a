import ISCSI

/// One connection of an initiator that sends anything: what it knows of the target, so that what it sends may be right.
final class HostileInitiator {
  let socket: Int
  var watch = TargetWatch()

  /// CmdSN of the next request.
  var cmdSN: UInt32 = 1
  var isid = ISID(random: 0x46_5A, qualifier: 0)
  private var tags: UInt32 = 0

  /// The last R2Ts that came, and the last tag of a ping and of a text that goes on.
  private(set) var asked: [ProtocolDataUnit] = []
  private(set) var pingTag = reservedTag
  private(set) var textTag = reservedTag

  /// The last requests that it has sent, the latest last.
  private(set) var sent: [ProtocolDataUnit] = []

  private static let rememberedMax = 8

  init(socket: Int) { self.socket = socket }

  func nextTag() -> UInt32 {
    tags &+= 1
    return tags
  }

  /// A request of `opcode` with its tag and its numbers.
  func request(_ opcode: Opcode, isImmediate: Bool = false, data: [UInt8] = []) -> ProtocolDataUnit {
    var pdu = ProtocolDataUnit(opcode, data: data)
    let tag = nextTag()
    pdu.header.write {
      $0.isImmediate = isImmediate
      $0.initiatorTaskTag = tag
      $0.cmdSN = cmdSN
      $0.targetTransferTag = reservedTag
    }
    if !isImmediate, opcode.hasCmdSN { cmdSN &+= 1 }
    return pdu
  }

  /// The tag of one of the last requests.
  func earlierTag(_ place: Int) -> UInt32 {
    sent.isEmpty ? 0 : sent[sent.count - 1 - place % sent.count].header.read { $0.initiatorTaskTag }
  }

  func noteSent(_ pdu: ProtocolDataUnit) {
    sent.append(pdu)
    if sent.count > Self.rememberedMax { sent.removeFirst() }
  }

  /// Takes what the target has sent.
  func take(_ bytes: [UInt8]) {
    for pdu in watch.take(bytes) {
      // What was rejected has left a gap in the numbers, which the next request fills.
      cmdSN = pdu.header.read { $0.expCmdSN }
      switch pdu.opcode {
      case .readyToTransfer:
        asked.append(pdu)
        if asked.count > Self.rememberedMax { asked.removeFirst() }
      case .nopIn: pingTag = pdu.header.read { $0.targetTransferTag }
      case .textResponse: textTag = pdu.header.read { $0.targetTransferTag }
      default: break
      }
    }
  }
}
