import Foundation

/// The scenario files that a run was given, and the cases in them.
public struct Suite {
  var cases: [Case] = []

  /// Why files could not be read or loaded; each with its file and, where there is one, its line.
  public private(set) var mistakes: [String] = []

  /// A file, as it was read.
  public struct File: Codable, Sendable {
    var path: String
    var text: String
  }

  /// The files in their order, so that one that changes during a run does not.
  public private(set) var files: [File] = []
  private(set) var texts: [String: String] = [:]

  /// The suite of another process of the same run.
  ///
  /// - Parameter files: Those that it has read.
  public init(files: [File]) {
    for file in files { declare(file) }
  }

  /// Loads the files and folders of `paths`. A folder stands for all `.lua` files below it but hidden ones and those that
  /// end in `.meta.lua`, in the order of their names.
  public init(paths: [String]) {
    for path in paths { add(path) }
  }

  private mutating func add(_ path: String) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      mistakes.append("\(path): no such file or folder; expected a scenario file or a folder of them")
      return
    }
    guard isFolder.boolValue else {
      load(path)
      return
    }
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
    let files = names.filter { $0.hasSuffix(".lua") && !$0.hasSuffix(".meta.lua") && !"/\($0)".contains("/.") }
    if files.isEmpty { mistakes.append("\(path): expected scenario files (*.lua), found none") }
    let base = path.hasSuffix("/") ? path : path + "/"
    // Byte order: what localised sorting does differs between machines.
    for name in files.sorted(by: { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }) { load(base + name) }
  }

  private mutating func load(_ path: String) {
    let path = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
    guard texts[path] == nil else { return }
    do throws(FileMistake) {
      declare(File(path: path, text: try Script.text(at: path, expecting: "scenario file")))
    } catch {
      mistakes.append(error.message)
    }
  }

  private mutating func declare(_ file: File) {
    let path = file.path
    files.append(file)
    texts[path] = file.text
    do throws(FileMistake) {
      let script = try Script(file: path, text: file.text)
      if script.scenarios.isEmpty { mistakes.append("\(path): expected scenario { … }, found none in the file") }
      let place = URL(fileURLWithPath: path).absoluteURL.standardized.path
      for scenario in script.scenarios { cases += Case.expand(scenario, file: path, place: place) }
    } catch {
      mistakes.append(error.message)
    }
    let names = cases.filter { $0.file == path }.map(\.name)
    var seen: Set<String> = []
    for name in names where !seen.insert(name).inserted {
      mistakes.append("\(path): expected titles that differ, found \"\(name)\" twice")
    }
  }

  /// Keeps the case that is called `text`, as a failure's page calls it; where none is, the cases whose file and name contain
  /// all its words, in any case of letters.
  public mutating func filter(_ text: String) {
    let called = cases.filter { $0.name == text || $0.id == text }
    guard called.isEmpty else {
      cases = called
      return
    }
    let words = text.split(separator: " ").map { $0.lowercased() }
    cases = cases.filter { each in words.allSatisfy { each.id.lowercased().contains($0) } }
  }

  /// Keeps the cases that cover one of `clauses`, or a clause of an area that is named so: `ISCSI-LOGIN`, in any case of letters.
  public mutating func select(clauses: [String]) {
    let wanted = clauses.map { $0.uppercased() }
    cases = cases.filter { each in
      each.covers.contains { id in wanted.contains { id == $0 || id.hasPrefix($0 + "-") } }
    }
  }

  /// Keeps one of `count` parts, of about the same size, that make up the whole.
  public mutating func shard(_ index: Int, of count: Int) {
    cases = cases.enumerated().filter { $0.offset % count == index }.map(\.element)
  }

  /// The result of a case that the program did not survive.
  public func broken(_ index: Int, seed: UInt64, message: String) -> CaseResult {
    let each = cases[index]
    var result = CaseResult(each, index: index, seed: each.seed(from: seed))
    result.outcome = .failed
    result.failures = [CaseResult.Failure(oracle: "program", message: message)]
    return result
  }

  /// The file of a case.
  public func file(of index: Int) -> String { cases[index].file }

  public var caseCount: Int { cases.count }

  /// The names of the cases, as reports have them.
  public var caseNames: [String] { cases.map(\.id) }
}
