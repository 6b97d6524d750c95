"""Measures swiftlet and llama.cpp on the same GGUF files, by turns, and prints medians and ratios.

    python3 Benchmarks/compare.py --llama PATH/bin --models FOLDER [--rows 'smollm2/*'] [--json figures.json]
    python3 Benchmarks/compare.py --read figures.json [more.json] --into docs/performance.md

`--llama` is the folder of llama-bench and llama-batched-bench. FOLDER holds synthetic models; those that are missing are made by
synthetic_gguf.py, which needs `gguf` and `numpy`. SmolLM2 is the one that `swiftlet pull smollm2` fetches. Rows with `@avx2` run our
kernels of that name against the llama.cpp in `--llama-avx2`, and are left out without it; those with `@fast` run ours with
`--fast-prompts`. `--rows` takes patterns, separated by commas; `--list` prints the names.

A round goes over all rows; for each, both sides run, one after the other, each in a process of its own, and take turns at being
first. Before and after that, limits.c measures what the machine can do at this moment. A ratio is the median of the rounds' ratios,
since the speed of a shared machine drifts. Prefill and decode are llama-bench's, several sequences llama-batched-bench's, with 64
tokens of prompt and 32 generated each, as `swiftlet bench --batch` does it. Memory is the most that was resident at once, mapped
pages of the file among it. Nothing else may run meanwhile: llama.cpp's threads wait for each other and lose most by company.
"""

import argparse
import dataclasses
import fnmatch
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading

import plots
from gguf_bytes import bytes_per_token

HERE = pathlib.Path(__file__).resolve().parent
# Tokens of each of several sequences: Benchmark.batchPromptTokens, .batchGeneratedTokens.
BATCH_PROMPT, BATCH_GENERATE = 64, 32
# Tokens decoded behind a long context.
DEPTH_GENERATE = 32
PREFILL, DECODE = 512, 128
# From this context on a run takes long and is made in fewer rounds.
LONG_CONTEXT = 4096


@dataclasses.dataclass(frozen=True)
class Run:
    """What one process on either side measures; `numbers` are batches, contexts or threads."""

    model: str
    kind: str
    numbers: tuple = ()
    kernels: str = ""

    def rows(self):
        model = self.model + (f"@{self.kernels}" if self.kernels else "")
        if self.kind == "speed":
            return [f"{model}/prefill", f"{model}/decode"]
        return [f"{model}/{self.kind}-{number}" for number in self.numbers]


def plan():
    threads = sorted({1, 2, *(count for count in (4, 8, 16, 32, 64) if count <= os.cpu_count()), os.cpu_count()})
    runs = [Run("smollm2", "speed"), Run("smollm2", "batch", (1, 2, 4, 8, 16))]
    runs += [Run("qwen-q4_0", "speed"), Run("qwen-q4_0", "batch", (1, 2, 4, 8, 16))]
    for model in ["qwen-q8_0", "qwen-q4_k_m"]:
        runs += [Run(model, "speed"), Run(model, "batch", (8,))]
    runs += [Run("v2lite-q4_0", "speed"), Run("v2lite-q4_0", "batch", (1, 4, 8))]
    for model in ["smollm2", "qwen-q4_0", "qwen-q8_0", "qwen-q4_k_m"]:
        runs += [Run(model, "speed", kernels="fast"), Run(model, "speed", kernels="avx2"), Run(model, "batch", (8,), "avx2")]
    runs += [Run(model, "threads", (count,)) for model in ["smollm2", "qwen-q4_0"] for count in threads]
    runs += [Run("smollm2", "depth", (depth,)) for depth in (0, 1024, 2048, 4096, 7936)]
    runs += [Run("v2lite-q4_0", "depth", (depth,)) for depth in (0, 4096, 16384)]
    runs += [Run(model, "memory", (4096,)) for model in ["smollm2", "qwen-q4_0", "v2lite-q4_0"]]
    return runs


def chosen(runs, patterns):
    """The runs of the rows that a pattern names, without the numbers that none names."""
    result = []
    for run in runs:
        kept = [any(fnmatch.fnmatchcase(row, pattern) for pattern in patterns) for row in run.rows()]
        if any(kept):
            numbers = tuple(number for number, is_kept in zip(run.numbers, kept) if is_kept)
            result.append(dataclasses.replace(run, numbers=numbers))
    return result


