import Testing

@testable import SCSI

@Suite struct SenseTests {
  private let samples: [Sense] = [
    Sense(.noSense, .none),
    Sense(.illegalRequest, .invalidFieldInCDB, specific: .field(inCDB: true, byte: 7, bit: 3)),
    Sense(.illegalRequest, .invalidFieldInParameterList, specific: .field(inCDB: false, byte: 300, bit: nil)),
    Sense(.illegalRequest, .logicalBlockAddressOutOfRange, information: 0xFFFF_FFFF),
    Sense(.notReady, .becomingReady, specific: .progress(0x8000)),
  ]

  @Test func bothFormatsReadBackAsTheyWereWritten() {
    for descriptor in [false, true] {
      for sense in samples {
        #expect(Sense(decoding: sense.parameterData(descriptor: descriptor)) == sense)
      }
    }
  }

  @Test func fixedFormatHasTheLayoutOfTheStandard() {
    let sense = Sense(
      .miscompare, .miscompareDuringVerify, information: 0x0102_0304)
    #expect(
      sense.parameterData(descriptor: false) == [
        0xF0, 0, 0x0E, 1, 2, 3, 4, 10, 0, 0, 0, 0, 0x1D, 0, 0, 0, 0, 0,
      ])
  }

  @Test func descriptorFormatHasTheLayoutOfTheStandard() {
    let sense = Sense(
      .illegalRequest, .invalidFieldInCDB, information: 5, specific: .field(inCDB: true, byte: 2, bit: 7))
    #expect(
      sense.parameterData(descriptor: true) == [
        0x72, 5, 0x24, 0, 0, 0, 0, 20,  //
        0x00, 0x0A, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 5,  //
        0x02, 0x06, 0, 0, 0xCF, 0, 2, 0,
      ])
  }

  @Test func theDescriptorOfADirectAccessBlockDeviceStandsForTheOthers() {
    let header: [UInt8] = [0x72, 5, 0x24, 0, 0, 0, 0, 24, 0x0D, 0x16]
    let rest: [UInt8] = [0, 0, 0xCF, 0, 2, 0] + [0, 0, 0, 1, 0, 0, 0, 5] + [0, 0, 0, 0, 0, 0, 0, 9]
    var wanted = Sense(.illegalRequest, .invalidFieldInCDB, specific: .field(inCDB: true, byte: 2, bit: 7))
    #expect(Sense(decoding: header + rest) == wanted)
    wanted.information = 1 << 32 | 5
    #expect(Sense(decoding: header + [0x80] + rest.dropFirst()) == wanted)
    #expect(Sense(decoding: header + rest.dropLast())?.specific == Sense.Specific.none)
  }

  @Test func fixedFormatDoesNotCutAnLBAOfMoreThan32Bits() {
    let bytes = Sense(.mediumError, .unrecoveredReadError, information: 1 << 32).parameterData(descriptor: false)
    #expect(bytes[0] == 0x70)
    #expect(bytes[3..<7].allSatisfy { $0 == 0 })
  }

  @Test func deferredErrorsAreMarked() {
    var sense = Sense(.mediumError, .writeError)
    sense.isDeferred = true
    #expect(sense.parameterData(descriptor: false)[0] == 0x71)
    #expect(sense.parameterData(descriptor: true)[0] == 0x73)
  }

  @Test func whatIsNotSenseDataIsNotRead() {
    #expect(Sense(decoding: []) == nil)
    #expect(Sense(decoding: [0x70, 0]) == nil)
    #expect(Sense(decoding: [0x7F, 0, 5, 0]) == nil)
    // A descriptor that says it is longer than the data is.
    #expect(Sense(decoding: [0x72, 5, 0x24, 0, 0, 0, 0, 4, 0x00, 0x0A, 0x80])?.information == nil)
  }

  @Test func namesLeadToCodesAndBack() {
    #expect(AdditionalSense(text: "LOGICAL BLOCK ADDRESS OUT OF RANGE") == .logicalBlockAddressOutOfRange)
    #expect(AdditionalSense.writeProtected.text == "WRITE PROTECTED")
    #expect(AdditionalSense(0x7F, 0x7F).text == nil)
    #expect(AdditionalSense(text: "NO SUCH TEXT") == nil)
  }
}
