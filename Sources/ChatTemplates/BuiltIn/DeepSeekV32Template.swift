extension BuiltInTemplate {
  /// DeepSeek-V3.2 is published without a Jinja template: its format is a program, `encoding/encoding_dsv32.py`. This renders
  /// what that does.
  ///
  /// - Tools given with the conversation belong to its first message when that is the system's, else to an empty one before it.
  ///   System and developer messages may also have `tools` and `response_format` of their own.
  /// - With `thinking`, the answer to the last message of the user has its thoughts, through all calls of tools; earlier ones
  ///   have none.
  /// - Arguments of calls may be a text of JSON or an object.
  ///
  /// The official program ends with an assertion where this refuses the conversation with a reason. It also fails for a
  /// developer's message before the last user's when it thinks; here such a message is kept.
  static let deepseekV32Source = #"""
    {%- if thinking is not defined %}{% set thinking = enable_thinking is defined and enable_thinking %}{% endif %}
    {%- macro describe(tools, format) %}
      {%- if tools %}
        {{- '\n\n## Tools\n\nYou have access to a set of tools you can use to answer the user\'s question.\n' }}
        {{- 'You can invoke functions by writing a "<｜DSML｜function_calls>" block like the following ' }}
        {{- 'as part of your reply to the user:\n<｜DSML｜function_calls>\n<｜DSML｜invoke name="$FUNCTION_NAME">\n' }}
        {{- '<｜DSML｜parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</｜DSML｜parameter>\n...\n' }}
        {{- '</｜DSML｜invoke>\n<｜DSML｜invoke name="$FUNCTION_NAME2">\n...\n</｜DSML｜invoke>\n</｜DSML｜function_calls>\n\n' }}
        {{- 'String and scalar parameters should be specified as is without any escaping or quotes, while lists ' }}
        {{- 'and objects should use JSON format. The "string" attribute should be set to "true" for string type ' }}
        {{- 'parameters and "false" for other types (numbers, booleans, arrays, objects).\n\n' }}
        {{- 'If the thinking_mode is enabled, then after function results you should strongly consider outputting ' }}
        {{- 'a thinking block. Here is an example:\n\n<｜DSML｜function_calls>\n...\n</｜DSML｜function_calls>\n\n' }}
        {{- '<function_results>\n...\n</function_results>\n\n<think>...thinking about results</think>\n\n' }}
        {{- 'Here are the functions available in JSONSchema format:\n<functions>\n' }}
        {%- for tool in tools %}{{ tool.function | tojson }}{{ '\n' }}{% endfor %}
        {{- '</functions>\n' }}
      {%- endif %}
      {%- if format %}
        {{- '\n\n## Response Format:\n\nYou MUST strictly adhere to the following schema to reply:\n' + (format | tojson) }}
      {%- endif %}
    {%- endmacro %}
    {%- macro call_text(call) %}
      {{- '<｜DSML｜invoke name="' + call.function.name + '">\n' }}
      {%- set arguments = call.function.arguments %}
      {%- if arguments is string %}{% set arguments = arguments | from_json %}{% endif %}
      {%- for name, value in arguments.items() %}
        {{- '<｜DSML｜parameter name="' + name + '" string="' + ('true' if value is string else 'false') + '">' }}
        {{- value if value is string else value | tojson }}
        {{- '</｜DSML｜parameter>' + ('' if loop.last else '\n') }}
      {%- endfor %}
      {{- '\n</｜DSML｜invoke>' }}
    {%- endmacro %}
    {%- set state = namespace(last_user=-1, calls=0, results=0) %}
    {%- for message in messages %}
      {%- if message.role in ['user', 'developer'] %}{% set state.last_user = loop.index0 %}{% endif %}
    {%- endfor %}
    {{- bos_token }}
    {%- if tools and (not messages or messages[0].role != 'system') %}{{ describe(tools, none) }}{% endif %}
    {%- for message in messages %}
      {%- set answers = thinking and loop.index0 >= state.last_user %}
      {%- set own_tools = tools if tools and loop.first and message.role == 'system' else message.tools %}
      {%- set next = ('<think>' if answers else '</think>') if add_generation_prompt or not loop.last else none %}
      {%- if message.role in ['user', 'developer', 'system'] %}
        {%- set state.calls = 0 %}
      {%- endif %}
      {%- if message.role == 'system' %}
        {{- message.content or '' }}{{ describe(own_tools, message.response_format) }}
      {%- elif message.role in ['user', 'developer'] %}
        {{- '<｜User｜>' }}
        {%- if message.role == 'developer' %}
          {%- if not message.content %}{{ raise_exception('a message of the developer has no content') }}{% endif %}
          {{- describe(own_tools, message.response_format) + '\n\n# The user\'s message is: ' }}
        {%- endif %}
        {{- message.content or '' }}
        {%- if next %}{{ '<｜Assistant｜>' + next }}{% endif %}
      {%- elif message.role == 'assistant' %}
        {%- if thinking and loop.index0 > state.last_user %}
          {%- if not message.reasoning_content and not message.tool_calls %}
            {{- raise_exception('message ' ~ loop.index0 ~ ' answers the last message of the user without reasoning_content or '
              ~ 'tool_calls, but thinking is on') }}
          {%- endif %}
          {{- (message.reasoning_content or '') + '</think>' }}
        {%- endif %}
        {{- message.content or '' }}
        {%- for call in message.tool_calls or [] %}
          {{- '\n\n<｜DSML｜function_calls>\n' if loop.first else '\n' }}{{ call_text(call) }}
          {{- '\n</｜DSML｜function_calls>' if loop.last else '' }}
        {%- endfor %}
        {{- '<｜end▁of▁sentence｜>' }}
        {%- set state.calls = (message.tool_calls or []) | length %}
        {%- set state.results = 0 %}
      {%- elif message.role == 'tool' %}
        {%- set state.results = state.results + 1 %}
        {%- if state.results > state.calls %}
          {{- raise_exception('message ' ~ loop.index0 ~ ' is the result of a tool, but no call before it waits for one') }}
        {%- endif %}
        {{- '\n\n<function_results>' if state.results == 1 else '' }}
        {{- '\n<result>' + (message.content or '') + '</result>' }}
        {%- if state.results == state.calls %}
          {{- '\n</function_results>' }}{% if next %}{{ '\n\n' + next }}{% endif %}
        {%- endif %}
      {%- else %}
        {{- raise_exception('message ' ~ loop.index0 ~ ' has the role ' ~ message.role
          ~ ', expected system, developer, user, assistant or tool') }}
      {%- endif %}
    {%- endfor %}
    """#
}
