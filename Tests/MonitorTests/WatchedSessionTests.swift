import Testing

@testable import Monitor

/// What a session knows of the CmdSNs that have come.
@Suite struct WatchedSessionTests {
  private func session(from first: UInt32, ahead: [UInt32]) -> WatchedSession {
    let session = WatchedSession()
    session.begin(first)
    for number in ahead { session.arrived(number) }
    return session
  }

  /// What a target reset lets count as received, over fewer numbers than have come ahead of them, and over more.
  @Test func allBeforeANumberMayCountAsReceived() {
    let near = session(from: 10, ahead: [12, 13, 15, 20])
    near.arrivedAll(before: 13)
    #expect(near.nextCmdSN == 14)
    near.arrived(14)
    #expect(near.nextCmdSN == 16)
    let far = session(from: 10, ahead: [12, 31])
    far.arrivedAll(before: 30)
    #expect(far.nextCmdSN == 30)
    far.arrived(30)
    #expect(far.nextCmdSN == 32)
    let over = session(from: 0xFFFF_FFFE, ahead: [0xFFFF_FFFF, 1, 3])
    over.arrivedAll(before: 2)
    #expect(over.nextCmdSN == 2)
    over.arrived(2)
    #expect(over.nextCmdSN == 4)
  }

  @Test func whatHasComeAlreadyIsNotTakenBack() {
    let session = session(from: 10, ahead: [10, 11])
    session.arrivedAll(before: 11)
    #expect(session.nextCmdSN == 12)
  }
}
