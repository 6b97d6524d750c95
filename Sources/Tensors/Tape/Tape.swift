/// In which form matrix products take their operands. Sums are F32 in any case.
public enum ProductPrecision: String, Sendable, CaseIterable {
  case float32
  case bfloat16
  /// E4M3 with scales, for linear layers; see `Float8.swift`.
  case float8 = "fp8"

  /// The type of the kernels' strips. FP8 values are multiplied as F32, which holds them with their scales.
  var type: Int32 { (self == .bfloat16 ? ElementType.bfloat16 : .float32).rawValue }

  /// Of products that FP8 leaves alone (DeepSeek-V3 report, section 3.3.1).
  public var original: ProductPrecision { self == .float8 ? .bfloat16 : self }
}

/// A tensor that was computed on a tape.
public struct Value: Sendable {
  let index: Int
  public let shape: Shape
}

/// Records what whole operations compute, and runs back through them for the gradients.
///
/// Every operation is a method that computes its result at once and records itself; `backward` then adds to the gradient of every
/// parameter. Results do not depend on the number of threads: work is split over rows of results, never over a sum.
///
/// A tape is used by one thread at a time, as `Compute` is. Its memory is used again from step to step.
public final class Tape {
  public let compute: Compute
  /// Of linear layers and experts.
  public let precision: ProductPrecision
  /// Of attention and the head.
  public let attentionPrecision: ProductPrecision
  /// Whether layers given to `recomputing` keep nothing but their input.
  public var recomputesActivations = false
  /// Whether the way forward has the bits of generation with the same weights in the same precision: attention then goes the way of
  /// `Compute.attention`, with keys and values as a cache holds them, in F32 or BF16. All else is the same in any case. FP8 has no such generation.
  public var matchesGeneration = false
  /// Whether operations are recorded; without, losses are computed alone.
  public var recordsGradients = true
  /// What operations took, when it is there: seconds by name.
  public var profile: TapeProfile?
  let pool = BufferPool()
  /// Whether a forward pass runs once more, for its gradients.
  public private(set) var isRecomputing = false
  private var slots: [Slot] = []
  /// Of frozen weights, for the operation that runs.
  var expandedBuffers: [Buffer] = []
  private var operations: [Operation] = []

  private struct Slot {
    var buffer: Buffer?
    var shape: Shape
    var gradient: Buffer?
  }

  /// What was recorded. Payloads say what `backward` needs.
  enum Operation {
    case embedding(EmbeddingOperation)
    case linear(LinearOperation)
    case rmsNorm(NormOperation)
    case rotary(RotaryOperation)
    case add(AddOperation)
    case scaledAdd(ScaledAddOperation)
    case swiglu(GatingOperation)
    case join(JoinOperation)
    case attention(AttentionOperation)
    case router(RouterOperation)
    case feedForward(FeedForwardOperation)
    case headLoss(HeadLossOperation)
    case recompute(RecomputeOperation)
  }

  /// - Parameter attentionPrecision: of attention and the head, which FP8 leaves alone; as `precision` unless told otherwise.
  public init(compute: Compute, precision: ProductPrecision, attentionPrecision: ProductPrecision? = nil) {
    self.compute = compute
    self.precision = precision
    self.attentionPrecision = (attentionPrecision ?? precision).original
  }

  var kernels: Kernels { compute.kernels }

  /// Bytes of activations and gradients, in use or ready to be.
  public var byteCount: Int { pool.byteCount }

  /// Forgets everything that was recorded and takes the memory back.
  public func reset() {
    operations.removeAll(keepingCapacity: true)
    truncateSlots(to: 0)
  }

  /// Gives memory that is not in use back to the system, where there is much more than was ever in use.
  public func trimMemory() { pool.trim() }

  // MARK: - Values

  /// An uninitialised value.
  func makeValue(_ shape: Shape) -> Value {
    slots.append(Slot(buffer: pool.take(shape.count), shape: shape))
    return Value(index: slots.count - 1, shape: shape)
  }

  /// A value in the memory of another, which has none from then on.
  func moveValue(_ value: Value) -> Value {
    slots.append(Slot(buffer: slots[value.index].buffer, shape: value.shape))
    slots[value.index].buffer = nil
    return Value(index: slots.count - 1, shape: value.shape)
  }

  /// Takes the memory of a value back that no operation reads any more.
  func releaseValue(_ value: Value) {
    if let buffer = slots[value.index].buffer { pool.release(buffer) }
    slots[value.index].buffer = nil
  }

