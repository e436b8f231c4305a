/// Plays one case.
final class Player {
  func field(of kind: LuaKind, _ call: LuaCall) throws(LuaFailure) -> LuaAnswer { .nothing }
  func note(_ line: String, at location: SourceLocation?) {}
}
