/// A world file: what its `target { … }` tables describe, to be deployed.
public enum WorldFile {
  /// A mistake in a world file: file, line, what was found and what was expected.
  public struct Mistake: Error, CustomStringConvertible, Sendable {
    public var description: String
  }

  /// Reads a world file.
  ///
  /// - Throws: ``Mistake`` when the file is wrong, or describes no target.
  public static func read(file: String, text: String) throws(Mistake) -> WorldDescription {
    let world: WorldDescription
    do {
      let script = try Script(file: file, text: text)
      world = script.declaredWorld
    } catch {
      throw Mistake(description: error.message)
    }
    guard !world.targets.isEmpty else {
      throw Mistake(description: "\(file): describes no target; expected at least one target { … }")
    }
    return world
  }
}
