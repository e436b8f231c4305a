import Foundation
import Target

/// Plays the pipeline of a read at the depths 1 to 256 with each send policy, in the simulation, and prints a line of
/// figures a cell, with what the closed form says beside it.
///
///     swift run -c release pipeline-bench Benchmarks/pipelines/gigabit.json …
@main
struct PipelineBench {
  static let depths = [1, 2, 4, 8, 16, 32, 64, 128, 256]

  static func main() throws {
    let files = CommandLine.arguments.dropFirst()
    guard !files.isEmpty else {
      print("usage: pipeline-bench SETUP.json …    figures of each setup, policy and depth, tab-separated")
      exit(2)
    }
    let stages = ["CP", "CK", "W1", "SI", "SP", "SK", "W2", "CI", "client_core", "server_core"]
    print(
      ([
        "setup", "policy", "depth", "commands_per_s", "p50_us", "p99_us", "segments_per_command", "client_us",
        "network_us", "server_us",
      ] + stages + ["predicted_per_s", "round_trip_us", "plateau_per_s", "longest"]).joined(separator: "\t"))
    for file in files {
      let setup = try Setup(file: file)
      for policy in SendPolicy.allCases {
        for depth in depths { cell(setup, policy, depth) }
      }
    }
  }

  private static func cell(_ setup: Setup, _ policy: SendPolicy, _ depth: Int) {
    guard let result = PipelineWorld.run(setup, policy, depth: depth, commands: 2000 + 60 * depth) else {
      FileHandle.standardError.write(Data("\(setup.name) \(policy) \(depth): did not finish\n".utf8))
      exit(1)
    }
    let sharing = Prediction.Sharing(policy, depth: depth, perSegment: 1 / result.segments)
    let plateau = Prediction.plateau(setup, sharing)
    var fields = [setup.name, "\(policy)", "\(depth)"]
    fields.append(String(format: "%.0f", result.rate))
    fields += [result.p50, result.p99].map { String(format: "%.1f", $0) }
    fields.append(String(format: "%.3f", result.segments))
    fields += [result.shares.client, result.shares.network, result.shares.server].map {
      String(format: "%.1f", $0 / 1000)
    }
    fields += result.utilisation.map { String(format: "%.2f", $0.part) }
    fields.append(String(format: "%.0f", Prediction.rate(setup, depth: depth, sharing)))
    fields.append(String(format: "%.1f", Prediction.roundTrip(setup) / 1000))
    fields.append(String(format: "%.0f", plateau.rate))
    fields.append(plateau.stage)
    print(fields.joined(separator: "\t"))
  }
}
