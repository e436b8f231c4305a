/// What the machine does on a connection without being asked. All on: a correct initiator.
public struct AutomaticBehaviour: Hashable, Sendable {
  /// Answers a NOP-In that asks for it.
  public var answersPings = true

  /// Sends the Data-Out that an R2T asks for. Off: R2Ts are held, told as events, and answered by
  /// ``InitiatorMachine/answerHeldR2Ts(of:on:reversed:)`` or by the script itself.
  public var answersR2Ts = true

  /// Closes the connection when its logout was granted.
  public var closesAfterLogout = true

  /// Logs out, or begins a text negotiation, when an Asynchronous Message asks for it.
  public var obeysAsyncMessages = true

  /// Closes the connection when the target has shut down its sending side.
  public var closesOnEndOfStream = true

  public init() {}
}