  /// A value that is put in from outside, for tests and for operations of others: `[rows, columns]`, row-major.
  public func constant(_ values: [Float], shape: Shape) -> Value {
    precondition(values.count == shape.count, "\(values.count) values for \(shape)")
    let value = makeValue(shape)
    values.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { floats(value).update(from: base, count: values.count) }
    }
    return value
  }

  func floats(_ value: Value) -> UnsafeMutablePointer<Float> {
    guard let buffer = slots[value.index].buffer else { preconditionFailure("the value was released") }
    return buffer.floats
  }

  /// The value's numbers, row-major.
  public func array(_ value: Value) -> [Float] { Array(UnsafeBufferPointer(start: floats(value), count: value.shape.count)) }

  /// Its gradient's, or nil when none came to it.
  public func gradientArray(_ value: Value) -> [Float]? {
    slots[value.index].gradient.map { Array(UnsafeBufferPointer(start: $0.floats, count: value.shape.count)) }
  }

  // MARK: - Gradients

  /// The gradient that came to a value; nil when none did.
  func gradient(_ value: Value) -> UnsafeMutablePointer<Float>? { slots[value.index].gradient?.floats }

  /// Memory for a gradient that an operation then writes whole; `give` takes it.
  func takeGradient(_ value: Value) -> Buffer { pool.take(value.shape.count) }

  /// Adds to a value's gradient; the buffer belongs to the tape from then on.
  func give(_ buffer: Buffer, to value: Value) {
    guard let present = slots[value.index].gradient else {
      slots[value.index].gradient = buffer
      return
    }
    let target = unshared(present, of: value)
    add(buffer.floats, to: target.floats, count: value.shape.count)
    pool.release(buffer)
  }

  /// Lets two values have one gradient until one of them adds to it.
  func share(_ buffer: Buffer, with value: Value) {
    pool.retain(buffer)
    give(buffer, to: value)
  }

  func gradientBuffer(_ value: Value) -> Buffer? { slots[value.index].gradient }

  /// The value's gradient to be added to in place; zeros when none came so far.
  func gradientToAdd(_ value: Value) -> UnsafeMutablePointer<Float> {
    if let present = slots[value.index].gradient { return unshared(present, of: value).floats }
    let buffer = pool.take(value.shape.count)
    zero(buffer.floats, count: value.shape.count)
    slots[value.index].gradient = buffer
    return buffer.floats
  }

  /// Where an operation puts a value's gradient: to be written whole when it is new, else to be added to.
  func gradientTarget(_ value: Value) -> (target: UnsafeMutablePointer<Float>, isNew: Bool) {
    if let present = slots[value.index].gradient { return (unshared(present, of: value).floats, false) }
    let buffer = pool.take(value.shape.count)
    slots[value.index].gradient = buffer
    return (buffer.floats, true)
  }

  private func unshared(_ buffer: Buffer, of value: Value) -> Buffer {
    if buffer.references == 1 { return buffer }
    let copy = pool.take(value.shape.count), source = buffer.floats, target = copy.floats
    compute.forRows(value.shape.count, costPerRow: 1) {
      (target + $0.lowerBound).update(from: source + $0.lowerBound, count: $0.count)
    }
    pool.release(buffer)
    slots[value.index].gradient = copy
    return copy
  }

  func zero(_ target: UnsafeMutablePointer<Float>, count: Int) {
    compute.forRows(count, costPerRow: 1) { (target + $0.lowerBound).update(repeating: 0, count: $0.count) }
  }

  func add(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int) {
    compute.forRows(count, costPerRow: 1) {
      kernels.table.pointee.add_scaled(source + $0.lowerBound, 1, $0.count, target + $0.lowerBound)
    }
  }

  // MARK: - Running back

  func record(_ operation: Operation) {
    if recordsGradients { operations.append(operation) } else { release(operation) }
  }

  /// Adds the gradients of everything recorded to those of the parameters. Losses brought the first gradients.
  public func backward() {
    backward(downTo: 0)
    reset()
  }

  /// Runs `backward` from a given gradient of a value; gradients of values stay readable until `reset`. For tests.
  public func backward(from value: Value, gradient: [Float]) {
    let buffer = takeGradient(value)
    gradient.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { buffer.floats.update(from: base, count: gradient.count) }
    }
    give(buffer, to: value)
    while let operation = operations.popLast() { run(operation) }
  }

  /// Operations from `first` on; their values are given back as soon as nothing before them needs them.
  private func backward(downTo first: Int) {
    while operations.count > first, let operation = operations.popLast() {
      let firstOutput = run(operation)
      truncateSlots(to: firstOutput)
    }
  }

  /// - Returns: the first slot that only this operation and later ones use.
  @discardableResult private func run(_ operation: Operation) -> Int {
    let start = profile?.start()
    defer {
      releaseExpandedStrips()
      if let start { profile?.stop(start, Self.name(operation), isForward: false) }
    }
    switch operation {
    case .embedding(let operation): return operation.backward(self)
    case .linear(let operation): return operation.backward(self)
    case .rmsNorm(let operation): return operation.backward(self)
    case .rotary(let operation): return operation.backward(self)
    case .add(let operation): return operation.backward(self)
    case .scaledAdd(let operation): return operation.backward(self)
    case .swiglu(let operation): return operation.backward(self)
    case .join(let operation): return operation.backward(self)
    case .attention(let operation): return operation.backward(self)
    case .router(let operation): return operation.backward(self)
    case .feedForward(let operation): return operation.backward(self)
    case .headLoss(let operation): return operation.backward(self)
    case .recompute(let operation): return operation.backward(self)
    }
  }

  private static func name(_ operation: Operation) -> String {
    switch operation {
    case .embedding: "embedding"
    case .linear: "linear"
    case .rmsNorm: "rmsNorm"
    case .rotary: "rotary"
    case .add: "add"
    case .scaledAdd: "scaledAdd"
    case .swiglu: "swiglu"
    case .join: "join"
    case .attention: "attention"
    case .router: "router"
    case .feedForward: "feedForward"
    case .headLoss: "headLoss"
    case .recompute: "recompute"
    }
  }

  /// Measures a forward operation when there is a profile.
  func measured<Result>(_ name: String, _ body: () -> Result) -> Result {
    let start = profile?.start()
    defer {
      releaseExpandedStrips()
      if let start { profile?.stop(start, name, isForward: true) }
    }
    return body()
  }

  private func truncateSlots(to count: Int) {
    while slots.count > count, let slot = slots.popLast() {
      if let buffer = slot.buffer { pool.release(buffer) }
      if let buffer = slot.gradient { pool.release(buffer) }
    }
  }

  // MARK: - Recomputation

  /// A part of the model whose activations are not kept but computed again for its gradients (Chen et al. 2016), when
  /// `recomputesActivations` says so.
  /// - Parameter body: computes one value from another; it must do the same every time.
  public func recomputing(_ input: Value, _ body: @escaping (Tape, Value) -> Value) -> Value {
    guard recomputesActivations, recordsGradients, !isRecomputing else { return body(self, input) }
    let firstOperation = operations.count, firstSlot = slots.count
    let inner = body(self, input)
    for operation in operations[firstOperation...] { release(operation) }
    operations.removeLast(operations.count - firstOperation)
    // Only the result stays, in the place of the first.
    let kept = slots[inner.index].buffer
    slots[inner.index].buffer = nil
    truncateSlots(to: firstSlot)
    slots.append(Slot(buffer: kept, shape: inner.shape))
    let output = Value(index: firstSlot, shape: inner.shape)
    record(.recompute(RecomputeOperation(input: input, output: output, body: body)))
    return output
  }

  struct RecomputeOperation {
    let input: Value
    let output: Value
    let body: (Tape, Value) -> Value

    func backward(_ tape: Tape) -> Int {
      guard let gradient = tape.slots[output.index].gradient else { return output.index }
      tape.slots[output.index].gradient = nil
      tape.truncateSlots(to: output.index)
      let first = tape.operations.count
      tape.isRecomputing = true
      let value = body(tape, input)
      tape.isRecomputing = false
      tape.give(gradient, to: value)
      tape.backward(downTo: first)
      return output.index
    }
  }

  /// Takes back what an operation that will not run kept beside its values.
  private func release(_ operation: Operation) {
    switch operation {
    case .attention(let operation): operation.release(self)
    case .feedForward(let operation): operation.release(self)
    case .headLoss(let operation): operation.release(self)
    case .embedding, .linear, .rmsNorm, .rotary, .add, .scaledAdd, .swiglu, .join, .router, .recompute: break
    }
  }
}
