import CLua

/// One sandboxed Lua state: a script, its actors, and the host functions that they call.
///
/// What the sandbox takes away and replaces is written in `simsan_lua.h`.
final class LuaState {
  /// The bounds of one script. A scenario that needs more than these is a defect of the scenario.
  struct Limits {
    /// Lua's heap, in bytes.
    var memory = 256 << 20
    /// VM instructions, over all actors. Each 64 bytes taken from the heap count as one.
    var instructions: Int64 = 200_000_000
  }

  typealias HostFunction = (LuaCall) throws(LuaFailure) -> LuaAnswer

  private var state: OpaquePointer?
  private var functions: [HostFunction] = []
  /// The names that the host has put into the global table.
  private var globals: [String] = []

  /// Nil when there is no memory for a state.
  init?(limits: Limits = Limits()) {
    let context = Unmanaged.passUnretained(self).toOpaque()
    state = simsan_lua_open(limits.memory, limits.instructions, callHost, context)
    guard state != nil else { return nil }
  }

  deinit { simsan_lua_close(state) }

  // MARK: Definitions

  /// Defines a host function under a dotted global name such as `print` or `pdu.login`.
  func define(_ path: String, _ function: @escaping HostFunction) {
    var parts = path.split(separator: ".").map(String.init)
    let name = parts.popLast() ?? ""
    globals.append(parts.first ?? name)
    simsan_lua_define(state, parts.joined(separator: "."), name, add(function))
  }

  /// Has the reading of a name that the table of that dotted name does not have call a host function; its argument is the
  /// name.
  func define(missingIn table: String, _ function: @escaping HostFunction) {
    simsan_lua_define_missing(state, table, add(function))
  }

  /// Makes a kind of handles and records known. `getter` answers for a field that is neither a method nor, in a record,
  /// there; its arguments are the object and the key.
  func define(kind: LuaKind, getter: @escaping HostFunction) {
    simsan_lua_define_kind(state, kind.rawValue, kind.name, add(getter))
  }

  /// Defines a method of a kind; its first argument is the object.
  func define(method name: String, of kind: LuaKind, _ function: @escaping HostFunction) {
    simsan_lua_define_method(state, kind.rawValue, name, add(function))
  }

  private func add(_ function: @escaping HostFunction) -> Int32 {
    functions.append(function)
    return Int32(truncatingIfNeeded: functions.count - 1)
  }

  // MARK: Actors

  /// Compiles a file and makes the actor that would run it.
  func load(file: String, text: String) throws(LuaFailure) -> LuaActor {
    let bytes = text.utf8CString
    return try actor(bytes.withUnsafeBufferPointer { simsan_lua_load(state, file, $0.baseAddress, $0.count - 1) })
  }

  /// Makes an actor that would run a function of the script.
  func start(_ function: Int32, _ arguments: [LuaValue]) throws(LuaFailure) -> LuaActor {
    let bytes = LuaValue.encode(arguments)
    return try actor(simsan_lua_start(state, function, bytes, bytes.count))
  }

  private func actor(_ number: Int32) throws(LuaFailure) -> LuaActor {
    guard number >= 0 else { throw LuaFailure(output.first?.text ?? "there is no memory for another actor") }
    return LuaActor(number: number)
  }

  /// Runs an actor until it ends or waits; `values` is what the call that it waits for returns.
  func resume(_ actor: LuaActor, _ values: [LuaValue] = []) -> LuaOutcome {
    let bytes = LuaValue.encode(values)
    return outcome(simsan_lua_resume(state, actor.number, bytes, bytes.count, 0))
  }

  /// Runs an actor whose call has failed.
  func resume(_ actor: LuaActor, failing failure: LuaFailure) -> LuaOutcome {
    let bytes = LuaValue.encode(failure.encoded)
    let code = failure.stops ? SIMSAN_LUA_STOP : SIMSAN_LUA_RAISE
    return outcome(simsan_lua_resume(state, actor.number, bytes, bytes.count, Int32(code)))
  }

  private func outcome(_ code: Int32) -> LuaOutcome {
    switch Int(code) {
    case SIMSAN_LUA_FINISHED: return .finished(output)
    case SIMSAN_LUA_WAITING: return .waiting
    default:
      let texts = output
      return .failed(
        LuaFailure(hinted(texts.first?.text ?? "the script failed")),
        traceback: texts.count > 1 ? texts[1].text ?? "" : "")
    }
  }

