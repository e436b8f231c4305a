import Ring
import SimClock
import SimNet
import SimRing

/// What cases are played on.
public enum Stage {
  case simulation
  /// A real target: makes a fresh playground for each case.
  case real(() throws -> any Playground)
}

extension Suite {
  /// Plays one case in a Lua state and a world of its own.
  ///
  /// - Parameter seed: The run's; the case derives its own.
  public func play(_ index: Int, seed: UInt64, on stage: Stage) -> CaseResult {
    play(index, seed: seed, on: stage, recording: nil).result
  }

  /// The result of a case that is not played.
  public func skip(_ index: Int, because reason: String) -> CaseResult {
    var result = CaseResult(cases[index], index: index, seed: 0)
    result.outcome = .skipped
    result.reason = reason
    return result
  }

  /// Plays one case twice and compares all that happened. A difference fails it, and names the first step that differs.
  public func verify(_ index: Int, seed: UInt64) -> CaseResult {
    var (result, first, script) = play(index, seed: seed, on: .simulation, recording: nil)
    // As long as the first Lua state is there the second lies elsewhere, from which follows its hash seed: what a script makes
    // of the order in Lua's tables differs.
    let (again, second, _) = withExtendedLifetime(script) {
      play(index, seed: seed, on: .simulation, recording: nil)
    }
    var difference = ""
    if let first, let second, let range = Trace.firstDifference(first.trace, second.trace) {
      let one = play(index, seed: seed, on: .simulation, recording: range).world
      let two = play(index, seed: seed, on: .simulation, recording: range).world
      difference = "the first step that differs is among \(range.lowerBound) to \(range.upperBound)"
      if let one, let two, let number = Trace.firstDifferentRecord(one.trace, two.trace) {
        func words(_ world: World) -> String { world.trace[number].map(world.describe) ?? "the end of the run" }
        difference = "step \(number) differs\n  once: \(words(one))\n  then: \(words(two))"
      }
    } else if let (once, then) = Self.firstDifference(result, again) {
      difference = "what happened was the same, but not what the script made of it\n  once: \(once)\n  then: \(then)"
    }
    if !difference.isEmpty {
      result.outcome = .failed
      result.failures.append(
        CaseResult.Failure(
          oracle: "determinism", message: "expected two runs of the same seed to be the same; \(difference)"))
    }
    return result
  }

  /// The first lines in which the reports of two plays of a case differ; nil when they are the same.
  static func firstDifference(_ one: CaseResult, _ other: CaseResult) -> (String, String)? {
    if one == other { return nil }
    func lines(_ result: CaseResult) -> [String] {
      let run = RunResult(cases: [result], seed: 0, world: RunResult.simulation, isVerified: true)
      let report = (try? Reports.json(run)).map { String(decoding: $0, as: UTF8.self) } ?? ""
      return report.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }.map(String.init)
    }
    return zip(lines(one), lines(other)).first { $0 != $1 } ?? ("…", "…")
  }

  /// Plays one case in the simulation, and returns what its connections carried as a pcapng file.
  public func capture(_ index: Int, seed: UInt64) -> [UInt8] {
    let capture = PacketCapture()
    _ = play(index, seed: seed, on: .simulation, recording: nil, capture: capture)
    return capture.bytes
  }

  private func play(
    _ index: Int, seed: UInt64, on stage: Stage, recording: Range<UInt64>?, capture: PacketCapture? = nil
  ) -> (result: CaseResult, world: World?, script: Script?) {
    let each = cases[index]
    let seed = each.seed(from: seed)
    var result = CaseResult(each, index: index, seed: seed)
    func broken(_ message: String, _ traceback: String = "") -> (CaseResult, World?, Script?) {
      result.outcome = .failed
      result.failures = [CaseResult.Failure(oracle: "script", message: message, traceback: traceback)]
      return (result, nil, nil)
    }
    do {
      let script = try Script(file: each.file, text: texts[each.file] ?? "")
      guard script.scenarios.indices.contains(each.scenario) else {
        return broken("\(each.file): the file declares other scenarios than when it was loaded first")
      }
      let scenario = script.scenarios[each.scenario]
      let playground: any Playground
      switch stage {
      case .simulation:
        let simulated = try SimulatedPlayground(
          try Self.world(of: scenario, each, in: script), seed: seed, recording: recording)
        simulated.witness.capture = capture
        playground = simulated
      case .real(let make):
        if let need = scenario.needs.first(where: \.needsSimulation) {
          result.outcome = .skipped
          result.reason =
            need == .configuration ? "it describes a world of its own" : "it needs the simulation (\(need.rawValue))"
          return (result, nil, nil)
        }
        playground = try make()
      }
      let player = Player(each, script: script, playground: playground, seed: seed)
      player.play()
      return (player.result(index: index), playground.simulation?.world, script)
    } catch let mistake as FileMistake {
      return broken(mistake.message, mistake.traceback)
    } catch let failure as LuaFailure {
      return broken("\(each.location.description): \(failure.message)")
    } catch {
      return broken("\(each.location.description): \(error)")
    }
  }

  /// The world that a case wants.
  private static func world(of scenario: Scenario, _ each: Case, in script: Script) throws -> WorldDescription {
    switch scenario.world {
    case .fixed(let world): return world
    case .standard:
      var unit = UnitDescription()
      unit.isThin = scenario.needs.contains(.thin)
      unit.isRemovable = scenario.needs.contains(.removable)
      unit.isReadOnly = scenario.needs.contains(.readOnly)
      var target = TargetDescription()
      target.units = [unit]
      var world = WorldDescription()
      world.targets = [target]
      return world
    case .function(let function):
      let actor = try script.state.start(function, [each.argument])
      switch script.state.resume(actor) {
      case .finished(let values): return try script.world(values.first ?? .none)
      case .waiting: throw LuaFailure("scenario.world: the function waits, which it cannot")
      case .failed(let failure, let traceback):
        throw FileMistake(message: failure.message, traceback: traceback)
      }
    }
  }
}
