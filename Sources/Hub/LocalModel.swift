import Foundation

/// A model's files on this machine.
public struct LocalModel: Sendable, Equatable {
  public enum Files: Sendable, Equatable {
    /// Absolute paths of a GGUF file, or of all parts of a split one in order.
    case gguf([String])
    /// The absolute path of a folder with `config.json`, `tokenizer.json` and `model*.safetensors`, or some of them.
    case folder(String)
  }

  /// The reference that finds it.
  public var name: String
  public var files: Files

  /// The model at a path that a person gave.
  ///
  /// A file is a GGUF file, whatever its name (one part of a split brings the others), a `.safetensors` file stands for its folder.
  /// A folder is taken as it is when it has safetensors, else for the GGUF model in it, else as it is when it has at least
  /// `config.json` or `tokenizer.json`. GGUF repositories have a `config.json` too.
  init(path: String) throws(HubError) {
    guard let entry = FileSystem.entry(path) else { throw .pathNotFound(path) }
    name = path
    guard entry.isFolder else {
      let folder = (path as NSString).deletingLastPathComponent
      if path.lowercased().hasSuffix(".safetensors") {
        files = .folder(folder)
      } else if let split = SplitName((path as NSString).lastPathComponent) {
        let (found, missing) = split.parts(among: FileSystem.names(in: folder))
        guard missing.isEmpty else { throw .incompleteSplit(file: path, missing: missing) }
        files = .gguf(found.map { folder + "/" + $0 })
      } else {
        files = .gguf([path])
      }
      return
    }
    guard access(path, R_OK | X_OK) == 0 else {
      throw .fileSystem(operation: "read the folder", path: path, reason: FileSystem.reason(ofErrno: errno))
    }
    let names = FileSystem.names(in: path)
    let paths = FileSystem.files(below: path, depth: 2)
    if names.contains(where: { $0.hasSuffix(".safetensors") })
      || names.contains(where: { ["config.json", "tokenizer.json"].contains($0) }) && ModelFiles.ggufVariants(in: paths).isEmpty
    {
      files = .folder(path)
    } else {
      let model = try ModelFiles.select(from: paths, quantization: nil, place: path)
      files = .gguf(model.paths.map { path + "/" + $0 })
    }
  }

  init(_ model: ModelFiles, in folder: String, name: String) {
    self.name = name
    files = model.format == .gguf ? .gguf(model.paths.map { folder + "/" + $0 }) : .folder(folder)
  }
}
