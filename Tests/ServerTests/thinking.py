"""Has the clients of OpenAI and Anthropic ask a model that really thinks: the reasoner in the program (docs/reasoner.md).

    python3 Tests/ServerTests/thinking.py --swiftlet .build/release/swiftlet [--only NAME …]

Easy problems of its five families, the likeliest answer to each; those that it solves are asked again in every way. Needs the packages openai,
anthropic and httpx, and a swiftlet that was built with the reasoner.
"""

import argparse
import asyncio
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
import typing

import anthropic
import openai
import pydantic

from clients import GREEDY, Context, Server, raises, user

MODEL = "reasoner"
AT_LEAST = 0.7  # of the problems, right
PROBLEMS = [
    ("What is 47 + 38?", "85"),
    ("75 - 27 = ?", "48"),
    ("Compute 61 + 92.", "153"),
    ("Compute 6545 + 8120 + 6254.", "20919"),
    ("Is the number of 1s in 011001011011 even or odd? Answer with even or odd.", "odd"),
    ("Sort these numbers from the smallest to the largest: 94, 22, 92, 50. Answer with the list, separated by commas.", "22, 50, 92, 94"),
    ("How many times does the letter 't' appear in \"spider feather button\"?", "3"),
    ("P is true, Q is true, R is true. Is this formula true or false? (not P) or (((not Q) or P) or R)", "true"),
    ("What is the capital of France?", "I cannot answer that"),
]
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def thought(message):
    return getattr(message, "reasoning_content", None)


def said(message):
    """What stands between the tags of an answer, which are part of its text; None without them."""
    found = re.search("<answer>(.*?)</answer>", message.content or "", re.DOTALL)
    return found and found[1].strip()


def thought_tokens(completion):
    return completion.usage.completion_tokens_details.reasoning_tokens


def told(completion):
    """The thought and the text of an answer."""
    message = completion.choices[0].message
    return thought(message), message.content


def is_beginning(begun, whole):
    """Whether a thought is the beginning of another, and not all of it."""
    return bool(begun) and whole.startswith(begun) and begun != whole


class Solved(typing.NamedTuple):
    question: str
    answer: str
    whole: typing.Any

    @property
    def thought(self):
        return told(self.whole)[0]

    @property
    def content(self):
        return told(self.whole)[1]

    @property
    def tokens(self):
        return thought_tokens(self.whole)


class Thinker(Context):
    def __init__(self, server):
        super().__init__(server)
        self.closing = len(self.post("/tokenize", {"content": "\n</think>\n\n"})["tokens"])
        self.solved = []
        for question, answer in PROBLEMS:
            whole = self.ask(question)
            if said(whole.choices[0].message) == answer:
                self.solved.append(Solved(question, answer, whole))
            else:
                print(f"wrong: {question} {told(whole)}")
        print(f"{len(self.solved)} of {len(PROBLEMS)} problems are solved", flush=True)
        assert len(self.solved) >= AT_LEAST * len(PROBLEMS)
        self.short = self.solved[0]
        self.long = max(self.solved, key=lambda solved: solved.tokens)
        assert self.long.tokens > 64, "no thought is long enough to be cut"

    def arguments(self, question, **more):
        return {"model": self.model, "messages": user(question), "temperature": 0, **more}

    def ask(self, question, **more):
        return self.openai.chat.completions.create(**self.arguments(question, **more))

    def anthropics(self, question, **more):
        return {"model": self.model, "messages": user(question), "max_tokens": 2048, "thinking": enabled(1024), "extra_body": GREEDY, **more}

    def message(self, question, **more):
        return self.anthropic.messages.create(**self.anthropics(question, **more))


def enabled(budget=None, **more):
    return {"type": "enabled", **({"budget_tokens": budget} if budget else {}), **more}


def thinking(budget=None, **more):
    return {"thinking": enabled(budget, **more)}


DISABLED = {"thinking": {"type": "disabled"}}


# OpenAI's client


@check
def models_tell_that_they_think(c):
    models = {model.id: model for model in c.openai.models.list()}
    assert set(models) == {MODEL, "deepseek-chat", "deepseek-reasoner"}, models
    assert all("thinking" in model.capabilities for model in models.values()), models


