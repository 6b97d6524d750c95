/// Values beside each other.
struct JoinOperation {
  let parts: [Value]
  let output: Value

  func backward(_ tape: Tape) -> Int {
    guard let gradient = tape.gradient(output) else { return output.index }
    var offset = 0
    for part in parts {
      let size = part.shape.columns, stride = output.shape.columns, target = tape.takeGradient(part), source = gradient + offset
      tape.compute.forRows(part.shape.rows, costPerRow: size) { rows in
        for row in rows { (target.floats + row * size).update(from: source + row * stride, count: size) }
      }
      tape.give(target, to: part)
      offset += size
    }
    return output.index
  }
}

extension Tape {
  /// The rows of several values beside each other: `[rows, sum of sizes]`.
  public func join(_ parts: [Value]) -> Value {
    measured("join") {
      let rows = parts[0].shape.rows, stride = parts.reduce(0) { $0 + $1.shape.columns }
      let output = makeValue(Shape(rows, stride)), target = floats(output)
      var offset = 0
      for part in parts {
        let size = part.shape.columns, source = floats(part), start = target + offset
        compute.forRows(rows, costPerRow: size) { range in
          for row in range { (start + row * stride).update(from: source + row * size, count: size) }
        }
        offset += size
      }
      record(.join(JoinOperation(parts: parts, output: output)))
      return output
    }
  }
}
