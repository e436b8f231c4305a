import Conformance
import ISCSI

extension Arguments {
  /// The credentials in a file, with a challenge for a target that has to authenticate itself, too.
  func credentials(_ name: String) throws(UsageError) -> CHAPCredentials? {
    guard let path = self[name] else { return nil }
    do throws(FileMistake) {
      var credentials = try CHAPCredentials(file: path)
      if credentials.targetSecret != nil { credentials.challenge = (0..<16).map { _ in UInt8.random(in: 0...255) } }
      return credentials
    } catch {
      throw UsageError("\(name): \(error.message)")
    }
  }
}
