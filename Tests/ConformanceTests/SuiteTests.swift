import Foundation
import Testing

@testable import Conformance

/// Which files a run takes from a folder.
@Suite struct SuiteTests {
  /// A folder with a scenario in it, for as long as `body` takes.
  private func inFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "simsan-suite-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try "scenario { title = \"One\", play = function(t) end }".write(
      to: folder.appending(path: "one.lua"), atomically: false, encoding: .utf8)
    try body(folder)
  }

  /// Such as the link by which an editor locks a file, which leads nowhere.
  @Test func hiddenFilesAreNotTaken() throws {
    try inFolder { folder in
      let inner = folder.appending(path: "inner")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      for place in [folder, inner] {
        try FileManager.default.createSymbolicLink(
          atPath: place.appending(path: ".#one.lua").path, withDestinationPath: "somebody@somewhere")
      }
      for path in [folder.path, folder.path + "/"] {
        let suite = Suite(paths: [path])
        #expect(suite.mistakes == [])
        #expect(suite.caseNames == ["one.lua: One"])
      }
    }
  }

  /// From within the folder, from above it, and by a path with turns.
  @Test func aCaseIsTheSameFromWhereverItIsCalled() throws {
    try inFolder { folder in
      let inner = folder.appending(path: "scenarios/sbc")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      try "scenario { title = \"Two\", play = function(t) end }".write(
        to: inner.appending(path: "two.lua"), atomically: false, encoding: .utf8)
      let here = URL(fileURLWithPath: FileManager.default.currentDirectoryPath).pathComponents.dropFirst()
      let relative = here.map { _ in "../" }.joined() + inner.path.dropFirst()
      for path in ["\(inner.path)/two.lua", "\(relative)/two.lua", "\(folder.path)/scenarios", "\(inner.path)/../sbc"] {
        let suite = Suite(paths: [path])
        #expect(suite.caseNames == ["scenarios/sbc/two.lua: Two"], "\(path)")
      }
    }
  }

  /// As the processes of a run do, whatever has become of the file since.
  @Test func whatWasReadIsPlayedElsewhereToo() throws {
    try inFolder { folder in
      let suite = Suite(paths: [folder.path])
      try "scenario { title = \"Two\", play = 5 }".write(
        to: folder.appending(path: "one.lua"), atomically: false, encoding: .utf8)
      let other = Suite(files: suite.files)
      #expect(other.caseNames == suite.caseNames)
      let result = other.play(0, seed: 1, on: .simulation)
      #expect(result.outcome == .passed, "\(result.failures)")
      #expect(result == suite.play(0, seed: 1, on: .simulation))
    }
  }

  @Test func thePartsOfASuiteMakeUpTheWhole() throws {
    try inFolder { folder in
      try "scenario { title = \"Many\", matrix = { n = { 1, 2, 3, 4, 5, 6, 7 } }, play = function(t) end }".write(
        to: folder.appending(path: "many.lua"), atomically: false, encoding: .utf8)
      let whole = Suite(paths: [folder.path]).caseNames
      #expect(whole.count == 8)
      let parts = (0..<3).map { index in
        var part = Suite(paths: [folder.path])
        part.shard(index, of: 3)
        return part.caseNames
      }
      #expect(parts.map(\.count) == [3, 3, 2])
      #expect(parts.flatMap { $0 }.sorted() == whole.sorted())
    }
  }

  @Test func aCaseIsKeptThatHasAllWords() throws {
    try inFolder { folder in
      try "scenario { title = \"Two ones\", play = function(t) end }".write(
        to: folder.appending(path: "two.lua"), atomically: false, encoding: .utf8)
      func names(_ text: String) -> [String] {
        var suite = Suite(paths: [folder.path])
        suite.filter(text)
        return suite.caseNames
      }
      #expect(names("ONE") == ["one.lua: One", "two.lua: Two ones"])
      #expect(names("one two") == ["two.lua: Two ones"])
      #expect(names("one three") == [])
    }
  }

  /// Also where all its words are in the names of others: how to play a failure again is said by its name.
  @Test func aCaseIsKeptAloneByItsName() throws {
    try inFolder { folder in
      try """
      scenario { title = "One [n=1", play = function(t) end }
      scenario { title = "One", matrix = { m = { 2, 20 }, n = { 1, 10 } }, play = function(t) end }
      """.write(to: folder.appending(path: "many.lua"), atomically: false, encoding: .utf8)
      let whole = Suite(paths: [folder.path])
      #expect(whole.caseCount == 6)
      for each in whole.cases {
        for text in [each.name, each.id] {
          var suite = whole
          suite.filter(text)
          #expect(suite.caseNames == [each.id])
        }
      }
    }
  }

  /// Where the border of a table with holes is depends on which of its strings met in Lua's hash table.
  @Test(arguments: ["print(borders)", "skip(borders)", "expect(borders):equals('')"])
  func whatDependsOnLuasHashSeedIsFound(end: String) throws {
    try inFolder { folder in
      let file = folder.appending(path: "borders.lua")
      try """
      scenario { title = "Borders", play = function(t)
        local borders = ""
        for n = 1, 200 do
          local list = { ["a" .. n] = 1, ["b" .. n] = 2, ["c" .. n] = 3, ["d" .. n] = 4 }
          for index, name in ipairs { "a", "b", "c" } do
            list[name .. n] = nil
            list[({ 1, 3, 4 })[index]] = true
          end
          borders = borders .. #list
        end
        \(end)
      end }
      """.write(to: file, atomically: false, encoding: .utf8)
      let result = Suite(paths: [file.path]).verify(0, seed: 1)
      #expect(result.outcome == .failed)
      let failure = try #require(result.failures.last)
      #expect(failure.oracle == "determinism")
      let lines = failure.message.split(separator: "\n")
      #expect(lines.dropFirst().map { $0.prefix(8) } == ["  once: ", "  then: "], "\(failure.message)")
    }
  }

  @Test func whatIsNoFileOfItsKindIsSaid() throws {
    #expect(Suite(paths: ["/dev/zero"]).mistakes == ["/dev/zero: expected a scenario file, found a pipe or a device"])
    try inFolder { folder in
      let long = folder.appending(path: "long.lua").path
      #expect(FileManager.default.createFile(atPath: long, contents: nil))
      try #require(FileHandle(forWritingAtPath: long)).truncate(atOffset: 1 << 40)
      let tooLong = "of at most 16MiB, found 1099511627776 bytes"
      #expect(Suite(paths: [folder.path]).mistakes == ["\(long): expected a scenario file \(tooLong)"])
      for (path, message) in [
        (long, "expected a world file \(tooLong)"), ("/dev/zero", "expected a world file, found a pipe or a device"),
        (folder.path, "expected a world file, found a folder"),
        (folder.path + "/none.lua", "no such file; expected a world file"),
      ] {
        do throws(FileMistake) {
          _ = try WorldFile(path: path)
          Issue.record("\(path) was taken")
        } catch { #expect(error.message == "\(path): \(message)") }
      }
    }
  }

  @Test func aFolderThatIsNamedLikeAScenarioIsSaid() throws {
    try inFolder { folder in
      let inner = folder.appending(path: "two.lua")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      #expect(Suite(paths: [folder.path]).mistakes == ["\(inner.path): expected a scenario file, found a folder"])
    }
  }
}
