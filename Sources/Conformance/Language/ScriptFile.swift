import Foundation

extension Script {
  /// The text of the file at `path`.
  ///
  /// - Parameter kind: What a message says was expected.
  static func text(at path: String, expecting kind: String) throws(FileMistake) -> String {
    var status = stat()
    // A device may have no end, and a pipe be written to by nobody. What is not there, or a folder, is told of below.
    if stat(path, &status) == 0, ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) {
      throw FileMistake(message: "\(path): expected a \(kind), found a pipe or a device")
    }
    return try text(of: try InputFile.bytes(at: path, expecting: kind), file: path)
  }
}

extension LuaState {
  /// Runs a file to its end. What it returns.
  func run(file: String, text: String) throws(FileMistake) -> [LuaValue] {
    // What a script raises as an error, and a shortage of memory before it runs, have no place.
    func mistake(_ failure: LuaFailure, _ traceback: String = "") -> FileMistake {
      let message = failure.message
      return FileMistake(message: message.hasPrefix("\(file):") ? message : "\(file): \(message)", traceback: traceback)
    }
    let actor: LuaActor
    do { actor = try load(file: file, text: text) } catch { throw mistake(error) }
    switch resume(actor) {
    case .finished(let values): return values
    case .waiting: throw FileMistake(message: "\(file): a file cannot wait while it is being loaded")
    case .failed(let failure, let traceback): throw mistake(failure, traceback)
    }
  }
}
