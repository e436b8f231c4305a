import Ring
import SimNet
import SimRing

/// Everything on the path is lost, and nobody is told: a partition, or, one way, a blackhole. Fires per lost packet.
public struct NetworkPartition: FaultUnit {
  public static let name = "network.partition"
  public var path: NetworkPath

  public init(_ path: NetworkPath) { self.path = path }

  public var parameters: String { path.text }

  public func inject(into world: World) -> any ActiveFault {
    let network = world.network
    path.forEachDirection { network.cut(from: $0, at: $1, to: $2, at: $3) }
    return path.fault(world, counting: \.cutOff) { [path] in
      path.forEachDirection { network.repair(from: $0, at: $1, to: $2, at: $3) }
    }
  }
}

/// A router says that there is no route: connecting fails at once; what is under way is lost. Fires per packet.
public struct NetworkUnreachable: FaultUnit {
  public static let name = "network.unreachable"
  public var path: NetworkPath

  public init(_ path: NetworkPath) { self.path = path }

  public var parameters: String { path.text }

  public func inject(into world: World) -> any ActiveFault {
    let network = world.network
    path.forEachDirection { network.reject(from: $0, at: $1, to: $2, at: $3) }
    return path.fault(world, counting: \.cutOff) { [path] in
      path.forEachDirection { network.admit(from: $0, at: $1, to: $2, at: $3) }
    }
  }
}

/// The path goes down and comes up again, in turns. Fires per lost packet.
public struct NetworkFlap: FaultUnit {
  public static let name = "network.flap"
  public var path: NetworkPath
  public var down: Interval
  public var up: Interval

  public init(_ path: NetworkPath, down: Interval, up: Interval) {
    self.path = path
    self.down = down
    self.up = up
  }

  public var parameters: String {
    "\(path.text), \(down.nanoseconds / 1000) us down, \(up.nanoseconds / 1000) us up"
  }

  public func inject(into world: World) -> any ActiveFault { Active(self, world) }

  private final class Active: ActiveFault {
    private let unit: NetworkFlap
    private let world: World
    private var current: (any ActiveFault)?
    private var before: UInt64 = 0

    init(_ unit: NetworkFlap, _ world: World) {
      self.unit = unit
      self.world = world
    }

    var fired: UInt64 { before + (current?.fired ?? 0) }

    func wake(_ context: FaultContext) {
      if current == nil {
        current = NetworkPartition(unit.path).inject(into: world)
        context.wake(after: max(unit.down, .microseconds(1)))
      } else {
        lift()
        context.wake(after: max(unit.up, .microseconds(1)))
      }
    }

    func lift() {
      guard let current else { return }
      current.lift()
      before += current.fired
      self.current = nil
    }
  }
}
