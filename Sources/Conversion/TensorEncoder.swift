internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletTensors
internal import Synchronization

/// Makes the bytes of planned tensors, piece by piece on all threads. Its memory is bounded whatever the tensors' sizes: one piece of
/// the result, and for each thread some rows in F32.
final class TensorEncoder {
  /// Values of one piece; longer rows are pieces of their own.
  private static let pieceValues = 4 << 20
  /// Values that a thread takes at once.
  private static let shareValues = 1 << 16
  private let kernels = Kernels.best
  private let pool: WorkerPool
  private var scratch: [Storage]
  private var buffer = Storage(byteCount: 64)
  /// Of the model the tensors come from, for errors.
  private let source: String

  init(threadCount: Int, source: String) {
    pool = WorkerPool(threadCount: threadCount)
    scratch = (0..<pool.threadCount).map { _ in Storage(byteCount: 64) }
    self.source = source
  }

  /// Hands the tensor's bytes to `sink`, in order.
  /// - Throws: `CheckpointError` when a value is not finite or does not fit the type; what `sink` throws; `CancellationError` when the
  ///   task is cancelled.
  func write(_ plan: TensorPlan, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    var firstRow = 0
    for part in plan.parts {
      if part.order == .transposed {
        try write(rows: part.tensor.transposedFloats(), .asStored, plan, firstRow, sink)
        firstRow += part.tensor.shape.columns
      } else {
        try write(rows: part.tensor, part.order, plan, firstRow, sink) { done in
          if part.isMapped, part.order == .asStored { part.tensor.giveBackPages(ofRows: done) }
        }
        firstRow += part.tensor.shape.rows
      }
      if part.isMapped { part.tensor.giveBackPages(ofRows: 0..<part.tensor.shape.rows) }
    }
  }

  private func write(
    rows tensor: Tensor, _ order: TensorPlan.RowOrder, _ plan: TensorPlan, _ firstRow: Int,
    _ sink: (UnsafeRawBufferPointer) throws -> Void,
    isRead: (Range<Int>) -> Void = { _ in }
  ) throws {
    let columns = tensor.shape.columns, rows = tensor.shape.rows
    guard let rowBytes = plan.type.byteCount(of: columns), columns > 0 else {
      throw failure(plan, "its rows of \(columns) values are no whole blocks of \(plan.type.name)")
    }
    let pieceRows = max(1, Self.pieceValues / columns), shareRows = max(1, Self.shareValues / columns)
    reserve(pieceBytes: min(rows, pieceRows) * rowBytes, shareBytes: min(rows, shareRows) * columns * 4)
    let copies = tensor.type == plan.type && plan.delta == nil
    for start in stride(from: 0, to: rows, by: pieceRows) {
      try Task.checkCancellation()
      let end = min(rows, start + pieceRows)
      let isFailed = Atomic<Bool>(false)
      pool.run((end - start + shareRows - 1) / shareRows) { share, thread in
        let first = start + share * shareRows, last = min(end, first + shareRows)
        let values = scratch[thread].address.assumingMemoryBound(to: Float.self)
        var destination = buffer.address + (first - start) * rowBytes
        let count = (last - first) * columns
        if order == .asStored {
          kernels.expand(tensor.rows(first..<last), into: values)
        } else {
          for row in first..<last {
            let from = order.sourceRow(row)
            kernels.expand(tensor.rows(from..<from + 1), into: values + (row - first) * columns)
          }
        }
        plan.delta?.add(toRows: firstRow + first..<firstRow + last, values, kernels: kernels)
        if copies {
          if !Self.areFinite(UnsafeBufferPointer(start: values, count: count)) { isFailed.store(true, ordering: .relaxed) }
          for row in first..<last {
            destination.copyMemory(from: tensor.rowAddress(order.sourceRow(row)), byteCount: rowBytes)
            destination += rowBytes
          }
        } else if !kernels.quantize(values, count: count, to: plan.type, into: destination) {
          isFailed.store(true, ordering: .relaxed)
        }
      }
      if isFailed.load(ordering: .relaxed) {
        throw failure(plan, "has a value in rows \(start) to \(end - 1) that is not finite or does not fit \(plan.type.name)")
      }
      try sink(UnsafeRawBufferPointer(start: buffer.address, count: (end - start) * rowBytes))
      isRead(start..<end)
    }
  }

  private func failure(_ plan: TensorPlan, _ reason: String) -> CheckpointError {
    CheckpointError(file: source, field: plan.name, reason: reason)
  }

  private func reserve(pieceBytes: Int, shareBytes: Int) {
    if buffer.byteCount < pieceBytes { buffer = Storage(byteCount: pieceBytes) }
    for index in scratch.indices where scratch[index].byteCount < shareBytes { scratch[index] = Storage(byteCount: shareBytes) }
  }

  /// Infinities and NaN are what has all bits of the exponent set.
  private static func areFinite(_ values: UnsafeBufferPointer<Float>) -> Bool {
    var largest: UInt32 = 0
    for value in values { largest = max(largest, value.bitPattern & 0x7FFF_FFFF) }
    return largest < 0x7F80_0000
  }
}

extension Tensor {
  /// Of a tensor in a mapped file: lets the system have the whole pages of the rows, so that a model is never in memory as a whole.
  /// Who reads them again gets them from the file.
  fileprivate func giveBackPages(ofRows rows: Range<Int>) {
    let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
    let start = (UInt(bitPattern: rowAddress(rows.lowerBound)) + page - 1) / page * page
    let end = UInt(bitPattern: rowAddress(rows.upperBound)) / page * page
    if start < end { madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_DONTNEED) }
  }

  /// `[columns, rows]` in F32, in memory of its own: for the matrix of one head.
  fileprivate func transposedFloats() -> Tensor {
    let rows = shape.rows, columns = shape.columns
    let values = floatArray()
    let result = Tensor(zeros: Shape(columns, rows))
    for row in 0..<rows {
      for column in 0..<columns { result.floats[column * rows + row] = values[row * columns + column] }
    }
    return result
  }
}
