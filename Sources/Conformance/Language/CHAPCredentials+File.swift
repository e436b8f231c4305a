import Foundation
import Initiator

/// Name and secret, as a login's table has them under `chap`. Those that a real target wants stand in a file of their own: where
/// the list of processes does not show them.
extension CHAPCredentials {
  /// What is wrong with a file of credentials.
  public struct FileError: Error {
    /// With the file's name.
    public var message: String
  }

  /// Reads a Lua file that returns the table.
  ///
  /// - Throws: ``FileError`` with what was found and what was expected.
  public init(file path: String) throws(FileError) {
    guard let data = FileManager.default.contents(atPath: path) else {
      let isThere = FileManager.default.fileExists(atPath: path)
      throw FileError(
        message:
          "\(path): \(isThere ? "cannot be read" : "no such file"); expected one that says return { name = \"…\", secret = \"…\" }"
      )
    }
    let value: LuaValue
    do throws(Script.Mistake) {
      value = try Self.value(of: try Script.text(of: Array(data), file: path), file: path)
    } catch {
      throw FileError(message: error.message)
    }
    do throws(LuaFailure) { try self.init(value, path: "\(path): chap") } catch {
      throw FileError(message: error.message)
    }
  }

  /// What a file returns that has nothing of the host's to call.
  private static func value(of text: String, file: String) throws(Script.Mistake) -> LuaValue {
    guard let state = LuaState() else { throw Script.Mistake(message: "\(file): there is no memory for a Lua state") }
    let actor: LuaActor
    do { actor = try state.load(file: file, text: text) } catch { throw Script.Mistake(message: error.message) }
    switch state.resume(actor) {
    case .finished(let values): return values.first ?? .none
    case .waiting: throw Script.Mistake(message: "\(file): a file cannot wait while it is being loaded")
    case .failed(let failure, _):
      let message = failure.message
      throw Script.Mistake(message: message.hasPrefix("\(file):") ? message : "\(file): \(message)")
    }
  }

  /// Reads the table.
  ///
  /// - Parameter path: What messages call it.
  init(_ value: LuaValue, path: String) throws(LuaFailure) {
    var fields = try Fields(value, path: path)
    guard let name = try fields.string("name"), let secret = try fields.bytes("secret") else {
      throw LuaFailure("\(path): expected name and secret")
    }
    self.init(name: name, secret: secret)
    targetSecret = try fields.bytes("target_secret")
    algorithms = try fields.string("algorithms") ?? algorithms
    usesBase64 = try fields.flag("base64") ?? false
    try fields.finish()
  }
}
