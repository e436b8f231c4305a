import ISCSI
import Initiator
import Ring

/// Where a case is played: the simulation, or a real target over real sockets. The player sees no other difference.
public protocol Playground: AnyObject {
  /// Virtual or real time since the start.
  var now: Instant { get }

  /// What initiators there are, in a fixed order.
  var drivers: [InitiatorDriver] { get }

  /// The target nodes, in the order of the world file.
  var targets: [TargetFacts] { get }

  /// The initiator on the host of that name; the first one for nil.
  func driver(on host: String?) -> InitiatorDriver?

  /// How many segments have come to the host of a driver with a bit inverted, by an injected fault.
  func corruptedSegments(towards driver: InitiatorDriver) -> UInt64

  /// Lets time pass until something has happened to an initiator, or until `deadline`.
  func advance(until deadline: Instant)

  /// The simulation; nil for a real target.
  var simulation: SimulatedPlayground? { get }

  /// The hash of all that has happened; empty where there is none.
  var traceHash: String { get }

  /// Events that were handled so far.
  var eventCount: UInt64 { get }
}

/// What the player has to know of a target node.
public struct TargetFacts: Sendable {
  public var iqn: String
  /// The simulated host; empty for a real target.
  public var host: String
  /// Where it can be reached; the first is the usual one.
  public var portals: [SocketAddress]
  public var units: [UnitFacts]
  /// What a real target wants of everybody who logs in; nil when it wants nothing.
  public var credentials: CHAPCredentials?

  public init(
    iqn: String, host: String = "", portals: [SocketAddress], units: [UnitFacts], credentials: CHAPCredentials? = nil
  ) {
    self.iqn = iqn
    self.host = host
    self.portals = portals
    self.units = units
    self.credentials = credentials
  }
}

/// What the player has to know of a logical unit.
public struct UnitFacts: Sendable {
  public var lun: Int
  /// Bytes.
  public var blockSize: Int
  public var blockCount: UInt64
  /// What a block holds that nobody has written: zeroes, or nobody knows.
  public var startsZeroed: Bool
  /// LBPRZ: what an unmapped block holds is zeroes; otherwise nobody knows.
  public var readsUnmappedAsZeroes: Bool
  /// A completed write may be lost when the power goes.
  public var isCacheVolatile: Bool
  /// The contents are gone when the target ends.
  public var isLostOnExit: Bool
  /// Writes vanish.
  public var forgetsWrites: Bool
  /// A real one said that it takes no writes (WP), which is no fault of it.
  public var isWriteProtected = false

  public init(
    lun: Int, blockSize: Int, blockCount: UInt64, startsZeroed: Bool = false, readsUnmappedAsZeroes: Bool = true,
    isCacheVolatile: Bool = true, isLostOnExit: Bool = false, forgetsWrites: Bool = false
  ) {
    self.lun = lun
    self.blockSize = blockSize
    self.blockCount = blockCount
    self.startsZeroed = startsZeroed
    self.readsUnmappedAsZeroes = readsUnmappedAsZeroes
    self.isCacheVolatile = isCacheVolatile
    self.isLostOnExit = isLostOnExit
    self.forgetsWrites = forgetsWrites
  }
}

/// An initiator machine with the ring that carries out what it asks.
public final class InitiatorDriver {
  /// The name of its host.
  public let host: String
  public let machine: InitiatorMachine
  /// PDUs that came to it and did not match their digests.
  var digestErrors: UInt64 = 0
  private let ring: any Ring
  private var completions: [Completion] = []
  private var operations = Operations()
  private var hasStarted = false

  public init(host: String, machine: InitiatorMachine, ring: any Ring) {
    self.host = host
    self.machine = machine
    self.ring = ring
  }

  public var now: Instant { ring.now }

  /// Steps the machine if something has completed or a call waits; waits for a completion until `deadline` if there is
  /// nothing to do. Whether it was stepped.
  public func turn(until deadline: Instant) -> Bool {
    let hasWork = machine.hasWork || !hasStarted
    ring.reap(into: &completions, until: hasWork ? ring.now : deadline)
    guard hasWork || !completions.isEmpty else { return false }
    hasStarted = true
    machine.step(completions, now: ring.now, into: &operations)
    completions.removeAll(keepingCapacity: true)
    ring.submit(&operations)
    return true
  }
}
