/// Tensors that share bytes could describe any amount of memory in a small file, so no reader accepts them.
///
/// - Parameter places: each tensor's name and bytes; empty ones never overlap.
/// - Returns: two tensors that share a byte; nil when there are none.
func firstOverlap(_ places: [(name: String, bytes: Range<Int>)]) -> (first: String, second: String)? {
  let sorted = places.filter { !$0.bytes.isEmpty }.sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
  for (left, right) in zip(sorted, sorted.dropFirst()) where right.bytes.lowerBound < left.bytes.upperBound {
    return (left.name, right.name)
  }
  return nil
}
