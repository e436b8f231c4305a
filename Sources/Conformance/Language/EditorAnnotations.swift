import ISCSI

/// `scenarios/simsan.meta.lua`: what lua-language-server has to know of the scenario language.
///
/// Written out by `simsan meta`; a test holds the file in the repository against this, and this against the functions that
/// the sandbox defines.
public enum EditorAnnotations {
  public static var text: String {
    preamble + pdus + cdbs + CommandFamily.all.map(method).joined()
  }

  private static var pdus: String {
    var text = ""
    for (name, opcode) in PDULanguage.constructors {
      text += "\n---@class pdu_\(name)_fields\n"
      for field in HeaderLayout.of(opcode).fields { text += line(field.name, field.width) }
      text +=
        "---@field lun_raw? integer\n---@field data? string\n---@field text? table|string\n---@field ahs? string\n"
      if opcode == .scsiCommand { text += "---@field cdb? string\n" }
      text += "---A \(opcode.name) PDU; what is not set is what a correct initiator would send.\n"
      text += "---@param fields pdu_\(name)_fields\n---@return pdu\nfunction pdu.\(name)(fields) end\n"
    }
    text +=
      "\n---A PDU of any opcode.\n---@param fields table `opcode` (0 to 63), `data`, `byte0` to `byte47`\n---@return pdu\n"
    return text + "function pdu.raw(fields) end\n"
  }

  private static var cdbs: String {
    var text = ""
    for layout in CDBLayout.all {
      text += "\n---@class cdb_\(layout.name)_fields\n"
      for field in layout.fields { text += line(field.name, field.width) }
      text +=
        "---The bytes of a \(layout.standardName) CDB.\n---@param fields cdb_\(layout.name)_fields\n---@return string\n"
      text += "function cdb.\(layout.name)(fields) end\n"
    }
    return text
  }

  /// The method of sessions that sends a command.
  private static func method(_ family: CommandFamily) -> String {
    var text = "\n---@class session_\(family.name)_options: command_options\n"
    if family.layouts.count > 1 {
      text +=
        "---@field cdb? \(family.layouts.map { String($0.length) }.joined(separator: "|")) the length of the CDB\n"
    }
    var names: Set<String> = []
    for field in family.layouts.compactMap({ CDBLayout.named($0.name) }).flatMap(\.fields)
    where names.insert(field.name).inserted {
      text += line(field.name, field.width)
    }
    switch family.data {
    case .blocksOut, .oneBlockOut: text += "---@field data? string what is written; data of its own if not given\n"
    case .parameterOut: text += "---@field data? string the parameter list\n"
    case .verify: text += "---@field data? string what is compared, with BYTCHK 1\n"
    case .unmapList: text += "---@field ranges? table a list of { lba = …, blocks = … }\n"
    case .compareAndWrite:
      text += "---@field compare? string what must be there\n---@field write? string what is written then\n"
    case .none, .parameterIn, .blocksIn: break
    }
    text += "---@param options? session_\(family.name)_options\n---@return result\n"
    return text + "function session:\(family.name)(options) end\n"
  }

  /// The line of a field of so many bits; nothing for the opcode, which the name of the function says.
  private static func line(_ name: String, _ width: Int) -> String {
    if name == "opcode" { return "" }
    return "---@field \(name)? \(width == 1 ? "boolean|integer " : "integer \(width) bits")\n"
  }
}
