#!/usr/bin/env python3
"""DeepSeek-R1's findings in small: each trains a few arms with several seeds, keeps what came out, and writes a table and plots of it.

    Recipes/findings/findings.py list                                        # what there is, and what it costs
    Recipes/findings/findings.py run pass --swiftlet .build/release/swiftlet [--seeds 1,2,3] [--scale tiny]
    Recipes/findings/findings.py table pass
    Recipes/findings/findings.py plot pass

Arms are the recipes beside this file with a few values replaced. Their runs go to runs/findings/FINDING/ARM-SEED/, and may serve several
findings; figures, costs and commands go to docs/reasoning/FINDING.json, which is all that `table` and `plot` read. What was stopped goes on
when the command is given again, and what is done is not done twice. `--scale tiny` tries everything in seconds, in runs/findings-tiny/.

Intervals are those of Student's t over the seeds (95 %; of three seeds 4.30 standard errors). Arms of one seed begin alike and are asked
the same held-out problems, so they are compared seed by seed. Seconds are those of all processors together: a run's as its log has them,
others as the system counts them. Needs nothing but Python and swiftlet.
"""

import argparse
import collections
import contextlib
import fcntl
import json
import math
import os
import pathlib
import random
import re
import resource
import shlex
import statistics
import subprocess
import sys
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Sums, which nobody guesses; half of all guesses at a parity are right.
TASKS = "arithmetic"
# Of the mixture of experts, which one family would not fill.
MORE_TASKS = "arithmetic,parity,counting,sorting,linear-equations,dates"
SPECIAL = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"]
SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96, "moe_intermediate_size": 32}

# How much of everything. A start is stopped at the first of its steps at which `goal` of the training problems asked are right.
SCALES = {
    "full": {
        "chats": 11000, "more_chats": 10000, "first": 150, "every": 25, "most": 1000, "goal": 0.5, "small_goal": 0.3, "checked": 100,
        "settle": 40, "reinforce": 160, "tune": 600, "answers": 6000, "experts": 1200, "problems": 200, "samples": 16, "votes": 8,
        "tokens": 128, "budgets": "0,12,24,36,48,max", "prompts": 100, "rounds": 3, "goes": 10, "changes": {}},
    "tiny": {
        "chats": 60, "more_chats": 20, "first": 4, "every": 4, "most": 8, "goal": 0.5, "small_goal": 0.3, "checked": 4,
        "settle": 2, "reinforce": 2, "tune": 4, "answers": 40, "experts": 4, "problems": 4, "samples": 4, "votes": 4, "tokens": 96,
        "budgets": "0,8,max", "prompts": 2, "rounds": 1, "goes": 2, "changes": {
            "start.yaml": {"hidden_size": 32, "intermediate_size": 48, "moe_intermediate_size": 16,
                           "n_routed_experts": 4, "warm_up": 1, "batch": 4, "micro_batch": 4, "interval": 2, "sequences": 4},
            "tune.yaml": {"warm_up": 1, "held_out": 0.5, "batch": 4, "micro_batch": 4, "interval": 2, "sequences": 4},
            # Such a model has no right answers to tell from wrong ones.
            "reinforce.yaml": {"prompts": 2, "samples": 4, "max_new_tokens": 24, "micro_batch": 8, "warm_up": 1,
                               "zero_variance": "keep"}}},
}


# Runs


class Lab:
    """Where things are, and how much is done."""

    def __init__(self, options):
        self.name = options.scale
        self.scale = SCALES[options.scale]
        self.runs = pathlib.Path("runs/findings" + ("" if options.scale == "full" else "-" + options.scale))
        self.results = pathlib.Path("docs/reasoning") if options.scale == "full" else self.runs
        self.swiftlet = getattr(options, "swiftlet", None)
        self.threads = getattr(options, "threads", 2)


