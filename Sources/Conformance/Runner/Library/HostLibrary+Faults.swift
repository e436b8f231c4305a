import Ring
import SimNet

/// `fault.*`: what goes wrong in the world, and the handle that takes it back.
extension HostLibrary {
  static let faults: [HostFunction] = [
    HostFunction("lift", of: .fault) { (player, call) throws(LuaFailure) in
      let fault = try fault(player, call[0], "fault:lift")
      if !fault.isLifted {
        fault.isLifted = true
        fault.lift()
      }
      return .nothing
    },
    HostFunction("fired", of: .fault) { (player, call) throws(LuaFailure) in
      .result(.integer(Int64(clamping: try fault(player, call[0], "fault:fired").fired())))
    },
  ]

  private static func fault(_ player: Player, _ value: LuaValue, _ path: String) throws(LuaFailure) -> ScriptFault {
    guard case .handle(.fault, let index) = value, player.faults.indices.contains(Int(index)) else {
      throw LuaFailure("\(path): expected a fault before the colon, found \(value.found)")
    }
    return player.faults[Int(index)]
  }
}