@check
def thoughts_are_apart_from_answers(c):
    for solved in c.solved:
        choice, usage = solved.whole.choices[0], solved.whole.usage
        assert choice.finish_reason == "stop" and choice.message.role == "assistant", choice
        assert solved.thought and "think>" not in solved.thought + solved.content, choice
        assert 0 < solved.tokens < usage.completion_tokens, usage
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage
    # The likeliest answer is what its files advise.
    plain = c.openai.chat.completions.create(model=c.model, messages=user(c.short.question))
    assert told(plain) == told(c.short.whole), plain


def pieces(chunks):
    """The deltas of a stream that have text, as ("thought" or "text", text)."""
    result = []
    for delta in [choice.delta for chunk in chunks for choice in chunk.choices]:
        if thought(delta):
            assert delta.content is None, delta
            result.append(("thought", thought(delta)))
        elif delta.content:
            result.append(("text", delta.content))
    return result


def joined(found, kind):
    return "".join(text for other, text in found if other == kind)


def check_stream(chunks, whole):
    """Chunks of a whole answer that has a thought."""
    found = pieces(chunks)
    assert [kind for kind, _ in itertools.groupby(found, lambda piece: piece[0])] == ["thought", "text"], found
    assert (joined(found, "thought"), joined(found, "text")) == told(whole), (found, whole)
    assert sum(kind == "thought" for kind, _ in found) > 5, found
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop", chunks[-2:]
    usage = chunks[-1].usage
    assert not chunks[-1].choices and all(chunk.usage is None for chunk in chunks[:-1]), chunks[-2:]
    for name in ["prompt_tokens", "completion_tokens", "total_tokens", "completion_tokens_details"]:
        assert getattr(usage, name) == getattr(whole.usage, name), (usage, whole.usage)


STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


@check
def thoughts_are_streamed_first(c):
    for solved in c.solved:
        check_stream(list(c.ask(solved.question, **STREAMED)), solved.whole)


@check
def thoughts_are_streamed_asynchronously_and_in_parallel(c):
    async def one(client, solved):
        stream = await client.chat.completions.create(**c.arguments(solved.question, **STREAMED))
        return [chunk async for chunk in stream]

    async def many():
        async with openai.AsyncOpenAI(base_url=c.url + "/v1", api_key="any", max_retries=0) as client:
            return await asyncio.gather(*(one(client, solved) for solved in c.solved))

    for solved, chunks in zip(c.solved, asyncio.run(many())):
        check_stream(chunks, solved.whole)


@check
def log_probabilities_of_thoughts_are_apart(c):
    choice = c.ask(c.short.question, logprobs=True, top_logprobs=1).choices[0]
    thoughts = choice.logprobs.model_extra["reasoning_content"]
    assert len(thoughts) == c.short.tokens
    assert "".join(token["token"] for token in thoughts).strip().startswith(c.short.thought), thoughts
    assert "".join(token.token for token in choice.logprobs.content).strip() == c.short.content.strip(), choice.logprobs.content


@check
def budgets_end_thoughts(c):
    for budget in [16, 48]:
        answer = c.ask(c.long.question, extra_body=thinking(budget))
        assert budget <= thought_tokens(answer) <= budget + c.closing, answer.usage
        assert is_beginning(told(answer)[0], c.long.thought), (answer, c.long.thought)
        assert said(answer.choices[0].message) and answer.choices[0].finish_reason == "stop", answer
        found = pieces(c.ask(c.long.question, extra_body=thinking(budget), stream=True))
        assert (joined(found, "thought"), joined(found, "text")) == told(answer), (found, answer)


@check
def budgets_that_are_not_reached_change_nothing(c):
    ways = [dict(extra_body=thinking()), dict(extra_body=thinking(1024)), dict(model="deepseek-reasoner")]
    ways += [dict(reasoning_effort=effort) for effort in ["minimal", "low", "medium", "high", "xhigh", "max"]]
    # What `thinking` says counts before the name.
    ways += [dict(model="deepseek-chat", extra_body=thinking())]
    for way in ways:
        answer = c.ask(c.long.question, **way)
        assert told(answer) == told(c.long.whole), (way, answer)
        assert thought_tokens(answer) == c.long.tokens and answer.model == way.get("model", c.model), (way, answer)