  /// What Lua says of a global name that nothing has, with the one that may have been meant.
  private func hinted(_ message: String) -> String {
    guard message.hasSuffix("')"), let place = message.firstRange(of: "(global '") else { return message }
    return message + Suggestion.clause(for: String(message[place.upperBound...].dropLast(2)), among: globals)
  }

  private var output: [LuaValue] {
    var length = 0
    guard let bytes = simsan_lua_output(state, &length) else { return [] }
    return LuaValue.decode(UnsafeRawBufferPointer(start: bytes, count: length))
  }

  /// The file and line where an actor stands.
  func location(of actor: LuaActor) -> SourceLocation? {
    var line: Int32 = 0
    guard let file = simsan_lua_where(state, actor.number, &line), line > 0 else { return nil }
    return SourceLocation(file: String(cString: file), line: Int(line))
  }

  /// Gives back a function's reference.
  func release(_ function: Int32) { simsan_lua_release(state, function) }

  /// Instructions that are left of the budget.
  var instructionsLeft: Int64 { simsan_lua_instructions_left(state) }

  // MARK: Calls of the host

  fileprivate func call(_ call: simsan_lua_call) -> Int32 {
    let function = Int(call.function)
    guard functions.indices.contains(function) else {
      return reply(LuaFailure("the host has no such function", stops: true))
    }
    let line = Int(call.line)
    let call = LuaCall(
      actor: LuaActor(number: call.actor),
      location: line > 0 ? SourceLocation(file: String(cString: call.source), line: line) : nil,
      mayWait: call.yieldable != 0,
      arguments: LuaValue.decode(UnsafeRawBufferPointer(start: call.arguments, count: call.length)))
    do throws(LuaFailure) {
      switch try functions[function](call) {
      case .results(let values):
        let bytes = LuaValue.encode(values)
        simsan_lua_reply(state, bytes, bytes.count)
        return Int32(SIMSAN_LUA_RETURN)
      case .wait: return Int32(SIMSAN_LUA_YIELD)
      }
    } catch {
      return reply(error)
    }
  }

  private func reply(_ failure: LuaFailure) -> Int32 {
    let bytes = LuaValue.encode(failure.encoded)
    simsan_lua_reply(state, bytes, bytes.count)
    return Int32(failure.stops ? SIMSAN_LUA_STOP : SIMSAN_LUA_RAISE)
  }
}

private func callHost(_ context: UnsafeMutableRawPointer?, _ call: UnsafePointer<simsan_lua_call>?) -> Int32 {
  guard let context, let call else { return Int32(SIMSAN_LUA_STOP) }
  return Unmanaged<LuaState>.fromOpaque(context).takeUnretainedValue().call(call.pointee)
}

/// A coroutine of a script.
struct LuaActor: Hashable {
  var number: Int32
}

/// A place in a scenario file.
struct SourceLocation: Hashable, Codable, Sendable {
  var file: String
  /// From 1.
  var line: Int

  var description: String { "\(file):\(line)" }
}

/// One call of a host function.
struct LuaCall {
  /// What messages call the function: `spawn`, `session:read`.
  var function = ""
  var actor: LuaActor
  var location: SourceLocation?
  /// False inside a callback of a library function such as `table.sort`, where nothing can be waited for.
  var mayWait: Bool
  var arguments: [LuaValue]

  /// The argument at `index` from 0; `.none` when there are fewer.
  subscript(index: Int) -> LuaValue { arguments.indices.contains(index) ? arguments[index] : .none }
}

/// What a host function answers.
enum LuaAnswer {
  case results([LuaValue])
  /// The actor waits until the host resumes it.
  case wait

  static func result(_ value: LuaValue) -> LuaAnswer { .results([value]) }
  static var nothing: LuaAnswer { .results([]) }
}

/// An error of a script or of its use of the host; a host function's gets the caller's file and line.
public struct LuaFailure: Error {
  public var message: String
  /// It ends the scenario, and the script's `pcall` does not catch it.
  var stops: Bool
  /// Where it is, if not where the call is.
  var location: SourceLocation?
  /// The field that is wrong, of a table that was handed over, as messages name it: `target.luns[2].size`.
  var field: String?

  init(_ message: String, stops: Bool = false, field: String? = nil) {
    self.message = message
    self.stops = stops
    self.field = field
  }

  fileprivate var encoded: [LuaValue] { [.text(message)] + (location.map { [.text($0.description)] } ?? []) }
}

/// How a run of an actor ended.
enum LuaOutcome {
  case finished([LuaValue])
  case waiting
  case failed(LuaFailure, traceback: String)
}
