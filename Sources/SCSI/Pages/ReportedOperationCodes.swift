/// The parameter data of REPORT SUPPORTED OPERATION CODES (SPC-4 §6.35).
public struct ReportedOperationCodes {
  private var descriptors: [UInt8] = []

  public init() {}

  /// A command timeouts descriptor: no figure is given for any of them.
  private static let timeouts: [UInt8] = [0, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

  /// One command descriptor, with its timeouts descriptor if wanted.
  public mutating func append(
    _ operationCode: UInt8, _ serviceAction: UInt16?, cdbLength: Int, withTimeouts: Bool
  ) {
    descriptors.append(operationCode)
    descriptors.append(0)
    descriptors.append16(serviceAction ?? 0)
    descriptors.append(0)
    descriptors.append((withTimeouts ? 0x02 : 0) | (serviceAction == nil ? 0 : 0x01))
    descriptors.append16(UInt16(truncatingIfNeeded: cdbLength))
    if withTimeouts { descriptors += Self.timeouts }
  }

  /// All commands: the length, and the descriptors.
  public var encoded: [UInt8] {
    var data: [UInt8] = []
    data.append32(UInt32(truncatingIfNeeded: descriptors.count))
    return data + descriptors
  }

  /// One command: its CDB usage data, or that it is not supported.
  public static func one(usage: [UInt8]?, withTimeouts: Bool) -> [UInt8] {
    guard let usage else { return [0, 0x01, 0, 0] }
    var data: [UInt8] = [0, (withTimeouts ? 0x80 : 0) | 0x03]
    data.append16(UInt16(truncatingIfNeeded: usage.count))
    data += usage
    if withTimeouts { data += timeouts }
    return data
  }
}

/// The parameter data of REPORT TARGET PORT GROUPS (SPC-4 §6.37): one group, active and optimized.
public enum TargetPortGroups {
  /// The data for a group of these ports, by their relative target port identifiers.
  public static func parameterData(ports: [UInt16], withExtendedHeader: Bool) -> [UInt8] {
    var group: [UInt8] = []
    group.append(0x00)  // active/optimized
    group.append(0x01)  // AO_SUP
    group.append16(1)
    group.append(0)
    group.append(0)  // STATUS CODE: nobody changed it
    group.append(0)
    group.append(UInt8(truncatingIfNeeded: ports.count))
    for port in ports {
      group.append16(0)
      group.append16(port)
    }
    var data: [UInt8] = []
    data.append32(UInt32(truncatingIfNeeded: group.count + (withExtendedHeader ? 4 : 0)))
    // FORMAT TYPE 1; IMPLICIT TRANSITION TIME 0: not given.
    if withExtendedHeader { data += [0x10, 0, 0, 0] }
    return data + group
  }
}
