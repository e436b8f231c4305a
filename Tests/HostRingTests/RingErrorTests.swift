import Glibc
import Ring
import Testing

@testable import HostRing

@Suite struct RingErrorTests {
  /// To try again helps with the one, and not with the other.
  @Test func anAddressThatIsForbiddenIsNotOneThatIsTaken() {
    for number in [EADDRINUSE, EADDRNOTAVAIL] { #expect(RingError(socketError: number) == .addressUnavailable) }
    for number in [EACCES, EPERM] { #expect(RingError(socketError: number) == .notPermitted) }
  }
}