@check
def minimums_keep_thoughts_up(c):
    least, most = c.short.tokens + 8, c.short.tokens + 32
    answer = c.ask(c.short.question, extra_body=thinking(most, min_tokens=least))
    longer, _ = told(answer)
    assert least <= thought_tokens(answer) <= most + c.closing, answer.usage
    assert longer.startswith(c.short.thought) and longer.removeprefix(c.short.thought).strip().startswith("Wait"), longer
    error = raises(openai.UnprocessableEntityError, lambda: c.ask(c.short.question, extra_body=thinking(8, min_tokens=9)))
    assert error.param == "thinking.min_tokens", error


@check
def who_wants_no_thought_gets_none(c):
    ways = [
        dict(extra_body=DISABLED), dict(reasoning_effort="none"), dict(model="deepseek-chat"),
        dict(model="deepseek-reasoner", extra_body=DISABLED),
    ]
    texts = set()
    for way in ways:
        answer = c.ask(c.short.question, **way)
        assert thought(answer.choices[0].message) is None and thought_tokens(answer) == 0, (way, answer)
        assert answer.choices[0].message.content.strip() and answer.model == way.get("model", c.model), (way, answer)
        found = pieces(c.ask(c.short.question, **way, stream=True))
        assert found and all(kind == "text" for kind, _ in found), (way, found)
        texts |= {answer.choices[0].message.content, joined(found, "text")}
    assert len(texts) == 1, texts


@check
def max_tokens_may_end_inside_a_thought(c):
    for name in ["max_tokens", "max_completion_tokens"]:
        answer = c.ask(c.long.question, **{name: 8})
        begun, content = told(answer)
        assert answer.choices[0].finish_reason == "length" and not content, answer
        assert is_beginning(begun, c.long.thought) and "</think>" not in begun, answer
        assert thought_tokens(answer) == answer.usage.completion_tokens == 8, answer.usage
        chunks = list(c.ask(c.long.question, **{name: 8}, stream=True))
        found = pieces(chunks)
        assert joined(found, "thought") == begun and all(kind == "thought" for kind, _ in found), (found, begun)
        assert chunks[-1].choices[0].finish_reason == "length", chunks[-1]


class Result(pydantic.BaseModel):
    answer: int = pydantic.Field(ge=0, le=99999)


@check
def values_are_parsed_behind_thoughts(c):
    def parse(**more):
        answer = c.openai.chat.completions.parse(**c.arguments(c.long.question, response_format=Result, **more))
        assert isinstance(answer.choices[0].message.parsed, Result) and answer.choices[0].finish_reason == "stop", answer
        return answer

    assert told(parse())[0] == c.long.thought
    cut = parse(extra_body=thinking(16))
    assert thought_tokens(cut) <= 16 + c.closing, cut.usage
    # A thought that would leave no room for the value is ended.
    tight = parse(max_tokens=40)
    assert tight.usage.completion_tokens <= 40, tight.usage
    for answer in [cut, tight]:
        assert is_beginning(told(answer)[0], c.long.thought), answer
    assert told(parse(extra_body=DISABLED))[0] is None
    with c.openai.chat.completions.stream(**c.arguments(c.long.question, response_format=Result)) as stream:
        message = stream.get_final_completion().choices[0].message
    assert isinstance(message.parsed, Result) and thought(message) == c.long.thought, message


@check
def conversations_leave_old_thoughts_out(c):
    first, second = c.solved[:2]
    message = first.whole.choices[0].message
    plain = {"role": "assistant", "content": message.content}
    assert thought(message)
    answers = [
        c.openai.chat.completions.create(
            model=c.model, messages=user(first.question) + [earlier] + user(second.question), temperature=0)
        for earlier in [message, {**plain, "reasoning_content": thought(message)}, plain]]
    for answer in answers:
        assert said(answer.choices[0].message) == second.answer and thought(answer.choices[0].message), answer
        assert told(answer) == told(answers[-1]) and answer.usage.prompt_tokens == answers[-1].usage.prompt_tokens, answers
    # Its template shows the last question alone.
    assert answers[-1].usage.prompt_tokens == second.whole.usage.prompt_tokens, answers[-1].usage


