import Conformance
import Glibc
import HostRing
import Initiator
import Ring

/// The rings of the real world, by name; `uring` is short for `io_uring`.
let ringNames = ["io_uring", "uring", "epoll"]

/// The kind of ring called `name`; nil for the best that the kernel allows.
func ringKind(_ name: String?) -> HostRingKind? {
  switch name {
  case "io_uring", "uring": .ioUring
  case "epoll": .epoll
  default: nil
  }
}

/// A ring as asked for.
func makeRing(_ name: String?, arena: Arena) throws(UsageError) -> (ring: any HostRing, kind: HostRingKind) {
  raiseDescriptorLimit()
  do {
    if let kind = ringKind(name) { return (try HostRings.make(kind, arena: arena), kind) }
    let ring = try HostRings.make(arena: arena)
    return (ring, ring is IOUringRing ? .ioUring : .epoll)
  } catch {
    let hint = ringKind(name) == .ioUring ? "; --ring epoll works wherever io_uring is not allowed" : ""
    throw UsageError("cannot make a ring: \(error)\(hint)")
  }
}

/// Lets the process have as many descriptors as it may. Every session takes one; the soft limit is usually 1024 for the sake
/// of programs that use select(2), of which this is none.
func raiseDescriptorLimit() {
  var limit = rlimit()
  guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
  limit.rlim_cur = limit.rlim_max
  // If it is refused, things stay as they are.
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// The address of a host by number or by name.
func resolve(_ host: String, port: UInt16) throws(UsageError) -> SocketAddress {
  if var address = SocketAddress(host, defaultPort: port) {
    address.port = port
    return address
  }
  var hints = addrinfo()
  hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  var list: UnsafeMutablePointer<addrinfo>?
  let status = getaddrinfo(host, nil, &hints, &list)
  defer { if let list { freeaddrinfo(list) } }
  guard status == 0, let first = list?.pointee, let raw = first.ai_addr else {
    throw UsageError("\(host): expected an address or a host's name; \(String(cString: gai_strerror(status)))")
  }
  var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
  guard getnameinfo(raw, first.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0,
    var address = SocketAddress(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
  else { throw UsageError("\(host): has no address that can be used") }
  address.port = port
  return address
}

/// What the cases are played on.
func makeStage(_ options: RunOptions) throws -> Stage {
  guard let url = options.against else { return .simulation }
  let portal = try resolve(url.host, port: url.port)
  func start() throws(UsageError) -> (ring: any HostRing, machine: InitiatorMachine) {
    let machine = InitiatorMachine(arenaCapacity: 64 << 20)
    return (try makeRing(options.ring, arena: machine.arena).ring, machine)
  }
  let (ring, machine) = try start()
  let facts: TargetFacts
  do {
    facts = try TargetProbe.facts(ring: ring, machine: machine, portal: portal, iqn: url.iqn, lun: url.lun)
  } catch {
    throw UsageError("--against \(url.text): \(error.message)")
  }
  return .real {
    let (ring, machine) = try start()
    return RealPlayground(ring: ring, machine: machine, target: facts)
  }
}
