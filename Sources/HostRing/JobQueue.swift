/// The jobs of a ring's threads: which one begins next.
///
/// In the order in which they came, but of one descriptor only so many at a time, and one in any case: devices that hang keep
/// the threads that work for them, however many they are, and leave some to the others.
struct JobQueue {
  /// So many jobs of one descriptor begin before one of them is done, …
  static let ofDescriptorMax = 4
  /// … while there are fewer under way than these: as long as one device hangs, the others have as many as ever. Beyond, a job
  /// begins if there is none of its descriptor.
  static let begunMax = 2 * ofDescriptorMax

  /// Jobs that wait for no more than a thread.
  private var ready: [Worker.Job] = []
  /// Jobs that wait for the end of others.
  private var held: [Worker.Job] = []
  /// The descriptors of the jobs that are ready or under way, one for each.
  private var begun: [Int32] = []

  /// How many jobs are ready or under way: more threads would have nothing to do.
  var begunCount: Int { begun.count }

  private func mayBegin(_ job: Worker.Job) -> Bool {
    let own = begun.count { $0 == job.descriptor }
    return own == 0 || own < Self.ofDescriptorMax && begun.count < Self.begunMax
  }

  /// Takes a job in. True when a thread can begin with it.
  mutating func add(_ job: Worker.Job) -> Bool {
    guard mayBegin(job) else {
      held.append(job)
      return false
    }
    begin(job)
    return true
  }

  private mutating func begin(_ job: Worker.Job) {
    begun.append(job.descriptor)
    ready.append(job)
  }

  /// The job for a thread that has none.
  mutating func next() -> Worker.Job? { ready.isEmpty ? nil : ready.removeFirst() }

  /// A job is done. True when a thread can begin with another one for that.
  mutating func finish(_ job: Worker.Job) -> Bool {
    if let at = begun.firstIndex(of: job.descriptor) { begun.remove(at: at) }
    guard let at = held.firstIndex(where: mayBegin) else { return false }
    begin(held.remove(at: at))
    return true
  }
}
