import CHost
import Ring

extension SocketAddress {
  init(_ system: simsan_address) {
    var copy = system
    let (high, low) = withUnsafeBytes(of: &copy.bytes) {
      (
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
    self.init(high: high, low: low, port: system.port, zone: system.zone)
  }
}

extension simsan_address {
  init(_ address: SocketAddress) {
    self.init()
    withUnsafeMutableBytes(of: &bytes) {
      $0.storeBytes(of: address.high.bigEndian, toByteOffset: 0, as: UInt64.self)
      $0.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    zone = address.zone
    port = address.port
    is_ipv4 = address.isIPv4 ? 1 : 0
  }
}
