public import SwiftletCheckpoints
internal import SwiftletTensors

/// Where the strips of weights come from, or go to.
enum WeightPacking {
  /// Nowhere: products make them as they go, which is slow; for models that are only looked at.
  case none
  /// Made in memory.
  case memory
  /// Written to a file; the tensors stay without them.
  case writing(PackedFileWriter, progress: (_ writtenBytes: Int) -> Void)
  /// Found in a file.
  case reading(PackedReading)

  /// A weight as products read it.
  /// - Parameter name: of the tensor in its file; with what was done to it, where it is a copy.
  func packed(_ tensor: Tensor, _ name: String) -> Tensor {
    switch self {
    case .none: return tensor
    case .memory: return tensor.packed()
    case .writing(let writer, let progress):
      writer.append(tensor, named: name)
      progress(writer.writtenBytes)
      return tensor
    case .reading(let reading): return reading.packed(tensor, name)
    }
  }
}

/// Looks up strips in a file, and compares some of them with the weights that they should come from.
final class PackedReading {
  /// Few, since the model's own file need not be in memory any more.
  private static let comparedStrips = 32
  let file: PackedFile
  /// Whether a weight was missing or other than expected: the file is of no use then.
  private(set) var hasFailed = false

  init(_ file: PackedFile) { self.file = file }

  func packed(_ tensor: Tensor, _ name: String) -> Tensor {
    guard let pieces = tensor.stripPieces(of: 1) else { return tensor }
    guard let entry = file.entries[name], entry.type == tensor.type, entry.shape == tensor.shape,
      entry.byteCount == pieces.byteCount
    else {
      hasFailed = true
      return tensor
    }
    // Of many tensors some, others each time.
    if Int.random(in: 0..<max(1, file.entries.count / Self.comparedStrips)) == 0 { compare(pieces, entry) }
    return tensor.withStrips(in: file.file.storage, byteOffset: entry.byteOffset)
  }

  private func compare(_ pieces: StripPieces, _ entry: PackedFile.Entry) {
    let strip = Int.random(in: 0..<pieces.byteCount / pieces.stripBytes)
    let expected = UnsafeMutableRawBufferPointer.allocate(byteCount: pieces.stripBytes, alignment: 64)
    defer { expected.deallocate() }
    guard let base = expected.baseAddress else { return }
    pieces.pack(strip: strip, into: base)
    let found = UnsafeRawBufferPointer(
      start: file.file.storage.address + entry.byteOffset + strip * pieces.stripBytes, count: pieces.stripBytes)
    if !found.elementsEqual(expected) { hasFailed = true }
  }
}

extension Decoder {
  /// A decoder whose packed weights lie in a file of a cache, which is made when it is not there.
  /// - Parameter needs: of the model.
  /// - Returns: nil when the cache cannot hold them, which it tells of (`PackedWeightCache.onEvent`).
  /// - Throws: `CheckpointError` naming the tensor of the model, what was found and what was expected.
  public static func cached(
    in cache: PackedWeightCache, _ configuration: ModelConfiguration, weights source: WeightSource, needs: MemoryNeeds,
    expertMemory: Int? = nil
  ) throws(CheckpointError) -> Decoder? {
    let withExperts = expertMemory == nil
    return try cache.decoder(
      of: source, identity: PackedWeightCache.identity(of: source, withExperts: withExperts),
      size: needs.sharedStrips + (withExperts ? needs.expertStrips : 0)
    ) { packing throws(CheckpointError) in
      try Decoder(configuration, weights: source, expertMemory: expertMemory, packing: packing)
    }
  }
}
