/// An I_T nexus, as an initiator knows it: an initiator port, and a portal group of a target (RFC 7143 §4.4.1).
struct Nexus: Hashable {
  var name: String
  var isid: UInt64
  /// TargetPortalGroupTag, as the target has said it; nil when it has not.
  var portalGroup: String?

  var words: String {
    "\(name) with ISID \(PDULanguage.hex(isid, 12))" + (portalGroup.map { " at portal group \($0)" } ?? "")
  }
}
