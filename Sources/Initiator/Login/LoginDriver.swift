import ISCSI

/// The progress of a login that the machine drives.
struct LoginDriver {
  var plan: LoginPlan

  /// The index of the current stage in the plan.
  var stageIndex = 0
  var requestCount = 0
  /// Requests that began something to say; the others went on with it.
  var turnCount = 0

  /// Text that did not fit into the last request.
  var rest: [UInt8] = []

  /// Whether the request that completes ``rest`` asks for the next stage.
  var transitAtEnd = false
  /// Begins with the stage that offers it; nil where nobody authenticates itself.
  var authentication: CHAPExchange?

  var stage: LoginStage { stageIndex < plan.stages.count ? plan.stages[stageIndex] : .fullFeature }
  var nextStage: LoginStage { stageIndex + 1 < plan.stages.count ? plan.stages[stageIndex + 1] : .fullFeature }
}
