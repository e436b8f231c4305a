import ISCSI
import Initiator
import Ring
import SCSI

/// A real target, over whatever ring it was given. The clock is the ring's.
public final class RealPlayground: Playground {
  public let drivers: [InitiatorDriver]
  public let targets: [TargetFacts]
  private let ring: any Ring

  /// - Parameters:
  ///   - ring: Made for `machine`'s arena, and driven by nobody else.
  ///   - target: What is known of the target.
  public init(ring: any Ring, machine: InitiatorMachine, target: TargetFacts) {
    self.ring = ring
    drivers = [InitiatorDriver(host: "here", machine: machine, ring: ring)]
    targets = [target]
  }

  public var now: Instant { ring.now }
  public var simulation: SimulatedPlayground? { nil }
  public var traceHash: String { "" }
  public var eventCount: UInt64 { 0 }

  /// There is one initiator, whatever the scenario calls its host.
  public func driver(on host: String?) -> InitiatorDriver? { drivers.first }

  /// Nothing is injected here: what does not match its digest, the target has sent so.
  public func corruptedSegments(towards driver: InitiatorDriver) -> UInt64 { 0 }

  public func advance(until deadline: Instant) {
    for driver in drivers { _ = driver.turn(until: deadline) }
  }
}

/// Asks a real target what the player has to know of it.
public enum TargetProbe {
  /// Why a target cannot be played on.
  public struct Failure: Error {
    public var message: String
  }

  /// Logs in, and reads the capacity of the logical unit.
  ///
  /// - Parameter credentials: What the target wants of everybody, with a challenge if it is to authenticate itself; nil for
  ///   nothing.
  public static func facts(
    ring: any Ring, machine: InitiatorMachine, portal: SocketAddress, iqn: String, lun: Int,
    credentials: CHAPCredentials? = nil
  ) throws(Failure) -> TargetFacts {
    let driver = InitiatorDriver(host: "here", machine: machine, ring: ring)
    let end = ring.now + .seconds(15)
    var plan = LoginPlan()
    plan.targetName = iqn
    if let credentials { plan.authenticate(with: credentials) }
    var login: LoginResult?
    var mistake: String?
    var answers: [TaskResult] = []
    func wait(_ condition: () -> Bool) throws(Failure) {
      while !condition() {
        guard ring.now < end else { throw Failure(message: "\(portal) does not answer within 15 s") }
        _ = driver.turn(until: end)
        for event in machine.takeEvents() {
          switch event.kind {
          case .connectFailed(let error):
            throw Failure(message: "cannot connect to \(portal): \(error.whyNotConnected)")
          case .violation(let violation) where violation.rule == .authentication: mistake = violation.detail
          case .loginEnded(let result): login = result
          case .taskEnded(let result): answers.append(result)
          case .closed(let reason) where login == nil:
            throw Failure(message: "\(portal) closed the connection during login: \(Player.words(reason))")
          default: break
          }
        }
      }
    }
    let id: ConnectionID
    do {
      id = try machine.connect(to: portal)
      try machine.login(plan, on: id)
    } catch {
      throw Failure(message: "\(error)")
    }
    try wait { login != nil }
    guard login?.isSuccessful == true else {
      if let mistake { throw Failure(message: "\(iqn) at \(portal): the login was given up: \(mistake)") }
      let status = login?.status.map { LoginStatus.words($0, with: login?.received ?? []) } ?? "none"
      let wantsCHAP = credentials == nil && login?.status == LoginStatus.authenticationFailure.rawValue
      let hint = wantsCHAP ? "; if it wants CHAP, give it a name and a secret with --chap FILE" : ""
      throw Failure(message: "\(iqn) at \(portal) refuses the login: status \(status)\(hint)")
    }
    var came = "nothing"
    /// What comes with GOOD; nil when something else came.
    func ask(_ request: CommandRequest) throws(Failure) -> [UInt8]? {
      var request = request
      request.lun = LogicalUnitNumber.encode(lun) ?? 0
      answers = []
      do { _ = try machine.execute(request, on: id) } catch { throw Failure(message: "\(error)") }
      try wait { !answers.isEmpty }
      if let answer = answers.first { came = HostLibrary.describe(PDULanguage.record(answer)) }
      guard case .command(let outcome)? = answers.first?.outcome, outcome.status == 0 else { return nil }
      return outcome.dataIn
    }
    // A few tries: the first answers of a new nexus are unit attentions.
    for _ in 0..<8 {
      guard let capacity = try ask(.readCapacity16), capacity.count >= 12 else { continue }
      var unit = try facts(of: lun, capacity: capacity)
      // WP, SBC-4 §6.5.1. A target need not have MODE SENSE.
      if let mode = try ask(.modeSense6), mode.count > 2 { unit.isWriteProtected = mode[2] & 0x80 != 0 }
      try? machine.close(id)
      let rest = ring.now + .seconds(1)
      while ring.now < rest, machine.bytesInUse > 0 { _ = driver.turn(until: rest) }
      return TargetFacts(iqn: iqn, portals: [portal], units: [unit], credentials: credentials)
    }
    throw Failure(
      message: "LUN \(lun) of \(iqn): expected GOOD to READ CAPACITY(16), with which it can be played on; came \(came)")
  }

  /// More than the blocks of any medium, in bytes. Cases write some without looking at their size.
  private static let blockLengthMax = 1 << 20

  /// What READ CAPACITY(16) says of a logical unit.
  ///
  /// - Parameter capacity: Its parameter data, SBC-4 §5.21.2; at least 12 bytes.
  static func facts(of lun: Int, capacity: [UInt8]) throws(Failure) -> UnitFacts {
    let last = capacity.big64(0)
    let length = Int(capacity.big32(8))
    guard length > 0, length % DurabilityModel.sectorLength == 0, length <= blockLengthMax else {
      throw Failure(
        message: "LUN \(lun): expected blocks of a multiple of \(DurabilityModel.sectorLength) bytes, "
          + "\(blockLengthMax) at most, found \(length)")
    }
    let (count, overflow) = last.addingReportingOverflow(1)
    guard !overflow else { throw Failure(message: "LUN \(lun): expected a last LBA, found \(last)") }
    let isReadAsZeroes = capacity.count > 14 && capacity[14] & 0x40 != 0
    return UnitFacts(lun: lun, blockSize: length, blockCount: count, readsUnmappedAsZeroes: isReadAsZeroes)
  }
}
