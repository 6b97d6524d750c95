/// Unicode's Normalization Form C (Unicode Standard Annex 15) as of Unicode 9, the version of the reference tokenizers'
/// normalizer: scalars that came later stay as they are.
struct CanonicalComposition: Sendable {
  static let shared = CanonicalComposition()

  /// First-level decompositions into one or two scalars.
  private var decompositions: [UInt32: (UInt32, UInt32?)] = [:]
  /// Composites by first and second scalar.
  private var composites: [UInt64: UInt32] = [:]

  private static let firstSyllable: UInt32 = 0xAC00
  private static let firstLead: UInt32 = 0x1100
  private static let firstVowel: UInt32 = 0x1161
  /// One before the first trailing consonant: a syllable without one has index 0.
  private static let trailBase: UInt32 = 0x11A7
  private static let leadCount: UInt32 = 19
  private static let vowelCount: UInt32 = 21
  private static let trailCount: UInt32 = 28

  private init() {
    var numbers: [UInt32] = []
    var number: UInt32 = 0
    var composes = false
    CanonicalDecompositions.text.withUTF8Buffer { text in
      for index in 0...text.count {
        switch index < text.count ? text[index] : 0x20 {
        case let digit where (0x30...0x39).contains(digit): number = number << 4 | UInt32(digit - 0x30)
        case let digit where (0x41...0x46).contains(digit): number = number << 4 | UInt32(digit - 0x37)
        case let separator:
          numbers.append(number)
          number = 0
          if separator == UInt8(ascii: "=") { composes = true }
          guard separator == 0x20 else { continue }
          if numbers.count > 1 { insert(numbers, composes) }
          numbers.removeAll(keepingCapacity: true)
          composes = false
        }
      }
    }
  }

  private mutating func insert(_ numbers: [UInt32], _ composes: Bool) {
    decompositions[numbers[0]] = (numbers[1], numbers.count > 2 ? numbers[2] : nil)
    if composes { composites[UInt64(numbers[1]) << 32 | UInt64(numbers[2])] = numbers[0] }
  }

  func normalized(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    guard let bytes = text.baseAddress else { return [] }
    var scalars: [UInt32] = []
    scalars.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      let (value, next) = decodeScalar(bytes, position)
      decompose(value, into: &scalars)
      position = next
    }
    var classes = scalars.map(Self.combiningClass)
    Self.order(&scalars, &classes)
    var composed: [UInt8] = []
    composed.reserveCapacity(text.count)
    for value in compose(scalars, classes) {
      if let scalar = Unicode.Scalar(value) {
        composed.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      }
    }
    return composed
  }

  private static func combiningClass(_ value: UInt32) -> UInt8 {
    guard value >= 0x300, let properties = Unicode.Scalar(value)?.properties, let age = properties.age, age.major <= 9 else {
      return 0
    }
    return properties.canonicalCombiningClass.rawValue
  }

  private func decompose(_ value: UInt32, into scalars: inout [UInt32]) {
    let syllable = value &- Self.firstSyllable
    if syllable < Self.leadCount * Self.vowelCount * Self.trailCount {
      scalars.append(Self.firstLead + syllable / (Self.vowelCount * Self.trailCount))
      scalars.append(Self.firstVowel + syllable / Self.trailCount % Self.vowelCount)
      if syllable % Self.trailCount > 0 { scalars.append(Self.trailBase + syllable % Self.trailCount) }
    } else if value >= 0xC0, let (first, second) = decompositions[value] {
      decompose(first, into: &scalars)
      if let second { decompose(second, into: &scalars) }
    } else {
      scalars.append(value)
    }
  }

  /// Sorts every run of marks by combining class, equal ones in their order.
  private static func order(_ scalars: inout [UInt32], _ classes: inout [UInt8]) {
    var start = 0
    while start < scalars.count {
      guard classes[start] != 0 else {
        start += 1
        continue
      }
      var end = start + 1
      var isOrdered = true
      while end < scalars.count, classes[end] != 0 {
        if classes[end] < classes[end - 1] { isOrdered = false }
        end += 1
      }
      if !isOrdered {
        let order = (start..<end).sorted { (classes[$0], $0) < (classes[$1], $1) }
        (scalars[start..<end], classes[start..<end]) = (
          ArraySlice(order.map { scalars[$0] }), ArraySlice(order.map { classes[$0] })
        )
      }
      start = end
    }
  }

  private func compose(_ scalars: [UInt32], _ classes: [UInt8]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(scalars.count)
    /// Where the last starter stands in the result, and the class of what was kept after it.
    var starter: Int?
    var lastClass: UInt8 = 0
    for (value, combiningClass) in zip(scalars, classes) {
      if let starter, result.count == starter + 1 || lastClass < combiningClass && lastClass != 0,
        let composite = composite(result[starter], value)
      {
        result[starter] = composite
        continue
      }
      if combiningClass == 0 { starter = result.count }
      lastClass = combiningClass
      result.append(value)
    }
    return result
  }

  private func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
    let lead = first &- Self.firstLead
    let vowel = second &- Self.firstVowel
    if lead < Self.leadCount, vowel < Self.vowelCount {
      return Self.firstSyllable + (lead * Self.vowelCount + vowel) * Self.trailCount
    }
    let syllable = first &- Self.firstSyllable
    let trail = second &- Self.trailBase
    if syllable < Self.leadCount * Self.vowelCount * Self.trailCount, syllable % Self.trailCount == 0, trail > 0,
      trail < Self.trailCount
    {
      return first + trail
    }
    return composites[UInt64(first) << 32 | UInt64(second)]
  }
}
