import Foundation

extension Script {
  /// The most bytes of a file.
  static let lengthMax = 16 << 20

  /// The text of the file at `path`.
  ///
  /// - Parameter kind: What a message says was expected.
  static func text(at path: String, expecting kind: String) throws(Mistake) -> String {
    func mistake(_ words: String) -> Mistake { Mistake(message: "\(path): \(words)") }
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw mistake(errno == ENOENT ? "no such file; expected a \(kind)" : "cannot be read")
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw mistake("expected a \(kind), found a folder")
    // A device may have no end, and a pipe be written to by nobody.
    default: throw mistake("expected a \(kind), found a pipe or a device")
    }
    guard status.st_size <= lengthMax else {
      throw mistake(
        "expected a \(kind) of at most \(Quantity.text(bytes: UInt64(lengthMax))), found \(status.st_size) bytes")
    }
    guard let data = FileManager.default.contents(atPath: path) else { throw mistake("cannot be read") }
    return try text(of: Array(data), file: path)
  }
}