class Failed(Exception):
    pass


class TooSlow(Exception):
    pass


def execute(command, limit=None, **environment):
    """Standard output, and the most memory of the process: resident, and of that not the file's. TooSlow after `limit` seconds."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    ended, memory = threading.Event(), {"resident": 0, "anonymous": 0}

    def watch():
        while not ended.wait(0.05):
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            for key, field in (("resident", "VmHWM"), ("anonymous", "RssAnon")):
                if found := re.search(rf"^{field}:\s+(\d+)", status, re.M):
                    memory[key] = max(memory[key], int(found.group(1)) * 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise TooSlow from None
    finally:
        ended.set()
        watcher.join()
    if process.returncode != 0:
        reason = " / ".join(errors.strip().splitlines()[-3:])[-300:]
        raise Failed(f"{pathlib.Path(command[0]).name} ended with status {process.returncode}: {reason}")
    return output, memory


class Bench:
    """Runs either side; figures come by the names of the rows."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.divisor = 16 if arguments.tiny else 1
        self.facts = {}

    def size(self, tokens):
        return max(1, tokens // self.divisor)

    def threads(self, run):
        return run.numbers[0] if run.kind == "threads" else self.arguments.threads

    def swiftlet(self, run, path):
        prompt, generate, further = 1, 1, []
        if run.kind == "speed":
            prompt, generate = PREFILL, DECODE
        elif run.kind == "threads":
            generate = DECODE
        elif run.kind == "batch":
            further = ["--batch", ",".join(map(str, run.numbers))]
        elif run.kind == "depth":
            # The prompt goes through all of the file: what is mapped is slow to read for the first time.
            prompt, generate = PREFILL, DEPTH_GENERATE
            # Depth 0 is plain decoding.
            further = ["--depth", str(self.size(run.numbers[0]))] if run.numbers[0] else []
        elif run.kind == "memory":
            prompt = run.numbers[0]
        command = [self.arguments.swiftlet, "bench", path, "--prompt", str(self.size(prompt))]
        command += ["--generate", str(self.size(generate)), "--repetitions", "1", "--threads", str(self.threads(run)), "--json"]
        kernels = {"": {}, "fast": {"SWIFTLET_FAST_PROMPTS": "1"}}.get(run.kernels, {"SWIFTLET_KERNELS": run.kernels})
        # What the other side has pushed out of memory is read from disk again, as the other side reads its file before it measures.
        execute([*command[:3], "--prompt", str(self.size(PREFILL)), "--generate", "1", "--repetitions", "1"], **kernels)
        output, memory = execute(command + further, **kernels)
        result = json.loads(output)
        if not run.kernels:
            self.facts["kernels"] = result["kernels"]
        prefill, decode = result["prefill_tokens_per_second"], result["decode_tokens_per_second"]
        if run.kind == "batch":
            return dict(zip(run.rows(), (batch["decode_tokens_per_second"] for batch in result["batched"])))
        return self.figures(run, prefill, decode, memory)

    def llama(self, run, path):
        folder = pathlib.Path(self.arguments.llama_avx2 if run.kernels == "avx2" else self.arguments.llama)
        threads = str(self.threads(run))
        if run.kind == "batch":
            context = max(run.numbers) * (BATCH_PROMPT + BATCH_GENERATE)
            output, _ = execute([
                folder / "llama-batched-bench", "-m", path, "-npp", str(BATCH_PROMPT), "-ntg", str(BATCH_GENERATE),
                "-npl", ",".join(map(str, run.numbers)), "-c", str(context), "-t", threads, "-tb", threads,
                "--output-format", "jsonl"], limit=self.arguments.limit)
            results = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
            return dict(zip(run.rows(), (result["speed_tg"] for result in results), strict=True))
        sizes = {
            "speed": (PREFILL, DECODE, 0), "threads": (0, DECODE, 0), "depth": (0, DEPTH_GENERATE, sum(run.numbers)),
            "memory": (sum(run.numbers), 1, 0)}[run.kind]
        prompt, generate, depth = (self.size(count) if count else 0 for count in sizes)
        output, memory = execute([
            folder / "llama-bench", "-m", path, "-p", str(prompt), "-n", str(generate), "-d", str(depth), "-t", threads,
            "-r", "1", "-o", "json"], limit=self.arguments.limit)
        speeds = {}
        for result in json.loads(output):
            speeds["prefill" if result["n_prompt"] else "decode"] = result["avg_ts"]
            if not run.kernels:
                self.facts["llama.cpp"] = result["build_commit"]
        return self.figures(run, speeds.get("prefill"), speeds.get("decode"), memory)

    def figures(self, run, prefill, decode, memory):
        if run.kind == "speed":
            return dict(zip(run.rows(), (prefill, decode)))
        return {run.rows()[0]: memory if run.kind == "memory" else decode}

    def limits(self, program):
        return json.loads(execute([program, str(self.arguments.threads)])[0])


def compile_limits(folder):
    compiler = shutil.which("clang") or shutil.which("cc")
    if not compiler:
        sys.exit("limits.c needs a C compiler: neither clang nor cc was found.")
    program = pathlib.Path(folder) / "limits"
    flags = ["-O3", "-march=native", "-ffp-contract=fast", "-pthread"]
    subprocess.run([compiler, *flags, str(HERE / "limits.c"), "-o", str(program)], check=True)
    return program


def model_path(name, arguments):
    if name == "smollm2":
        shown = subprocess.run([arguments.swiftlet, "show", "smollm2", "--json"], stdout=subprocess.PIPE)
        if shown.returncode != 0:
            sys.exit("SmolLM2 is not on this machine: run `swiftlet pull smollm2`.")
        return json.loads(shown.stdout)["path"]
    path = pathlib.Path(arguments.models) / f"{name}.gguf"
    if not path.exists():
        shape, kind = name.split("-")
        print(f"making {path}", file=sys.stderr, flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part")
        subprocess.run([sys.executable, HERE / "synthetic_gguf.py", shape, kind.upper(), temporary], check=True)
        temporary.rename(path)
    return str(path)


def processor():
    try:
        names = re.findall(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        names = []
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def measure(arguments):
    runs = chosen(plan(), arguments.rows.split(","))
    if not arguments.llama_avx2:
        runs = [run for run in runs if run.kernels != "avx2"]
    if not runs:
        sys.exit(f"No row is named by {arguments.rows}; --list prints the names. Rows with @avx2 need --llama-avx2.")
    paths = {run.model: model_path(run.model, arguments) for run in runs}
    bench, records, failures, too_slow = Bench(arguments), [], [], set()
    result = {
        "processor": processor(), "threads": arguments.threads, "tiny": arguments.tiny, "limit": arguments.limit,
        "bytes_per_token": {model: bytes_per_token(path) for model, path in paths.items()}, "facts": bench.facts,
        "records": records, "failures": failures}
    with tempfile.TemporaryDirectory() as folder:
        limits = compile_limits(folder)
        for round_index in range(arguments.rounds):
            before = bench.limits(limits)
            for run in runs:
                is_long = run.kind == "depth" and run.numbers[0] >= LONG_CONTEXT
                if round_index >= (1 if run.kind == "memory" else arguments.long_rounds if is_long else arguments.rounds):
                    continue
                if any(failure["rows"] == run.rows() for failure in failures):
                    continue
                print(f"round {round_index + 1}: {', '.join(run.rows())}", file=sys.stderr, flush=True)
                sides, figures = {"swiftlet": bench.swiftlet, "llama.cpp": bench.llama}, {}
                try:
                    # Who comes first changes from round to round.
                    for side in sorted(sides, reverse=round_index % 2 == 0):
                        if run in too_slow and side != "swiftlet":
                            continue
                        try:
                            figures[side] = sides[side](run, paths[run.model])
                        except TooSlow:
                            print(f"  {side} took longer than {arguments.limit} seconds", file=sys.stderr, flush=True)
                            too_slow.add(run)
                except Failed as failure:
                    print(f"  {failure}", file=sys.stderr, flush=True)
                    failures.append({"rows": run.rows(), "reason": str(failure)})
                    continue
                after = bench.limits(limits)
                for row in run.rows():
                    records.append({
                        "row": row, "round": round_index, "limits": [before, after],
                        **{side: figures[side][row] if side in figures else None for side in sides}})
                before = after
                if arguments.json:
                    pathlib.Path(arguments.json).write_text(json.dumps(result, indent=1) + "\n")
    return result


def row_title(row):
    """Model and work in words."""
    model, work = row.split("/")
    work, _, number = work.partition("-")
    words = {
        "prefill": f"prefill {PREFILL}", "decode": f"decode {DECODE}", "batch": f"decode, {number} together",
        "depth": f"decode behind {number} tokens", "threads": f"decode, {number} thread{'s' if number != '1' else ''}",
        "memory": f"peak memory, prompt of {number}"}
    return plots.model_title(model), words[work]


def bandwidth(record):
    return statistics.mean(limits["read_gigabytes_per_second"] for limits in record["limits"]) * 1e9


def by_row(result):
    rows = {}
    for record in result["records"]:
        rows.setdefault(record["row"], []).append(record)
    return rows


def table(result):
    """Rows of texts, the header first."""
    lines = [["model", "work", "swiftlet", "llama.cpp", "ratio", "lowest to highest", "rounds", "share of bandwidth"]]
    for row, records in by_row(result).items():
        # Of a side that took too long nothing is known but that.
        is_alone = any(record["llama.cpp"] is None for record in records)
        ours, theirs = ([record[side] for record in records if record[side] is not None] for side in ("swiftlet", "llama.cpp"))
        if is_alone:
            cell = f"{ours[0]['resident'] / 1e9:.2f} GB ({ours[0]['anonymous'] / 1e9:.2f} anonymous)" if "/memory" in row else (
                f"{statistics.median(ours):.1f}")
            lines.append([*row_title(row), cell, f"over {result['limit']} s", "", "", str(len(records)), ""])
            continue
        if "/memory" in row:
            # Smaller is better, so the ratio is turned round: above 1 is better everywhere.
            cells = [f"{side[0]['resident'] / 1e9:.2f} GB ({side[0]['anonymous'] / 1e9:.2f} anonymous)" for side in (ours, theirs)]
            lines.append([*row_title(row), *cells, f"{theirs[0]['resident'] / ours[0]['resident']:.2f}", "", "1", ""])
            continue
        ratios = [a / b for a, b in zip(ours, theirs)]
        cells = [f"{statistics.median(side):.1f}" for side in (ours, theirs)]
        share = ""
        if "/decode" in row or "/depth" in row:
            size = result["bytes_per_token"][re.split("[@/]", row)[0]]
            shares = [statistics.median(size * record[side] / bandwidth(record) for record in records)
                      for side in ("swiftlet", "llama.cpp")]
            share = f"{shares[0]:.0%}, {shares[1]:.0%}"
        lines.append([
            *row_title(row), *cells, f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f} to {max(ratios):.2f}",
            str(len(records)), share])
    return lines


def depth_lines(result):
    """How much slower decoding becomes behind a context, each side against itself in the same round."""
    rows = by_row(result)
    for row, records in rows.items():
        model, _, depth = row.partition("/depth-")
        starts = {record["round"]: record for record in rows.get(f"{model}/depth-0", [])}
        pairs = [(record, starts[record["round"]]) for record in records if record["round"] in starts]
        if not depth or depth == "0" or not pairs:
            continue
        texts = []
        for side in ("swiftlet", "llama.cpp"):
            shares = [record[side] / start[side] for record, start in pairs if record[side] and start[side]]
            if shares:
                texts.append(f"{side} decodes at {statistics.median(shares):.0%}")
        yield f"{row_title(row)[0]}: behind {depth} tokens {', '.join(texts)} of its speed at the beginning."


def limits_line(result):
    names = {
        "read_gigabytes_per_second": ("reads", "GB/s"), "float_gigaflops": ("F32", "GFLOP/s"), "int8_gigaops": ("int8", "GOP/s"),
        "int8_tile_gigaops": ("int8 tiles", "GOP/s"), "bf16_tile_gigaflops": ("BF16 tiles", "GFLOP/s")}
    states = [limits for record in result["records"] for limits in record["limits"]]
    parts = []
    for key, (name, unit) in names.items():
        values = [limits[key] for limits in states if key in limits]
        if values:
            parts.append(f"{name} {statistics.median(values):.0f} {unit} ({min(values):.0f} to {max(values):.0f})")
    return "What the machine could do meanwhile, median (lowest to highest): " + ", ".join(parts) + "."


def report(result, markdown):
    facts = result["facts"]
    lines = [
        f"{result['processor']}, {result['threads']} threads; swiftlet's kernels: {facts.get('kernels', 'unknown')}; "
        f"llama.cpp {facts.get('llama.cpp', 'of unknown version')}. Speeds are tokens a second.", ""]
    if result["tiny"]:
        lines = ["Tiny sizes: these figures say only that everything runs.", ""] + lines
    rows = table(result)
    if markdown:
        lines += ["| " + " | ".join(cells) + " |" for cells in [rows[0], ["---"] * len(rows[0]), *rows[1:]]]
    else:
        widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))]
        lines += ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in rows]
    lines += ["", *depth_lines(result), limits_line(result)]
    for failure in result["failures"]:
        lines.append(f"Failed: {', '.join(failure['rows'])}: {failure['reason']}")
    return "\n".join(lines)


