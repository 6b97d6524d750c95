import Foundation

/// The layout of the hub's cache, as `huggingface_hub` makes it:
///
///     models--org--repo/blobs/ETAG                      the content, named by its checksum; ETAG.incomplete while it comes
///     models--org--repo/snapshots/COMMIT/folder/file -> ../../../blobs/ETAG
///     models--org--repo/refs/main                       the commit, without a line end
///     .locks/models--org--repo/ETAG.lock
struct HubCache: Sendable {
  let root: String

  func folder(of repository: String) -> String {
    root + "/models--" + repository.split(separator: "/").joined(separator: "--")
  }

  func blobs(of repository: String) -> String { folder(of: repository) + "/blobs" }

  /// The absolute paths of downloads that are under way or were interrupted.
  func partials(of repository: String) -> [String] {
    let blobs = blobs(of: repository)
    return FileSystem.names(in: blobs).filter { $0.hasSuffix(".incomplete") }.map { blobs + "/" + $0 }
  }

  func snapshot(_ commit: String, of repository: String) -> String { folder(of: repository) + "/snapshots/" + commit }

  /// The absolute paths of all files of all snapshots, however deep in folders: what none of them points to may be removed.
  func snapshotFiles(of repository: String) -> [String] {
    let snapshots = folder(of: repository) + "/snapshots"
    return FileSystem.files(below: snapshots, depth: .max).map { snapshots + "/" + $0 }
  }

  func lock(_ checksum: String, of repository: String) -> String {
    root + "/.locks/" + (folder(of: repository) as NSString).lastPathComponent + "/" + checksum + ".lock"
  }

  /// Points a file of a snapshot to its blob, with the relative link that lets the cache be moved.
  func link(_ file: RepositoryFile, commit: String, of repository: String) throws(HubError) {
    let path = snapshot(commit, of: repository) + "/" + file.path
    try FileSystem.makeFolder((path as NSString).deletingLastPathComponent)
    let depth = file.path.split(separator: "/").count - 1
    try FileSystem.link(path, to: String(repeating: "../", count: depth + 2) + "blobs/" + file.checksum.hexadecimal)
  }

  /// Remembers which commit a branch or tag meant.
  func setReference(_ revision: String, to commit: String, of repository: String) throws(HubError) {
    guard revision != commit else { return }
    let path = folder(of: repository) + "/refs/" + revision
    try FileSystem.makeFolder((path as NSString).deletingLastPathComponent)
    try FileSystem.write(commit, to: path)
  }

  /// Forgets what a branch or tag meant, and says whether no other one means the same commit.
  func forget(_ revision: String, _ commit: String, of repository: String) throws(HubError) -> Bool {
    let references = folder(of: repository) + "/refs"
    if revision != commit { try FileSystem.remove(references + "/" + revision) }
    return !FileSystem.files(below: references).contains { name in
      FileSystem.text(references + "/" + name)?.trimmingCharacters(in: .whitespacesAndNewlines) == commit
    }
  }

  /// Makes the cache's folder, with the tag by which backup tools know to leave it out.
  func prepare() throws(HubError) {
    try FileSystem.makeFolder(root)
    let tag = root + "/CACHEDIR.TAG"
    guard FileSystem.entry(tag) == nil else { return }
    try FileSystem.write(
      "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of downloaded models: https://bford.info/cachedir/\n", to: tag)
  }

  /// The commits to look in for a revision. For `main` all of which something is here, its own first, then the newest: tools that
  /// fetch by commit leave no branch. Any other revision is the commit it was fetched as, and is not replaced by another.
  func snapshots(of repository: String, revision: String) -> [String] {
    let folder = folder(of: repository)
    let commit =
      FileSystem.text(folder + "/refs/" + revision)?.trimmingCharacters(in: .whitespacesAndNewlines) ?? revision
    let commits = FileSystem.names(in: folder + "/snapshots")
      .map { (commit: $0, modified: FileSystem.entry(folder + "/snapshots/" + $0)?.modified ?? .distantPast) }
      .sorted { $0.modified > $1.modified }
      .map(\.commit)
    guard revision == "main" else { return commits.filter { $0 == commit } }
    return commits.filter { $0 == commit } + commits.filter { $0 != commit }
  }

  /// The repositories of which something is here.
  func repositories() -> [String] {
    FileSystem.names(in: root).compactMap { name in
      guard name.hasPrefix("models--") else { return nil }
      let repository = name.dropFirst("models--".count).split(separator: "--", omittingEmptySubsequences: false).joined(
        separator: "/")
      return RepositoryReference.isValid(repository: repository) ? repository : nil
    }
  }
}
