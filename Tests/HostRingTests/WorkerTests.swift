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
