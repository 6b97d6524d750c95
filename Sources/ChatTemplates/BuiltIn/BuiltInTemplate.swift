/// The chat formats of DeepSeek's models, for files that carry no template of their own.
///
/// The texts are written from the documented formats; the tests hold them to what the published templates and, for V3.2, the
/// official encoding make of the same conversations. Models of other makers have no format here: their files carry one.
public enum BuiltInTemplate: String, Sendable, CaseIterable {
  /// V2, V2-Lite and Coder-V2: `User: …`, `Assistant: …`.
  case deepseekV2 = "deepseek-v2"
  case deepseekV25 = "deepseek-v2.5"
  /// V3 of December 2024.
  case deepseekV3 = "deepseek-v3"
  /// R1: the answer begins with a thought, and thoughts of earlier turns are left out.
  case deepseekR1 = "deepseek-r1"
  /// V3.1: thinks when the variable `thinking` (or `enable_thinking`) is true.
  case deepseekV31 = "deepseek-v3.1"
  /// V3.2: as V3.1, with tools in DSML.
  case deepseekV32 = "deepseek-v3.2"

  /// The Jinja text.
  public var source: String {
    switch self {
    case .deepseekV2: Self.deepseekV2Source
    case .deepseekV25: Self.lastSystemText + Self.deepseekV3Turns
    case .deepseekV3: Self.allSystemTexts + Self.deepseekV3Turns
    case .deepseekR1: Self.allSystemTexts + Self.deepseekR1Turns
    case .deepseekV31: Self.allSystemTexts + Self.deepseekV31Turns
    case .deepseekV32: Self.deepseekV32Source
    }
  }

  private static let deepseekV2Source = #"""
    {{ bos_token }}
    {%- for message in messages %}
      {%- if message.role == 'system' %}{{ message.content + '\n\n' }}
      {%- elif message.role == 'user' %}{{ 'User: ' + message.content + '\n\n' }}
      {%- elif message.role == 'assistant' %}{{ 'Assistant: ' + message.content + eos_token }}
      {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}
    """#

  /// V2.5 takes the last system message. The published template also puts eight spaces before the beginning of sequence for
  /// every system message, which the documented format has not and which are left out here.
  private static let lastSystemText = #"""
    {%- set state = namespace(system='', called=false, answered=false, after_tool=false) %}
    {%- for message in messages %}
      {%- if message.role == 'system' %}{% set state.system = message.content %}{% endif %}
    {%- endfor %}
    {{- bos_token }}{{ state.system }}

    """#

  /// Later models join all system messages.
  private static let allSystemTexts = #"""
    {%- set state = namespace(system='', count=0, called=false, answered=false, after_user=false, after_tool=false) %}
    {%- for message in messages %}
      {%- if message.role == 'system' %}
        {%- set state.system = state.system + ('\n\n' if state.count else '') + message.content %}
        {%- set state.count = state.count + 1 %}
      {%- endif %}
    {%- endfor %}
    {{- bos_token }}{{ state.system }}

