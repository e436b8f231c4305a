import FaultInject
import Ring
import SimNet
import Testing

@Suite struct NetworkResetTests {
  @Test("A reset counts the connections that it ends; with none it has not fired")
  func reset() throws {
    let bench = Bench()
    #expect(bench.plan.arm(NetworkReset(bench.path)).fired == 0)
    let (left, right) = try bench.connect()
    #expect(bench.plan.arm(NetworkReset(bench.path)).fired == 1)
    for (index, socket) in [left, right].enumerated() {
      let receive = bench.perform(index) { $0.receive(on: socket, into: bench.extent(0, 64), token: $1) }
      #expect(receive?.error == .connectionReset)
    }
    #expect(bench.plan.arm(NetworkReset(bench.path)).fired == 0)
  }

  @Test("A reset one way is told to one end; the other learns of it when it sends")
  func resetOneWay() throws {
    let bench = Bench()
    let (left, right) = try bench.connect()
    let receiving = bench.emit(0) { $0.receive(on: left, into: bench.extent(0, 64), token: $1) }
    let path = NetworkPath(between: bench.hosts[0], and: bench.hosts[1], oneWay: true)
    #expect(bench.plan.arm(NetworkReset(path)).fired == 1)
    let receive = bench.perform(1) { $0.receive(on: right, into: bench.extent(0, 64), token: $1) }
    #expect(receive?.error == .connectionReset)
    bench.run(.seconds(60))
    #expect(bench.completion(receiving) == nil)
    _ = bench.perform(0) { $0.send(on: left, from: [bench.put([7])], token: $1) }
    bench.run(.milliseconds(1))
    #expect(bench.completion(receiving)?.error == .connectionReset)
  }
}
