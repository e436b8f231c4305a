import CHost
import Ring

/// The requests that the kernel has, at addresses that never change: vectors, messages and socket addresses lie in them.
struct RequestTable: ~Copyable {
  struct Request {
    var operation = Operation.none
    var token: Token { operation.token }
    var kind: Operation.Kind { operation.kind }
    var handle: Handle { operation.handle }
    var isInUse = false
    var vector = IOVector()
    /// A struct msghdr, or a struct sockaddr.
    let message: UnsafeMutableRawPointer
    /// A cancel that completes behind it.
    var canceller: Token?

    init() { message = .allocate(byteCount: RequestTable.messageWords * 8, alignment: 8) }

    mutating func fill(_ extents: ArraySlice<Extent>, _ arena: Arena) {
      vector.fill(extents, arena)
      message.withMemoryRebound(to: UInt64.self, capacity: RequestTable.messageWords) {
        simsan_fill_msghdr($0, vector.entries, vector.count)
      }
    }
  }

  static let messageWords = Int(SIMSAN_MSGHDR_WORDS)
  private static let chunkLength = 256
  private var chunks: [UnsafeMutablePointer<Request>] = []
  private var freeList: [UInt32] = []
  private var count = 0

  deinit {
    for chunk in chunks {
      for index in 0..<Self.chunkLength {
        chunk[index].vector.free()
        chunk[index].message.deallocate()
      }
      chunk.deinitialize(count: Self.chunkLength)
      chunk.deallocate()
    }
  }

  /// The request of a number that ``take(_:)`` gave out.
  @inline(__always)
  subscript(number: UInt32) -> UnsafeMutablePointer<Request> {
    chunks[Int(number) / Self.chunkLength] + Int(number) % Self.chunkLength
  }

  mutating func take(_ operation: Operation) -> (UInt32, UnsafeMutablePointer<Request>) {
    let number: UInt32
    if let free = freeList.popLast() {
      number = free
    } else {
      if count == chunks.count * Self.chunkLength {
        let chunk = UnsafeMutablePointer<Request>.allocate(capacity: Self.chunkLength)
        for index in 0..<Self.chunkLength { (chunk + index).initialize(to: Request()) }
        chunks.append(chunk)
      }
      number = UInt32(count)
      count += 1
    }
    let request = self[number]
    request.pointee.operation = operation
    request.pointee.isInUse = true
    request.pointee.canceller = nil
    return (number, request)
  }

  mutating func give(_ number: UInt32) {
    self[number].pointee.isInUse = false
    freeList.append(number)
  }

  /// The numbers of the requests that are outstanding.
  var inUse: [UInt32] { (0..<UInt32(count)).filter { self[$0].pointee.isInUse } }

  /// The request of an operation that is outstanding.
  func find(_ token: Token) -> UInt32? {
    for number in 0..<count where self[UInt32(number)].pointee.isInUse {
      if self[UInt32(number)].pointee.token == token { return UInt32(number) }
    }
    return nil
  }
}
