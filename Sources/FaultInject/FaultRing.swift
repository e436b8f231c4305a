import Ring
import SimClock

/// Something that a ``FaultRing`` does to operations.
public struct RingFault: Hashable, Sendable {
  /// What becomes of an operation.
  public enum Effect: Hashable, Sendable {
    /// The completion comes this much later.
    case delay(Interval)
    /// The operation is not carried out, and fails.
    case refuse(RingError)
    /// A receive, send, read or write is asked for a part of its bytes, of a drawn length.
    case cutShort
    /// The operation is not carried out until the fault is taken away, its handle is closed or it is cancelled.
    case hold
    /// One bit of what was received or read is inverted.
    case corrupt
  }

  public var effect: Effect

  /// The kinds of operations that it concerns. `timer`, `cancel`, `close` and `mailbox` always pass.
  public var kinds: [Operation.Kind]

  /// How often it strikes, of the operations that it concerns.
  public var chance: Ratio

  /// How many of the operations that it concerns pass before the first that it may strike.
  public var after: UInt64

  /// How often it strikes at most.
  public var limit: UInt64

  public init(
    _ effect: Effect, on kinds: [Operation.Kind], chance: Ratio = .always, after: UInt64 = 0, limit: UInt64 = .max
  ) {
    self.effect = effect
    self.kinds = kinds
    self.chance = chance
    self.after = after
    self.limit = limit
  }
}

/// A filter in front of any ring, real or simulated, that delays, refuses, cuts, holds or corrupts.
///
/// It hands operations on under tokens of its own, so that it can recognise their completions. What it keeps back it
/// releases by a timer of the ring behind it: it has no clock and no thread.
public final class FaultRing: Ring {
  /// Names a fault that was added.
  public struct FaultID: Hashable, Sendable {
    let rawValue: Int
  }

  private struct Rule {
    var fault: RingFault
    var isActive = true
    var passed: UInt64 = 0
    var fired: UInt64 = 0
  }

  /// An operation between its submission and its completion.
  private struct Record {
    enum State: UInt8 {
      case free
      /// The ring behind has it.
      case passed
      /// Its completion is known and waits for a timer.
      case late
      /// It was not handed on, and nothing will complete it.
      case held
      /// A timer of ours.
      case timer
    }

    var state = State.free
    var generation: UInt32 = 0
    var operation = Operation.none
    var extents: [Extent] = []
    var address: SocketAddress?
    var delay: Interval?
    var isCorrupted = false
    var rule = -1
    /// `late`: what it completes with. `timer`: unused.
    var completion = Completion(token: Token(0))
    /// `timer`: the record that it releases.
    var released = -1
  }

  private let inner: any Ring
  private let arena: Arena
  private var random: RandomStream
  private var rules: [Rule] = []
  private var records: [Record] = []
  private var free: [Int] = []
  private var outgoing = Operations()
  private var arrived: [Completion] = []
  /// Completions that go out with the next reap, before what the ring behind brings.
  private var released: [Completion] = []

  /// - Parameters:
  ///   - inner: The ring behind.
  ///   - arena: The machine's arena, in which received bytes are corrupted.
  ///   - random: Where its draws come from.
  public init(_ inner: any Ring, arena: Arena, random: RandomStream) {
    self.inner = inner
    self.arena = arena
    self.random = random
  }

  // MARK: Faults

  /// Adds a fault, after those that are there: each operation meets the first that strikes.
  public func add(_ fault: RingFault) -> FaultID {
    rules.append(Rule(fault: fault))
    return FaultID(rawValue: rules.count - 1)
  }

  /// How often a fault has struck.
  public func fired(_ id: FaultID) -> UInt64 { rules[id.rawValue].fired }

  /// Takes a fault away. What it held is carried out now.
  public func remove(_ id: FaultID) {
    rules[id.rawValue].isActive = false
    for slot in records.indices where records[slot].state == .held && records[slot].rule == id.rawValue {
      pass(slot, extents: records[slot].extents)
    }
    if !outgoing.isEmpty { inner.submit(&outgoing) }
  }

  // MARK: Ring

  public var now: Instant { inner.now }

  public func listen(
    at address: SocketAddress, backlog: Int
  ) throws(RingError) -> (listener: Handle, address: SocketAddress) {
    try inner.listen(at: address, backlog: backlog)
  }

