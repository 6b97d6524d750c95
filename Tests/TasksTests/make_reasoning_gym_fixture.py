"""Verdicts of reasoning-gym's verifiers on right, oddly written and wrong answers: Fixtures/reasoning_gym.json.

Run with the Python of the oracles: python make_reasoning_gym_fixture.py
A verdict is right where score_answer gives 1.0; its partial rewards count as wrong.
"""
import json
import pathlib
import random

import reasoning_gym

SETS = {
    # data set: (our grader, options)
    "chain_sum": ("number", {"max_digits": 4}),
    "products": ("number", {"max_digits": 3}),
    "simple_equations": ("number", {}),
    "letter_counting": ("number", {}),
    "gcd": ("number", {}),
    "count_bits": ("number", {}),
    "base_conversion": ("exact", {}),
    "number_sorting": ("list", {"max_numbers": 6, "min_decimals": 0, "max_decimals": 0}),
    "word_sorting": ("list", {"max_words": 5}),
    "countdown": ("countdown", {"max_numbers": 5}),
}
ENTRIES = 30


def numbers(answer, chance):
    value = int(answer)
    return {
        "plain": answer, "spaces": f"  {answer} ", "line end": answer + "\n", "plus": f"+{answer}" if value >= 0 else answer,
        "decimals": f"{answer}.00", "zeros": f"00{answer}" if value >= 0 else answer, "commas": f"{value:,}",
        "one more": str(value + 1), "ten times": str(value * 10), "negative": str(-value - 1),
        "sentence": f"The answer is {answer}", "two answers": f"{answer} {value + 1}", "full stop": f"{answer}.",
        "fraction": f"{2 * value}/2", "empty": "", "word": "unknown", "exponent": f"{answer}e0", "huge": "1e999",
        "nan": "nan", "other": str(chance.randint(-10**6, 10**6)),
    }


def texts(answer, chance):
    shuffled = list(answer)
    chance.shuffle(shuffled)
    return {
        "plain": answer, "spaces": f" {answer} ", "capitals": answer.upper(), "quotes": f'"{answer}"', "full stop": answer + ".",
        "one more": answer + "0", "one less": answer[:-1], "zeros": "0" + answer, "shuffled": "".join(shuffled), "empty": "",
        "sentence": f"The answer is {answer}",
    }


def lists(elements, written, chance):
    shuffled = elements[:]
    chance.shuffle(shuffled)
    return {
        "plain": written, "commas": ", ".join(elements), "tight": ",".join(elements), "words": " ".join(elements),
        "brackets": "[" + ", ".join(elements) + "]", "quotes": json.dumps(elements), "reversed": ", ".join(elements[::-1]),
        "shuffled": ", ".join(shuffled), "one less": ", ".join(elements[:-1]), "one twice": ", ".join(elements + elements[-1:]),
        "empty": "", "sentence": "Sorted: " + ", ".join(elements),
    }


def expressions(expression, given, target, chance):
    wrong = " + ".join(map(str, given))
    return {
        "plain": expression, "tight": expression.replace(" ", ""), "parentheses": f"(({expression}))",
        "equals": f"{expression} = {target}", "target": str(target), "sum": wrong, "one more": f"{expression} + 1",
        "zero": f"{expression} + 0", "twice": f"({expression}) + {given[0]} - {given[0]}",
        "division by zero": f"({expression}) / ({given[0]} - {given[0]})", "power": f"({expression}) ** 1",
        "open": f"({expression}", "words": "take the first two", "empty": "", "times": expression.replace("*", "×"),
        "sign": f"-(-({expression}))",
    }


def main():
    chance = random.Random(7)
    result = []
    for name, (grader, options) in SETS.items():
        data = reasoning_gym.create_dataset(name, size=ENTRIES, seed=11, **options)
        for entry in data:
            answer, metadata = entry["answer"], entry["metadata"]
            row = {"set": name, "grader": grader, "answer": answer}
            if grader == "number":
                cases = numbers(answer, chance)
            elif grader == "exact":
                cases = texts(answer, chance)
            elif grader == "list":
                elements = json.loads(answer.replace("'", '"')) if name == "number_sorting" else metadata["sorted_words"]
                cases = lists([str(element) for element in elements], answer, chance)
            else:
                given, target = metadata["numbers"], metadata["target"]
                row |= {"numbers": given, "target": target, "answer": metadata["expression"]}
                cases = expressions(metadata["expression"], given, target, chance)
            row["cases"] = [[kind, text, data.score_answer(text, entry) == 1.0] for kind, text in cases.items()]
            result.append(row)
    path = pathlib.Path(__file__).parent / "Fixtures" / "reasoning_gym.json"
    path.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in result) + "\n]\n")
    print(path, path.stat().st_size, "bytes", sum(len(row["cases"]) for row in result), "answers, reasoning-gym", reasoning_gym.__version__)


main()
