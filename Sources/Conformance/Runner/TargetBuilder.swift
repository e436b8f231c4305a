import Ring
import Target

/// Makes a target's configuration of what a world file describes; the same for the simulation and for `simsan serve`.
public enum TargetBuilder {
  /// The node of a target. `media` has, for each unit, the opened medium and its alignment in bytes; nil for a unit
  /// that needs none.
  public static func node(
    _ target: TargetDescription, media: [(handle: Handle, alignment: Int)?]
  ) throws(LuaFailure) -> TargetNode {
    var units: [LogicalUnitConfiguration] = []
    for (index, unit) in target.units.enumerated() {
      let medium = index < media.count ? media[index] : nil
      let backing: Backing =
        switch unit.backing {
        case .memory: .memory
        case .null: .null
        case .disk, .file: medium.map { .medium($0.handle, alignment: $0.alignment) } ?? .memory
        }
      let size = unit.size ?? UnitDescription.defaultSize
      var exponent: Int?
      if let physical = unit.physicalBlockSize { exponent = (physical / unit.blockSize).trailingZeroBitCount }
      var configuration = LogicalUnitConfiguration(
        lun: unit.lun, blockCount: size / UInt64(unit.blockSize), blockLength: unit.blockSize,
        physicalBlockExponent: exponent, backing: backing)
      configuration.isThin = unit.isThin
      configuration.isReadOnly = unit.isReadOnly
      configuration.isRemovable = unit.isRemovable
      configuration.isWriteCacheEnabled = unit.isWriteBack
      if let serial = unit.serial { configuration.serial = serial }
      if let vendor = unit.vendor { configuration.vendor = vendor }
      if let product = unit.product { configuration.product = product }
      if let revision = unit.revision { configuration.revision = revision }
      if let problem = configuration.problem {
        throw LuaFailure("target \(target.iqn), LUN \(unit.lun): \(problem)")
      }
      units.append(configuration)
    }
    var node = TargetNode(name: target.iqn, alias: target.alias, logicalUnits: units, initiators: target.initiators)
    node.sendPolicy = target.sendPolicy
    return node
  }

  /// How many machines run `targets`.
  public static func shardCount(_ targets: [TargetDescription]) -> Int {
    (targets.compactMap(\.shard).max() ?? 0) + 1
  }

  /// The place of a target's portal among those that its program has opened; nil when it is none of them.
  ///
  /// - Throws: When it has another portal group there: a portal is of one group, for all targets.
  public static func portal(
    at address: SocketAddress, of target: TargetDescription, among portals: [Portal]
  ) throws(LuaFailure) -> Int? {
    guard let place = portals.firstIndex(where: { $0.address == address }) else { return nil }
    guard portals[place].groupTag == target.portalGroupTag else {
      throw LuaFailure(
        "target \(target.iqn): expected portal_group = \(portals[place].groupTag), as for another target at \(address); "
          + "found \(target.portalGroupTag)")
    }
    return place
  }

  /// The configurations of the machines that run `targets` together, one for each of `machines`: each of them knows all
  /// nodes, and serves those of its own shard; the first listens.
  ///
  /// - Parameters:
  ///   - media: Of each target, the media of its units; see ``node(_:media:)``.
  ///   - portals: The portals of the first machine.
  ///   - reached: Of each target, the places of its portals among them.
  ///   - machines: At least ``shardCount(_:)``.
  public static func configurations(
    _ targets: [TargetDescription], media: [[(handle: Handle, alignment: Int)?]], portals: [Portal],
    reached: [[Int]], on machines: [MachineID]
  ) throws(LuaFailure) -> [TargetConfiguration] {
    var nodes = try zip(targets, media).map { (target, media) throws(LuaFailure) in try node(target, media: media) }
    for (index, places) in zip(nodes.indices, reached) { nodes[index].portals = places }
    return machines.indices.map { shard in
      let known = zip(targets, nodes).map { target, node in
        let home = target.shard ?? 0
        return home == shard ? node : node.served(by: machines[home])
      }
      let heard = portals.map { shard == 0 ? $0 : Portal(listener: .none, address: $0.address, groupTag: $0.groupTag) }
      var configuration = TargetConfiguration(nodes: known, portals: heard)
      configuration.limits = limits(targets)
      return configuration
    }
  }

  /// In words, why there is no machine of that configuration.
  public static func whyNotMade(_ configuration: TargetConfiguration, _ error: RingError) -> String {
    guard error == .noResources else { return "the target cannot be made: \(error)" }
    let units = configuration.nodes.flatMap(\.logicalUnits).filter { $0.backing == .memory }
    let lengths = units.map { Quantity.text(bytes: $0.blockCount &* UInt64($0.blockLength)) }
    return "the system gives no address space for the logical units in memory, of \(lengths.joined(separator: ", ")); "
      + "make them smaller (ulimit -v and the sysctl vm.overcommit_memory say what there is)"
  }

  /// In words, why there is no arena of `memory` bytes for the buffers of a target.
  ///
  /// - Parameter place: Where it was said how many.
  public static func whyNoBuffers(_ memory: UInt64, saidBy place: String = "limits.memory") -> String {
    "the system does not give \(Quantity.text(bytes: memory)) of memory for buffers; say less with \(place) "
      + "(ulimit -v and the sysctl vm.overcommit_memory say what there is)"
  }

  /// The limits of the program that runs `targets`: what the first of them that says something about a limit says.
  public static func limits(_ targets: [TargetDescription]) -> TargetLimits {
    var limits = TargetLimits()
    for target in targets.reversed() {
      let (keys, own) = (target.keys, target.limits)
      if let value = keys.maxRecvDataSegmentLength { limits.maxRecvDataSegmentLength = value }
      if let value = keys.maxBurstLength { limits.maxBurstLength = value }
      if let value = keys.firstBurstLength { limits.firstBurstLength = value }
      if let value = keys.maxOutstandingR2T { limits.maxOutstandingR2T = value }
      if let value = keys.initialR2T { limits.initialR2T = value }
      if let value = keys.immediateData { limits.immediateData = value }
      if let value = keys.crc32c { limits.offersCRC32C = value }
      if let value = own.commandWindow { limits.commandWindow = value }
      if let value = own.connections { limits.connectionsMax = value }
      if let value = own.pendingLogins { limits.pendingLoginsMax = value }
      if let value = own.loginTimeout { limits.loginTimeout = value }
      if let value = own.pingInterval { limits.pingInterval = value }
      if let value = own.pingTimeout { limits.pingTimeout = value }
      if let value = own.tasks { limits.tasksMax = value }
    }
    return limits
  }
}