  public func submit(_ batch: inout Operations) {
    for operation in batch.items {
      let first = Int(operation.firstExtent)
      let slot = keep(operation, Array(batch.extents[first..<first + Int(operation.extentCount)]))
      if operation.kind == .connect, operation.offset < UInt64(batch.addresses.count) {
        records[slot].address = batch.addresses[Int(operation.offset)]
      }
      begin(slot)
    }
    batch.removeAll()
    inner.submit(&outgoing)
  }

  public func reap(into completions: inout [Completion], until deadline: Instant) {
    let before = completions.count
    var hasCome: Bool
    repeat {
      completions.append(contentsOf: released)
      let patience = completions.count > before ? Instant.zero : deadline
      released.removeAll(keepingCapacity: true)
      inner.reap(into: &arrived, until: patience)
      hasCome = !arrived.isEmpty
      for completion in arrived { finish(completion, into: &completions) }
      arrived.removeAll(keepingCapacity: true)
      if !outgoing.isEmpty { inner.submit(&outgoing) }
      // A ring that waits and brings nothing has been told to.
    } while hasCome && completions.count == before && inner.now < deadline
  }

  // MARK: Operations on their way out

  private func keep(_ operation: Operation, _ extents: [Extent]) -> Int {
    let slot: Int
    if let last = free.popLast() {
      slot = last
    } else {
      slot = records.count
      records.append(Record())
    }
    let generation = records[slot].generation
    records[slot] = Record()
    records[slot].generation = generation
    records[slot].operation = operation
    records[slot].extents = extents
    records[slot].state = .passed
    return slot
  }

  private func forget(_ slot: Int) {
    records[slot].state = .free
    records[slot].generation &+= 1
    records[slot].extents = []
    free.append(slot)
  }

  private func token(_ slot: Int) -> Token { Token(UInt64(records[slot].generation) << 32 | UInt64(slot)) }

  private func begin(_ slot: Int) {
    let operation = records[slot].operation
    switch operation.kind {
    case .timer, .mailbox: return pass(slot, extents: records[slot].extents)
    case .close:
      releaseAll(of: operation.handle)
      return pass(slot, extents: [])
    case .cancel: return cancel(slot)
    default: break
    }
    guard let rule = strike(operation.kind) else { return pass(slot, extents: records[slot].extents) }
    records[slot].rule = rule
    switch rules[rule].fault.effect {
    case .delay(let delay):
      records[slot].delay = delay
      pass(slot, extents: records[slot].extents)
    case .refuse(let error):
      records[slot].state = .late
      records[slot].completion = Completion(token: operation.token, error: error)
      release(slot, at: .zero)
    case .cutShort: pass(slot, extents: cut(records[slot].extents, operation.kind))
    case .hold: records[slot].state = .held
    case .corrupt:
      records[slot].isCorrupted = true
      pass(slot, extents: records[slot].extents)
    }
  }

  /// The first fault that strikes an operation of this kind.
  private func strike(_ kind: Operation.Kind) -> Int? {
    for index in rules.indices where rules[index].isActive && rules[index].fault.kinds.contains(kind) {
      let fault = rules[index].fault
      switch fault.effect {
      case .cutShort: guard [.receive, .send, .read, .write].contains(kind) else { continue }
      case .corrupt: guard [.receive, .read].contains(kind) else { continue }
      case .delay, .refuse, .hold: break
      }
      if rules[index].passed < fault.after {
        rules[index].passed += 1
        continue
      }
      guard rules[index].fired < fault.limit, random.chance(fault.chance) else { continue }
      rules[index].fired += 1
      return index
    }
    return nil
  }

  private func cut(_ extents: [Extent], _ kind: Operation.Kind) -> [Extent] {
    let length = extents.reduce(0) { $0 + $1.length }
    // Media are cut at sectors, as real ones are.
    let unit = kind == .read || kind == .write ? 512 : 1
    guard length > unit else { return extents }
    var left = (1 + random.next(below: (length - 1) / unit)) * unit
    var result: [Extent] = []
    for extent in extents where left > 0 {
      result.append(extent.prefix(left))
      left -= extent.length
    }
    return result
  }

