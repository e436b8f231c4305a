import Conformance

/// The rings of the real world, by name.
let ringNames = ["io_uring", "epoll"]

/// What the cases are played on.
func makeStage(_ options: RunOptions) throws -> Stage {
  guard options.against != nil else { return .simulation }
  throw UsageError("--against: this build has no ring of the real world yet")
}
