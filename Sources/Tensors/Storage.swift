#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A run of memory that tensors point into: allocated here, or a mapped file kept alive by its owner.
///
/// `@unchecked Sendable`: the class only hands out the address and frees the memory when the last reference goes. Mapped
/// memory is read-only. Allocated memory is written by whoever owns the tensor in it, and the engine that runs the operations
/// owns its activations alone; weights are not written after loading.
public final class Storage: @unchecked Sendable {
  public let address: UnsafeMutableRawPointer
  public let byteCount: Int
  /// The file that is mapped here; nil for other memory.
  public let file: FileIdentity?
  private let release: (@Sendable (UnsafeMutableRawPointer, Int) -> Void)?

  /// Allocates zeroed memory aligned to 64 bytes, a cache line and the widest vector.
  public init(byteCount: Int) {
    let size = max(64, (byteCount + 63) / 64 * 64)
    address = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    memset(address, 0, size)
    self.byteCount = byteCount
    file = nil
    release = nil
  }

  /// Zeroed whole pages, which take memory when they are first written and go back to the system at once at the end.
  /// - Parameter large: asks for large pages where the system has them, for memory that will be written whole.
  /// - Returns: nil when the system has none.
  public static func pages(byteCount: Int, large: Bool = false) -> Storage? {
    guard byteCount > 0, let address = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      address != MAP_FAILED
    else { return nil }
    #if os(Linux)
    if large { madvise(address, byteCount, 14) }  // MADV_HUGEPAGE, which not every libc's module names
    #endif
    return Storage(address: address, byteCount: byteCount) { address, size in munmap(address, size) }
  }

  /// Memory of its own with what another storage holds.
  public convenience init(copying other: Storage) {
    self.init(byteCount: other.byteCount)
    address.copyMemory(from: other.address, byteCount: other.byteCount)
  }

  /// Wraps memory owned by somebody else; `release` is called with it when the last reference goes.
  public init(
    address: UnsafeMutableRawPointer, byteCount: Int, file: FileIdentity? = nil,
    release: @escaping @Sendable (UnsafeMutableRawPointer, Int) -> Void
  ) {
    self.address = address
    self.byteCount = byteCount
    self.file = file
    self.release = release
  }

  deinit {
    if let release { release(address, byteCount) } else { address.deallocate() }
  }
}

/// Which file something is, whatever its path leads to by now.
public struct FileIdentity: Sendable, Equatable {
  public let path: String
  public let device: UInt64
  public let inode: UInt64

  public init(path: String, device: UInt64, inode: UInt64) {
    self.path = path
    self.device = device
    self.inode = inode
  }
}
