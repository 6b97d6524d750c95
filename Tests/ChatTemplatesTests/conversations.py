"""Conversations to render every chat template with."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "City, e.g. \"São Paulo\" or 北京"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                "days": {"type": "integer", "minimum": 1},
            },
            "required": ["city"],
        },
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Searches <the> web & 'more'.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": ["string", "null"]},
                "filters": {
                    "type": "object",
                    "properties": {"site": {"type": "string"}, "year": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
                },
                "tags": {"type": "array", "items": {"type": "string"}},
                "score": {"type": "number", "default": 0.5},
            },
            "required": [],
        },
        "return": {"type": "string"},
    },
}
BARE = {"name": "bare", "description": "No wrapper.", "parameters": {"type": "object", "properties": {}}}


def system(text):
    return {"role": "system", "content": text}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def call(name, arguments, id=None):
    result = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return {"id": id, **result} if id is not None else result


def tool(text, **more):
    return {"role": "tool", "content": text, **more}


OBJECT = {"city": "Paris", "days": 2, "nested": {"a": [1, 2.5, None, True, "é"]}}
STRING = '{"city": "Paris", "days": 2}'

CONVERSATIONS = [
    {"messages": [user("Hello!")]},
    {"messages": [system("You are terse."), user("Hello!")]},
    {"messages": [system("  spaces around \n"), user("\n\n hi \t\n")]},
    {"messages": [system(""), user("")]},
    {"messages": [user("你好，世界 👋🏽 — naïve café e\u0301 \u200b\u3000"), assistant("好的！\r\n再见"), user("\U0001F468\u200d\U0001F469\u200d\U0001F467")]},
    {"messages": [user("1"), assistant("2"), user("3"), assistant("4"), user("5")]},
    {"messages": [system("S"), user("1"), assistant("2"), user("3"), assistant("4"), user("5"), assistant("6")]},
    {"messages": [user("q"), assistant("a")]},
    {"messages": [system("one"), user("q"), system("two"), user("r")]},
    {"messages": [system("only")]},
    {"messages": []},
    {"messages": [assistant("I start."), user("ok")]},
    {"messages": [user("a"), user("b")]},
    {"messages": [user("q"), assistant("a"), assistant("b"), user("c")]},
    # Reasoning
    {"messages": [user("q"), assistant("<think>\nhm, hm\n</think>\n\nanswer"), user("r")]},
    {"messages": [user("q"), assistant("<think>a</think>b</think>c")]},
    {"messages": [user("q"), assistant("answer", reasoning_content="because"), user("r"), assistant("x", reasoning_content="y")]},
    {"messages": [user("q"), assistant("answer", thinking="because"), user("r")]},
    {"messages": [user("q"), assistant("answer", reasoning="because", thinking=None), user("r")]},
    {"messages": [user("q"), assistant("", reasoning_content="only reasons")]},
    {"messages": [user("q"), assistant("prefix of", prefix=True)]},
    # Missing and odd fields
    {"messages": [{"role": "user"}]},
    {"messages": [user("q"), {"role": "assistant"}, user("r")]},
    {"messages": [user(None)]},
    {"messages": [user("q"), assistant(None), user("r")]},
    {"messages": [{"content": "no role"}]},
    {"messages": [{"role": "critic", "content": "unknown role"}]},
    {"messages": [{"role": "developer", "content": "be nice"}, user("q")]},
    {"messages": [user("q"), assistant("a", tool_calls=[]), user("r")]},
    {"messages": [user("q"), assistant("a", tool_calls=None), user("r")]},
    {"messages": [user(42), assistant(4.5), user(True)]},
    {"messages": [user([{"type": "text", "text": "part one"}, {"type": "text", "text": "part two"}])]},
    {"messages": [user([{"type": "image"}, {"type": "text", "text": "what is it?"}])]},
    {"messages": [system([{"type": "text", "text": "S"}]), user("q"), assistant([{"type": "text", "text": "a"}]), user("r")]},
    {"messages": [user("say {{ x }} {% if %} <|im_end|> \\n 'quoted' \"double\" `code`")]},
    # Tools
    {"messages": [user("weather?")], "tools": []},
    {"messages": [user("weather?")], "tools": [WEATHER]},
    {"messages": [system("S"), user("weather?")], "tools": [WEATHER, SEARCH]},
    {"messages": [user("weather?")], "tools": [BARE]},
    {"messages": [system("only")], "tools": [WEATHER]},
    {"messages": [user("w?"), assistant(None, tool_calls=[call("get_weather", OBJECT)])], "tools": [WEATHER]},
    {"messages": [user("w?"), assistant("", tool_calls=[call("get_weather", OBJECT)]), tool("22°")], "tools": [WEATHER]},
    {"messages": [user("w?"), assistant("Let me look.", tool_calls=[call("get_weather", STRING)]), tool("22°")],
     "tools": [WEATHER]},
    {"messages": [user("w?"), assistant("", tool_calls=[call("get_weather", STRING, "call00001")]),
                  tool("22°", tool_call_id="call00001", name="get_weather"), assistant("It is 22°."), user("and now?")],
     "tools": [WEATHER]},
    {"messages": [user("w?"), assistant(None, tool_calls=[call("get_weather", OBJECT, "call00001"), call("search", {"query": "x"}, "call00002")]),
                  tool("22°", tool_call_id="call00001", name="get_weather"),
                  tool('{"hits": []}', tool_call_id="call00002", name="search"),
                  assistant("Done."), user("thanks")],
     "tools": [WEATHER, SEARCH]},
    {"messages": [user("w?"), assistant("two", tool_calls=[call("get_weather", STRING), call("search", "{}")]), tool("1"), tool("2")],
     "tools": [WEATHER, SEARCH]},
    {"messages": [user("w?"), assistant("", tool_calls=[call("get_weather", STRING)]), tool("22°"),
                  assistant("", tool_calls=[call("search", '{"query": "rain", "tags": ["a"]}')]), tool("none"), assistant("Dry."), user("ok")],
     "tools": [WEATHER, SEARCH]},
    {"messages": [user("w?"), assistant("", reasoning_content="I must look.", tool_calls=[call("get_weather", OBJECT)]), tool("22°")],
     "tools": [WEATHER]},
    {"messages": [user("w?"), assistant("", tool_calls=[call("get_weather", OBJECT)]), tool({"temp": 22, "unit": "°"})]},
    {"messages": [user("w?"), assistant("", tool_calls=[call("get_weather", OBJECT)]), tool([{"type": "text", "text": "22"}])]},
    {"messages": [user("w?"), assistant("", tool_calls=[{"function": {"name": "get_weather"}}]), tool("22°")]},
    {"messages": [user("w?"), assistant("", tool_calls=[{"name": "get_weather", "arguments": OBJECT}]), tool("22°")]},
    {"messages": [user("w?"), assistant("", tool_calls=[call("get_weather", "not json")]), tool("22°")]},
    {"messages": [user("w?"), {"role": "assistant", "tool_calls": [call("get_weather", {})]}, tool("")]},
    {"messages": [tool("orphan")]},
    {"messages": [user("w?"), assistant("", tool_calls=[call("get_weather", OBJECT)]), {"role": "ipython", "content": {"a": 1}}]},
    # Variables that some templates read
    {"messages": [user("q")], "tools": [WEATHER], "variables": {"tools_in_user_message": False}},
    {"messages": [system("S"), user("q")], "variables": {"builtin_tools": ["code_interpreter", "brave_search"]}},
    {"messages": [user("q")], "tools": [WEATHER], "variables": {"date_string": "1 Jan 2030"}},
    {"messages": [user("q")], "variables": {"documents": [{"title": "T", "text": "Body."}]}},
    {"messages": [user("q")], "variables": {"bos_token": None}},
]

# For the encoding of DeepSeek-V3.2 alone, which also reads tools and response formats of single messages.
SCHEMA = {"type": "object", "properties": {"answer": {"type": "number"}}, "required": ["answer"]}
ENCODING_CONVERSATIONS = [
    {"messages": [{"role": "system", "content": "S", "tools": [WEATHER], "response_format": SCHEMA}, user("q")]},
    {"messages": [{"role": "system", "content": None, "response_format": SCHEMA}, user("q")]},
    {"messages": [{"role": "developer", "content": "find é", "tools": [SEARCH, WEATHER]}]},
    {"messages": [{"role": "developer", "content": "find", "response_format": SCHEMA}]},
    {"messages": [{"role": "developer", "content": ""}]},
    {"messages": [user("q"), assistant("a", reasoning_content="r"), {"role": "developer", "content": "more"}]},
    {"messages": [user("w?"), assistant("Let me look.", reasoning_content="one", tool_calls=[call("get_weather", OBJECT)]), tool("22°"),
                  assistant("", reasoning_content="two", tool_calls=[call("search", '{"query": "a\\"b", "score": 1.0, "n": 1e5, "big": 1234567890123456789, "none": null, "list": [], "map": {}}')]),
                  tool("none"), assistant("It is 22°.", reasoning_content="three"), user("and now?")],
     "tools": [WEATHER, SEARCH]},
    {"messages": [user("w?"), assistant("", reasoning_content="one", tool_calls=[call("get_weather", OBJECT), call("search", "{}")]), tool("1"), tool("2")],
     "tools": [WEATHER, SEARCH]},
    {"messages": [user("w?"), assistant("", reasoning_content="one", tool_calls=[call("get_weather", OBJECT), call("search", "{}")]), tool("1")]},
    {"messages": [user("w?"), assistant("", tool_calls=[call("get_weather", OBJECT)]), tool("1"), tool("2")]},
    {"messages": [user("w?"), tool("1")]},
    {"messages": [user("w?"), assistant("x"), tool("1")]},
    {"messages": [system("S"), user("1"), assistant("2", reasoning_content="a"), user("3"), assistant("4", reasoning_content="b"), user("5")]},
    {"messages": [user("<think>no</think>"), assistant("</think>", reasoning_content="<think>"), user("｜DSML｜")]},
]

FLAGS = [
    {},
    {"add_generation_prompt": True},
    {"add_generation_prompt": True, "enable_thinking": False, "thinking": False},
    {"add_generation_prompt": True, "enable_thinking": True, "thinking": True},
]
