import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTokenization

extension Campaign {
  /// Inputs of as many small values as fit: what takes the most memory for its size. They are not broken; some are refused for it.
  static let dense = [
    Campaign("dense JSON", share: 1, least: (1, 0)) {
      let parts: [(unit: String, open: String, close: String)] = [
        ("1,", "[", "1]"), ("[],", "[", "1]"), ("[1],", "[", "1]"), (#""","#, "[", "1]"), (#""a":1,"#, "{", #""a":1}"#),
        (#"{"a":1},"#, "[", "1]"), (#"["a","b"],"#, "[", "1]"), (#"{"a":[{}]},"#, "[", "1]"),
        (String(repeating: "[", count: 200) + String(repeating: "]", count: 200) + ",", "[", "1]"),
        (#""sixteen letters.","#, "[", "1]"), (#""\u0041bcdefghijklmnopq","#, "[", "1]"),
        ("[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3],", "[", "1]"), ("      1,\n", "[", "1]"),
      ]
      return { number, mutator, run in
        let (unit, open, close) = parts[number % parts.count], bytes = 1 << (10 + mutator.generator.index(13))
        let text = Array((open + String(repeating: unit, count: bytes / unit.utf8.count) + close).utf8)
        run.begins(text.count)
        let value = try JSONValue(parsing: text)
        run.isParsed()
        guard value.elements?.last?.integer == 1 || value["a"]?.integer == 1 else { throw Violation("lost a value") }
      }
    },
    Campaign("dense GGUF", share: 1, least: (1, 0)) {
      let folder = try TemporaryFolder()
      return { number, mutator, run in
        let bytes = 1 << (10 + mutator.generator.index(13))
        func header(_ tensors: Int, _ metadata: Int) -> [UInt8] {
          Array("GGUF".utf8) + GGUFDocument.littleEndian(3, 4) + GGUFDocument.littleEndian(UInt64(tensors))
            + GGUFDocument.littleEndian(UInt64(metadata))
        }
        func array(_ element: UInt64, _ size: Int, _ value: [UInt8]) -> [UInt8] {
          let count = bytes / size
          return header(0, 1) + GGUFDocument.string([97]) + GGUFDocument.littleEndian(9, 4)
            + GGUFDocument.littleEndian(element, 4)
            + GGUFDocument.littleEndian(UInt64(count)) + Array(repeatElement(value, count: count).joined())
        }
        func name(_ index: Int) -> [UInt8] { GGUFDocument.string(GGUFDocument.littleEndian(UInt64(index), 3)) }
        var file: [UInt8]
        switch number % 6 {
        case 0: file = array(0, 1, [1])
        case 1: file = array(7, 1, [1])
        case 2: file = array(8, 8, GGUFDocument.string([]))
        case 3: file = array(8, 24, GGUFDocument.string(Array(repeating: 97, count: 16)))
        case 4:
          // Tensors of a type that is not read need no bytes.
          let rest = GGUFDocument.littleEndian(0, 4) + GGUFDocument.littleEndian(40, 4) + GGUFDocument.littleEndian(0)
          file = header(bytes / 27, 0)
          for index in 0..<bytes / 27 { file += name(index) + rest }
        default:
          let count = min(65_000, bytes / 16)
          file = header(0, count)
          for index in 0..<count { file += name(index) + GGUFDocument.littleEndian(7, 4) + [1] }
        }
        let path = try folder.write(file, as: "model.gguf")
        run.begins(file.count)
        _ = try GGUFFile(path: path)
        run.isParsed()
      }
    },
    Campaign("dense safetensors", share: 1, least: (1, 0)) {
      let folder = try TemporaryFolder()
      return { number, mutator, run in
        let bytes = 1 << (10 + mutator.generator.index(13))
        let type = number % 2 == 0 ? "F32" : "I8"
        let entries = (0..<bytes / 55).map { #""\#($0)":{"dtype":"\#(type)","shape":[0],"data_offsets":[0,0]}"# }
        let header = Array("{\(entries.joined(separator: ","))}".utf8)
        let file = GGUFDocument.littleEndian(UInt64(header.count)) + header
        try folder.write(file, as: "model.safetensors")
        run.begins(file.count)
        _ = try SafetensorsFolder(path: folder.url.path)
        run.isParsed()
      }
    },
    Campaign("dense tokenizer.json", share: 1, least: (1, 0)) {
      { number, mutator, run in
        let count = 1 << (6 + mutator.generator.index(12))
        let tokens = (0..<count).map { #""\#($0)":\#($0)"# }.joined(separator: ",")
        let merged = (10..<max(10, number % 2 == 0 ? count : 10)).map { "\($0)" }.filter { $0.dropFirst().first != "0" }
        let merges = merged.map { #""\#($0.prefix(1)) \#($0.dropFirst())""# }.joined(separator: ",")
        let settings = #""pre_tokenizer":{"type":"ByteLevel"}"#
        let text = Array(#"{\#(settings),"model":{"type":"BPE","vocab":{\#(tokens)},"merges":[\#(merges)]}}"#.utf8)
        run.begins(text.count)
        let tokenizer = try Tokenizer(tokenizerJSON: text)
        run.isParsed()
        try use(tokenizer)
      }
    },
  ]
}
