import Foundation
import Glibc
import Ring
import Target

/// Says what happens to the sessions and media of one machine: who comes and goes, and why, what is refused, what fails.
///
/// It belongs to the machine's thread.
final class EventReporter {
  private let machine: TargetMachine
  private let log: ServerLog
  private var budget = LineBudget()

  init(_ machine: TargetMachine, to log: ServerLog) {
    self.machine = machine
    self.log = log
  }

  /// Says what has happened since the last time.
  ///
  /// - Parameter time: The time of its ring. Asked for only then: this is called after each step.
  func report(at time: @autoclosure () -> Instant) {
    guard machine.hasEvents else { return }
    let now = time()
    let (events, lost) = machine.takeEvents()
    budget.leaveOut(lost)
    let clock = Self.clock()
    for event in events where budget.take(at: now) {
      let leftOut = budget.takeLeftOut()
      if leftOut > 0 { log.say("\(clock)  \(leftOut) lines like these were left out, there were too many at once") }
      log.say("\(clock)  \(event.text)")
    }
  }

  /// The time of day, where the server is.
  private static func clock() -> String {
    var seconds = Glibc.time(nil)
    var parts = tm()
    localtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let length = strftime(&text, text.count, "%F %T", &parts)
    return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
