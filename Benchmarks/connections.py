"""Keeps a thousand idle connections and two hundred busy ones on a server, and tells of errors and of memory as time goes on.

    swiftlet serve MODEL --port 8080 &
    python3 Benchmarks/connections.py --url http://127.0.0.1:8080 --pid $! [--minutes 10] [--key KEY]

Half of the idle connections have asked for `/health` once, the others for nothing. One that the server drops, as it may, is opened
again and counted. Each busy client asks for one small chat after the other, streamed and whole by turns, and comes again when it is
told to (429, 503). `--pid` is the server's, on this machine; its memory (VmRSS) is read every 15 seconds.

Prints a JSON object and a table. The status is 1 when anything but 200, 429 and 503 came, when a connection failed, an answer was not
whole, or when memory at the end is above 1.2 times what it was after two minutes and 50 MB. Answers by 429 and 503 are no errors: a
server has a longest queue (`--max-queue`). Both ends must be allowed enough open files; this one raises its own limit.
"""

import argparse
import asyncio
import collections
import json
import random
import resource
import ssl
import statistics
import sys
import time
import urllib.parse

SAMPLE_SECONDS = 15
ANSWER_SECONDS = 300
WORDS = "one two three red green blue bird tree house river stone cloud".split()


class Connection:
    """An HTTP/1.1 connection that is kept."""

    def __init__(self, options):
        self.options = options
        self.reader = self.writer = None

    @property
    def is_open(self):
        return self.writer is not None and not self.reader.at_eof() and not self.writer.is_closing()

    async def open(self):
        options = self.options
        self.close()
        self.reader, self.writer = await asyncio.wait_for(
            asyncio.open_connection(options.host, options.port, ssl=ssl.create_default_context() if options.tls else None), 60)

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def ask(self, method, path, body=None):
        """The status, the headers and the body of an answer."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.options.name}\r\nContent-Length: {len(content)}\r\n"
        if self.options.key:
            head += f"Authorization: Bearer {self.options.key}\r\n"
        self.writer.write(head.encode() + b"\r\n" + content)
        await self.writer.drain()
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            answer = b""
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                answer += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readuntil(b"\r\n")
        else:
            answer = await self.reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, answer


class Counts:
    def __init__(self):
        self.start = time.monotonic()
        self.statuses = collections.Counter()
        self.errors = collections.Counter()
        self.seconds = []
        self.dropped = 0
        self.idle = 0
        self.memory = []

    def fail(self, what, error):
        self.errors[f"{what}: {type(error).__name__}: {error}"[:200]] += 1


def is_whole(body, is_streamed):
    """Whether an answer with status 200 has all that it should have, and tells of no error."""
    if not is_streamed:
        return "choices" in json.loads(body)
    return body.endswith(b"data: [DONE]\n\n") and b'"finish_reason":"' in body.replace(b" ", b"") and b'data: {"error"' not in body


async def idle(index, options, counts, is_over):
    connection = Connection(options)
    # Not all in the same moment.
    await asyncio.sleep(random.uniform(0, min(10, options.minutes * 6)))
    while not is_over.is_set():
        try:
            await connection.open()
            if index % 2 == 0:
                status, _, _ = await asyncio.wait_for(connection.ask("GET", "/health"), ANSWER_SECONDS)
                counts.statuses[status] += 1
        except Exception as error:
            counts.fail("idle", error)
            await asyncio.sleep(1)
            continue
        counts.idle += 1
        try:
            # Nothing is asked, so nothing comes until the server drops the connection.
            await connection.reader.read(1)
        except OSError:
            pass
        finally:
            counts.idle -= 1
        if not is_over.is_set():
            counts.dropped += 1
            await asyncio.sleep(random.uniform(0, 1))
    connection.close()


async def busy(index, options, counts, is_over):
    connection, generator, turn = Connection(options), random.Random(index), index
    await asyncio.sleep(generator.uniform(0, min(10, options.minutes * 6)))
    while not is_over.is_set():
        turn += 1
        is_streamed = turn % 2 == 0
        text = " ".join(generator.choices(WORDS, k=generator.randint(2, 12)))
        body = {"model": options.model, "messages": [{"role": "user", "content": text}], "stream": is_streamed,
                "max_tokens": generator.randint(8, 32)}
        pause, start = 0, time.monotonic()
        try:
            if not connection.is_open:
                await connection.open()
            status, headers, answer = await asyncio.wait_for(connection.ask("POST", "/v1/chat/completions", body), ANSWER_SECONDS)
            counts.statuses[status] += 1
            if status == 200:
                counts.seconds.append(time.monotonic() - start)
                if not is_whole(answer, is_streamed):
                    counts.errors[f"answer that is not whole: {answer[-120:].decode(errors='replace')}"] += 1
            elif status in (429, 503):
                pause = generator.uniform(0.5, 1) * min(5, float(headers.get("retry-after", 1)))
            else:
                counts.errors[f"status {status}: {answer[:160].decode(errors='replace')}"] += 1
                pause = 1
        except Exception as error:
            counts.fail("streamed" if is_streamed else "whole", error)
            connection.close()
            pause = 1
        await asyncio.sleep(pause)
    connection.close()


def resident(pid):
    """Megabytes; None when the process has ended."""
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return round(int(line.split()[1]) / 1024, 1)
    except OSError:
        pass
    return None


async def watch(options, counts):
    while True:
        seconds = time.monotonic() - counts.start
        megabytes = resident(options.pid) if options.pid else None
        counts.memory.append((round(seconds, 1), megabytes))
        print(f"{seconds:6.0f} s  {counts.idle} idle, {sum(counts.statuses.values())} answers, {sum(counts.errors.values())} errors, "
              f"{megabytes} MB", file=sys.stderr, flush=True)
        await asyncio.sleep(SAMPLE_SECONDS - seconds % SAMPLE_SECONDS)


async def run(options):
    counts, is_over = Counts(), asyncio.Event()
    connection = Connection(options)
    await connection.open()
    if options.model is None:
        options.model = json.loads((await connection.ask("GET", "/v1/models"))[2])["data"][0]["id"]
    connection.close()
    watching = asyncio.create_task(watch(options, counts))
    idles = [asyncio.create_task(idle(index, options, counts, is_over)) for index in range(options.idle)]
    busies = [asyncio.create_task(busy(index, options, counts, is_over)) for index in range(options.active)]
    await asyncio.sleep(options.minutes * 60)
    seconds = time.monotonic() - counts.start
    watching.cancel()
    if options.pid:
        counts.memory.append((round(seconds, 1), resident(options.pid)))
    idle_at_end = counts.idle
    is_over.set()
    # Answers in progress may end; nothing else is waited for.
    await asyncio.wait(busies, timeout=ANSWER_SECONDS)
    for task in idles + busies:
        task.cancel()
    await asyncio.gather(*idles, *busies, return_exceptions=True)
    return report(options, counts, seconds, idle_at_end)


def report(options, counts, seconds, idle_at_end):
    def after(time):
        return next((megabytes for at, megabytes in counts.memory if at >= time), None)

    known = [megabytes for _, megabytes in counts.memory if megabytes is not None]
    memory = {"start": after(0), "after_1_minute": after(60), "after_2_minutes": after(120),
              "end": counts.memory[-1][1], "highest": max(known, default=None)}
    if options.pid and memory["end"] is None:
        counts.errors["the server's process has ended"] += 1
    grew = None not in (memory["after_2_minutes"], memory["end"]) and memory["end"] > 1.2 * memory["after_2_minutes"] + 50
    unexpected = sum(count for status, count in counts.statuses.items() if status not in (200, 429, 503))
    result = {
        "minutes": options.minutes, "idle": options.idle, "active": options.active, "model": options.model,
        "answers": sum(counts.statuses.values()), "chats": len(counts.seconds),
        "chats_per_second": round(len(counts.seconds) / seconds, 2),
        "median_seconds": round(statistics.median(counts.seconds), 3) if counts.seconds else None,
        "longest_seconds": round(max(counts.seconds), 3) if counts.seconds else None,
        "by_status": {str(status): count for status, count in sorted(counts.statuses.items())},
        "errors": dict(counts.errors.most_common()), "idle_at_end": idle_at_end, "idle_dropped": counts.dropped,
        "memory_mb": memory, "memory_grew": grew, "memory_samples": counts.memory if options.pid else [],
    }
    print(json.dumps(result))
    rows = [
        ("idle connections, busy clients", f"{options.idle}, {options.active}"), ("minutes", f"{options.minutes:g}"),
        ("answers", result["answers"]), *((f"answers with {status}", count) for status, count in result["by_status"].items()),
        ("chats a second", result["chats_per_second"]), ("seconds a chat, median and longest", f"{result['median_seconds']}, {result['longest_seconds']}"),
        ("errors other than 429 and 503", sum(counts.errors.values())),
        ("idle connections dropped and opened again", counts.dropped), ("idle connections open at the end", idle_at_end),
        *((f"memory, {name.replace('_', ' ')} (MB)", value) for name, value in memory.items()),
    ]
    print("\n| figure | value |\n| --- | --- |")
    for name, value in rows:
        print(f"| {name} | {value} |")
    for error, count in counts.errors.most_common(10):
        print(f"| error, {count} times | {error.replace('|', '/').splitlines()[0] if error else ''} |")
    return 1 if counts.errors or unexpected or grew else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="of the server, such as http://127.0.0.1:8080")
    parser.add_argument("--pid", type=int, help="of the server's process, for its memory")
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--active", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--model", help="as the server calls it; its first one unless given")
    parser.add_argument("--key")
    options = parser.parse_args()
    url = urllib.parse.urlsplit(options.url)
    options.tls, options.host, options.name = url.scheme == "https", url.hostname, url.netloc
    options.port = url.port or (443 if options.tls else 80)
    needed = options.idle + options.active + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise SystemExit(f"{needed} open files are needed, and the limit is {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    raise SystemExit(asyncio.run(run(options)))


if __name__ == "__main__":
    main()