  /// Hands an operation on, under a token of ours.
  private func pass(_ slot: Int, extents: [Extent]) {
    records[slot].state = .passed
    let operation = records[slot].operation
    let token = token(slot)
    let handle = operation.handle
    switch operation.kind {
    case .accept: outgoing.accept(on: handle, token: token)
    case .connect:
      if let address = records[slot].address { outgoing.connect(to: address, token: token) }
    case .receive: outgoing.receive(on: handle, into: extents, token: token)
    case .send: outgoing.send(on: handle, from: extents, moreToCome: operation.moreToCome, token: token)
    case .shutdown: outgoing.shutdown(handle, token: token)
    case .noDelay: outgoing.noDelay(handle, operation.length != 0, token: token)
    case .close: outgoing.close(handle, reset: operation.length != 0, token: token)
    case .describe: outgoing.describe(handle, into: extents.first ?? .empty, token: token)
    case .read: outgoing.read(from: handle, at: operation.offset, into: extents, token: token)
    case .write:
      outgoing.write(
        to: handle, at: operation.offset, from: extents, forceUnitAccess: operation.forceUnitAccess, token: token)
    case .flush: outgoing.flush(handle, token: token)
    case .discard: outgoing.discard(on: handle, at: operation.offset, length: operation.length, token: token)
    case .writeZeroes: outgoing.writeZeroes(on: handle, at: operation.offset, length: operation.length, token: token)
    case .seek: outgoing.seek(on: handle, from: operation.offset, toHole: operation.seekHole, token: token)
    case .timer: outgoing.timer(at: Instant(nanoseconds: operation.offset), token: token)
    case .cancel: outgoing.cancel(Token(operation.offset), token: token)
    case .post:
      outgoing.post(
        to: MachineID(UInt32(truncatingIfNeeded: operation.offset)), extents.first ?? .empty, socket: handle,
        token: token)
    case .mailbox: outgoing.mailbox(into: extents.first ?? .empty, token: token)
    }
  }

  private func cancel(_ slot: Int) {
    let wanted = Token(records[slot].operation.offset)
    let target = records.indices.first {
      records[$0].operation.token == wanted && $0 != slot
        && (records[$0].state == .passed || records[$0].state == .held || records[$0].state == .late)
    }
    guard let target, records[target].state != .late else {
      // Unknown, or done and only late: the late completion comes first.
      if let target { hasten(target) }
      records[slot].state = .late
      records[slot].completion = Completion(token: records[slot].operation.token, error: .notFound)
      return release(slot, at: .zero)
    }
    if records[target].state == .held {
      released.append(Completion(token: wanted, error: .cancelled))
      forget(target)
      records[slot].state = .late
      records[slot].completion = Completion(token: records[slot].operation.token)
      return release(slot, at: .zero)
    }
    // What the target completes with is not kept back any longer, so that it comes before the cancel's own completion.
    records[target].delay = nil
    records[slot].operation.offset = token(target).rawValue
    pass(slot, extents: [])
  }

  /// Completes what is kept back for a handle that is being closed.
  private func releaseAll(of handle: Handle) {
    for slot in records.indices where records[slot].operation.handle == handle {
      switch records[slot].state {
      case .held:
        released.append(Completion(token: records[slot].operation.token, error: .cancelled))
        forget(slot)
      case .late: hasten(slot)
      case .passed: records[slot].delay = nil
      case .free, .timer: break
      }
    }
  }

  // MARK: Completions on their way in

  /// Sets a timer that lets a known completion go.
  private func release(_ slot: Int, at time: Instant) {
    let timer = keep(.none, [])
    records[timer].state = .timer
    records[timer].released = slot
    records[timer].completion = Completion(token: token(slot))
    outgoing.timer(at: time, token: token(timer))
  }

  /// Lets a late completion go now; its timer finds nothing left to do.
  private func hasten(_ slot: Int) {
    released.append(records[slot].completion)
    forget(slot)
  }

  private func finish(_ completion: Completion, into completions: inout [Completion]) {
    let slot = Int(completion.token.rawValue & 0xFFFF_FFFF)
    guard slot < records.count, records[slot].state != .free, token(slot) == completion.token else { return }
    if records[slot].state == .timer {
      let target = records[slot].released
      let isCurrent = records[target].state == .late && token(target) == records[slot].completion.token
      forget(slot)
      guard isCurrent else { return }
      completions.append(records[target].completion)
      forget(target)
      return
    }
    var result = completion
    result.token = records[slot].operation.token
    if records[slot].isCorrupted, completion.error == .none, completion.result > 0 {
      corrupt(records[slot].extents, Int(truncatingIfNeeded: completion.result))
    }
    if let delay = records[slot].delay {
      records[slot].state = .late
      records[slot].completion = result
      release(slot, at: inner.now + delay)
      return
    }
    completions.append(result)
    forget(slot)
  }

  private func corrupt(_ extents: [Extent], _ count: Int) {
    var place = random.next(below: count)
    let bit = UInt8(random.next(below: UInt64(8)))
    for extent in extents {
      if place < extent.length {
        arena.bytes(extent)[place] ^= 1 << bit
        return
      }
      place -= extent.length
    }
  }
}
