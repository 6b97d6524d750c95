"""Outputs of CPython for programs of the small language: Fixtures/programs.json. Run: python3 make_program_fixture.py"""
import contextlib
import io
import json
import pathlib

PROGRAMS = [
    "print(7 // 2, -7 // 2, 7 // -2, -7 // -2)\nprint(7 % 3, -7 % 3, 7 % -3, -7 % -3)",
    "print(2 ** 10, -2 ** 2, 2 ** 3 ** 2, (-3) ** 3)",
    "print(1 + 2 * 3 - 4 // 2, (1 + 2) * 3, 10 - 3 - 2, 100 // 7 // 2)",
    "print(not True, not 1 == 2, True and False or True, 1 < 2 and 2 < 3)",
    "a = 5\nb = a\na += 2\na -= 1\na *= 3\na //= 4\na %= 3\nprint(a, b)",
    "a, b = 1, 2\na, b = b, a + b\nprint(a, b)",
    "total = 0\nfor i in range(10):\n    if i % 2 == 0:\n        continue\n    if i > 7:\n        break\n    total += i\nprint(total, i)",
    "for i in range(3, 9, 2):\n    print(i)\nfor i in range(5, 0, -2):\n    print(i)\nfor i in range(3, 3):\n    print(i)\nprint(i)",
    "xs = [3, 1, 2]\nys = xs\nys.append(9)\nxs[0] = 7\nxs[-1] += 1\nprint(xs, ys, len(xs), sum(xs), min(xs), max(xs), xs == ys)",
    "xs = [1, 2]\nzs = xs + [3]\nxs.append(4)\nprint(xs, zs)\nfor x in zs:\n    if x < 3:\n        zs.append(x * 10)\nprint(zs, [], [1 + 1])",
    "def fact(n):\n    if n < 2:\n        return 1\n    return n * fact(n - 1)\nprint(fact(10))",
    "def fib(n):\n    a, b = 0, 1\n    for i in range(n):\n        a, b = b, a + b\n    return a\nprint(fib(1), fib(2), fib(30))",
    "def change(xs, n):\n    xs[0] = n\n    n = 5\nvalues = [1, 2]\nn = 8\nchange(values, n)\nprint(values, n, change(values, 3))",
    "x = 10\ndef read():\n    return x + 1\nx = 20\nprint(read())",
    "n = 27\nsteps = 0\nwhile n != 1:\n    if n % 2 == 0:\n        n //= 2\n    else:\n        n = 3 * n + 1\n    steps += 1\nprint(steps)",
    "x = 3\nif x > 5: print(1)\nelif x > 2: print(2)\nelse: print(3)\nprint()",
    "# a comment\nx = 1  # another\n\n   \nprint(x)  # the end",
    "xs = [\n    1,\n    2,\n]\nprint(max(1, 5, 3), min(4, 2), abs(-3), abs(4),\n      len(xs))",
    "def nothing(n):\n    n += 1\nprint(nothing(1), True, 1 == 1, 3 > 4)",
    "i = 0\nwhile True:\n    i += 1\n    for j in range(3):\n        if j == 2:\n            break\n    if i == 4:\n        break\nprint(i, j)",
    "if 0:\n    print(1)\nif []:\n    print(2)\nif [0]:\n    print(3)\nwhile 0:\n    pass\nx = [5, 6]\nprint(x[0] * x[1], x[-2])",
    "def f(a, b):\n    return a - b\nprint(f(f(9, 2), f(3, 1)))",
    "a = [1]\nb = a\na += [2, 3]\nprint(a, b)\na += a\nb += []\nprint(a, b, len(b))\na = a + [4]\na += [5]\nprint(a, b, a == b)",
    "def more(xs, n):\n    xs += [n]\n    xs = xs + [0]\n    xs += xs\n    return xs\nys = [1]\nzs = ys\nprint(more(ys, 2), ys, zs)",
    "xs = [1, 2]\nfor x in xs:\n    if x < 5:\n        xs += [x + 2, 9]\nprint(xs)",
    "a = [1]\ndef grow():\n    a.append(5)\n    return a\na += grow()\nprint(a)",
]


def main():
    rows = []
    for source in PROGRAMS:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(source, {})
        rows.append({"source": source, "output": output.getvalue()})
    path = pathlib.Path(__file__).parent / "Fixtures" / "programs.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")
    print(path, len(rows))


main()