class Work:
    """What is done for one seed, and what it cost, stage by stage."""

    def __init__(self, lab, seed):
        self.lab, self.scale, self.seed, self.stages = lab, lab.scale, seed, {}
        # Of a run the one that it goes on from and whose cost is its own too.
        self.before = {}

    def seeded(self, arm):
        return f"{arm}-{self.seed}"

    def folder(self, run):
        return ROOT / self.lab.runs / run

    def call(self, stage, kind, output, *arguments):
        """Runs swiftlet at the root of the repository, unless its output is there. Returns what it printed."""
        target = self.folder(output)
        spent = target.with_name(target.name + ".seconds")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(target.name + ".partial")
            with open(partial, "w") as file:
                swiftlet(self.lab, arguments, spent, file)
            partial.rename(target)
        self.stages[stage] = {
            "kind": kind, "command": shown(arguments), "processor_seconds": round(seconds(spent), 2), "tokens": 0}
        return target.read_text()

    def train(self, run, recipe, steps, **changes):
        """Trains a run up to a step; a run that is there already is left alone."""
        folder, path = self.folder(run), self.folder(run + ".yaml")
        if not trained(folder, steps):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(replaced((HERE / recipe).read_text(), {
                **self.scale["changes"].get(recipe, {}), **changes, "seed": self.seed, "steps": steps, "folder": folder.name}))
            swiftlet(self.lab, ["train", os.path.relpath(path, ROOT)], folder.with_name(folder.name + ".seconds"))
            (folder / "trained").write_text(f"{steps}\n")
        log = records(folder)
        told = "".join(f", {key}: {value}" for key, value in changes.items())
        self.stages[run] = {
            "kind": "train", "command": f"swiftlet train Recipes/findings/{recipe} with steps: {log[-1]['step']}, seed: {self.seed}{told}",
            "processor_seconds": round(sum(record["processor_seconds"] for record in log), 2),
            "tokens": sum(record["tokens"] for record in log)}
        return log

    def model(self, run):
        return str(self.lab.runs / run / "model")

    def measure(self, run, name, *options, tasks=TASKS, problems=None, samples=None, temperature=1, split="held-out"):
        """Asks problems of the seed's own, and returns figures and answers."""
        output, answers = f"{run}/{name}.json", self.folder(f"{run}/{name}.jsonl")
        text = self.call(
            f"{run}/{name}", "measure", output, "eval", self.model(run), "--template", "deepseek-v3", "--tasks", tasks, "--split", split,
            "--task-seed", self.seed, "--problems", problems or self.scale["problems"], "--samples", samples or self.scale["samples"],
            "--instruction", "", "--strict", "--temperature", temperature, "--top-p", 1, "--seed", self.seed, "--max-tokens",
            self.scale["tokens"], "--parallel", 32, "--json", "--out", os.path.relpath(answers, ROOT), *options)
        files = sorted(answers.parent.glob(name + "*.jsonl")) if "--budgets" in options else [answers]
        rows = [row for file in files for row in lines(file) if "sample" in row]
        self.stages[f"{run}/{name}"]["tokens"] = sum(row["tokens"] for row in rows)
        return json.loads(text), rows

    def parts(self, runs):
        return [part for run in runs for part in (self.before.get(run), run) if part]

    def train_seconds(self, *runs):
        return sum(self.stages[run]["processor_seconds"] for run in self.parts(runs))


def shown(arguments):
    return "swiftlet " + shlex.join(map(str, arguments))


