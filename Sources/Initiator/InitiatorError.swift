/// Why a call of the initiator cannot be obeyed. Nothing has happened then.
public enum InitiatorError: Error, Equatable, Sendable {
  /// No connection of this machine has that number.
  case noSuchConnection
  /// The connection is closed, or being closed.
  case connectionClosed
  /// The connection is not in the full feature phase; only raw PDUs and bytes can be sent.
  case notLoggedIn
  /// The connection has been logged in, or a login is under way.
  case alreadyLoggedIn
  /// The task has ended, or never was.
  case noSuchTask
  /// The PDU has no field of this name; these are its fields.
  case noSuchField(String, known: [String])
  /// The session has 16383 tasks.
  case tooManyTasks
  /// The machine has memory for so many open connections.
  case tooManyConnections(most: Int)
  /// A CDB has 1 to 260 bytes.
  case badCDB
}

extension InitiatorError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noSuchConnection: "there is no such connection"
    case .connectionClosed: "the connection is closed"
    case .notLoggedIn: "the connection is not in the full feature phase"
    case .alreadyLoggedIn: "the connection is logged in, or about to be"
    case .noSuchTask: "the task has ended"
    case .noSuchField(let name, let known):
      "the PDU has no field \"\(name)\"; it has \(known.joined(separator: ", "))"
    case .tooManyTasks: "the session has too many tasks"
    case .tooManyConnections(let most): "an initiator has memory for \(most) connections, and all of them are open"
    case .badCDB: "a CDB has 1 to 260 bytes"
    }
  }
}
