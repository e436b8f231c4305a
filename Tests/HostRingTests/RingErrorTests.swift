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

  /// As where there are too many of them; the kernel watches none that is no socket, either.
  @Test func aSocketThatTheKernelDoesNotWatchDoesNotCome() throws {
    let ring = try EpollRing(arena: Arena(capacity: 4096))
    let inbox = try #require(PostOffice.inbox(of: ring.machine))
    inbox.put(Inbox.Message(bytes: [1], socket: open("/dev/null", O_RDONLY)))
    let done = ring.perform(1) { $0.mailbox(into: Extent(offset: 0, length: 8), token: Token(1)) }
    #expect(done == [Completion(token: Token(1), result: 1)])
  }

  /// What an initiator is told of each differs: space allocation failed, write protected, medium not present, and the rest.
  @Test func whatIsWrongWithAMediumIsToldApart() {
    let meanings: [(RingError, [Int32])] = [
      (.none, [0]), (.noSpace, [ENOSPC, EDQUOT, EFBIG]), (.readOnly, [EROFS, EBADF, EPERM]),
      (.removed, [ENODEV, ENXIO, ENOMEDIUM]), (.unsupported, [EOPNOTSUPP, ENOSYS]), (.noResources, [ENOMEM]),
      (.misaligned, [EINVAL]), (.cancelled, [ECANCELED]), (.mediumError, [EIO, EILSEQ, ENODATA]),
    ]
    for (meaning, numbers) in meanings {
      for number in numbers { #expect(RingError(mediumError: number) == meaning, "\(number)") }
    }
  }
}
