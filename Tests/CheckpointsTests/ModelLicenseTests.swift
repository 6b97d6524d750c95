import Testing

@testable import SwiftletCheckpoints

@Suite struct ModelLicenseTests {
  /// As YAML has it, of a list the first; blocks of lines are not read.
  @Test(
    arguments: [
      ("license: mit", "mit"), ("license:   mit  ", "mit"), ("license: \"mit\"", "mit"), ("license: 'mit' # note", "mit"),
      ("license: mit # note", "mit"), ("license: a#b", "a#b"), ("license: \"a # \\\"b\\\"\" # note", "a # \"b\""),
      ("license: [mit, apache-2.0]", "mit"), ("license: [ 'mit' ]", "mit"), ("license: [mit] # note", "mit"),
      ("license:\n- mit\n- apache-2.0", "mit"), ("license: # note\n  - \"mit\" # note", "mit"),
      ("license:\nbase-model:\n- mit", nil), ("base-model:\n- x\nlicense: mit", "mit"), ("license-x: gpl\nlicense: mit", "mit"),
      ("license: |\n  text\n  - mit", nil), ("license: >-\n  text", nil), ("license: []", nil), ("license: \"\"", nil),
      ("license:", nil), ("license: # mit", nil), ("x:\n  license: mit", nil), ("# license: mit", nil),
      ("license:\n# note: x\n- mit", "mit"),
    ] as [(String, String?)]) func headsAreRead(head: String, license: String?)
  {
    #expect(ModelLicense.frontMatter("---\n\(head)\n---\n# A model\n")["license"] == license)
  }

  @Test func cardsAreReadBack() throws {
    for name in ["mit", "a: \"b\" \\ # c", "it's\n---\n", "- 授權", "[x]"] {
      let license = ModelLicense(name: name, longName: "o", link: nil, source: "")
      let fields = ModelLicense.frontMatter(license.card)
      #expect(fields == ["license": name, "license_name": "o"], "\(license.card)")
    }
  }
}
