"""Drives `swiftlet serve` with the real clients of OpenAI and Anthropic: one check a feature.

    python3 Tests/ServerTests/clients.py --swiftlet .build/release/swiftlet [--model smollm2]

Needs the packages openai, anthropic and httpx (`make client-tests` installs them) and the small real model.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
import typing

import anthropic
import httpx
import openai
import pydantic

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Server:
    """The built command on a free port."""

    def __init__(self, command, model, *arguments):
        self.process = subprocess.Popen(
            [command, "serve", model, "--port", "0", *arguments], stderr=subprocess.PIPE, text=True)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("message") == "listening":
                self.url, self.port, self.model = entry["url"], entry["port"], entry["models"]
                break
        else:
            raise SystemExit("the server did not start:\n" + "".join(self.log))
        # A pipe that nobody reads would stop the server one day.
        import threading
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()

    def stop(self, timeout=60):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=timeout)


def user(text):
    return [{"role": "user", "content": text}]


CAPITAL = user("What is the capital of France?")


def raises(kind, body):
    try:
        body()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}")


# OpenAI's client


@check
def answers_a_chat(c):
    answer = c.openai.chat.completions.create(model=c.model, messages=CAPITAL, temperature=0)
    choice = answer.choices[0]
    assert "Paris" in choice.message.content, choice
    assert choice.finish_reason == "stop" and choice.message.role == "assistant"
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_cache_hit_tokens + usage.prompt_cache_miss_tokens == usage.prompt_tokens
    assert usage.prompt_tokens_details.cached_tokens == usage.prompt_cache_hit_tokens
    assert usage.completion_tokens_details.reasoning_tokens == 0


@check
def streams_the_same_answer(c):
    whole = c.openai.chat.completions.create(model=c.model, messages=CAPITAL, temperature=0)
    stream = c.openai.chat.completions.create(
        model=c.model, messages=CAPITAL, temperature=0, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content, text
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert not chunks[-1].choices and chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


@check
def the_raw_stream_has_the_documented_form(c):
    body = {"model": c.model, "messages": CAPITAL, "temperature": 0, "max_tokens": 4, "stream": True}
    with httpx.stream("POST", c.url + "/chat/completions", json=body, timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line and not line.startswith(":")]
    assert lines[-1] == "data: [DONE]" and all(line.startswith("data: ") for line in lines)
    last = json.loads(lines[-2][6:])
    assert last["object"] == "chat.completion.chunk" and last["choices"][0]["finish_reason"] == "length", last
    assert "usage" not in last


@check
def streaming_works_asynchronously_and_in_parallel(c):
    import asyncio

    async def one(client, index):
        stream = await client.chat.completions.create(
            model=c.model, messages=user(f"Count to {index + 3}."), temperature=0, max_tokens=20, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def many():
        async with openai.AsyncOpenAI(base_url=c.url + "/v1", api_key="any") as client:
            together = await asyncio.gather(*(one(client, index) for index in range(8)))
            alone = [await one(client, index) for index in range(8)]
            assert together == alone, (together, alone)

    asyncio.run(many())


@check
def a_seed_repeats_and_seeds_differ(c):
    def ask(seed):
        return c.openai.chat.completions.create(
            model=c.model, messages=user("Tell me a story."), temperature=1.5, seed=seed, max_tokens=20
        ).choices[0].message.content

    assert ask(1) == ask(1)
    assert ask(1) != ask(2)


@check
def n_gives_different_answers(c):
    answer = c.openai.chat.completions.create(
        model=c.model, messages=user("Tell me a story."), temperature=1.5, seed=3, max_tokens=12, n=3)
    texts = [choice.message.content for choice in answer.choices]
    assert [choice.index for choice in answer.choices] == [0, 1, 2] and len(set(texts)) == 3, texts
    assert answer.usage.completion_tokens == 36


@check
def one_of_several_answers_is_chosen(c):
    ask = dict(model=c.model, messages=user("What is 2 + 2?"), n=4, temperature=1, seed=3, max_tokens=24)
    every = c.openai.chat.completions.create(**ask)
    for field in [{"vote": True}, {"best_by": "likelihood"}]:
        one = c.openai.chat.completions.create(**ask, extra_body=field)
        told = one.model_extra["swiftlet"]
        assert len(one.choices) == 1 and told["samples"] == 4
        assert one.choices[0].message.content == every.choices[told["chosen"]].message.content
        assert one.usage.completion_tokens == every.usage.completion_tokens
    raises(openai.BadRequestError, lambda: c.openai.chat.completions.create(**ask, stream=True, extra_body={"vote": True}))


@check
def max_tokens_ends_with_length(c):
    for name in ["max_tokens", "max_completion_tokens"]:
        answer = c.openai.chat.completions.create(model=c.model, messages=CAPITAL, temperature=0, **{name: 3})
        assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 3


@check
def stop_texts_are_not_part_of_the_answer(c):
    for stop in [" Paris", ["zzz", " Paris"]]:
        answer = c.openai.chat.completions.create(model=c.model, messages=CAPITAL, temperature=0, stop=stop)
        assert answer.choices[0].message.content == "The capital of France is", answer
        assert answer.choices[0].finish_reason == "stop"


@check
def logit_bias_forbids_a_token(c):
    paris = c.post("/tokenize", {"content": " Paris"})["tokens"][0]
    answer = c.openai.chat.completions.create(
        model=c.model, messages=CAPITAL, temperature=0, logit_bias={str(paris): -100})
    assert "Paris" not in answer.choices[0].message.content


@check
def log_probabilities_are_those_of_the_model(c):
    import math
    answer = c.openai.chat.completions.create(
        model=c.model, messages=CAPITAL, temperature=0, logprobs=True, top_logprobs=4, max_tokens=6)
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == answer.choices[0].message.content
    for token in tokens:
        values = [top.logprob for top in token.top_logprobs]
        assert len(values) == 4 and values == sorted(values, reverse=True)
        assert token.logprob == values[0] and token.token == token.top_logprobs[0].token
        assert sum(map(math.exp, values)) <= 1 + 1e-6 and bytes(token.bytes).decode() == token.token
    # Neither temperature nor a bias changes what the model holds likely.
    biased = c.openai.chat.completions.create(
        model=c.model, messages=CAPITAL, temperature=1.7, seed=1, logprobs=True, top_logprobs=4, max_tokens=1,
        logit_bias={"5": 3})
    assert [top.logprob for top in biased.choices[0].logprobs.content[0].top_logprobs] == [
        top.logprob for top in tokens[0].top_logprobs]


@check
def streamed_log_probabilities_are_the_same(c):
    arguments = dict(model=c.model, messages=CAPITAL, temperature=0, logprobs=True, top_logprobs=2, max_tokens=6)
    whole = c.openai.chat.completions.create(**arguments).choices[0].logprobs.content
    parts = [
        token for chunk in c.openai.chat.completions.create(**arguments, stream=True)
        if chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content]
    assert [token.model_dump() for token in whole] == [token.model_dump() for token in parts]


@check
def penalties_are_taken(c):
    arguments = dict(model=c.model, messages=user("Say hello many times."), temperature=0, max_tokens=40)
    plain = c.openai.chat.completions.create(**arguments).choices[0].message.content
    other = c.openai.chat.completions.create(
        **arguments, frequency_penalty=2, presence_penalty=2).choices[0].message.content
    assert plain != other


@check
def further_sampling_fields_are_taken(c):
    answer = c.openai.chat.completions.create(
        model=c.model, messages=CAPITAL, temperature=2, top_p=0.9, seed=1, user="me",
        extra_body={"top_k": 1, "min_p": 0.1, "repetition_penalty": 1.0, "user_id": "me", "unknown_field": {"a": 1}})
    assert "Paris" in answer.choices[0].message.content


@check
def content_may_come_in_parts(c):
    parts = [{"type": "text", "text": "What is the capital "}, {"type": "text", "text": "of France?"}]
    answer = c.openai.chat.completions.create(
        model=c.model, messages=[{"role": "user", "content": parts}], temperature=0)
    assert "Paris" in answer.choices[0].message.content


@check
def a_prefix_is_continued(c):
    messages = CAPITAL + [{"role": "assistant", "content": "In France, the capital is called", "prefix": True}]
    # DeepSeek's clients ask for this at another base URL.
    for client in [c.openai, openai.OpenAI(base_url=c.url + "/beta", api_key="any")]:
        answer = client.chat.completions.create(model=c.model, messages=messages, temperature=0, max_tokens=4)
        assert answer.choices[0].message.content.startswith(" Paris"), answer


@check
def earlier_thoughts_are_ignored(c):
    messages = CAPITAL + [{"role": "assistant", "content": "Paris."}] + user("And of Italy?")
    thoughtful = json.loads(json.dumps(messages))
    thoughtful[1]["reasoning_content"] = "Let me think about it for a long while."
    answers = [
        c.openai.chat.completions.create(model=c.model, messages=m, temperature=0) for m in (messages, thoughtful)]
    assert answers[0].usage.prompt_tokens == answers[1].usage.prompt_tokens
    assert answers[0].choices[0].message.content == answers[1].choices[0].message.content


@check
def a_conversation_hits_the_cache(c):
    first = c.openai.chat.completions.create(
        model=c.model, messages=user("Tell me about the river Rhine."), temperature=0, max_tokens=30)
    again = c.openai.chat.completions.create(
        model=c.model, temperature=0, max_tokens=5,
        messages=user("Tell me about the river Rhine.") + [
            {"role": "assistant", "content": first.choices[0].message.content}] + user("And the Danube?"))
    assert again.usage.prompt_cache_hit_tokens >= first.usage.prompt_tokens - 4, again.usage


@check
def tools_reach_the_template(c):
    tools = [{"type": "function", "function": {
        "name": "get_weather", "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Rome\"}"}}
    messages = user("How is the weather in Rome?") + [
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "I need the weather."},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]
    answer = c.openai.chat.completions.create(
        model=c.model, messages=messages, tools=tools, tool_choice="auto", temperature=0, max_tokens=10)
    assert answer.choices[0].finish_reason in ("stop", "length")


@check
def deepseeks_names_stand_for_the_model(c):
    for name in ["deepseek-chat", "deepseek-reasoner"]:
        answer = c.openai.chat.completions.create(
            model=name, messages=CAPITAL, temperature=0, extra_body={"thinking": {"type": "disabled"}})
        assert answer.model == name and "Paris" in answer.choices[0].message.content


@check
def models_are_listed(c):
    names = [model.id for model in c.openai.models.list()]
    assert names == [c.model, "deepseek-chat", "deepseek-reasoner"], names
    assert c.openai.models.retrieve(c.model).id == c.model
    assert raises(openai.NotFoundError, lambda: c.openai.models.retrieve("nothing")).code == "model_not_found"


@check
def texts_are_continued(c):
    arguments = dict(model=c.model, prompt="The capital of France is", temperature=0, max_tokens=4)
    answer = c.openai.completions.create(**arguments)
    assert answer.object == "text_completion" and "Paris" in answer.choices[0].text, answer
    text = "".join(chunk.choices[0].text for chunk in c.openai.completions.create(**arguments, stream=True))
    assert text == answer.choices[0].text
    echoed = c.openai.completions.create(**arguments, echo=True)
    assert echoed.choices[0].text == "The capital of France is" + text
    several = c.openai.completions.create(**{**arguments, "prompt": ["The capital of France is", "One, two,"]})
    assert len(several.choices) == 2 and several.choices[0].text == text
    ids = c.post("/tokenize", {"content": "The capital of France is"})["tokens"]
    assert c.openai.completions.create(**{**arguments, "prompt": ids}).choices[0].text == text
    logged = c.openai.completions.create(**arguments, logprobs=2).choices[0]
    assert len(logged.logprobs.token_logprobs) == 4
    ends = logged.logprobs.text_offset[1:] + [len(logged.text)]
    assert [logged.text[start:end] for start, end in zip(logged.logprobs.text_offset, ends)] == logged.logprobs.tokens, logged
    streamed = [chunk.choices[0].logprobs for chunk in c.openai.completions.create(**arguments, logprobs=2, stream=True)]
    assert sum((piece.text_offset for piece in streamed if piece), []) == logged.logprobs.text_offset, streamed


@check
def texts_are_scored(c):
    """As evaluations score the answers that they offer: the text is echoed with its own log-probabilities."""
    prompt = "The capital of France is Paris"
    ids = c.post("/tokenize", {"content": prompt})["tokens"]
    arguments = dict(model=c.model, temperature=0, max_tokens=0, echo=True, logprobs=1)
    scored = c.openai.completions.create(prompt=prompt, **arguments).choices[0]
    values = scored.logprobs.token_logprobs
    assert scored.text == prompt and scored.finish_reason == "length" and values[0] is None, scored
    assert "".join(scored.logprobs.tokens) == prompt and max(values[1:]) <= 0, scored
    assert c.openai.completions.create(prompt=ids, **arguments).choices[0].logprobs.token_logprobs == values
    other = c.openai.completions.create(prompt="The capital of France is Banana", **arguments).choices[0].logprobs
    assert sum(other.token_logprobs[5:]) < sum(values[5:]) and other.token_logprobs[:5] == values[:5], (other, values)
    answered = {**arguments, "max_tokens": 3, "prompt": prompt}
    whole = c.openai.completions.create(**answered).choices[0]
    assert whole.logprobs.token_logprobs[:len(values)] == values and len(whole.logprobs.tokens) == len(values) + 3, whole
    pieces = [chunk.choices[0] for chunk in c.openai.completions.create(**answered, stream=True)]
    assert "".join(piece.text for piece in pieces) == whole.text
    for name in ("tokens", "token_logprobs", "text_offset"):
        parts = [getattr(piece.logprobs, name) for piece in pieces if piece.logprobs]
        assert sum(parts, []) == getattr(whole.logprobs, name), (name, parts)


@check
def the_beta_address_works_and_gaps_need_their_tokens(c):
    beta = openai.OpenAI(base_url=c.url + "/beta", api_key="any")
    answer = beta.completions.create(model=c.model, prompt="One, two,", temperature=0, max_tokens=2)
    assert answer.choices[0].text
    filled = lambda: beta.completions.create(model=c.model, prompt="def add(a, b):", suffix="return c", max_tokens=4)
    if c.model == "smollm2":
        # SmolLM2's vocabulary has such tokens: it shares that of StarCoder's family.
        try:
            assert filled().choices[0].finish_reason
        except openai.BadRequestError as error:
            assert error.param == "suffix", error


@check
def text_becomes_tokens_and_text_again(c):
    tokens = c.post("/tokenize", {"content": "Hello, 世界! 123"})["tokens"]
    assert tokens == [19556, 28, 216, 7906, 240, 178, 239, 230, 17, 216, 33, 34, 35], tokens
    assert c.post("/detokenize", {"tokens": tokens})["content"] == "Hello, 世界! 123"
    pieces = c.post("/tokenize", {"content": "Hello 世", "with_pieces": True})["tokens"]
    assert pieces[0] == {"id": 19556, "piece": "Hello"} and isinstance(pieces[-1]["piece"], list)


@check
def the_balance_of_an_open_server_is_zero(c):
    balance = c.get("/user/balance")
    assert balance["is_available"] and balance["balance_infos"][0]["total_balance"] == "0.00"


@check
def errors_name_what_is_wrong(c):
    def ask(**changes):
        return lambda: c.openai.chat.completions.create(**{"model": c.model, "messages": CAPITAL, **changes})

    assert raises(openai.NotFoundError, ask(model="gpt-9")).code == "model_not_found"
    for name, value in [
        ("temperature", 3), ("top_p", 1.5), ("max_tokens", 0), ("n", 99), ("frequency_penalty", -3), ("stop", [""]),
        ("logit_bias", {"9999999": 1}),
    ]:
        error = raises(openai.UnprocessableEntityError, ask(**{name: value}))
        assert error.param == name, (name, error)
    for name, value in [("temperature", "hot"), ("max_tokens", 1.5), ("stop", 3), ("stream", "yes"), ("seed", "x")]:
        error = raises(openai.BadRequestError, ask(extra_body={name: value}))
        assert error.param == name and "expected" in error.message, (name, error)
    assert raises(openai.BadRequestError, ask(messages=[])).param == "messages"
    error = raises(openai.BadRequestError, ask(messages=[{"role": "wizard", "content": "Hi"}]))
    assert error.param == "messages[0].role", error
    error = raises(openai.BadRequestError, ask(response_format={"type": "yaml"}))
    assert error.param == "response_format.type", error
    error = raises(openai.BadRequestError, ask(messages=user("word " * 20000)))
    assert error.code == "context_length_exceeded" and "8192" in error.message, error
    assert raises(openai.NotFoundError, lambda: c.openai.get("/nothing", cast_to=object))


@check
def broken_bodies_are_refused(c):
    for body in [b"", b"{", b"[1]", b'{"model": "\xff"}', b'{"a":' * 300, b"nonsense"]:
        response = httpx.post(c.url + "/v1/chat/completions", content=body)
        assert response.status_code == 400 and response.json()["error"]["message"], (body[:20], response.text)
    big = httpx.post(c.url + "/v1/chat/completions", content=b" " * (17 << 20))
    assert big.status_code == 413, big


# Structured output


class City(pydantic.BaseModel):
    name: str
    country: typing.Literal["France", "Italy", "Spain"]
    population: int
    sights: list[str]


PARIS = user("Describe Paris as JSON with name, country, population and sights.")


@check
def the_parse_helper_gives_a_value(c):
    arguments = dict(model=c.model, messages=PARIS, response_format=City, max_tokens=200)
    for temperature, seed in [(0, 0), (2, 1), (2, 2)]:
        answer = c.openai.chat.completions.parse(**arguments, temperature=temperature, seed=seed).choices[0]
        assert isinstance(answer.message.parsed, City) and answer.finish_reason == "stop", answer
    assert c.openai.chat.completions.parse(**arguments, temperature=0).choices[0].message.parsed.country == "France"
    with c.openai.chat.completions.stream(**arguments, temperature=0) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, City)


@check
def any_object_is_an_object(c):
    for seed in range(3):
        answer = c.openai.chat.completions.create(
            model=c.model, messages=user("A colour as JSON."), response_format={"type": "json_object"}, temperature=1.5,
            seed=seed, max_tokens=60)
        assert isinstance(json.loads(answer.choices[0].message.content), dict), answer


@check
def schemas_that_cannot_be_kept_are_refused(c):
    def ask(schema, **more):
        return lambda: c.openai.chat.completions.create(
            model=c.model, messages=PARIS, **more,
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}})

    error = raises(openai.BadRequestError, ask({"type": "object", "properties": {"a": {"not": {}}}}))
    assert error.param == "response_format" and "#/properties/a/not" in error.message, error
    error = raises(openai.BadRequestError, ask(City.model_json_schema(), max_tokens=3))
    assert error.param == "max_tokens" and "3 tokens" in error.message, error


class GetWeather(pydantic.BaseModel):
    """The weather of a city."""

    city: str
    unit: typing.Literal["celsius", "fahrenheit"]


class Add(pydantic.BaseModel):
    """The sum of two numbers."""

    a: int
    b: int


@check
def tools_are_called_when_they_must_be(c):
    tools = [openai.pydantic_function_tool(GetWeather), openai.pydantic_function_tool(Add)]
    arguments = dict(model=c.model, messages=user("How is the weather in Rome?"), tools=tools, max_tokens=300)
    for temperature, seed in [(0, 0), (2, 1), (2, 2)]:
        sampling = dict(temperature=temperature, seed=seed)
        answer = c.openai.chat.completions.create(**arguments, **sampling, tool_choice="required").choices[0]
        assert answer.finish_reason == "tool_calls" and answer.message.tool_calls and not answer.message.content, answer
        for call in answer.message.tool_calls:
            {"GetWeather": GetWeather, "Add": Add}[call.function.name].model_validate_json(call.function.arguments)
        one = c.openai.chat.completions.create(
            **arguments, **sampling, tool_choice="required", parallel_tool_calls=False).choices[0].message.tool_calls
        assert len(one) == 1, one
        named = c.openai.chat.completions.parse(
            **arguments, **sampling, tool_choice={"type": "function", "function": {"name": "Add"}}).choices[0].message.tool_calls
        assert len(named) == 1 and isinstance(named[0].function.parsed_arguments, Add), named
    with c.openai.chat.completions.stream(**arguments, temperature=0, tool_choice="required") as stream:
        assert stream.get_final_completion().choices[0].message.tool_calls[0].function.parsed_arguments


def told(stream):
    """The calls of a stream, put together as users do it, how many deltas each had, and why the answer ended."""
    calls, counts, reason = [], [], None
    for chunk in stream:
        reason = chunk.choices[0].finish_reason or reason
        for delta in chunk.choices[0].delta.tool_calls or []:
            if delta.index == len(calls):
                assert delta.id and delta.type == "function" and delta.function.name, delta
                assert delta.function.arguments == "", delta
                calls.append({"name": delta.function.name, "arguments": ""})
                counts.append(0)
            else:
                assert delta.index == len(calls) - 1 and delta.id is None and delta.function.name is None, delta
            calls[delta.index]["arguments"] += delta.function.arguments
            counts[delta.index] += 1
    return calls, counts, reason


@check
def calls_are_streamed_as_they_are_written(c):
    arguments = dict(
        model=c.model, messages=user("How is the weather in Rome?"), max_tokens=300,
        tools=[openai.pydantic_function_tool(GetWeather), openai.pydantic_function_tool(Add)])
    for temperature, seed in [(0, 0), (2, 1), (2, 2)]:
        for choice in ["required", {"type": "function", "function": {"name": "GetWeather"}}]:
            more = dict(temperature=temperature, seed=seed, tool_choice=choice)
            whole = c.openai.chat.completions.create(**arguments, **more).choices[0].message.tool_calls
            calls, counts, reason = told(c.openai.chat.completions.create(**arguments, **more, stream=True))
            assert calls == [{"name": call.function.name, "arguments": call.function.arguments} for call in whole], (calls, whole)
            assert reason == "tool_calls" and all(count > 3 for count in counts), (reason, counts)


@check
def a_call_that_is_cut_off_is_told_as_far_as_it_came(c):
    arguments = dict(
        model=c.model, messages=user("How is the weather in Rome?"), max_tokens=300, temperature=0, stop=['"unit"'],
        tools=[openai.pydantic_function_tool(GetWeather)],
        tool_choice={"type": "function", "function": {"name": "GetWeather"}})
    whole = c.openai.chat.completions.create(**arguments).choices[0]
    assert whole.finish_reason == "stop" and not whole.message.tool_calls and "GetWeather" in whole.message.content, whole
    calls, _, reason = told(c.openai.chat.completions.create(**arguments, stream=True))
    assert reason == "stop" and len(calls) <= 1, calls
    for call in calls:
        assert call["name"] == "GetWeather" and whole.message.content.rstrip().endswith(call["arguments"].rstrip()), (calls, whole)


# Anthropic's client, whose newer versions do not name the temperature

GREEDY = {"temperature": 0}


@check
def anthropics_client_gets_a_message(c):
    message = c.anthropic.messages.create(
        model=c.model, max_tokens=300, extra_body=GREEDY, system="Answer in one sentence.", messages=CAPITAL)
    assert "Paris" in message.content[0].text and message.stop_reason == "end_turn", message
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


@check
def anthropics_client_streams(c):
    arguments = dict(model=c.model, max_tokens=50, extra_body=GREEDY, messages=CAPITAL)
    whole = c.anthropic.messages.create(**arguments)
    with c.anthropic.messages.stream(**arguments) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert final.content[0].text == whole.content[0].text and final.stop_reason == "end_turn"
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds
    assert final.usage.output_tokens == whole.usage.output_tokens


@check
def anthropics_client_counts_tokens(c):
    tools = [{"name": "add", "description": "Adds.", "input_schema": Add.model_json_schema()}]
    for more in [{}, {"system": "Answer in one sentence."}, {"tools": tools}]:
        counted = c.anthropic.messages.count_tokens(model=c.model, messages=CAPITAL, **more)
        usage = c.anthropic.messages.create(model=c.model, messages=CAPITAL, max_tokens=1, **more).usage
        assert counted.input_tokens == usage.input_tokens + usage.cache_read_input_tokens, (counted, usage)


@check
def anthropics_stop_reasons(c):
    ask = lambda **more: c.anthropic.messages.create(
        **{"model": c.model, "max_tokens": 50, "extra_body": GREEDY, "messages": CAPITAL, **more})
    assert ask(max_tokens=2).stop_reason == "max_tokens"
    stopped = ask(stop_sequences=["zzz", " Paris"])
    assert stopped.stop_reason == "stop_sequence" and stopped.stop_sequence == " Paris", stopped
    begun = ask(messages=CAPITAL + [{"role": "assistant", "content": "The capital is called"}], max_tokens=4)
    assert begun.content[0].text.startswith(" Paris"), begun


@check
def anthropics_errors_and_keys(c):
    error = raises(anthropic.NotFoundError, lambda: c.anthropic.messages.create(
        model="nothing", max_tokens=5, messages=CAPITAL))
    assert error.body["type"] == "error" and error.body["error"]["type"] == "not_found_error", error.body
    error = raises(anthropic.BadRequestError, lambda: c.anthropic.messages.create(
        model=c.model, max_tokens=5, messages=[{"role": "system", "content": "x"}]))
    assert error.body["error"]["type"] == "invalid_request_error"
    bearer = anthropic.Anthropic(base_url=c.url + "/anthropic", auth_token="any")
    assert bearer.messages.create(model="claude-any", max_tokens=2, messages=CAPITAL).content


@check
def anthropics_blocks_and_tools_are_read(c):
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "How is the weather in Rome?"}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "I need the weather.", "signature": ""},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Rome"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]}]
    tools = [{"name": "get_weather", "description": "The weather.", "input_schema": {"type": "object"}}]
    assert c.anthropic.messages.create(model=c.model, max_tokens=5, messages=messages, tools=tools).usage.output_tokens


@check
def anthropics_tools_are_called_when_they_must_be(c):
    tools = [{"name": "add", "description": "Adds.", "input_schema": Add.model_json_schema()},
             {"name": "weather", "input_schema": GetWeather.model_json_schema()}]
    ask = lambda **more: c.anthropic.messages.create(
        model=c.model, max_tokens=300, messages=user("What is 1 + 2?"), tools=tools, extra_body=GREEDY, **more)
    for choice in [{"type": "any"}, {"type": "tool", "name": "add"}]:
        message = ask(tool_choice=choice)
        assert message.stop_reason == "tool_use" and all(block.type == "tool_use" for block in message.content), message
    Add.model_validate(message.content[0].input)
    assert len(message.content) == 1 and message.content[0].name == "add"


@check
def anthropics_calls_are_streamed_as_they_are_written(c):
    arguments = dict(
        model=c.model, max_tokens=300, messages=user("What is 1 + 2?"), extra_body=GREEDY, tool_choice={"type": "any"},
        tools=[{"name": "add", "description": "Adds.", "input_schema": Add.model_json_schema()},
               {"name": "weather", "input_schema": GetWeather.model_json_schema()}])
    whole = c.anthropic.messages.create(**arguments)
    texts, snapshots = {}, []
    with c.anthropic.messages.stream(**arguments) as stream:
        for event in stream:
            if event.type == "content_block_start":
                assert event.content_block.type == "tool_use" and event.content_block.input == {}, event
                texts[event.index] = []
            elif event.type == "content_block_delta":
                texts[event.index].append(event.delta.partial_json)
            elif event.type == "input_json":
                snapshots.append(event.snapshot)
        final = stream.get_final_message()
    assert final.stop_reason == whole.stop_reason == "tool_use", final
    assert [block.input for block in final.content] == [block.input for block in whole.content], (final, whole)
    for index, block in enumerate(whole.content):
        assert json.loads("".join(texts[index])) == block.input and len(texts[index]) > 2, texts
    assert len(snapshots) > len(whole.content), snapshots


# The rest


@check
def who_goes_away_ends_the_generation(c):
    def disconnects():
        return c.metric("swiftlet_client_disconnects_total")

    before, tokens = disconnects(), c.metric("swiftlet_completion_tokens_total")
    body = {"model": c.model, "messages": user("Tell me a long story."), "max_tokens": 4000, "temperature": 0,
            "stream": True, "logit_bias": {"0": -100, "2": -100}}
    with httpx.stream("POST", c.url + "/chat/completions", json=body, timeout=60) as response:
        for count, line in enumerate(response.iter_lines()):
            if count > 10:
                break
    for _ in range(100):
        if disconnects() > before:
            break
        time.sleep(0.05)
    assert disconnects() == before + 1
    # The engine hears of it at the next token.
    computed = lambda: c.metric('swiftlet_batch_size{model="%s"}' % c.model)
    for _ in range(100):
        if computed() == 0:
            break
        time.sleep(0.05)
    assert computed() == 0
    assert c.metric("swiftlet_completion_tokens_total") - tokens < 100
    # Also one who waits for a whole answer.
    before = disconnects()
    raises(httpx.ReadTimeout, lambda: httpx.post(
        c.url + "/chat/completions", json={**body, "stream": False}, timeout=0.5))
    for _ in range(100):
        if disconnects() > before:
            break
        time.sleep(0.05)
    assert disconnects() == before + 1


@check
def foreign_pages_are_refused(c):
    post = lambda **headers: httpx.post(
        c.url + "/tokenize", json={"content": "a"}, headers={name.replace("_", "-"): value for name, value in headers.items()})
    assert post().status_code == 200
    assert post(Host="evil.example").status_code == 403
    assert post(Host=f"localhost:{c.port}").status_code == 200
    assert post(Origin="https://evil.example").status_code == 403
    assert post(Origin="null").status_code == 403
    assert post(Origin=c.url).status_code == 200
    allowed = post(Origin="https://good.example")
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == "https://good.example"
    preflight = httpx.options(c.url + "/chat/completions", headers={
        "Origin": "https://good.example", "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204


@check
def the_metrics_count(c):
    text = c.text("/metrics")
    for name in [
        "swiftlet_time_to_first_token_seconds_count", "swiftlet_time_between_tokens_seconds_count",
        "swiftlet_prompt_cache_hit_tokens_total", "swiftlet_completion_tokens_total", "process_resident_memory_bytes",
        'swiftlet_responses_total{status="200"}', 'swiftlet_responses_total{status="400"}',
    ]:
        assert c.metric(name) > 0, name
    assert "# TYPE swiftlet_time_to_first_token_seconds histogram" in text
    assert c.get("/health") == {"status": "ok"}


@check
def the_log_has_no_texts(c):
    time.sleep(0.2)
    entries = [json.loads(line) for line in c.server.log]
    requests = [entry for entry in entries if entry["message"] == "request"]
    assert requests and all(entry["request_id"].startswith("req_") for entry in requests)
    text = "".join(c.server.log)
    assert "France" not in text and "story" not in text


class Context:
    def __init__(self, server):
        self.server, self.url, self.port, self.model = server, server.url, server.port, server.model
        self.openai = openai.OpenAI(base_url=self.url + "/v1", api_key="any", max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=self.url + "/anthropic", api_key="any", max_retries=0)

    def text(self, path):
        return httpx.get(self.url + path).raise_for_status().text

    def get(self, path):
        return json.loads(self.text(path))

    def post(self, path, body):
        return httpx.post(self.url + path, json=body).raise_for_status().json()

    def metric(self, name):
        for line in self.text("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


def stops_on_sigterm(command, model):
    """A long answer in progress is cut at the deadline with a reason, and the status is 0."""
    server = Server(command, model, "--drain-timeout", "1")
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=0)
    stream = client.chat.completions.create(
        model=server.model, messages=user("Tell me a long story."), max_tokens=8000, stream=True, temperature=0,
        logit_bias={"0": -100, "2": -100})
    reason = None
    for count, chunk in enumerate(stream):
        if count == 5:
            server.process.send_signal(signal.SIGTERM)
            start = time.time()
        reason = chunk.choices[0].finish_reason or reason
    assert reason == "insufficient_system_resource", reason
    assert server.process.wait(timeout=20) == 0
    assert 0.5 < time.time() - start < 6, time.time() - start


def refuses_when_full(command, model):
    """Requests beyond the queue get 503 with Retry-After."""
    server = Server(command, model, "--max-queue", "0", "--parallel", "1")
    try:
        body = {"model": server.model, "messages": CAPITAL, "max_tokens": 2}
        assert httpx.post(server.url + "/chat/completions", json=body).status_code == 200
        story = {**body, "max_tokens": 4000, "logit_bias": {"0": -100, "2": -100}, "stream": True}
        with httpx.stream("POST", server.url + "/chat/completions", json=story) as stream:
            assert stream.status_code == 200
            lines = stream.iter_lines()
            next(lines)
            response = httpx.post(server.url + "/chat/completions", json=body)
            assert response.status_code == 503 and int(response.headers["retry-after"]) >= 1, response.text
    finally:
        assert server.stop() == 0


def refuses_to_listen_openly(command, model):
    """Without keys only this machine may use the server."""
    result = subprocess.run([command, "serve", model, "--host", "0.0.0.0"], capture_output=True, text=True, timeout=60)
    assert result.returncode != 0 and "keys" in result.stderr, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--only", nargs="+", help="the names of some checks")
    arguments = parser.parse_args()
    failed = 0

    def run(name, body):
        nonlocal failed
        if arguments.only and name not in arguments.only:
            return
        start = time.time()
        try:
            body()
            print(f"ok      {name} ({time.time() - start:.2f} s)", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED  {name}: {type(error).__name__}: {error}", flush=True)

    print(f"openai {openai.__version__}, anthropic {anthropic.__version__}")
    server = Server(arguments.swiftlet, arguments.model, "--cors-origin", "https://good.example")
    context = Context(server)
    for function in CHECKS:
        run(function.__name__, lambda: function(context))
    status = server.stop()
    if status != 0:
        failed += 1
        print(f"FAILED  the server ended with status {status}")
    for function in [stops_on_sigterm, refuses_when_full, refuses_to_listen_openly]:
        run(function.__name__, lambda: function(arguments.swiftlet, arguments.model))
    sys.exit(f"{failed} checks failed" if failed else None)


if __name__ == "__main__":
    main()
