import CHost
import Ring
import Synchronization

/// Where the machines of this process leave each other messages: the one place where rings on different threads meet.
final class Inbox: Sendable {
  struct Message: Sendable {
    var bytes: [UInt8]
    /// The descriptor of a socket that comes along; -1 for none.
    var socket: Int32
  }

  /// Signalled when a message has been put in.
  let eventfd: Int32
  private struct Queue {
    var messages: [Message] = []
    var bytes = 0
  }

  private let queue = Mutex(Queue())

  init() throws(HostRingError) {
    eventfd = simsan_eventfd()
    guard eventfd >= 0 else { throw HostRingError("eventfd", -eventfd) }
  }

  deinit {
    for message in queue.withLock({ $0.messages }) where message.socket >= 0 { simsan_close(message.socket) }
    simsan_close(eventfd)
  }

  /// A machine that takes no messages shall not have the others fill the memory: so many messages, and bytes of them.
  static let countMax = 65536
  static let bytesMax = 64 << 20

  /// Whether there is room for another message. Posters on other threads may take it first, so that the limit can be
  /// passed by their number.
  var isFull: Bool { queue.withLock { $0.messages.count >= Self.countMax || $0.bytes >= Self.bytesMax } }

  func put(_ message: Message) {
    queue.withLock { queue in
      queue.bytes += message.bytes.count
      queue.messages.append(message)
    }
    simsan_eventfd_signal(eventfd)
  }

  /// Takes all messages, in order.
  func takeAll() -> [Message] {
    simsan_eventfd_drain(eventfd)
    return queue.withLock { queue in
      defer { queue = Queue() }
      return queue.messages
    }
  }
}

/// Knows the inbox of every machine of this process.
enum PostOffice {
  private struct Book {
    var next: UInt32 = 1
    var inboxes: [UInt32: Inbox] = [:]
  }

  private static let book = Mutex(Book())

  static func register(_ inbox: Inbox) -> MachineID {
    book.withLock { book in
      defer { book.next += 1 }
      book.inboxes[book.next] = inbox
      return MachineID(book.next)
    }
  }

  static func remove(_ machine: MachineID) { _ = book.withLock { $0.inboxes.removeValue(forKey: machine.rawValue) } }

  static func inbox(of machine: MachineID) -> Inbox? { book.withLock { $0.inboxes[machine.rawValue] } }
}
