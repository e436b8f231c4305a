import Ring
import SimClock

/// What the thread of a process takes for its steps. Nothing by default.
///
/// A step begins when the thread is free, takes the completions that are there, and is over when its work is done: only
/// then its operations begin. What completes meanwhile waits for the next step, which follows at once: so batches grow
/// with the load. A thread that had nothing to do takes ``wake`` to begin: the scheduler's latency.
public struct ThreadWork: Hashable, Sendable {
  /// Before a step of a thread that was idle.
  public var wake: Interval = .zero
  /// Of each step.
  public var step: Interval = .zero
  /// Of each completion that a step takes.
  public var completion: Interval = .zero
  /// Of 1024 bytes that were received from sockets.
  public var kibibyteIn: Interval = .zero
  /// Of 1024 bytes that are sent.
  public var kibibyteOut: Interval = .zero

  public init() {}

  var isNone: Bool { self == ThreadWork() }
}

extension World {
  /// Says what the thread of a process takes for its steps from now on.
  public func setThreadWork(_ work: ThreadWork, of process: ProcessID) {
    processes[Int(process.rawValue)].work = work
  }

  /// What the thread of a process has done; an entry is a step. Only steps that have work count.
  public func threadCounters(of process: ProcessID) -> Stage.Counters { processes[Int(process.rawValue)].counters }

  /// When a process may be stepped for a completion that has come now, in nanoseconds.
  func stepTime(_ index: Int) -> UInt64 {
    let now = timeline.now.nanoseconds
    // Who has just ended a step, or is still within the least time between two, did not sleep.
    if processes[index].busyUntil >= now { processes[index].isAwake = true }
    let core = network.coreBusyUntil(processes[index].host)
    if processes[index].isAwake { return max(now, processes[index].busyUntil, core) }
    return max(Stage.sum(now, processes[index].work.wake.nanoseconds), core)
  }

  /// What a step takes, in nanoseconds; its operations are those that the machine has just given.
  func workTime(_ index: Int, completions: Int) -> UInt64 {
    let work = processes[index].work
    let (each, overflow) = UInt64(completions).multipliedReportingOverflow(by: work.completion.nanoseconds)
    let received = processes[index].ring.takeReceivedCount()
    var sent: UInt64 = 0
    for operation in processes[index].operations.items where operation.kind == .send {
      let first = Int(operation.firstExtent)
      for extent in processes[index].operations.extents[first..<first + Int(operation.extentCount)] {
        sent += UInt64(extent.length)
      }
    }
    var time = Stage.sum(work.step.nanoseconds, overflow ? .max : each)
    time = Stage.sum(time, Stage.work(received, perKibibyte: work.kibibyteIn))
    return Stage.sum(time, Stage.work(sent, perKibibyte: work.kibibyteOut))
  }

  /// The machine has taken a step; it is over when its work is done.
  func beginWork(_ index: Int, completions: Int) {
    let time = workTime(index, completions: completions)
    processes[index].counters.entries += 1
    if !processes[index].isAwake { processes[index].counters.starts += 1 }
    processes[index].isAwake = false
    processes[index].counters.busy = Stage.sum(processes[index].counters.busy, time)
    processes[index].isWorking = true
    let end = network.leaveThread(processes[index].host, work: time)
    processes[index].busyUntil = max(processes[index].busyUntil, end)
    schedule(.end, at: end, ProcessID(UInt32(index)), processes[index].ring.incarnation)
  }

  /// The machine's last step is over: what it wants done begins, and what waited makes the next step.
  func endStep(_ index: Int) {
    guard processes[index].isWorking else { return }
    guard !processes[index].isPaused else {
      processes[index].isEndDue = true
      return
    }
    processes[index].isWorking = false
    processes[index].isEndDue = false
    var operations = Operations()
    swap(&operations, &processes[index].operations)
    processes[index].front.submit(&operations)
    operations.removeAll()
    swap(&operations, &processes[index].operations)
    if processes[index].isAwake { wake(ProcessID(UInt32(index))) }
  }
}