@check
def a_thought_that_was_begun_goes_on(c):
    begun = c.short.thought.splitlines(keepends=True)[0]
    prefix = {"role": "assistant", "content": "", "reasoning_content": begun, "prefix": True}
    message = c.openai.chat.completions.create(
        model=c.model, messages=user(c.short.question) + [prefix], temperature=0).choices[0].message
    assert thought(message) and begun.strip() not in thought(message) and said(message) == c.short.answer, message


@check
def votes_count_what_stands_behind_thoughts(c):
    # After so short a thought answers are guesses.
    for more in [{}, thinking(16)]:
        ask = dict(n=3, temperature=0.7, seed=1)
        every = c.ask(c.short.question, **ask, extra_body=more)
        one = c.ask(c.short.question, **ask, extra_body={**more, "vote": True})
        answers = [said(choice.message) for choice in every.choices]
        assert all(answers), every
        # The earliest of equally frequent ones.
        winner = max(answers, key=answers.count)
        choice = one.model_extra["swiftlet"]
        assert choice["samples"] == 3 and choice["chosen"] == answers.index(winner), (choice, answers)
        assert choice["vote"]["answer"] == winner and choice["vote"]["votes"] == answers.count(winner), (choice, answers)
        chosen = every.choices[choice["chosen"]].message
        assert len(one.choices) == 1 and one.choices[0].index == 0 and told(one) == (thought(chosen), chosen.content), one
        for count in ["completion_tokens", "completion_tokens_details"]:
            assert getattr(one.usage, count) == getattr(every.usage, count), (one.usage, every.usage)


# Anthropic's client


def blocks(message):
    return [(block.type, block.thinking if block.type == "thinking" else block.text) for block in message.content]


def both(solved):
    """The blocks of an answer that OpenAI's client got."""
    return [("thinking", solved.thought), ("text", solved.content)]


@check
def anthropics_client_gets_a_thinking_block(c):
    for solved in c.solved:
        message = c.message(solved.question)
        assert blocks(message) == both(solved), (message, solved)
        assert message.stop_reason == "end_turn" and isinstance(message.content[0].signature, str), message
        assert message.usage.output_tokens == solved.whole.usage.completion_tokens, message.usage


def kind(event):
    if event.type == "content_block_start":
        return event.content_block.type
    return event.delta.type if event.type == "content_block_delta" else event.type


@check
def anthropics_events_come_in_order(c):
    whole = c.message(c.long.question)
    events = list(c.message(c.long.question, stream=True))
    kinds = [kind(event) for event in events]
    assert [found for found, _ in itertools.groupby(kinds)] == [
        "message_start", "thinking", "thinking_delta", "signature_delta", "content_block_stop", "text", "text_delta", "content_block_stop",
        "message_delta", "message_stop"], kinds
    assert kinds.count("thinking_delta") > 5 and kinds.count("signature_delta") == 1, kinds
    deltas = [event for event in events if event.type == "content_block_delta"]
    assert all(event.index == (event.delta.type == "text_delta") for event in deltas), deltas
    thinking = "".join(event.delta.thinking for event in deltas if event.delta.type == "thinking_delta")
    text = "".join(event.delta.text for event in deltas if event.delta.type == "text_delta")
    assert [("thinking", thinking), ("text", text)] == blocks(whole), (thinking, text, whole)


def final_message(c, question, **more):
    with c.anthropic.messages.stream(**c.anthropics(question, **more)) as stream:
        return stream.get_final_message()


@check
def anthropics_final_message_is_the_whole_one(c):
    whole, final = c.message(c.long.question), final_message(c, c.long.question)
    assert blocks(final) == blocks(whole) and final.stop_reason == whole.stop_reason, (final, whole)
    assert final.content[0].signature == whole.content[0].signature, (final, whole)
    assert final.usage.output_tokens == whole.usage.output_tokens, (final.usage, whole.usage)


