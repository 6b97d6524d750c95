"""Runs a mixture of experts that is larger than the memory it may use, and measures it against llama.cpp, by turns.

    python3 Benchmarks/experts_on_disk.py --swiftlet .build/release/swiftlet --llama-bench PATH/llama-bench MODEL.gguf

Both run in a control group that may hold `--memory` bytes, page cache included: ours with `--experts-on-disk`, llama.cpp with the
file mapped. The page cache is dropped before each run. This needs root and version 1 or 2 of control groups; where they cannot be
made, `systemd-run` is tried, and last `ulimit -d`, which bounds only what a process allocates, so that the page cache is not bounded
and the figures are no comparison. `--expert-memory` passes a bound of one's own. Prints a JSON object and a table.

llama.cpp copies weights of some types into a form of its own (Q4_0 on AVX2), which the group's limit ends with status -9; take another
type to compare. A model of random weights chooses its experts almost evenly, which is the worst case for keeping some of them in memory: a trained
model's choices repeat.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import threading
import time

UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def size(text):
    number, unit = re.fullmatch(r"([0-9.]+) ?([a-zA-Z]*)", text).groups()
    return int(float(number) * UNITS[unit.lower()])


class Group:
    """A control group for one process; `kind` says what bounds it."""

    def __init__(self, limit):
        self.limit, self.path, self.kind = limit, None, "ulimit -d"
        for root, file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
            path = pathlib.Path(root) / f"swiftlet-benchmark-{os.getpid()}"
            try:
                path.mkdir()
                (path / file).write_text(str(limit))
                self.path, self.kind = path, f"cgroup, {file}"
                return
            except OSError:
                if path.is_dir():
                    path.rmdir()
        probe = ["systemd-run", "--scope", "--quiet", "-p", f"MemoryMax={limit}", "true"]
        try:
            if subprocess.run(probe, stderr=subprocess.DEVNULL).returncode == 0:
                self.kind = "systemd-run, MemoryMax"
        except OSError:
            pass

    def command(self, command):
        if self.kind.startswith("systemd-run"):
            return ["systemd-run", "--scope", "--quiet", "-p", f"MemoryMax={self.limit}"] + command
        return command

    def enter(self):
        if self.path:
            (self.path / "cgroup.procs").write_text(str(os.getpid()))
        elif self.kind == "ulimit -d":
            resource.setrlimit(resource.RLIMIT_DATA, (self.limit, self.limit))

    def reset(self):
        """Forgets pages and the peak of the last run."""
        for file in ("memory.force_empty", "memory.max_usage_in_bytes"):
            if self.path and (self.path / file).exists():
                try:
                    (self.path / file).write_text("0")
                except OSError:
                    pass

    def peak(self):
        for file in ("memory.max_usage_in_bytes", "memory.peak"):
            if self.path and (self.path / file).exists():
                return int((self.path / file).read_text())
        return None

    def remove(self):
        if self.path:
            self.path.rmdir()


def resident(process):
    """Bytes of memory a process has mapped in, of files and of its own."""
    try:
        text = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return sum(int(kilobytes) for kilobytes in re.findall(r"Rss(?:File|Anon):\s+(\d+)", text)) * 1024


def read_bytes(process):
    """Bytes that a process has had read from disk so far."""
    try:
        return int(re.search(r"^read_bytes: (\d+)", pathlib.Path(f"/proc/{process}/io").read_text(), re.M).group(1))
    except OSError:
        return 0


def run(command, group, timeout):
    """Standard output, the highest resident memory seen, the group's peak, and what was read from disk."""
    subprocess.run(["sync"])
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        print("The page cache cannot be dropped: the run is not cold.", file=sys.stderr)
    group.reset()
    start = time.monotonic()
    process = subprocess.Popen(
        group.command(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=group.enter)
    highest, read, ended = 0, 0, threading.Event()

    def watch():
        nonlocal highest, read
        while not ended.wait(0.02):
            highest = max(highest, resident(process.pid))
            read = max(read, read_bytes(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
    ended.set()
    watcher.join()
    if process.returncode != 0:
        print(f"{' '.join(command)} ended with status {process.returncode}: {errors.decode()[-500:]}", file=sys.stderr)
        return None, {"status": process.returncode}
    return output, {
        "peak_resident_bytes": highest, "group_peak_bytes": group.peak(), "read_bytes": read,
        "seconds": time.monotonic() - start}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL.gguf")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--llama-bench", help="left out: only ours is measured")
    parser.add_argument("--memory", type=size, default=size("6GiB"), help="such as 6GiB")
    parser.add_argument("--expert-memory", help="a bound of the experts in memory, such as 4GB")
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--generate", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=1800, help="seconds of one run")
    arguments = parser.parse_args()
    prompt, generate, threads = str(arguments.prompt), str(arguments.generate), str(arguments.threads)
    ours = [arguments.swiftlet, "bench", arguments.model, "--prompt", prompt, "--generate", generate, "--threads", threads]
    ours += ["--repetitions", "1", "--experts-on-disk", "--json"]
    if arguments.expert_memory:
        ours += ["--expert-memory", arguments.expert_memory]
    theirs = [arguments.llama_bench, "-m", arguments.model, "-p", prompt, "-n", generate, "-t", threads, "-r", "1"]
    theirs += ["-lm", "mmap", "-o", "json"]
    group = Group(arguments.memory)
    results = {"swiftlet": [], "llama.cpp": []}
    try:
        for _ in range(arguments.rounds):
            output, figures = run(ours, group, arguments.timeout)
            if output is None:
                sys.exit(1)
            own = json.loads(output)
            figures |= {"prefill": own["prefill_tokens_per_second"], "decode": own["decode_tokens_per_second"]}
            results["swiftlet"].append(figures)
            if arguments.llama_bench:
                output, figures = run(theirs, group, arguments.timeout)
                for test in json.loads(output or "[]"):
                    figures["prefill" if test["n_prompt"] else "decode"] = test["avg_ts"]
                results["llama.cpp"].append(figures)
    finally:
        group.remove()
    results = {name: runs for name, runs in results.items() if runs}
    print(json.dumps({
        "model": arguments.model, "model_bytes": os.path.getsize(arguments.model), "memory_bytes": arguments.memory,
        "bound_by": group.kind, "threads": arguments.threads, "runs": results}))
    median = {
        name: {key: statistics.median(run[key] or 0 for run in runs) for key in runs[0]}
        for name, runs in results.items() if not any("status" in run for run in runs)}
    print(f"{'':12}{'prefill':>10}{'decode':>10}{'resident':>12}{'group':>12}{'read':>12}")
    for name, figures in median.items():
        print(
            f"{name:12}{figures['prefill']:8.2f}/s{figures['decode']:8.2f}/s{figures['peak_resident_bytes'] / 1e9:9.2f} GB"
            f"{figures['group_peak_bytes'] / 1e9:9.2f} GB{figures['read_bytes'] / 1e9:9.2f} GB")
    if len(median) == 2:
        ratio = {key: median["swiftlet"][key] / median["llama.cpp"][key] for key in ("prefill", "decode")}
        print(f"{'ratio':12}{ratio['prefill']:10.2f}{ratio['decode']:10.2f}")


if __name__ == "__main__":
    main()
