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
  /// - Throws: ``FileMistake`` with file, line, what was found and what was expected.
  public init(path: String) throws(FileMistake) {
    world = try Script(file: path, text: try Script.text(at: path, expecting: "world file")).world
    guard !world.targets.isEmpty else {
      throw FileMistake(message: "\(path): expected target { … } at the top of the file, found none")
    }
    self.path = path
    folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
  }

  /// The path of a backing file as the world names it.
  public func path(of file: String) -> String { file.hasPrefix("/") ? file : "\(folder)/\(file)" }
}
