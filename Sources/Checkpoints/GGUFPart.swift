internal import Foundation
internal import SwiftletTensors

/// One file of a model in GGUF: the only one, or one of several that `llama-gguf-split` or its writer made. The first has all the
/// metadata, every one has `split.no` and `split.count`, and the others are found by their names.
struct GGUFPart {
  let path: String
  let file: MappedFile
  let content: GGUFReader.Content
  let tensors: [(name: String, tensor: Tensor)]
  /// More parts than any model has.
  private static let maximumCount = 10_000

  private init(path: String) throws(CheckpointError) {
    let file = try MappedFile(path: path)
    let content = try file.withBytes { bytes throws(CheckpointError) in
      var reader = GGUFReader(path: path, byteCount: bytes.byteCount)
      return try reader.read(bytes)
    }
    self.path = path
    self.file = file
    self.content = content
    tensors = content.tensors.map { info in
      (info.name, Tensor(storage: file.storage, byteOffset: info.offset, shape: Shape(info.shape), type: info.type))
    }
  }

  /// All parts of the file, in order.
  static func all(path: String) throws(CheckpointError) -> [GGUFPart] {
    let first = try GGUFPart(path: path)
    guard let count = try first.integer("split.count"), count > 1 else { return [first] }
    guard count <= maximumCount else { throw first.failure("split.count", "found \(count), expected at most \(maximumCount)") }
    let ending = name(0, of: count)
    guard path.hasSuffix(ending) else {
      if let number = try first.integer("split.no"), number > 0 {
        throw first.failure("split.no", "found \(number): this is one of \(count) parts of a model; open the first, …\(ending)")
      }
      throw first.failure(
        "split.count",
        "found \(count): this is one of \(count) parts of a model, which are found by their names; rename it to …\(ending)")
    }
    var parts = [first]
    for number in 1..<count { parts.append(try GGUFPart(path: path.dropLast(ending.count) + name(number, of: count))) }
    var seen = Set<[UInt8]>()
    for (number, part) in parts.enumerated() {
      let found = try (number: part.integer("split.no"), count: part.integer("split.count"))
      guard found == (number, count) else {
        let text = "\(found.number.map(String.init) ?? "none") of \(found.count.map(String.init) ?? "none")"
        throw part.failure("split.no", "found part \(text), expected \(number) of \(count); it belongs to another model")
      }
      for name in part.tensors.map(\.name) + part.content.unread.map(\.name) where !seen.insert(Array(name.utf8)).inserted {
        throw part.failure(name, "the tensor stands in an earlier part too")
      }
    }
    if let total = try first.integer("split.tensors.count"), total != seen.count {
      throw first.failure("split.tensors.count", "found \(total), but the parts have \(seen.count) tensors together")
    }
    return parts
  }

  /// What the name of a part ends with.
  private static func name(_ number: Int, of count: Int) -> String {
    String(format: "-%05d-of-%05d.gguf", number + 1, count)
  }

  private func integer(_ key: String) throws(CheckpointError) -> Int? {
    guard let value = content.metadata.first(where: { $0.key == key })?.value else { return nil }
    guard let integer = value.integer else { throw failure(key, "found \(value.summary), expected an integer") }
    return integer
  }

  private func failure(_ field: String, _ reason: String) -> CheckpointError {
    CheckpointError(file: path, field: field, reason: reason)
  }
}
