import SimClock
import Testing

@testable import SimRing

@Suite struct TokenMapTests {
  @Test("A token is found from its insertion to its removal, whatever has been removed beside it")
  func model() {
    var map = TokenMap()
    var model: [UInt64: Int] = [:]
    var random = RandomStream(seed: 1)
    let keys = (0..<200).map { _ in random.next() }
    for round in 0..<4000 {
      let key = keys[random.next(below: keys.count)]
      if let value = model.removeValue(forKey: key) {
        map.remove(key, value)
      } else {
        let isNew = map.insert(key, round)
        #expect(isNew)
        model[key] = round
      }
      #expect(map.count == model.count)
      guard round % 20 == 0 else { continue }
      #expect(keys.allSatisfy { map[$0] == model[$0] }, "round \(round)")
    }
  }
}
