"""Measures the server beside llama.cpp's on the same GGUF file, by turns, and prints medians and ratios.

    python3 Benchmarks/server.py --llama LLAMA/bin --model SmolLM2-135M-Instruct.Q4_1.gguf [--rows streams,arrivals,turns,alone]

In each round either server is started, loaded and stopped, one after the other, and they take turns at being first. Requests go to
`/v1/completions` as ids, stream, and cannot end early (the ends of a text are biased away), so both sides compute the same number of
tokens. A prompt of 512 tokens goes before, so that all weights are in memory. What is measured:

    streams   `--streams` clients at once, each with a prompt of 128 random tokens and 128 generated: all generated tokens a second,
              and the median time to the first token
    arrivals  64 clients that come at random within `--within` seconds, 128 and 64 tokens: answers a minute, the median time to the first
              token. Who is done with everybody as soon as the last one has come could do more: choose a shorter time
    turns     a text of 4000 tokens, then the same with 40 more behind its answer: times to the first token, second against first
    alone     one stream: tokens a second between the first and the last token, and what `swiftlet run` does with the same prompt,
              half of it before and half after; the client works on the same cores

A ratio is the median of the rounds' ratios; above 1, Swiftlet is better. Nothing else may run meanwhile.
"""

import argparse
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import tempfile
import threading
import time

ENDS = {"0": -100, "1": -100, "2": -100}


