/// The jobs of a ring's threads: which one begins next.
///
/// In the order in which they came, but of one descriptor only so many at a time: a device that hangs keeps the threads that
/// work for it, and shall leave some to the others.
struct JobQueue {
  /// So many jobs of one descriptor begin before one of them is done.
  static let ofDescriptorMax = 4

  /// Jobs that wait for no more than a thread.
  private var ready: [Worker.Job] = []
  /// Jobs that wait for others of their descriptor.
  private var held: [Worker.Job] = []
  /// The descriptors of the jobs that are ready or under way, one for each.
  private var begun: [Int32] = []

  /// How many jobs are ready or under way: more threads would have nothing to do.
  var begunCount: Int { begun.count }

  /// Takes a job in. True when a thread can begin with it.
  mutating func add(_ job: Worker.Job) -> Bool {
    guard begun.count(where: { $0 == job.descriptor }) < Self.ofDescriptorMax else {
      held.append(job)
      return false
    }
    begun.append(job.descriptor)
    ready.append(job)
    return true
  }

  /// The job for a thread that has none.
  mutating func next() -> Worker.Job? { ready.isEmpty ? nil : ready.removeFirst() }

  /// A job is done. True when a thread can begin with another one for that.
  mutating func finish(_ job: Worker.Job) -> Bool {
    if let at = held.firstIndex(where: { $0.descriptor == job.descriptor }) {
      ready.append(held.remove(at: at))
      return true
    }
    if let at = begun.firstIndex(of: job.descriptor) { begun.remove(at: at) }
    return false
  }
}
