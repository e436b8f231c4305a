import Ring
import SimNet
import SimRing

extension WorkDescription {
  /// What it says of the threads.
  var thread: ThreadWork {
    var result = ThreadWork()
    result.wake = wake ?? .zero
    result.step = step ?? .zero
    result.completion = completion ?? .zero
    result.kibibyteIn = received ?? .zero
    result.kibibyteOut = sent ?? .zero
    return result
  }

  /// What it says of the network's stages.
  var network: NetworkWork {
    var result = NetworkWork()
    result.send = send ?? .zero
    result.segmentOut = segmentOut ?? .zero
    result.kibibyteOut = kibibyteOut ?? .zero
    result.transmitDelay = transmitDelay ?? .zero
    result.segmentIn = segmentIn ?? .zero
    result.kibibyteIn = kibibyteIn ?? .zero
    result.interruptDelay = interruptDelay ?? .zero
    result.oneCore = oneCore
    return result
  }
}
