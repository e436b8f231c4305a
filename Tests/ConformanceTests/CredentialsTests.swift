import Foundation
import ISCSI
import Testing

@testable import Conformance

/// The file that says how a real target is to be logged in to.
@Suite struct CredentialsTests {
  /// What a file of that text is read as. In its errors it is called `chap.lua`.
  private func credentials(_ text: String) throws -> CHAPCredentials {
    let folder = FileManager.default.temporaryDirectory.appending(path: "simsan-chap-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(text.utf8).write(to: folder.appending(path: "chap.lua"))
    do {
      return try CHAPCredentials(file: folder.path + "/chap.lua")
    } catch {
      throw FileMistake(message: error.message.replacing(folder.path + "/", with: ""))
    }
  }

  @Test func nameAndSecretAreThoseOfTheTable() throws {
    let short = try credentials("return { name = 'suite', secret = 'twelve\\0bytes' }")
    #expect(short.name == "suite")
    #expect(short.secret == Array("twelve\0bytes".utf8))
    #expect(short.algorithms == "5" && short.targetSecret == nil && !short.usesBase64)
    let long = try credentials(
      "-- of the lab\nreturn { name = 'a', secret = 'b', target_secret = 'c', algorithms = '7,5', base64 = true }")
    #expect(long.targetSecret == Array("c".utf8) && long.algorithms == "7,5" && long.usesBase64)
  }

  @Test(arguments: [
    ("", "chap.lua: chap: expected name and secret"),
    ("return { name = 'a' }", "chap.lua: chap: expected name and secret"),
    ("return 'a'", "chap.lua: chap: expected a table of named fields, found string \"a\""),
    ("return { name = 1, secret = 'b' }", "chap.lua: chap.name: expected a string, found number 1"),
    ("return { name = 'a', secret = 'b', user = 1 }", "chap.lua: chap: unknown field 'user' (found number 1)"),
    ("name = ", "chap.lua:1: "), ("error 'no'", "chap.lua:1: no"), ("t:login {}", "chap.lua:1: "),
  ])
  func aMistakeIsToldWithItsFile(text: String, message: String) throws {
    #expect {
      try credentials(text)
    } throws: { error in
      (error as? FileMistake)?.message.contains(message) == true
    }
  }

  /// As a password manager writes one, by `--chap <(…)`.
  @Test func aPipeIsReadToItsEnd() throws {
    let pipe = Pipe()
    try pipe.fileHandleForWriting.write(contentsOf: Data("return { name = 'a', secret = 'b' }".utf8))
    try pipe.fileHandleForWriting.close()
    let read = try CHAPCredentials(file: "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)")
    #expect(read.name == "a" && read.secret == Array("b".utf8))
  }

  @Test(arguments: [
    ("/dev/zero", " of at most 16MiB, found more"), ("/", ", found a folder"),
  ])
  func whatHasNoEndOrIsNoFileIsRefused(path: String, found: String) {
    #expect {
      try CHAPCredentials(file: path)
    } throws: { error in
      (error as? FileMistake)?.message
        == "\(path): expected a file that says return { name = \"…\", secret = \"…\" }\(found)"
    }
  }

  @Test func aFileThatIsNotThereIsToldWhatItWouldSay() {
    #expect {
      try CHAPCredentials(file: "/nowhere/chap.lua")
    } throws: { error in
      (error as? FileMistake)?.message
        == "/nowhere/chap.lua: no such file; expected a file that says return { name = \"…\", secret = \"…\" }"
    }
  }
}