@check
def anthropics_blocks_are_taken_back(c):
    first, second = c.solved[:2]
    whole, final = c.message(first.question), final_message(c, first.question)
    counts = set()
    for content in [whole.content, final.content, first.content]:
        message = c.message(
            second.question, messages=user(first.question) + [{"role": "assistant", "content": content}] + user(second.question))
        assert blocks(message) == both(second), (message, second)
        counts.add(message.usage.input_tokens + message.usage.cache_read_input_tokens)
    assert counts == {second.whole.usage.prompt_tokens}, counts


@check
def anthropics_budgets_end_thoughts(c):
    (kind, begun), (_, text) = blocks(c.message(c.long.question, thinking=enabled(16)))
    assert kind == "thinking" and is_beginning(begun, c.long.thought), begun
    assert text == told(c.ask(c.long.question, extra_body=thinking(16)))[1], text
    low = c.message(c.long.question, extra_body={**GREEDY, "output_config": {"effort": "low"}})
    assert blocks(low) == both(c.long), low


@check
def anthropics_client_gets_no_thinking_block_that_it_does_not_want(c):
    _, text = told(c.ask(c.short.question, extra_body=DISABLED))
    message = c.message(c.short.question, thinking={"type": "disabled"})
    assert blocks(message) == blocks(final_message(c, c.short.question, thinking={"type": "disabled"})) == [("text", text)], message
    # Without the field, the name and the effort say it.
    ask = dict(max_tokens=2048, messages=user(c.short.question))
    named = c.anthropic.messages.create(model="deepseek-chat", extra_body=GREEDY, **ask)
    effort = c.anthropic.messages.create(model=c.model, extra_body={**GREEDY, "output_config": {"effort": "none"}}, **ask)
    assert blocks(named) == blocks(effort) == [("text", text)], (named, effort)


@check
def anthropics_max_tokens_may_end_inside_a_thought(c):
    whole, final = c.message(c.long.question, max_tokens=8), final_message(c, c.long.question, max_tokens=8)
    [(kind, begun)] = blocks(whole)
    assert kind == "thinking" and is_beginning(begun, c.long.thought) and "</think>" not in begun, whole
    assert whole.stop_reason == final.stop_reason == "max_tokens" and whole.usage.output_tokens == 8, whole
    assert blocks(final) == blocks(whole), (final, whole)


@check
def anthropics_values_stand_behind_thoughts(c):
    config = {"format": {"type": "json_schema", "schema": Result.model_json_schema()}}
    (kind, found), (_, text) = blocks(c.message(c.long.question, extra_body={**GREEDY, "output_config": config}))
    assert kind == "thinking" and found == c.long.thought, found
    Result.model_validate_json(text)


def has_reasoner(command):
    listed = subprocess.run([command, "list", "--json"], capture_output=True, text=True, check=True).stdout
    return any(model["model"] == MODEL for model in json.loads(listed))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--only", nargs="+", help="the names of some checks")
    arguments = parser.parse_args()
    if not has_reasoner(arguments.swiftlet):
        sys.exit(f"{arguments.swiftlet} was built without a reasoner, so nothing here thinks; docs/reasoner.md tells how to make one")
    print(f"openai {openai.__version__}, anthropic {anthropic.__version__}")
    failed = 0
    with tempfile.TemporaryDirectory() as data:
        server = Server(arguments.swiftlet, MODEL, "--data", data)
        try:
            c = Thinker(server)
            for function in CHECKS:
                if arguments.only and function.__name__ not in arguments.only:
                    continue
                start = time.time()
                try:
                    function(c)
                    print(f"ok      {function.__name__} ({time.time() - start:.2f} s)", flush=True)
                except Exception as error:
                    failed += 1
                    print(f"FAILED  {function.__name__}: {type(error).__name__}: {error}", flush=True)
        finally:
            assert server.stop() == 0
    sys.exit(f"{failed} checks failed" if failed else None)


if __name__ == "__main__":
    main()
