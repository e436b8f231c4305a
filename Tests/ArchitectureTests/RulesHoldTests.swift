import Testing

/// The repository keeps its own rules. Each message names file, line, what stands there, and what to write instead.
@Suite struct RulesHoldTests {
  @Test func importsFollowTheArrows() throws {
    let files = try Repository.sources()
    #expect(files.count >= 20, "the rooms were not found")
    let findings = files.flatMap { ImportRule.check($0) }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func manifestSaysTheSameArrows() throws {
    let findings = ManifestRule.check(try Repository.text("Package.swift"))
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func machinesAndSimulationAreDeterministic() throws {
    let files = try Repository.sources().filter { Rooms.deterministic.contains($0.room) }
    let unordered = IterationRule.unorderedNames(files)
    let own = DeterminismRules.ownTypes(files)
    let findings = zip(files, unordered).flatMap {
      DeterminismRules.check($0, unordered: $1, own: own[$0.room] ?? [])
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func theRunnerIsDeterministic() throws {
    let files = try Repository.sources().filter { $0.room == "Conformance" }
    let findings = zip(files, IterationRule.unorderedNames(files)).flatMap {
      DeterminismRules.check($0, unordered: $1, rules: DeterminismRules.namesOfRunner)
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func nothingTrapsWithoutAReason() throws {
    let findings = try Repository.sources().flatMap { TrapRule.check($0) }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func nobodyMeasuresByTheTimeOfDay() throws {
    let findings = try Repository.sources().flatMap { RepositoryRules.timeOfDay.check($0) }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func filesAreShort() throws {
    let findings = try Repository.paths(under: "", suffixes: RepositoryRules.lengthMax.map(\.suffix)).flatMap {
      RepositoryRules.checkLength(path: $0, text: try Repository.text($0))
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func nothingNamesAMachineOrAnAddress() throws {
    let suffixes = [".swift", ".c", ".h", ".lua", ".md", ".sh", ".py", ".tsv", ".expected", "Makefile", "run"]
    let findings = try Repository.paths(under: "", suffixes: suffixes).flatMap {
      RepositoryRules.checkPlaces(path: $0, text: try Repository.text($0))
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func scenariosHaveTitlesAndKnownClauses() throws {
    let clauses = ScenarioRules.clauses(try Repository.text("scenarios/clauses.tsv"))
    #expect(clauses.count > 1000, "the clauses were not found")
    let scenarios = Repository.paths(under: "scenarios", suffixes: [".lua"]).filter { !$0.hasSuffix("meta.lua") }
    let findings = try scenarios.flatMap {
      ScenarioRules.check(path: $0, text: try Repository.text($0), clauses: clauses)
    }
    #expect(findings.isEmpty, "\(findings.report)")
    let examples = try Repository.paths(under: "", suffixes: [".md"]).flatMap {
      ScenarioRules.checkExamples(path: $0, text: try Repository.text($0), clauses: clauses)
    }
    #expect(examples.isEmpty, "\(examples.report)")
  }
}
