import SwiftletHub

/// Parts that several help texts share, no line longer than 78 columns, so that a terminal of 80 keeps them whole.
enum HelpText {
  static let model = "An alias, org/repo[:quant], or a path."

  /// Every alias with what it stands for, one a line.
  static var aliases: String {
    let width = ModelAlias.all.map(\.name.count).max() ?? 0
    return ModelAlias.all.map { alias in
      let meaning =
        switch alias.reference {
        case .wheel: "SmolLM2-135M-Instruct (98 MB)"
        case .embedded: "part of swiftlet (\(ByteCount.text(EmbeddedModel.byteCount))): a few kinds of problems"
        case .repository, .path: alias.reference.description
        }
      return "  " + alias.name + String(repeating: " ", count: width - alias.name.count + 3) + meaning
    }.joined(separator: "\n")
  }

  static let threads = "  SWIFTLET_THREADS  threads at work; as many as it may have cores unless set"
  static let experts = "  SWIFTLET_EXPERTS_ON_DISK  1 or a size: as --experts-on-disk"
  static let prompts = "  SWIFTLET_FAST_PROMPTS  1: as --fast-prompts"
  static let context = "  SWIFTLET_CONTEXT  the most tokens of prompt and answer together"
  static let packed = """
      SWIFTLET_CACHE    folder of packed weights; in HF_HOME unless set
      SWIFTLET_CACHE_LIMIT  the most they may take, such as 20GB; 0 for none
    """
  static let data = """
      SWIFTLET_DATA     folder of the server's database; unless set, swiftlet in
                        XDG_DATA_HOME, which is ~/.local/share unless set
    """
  static let configuration = "  SWIFTLET_CONFIG   as --config"
  static let prefixes = "  SWIFTLET_PREFIX_CACHE  the most that prompts' beginnings may take on disk"
  static let kernels = """
      SWIFTLET_KERNELS  a variant of the kernels: generic; on x86-64 avx2, avxvnni,
                        avx512, avx512vnni, avx512bf16, amx; on arm64 neon,
                        dotprod, i8mm
    """
  static let color = """
      NO_COLOR          no dim or bold text when set
      TERM              dumb: no control sequences, a chat goes line by line
    """

  /// Where models are kept.
  static let cache = """
      HF_HOME           folder of the Hugging Face hub's cache and token
      HF_HUB_CACHE      folder of its models; $HF_HOME/hub unless set
      XDG_CACHE_HOME    HF_HOME is huggingface in it; ~/.cache unless set
    """

  /// Where models are kept and come from.
  static let hub =
    cache + "\n" + """
        HF_TOKEN          for gated and private models; unless set, HF_TOKEN_PATH
        HF_TOKEN_PATH     a file with it; $HF_HOME/token unless set
        HF_ENDPOINT       another hub than https://huggingface.co
        HF_HUB_OFFLINE    1 forbids the network
      """

  /// For commands that compute with a model.
  static let engine = [threads, experts, prompts, packed, kernels, hub].joined(separator: "\n")

  /// For commands that answer.
  static let generation = [threads, context, experts, prompts, packed, kernels, hub, color].joined(separator: "\n")
}
