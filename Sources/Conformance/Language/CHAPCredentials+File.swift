import ISCSI

/// Name and secret, as a login's table has them under `chap`. Those that a real target wants stand in a file of their own: where
/// the list of processes does not show them.
extension CHAPCredentials {
  /// Reads a Lua file that returns the table. It has nothing of the host's to call.
  ///
  /// - Throws: ``FileMistake`` with what was found and what was expected.
  public init(file path: String) throws(FileMistake) {
    let kind = "file that says return { name = \"…\", secret = \"…\" }"
    let text = try Script.text(of: try InputFile.bytes(at: path, expecting: kind), file: path)
    guard let state = LuaState() else { throw FileMistake(message: "\(path): there is no memory for a Lua state") }
    let value = try state.run(file: path, text: text).first ?? .none
    do throws(LuaFailure) { try self.init(value, path: "\(path): chap") } catch {
      throw FileMistake(message: error.message)
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