def swiftlet(lab, arguments, spent, output=None):
    """What it took is added to a file, also when it failed."""
    print("$", shown(arguments), file=sys.stderr, flush=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    threads = [] if arguments[0] in ("tasks", "tokenizer") else ["--threads", str(lab.threads)]
    process = subprocess.Popen([lab.swiftlet, *map(str, arguments), *threads], cwd=ROOT, stdout=output or subprocess.DEVNULL)
    try:
        if process.wait() != 0:
            sys.exit(f"findings.py: swiftlet ended with status {process.returncode}; what was done is kept")
    finally:
        # Ctrl-C reaches it too, and it writes a checkpoint before it ends.
        process.wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        with open(spent, "a") as file:
            file.write(f"{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.3f}\n")


def seconds(path):
    return sum(map(float, path.read_text().split())) if path.exists() else 0


def replaced(text, changes):
    """The recipe with other values. Each key stands on a line of its own and occurs once; a value may bring further lines."""
    for key, value in changes.items():
        text, count = re.subn(rf"^( *){key}: .*\n", lambda found: f"{found[1]}{key}: {value}\n", text, flags=re.M)
        if count != 1:
            sys.exit(f"findings.py: {key} occurs {count} times in the recipe")
    return text


def lines(path):
    return [json.loads(line) for line in path.read_text().split("\n") if line] if path.exists() else []


def records(folder):
    """The log's; of a run that was killed the last line may be cut."""
    path = folder / "log.jsonl"
    whole = path.read_text().rpartition("\n")[0].split("\n") if path.exists() else []
    return [json.loads(line) for line in whole if line]


def trained(folder, steps):
    """Whether the model in the folder has done so many steps."""
    mark = folder / "trained"
    return mark.exists() and int(mark.read_text()) >= steps


# Data, which all seeds and findings have in common


def make_data(lab):
    work, data = Work(lab, 0), ROOT / lab.runs / "data"
    if (data / "made").exists():
        return
    data.mkdir(parents=True, exist_ok=True)
    for name, tasks, difficulty, count in [("worked", TASKS, 1, "chats"), ("more", MORE_TASKS, "1-2", "more_chats")]:
        swiftlet(lab, ["tasks", "--tasks", tasks, "--difficulty", difficulty, "--export", lab.scale[count], "--or-fewer", "--worked",
                       "--instruction", "", "--shuffle", "--split", "train", "--output", work.lab.runs / f"data/{name}.jsonl"],
                 data / "data.seconds")
    chats = lines(data / "worked.jsonl")
    for name, change in [("mixed", cut), ("direct", emptied), ("seen", mostly_emptied)]:
        chance = random.Random(1)
        with open(data / f"{name}.jsonl", "w") as file:
            for index, chat in enumerate(chats):
                question, answer = chat["messages"]
                answer = {**answer, "content": change(answer["content"], index, chance)}
                file.write(json.dumps({"messages": [question, answer]}, ensure_ascii=False) + "\n")
    special = [option for token in SPECIAL for option in ("--special", token)]
    swiftlet(lab, ["tokenizer", "train", work.lab.runs / "data/worked.jsonl", work.lab.runs / "data/more.jsonl", "--size", 512,
                   "--pre-tokenizer", "qwen2", *special, "--force", "--out", work.lab.runs / "data/tokenizer.json"], data / "data.seconds")
    (data / "made").touch()


def thought_and_answer(text):
    thought, rest = text.removeprefix("<think>\n").split("\n</think>\n")
    return thought, rest


def cut(text, index, chance):
    """Of every second answer the thought ends anywhere, as at a budget, and the answer follows all the same."""
    if index % 2 == 0:
        return text
    thought, rest = thought_and_answer(text)
    return "<think>\n" + thought[:chance.randrange(len(thought))].rstrip() + "\n</think>\n\n" + rest


def emptied(text, index, chance):
    return "<think>\n</think>\n" + thought_and_answer(text)[1]


def mostly_emptied(text, index, chance):
    """One thought in ten is there: a base model has seen some."""
    return text if index % 10 == 0 else emptied(text, index, chance)


# Parts that findings share


def cold_start(work, arm="whole", goal="goal", **changes):
    """Learns worked answers until some are right, which leaves something to find. Returns the run and its steps."""
    run, scale = "start/" + work.seeded(arm), work.scale
    for steps in range(scale["first"], scale["most"] + 1, scale["every"]):
        work.train(run, "start.yaml", steps, **changes)
        figures, _ = work.measure(
            run, f"check-{steps}", problems=scale["checked"], samples=1, temperature=0, split="train")
        if figures["overall"]["pass@1"]["value"] >= scale[goal]:
            break
    checks = [work.stages.pop(f"{run}/check-{done}") for done in range(scale["first"], steps + 1, scale["every"])]
    work.stages[run + "/checks"] = {**checks[-1], **{key: round(sum(check[key] for check in checks), 2)
                                                     for key in ("processor_seconds", "tokens")}}
    return settled(work, arm, run, "worked"), steps


def start_of(work, arm, chats, steps, **changes):
    """As many steps on other chats."""
    run = "start/" + work.seeded(arm)
    work.train(run, "start.yaml", steps, chats=f"../data/{chats}.jsonl", **changes)
    return settled(work, arm, run, chats)


def settled(work, arm, start, chats):
    """A few steps at reinforcement's learning rate: what these alone bring is not to be taken for what it brings."""
    run = "start/" + work.seeded(arm + "-settled")
    work.train(run, "tune.yaml", work.scale["settle"],
               **{"from": f"../{start}/model", "chats": f"../data/{chats}.jsonl", "learning_rate": "3e-4"})
    work.before[run] = start
    return run


def reinforced(work, run, start, steps, **changes):
    work.train(run, "reinforce.yaml", steps, **{"from": f"../{start}/model", **changes})
    return run


def pass_at(rows, k):
    """The chance that one of k answers is right, mean of the problems (Chen et al. 2021)."""
    problems = collections.defaultdict(list)
    for row in rows:
        problems[row["id"]].append(row["correct"])
    return statistics.fmean(
        1 - math.comb(len(found) - sum(found), k) / math.comb(len(found), k) for found in problems.values())


def powers(most):
    return [2 ** power for power in range(most.bit_length()) if 2 ** power <= most]


def accuracy(measured):
    """Figures of an evaluation, in %."""
    figures, rows = measured
    overall, samples = figures["overall"], max(row["sample"] for row in rows) + 1
    result = {"pass@1": 100 * overall["pass@1"]["value"]}
    if samples > 1:
        result[f"pass@{samples}"] = 100 * pass_at(rows, samples)
    result["tokens an answer"] = overall["mean_tokens"]["value"]
    if len(figures["families"]) > 1:
        result.update({"pass@1 " + family: 100 * values["pass@1"]["value"] for family, values in figures["families"].items()})
    return result


def windows(log, value, size):
    """Means of so many steps: (last step, mean)."""
    points = [(record["step"], value(record["reinforcement"])) for record in log if record.get("reinforcement")]
    parts = [points[start:start + size] for start in range(0, len(points), size)]
    return [[part[-1][0], statistics.fmean(y for _, y in part)] for part in parts if part]


def reward_curves(work, run):
    log, size = records(work.folder(run)), work.scale["goes"]
    return {"reward": windows(log, lambda work: 100 * work["rewards"]["accuracy"], size),
            "length": windows(log, lambda work: work["response_tokens"], size)}


def held_out(work, run, key, unit=1):
    """Held-out loss over processor seconds, or tokens."""
    spent, points = 0, []
    if any("spreadsEvaluation" not in path.read_text() for path in work.folder(run).glob("checkpoints/step-*/state.json")):
        sys.exit(f"findings.py: {work.folder(run)} was measured on other held-out sequences than runs are now; delete it, and run again")
    for record in records(work.folder(run)):
        spent += record[key] / unit
        if record.get("held_out_loss") is not None:
            points.append([spent, record["held_out_loss"]])
    return points


def result(work, runs, figures, curves=None):
    """An arm of one seed. Its cost is that of the runs that made its model, measuring left out."""
    runs = work.parts(runs)
    stages = [work.stages[run] for run in runs]
    cost = {"processor seconds": sum(stage["processor_seconds"] for stage in stages),
            "tokens, all in all": sum(stage["tokens"] for stage in stages)}
    return {"figures": {**figures, **cost}, "curves": curves or {}, "stages": runs}


# Findings: each gives its arms one after the other, those first that others build on


def finding_pass(work):
    start, _ = cold_start(work)
    run = reinforced(work, "pass/" + work.seeded("reinforced"), start, work.scale["reinforce"])
    for arm, runs in [("start", [start]), ("reinforced", [start, run])]:
        measured = work.measure(runs[-1], "measured")
        curve = [[k, 100 * pass_at(measured[1], k)] for k in powers(work.scale["samples"])]
        curves = {"pass@k": curve, **(reward_curves(work, run) if arm == "reinforced" else {})}
        yield arm, result(work, runs, accuracy(measured), curves)


def finding_length(work):
    whole, steps = cold_start(work)
    mixed = start_of(work, "mixed", "mixed", steps)
    arms = [("whole thoughts", "pass/" + work.seeded("reinforced"), whole, {}),
            ("mixed thoughts", "length/" + work.seeded("mixed"), mixed, {}),
            ("mixed, mean of each answer", "length/" + work.seeded("answers"), mixed, {"loss": "answers"})]
    for arm, run, start, changes in arms:
        reinforced(work, run, start, work.scale["reinforce"], **changes)
        before, after = accuracy(work.measure(start, "measured")), accuracy(work.measure(run, "measured"))
        rows = work.measure(run, "measured")[1]
        tokens = "tokens an answer"
        figures = {"tokens before": before[tokens], "tokens after": after[tokens], "longer by": after[tokens] - before[tokens],
                   "pass@1 before": before["pass@1"], "pass@1 after": after["pass@1"]}
        for name, correct in [("right", True), ("wrong", False)]:
            figures[f"tokens of {name} answers"] = mean_or_none(row["tokens"] for row in rows if row["correct"] == correct)
        yield arm, result(work, [start, run], figures, reward_curves(work, run))


def mean_or_none(values):
    values = list(values)
    return statistics.fmean(values) if values else None


def until(work, run, start, budget, steps):
    """Reinforces for so many processor seconds, which is known only as it goes."""
    log = records(work.folder(run))
    while True:
        spent = sum(record["processor_seconds"] for record in log)
        if log and spent >= budget:
            break
        # As long as the last ones, whose answers may have grown; half of what is missing, at the end step by step, so that no more than
        # one is too many.
        last = log[-10:]
        missing = int((budget - spent) / statistics.fmean(record["processor_seconds"] for record in last) / 2) if log else steps
        work.train(run, "reinforce.yaml", len(log) + max(1, missing), **{"from": f"../{start}/model"})
        log = records(work.folder(run))
    return work.train(run, "reinforce.yaml", len(log), **{"from": f"../{start}/model"})


def finding_zero(work):
    start, steps = cold_start(work)
    run = reinforced(work, "pass/" + work.seeded("reinforced"), start, work.scale["reinforce"])
    yield "cold start", zero_result(work, start, run)
    budget = work.train_seconds(start, run)
    for arm, chats in [("zero", "direct"), ("zero, some thoughts seen", "seen")]:
        base = start_of(work, chats, chats, steps)
        run = "zero/" + work.seeded(chats)
        until(work, run, base, budget - work.train_seconds(base), max(1, work.scale["reinforce"] // 10))
        yield arm, zero_result(work, base, run)


def zero_result(work, start, run):
    before, after = accuracy(work.measure(start, "measured")), accuracy(work.measure(run, "measured"))
    spent = work.train_seconds(start)
    curve = [[spent, before["pass@1"]], [spent + work.train_seconds(run), after["pass@1"]]]
    return result(work, [start, run], {"pass@1 before": before["pass@1"], **after}, {"pass@1": curve, **reward_curves(work, run)})


def finding_distill(work):
    start, _ = cold_start(work)
    teacher = reinforced(work, "pass/" + work.seeded("reinforced"), start, work.scale["reinforce"])
    small, _ = cold_start(work, "small", "small_goal", **SMALL)
    yield "teacher", result(work, [start, teacher], accuracy(work.measure(teacher, "measured")))
    yield "small", result(work, [small], accuracy(work.measure(small, "measured")))
    data = teachers_answers(work, teacher)
    distilled = "distill/" + work.seeded("distilled")
    tuned = {"from": f"../{small}/model"}
    work.train(distilled, "tune.yaml", work.scale["tune"], chats=f"{data}.jsonl", **tuned)
    stage = f"distill/{data}"
    yield "distilled", result(work, [small, stage, distilled], accuracy(work.measure(distilled, "measured")))
    run = "distill/" + work.seeded("reinforced")
    until(work, run, small, work.train_seconds(stage, distilled), max(1, work.scale["reinforce"] // 10))
    yield "reinforced", result(work, [small, run], accuracy(work.measure(run, "measured")), reward_curves(work, run))
    more = "distill/" + work.seeded("worked")
    work.train(more, "tune.yaml", work.scale["tune"], **tuned)
    yield "worked answers", result(work, [small, more], accuracy(work.measure(more, "measured")))


def teachers_answers(work, teacher):
    """Its right answers to problems that are for training. Returns the file's name without an ending."""
    name = work.seeded("answers")
    output = os.path.relpath(work.folder(f"distill/{name}.jsonl"), ROOT)
    keep = "all" if work.lab.name == "tiny" else "right"
    work.call(f"distill/{name}", "generate", f"distill/{name}.card", "distill", work.model(teacher), "--template", "deepseek-v3", "--tasks",
              TASKS, "--task-seed", 1000 + work.seed, "--count", work.scale["answers"], "--instruction", "", "--strict", "--keep", keep,
              "--temperature", 1, "--top-p", 1, "--seed", work.seed, "--max-tokens", work.scale["tokens"], "--near-duplicates", 0,
              "--json", "--output", output)
    answers = lines(work.folder(f"distill/{name}.answers.jsonl"))
    work.stages[f"distill/{name}"]["tokens"] = sum(row.get("tokens", 0) for row in answers)
    return name


def finding_budgets(work):
    _, steps = cold_start(work)
    start = start_of(work, "mixed", "mixed", steps)
    run = reinforced(work, "length/" + work.seeded("mixed"), start, work.scale["reinforce"])
    votes = work.scale["votes"]
    for arm, runs in [("start", [start]), ("reinforced", [start, run])]:
        figures, _ = work.measure(runs[-1], "budgets", "--budgets", work.scale["budgets"], "--vote", samples=votes)
        rows, found = figures["budgets"], {}
        for row in rows:
            for key in ("pass@1", f"maj@{votes}"):
                found[f"{key}, thought {row['budget']}"] = 100 * row[key]["value"]
        found["vote gains"] = 100 * (rows[-1][f"maj@{votes}"]["value"] - rows[-1]["pass@1"]["value"])
        thoughts = [row["mean_reasoning_tokens"]["value"] for row in rows]
        curves = {"pass@1": [[x, 100 * row["pass@1"]["value"]] for x, row in zip(thoughts, rows)],
                  "vote": [[x, 100 * row[f"maj@{votes}"]["value"]] for x, row in zip(thoughts, rows)],
                  "votes": [[k, 100 * rows[-1][f"maj@{k}"]["value"]] for k in powers(votes)]}
        yield arm, result(work, runs, found, curves)


def finding_experts(work):
    # The longest of these chats have 260 tokens.
    longer, dense = {"sequence_length": 272}, {"first_k_dense_replace": 3}
    for arm, name, changes in [("mixture of experts", "mixture", {}), ("dense, as many active parameters", "dense", dense),
                               ("dense, as many parameters", "wide", {**dense, "intermediate_size": 448})]:
        run = "experts/" + work.seeded(name)
        schedule = {"learning_rate": "3e-3\n  schedule: cosine"}
        work.train(run, "start.yaml", work.scale["experts"], chats="../data/more.jsonl", **schedule, **longer, **changes)
        measured = work.measure(run, "measured", "--difficulty", "1-2", tasks=MORE_TASKS, samples=1, temperature=0)
        curves = {"by tokens": held_out(work, run, "tokens", 1e6), "by seconds": held_out(work, run, "processor_seconds")}
        yield arm, result(work, [run], {"held-out loss": curves["by tokens"][-1][1], **accuracy(measured)}, curves)


def finding_prediction(work):
    start, steps = cold_start(work)
    yield "without", prediction_result(work, [start])
    run = start_of(work, "predicting", "worked", steps, num_nextn_predict_layers=1)
    yield "with", prediction_result(work, [run])
    after = reinforced(work, "prediction/" + work.seeded("reinforced"), run, work.scale["reinforce"])
    yield "with, reinforced", prediction_result(work, [run, after])


def prediction_result(work, runs):
    figures = accuracy(work.measure(runs[-1], "measured"))
    if len(runs) == 1:
        figures["held-out loss"] = held_out(work, runs[0], "tokens")[-1][1]
    if "predicting" in runs[0]:
        figures.update(guesses(work, runs[-1]))
    return result(work, runs, figures)


def guesses(work, run):
    """Answers one at a time with guesses and without, by turns."""
    problems = work.call(f"{run}/problems", "measure", f"{run}/problems.jsonl", "tasks", "--tasks", TASKS, "--split", "held-out",
                         "--task-seed", work.seed, "--export", work.scale["prompts"])
    prompts = [json.dumps({"prompt": json.loads(line)["question"]}) + "\n" for line in problems.split("\n") if line]
    work.folder(f"{run}/prompts.jsonl").write_text("".join(prompts))
    ratios, counts = [], collections.Counter()
    for turn in range(work.scale["rounds"]):
        times = {}
        for draft in (["none", "mtp"] if turn % 2 == 0 else ["mtp", "none"]):
            name = f"{run}/{draft}-{turn}"
            output = work.folder(name + ".jsonl")
            work.call(name, "measure", name + ".done", "run", work.model(run), "--template", "deepseek-v3", "--batch",
                      work.lab.runs / run / "prompts.jsonl", "--output", os.path.relpath(output, ROOT), "--parallel", 1,
                      "--temperature", 1, "--top-p", 1, "--seed", work.seed, "--max-tokens", work.scale["tokens"], "--draft", draft)
            rows = [row for row in lines(output) if row.get("completion_tokens")]
            work.stages[name]["tokens"] = sum(row["completion_tokens"] for row in rows)
            times[draft] = sum(row["completion_tokens"] / (row["decode_tokens_per_second"] or math.inf) for row in rows)
            if draft == "mtp" and turn == 0:
                for row in rows:
                    counts.update({key: row["draft"][key] for key in ("proposed", "accepted", "passes")})
                    counts["tokens"] += row["draft"]["tokens_per_pass"] * row["draft"]["passes"]
        ratios.append(times["none"] / times["mtp"] if times["mtp"] else 0)
    return {"right guesses, %": 100 * counts["accepted"] / max(1, counts["proposed"]),
            "passes with a guess, %": 100 * counts["proposed"] / max(1, counts["passes"]),
            "tokens a pass": counts["tokens"] / max(1, counts["passes"]), "times as fast": statistics.median(ratios)}


def finding_kernels(work):
    start, _ = cold_start(work)
    for arm, run, changes in [
            ("identical, F32", "pass/" + work.seeded("reinforced"), {}),
            ("identical, BF16", "kernels/" + work.seeded("bfloat16"), {"precision": "bfloat16"}),
            # A key of its own: answers are drawn in another precision than is trained in.
            ("apart: BF16 rollouts, F32 training", "kernels/" + work.seeded("apart"), {"loss": "tokens\n  rollout_precision: bfloat16"})]:
        reinforced(work, run, start, work.scale["reinforce"], **changes)
        log = [record["reinforcement"] for record in records(work.folder(run))]
        first = [step["first_ratio_deviation"] for step in log if step.get("first_ratio_deviation") is not None]
        figures = {**accuracy(work.measure(run, "measured")), "largest first ratio - 1": max(first, default=None),
                   "rollout seconds a step": statistics.fmean(step["rollout_seconds"] for step in log)}
        yield arm, result(work, [start, run], figures, reward_curves(work, run))


Finding = collections.namedtuple("Finding", "question arms decides base cost curves dots")
# Curves: file, title, what is upwards, the axis, names in the results, whether the axis doubles. Dots: file, title, figure.
REWARD = ("reward", "Right answers while learning", "In %, means of ten steps", "steps", ["reward"], False)
LENGTH = ("length", "Length of answers while learning", "Tokens, means of ten steps", "steps", ["length"], False)
FINDINGS = {
    "pass": Finding(
        "Does reinforcement raise pass@1, and pass@k?", finding_pass, "pass@1", "start",
        "start up to 4.1M tokens, reinforcement 1.3M of answers, 0.4M measured", [
            ("pass-at-k", "Right answers by number of answers", "Chance in % that one of k is right", "k", ["pass@k"], True), REWARD], []),
    "length": Finding(
        "How long are answers while it learns?", finding_length, "longer by", None,
        "beside pass: start up to 4.1M tokens, twice 1.3M of answers, 0.6M measured", [LENGTH, REWARD], []),
    "zero": Finding(
        "Cold start, or reinforcement alone?", finding_zero, "pass@1", "cold start",
        "beside pass: twice a start of up to 4.1M tokens with 1.3M of answers, 0.6M measured", [
            ("seconds", "Before and after reinforcement", "pass@1 in %", "processor seconds", ["pass@1"], False), LENGTH], []),
    "distill": Finding(
        "Distil the larger reasoner, or reinforce the smaller one?", finding_distill, "pass@1", "reinforced",
        "beside pass: small start up to 4.1M tokens, 0.4M of the teacher, twice 2.5M tuned, about 0.7M of answers, 1.0M measured",
        [REWARD], [("pass", "Right answers", "pass@1")]),
    "budgets": Finding(
        "What are votes and longer thoughts worth?", finding_budgets, "vote gains", "start",
        "beside length: 0.8M measured", [
            ("thought", "Right answers by length of thought", "In %", "mean tokens of thought", ["pass@1", "vote"], False),
            ("votes", "Right answers by number of votes", "In %, thoughts of any length", "votes", ["votes"], True)], []),
    "experts": Finding(
        "A mixture of experts, or dense layers?", finding_experts, "held-out loss", "dense, as many active parameters",
        "three times 5.2M tokens, 0.1M measured", [
            ("tokens", "Loss by tokens", "Held out, nats a token", "million tokens", ["by tokens"], False),
            ("seconds", "Loss by processor seconds", "Held out, nats a token", "processor seconds", ["by seconds"], False)], [
            ("pass", "Right answers", "pass@1")]),
    "prediction": Finding(
        "What does the layer that predicts further tokens bring?", finding_prediction, "pass@1", "without",
        "beside pass: start up to 4.1M tokens, 1.3M of answers, 0.5M measured", [], [
            ("acceptance", "Guesses that are right, in %", "right guesses, %"),
            ("speed", "Times as fast as without guesses", "times as fast"),
            ("pass", "Right answers", "pass@1")]),
    "kernels": Finding(
        "Must sampler and trainer compute the same?", finding_kernels, "pass@1", "identical, F32",
        "beside pass: twice 1.3M of answers, 0.4M measured", [REWARD], [
            ("pass", "Right answers", "pass@1")]),
}


# Results


def saved(lab, name):
    path = ROOT / lab.results / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text())
    return {"finding": name, "question": FINDINGS[name].question, "scale": lab.name, "machine": machine(lab.threads), "arms": {},
            "stages": {}}


def machine(threads):
    names = re.findall(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M) if os.path.exists("/proc/cpuinfo") else []
    return f"{names[0] if names else sys.platform}, {threads} thread{'s' if threads != 1 else ''}"


def save(lab, name, results):
    """Numbers to six digits; a line an arm and seed, and a stage."""
    def text(value):
        return json.dumps(rounded(value), ensure_ascii=False)

    def group(values, write):
        return "{" + ",".join(f"\n    {text(key)}: {write(value)}" for key, value in values.items()) + "\n  }"

    arms = group(results["arms"], lambda runs: "{" + ",".join(
        f"\n      {text(seed)}: {text(runs[seed])}" for seed in sorted(runs, key=int)) + "}")
    head = "".join(f"  {text(key)}: {text(value)},\n" for key, value in results.items() if key not in ("arms", "stages"))
    path = ROOT / lab.results / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(f'{{\n{head}  "arms": {arms},\n  "stages": {group(results["stages"], text)}\n}}\n')
    partial.rename(path)


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, (list, tuple)) else value


@contextlib.contextmanager
def locked(lab, what):
    """Others that want the same wait."""
    folder = ROOT / lab.runs
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{what}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(lab, name, seeds):
    with locked(lab, "data"):
        make_data(lab)
    for seed in seeds:
        work = Work(lab, seed)
        # Findings share the runs of a seed; seeds have nothing in common but the file of results.
        with locked(lab, f"seed-{seed}"):
            for arm, found in FINDINGS[name].arms(work):
                with locked(lab, "results"):
                    results = saved(lab, name)
                    results["arms"].setdefault(arm, {})[str(seed)] = found
                    results["stages"].update(work.stages)
                    results["machine"] = machine(lab.threads)
                    save(lab, name, results)


# Statistics and the table

STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


def interval(values):
    """Mean and the bounds of 95 % by Student's t; the mean alone for one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, mean, mean
    half = STUDENT[min(len(values), len(STUDENT) + 1) - 2] * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def cell(values):
    values = [value for value in values if value is not None]
    if not values:
        return ""
    mean, low, high = interval(values)
    digits = 0 if abs(mean) >= 1000 else 1 if abs(mean) >= 10 or mean == 0 else 2 if abs(mean) >= 1 else 4
    return f"{mean:.{digits}f}" + (f" [{low:.{digits}f}, {high:.{digits}f}]" if len(values) > 1 else "")


def table(lab, name):
    """Figures by arm, the deciding one's differences seed by seed, and what all of it cost."""
    results, finding = saved(lab, name), FINDINGS[name]
    arms = results["arms"]
    if not arms:
        sys.exit(f"findings.py: nothing of {name} was run yet")
    figures = list(dict.fromkeys(key for runs in arms.values() for found in runs.values() for key in found["figures"]))
    rows = ["| | " + " | ".join(arms) + " |", "|---" * (len(arms) + 1) + "|"]
    for figure in figures:
        cells = [cell([found["figures"].get(figure) for found in runs.values()]) for runs in arms.values()]
        rows.append(f"| {figure} | " + " | ".join(cells) + " |")
    if finding.base in arms:
        base = arms[finding.base]
        apart = [[runs[seed]["figures"][finding.decides] - base[seed]["figures"][finding.decides] for seed in runs if seed in base]
                 for runs in arms.values()]
        rows.append(f"| {finding.decides}, less that of *{finding.base}* | "
                    + " | ".join("" if arm == finding.base else cell(values) for arm, values in zip(arms, apart)) + " |")
    spent = collections.Counter()
    for stage in results["stages"].values():
        spent[stage["kind"]] += stage["processor_seconds"]
    seeds = sorted({seed for runs in arms.values() for seed in runs}, key=int)
    parts = ", ".join(f"{kind} {value:.0f}" for kind, value in spent.items())
    told = f"Means of seeds {', '.join(seeds)}; in brackets intervals of 95 % by Student's t." if len(seeds) > 1 else f"Seed {seeds[0]}."
    rows += ["", told
             + f" All of it took {sum(spent.values()):.0f} processor seconds ({parts}) on {results['machine']}."]
    return "\n".join(rows)


# Plots

COLORS = ["#4a90c4", "#d9822b", "#5aa469", "#a66bbe", "#c44a5c", "#8a8a3a"]
TEXT, LEFT, TOP, WIDTH, HEIGHT = "#7d7d7d", 64, 56, 600, 280


def label(x, y, text, anchor="start", size=11, weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}">{escape(text)}</text>'


def svg(title, subtitle, height, body):
    width = LEFT + WIDTH + 24
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" fill="{TEXT}">\n'
            + "\n".join([f"<title>{escape(title)}</title>", label(16, 22, title, size=14, weight="600"), label(16, 40, subtitle), *body])
            + "\n</svg>\n")


def scale(low, high, count=6):
    """A round distance, and the multiples of it that hold the values."""
    raw = (high - low or abs(high) or 1) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return step, [step * place for place in range(first, max(last, first + 1) + 1)]


def seed_curves(runs, curve):
    return [found["curves"][curve] for found in runs.values() if found["curves"].get(curve)]


def mean_curve(curves):
    """Points as far as all seeds have them."""
    return [tuple(map(statistics.fmean, zip(*points))) for points in zip(*curves)]


def curves_plot(arms, title, subtitle, axis, names, doubles):
    series = [(arm + (f", {name}" if len(names) > 1 else ""), seeds, color, name != names[0])
              for (arm, runs), color in zip(arms.items(), COLORS) for name in names if (seeds := seed_curves(runs, name))]
    if not series:
        return None
    place = (lambda x: math.log2(x)) if doubles else float
    xs, ys = ([point[part] for _, seeds, _, _ in series for points in seeds for point in points] for part in (0, 1))
    _, heights = scale(min(ys), max(ys))
    first, last = place(min(xs)), max(place(max(xs)), place(min(xs)) + 1e-9)
    ticks = sorted(set(xs)) if doubles else [x for x in scale(min(xs), max(xs))[1] if min(xs) <= x <= max(xs)]
    across = lambda x: LEFT + 8 + (place(x) - first) / (last - first) * (WIDTH - 16)
    up = lambda y: TOP + HEIGHT - (y - heights[0]) / (heights[-1] - heights[0]) * HEIGHT
    body = []
    for y in heights:
        body.append(f'<path d="M{LEFT} {up(y):.1f}h{WIDTH}" stroke="{TEXT}" stroke-opacity="0.25"/>')
        body.append(label(LEFT - 8, up(y) + 4, f"{y:.4g}", "end"))
    body += [label(across(x), TOP + HEIGHT + 18, f"{x:.4g}", "middle") for x in ticks]
    body.append(label(LEFT + WIDTH / 2, TOP + HEIGHT + 36, axis, "middle"))
    line = lambda points: "M" + "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points)
    for index, (name, seeds, color, dashed) in enumerate(series):
        points, y = mean_curve(seeds), TOP + HEIGHT + 60 + 18 * index
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        if len(seeds) > 1:
            body += [f'<path d="{line(one)}" fill="none" stroke="{color}" stroke-opacity="0.4"{dash}/>' for one in seeds]
        body.append(f'<path d="{line(points)}" fill="none" stroke="{color}" stroke-width="2.2"{dash}/>')
        body += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5" fill="{color}"/>' for x, y in points]
        body.append(f'<path d="M{LEFT} {y - 4}h16" stroke="{color}" stroke-width="2.5"{dash}/>')
        body.append(label(LEFT + 22, y, f"{name}: {points[-1][1]:.4g}"))
    return svg(title, subtitle + "; thin lines are seeds", TOP + HEIGHT + 60 + 18 * len(series), body)


def dots_plot(arms, title, figure):
    rows = [(arm, values) for arm, runs in arms.items()
            if (values := [found["figures"][figure] for found in runs.values() if found["figures"].get(figure) is not None])]
    if not rows:
        return None
    left, bottom = 240, TOP + 30 * len(rows)
    _, marks = scale(min(min(values) for _, values in rows), max(max(values) for _, values in rows))
    across = lambda x: left + (x - marks[0]) / (marks[-1] - marks[0]) * (LEFT + WIDTH - left)
    body = [f'<clipPath id="inside"><path d="M{left} {TOP}H{LEFT + WIDTH}V{bottom}H{left}z"/></clipPath>']
    for x in marks:
        body.append(f'<path d="M{across(x):.1f} {TOP}V{bottom}" stroke="{TEXT}" stroke-opacity="0.25"/>')
        body.append(label(across(x), bottom + 18, f"{x:.4g}", "middle"))
    for index, ((arm, values), color) in enumerate(zip(rows, COLORS)):
        y, (mean, low, high) = TOP + 30 * index + 15, interval(values)
        body.append(label(left - 12, y + 4, arm, "end"))
        body.append(f'<path d="M{across(low):.1f} {y}H{across(high):.1f}" clip-path="url(#inside)" stroke="{color}" stroke-width="2"/>')
        body += [f'<circle cx="{across(value):.1f}" cy="{y}" r="2.5" fill="none" stroke="{color}"/>' for value in values]
        body.append(f'<circle cx="{across(mean):.1f}" cy="{y}" r="4" fill="{color}"/>')
    return svg(title, "Seeds, their mean and its interval of 95 %", bottom + 34, body)


def plot(lab, name):
    """Writes the plots of what there is; returns lines of Markdown that show them."""
    finding, arms = FINDINGS[name], saved(lab, name)["arms"]
    drawn = [(file, title, curves_plot(arms, title, *rest)) for file, title, *rest in finding.curves]
    drawn += [(file, title, dots_plot(arms, title, figure)) for file, title, figure in finding.dots]
    shown = []
    for file, title, text in drawn:
        if text:
            path = ROOT / lab.results / f"{name}-{file}.svg"
            path.write_text(text)
            shown.append(f"![{title}]({path.parent.name}/{path.name})")
    return "\n".join(shown)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what there is")
    for command in ("run", "table", "plot"):
        one = commands.add_parser(command)
        one.add_argument("name", choices=FINDINGS)
        one.add_argument("--scale", default="full", choices=SCALES)
        if command == "run":
            one.add_argument("--swiftlet", default=ROOT / ".build/release/swiftlet", type=lambda path: pathlib.Path(path).resolve())
            one.add_argument("--seeds", default="1,2,3", type=lambda text: [int(seed) for seed in text.split(",")])
            one.add_argument("--threads", default=2, type=int)
    options = parser.parse_args()
    if options.command == "list":
        for name, finding in FINDINGS.items():
            print(f"{name:11} {finding.question}\n{'':11} A seed: {finding.cost}.")
        return
    lab = Lab(options)
    if options.command == "run":
        run(lab, options.name, options.seeds)
    print(plot(lab, options.name) if options.command == "plot" else table(lab, options.name))


if __name__ == "__main__":
    main()