    """#

  /// As published, calls of tools are one list for the whole conversation.
  private static let deepseekV3Turns = #"""
    {%- for message in messages %}
      {%- if message.role == 'user' %}
        {%- set state.after_tool = false %}{{ '<｜User｜>' + message.content }}
      {%- elif message.role == 'assistant' and message.content is none %}
        {%- set state.after_tool = false %}
        {%- for call in message.tool_calls %}
          {{- '\n' if state.called else '<｜Assistant｜><｜tool▁calls▁begin｜>' }}
          {{- '<｜tool▁call▁begin｜>' + call.type + '<｜tool▁sep｜>' + call.function.name }}
          {{- '\n```json\n' + call.function.arguments + '\n```<｜tool▁call▁end｜>' }}
          {%- if state.called %}{{ '<｜tool▁calls▁end｜><｜end▁of▁sentence｜>' }}{% endif %}
          {%- set state.called = true %}
        {%- endfor %}
      {%- elif message.role == 'assistant' %}
        {{- '<｜tool▁outputs▁end｜>' if state.after_tool else '<｜Assistant｜>' }}
        {{- message.content + '<｜end▁of▁sentence｜>' }}
        {%- set state.after_tool = false %}
      {%- elif message.role == 'tool' %}
        {%- set state.after_tool = true %}
        {{- '\n' if state.answered else '<｜tool▁outputs▁begin｜>' }}
        {{- '<｜tool▁output▁begin｜>' + message.content + '<｜tool▁output▁end｜>' }}
        {%- set state.answered = true %}
      {%- endif %}
    {%- endfor %}
    {%- if state.after_tool %}{{ '<｜tool▁outputs▁end｜>' }}
    {%- elif add_generation_prompt %}{{ '<｜Assistant｜>' }}
    {%- endif %}
    """#

  private static let deepseekR1Turns = #"""
    {%- for message in messages %}
      {%- if message.role == 'user' %}
        {%- set state.after_tool = false %}{{ '<｜User｜>' + message.content }}
      {%- elif message.role == 'assistant' and 'tool_calls' in message %}
        {%- set state.after_tool = false %}
        {%- for call in message.tool_calls %}
          {%- if state.called %}{{ '\n' }}
          {%- else %}{{ '<｜Assistant｜>' + (message.content if message.content is not none else '') + '<｜tool▁calls▁begin｜>' }}
          {%- endif %}
          {{- '<｜tool▁call▁begin｜>' + call.type + '<｜tool▁sep｜>' + call.function.name }}
          {{- '\n```json\n' + call.function.arguments + '\n```<｜tool▁call▁end｜>' }}
          {%- set state.called = true %}
        {%- endfor %}
        {{- '<｜tool▁calls▁end｜><｜end▁of▁sentence｜>' }}
      {%- elif message.role == 'assistant' %}
        {%- if state.after_tool %}{{ '<｜tool▁outputs▁end｜>' + message.content }}
        {%- else %}{{ '<｜Assistant｜>' + message.content.split('</think>')[-1] }}
        {%- endif %}
        {{- '<｜end▁of▁sentence｜>' }}
        {%- set state.after_tool = false %}
      {%- elif message.role == 'tool' %}
        {%- set state.after_tool = true %}
        {%- if not state.answered %}{{ '<｜tool▁outputs▁begin｜>' }}{% endif %}
        {{- '<｜tool▁output▁begin｜>' + message.content + '<｜tool▁output▁end｜>' }}
        {%- set state.answered = true %}
      {%- endif %}
    {%- endfor %}
    {%- if state.after_tool %}{{ '<｜tool▁outputs▁end｜>' }}
    {%- elif add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}
    {%- endif %}
    """#

  private static let deepseekV31Turns = #"""
    {%- if thinking is not defined %}{% set thinking = enable_thinking is defined and enable_thinking %}{% endif %}
    {%- for message in messages %}
      {%- if message.role == 'user' %}
        {%- set state.after_user = true %}
        {%- set state.after_tool = false %}
        {{- '<｜User｜>' + message.content }}
      {%- elif message.role == 'assistant' and message.tool_calls is defined and message.tool_calls is not none %}
        {%- if state.after_user %}{{ '<｜Assistant｜></think>' }}{% endif %}
        {%- set state.after_user = false %}
        {%- set state.after_tool = false %}
        {%- for call in message.tool_calls %}
          {%- if loop.first %}{{ (message.content if message.content is not none else '') + '<｜tool▁calls▁begin｜>' }}{% endif %}
          {{- '<｜tool▁call▁begin｜>' + call.function.name + '<｜tool▁sep｜>' + call.function.arguments + '<｜tool▁call▁end｜>' }}
        {%- endfor %}
        {{- '<｜tool▁calls▁end｜><｜end▁of▁sentence｜>' }}
      {%- elif message.role == 'assistant' %}
        {%- if state.after_user %}
          {{- '<｜Assistant｜>' + ('<think>' if message.prefix is defined and message.prefix and thinking else '</think>') }}
        {%- endif %}
        {%- if state.after_tool %}{{ message.content }}{% else %}{{ message.content.split('</think>', 1)[-1] }}{% endif %}
        {{- '<｜end▁of▁sentence｜>' }}
        {%- set state.after_user = false %}
        {%- set state.after_tool = false %}
      {%- elif message.role == 'tool' %}
        {%- set state.after_user = false %}
        {%- set state.after_tool = true %}
        {{- '<｜tool▁output▁begin｜>' + message.content + '<｜tool▁output▁end｜>' }}
      {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt and state.after_user %}
      {{- '<｜Assistant｜>' + ('<think>' if thinking else '</think>') }}
    {%- endif %}
    """#
}
