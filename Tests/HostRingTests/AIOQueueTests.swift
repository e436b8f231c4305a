import Glibc
import Ring
import Testing

@testable import HostRing

@Suite struct AIOQueueTests {
  /// Writes to the page cache are the threads' work: with a device that hangs they are never done, and keep their requests.
  @Test func aMediumThatHangsLeavesRequestsToOthers() throws {
    let arena = Arena(capacity: 1 << 16)
    let medium = UnsafeMutablePointer<HostSlot>.allocate(capacity: 1)
    medium.initialize(to: HostSlot())
    defer { medium.deallocate() }
    var queue = try AIOQueue(depth: 8)
    var operations = Operations()
    let extent = Extent(offset: 0, length: 512)
    for number in 0..<21 {
      operations.write(to: Handle(1), at: 0, from: CollectionOfOne(extent), token: Token(UInt64(number)))
    }
    var jobs: [Worker.Job] = []
    var done: [UInt64] = []
    // Twenty of one medium, and then one of another.
    for (number, operation) in operations.items.enumerated() {
      queue.add(operation, [extent], arena, slot: number < 20 ? 3 : 5, medium)
    }
    queue.submit({ jobs.append($0) }, { request, _ in done.append(request.token.rawValue) })
    #expect(jobs.count == 6)
    let other = try #require(jobs.last)
    queue.finish(other) { request, _ in done.append(request.token.rawValue) }
    #expect(done == [20])
    // What it has left is had one by one, in order.
    jobs.removeLast()
    while !jobs.isEmpty {
      queue.finish(jobs.removeFirst()) { request, _ in done.append(request.token.rawValue) }
      queue.submit({ jobs.append($0) }, { request, _ in done.append(request.token.rawValue) })
    }
    #expect(done == [20] + Array(0..<20))
    let isIdle = !queue.hasPrepared
    #expect(isIdle)
  }
}
