import Ring
import SimNet
import SimRing

/// A process is killed; its kernel closes what it had open. Lifting asks the plan's `restart` for a new machine.
public struct ProcessCrash: FaultUnit {
  public static let name = "process.crash"
  public var process: ProcessID

  public init(_ process: ProcessID) { self.process = process }

  public var parameters: String { "process \(process.rawValue)" }

  public func inject(into world: World) -> any ActiveFault {
    let wasRunning = world.isRunning(process)
    world.crash(process)
    return Ended(processes: wasRunning ? [process] : [], powerOn: {})
  }

  final class Ended: RestartingFault {
    let processes: [ProcessID]
    private let powerOn: () -> Void

    init(processes: [ProcessID], powerOn: @escaping () -> Void) {
      self.processes = processes
      self.powerOn = powerOn
    }

    var fired: UInt64 { UInt64(processes.count) }

    func lift() { powerOn() }
  }
}

/// A host loses its power: silence on the network, a crash image on its disks. Lifting turns it on again and asks the
/// plan's `restart` for new machines.
public struct HostPowerOff: FaultUnit {
  public static let name = "host.power_off"
  public var host: HostID

  public init(_ host: HostID) { self.host = host }

  public var parameters: String { "host \(host.rawValue)" }

  public func inject(into world: World) -> any ActiveFault {
    let processes = world.runningProcesses(on: host)
    world.powerOff(host)
    let host = host
    return ProcessCrash.Ended(processes: processes, powerOn: { world.powerOn(host) })
  }
}

/// A process stands still, and its kernel goes on. Fires once, if it was running.
public struct ProcessPause: FaultUnit {
  public static let name = "process.pause"
  public var process: ProcessID

  public init(_ process: ProcessID) { self.process = process }

  public var parameters: String { "process \(process.rawValue)" }

  public func inject(into world: World) -> any ActiveFault {
    let fired: UInt64 = world.isRunning(process) ? 1 : 0
    world.pause(process)
    let process = process
    return SimpleFault(fired: { fired }, lift: { world.resume(process) })
  }
}

/// A process has no descriptors left: its accepts and connects fail, and connections wait. Fires per operation.
public struct ProcessShortage: FaultUnit {
  public static let name = "process.no_resources"
  public var process: ProcessID

  public init(_ process: ProcessID) { self.process = process }

  public var parameters: String { "process \(process.rawValue)" }

  public func inject(into world: World) -> any ActiveFault {
    let process = process
    world.beginShortage(of: process)
    let before = world.shortageCount(of: process)
    return SimpleFault(
      fired: { world.shortageCount(of: process) - before }, lift: { world.endShortage(of: process) })
  }
}

/// The clock of a process jumps forwards. It cannot be taken back: clocks of rings do not go backwards.
public struct ClockJump: FaultUnit {
  public static let name = "clock.jump"
  public var process: ProcessID
  public var distance: Interval

  public init(_ process: ProcessID, by distance: Interval) {
    self.process = process
    self.distance = distance
  }

  public var parameters: String { "process \(process.rawValue), \(distance.nanoseconds / 1000) us" }

  public func inject(into world: World) -> any ActiveFault {
    world.jumpClock(of: process, by: distance)
    let fired: UInt64 = world.isRunning(process) ? 1 : 0
    return SimpleFault(fired: { fired }, lift: {})
  }
}

/// The clock of a process runs faster or slower than the world's. Fires once, if it was running.
public struct ClockDrift: FaultUnit {
  public static let name = "clock.drift"
  public var process: ProcessID

  /// Parts in a million by which it is too fast; negative when it is too slow. Limited to ±900,000, and so are several
  /// drifts of one clock, which add up.
  public var partsPerMillion: Int

  public init(_ process: ProcessID, partsPerMillion: Int) {
    self.process = process
    self.partsPerMillion = partsPerMillion
  }

  public var parameters: String { "process \(process.rawValue), \(partsPerMillion) ppm" }

  public func inject(into world: World) -> any ActiveFault {
    let drift = max(-900_000, min(900_000, partsPerMillion))
    world.addClockDrift(of: process, partsPerMillion: drift)
    let fired: UInt64 = world.isRunning(process) ? 1 : 0
    let process = process
    return SimpleFault(fired: { fired }, lift: { world.addClockDrift(of: process, partsPerMillion: -drift) })
  }
}
