import Glibc
import Testing

@testable import HostRing

@Suite struct WorkerTests {
  private func job(_ descriptor: Int32, _ tag: Int) -> Worker.Job {
    Worker.Job(kind: .flush, descriptor: descriptor, tag: tag)
  }

  @Test func aDescriptorWhoseJobsHangLeavesThreadsToOthers() {
    var queue = JobQueue()
    let begins = (0..<10).map { queue.add(job(3, $0)) }
    #expect(begins == (0..<10).map { $0 < JobQueue.ofDescriptorMax })
    #expect(queue.begunCount == JobQueue.ofDescriptorMax)
    let hanging = (0..<JobQueue.ofDescriptorMax).compactMap { _ in queue.next() }
    #expect(hanging.map(\.tag) == Array(0..<JobQueue.ofDescriptorMax))
    #expect(queue.next() == nil)
    let other = queue.add(job(4, 99))
    #expect(other, "a thread can begin with it")
    #expect(queue.next()?.tag == 99)
  }

  @Test func howeverManyDescriptorsHangAnotherHasAThread() {
    var queue = JobQueue()
    for descriptor in 3..<23 as Range<Int32> { for tag in 0..<10 { _ = queue.add(job(descriptor, tag)) } }
    var hanging: [Worker.Job] = []
    while let next = queue.next() { hanging.append(next) }
    #expect(Set(hanging.map(\.descriptor)).count == 20)
    #expect(hanging.count == queue.begunCount && hanging.count < JobQueue.begunMax + 20)
    // One that does not hang goes on, job by job.
    let begins = (0..<3).map { queue.add(job(99, $0)) }
    #expect(begins == [true, false, false])
    for tag in 0..<3 {
      guard let next = queue.next() else { return #expect(Bool(false), "no job is ready") }
      #expect(next.descriptor == 99 && next.tag == tag)
      let another = queue.finish(next)
      #expect(another == (tag < 2))
    }
  }

  @Test func aJobThatIsDoneLetsTheNextOfItsDescriptorBegin() {
    var queue = JobQueue()
    var order: [Int] = []
    var begun = (0..<10).count { queue.add(job(3, $0)) }
    while begun > 0, let next = queue.next() {
      order.append(next.tag)
      begun -= 1
      if queue.finish(next) { begun += 1 }
    }
    #expect(order == Array(0..<10))
    #expect(queue.begunCount == 0 && queue.next() == nil)
  }

  /// More than is written at a time.
  @Test func aRangeOfAnyLengthIsZeroedByHand() throws {
    var template = Array("/tmp/simsan-worker-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    try #require(descriptor >= 0)
    defer {
      unlink(template)
      close(descriptor)
    }
    var bytes = [UInt8](repeating: 7, count: 3 << 20)
    try #require(pwrite(descriptor, bytes, bytes.count, 0) == bytes.count)
    let zeroed = 512..<(2 << 20) + 1536
    let job = Worker.Job(
      kind: .writeZeroes, descriptor: descriptor, offset: UInt64(zeroed.lowerBound), length: UInt64(zeroed.count),
      tag: 0)
    #expect(job.writeZeroesByHand() == 0)
    try #require(pread(descriptor, &bytes, bytes.count, 0) == bytes.count)
    var wanted = [UInt8](repeating: 7, count: bytes.count)
    wanted.replaceSubrange(zeroed, with: repeatElement(0, count: zeroed.count))
    let isZeroed = bytes == wanted
    #expect(isZeroed)
  }

  @Test func jobsOfManyDescriptorsAreAllDone() throws {
    let inbox = try Inbox()
    let worker = Worker(eventfd: inbox.eventfd)
    for tag in 0..<200 { worker.add(job(-1 - Int32(tag % 3), tag)) }
    var done: [Worker.Job] = []
    for _ in 0..<5000 where worker.isBusy {
      var some: [Worker.Job] = []
      worker.takeDone(&some)
      done += some
      usleep(1000)
    }
    #expect(Set(done.map(\.tag)) == Set(0..<200))
    #expect(done.allSatisfy { $0.result == -Int64(EBADF) })
  }
}
