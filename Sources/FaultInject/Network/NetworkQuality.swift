import Ring
import SimClock
import SimNet
import SimRing

/// Segments are lost by chance; TCP sends them again. Fires per lost packet.
public struct NetworkLoss: FaultUnit {
  public static let name = "network.loss"
  public var path: NetworkPath
  public var chance: Ratio

  public init(_ path: NetworkPath, chance: Ratio) {
    self.path = path
    self.chance = chance
  }

  public var parameters: String { "\(path.text), \(chance)" }

  public func inject(into world: World) -> any ActiveFault {
    path.overlay(world, counting: \.lost) { [chance] in $0.loss = chance }
  }
}

/// Segments arrive with one bit inverted, and TCP's checksum does not see it. Fires per segment.
public struct NetworkBitFlip: FaultUnit {
  public static let name = "network.bit_flip"

  /// Which segments it strikes.
  public enum Extent: Hashable, Sendable {
    /// The next so many segments.
    case next(Int)
    /// Any segment, by chance.
    case chance(Ratio)
  }

  public var path: NetworkPath
  public var extent: Extent

  public init(_ path: NetworkPath, _ extent: Extent) {
    self.path = path
    self.extent = extent
  }

  public var parameters: String {
    switch extent {
    case .next(let count): "\(path.text), the next \(count)"
    case .chance(let chance): "\(path.text), \(chance)"
    }
  }

  public func inject(into world: World) -> any ActiveFault {
    switch extent {
    case .chance(let chance): return path.overlay(world, counting: \.corrupted) { $0.corruption = chance }
    case .next(let count):
      let network = world.network
      var corruptions: [OverlayID] = []
      path.forEachDirection { corruptions.append(network.corruptNext(count, from: $0, at: $1, to: $2, at: $3)) }
      return SimpleFault(
        fired: { [corruptions] in corruptions.reduce(0) { $0 + network.corruptedCount(by: $1) } },
        lift: { [corruptions] in for corruption in corruptions { network.removeOverlay(corruption) } })
    }
  }
}

/// The path becomes slower. Fires per packet.
public struct NetworkSlow: FaultUnit {
  public static let name = "network.slow"
  public var path: NetworkPath

  /// Added to the latency.
  public var latency: Interval

  /// Added to the jitter.
  public var jitter: Interval

  /// Bits a second, if that is less than before; zero leaves it as it is.
  public var bandwidth: UInt64

  public init(_ path: NetworkPath, latency: Interval = .zero, jitter: Interval = .zero, bandwidth: UInt64 = 0) {
    self.path = path
    self.latency = latency
    self.jitter = jitter
    self.bandwidth = bandwidth
  }

  public var parameters: String {
    "\(path.text), +\(latency.nanoseconds / 1000) us, jitter +\(jitter.nanoseconds / 1000) us, \(bandwidth) bit/s"
  }

  public func inject(into world: World) -> any ActiveFault {
    path.overlay(world, counting: \.packets) { [self] options in
      options.latency = options.latency + latency
      options.jitter = options.jitter + jitter
      if bandwidth > 0, options.bandwidth == 0 || bandwidth < options.bandwidth { options.bandwidth = bandwidth }
    }
  }
}

/// Streams are cut into segments at drawn or given places, and the receiver sees the cuts. Fires per cut.
public struct NetworkSplit: FaultUnit {
  public static let name = "network.split"
  public var path: NetworkPath
  public var segmentation: Segmentation

  public init(_ path: NetworkPath, _ segmentation: Segmentation = .drawn) {
    self.path = path
    self.segmentation = segmentation
  }

  public var parameters: String {
    switch segmentation {
    case .full: "\(path.text), full segments"
    case .drawn: "\(path.text), drawn"
    case .every(let length): "\(path.text), every \(length) bytes"
    case .points(let points): "\(path.text), at \(points)"
    }
  }

  public func inject(into world: World) -> any ActiveFault {
    path.overlay(world, counting: \.splits) { [segmentation] in $0.segmentation = segmentation }
  }
}

/// Receives and sends move a part of what they could. Fires per operation.
public struct NetworkShort: FaultUnit {
  public static let name = "network.short"
  public var path: NetworkPath
  public var chance: Ratio

  public init(_ path: NetworkPath, chance: Ratio) {
    self.path = path
    self.chance = chance
  }

  public var parameters: String { "\(path.text), \(chance)" }

  public func inject(into world: World) -> any ActiveFault {
    path.overlay(world, counting: { $0.shortReceives + $0.shortSends }) { [chance] in
      $0.shortReceive = chance
      $0.shortSend = chance
    }
  }
}
