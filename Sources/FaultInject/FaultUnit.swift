import Ring
import SimRing

/// One kind of thing that can go wrong, with its parameters.
///
/// A unit is a value: it says what would happen. Injecting it makes an ``ActiveFault``, which knows how to take it
/// back. To add a unit: a file with a struct that conforms, and its name in ``FaultCatalogue``.
public protocol FaultUnit: Sendable {
  /// The unit's name in scenarios and reports, `area.what`.
  static var name: String { get }

  /// The parameters, for reports: short, and the same in every run.
  var parameters: String { get }

  /// Puts the fault in force.
  func inject(into world: World) -> any ActiveFault
}

/// A fault in force.
public protocol ActiveFault: AnyObject {
  /// How often it has struck so far.
  var fired: UInt64 { get }

  /// Takes the fault back exactly: the world is as if it had never been there, but for what it has brought about.
  func lift()

  /// Something that the fault wanted to be woken for is due; see ``FaultContext``.
  func wake(_ context: FaultContext)
}

extension ActiveFault {
  public func wake(_ context: FaultContext) {}
}

/// What an active fault needs to be woken later.
public struct FaultContext {
  let plan: FaultPlan
  let index: Int

  public var world: World { plan.world }

  /// Wakes the fault after `interval`.
  public func wake(after interval: Interval) { plan.schedule(.wake, index, at: world.now + interval) }
}

/// A fault that is nothing but two closures; made once per fault, and not called per event.
public final class SimpleFault: ActiveFault {
  private let count: () -> UInt64
  private let undo: () -> Void
  private var final: UInt64?

  /// - Parameters:
  ///   - fired: Says how often the fault has struck; asked no more after `lift`.
  ///   - lift: Takes it back.
  public init(fired: @escaping () -> UInt64, lift: @escaping () -> Void) {
    count = fired
    undo = lift
  }

  public var fired: UInt64 { final ?? count() }

  public func lift() {
    guard final == nil else { return }
    final = count()
    undo()
  }
}
