import ISCSI
import Testing

@testable import Fuzzing

/// What a watch must find in what a target sends, each broken once.
@Suite struct TargetWatchTests {
  /// A watch behind the end of a login: the next StatSN is 2.
  private func loggedIn(dataDigest: Bool = false) -> TargetWatch {
    var watch = TargetWatch()
    var login = ProtocolDataUnit(
      .loginResponse, isFinal: false, data: Array("DataDigest=\(dataDigest ? "CRC32C" : "None")\0".utf8))
    login.header.write {
      $0.isTransit = true
      $0.currentStage = 1
      $0.nextStage = 3
      $0.tsih = 1
      $0.statSN = 1
    }
    _ = watch.take(login.encoded())
    return watch
  }

  private func ping(_ change: (MutableHeaderView) -> Void = { _ in }) -> ProtocolDataUnit {
    var pdu = ProtocolDataUnit(.nopIn, data: [1, 2, 3])
    pdu.header.write {
      $0.initiatorTaskTag = 1
      $0.targetTransferTag = reservedTag
      $0.statSN = 2
      $0.expCmdSN = 5
      $0.maxCmdSN = 9
      change($0)
    }
    return pdu
  }

  /// The beginning of the first fault that a watch finds in these.
  private func fault(_ pdus: ProtocolDataUnit..., options: EncodingOptions = EncodingOptions()) -> String? {
    var watch = loggedIn(dataDigest: options.digests.data)
    for pdu in pdus { _ = watch.take(pdu.encoded(options)) }
    return watch.faults.first.map { String($0.prefix { $0 != ":" }) }
  }

  @Test func whatIsRightIsNoFault() {
    #expect(fault(ping(), ping { $0.statSN = 3 }) == nil)
    #expect(fault(ping(), options: EncodingOptions(digests: DigestSettings(data: true))) == nil)
  }

  @Test func theFormOfAPDUIsWatched() {
    var padded = EncodingOptions()
    padded.padByte = 1
    var digested = EncodingOptions(digests: DigestSettings(data: true))
    digested.dataDigestFlip = 1
    #expect(fault(ping(), options: padded) == "padding that is not zero")
    #expect(fault(ping(), options: digested) == "a wrong data digest")
    #expect(fault(ping { $0.flags = 0 }) == "no constant bit")
    #expect(fault(ping { $0.flags = 0xC0 }) == "reserved bits in byte 1")
    #expect(fault(ping { $0.opcodeBits = Opcode.nopOut.rawValue }) == "an opcode that is not a target's")
    #expect(fault(ping { $0.opcodeBits = Opcode.loginResponse.rawValue }) != nil)
  }

  @Test func theNumbersAreWatched() {
    #expect(fault(ping { $0.statSN = 3 }) == "StatSN 3, expected 2")
    #expect(fault(ping { $0.maxCmdSN = 3 }) == "a window below zero")
    func second(_ first: UInt32, _ last: UInt32) -> ProtocolDataUnit {
      ping {
        $0.statSN = 3
        $0.expCmdSN = first
        $0.maxCmdSN = last
      }
    }
    #expect(fault(ping(), second(4, 9)) == "ExpCmdSN has gone back from 5")
    #expect(fault(ping(), second(5, 8)) == "MaxCmdSN has gone back from 9")
  }

  @Test func nothingFollowsTheLastPDU() {
    var logout = ProtocolDataUnit(.logoutResponse)
    logout.header.write {
      $0.statSN = 2
      $0.expCmdSN = 5
      $0.maxCmdSN = 9
    }
    #expect(fault(logout, ping { $0.statSN = 3 }) == "a PDU behind the last one")
  }
}
