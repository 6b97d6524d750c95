import SwiftletJSON
import Testing

@testable import SwiftletCheckpoints

/// What the index of a file of packed weights may say; ModelsTests has the files.
@Suite struct PackedFileTests {
  private func entry(count: Int, piece: Int, sums: Int) -> PackedFile.Entry? {
    PackedFile.Entry.named(
      ["w", 30, [16, 32], 4096, .integer(count), .integer(piece), .string(String(repeating: "0123456789abcdef", count: sums))])?
      .entry
  }

  @Test func everyPieceHasAChecksum() throws {
    let found = try #require(entry(count: 1024, piece: 1000, sums: 2))
    #expect(found.byteCount == 1024 && found.pieceBytes == 1000)
    #expect(found.checksums == [0x0123_4567_89AB_CDEF, 0x0123_4567_89AB_CDEF])
    #expect(entry(count: 1024, piece: 1024, sums: 1) != nil && entry(count: 1025, piece: 1024, sums: 1) == nil)
    #expect(entry(count: 1024, piece: 1000, sums: 1) == nil && entry(count: 1024, piece: 0, sums: 1) == nil)
  }

  @Test func sizesThatNoFileHasAreRefused() {
    #expect(entry(count: .max, piece: 2, sums: 1) == nil && entry(count: .max, piece: 1, sums: 1) == nil)
    #expect(entry(count: 1024, piece: .max, sums: 1) != nil && entry(count: .min, piece: .max, sums: 1) == nil)
  }
}