class Server:
    """One of the two, while it runs."""

    def __init__(self, name, options):
        self.name = name
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        threads = str(options.threads)
        if name == "swiftlet":
            self.folder = tempfile.TemporaryDirectory()
            command = [options.swiftlet, "serve", options.model, "--port", str(self.port), "--context", str(options.context),
                       "--threads", threads, "--data", self.folder.name]
        else:
            # Its context is shared by the slots.
            command = [os.path.join(options.llama, "llama-server"), "-m", options.model, "--host", "127.0.0.1", "--port", str(self.port),
                       "-t", threads, "-tb", threads, "-ngl", "0", "-np", str(options.slots), "-c", str(options.context * options.slots)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.time() + 300
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    break
            except OSError:
                pass
            if self.process.poll() is not None or time.time() > deadline:
                raise SystemExit(f"{name} did not start: {' '.join(command)}")
            time.sleep(0.1)
        self.model = json.loads(self.get("/v1/models"))["data"][0]["id"]
        # What the other one had in memory may have pushed this one's weights out of it: experts too are read before anything is timed.
        self.answer(prompt(random.Random(0), 512), 2)

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        return connection.getresponse().read()

    def answer(self, ids, count):
        """The times of the tokens of an answer, after the request's start."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        body = {"model": self.model, "prompt": ids, "max_tokens": count, "temperature": 0, "stream": True, "logit_bias": ENDS}
        start = time.time()
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise SystemExit(f"{self.name} answered {response.status}: {response.read()[:300]}")
        times = []
        for line in response:
            if line.startswith(b"data: ") and not line.startswith(b"data: [DONE]"):
                times.append(time.time() - start)
        return times

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def prompt(generator, length):
    return [generator.randint(300, 40000) for _ in range(length)]


def together(server, seed, clients, length, count, within):
    """Seconds for all, and each one's time to its first token."""
    generator = random.Random(seed)
    prompts = [prompt(generator, length) for _ in range(clients)]
    delays = [generator.uniform(0, within) for _ in range(clients)]
    firsts = [0.0] * clients

    def client(index):
        time.sleep(delays[index])
        firsts[index] = server.answer(prompts[index], count)[0]

    threads = [threading.Thread(target=client, args=(index,)) for index in range(clients)]
    start = time.time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.time() - start, statistics.median(firsts)


def streams(server, seed, options):
    seconds, first = together(server, seed, options.streams, 128, 128, 0)
    return {"tokens a second": options.streams * 128 / seconds, "seconds to the first token": first}


def arrivals(server, seed, options):
    seconds, first = together(server, seed, 64, 128, 64, options.within)
    return {"answers a minute": 64 * 60 / seconds, "seconds to the first token": first}


def turns(server, seed, options):
    ids = prompt(random.Random(seed), 4000)
    first = server.answer(ids, 32)[0]
    # What was answered is not known as ids; it is asked anew, which both sides have cached as well.
    second = server.answer(ids + prompt(random.Random(seed + 1), 40), 32)[0]
    return {"seconds to the first token, first turn": first, "seconds to the first token, second turn": second}


TEXT = "Once upon a time there was a king who had three daughters."


def alone(server, seed, options):
    def speed():
        times = server.answer(TEXT, 256)
        return (len(times) - 1) / (times[-1] - times[0])

    if server.name != "swiftlet":
        return {"tokens a second": speed()}
    # The server idles meanwhile, and the speed of a machine drifts: by turns.
    rates, command = [], []
    for _ in range(3):
        command.append(run(options))
        rates.append(speed())
    command.append(run(options))
    return {"tokens a second": statistics.median(rates), "tokens a second, swiftlet run": statistics.median(command)}


def run(options):
    """Decoding of `swiftlet run`, tokens a second."""
    row = {"prompt": TEXT, "max_tokens": 256, "temperature": 0, "logit_bias": ENDS}
    with tempfile.TemporaryDirectory() as folder:
        rows, output = os.path.join(folder, "in.jsonl"), os.path.join(folder, "out.jsonl")
        with open(rows, "w") as file:
            file.write(json.dumps(row) + "\n")
        subprocess.run([options.swiftlet, "run", options.model, "--batch", rows, "--output", output, "--context", str(options.context),
                        "--threads", str(options.threads)], capture_output=True, check=True)
        with open(output) as file:
            return json.loads(file.readline())["decode_tokens_per_second"]


ROWS = {"streams": streams, "arrivals": arrivals, "turns": turns, "alone": alone}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama", required=True, metavar="FOLDER", help="with llama-server")
    parser.add_argument("--model", required=True, metavar="GGUF")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--slots", type=int, default=8, help="of llama-server, at once")
    parser.add_argument("--within", type=float, default=10, metavar="SECONDS", help="in which the 64 clients come")
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args()
    rounds = []
    for round in range(options.rounds):
        figures = {}
        for name in ["swiftlet", "llama.cpp"] if round % 2 == 0 else ["llama.cpp", "swiftlet"]:
            server = Server(name, options)
            try:
                server.answer(prompt(random.Random(0), 8), 4)
                for row in options.rows.split(","):
                    figures.setdefault(row, {})[name] = ROWS[row](server, 1000 * round + 1, options)
            finally:
                server.stop()
        rounds.append(figures)
        print(f"round {round + 1}", flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"model": os.path.basename(options.model), "streams": options.streams, "rounds": rounds}, file, indent=1)
    print("\n| work | figure | swiftlet | llama.cpp | ratio | lowest to highest |\n| --- | --- | --- | --- | --- | --- |")
    for row in options.rows.split(","):
        for figure in rounds[0][row]["llama.cpp"]:
            ours = [one[row]["swiftlet"][figure] for one in rounds]
            theirs = [one[row]["llama.cpp"][figure] for one in rounds]
            ratios = [b / a if "seconds" in figure else a / b for a, b in zip(ours, theirs)]
            print(f"| {row} | {figure} | {statistics.median(ours):.3g} | {statistics.median(theirs):.3g} | "
                  f"{statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |")
        if row == "alone":
            share = statistics.median(
                one[row]["swiftlet"]["tokens a second"] / one[row]["swiftlet"]["tokens a second, swiftlet run"] for one in rounds)
            print(f"| {row} | the server's share of `swiftlet run` | {share:.3f} | | | |")
        if row == "turns":
            for name in ["swiftlet", "llama.cpp"]:
                share = statistics.median(
                    one[row][name]["seconds to the first token, second turn"] / one[row][name]["seconds to the first token, first turn"]
                    for one in rounds)
                print(f"| {row} | second turn against the first, {name} | {share:.3f} | | | |")


if __name__ == "__main__":
    main()
