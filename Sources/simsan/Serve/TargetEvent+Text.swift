import Conformance
import Foundation
import ISCSI
import Ring
import Target

extension TargetEvent {
  /// In words, for whoever runs the server.
  var text: String {
    switch kind {
    case .loggedIn: "\(who): logged in\(target.map { " to \($0)" } ?? " for discovery")\(place)"
    case .loginRefused(let status): "\(who): login\(to) refused\(place): \(status.reason)"
    case .ended(.logout): "\(who): logged out\(target.map { " of \($0)" } ?? "")"
    case .ended(let end): "\(who): connection\(to) ended: \(end.reason)"
    case .turnedAway(let lack): "a connection\(place) was turned away: \(lack.reason)"
    case .mediumFailed(let command, let lun, let lba, let error):
      "\(unit(lun)): the medium failed in \(command), block \(lba): \(error)"
    case .mediumHangs(let lun):
      "\(unit(lun)): the medium hangs, it has done nothing for \(Quantity.text(Self.patience))"
    case .mediumAnswers(let lun, let wait):
      "\(unit(lun)): the medium goes on, after \(wait.nanoseconds / 1_000_000_000) s"
    }
  }

  private var who: String {
    switch (initiator, remoteAddress) {
    case (let name?, let address?): "\(name) (\(address))"
    case (let name?, nil): name
    case (nil, let address?): "\(address)"
    case (nil, nil): "an initiator"
    }
  }

  private func unit(_ lun: UInt16) -> String { "target \(target ?? "?"), LUN \(lun)" }
  private var to: String { target.map { " to \($0)" } ?? "" }
  private var place: String { localAddress.map { " at \($0)" } ?? "" }
}

extension TargetEvent.NoRoom {
  fileprivate var reason: String {
    switch self {
    case .connections: "there are as many as limits.connections says"
    case .descriptors: "the process has as many open files as it may (ulimit -n, or LimitNOFILE= of systemd)"
    case .memory: "there is no memory for its buffers (--memory)"
    }
  }
}

extension LoginStatus {
  /// What is behind a refusal.
  fileprivate var reason: String {
    switch self {
    case .initiatorError: "what it negotiates breaks the rules of RFC 7143"
    case .authenticationFailure: "it wants to authenticate itself (CHAP), and would not do without"
    case .authorizationFailure: "the target's initiators do not name it"
    case .notFound: "there is no such target here"
    case .unsupportedVersion: "it does not speak version 0 of iSCSI"
    case .tooManyConnections: "it has a session already, and wants a second connection for it"
    case .missingParameter: "it has given no name of its own, or of a target"
    case .sessionTypeNotSupported: "it wants neither a normal nor a discovery session"
    case .sessionDoesNotExist: "it means a session that does not exist, or no longer"
    case .invalidDuringLogin: "it sent something else than Login Requests"
    case .serviceUnavailable: "the thread that serves the target takes no connections now"
    case .outOfResources: "there is no memory for it, or no session left"
    default: "\(self)"
    }
  }
}

extension ConnectionEnd {
  fileprivate var reason: String {
    switch self {
    case .logout: "it has logged out"
    case .closedByInitiator: "it closed it"
    case .broken(let error): "\(error)"
    case .replaced: "it has logged in once more"
    case .targetReset: "an initiator asked for a cold reset of the target"
    case .loginTimedOut: "its login took too long (limits.login_timeout)"
    case .noLogin(let bytes): "what it sent is no iSCSI login, but begins with \(Self.shown(bytes))"
    case .madeRoom: "others that came later needed its place (limits.pending_logins, limits.connections)"
    case .silent: "it did not answer (limits.ping_timeout)"
    case .stuck: "it did not take what was sent to it (limits.ping_timeout)"
    case .withheldData: "it did not send the data of its writes (limits.ping_timeout)"
    case .headerDigest: "a header did not match its digest"
    case .protocolError(let opcode):
      "it broke the protocol with a \(Opcode(rawValue: opcode)?.name ?? "PDU of opcode \(opcode)")"
    case .tooFarAhead: "it sent too much ahead of its turn"
    case .noMemory: "there was no memory to go on with it (--memory)"
    case .unserved: "the thread that serves the target takes no connections now"
    }
  }

  /// Bytes as text, if all of them can be read; otherwise as numbers. What somebody sends is not to command a terminal.
  private static func shown(_ bytes: [UInt8]) -> String {
    let line = bytes.prefix { $0 != 0x0D && $0 != 0x0A }
    if !line.isEmpty, line.allSatisfy({ (0x20...0x7E).contains($0) }) {
      return "\"\(String(decoding: line, as: UTF8.self))\""
    }
    return bytes.prefix(16).map { String(format: "%02x", $0) }.joined(separator: " ")
  }
}

extension SessionSummary {
  /// A line about it.
  var text: String {
    let name = target ?? "for discovery"
    let from = remoteAddress.map { " (\($0))" } ?? ""
    let place = localAddress.map { " at \($0)" } ?? ", ending"
    return "session  \(initiator)\(from)  \(name)\(place)  \(tasks) task\(tasks == 1 ? "" : "s")"
  }
}
