"""Figures computed otherwise: Fixtures/statistics.json. pass@k by drawing all subsets, Wilson's interval by solving its equation.
Run: python3 make_statistics_fixture.py"""
import itertools
import json
import pathlib
from fractions import Fraction
from statistics import NormalDist


def pass_at_k(samples, correct, k):
    answers = [True] * correct + [False] * (samples - correct)
    draws = list(itertools.combinations(answers, k))
    return float(Fraction(sum(any(draw) for draw in draws), len(draws)))


def wilson(successes, trials):
    """The p for which (successes / trials - p)^2 = z^2 p (1 - p) / trials, by bisection."""
    z, share = NormalDist().inv_cdf(0.975), successes / trials
    distance = lambda p: (share - p) ** 2 - z * z * p * (1 - p) / trials
    def root(low, high):
        for _ in range(200):
            middle = (low + high) / 2
            if distance(middle) * distance(low) > 0: low = middle
            else: high = middle
        return low
    return [0.0 if successes == 0 else root(0.0, share), 1.0 if successes == trials else root(1.0, share)]


rows = {
    "pass_at_k": [[n, c, k, pass_at_k(n, c, k)] for n in (1, 2, 5, 8, 12) for c in range(0, n + 1) for k in range(1, n + 1)],
    "wilson": [[s, t, *wilson(s, t)] for t in (1, 5, 10, 100, 1000) for s in sorted({0, 1, t // 3, t // 2, t - 1, t})],
}
path = pathlib.Path(__file__).parent / "Fixtures" / "statistics.json"
path.write_text(json.dumps(rows) + "\n")
print(path, len(rows["pass_at_k"]), len(rows["wilson"]))
