import Testing

@testable import SwiftletConversion

@Suite struct ModelNameTests {
  /// As gguf-py's `Metadata.get_model_id_components` and `id_to_title` have them.
  @Test func names() {
    func parts(_ text: String, _ parameters: Int) -> [String?] {
      let name = ModelName(text, parameters: parameters)
      return [name.title, name.organization, name.basename, name.finetune, name.version, name.sizeLabel]
    }
    #expect(
      parts("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1_777_088_000)
        == ["DeepSeek R1 Distill Qwen 1.5B", "Deepseek Ai", "DeepSeek-R1-Distill-Qwen", nil, nil, "1.5B"])
    #expect(
      parts("SmolLM2-135M-Instruct", 134_515_008) == ["SmolLM2 135M Instruct", nil, "SmolLM2", "Instruct", nil, "135M"])
    #expect(parts("deepseek-v3", 500_000) == ["Deepseek v3", nil, "deepseek", nil, "v3", nil])
    #expect(
      parts("Llama-3.1-8B-Instruct", 8_030_261_248) == ["Llama 3.1 8B Instruct", nil, "Llama-3.1", "Instruct", nil, "8B"])
    #expect(parts("model", 5) == ["Model", nil, nil, nil, nil, nil])
  }

  @Test func counts() {
    #expect(
      [134_515_008, 1_543_714_304, 41_300, 671_026_419_200, 500].map(ModelName.rounded) == [
        "135M", "1.5B", "41K", "671B", "0.50K",
      ])
  }
}
