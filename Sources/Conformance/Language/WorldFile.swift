import Foundation

/// A file that describes a world to be served.
public struct WorldFile: Sendable {
  public var world: WorldDescription

  /// The file, as it was named.
  public var path: String

  /// The file's folder, that relative names of backing files start from.
  public var folder: String

  /// Loads `path`.
  ///
  /// - Throws: ``WorldFileError`` with file, line, what was found and what was expected.
  public init(path: String) throws(WorldFileError) {
    do throws(Script.Mistake) {
      world = try Script(file: path, text: try Script.text(at: path, expecting: "world file")).world
    } catch {
      throw WorldFileError(error.message)
    }
    guard !world.targets.isEmpty else {
      throw WorldFileError("\(path): expected target { … } at the top of the file, found none")
    }
    self.path = path
    folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
  }

  /// The path of a backing file as the world names it.
  public func path(of file: String) -> String { file.hasPrefix("/") ? file : "\(folder)/\(file)" }
}

/// What is wrong with a world file.
public struct WorldFileError: Error {
  public var message: String

  init(_ message: String) { self.message = message }
}
