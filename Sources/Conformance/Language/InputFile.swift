import Foundation

/// What is wrong with a file that somebody has written for this program: scenarios, a world, credentials.
public struct FileMistake: Error {
  /// With the file, and the line where there is one: what was found there, and what was expected.
  public var message: String
  var traceback = ""
}

/// Files that the program is given to read.
public enum InputFile {
  /// The most bytes of a file, if nothing else is said.
  public static let lengthMax = 16 << 20

  /// All bytes of the file at `path`. It may be a pipe that somebody writes to; a device without an end is one that is too long.
  ///
  /// - Parameter kind: What a message says was expected.
  public static func bytes(
    at path: String, expecting kind: String, atMost most: Int = lengthMax
  ) throws(FileMistake) -> [UInt8] {
    func mistake(_ words: String) -> FileMistake { FileMistake(message: "\(path): \(words)") }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      let why = errno == ENOENT ? "no such file" : "cannot be read: \(String(cString: strerror(errno)))"
      throw mistake("\(why); expected a \(kind)")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
      throw mistake("expected a \(kind), found a folder")
    }
    func tooLong(_ found: String) -> FileMistake {
      mistake("expected a \(kind) of at most \(Quantity.text(bytes: UInt64(most))), found \(found)")
    }
    guard status.st_size <= most else { throw tooLong("\(status.st_size) bytes") }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &piece, piece.count)
      if count == 0 { return bytes }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw mistake("cannot be read: \(String(cString: strerror(errno)))")
      }
      guard bytes.count + count <= most else { throw tooLong("more") }
      bytes += piece[..<count]
    }
  }
}
