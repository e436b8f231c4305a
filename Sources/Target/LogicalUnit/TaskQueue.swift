/// Tasks that wait, the oldest first, by their slots.
struct TaskQueue {
  private(set) var count = 0
  private var tasks: [TaskIndex] = []
  /// The oldest; those before it have gone.
  private var head = 0

  // Not by the array: whether somebody waits is asked for each command.
  var isEmpty: Bool { count == 0 }

  /// All of them.
  var all: ArraySlice<TaskIndex> { isEmpty ? [] : tasks[head...] }

  var last: TaskIndex? { isEmpty ? nil : tasks.last }

  mutating func append(_ task: TaskIndex) {
    tasks.append(task)
    count += 1
  }

  mutating func popFirst() -> TaskIndex? {
    guard !isEmpty else { return nil }
    let task = tasks[head]
    head += 1
    count -= 1
    if isEmpty {
      tasks.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 1024 {
      tasks.removeFirst(head)
      head = 0
    }
    return task
  }

  mutating func removeLast() {
    tasks.removeLast()
    count -= 1
  }

  /// Takes a task out, if it is there: its slot will have another. A session's tasks go the youngest first, so they are
  /// looked for from the end.
  mutating func remove(_ task: TaskIndex) {
    guard let index = tasks[head...].lastIndex(of: task) else { return }
    tasks.remove(at: index)
    count -= 1
  }

  /// Makes a task the first one again.
  mutating func putBack(_ task: TaskIndex) {
    if head > 0 {
      head -= 1
      tasks[head] = task
    } else {
      tasks.insert(task, at: 0)
    }
    count += 1
  }
}
