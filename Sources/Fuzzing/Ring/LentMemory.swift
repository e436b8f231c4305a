import Ring
import SimClock

/// The memory that belongs to the ring while operations are outstanding: nobody else may write there, and what the ring is to
/// write to is nobody else's at all. The arena is one block to the tools that watch memory, so it is watched here.
struct LentMemory {
  private struct Loan {
    var token: Token
    var kind: Operation.Kind
    var extent: Extent
    /// The ring writes there.
    var isWritten: Bool
    /// Of its bytes when it was lent.
    var digest: UInt64
  }

  private let arena: Arena
  private var loans: [Loan] = []

  init(_ arena: Arena) { self.arena = arena }

  private func digest(_ extent: Extent) -> UInt64 { TraceHash.digest(UnsafeRawBufferPointer(arena.bytes(extent))) }

  /// An operation is outstanding. What is wrong with it, if anything.
  mutating func lend(_ operation: Operation, _ extents: [Extent]) -> String? {
    let isWritten: Bool
    switch operation.kind {
    case .receive, .read, .mailbox: isWritten = true
    default: isWritten = false
    }
    var fault: String?
    if loans.contains(where: { $0.token == operation.token }) {
      fault = "\(operation.kind) has the token of another operation that is outstanding"
    }
    for extent in extents where extent.length > 0 {
      for loan in loans where isWritten || loan.isWritten {
        if loan.extent.offset < extent.end, extent.offset < loan.extent.end {
          fault = fault ?? "\(operation.kind) has memory of a \(loan.kind) that is outstanding"
        }
      }
      loans.append(
        Loan(
          token: operation.token, kind: operation.kind, extent: extent, isWritten: isWritten, digest: digest(extent)))
    }
    return fault
  }

  /// An operation completes: its memory must be as it was. What is wrong with it, if anything.
  mutating func giveBack(_ token: Token) -> String? {
    var fault: String?
    for loan in loans where loan.token == token && digest(loan.extent) != loan.digest {
      fault = "memory of a \(loan.kind) has changed while it was outstanding"
    }
    loans.removeAll { $0.token == token }
    return fault
  }
}
