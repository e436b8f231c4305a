import Ring

/// Actors, time and chance.
extension HostLibrary {
  static let actors: [HostFunction] = [
    HostFunction("now") { (player, _) throws(LuaFailure) in
      .result(.number(Double(player.now.nanoseconds) / 1e9))
    },
    HostFunction("sleep") { (player, call) throws(LuaFailure) in
      guard let time = Quantity.time(call[0]) else {
        throw LuaFailure("sleep: expected a time such as \"200us\" or \"1.5s\", found \(call[0].found)")
      }
      let end = player.now + time
      return try player.wait(
        call, for: "the end of a sleep", on: .time, within: time, timeout: { () throws(LuaFailure) in [] }
      ) { () throws(LuaFailure) in player.now >= end ? [] : nil }
    },
    HostFunction("spawn") { (player, call) throws(LuaFailure) in
      guard case .function(let function) = call[0] else {
        throw LuaFailure("spawn: expected a function, found \(call[0].found)")
      }
      let index = player.spawn(function, Array(call.arguments.dropFirst()), at: call.location)
      return .result(.handle(.actor, Int64(index)))
    },
    HostFunction("together") { (player, call) throws(LuaFailure) in
      var indices: [Int] = []
      for (number, value) in call.arguments.enumerated() {
        guard case .function(let function) = value else {
          throw LuaFailure("together: expected functions, found \(value.found) as number \(number + 1)")
        }
        indices.append(player.spawn(function, [], at: call.location))
      }
      // The first that has not ended when it was looked last.
      var first = 0
      return try player.wait(call, for: "the end of all actors", on: .actors(indices), within: player.within) {
        () throws(LuaFailure) in
        while first < indices.count, player.actors[indices[first]].hasEnded { first += 1 }
        return first == indices.count ? [] : nil
      }
    },
    HostFunction("join", of: .actor) { (player, call) throws(LuaFailure) in
      let index = try place(call[0], .actor, in: player.actors, call.function)
      var fields = try Fields(call[1], path: call.function)
      let within = try fields.time("within") ?? player.within
      try fields.finish()
      return try player.wait(call, for: "the end of an actor", on: .actors([index]), within: within) {
        () throws(LuaFailure) in player.actors[index].hasEnded ? [] : nil
      }
    },
    HostFunction("random.integer") { (player, call) throws(LuaFailure) in
      guard let site = call[0].text, let low = call[1].int, let high = call[2].int, low <= high else {
        throw LuaFailure(
          "random.integer: expected a name, the least and the greatest number, found "
            + call.arguments.map(\.found).joined(separator: ", "))
      }
      return .result(.integer(Int64(player.draw(site, in: Int(low)...Int(high)))))
    },
    HostFunction("random.bytes") { (player, call) throws(LuaFailure) in
      guard let site = call[0].text, let count = call[1].int, (0...(16 << 20)).contains(count) else {
        throw LuaFailure(
          "random.bytes: expected a name and a number of bytes up to 16777216, found "
            + call.arguments.map(\.found).joined(separator: ", "))
      }
      return .result(.string(player.drawBytes(site, count: Int(count))))
    },
    HostFunction("skip") { (player, call) throws(LuaFailure) in
      throw player.skipping(call[0].text ?? "the scenario says so")
    },
  ]
}