def read(paths):
    """What several measurements on one machine found, as one."""
    first, *others = (json.loads(pathlib.Path(path).read_text()) for path in paths)
    for other in others:
        if (other["processor"], other["threads"], other["tiny"]) != (first["processor"], first["threads"], first["tiny"]):
            sys.exit("The files are of different machines, threads or sizes.")
        first["records"] += other["records"]
        first["failures"] += other["failures"]
        first["bytes_per_token"] |= other["bytes_per_token"]
        first["limit"] = first.get("limit") or other.get("limit")
    return first


def put_into(path, result):
    """Replaces what stands between two comments of a document by the table and the plots, which are drawn into a folder beside it."""
    document = pathlib.Path(path)
    beginning, end = "<!-- figures -->", "<!-- end of figures -->"
    before, found, rest = document.read_text().partition(beginning)
    _, ending, after = rest.partition(end)
    if not found or not ending:
        sys.exit(f"{path}: found no lines {beginning} and {end} to put the figures between.")
    images = plots.draw(result, document.with_suffix(""))
    text = "\n\n".join([beginning, report(result, markdown=True), *images, end])
    document.write_text(before + text + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama", metavar="FOLDER", help="with llama-bench and llama-batched-bench")
    parser.add_argument("--llama-avx2", metavar="FOLDER", help="the same, built for AVX2")
    parser.add_argument("--swiftlet", default=str(HERE.parent / ".build" / "release" / "swiftlet"))
    parser.add_argument("--models", default="models", metavar="FOLDER", help="of the synthetic models")
    parser.add_argument("--rows", default="*", metavar="PATTERNS")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long-rounds", type=int, default=3, help=f"of contexts from {LONG_CONTEXT} tokens on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="that llama.cpp may take for a run")
    parser.add_argument("--json", metavar="OUT", help="keeps every figure of every round")
    parser.add_argument("--read", metavar="FILE", nargs="+", help="prints such files, one after the other, instead of measuring")
    parser.add_argument("--markdown", action="store_true", help="prints a Markdown table")
    parser.add_argument("--into", metavar="FILE", help="puts table and plots between the comments of a Markdown file")
    parser.add_argument("--tiny", action="store_true", help="a sixteenth of every size, to see whether everything runs")
    parser.add_argument("--list", action="store_true", help="prints the names of the rows")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(row for run in plan() for row in run.rows()))
        return
    if not arguments.read and not arguments.llama:
        parser.error("--llama is missing: the folder of llama-bench and llama-batched-bench")
    result = read(arguments.read) if arguments.read else measure(arguments)
    if arguments.into:
        put_into(arguments.into, result)
    else:
        print(report(result, arguments.markdown))


if __name__ == "__main__":
    main()
