import Foundation

/// The files that are kept in the repository, as they stand on disk.
enum Repository {
  static let root: URL = {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { url.deleteLastPathComponent() }
    return url
  }()

  /// The paths under `folder` that end in one of `suffixes`, in order. Nothing that a build or an editor leaves is seen.
  static func paths(under folder: String, suffixes: [String]) -> [String] {
    let start = folder.isEmpty ? root : root.appendingPathComponent(folder)
    guard let walk = FileManager.default.enumerator(at: start, includingPropertiesForKeys: [.isDirectoryKey]) else {
      return []
    }
    var paths: [String] = []
    for case let url as URL in walk {
      let name = url.lastPathComponent
      if name == ".build" || name == ".git" || name == "reports" || name == "__pycache__" {
        walk.skipDescendants()
        continue
      }
      if (try? url.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true { continue }
      if suffixes.contains(where: name.hasSuffix) {
        paths.append(String(url.standardizedFileURL.path.dropFirst(root.standardizedFileURL.path.count + 1)))
      }
    }
    return paths.sorted()
  }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// Every Swift file of the rooms.
  static func sources() throws -> [SourceFile] {
    try paths(under: "Sources", suffixes: [".swift"]).map { SourceFile(path: $0, text: try text($0)) }
  }
}
