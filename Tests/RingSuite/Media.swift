import Ring

extension RingSuite {
  private static let size = 1 << 20
  private static let end = UInt64(size)

  /// Reads, writes and the rest of what is done to media.
  public static let media: [RingTest] = [
    RingTest("a fresh medium reads as zeroes, and then as what was written") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      try expect(read(stage, medium, at: 8192, 4096), [UInt8](repeating: 0, count: 4096), "fresh bytes")
      try write(stage, medium, at: 8192, pattern(8192))
      try expect(read(stage, medium, at: 8192, 8192), pattern(8192), "bytes")
      try expect(read(stage, medium, at: 4096, 4096), [UInt8](repeating: 0, count: 4096), "bytes before")
      try expect(read(stage, medium, at: 16384, 4096), [UInt8](repeating: 0, count: 4096), "bytes after")
    },

    RingTest("vectored reads and writes keep the order of their extents") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      let content = pattern(7 * 4096)
      let source = try stage.left.buffer(8 * 4096)
      // Runs of pages, not in the order of their addresses.
      let runs = [
        source.slice(5 * 4096, 4096), source.slice(0, 3 * 4096), source.slice(3 * 4096, 2 * 4096),
        source.slice(7 * 4096, 4096),
      ]
      var taken = 0
      for run in runs {
        stage.left.arena.bytes(run).copyBytes(from: content[taken..<(taken + run.length)])
        taken += run.length
      }
      let written = try stage.succeed(stage.left, "write") { $0.write(to: medium, at: 4096, from: runs, token: $1) }
      try expect(written, UInt64(content.count), "bytes written")
      try expect(read(stage, medium, at: 4096, content.count), content, "bytes read in one piece")
      stage.left.arena.bytes(source).initializeMemory(as: UInt8.self, repeating: 0)
      let got = try stage.succeed(stage.left, "read") { $0.read(from: medium, at: 4096, into: runs, token: $1) }
      try expect(got, UInt64(content.count), "bytes read")
      try expect(runs.flatMap { stage.left.bytes($0) }, content, "bytes read in pieces")
    },

    RingTest("the last bytes of a medium can be read and written") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      try write(stage, medium, at: end - 4096, pattern(4096))
      try expect(read(stage, medium, at: end - 4096, 4096), pattern(4096), "bytes")
    },

    RingTest("a read or write that is not wholly within the medium is out of range and moves nothing") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      let extent = try stage.left.buffer(8192, filledWith: 0xEE)
      let half = extent.prefix(4096)
      for offset in [end - 4096, end, end + 4096, UInt64.max - 4095, UInt64(1) << 63] {
        try stage.fail(stage.left, .outOfRange, "read at \(offset)") {
          $0.read(from: medium, at: offset, into: extent, token: $1)
        }
        try stage.fail(stage.left, .outOfRange, "write at \(offset)") {
          $0.write(to: medium, at: offset, from: [half, half], token: $1)
        }
      }
      try expect(stage.left.bytes(extent), [UInt8](repeating: 0xEE, count: 8192), "the memory of the reads")
      try expect(
        read(stage, medium, at: end - 4096, 4096), [UInt8](repeating: 0, count: 4096), "the end of the medium")
    },

    RingTest("discard and write zeroes that are not wholly within the medium are out of range") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      try write(stage, medium, at: end - 4096, pattern(4096))
      for (offset, length) in [(end - 4096, UInt64(8192)), (end, 4096), (4096, UInt64.max - 4095)] {
        try stage.fail(stage.left, .outOfRange, "discard") {
          $0.discard(on: medium, at: offset, length: length, token: $1)
        }
        try stage.fail(stage.left, .outOfRange, "write zeroes") {
          $0.writeZeroes(on: medium, at: offset, length: length, token: $1)
        }
      }
      try expect(read(stage, medium, at: end - 4096, 4096), pattern(4096), "bytes")
      try stage.fail(stage.left, .outOfRange, "seek") { $0.seek(on: medium, from: end + 1, toHole: true, token: $1) }
    },

    RingTest("a write with force unit access reads back") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      let extent = try stage.left.buffer(pattern(16384))
      let written = try stage.succeed(stage.left, "write") {
        $0.write(
          to: medium, at: 65536, from: [extent.prefix(4096), extent.dropFirst(4096)], forceUnitAccess: true, token: $1)
      }
      try expect(written, 16384, "bytes written")
      try expect(read(stage, medium, at: 65536, 16384), pattern(16384), "bytes")
    },

    RingTest("a flush completes after the writes before it, and says success") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      try stage.succeed(stage.left, "flush of a fresh medium") { $0.flush(medium, token: $1) }
      for index in 0..<8 { try write(stage, medium, at: UInt64(index) * 65536, pattern(4096, seed: UInt32(index + 1))) }
      try stage.succeed(stage.left, "flush") { $0.flush(medium, token: $1) }
      for index in 0..<8 {
        try expect(
          read(stage, medium, at: UInt64(index) * 65536, 4096), pattern(4096, seed: UInt32(index + 1)), "bytes")
      }
    },

    RingTest("writes and flushes of one batch each complete once") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      let extent = try stage.left.buffer(pattern(64 << 10))
      var tokens: [Token] = []
      for index in 0..<16 {
        tokens.append(
          stage.left.put {
            $0.write(to: medium, at: UInt64(index) * 65536, from: [extent.slice(index * 4096, 4096)], token: $1)
          })
        if index % 4 == 3 { tokens.append(stage.left.put { $0.flush(medium, token: $1) }) }
      }
      stage.left.submit()
      for token in tokens { try expect(stage.wait(stage.left, token, "write or flush").error, .none, "completion") }
      for index in 0..<16 {
        try expect(
          read(stage, medium, at: UInt64(index) * 65536, 4096), stage.left.bytes(extent.slice(index * 4096, 4096)),
          "bytes of write \(index)")
      }
    },

    RingTest("many reads of one batch each bring their own bytes") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      let content = pattern(size)
      try write(stage, medium, at: 0, content)
      let memory = try stage.left.buffer(size)
      let tokens = (0..<256).map { index in
        // 256 pages, in an order that visits each once.
        let page = index * 37 % 256
        return stage.left.put {
          $0.read(from: medium, at: UInt64(page) * 4096, into: memory.slice(page * 4096, 4096), token: $1)
        }
      }
      stage.left.submit()
      for token in tokens { try expect(stage.wait(stage.left, token, "read").result, 4096, "bytes read") }
      try expect(stage.left.bytes(memory) == content, "every page is where it belongs")
    },

    RingTest("an empty read and an empty write move nothing") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      try expect(
        stage.succeed(stage.left, "read") { $0.read(from: medium, at: 4096, into: Extent.empty, token: $1) }, 0, "bytes"
      )
      try expect(
        stage.succeed(stage.left, "write") { $0.write(to: medium, at: end, from: [Extent](), token: $1) }, 0, "bytes")
    },

    RingTest("a medium that is read-only refuses every kind of write") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: true)
      let extent = try stage.left.buffer(4096)
      try expect(read(stage, medium, at: 0, 4096), [UInt8](repeating: 0, count: 4096), "bytes")
      try stage.fail(stage.left, .readOnly, "write") { $0.write(to: medium, at: 0, from: [extent], token: $1) }
      try stage.fail(stage.left, .readOnly, "discard") { $0.discard(on: medium, at: 0, length: 4096, token: $1) }
      try stage.fail(stage.left, .readOnly, "write zeroes") {
        $0.writeZeroes(on: medium, at: 0, length: 4096, token: $1)
      }
    },

    RingTest("a discarded range reads as zeroes, and nothing else does") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      try write(stage, medium, at: 0, [UInt8](repeating: 5, count: size))
      try stage.succeed(stage.left, "discard") { $0.discard(on: medium, at: 131072, length: 262144, token: $1) }
      try expectZeroes(stage, medium, 131072..<393216)
    },

    RingTest("a zeroed range reads as zeroes, and nothing else does") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      try write(stage, medium, at: 0, [UInt8](repeating: 5, count: size))
      try stage.succeed(stage.left, "write zeroes") { $0.writeZeroes(on: medium, at: 65536, length: 69632, token: $1) }
      try expectZeroes(stage, medium, 65536..<135168)
    },

    RingTest("an empty discard and an empty write zeroes change nothing") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      try write(stage, medium, at: 0, [UInt8](repeating: 5, count: size))
      try stage.succeed(stage.left, "discard") { $0.discard(on: medium, at: 4096, length: 0, token: $1) }
      try stage.succeed(stage.left, "write zeroes") { $0.writeZeroes(on: medium, at: end, length: 0, token: $1) }
      try expectZeroes(stage, medium, 0..<0)
    },

    RingTest("seek finds holes and data") { stage in
      guard stage.world.hasHoles else { return }
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      func seek(_ offset: Int, toHole: Bool) throws -> Int {
        Int(
          try stage.succeed(stage.left, "seek") {
            $0.seek(on: medium, from: UInt64(offset), toHole: toHole, token: $1)
          })
      }
      try expect(seek(0, toHole: true), 0, "the first hole of a fresh medium")
      try expect(seek(0, toHole: false), size, "the first data of a fresh medium: none")
      try write(stage, medium, at: 131072, pattern(65536))
      try expect(seek(0, toHole: false), 131072, "the first data")
      try expect(seek(150000, toHole: false), 150000, "the first data from within it")
      try expect(seek(131072, toHole: true), 196608, "the hole after the data")
      try expect(seek(196608, toHole: false), size, "data after the last: none")
      try expect(seek(size, toHole: true), size, "a hole at the end")
      try expect(seek(size, toHole: false), size, "data at the end")
      try stage.succeed(stage.left, "discard") { $0.discard(on: medium, at: 131072, length: 65536, token: $1) }
      try expect(seek(0, toHole: false), size, "data after the discard: none")
    },

    RingTest("operations outstanding on a medium complete before its close") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: size, readOnly: false)
      let memory = try stage.left.buffer(256 << 10)
      var tokens = (0..<16).map { index in
        stage.left.put {
          $0.write(to: medium, at: UInt64(index) * 16384, from: [memory.slice(index * 16384, 16384)], token: $1)
        }
      }
      tokens.append(stage.left.put { $0.flush(medium, token: $1) })
      let closing = stage.left.put { $0.close(medium, token: $1) }
      stage.left.submit()
      try expect(stage.wait(stage.left, closing, "close").error, .none, "close")
      for token in tokens {
        let error = try stage.wait(stage.left, token, "write or flush").error
        try expect(error == .none || error == .cancelled, "done or cancelled, not \(error)")
        try expectOrder(stage.left, token, closing)
      }
    },
  ]

  /// Reads `count` bytes, in as many reads as it takes.
  private static func read(
    _ stage: Stage, _ medium: Handle, at offset: UInt64, _ count: Int, file: StaticString = #fileID, line: UInt = #line
  ) throws -> [UInt8] {
    let whole = try stage.left.buffer(count, filledWith: 0xCC)
    defer { stage.left.free(whole) }
    var rest = whole
    while rest.length > 0 {
      let (part, from) = (rest, offset + UInt64(count - rest.length))
      let got = try stage.succeed(stage.left, "read", file: file, line: line) {
        $0.read(from: medium, at: from, into: part, token: $1)
      }
      try expect(got > 0 && got <= part.length, "1...\(part.length) bytes, not \(got)", file: file, line: line)
      rest = rest.dropFirst(Int(got))
    }
    return stage.left.bytes(whole)
  }

  /// Writes all of `content`, in as many writes as it takes.
  private static func write(
    _ stage: Stage, _ medium: Handle, at offset: UInt64, _ content: [UInt8], file: StaticString = #fileID,
    line: UInt = #line
  ) throws {
    let whole = try stage.left.buffer(content)
    defer { stage.left.free(whole) }
    var rest = whole
    while rest.length > 0 {
      let (part, to) = (rest, offset + UInt64(content.count - rest.length))
      let done = try stage.succeed(stage.left, "write", file: file, line: line) {
        $0.write(to: medium, at: to, from: [part], token: $1)
      }
      try expect(done > 0 && done <= part.length, "1...\(part.length) bytes, not \(done)", file: file, line: line)
      rest = rest.dropFirst(Int(done))
    }
  }

  /// The medium holds zeroes in `range` and fives elsewhere.
  private static func expectZeroes(
    _ stage: Stage, _ medium: Handle, _ range: Range<Int>, file: StaticString = #fileID, line: UInt = #line
  ) throws {
    let content = try read(stage, medium, at: 0, size, file: file, line: line)
    let wrong = content.indices.first { content[$0] != (range.contains($0) ? 0 : 5) }
    try expect(wrong, nil, "the first byte that is not as it should be", file: file, line: line)
  }
}
