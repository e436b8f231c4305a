import Ring
import SimClock
import Testing

@Suite struct StageTests {
  @Test("What comes one after the other passes at one over the work, however early it came")
  func throughput() {
    var stage = Stage()
    var last: UInt64 = 0
    for _ in 0..<1000 { last = stage.enter(at: 5, work: 30, delay: 700) }
    #expect(last == 5 + 700 + 1000 * 30)
    #expect(stage.counters.entries == 1000 && stage.counters.starts == 1 && stage.counters.busy == 30_000)
  }

  @Test("The delay is paid once for each time that the stage was idle")
  func delay() {
    var stage = Stage()
    #expect(stage.enter(at: 10, work: 5, delay: 100) == 115)
    #expect(stage.enter(at: 115, work: 5, delay: 100) == 120, "at the moment of leaving it is awake")
    #expect(stage.enter(at: 121, work: 5, delay: 100) == 226)
    #expect(stage.counters.starts == 2)
  }

  @Test("Stages that share a core take turns, and neither pays a delay while the other works")
  func sharing() {
    var core = Stage()
    var left = Stage()
    var right = Stage()
    #expect(left.enter(at: 10, work: 100, delay: 5, on: &core) == 115)
    #expect(right.enter(at: 20, work: 30, delay: 7, on: &core) == 145)
    #expect(left.enter(at: 30, work: 1, delay: 5, on: &core) == 146)
    #expect(right.enter(at: 200, work: 30, delay: 7, on: &core) == 237)
    #expect(left.counters.busy == 101 && right.counters.busy == 60 && core.counters.busy == 161)
    #expect(core.counters.starts == 2)
  }

  @Test("Times at the edge of a number do not wrap")
  func saturation() {
    var stage = Stage()
    #expect(stage.enter(at: 10, work: .max, delay: .max) == .max)
    #expect(stage.enter(at: 11, work: 1, delay: 1) == .max)
    #expect(Stage.work(.max, perKibibyte: .seconds(1)) == .max)
    #expect(Stage.work(512, perKibibyte: Interval(nanoseconds: 3)) == 1)
  }
}
