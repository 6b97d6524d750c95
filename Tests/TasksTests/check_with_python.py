"""Solves what `swiftlet tasks --export N` writes anew, in Python, and checks every equation in the worked reasoning.

    swiftlet tasks --export 200 --difficulty 4 | python3 check_with_python.py
"""
import collections
import contextlib
import datetime
import io
import json
import re
import sys
from fractions import Fraction

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


def date(text):
    day, month, year = text.split()
    return datetime.date(int(year), MONTHS.index(month) + 1, int(day))


def run(source, variables=None):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(source, dict(variables or {}))
    return output.getvalue().split()


def arithmetic(row):
    return str(eval(re.search(r"[\d][\d +-]*", row["question"]).group()))


def multiplication(row):
    a, b = map(int, re.findall(r"\d+", row["question"]))
    return str(a * b)


def fractions(row):
    a, b, symbol, c, d = re.search(r"\((\d+)/(\d+)\) (.) \((\d+)/(\d+)\)", row["question"]).groups()
    left, right = Fraction(int(a), int(b)), Fraction(int(c), int(d))
    return str({"+": left + right, "-": left - right, "*": left * right, "/": left / right}[symbol])


def linear_equations(row):
    """The answer put in; of two equations, y is what the first one leaves."""
    x = int(row["answer"])
    lines = [line for line in row["question"].replace("Solve for x: ", "Solve for x:\n").split("\n")[1:]]
    side = lambda text, y=0: eval(re.sub(r"(\d)([xy])", r"\1*\2", text), {"x": x, "y": y})
    if len(lines) == 1:
        left, right = lines[0].split("=")
        assert side(left) == side(right)
    else:
        (left, right), (left2, right2) = (line.split("=") for line in lines)
        factor = side(left, 1) - side(left, 0)
        y = Fraction(int(right) - side(left, 0), factor)
        assert side(left2, y) == int(right2), row
    return row["answer"]


def modular_arithmetic(row):
    match = re.search(r"(?:is|of) (.+?) (?:mod|divided by) (\d+)", row["question"])
    expression, modulus = match.groups()
    if "^" in expression:
        a, b = map(int, expression.split("^"))
        return str(pow(a, b, int(modulus)))
    return str(eval(expression) % int(modulus))


def countdown(row):
    value = eval(re.sub(r"(\d+)", r"Fraction(\1)", row["answer"]))
    assert value == row["target"] and sorted(map(int, re.findall(r"\d+", row["answer"]))) == sorted(row["numbers"]), row
    return row["answer"]


def parity(row):
    return ["even", "odd"][re.search(r"in ([01]+)", row["question"]).group(1).count("1") % 2]


def sorting(row):
    order, elements = re.search(r"these (.+?): (.+?)\. Answer", row["question"]).groups()
    elements = elements.split(", ")
    if order.startswith("numbers"):
        elements = [str(n) for n in sorted(map(int, elements), reverse="largest to" in order)]
    else:
        elements = sorted(elements, reverse="reverse" in order)
    return ", ".join(elements)


def counting(row):
    if row["question"].startswith("How many times does"):
        letter, text = re.search(r"letter '(.)' appear in \"(.+)\"", row["question"]).groups()
        return str(text.count(letter))
    word, text = re.search(r"is \"(.+?)\" in this list\? (.+)", row["question"]).groups()
    return str(text.split(", ").count(word))


def base_conversion(row):
    source, first, second = re.search(r"Convert (\w+) from base (\d+) to base (\d+)", row["question"]).groups()
    value, base, digits = int(source, int(first)), int(second), ""
    while value:
        digits = "0123456789abcdef"[value % base] + digits
        value //= base
    return digits


def dates(row):
    question = row["question"]
    if match := re.search(r"is (\d+) days after (.+?)\?", question):
        return (date(match.group(2)) + datetime.timedelta(int(match.group(1)))).isoformat()
    if match := re.search(r"from (.+?) to (.+?)\?", question):
        return str((date(match.group(2)) - date(match.group(1))).days)
    given, name, asked = re.search(r"^(.+?) is a (\w+)\. .* is (.+?)\?", question).groups()
    assert date(given).strftime("%A") == name, row
    return date(asked).strftime("%A")


def propositional_logic(row):
    given, formula = re.search(r"^(.+?)\. Is this formula true or false\? (.+)$", row["question"]).groups()
    values = dict(part.split(" is ") for part in given.split(", "))
    text = formula.replace("is equivalent to", "==").replace("implies", "<=")
    text = re.sub(r"\bnot ([A-Z])", r"(not \1)", text)
    return str(eval(text, {name: value == "true" for name, value in values.items()})).lower()


def word_problems(row):
    """Its last step has the answer; steps are checked below."""
    steps = [line for line in row["reasoning"].split("\n") if " = " in line]
    assert steps[-1].split(" = ")[1] == row["answer"], row
    return row["answer"]


def program_output(row):
    source = re.search(r"```python\n(.+?)\n```", row["question"], re.S).group(1)
    assert run(source) == row["answer"].split(), row
    return row["answer"]


def program_writing(row):
    for test in row["tests"]:
        assert run(row["answer"], test["inputs"]) == test["output"].split(), row
    return row["answer"]


# What stands behind a letter, as in `3x - 4 = 8`, is no expression of numbers.
EXPRESSION = r"(?<![a-z] [+-] )(?<!\w)-?\(?\d[\d +*/()-]*"


def check_steps(row):
    """Every `expression = number` in the reasoning."""
    count = 0
    for left, right in re.findall(rf"({EXPRESSION}) = (-?\d+)\b(?![./])", row["reasoning"]):
        try:
            value = eval(re.sub(r"(\d+)", lambda m: f"Fraction({int(m.group(1))})", left))
        except SyntaxError:
            continue
        assert value == int(right), (left, right, row["id"])
        count += 1
    return count


def main():
    counts, steps = collections.Counter(), collections.Counter()
    for line in sys.stdin:
        row = json.loads(line)
        found = globals()[row["family"].replace("-", "_")](row)
        assert found == row["answer"], (found, row)
        counts[row["family"]] += 1
        steps[row["family"]] += check_steps(row)
    for family, count in counts.items():
        print(f"{family}: {count} answers, {steps[family]} equations")


main()
