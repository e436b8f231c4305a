extension BasicHeader: CustomStringConvertible {
  /// The opcode's name and the fields that are not zero: `data-in final datasn=1 itt=10h`. Tags, logical unit numbers and
  /// ISIDs are hexadecimal.
  public var description: String {
    guard let opcode else {
      return "opcode \(String(bytes[0] & 0x3F, radix: 16))h " + TextEncoding.hexadecimal(array)
    }
    var words = [opcode.name]
    let layout = HeaderLayout.of(opcode)
    for field in layout.fields where field.name != "opcode" {
      let value = field.read(self)
      if value == 0 || field.name == "final" && layout.hasConstantBit { continue }
      if field.width == 1 {
        words.append(field.name)
      } else if Self.hexadecimalFields.contains(field.name) {
        words.append("\(field.name)=\(String(value, radix: 16))h")
      } else {
        words.append("\(field.name)=\(value)")
      }
    }
    if opcode == .scsiCommand { words.append("cdb=" + TextEncoding.hexadecimal(Array(array[32...]))) }
    return words.joined(separator: " ")
  }

  private static let hexadecimalFields = ["itt", "ttt", "lun", "isid", "referenced_task_tag", "snack_tag"]
}

extension ProtocolDataUnit: CustomStringConvertible {
  /// The header's description and the sizes of what follows it.
  public var description: String {
    var text = header.description
    if !additionalHeaders.isEmpty { text += " ahs=\(TextEncoding.hexadecimal(additionalHeaders))" }
    if !data.isEmpty { text += " (\(data.count) bytes of data)" }
    return text
  }
}
