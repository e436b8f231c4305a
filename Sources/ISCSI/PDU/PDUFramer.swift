/// Cuts a stream of bytes into PDUs. For the initiator, monitors and tests; the target frames in place.
public struct PDUFramer: Sendable {
  /// The digests of the next PDU. Set between two calls of ``next()``, when a login changes them.
  public var digests = DigestSettings()

  /// The longest data segment that is taken, in bytes. A PDU that announces more is an error, and ends the framing.
  public var dataSegmentLengthMax: Int

  private var buffer: [UInt8] = []
  private var start = 0
  private var failure: FramingError?

  public init(dataSegmentLengthMax: Int = 0xFF_FFFF) { self.dataSegmentLengthMax = dataSegmentLengthMax }

  /// Bytes that were appended and are not yet part of a PDU.
  public var pendingCount: Int { buffer.count - start }

  /// Appends what was received.
  public mutating func append(_ bytes: some Collection<UInt8>) {
    if start == buffer.count {
      buffer.removeAll(keepingCapacity: true)
      start = 0
    } else if start > 1 << 16 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// The next PDU; nil when its bytes are not all there.
  ///
  /// - Throws: ``FramingError``, now and at every further call: the place of the next PDU is not known any more.
  public mutating func next() throws(FramingError) -> FramedPDU? {
    if let failure { throw failure }
    do throws(FramingError) {
      return try frame()
    } catch {
      failure = error
      throw error
    }
  }

  private mutating func frame() throws(FramingError) -> FramedPDU? {
    guard pendingCount >= HeaderView.length else { return nil }
    let header = buffer[start...].withUnsafeBytes { BasicHeader(copying: $0) }
    let (words, dataLength) = header.read { ($0.totalAHSLength, $0.dataSegmentLength) }
    let headerEnd = HeaderView.length + words * 4
    let dataStart = headerEnd + (digests.header ? 4 : 0)
    guard pendingCount >= dataStart else {
      // Nothing is known about the rest before the header's digest has been seen, unless there is none.
      if !digests.header, dataLength > dataSegmentLengthMax { throw .dataSegmentTooLong(dataLength) }
      return nil
    }
    if digests.header, !digestMatches(from: start, to: start + headerEnd) { throw .headerDigestError(header) }
    guard dataLength <= dataSegmentLengthMax else { throw .dataSegmentTooLong(dataLength) }
    let padded = (dataLength + 3) & ~3
    let end = dataStart + padded + (digests.data && padded > 0 ? 4 : 0)
    guard pendingCount >= end else { return nil }
    let dataFrom = start + dataStart
    let pdu = ProtocolDataUnit(
      header: header, additionalHeaders: Array(buffer[(start + HeaderView.length)..<(start + headerEnd)]),
      data: Array(buffer[dataFrom..<(dataFrom + dataLength)]))
    let dataDigestIsWrong = digests.data && padded > 0 && !digestMatches(from: dataFrom, to: dataFrom + padded)
    let paddingIsZero = buffer[(dataFrom + dataLength)..<(dataFrom + padded)].allSatisfy { $0 == 0 }
    start += end
    return FramedPDU(
      pdu: pdu, length: end, dataDigestIsWrong: dataDigestIsWrong, paddingIsZero: paddingIsZero)
  }

  /// Compares the digest of a part with the four bytes behind it, which are there.
  private func digestMatches(from first: Int, to end: Int) -> Bool {
    let digest = buffer[first..<end].withUnsafeBytes { Digest.crc32c($0) }
    return (0..<4).allSatisfy { buffer[end + $0] == UInt8(truncatingIfNeeded: digest >> UInt32($0 * 8)) }
  }
}

/// A PDU that was cut out of a stream.
public struct FramedPDU: Equatable, Sendable {
  public var pdu: ProtocolDataUnit

  /// The bytes that it took on the wire.
  public var length: Int
  public var dataDigestIsWrong: Bool
  public var paddingIsZero: Bool
}

/// Why a stream cannot be cut any further.
public enum FramingError: Error, Equatable, Sendable {
  /// The header may be damaged, and with it the lengths.
  case headerDigestError(BasicHeader)
  /// DataSegmentLength is above the limit.
  case dataSegmentTooLong(Int)
}
