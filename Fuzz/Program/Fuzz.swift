import Fuzzing
import Glibc

// The program that libFuzzer drives: what is fuzzed is in the environment, where the processes that libFuzzer starts for itself
// find it as well; its arguments are libFuzzer's own. Built by scripts/fuzz alone, as the runtime is a part of the compiler that
// no other build links.

/// libFuzzer's driver (its FuzzerInterface.h): generates inputs, and calls `play` with each.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ play: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// What is fuzzed: set once, before the driver begins.
nonisolated(unsafe) private var target = FuzzTarget.wire

/// The entry of the program: SwiftPM calls that of an executable so, by the name of its module.
@_cdecl("Fuzz_main")
public func main(
  _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
  guard let name = getenv("SIMSAN_FUZZ"), let chosen = FuzzTarget(rawValue: String(cString: name)) else {
    print("expected SIMSAN_FUZZ to be one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))")
    return 2
  }
  target = chosen
  var count = count
  var pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = arguments
  return runDriver(&count, &pointer) { bytes, length in
    let faults = target.faults(of: UnsafeRawBufferPointer(start: bytes, count: length))
    // A trap is how libFuzzer learns of it, beside those of the code under test.
    if !faults.isEmpty { fatalError(faults.joined(separator: "\n")) }
    return 0
  }
}
