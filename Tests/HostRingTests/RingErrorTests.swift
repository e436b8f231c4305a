import Glibc
import Ring
import Testing

@testable import HostRing

@Suite struct RingErrorTests {
  /// To try again helps with the one, and not with the others.
  @Test func anAddressThatIsTakenIsNotOneThatIsForbiddenOrNotThere() {
    #expect(RingError(socketError: EADDRINUSE) == .addressInUse)
    for number in [EADDRNOTAVAIL, EAFNOSUPPORT] { #expect(RingError(socketError: number) == .addressUnavailable) }
    for number in [EACCES, EPERM] { #expect(RingError(socketError: number) == .notPermitted) }
  }
}
