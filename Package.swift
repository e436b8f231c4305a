// swift-tools-version: 6.1
import PackageDescription

// Release builds inline across modules: the wire formats, the ring and the target are separate rooms, and the path of a
// read crosses all of them. Debug builds stay module by module, so that an edit rebuilds in seconds.
// They also leave out the run-time checks of exclusive access, which debug builds and their tests keep.
let swift: [SwiftSetting] = [
  .unsafeFlags(["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

/// A library room: `Sources/<name>`.
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swift)
}

/// The tests of a room: `Tests/<name>Tests`.
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name + "Tests", dependencies: dependencies, path: "Tests/" + name + "Tests", swiftSettings: swift)
}

let package = Package(
  name: "simsan",
  products: [.executable(name: "simsan", targets: ["simsan"])],
  targets: [
    // C shims, with nothing in them that has a decision to take. CDigest stands apart from CHost so that the wire
    // formats can compute a digest without seeing a system header.
    .target(name: "CDigest", cSettings: [.unsafeFlags(["-O2"])]),
    // So does CMemory, for arenas and for the blocks that a target keeps itself.
    .target(name: "CMemory", cSettings: [.unsafeFlags(["-O2"])]),
    .target(name: "CHost", linkerSettings: [.linkedLibrary("uring"), .linkedLibrary("aio")]),
    // Replaces malloc, so only what is run by itself links it: the program, and the tests.
    .target(name: "CAllocation", cSettings: [.unsafeFlags(["-O2"])]),
    .target(name: "CLua", linkerSettings: [.linkedLibrary("lua5.4"), .linkedLibrary("m")]),

    room("Ring", ["CMemory"]),
    room("ISCSI", ["CDigest"]),
    room("SCSI"),
    room("Target", ["Ring", "ISCSI", "SCSI", "CMemory"]),
    room("Initiator", ["Ring", "ISCSI", "SCSI"]),
    room("Load", ["Ring", "ISCSI", "SCSI"]),
    room("Monitor", ["Ring", "ISCSI"]),
    room("HostRing", ["Ring", "CHost"]),
    room("SimClock", ["Ring"]),
    room("SimNet", ["Ring", "SimClock"]),
    room("SimDisk", ["Ring", "SimClock"]),
    room("SimRing", ["Ring", "SimClock", "SimNet", "SimDisk"]),
    room("FaultInject", ["Ring", "SimClock", "SimNet", "SimDisk", "SimRing"]),
    room(
      "Conformance",
      [
        "Ring", "ISCSI", "SCSI", "Target", "Initiator", "Monitor", "SimClock", "SimNet", "SimDisk", "SimRing",
        "FaultInject", "CLua",
      ]),
    // Plays of any bytes, for the fuzzer and for the tests.
    room("Fuzzing", ["Ring", "ISCSI", "SCSI", "Target", "Initiator", "Load", "SimClock"]),
    .executableTarget(
      name: "simsan",
      dependencies: [
        "Conformance", "HostRing", "FaultInject", "SimClock", "Ring", "Target", "Initiator", "Load", "Monitor", "ISCSI",
        "CAllocation",
      ],
      swiftSettings: swift),

    // What the target costs by itself.
    .executableTarget(
      name: "machine-bench", dependencies: ["Target", "ISCSI", "SCSI", "Ring"], path: "Benchmarks/MachineBench",
      swiftSettings: swift),

    .executableTarget(
      name: "simulation-bench",
      dependencies: ["Target", "Initiator", "ISCSI", "Ring", "SimRing", "SimNet", "SimDisk", "SimClock"],
      path: "Benchmarks/SimulationBench", swiftSettings: swift),

    .executableTarget(
      name: "pipeline-bench", dependencies: ["Target", "Load", "Ring", "SimRing", "SimNet", "SimClock"],
      path: "Benchmarks/PipelineBench", swiftSettings: swift),

    tests("Architecture", []),
    // The meaning of every operation, as one body of tests for all rings.
    .target(name: "RingSuite", dependencies: ["Ring"], path: "Tests/RingSuite", swiftSettings: swift),
    tests("ISCSI", ["ISCSI", "CDigest"]),
    tests("Initiator", ["Initiator", "ISCSI", "Ring", "Target", "SimRing", "SimNet", "SimClock"]),
    tests("SCSI", ["SCSI"]),
    tests("Monitor", ["Monitor", "ISCSI", "Ring", "SimNet"]),
    tests("Load", ["Load", "ISCSI", "Ring", "Target", "SimRing", "SimNet", "SimClock"]),
    tests("HostRing", ["HostRing", "Ring", "RingSuite", "FaultInject", "SimClock", "CAllocation"]),
    tests("SimClock", ["SimClock", "Ring"]),
    tests("FaultInject", ["FaultInject", "SimRing", "SimNet", "SimDisk", "SimClock", "Ring", "RingSuite"]),
    tests("SimNet", ["SimNet", "SimClock", "Ring"]),
    tests("SimDisk", ["SimDisk", "SimClock", "Ring"]),
    tests("SimRing", ["SimRing", "FaultInject", "SimNet", "SimDisk", "SimClock", "Ring", "RingSuite"]),
    tests("Target", ["Target", "Ring", "SCSI", "ISCSI", "CAllocation"]),
    tests(
      "Simsan",
      [
        "simsan", "Conformance", "FaultInject", "HostRing", "ISCSI", "Load", "Monitor", "Ring", "SimClock", "SimNet",
        "Target",
      ]),
    tests("Conformance", ["Conformance", "Ring", "ISCSI", "SCSI", "Initiator", "FaultInject", "SimRing"]),
    tests("Fuzzing", ["Fuzzing", "ISCSI", "Ring"]),
  ],
  swiftLanguageModes: [.v6]
)

// What libFuzzer drives. Its runtime is the compiler's own, and scripts/fuzz alone has it linked in.
if Context.environment["SIMSAN_FUZZ"] != nil {
  let library: [SwiftSetting] = [.unsafeFlags(["-parse-as-library"])]
  // GNU's gold breaks down over the runtime.
  let linker: [LinkerSetting] = [.unsafeFlags(["-use-ld=lld"])]
  package.targets.append(
    .executableTarget(
      name: "Fuzz", dependencies: ["Fuzzing"], path: "Fuzz/Program", swiftSettings: swift + library,
      linkerSettings: linker))
}
