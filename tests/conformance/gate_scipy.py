"""Comparisons of runs against scipy and numpy.

First the table of `reports/src/gate/mann_whitney_scipy.csv`, with which the unit tests compare: it is what scipy
computes. `--write` makes it again. Then the program itself, by baseline files of made-up run values: p, ratio, shift
and their intervals, and the smallest change by a simulation that shares nothing with it.
"""

import csv
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

TREE = Path(__file__).resolve().parents[2]
TABLE = TREE / "reports/src/gate/mann_whitney_scipy.csv"
RECORDED = TREE / "reports/src/gate/recorded_runs.csv"
COLUMNS = ["base", "new", "exact", "p", "superiority"]
ALPHA = 0.01
POWER = 0.8


def permutation_p(base, new):
    """Two-sided p over all choices of the new values among all, given their ties."""
    ranks = stats.rankdata(np.concatenate([base, new]))
    sums = [sum(choice) for choice in itertools.combinations(ranks, len(new))]
    found = ranks[len(base) :].sum()
    sums = np.array(sums)
    tails = (sums <= found + 1e-9).mean(), (sums >= found - 1e-9).mean()
    return min(1.0, 2 * min(tails))


def designs():
    """Pairs of samples: small ones with and without ties, and ones too large to count out."""
    random = np.random.default_rng(61850)
    for n, m in [(5, 5), (5, 6), (6, 5), (7, 7), (1, 1), (2, 3), (3, 8), (9, 4), (8, 8)]:
        for kind in ["free", "tied", "apart", "equal"]:
            base, new = random.normal(10, 1, n), random.normal(10.5, 1, m)
            if kind == "tied":
                base, new = np.round(base), np.round(new)
            elif kind == "apart":
                new = new + 20
            elif kind == "equal":
                base, new = np.full(n, 3.0), np.full(m, 3.0)
            yield base, new
    # Exact without ties, at sizes whose choices nobody lists.
    for n, m in [(20, 20), (12, 30), (50, 50)]:
        for shift in [0, 0.5, 1]:
            yield random.normal(10, 1, n), random.normal(10 + shift, 1, m)
    for n, m in [(60, 60), (40, 80), (101, 5)]:
        for shift in [0, 0.3, 1]:
            yield random.normal(10, 1, n), random.normal(10 + shift, 1, m)
            yield random.poisson(6, n), random.poisson(6 + shift, m)


def judged(base, new):
    """Whether p is exact, p, and the probability of superiority."""
    base, new = np.asarray(base, float), np.asarray(new, float)
    everything = np.concatenate([base, new])
    has_ties = len(np.unique(everything)) < len(everything)
    is_exact = len(everything) <= 100
    if is_exact and has_ties:
        p = permutation_p(base, new)
    else:
        method = "exact" if is_exact else "asymptotic"
        p = stats.mannwhitneyu(new, base, alternative="two-sided", method=method).pvalue
    u = stats.mannwhitneyu(new, base).statistic
    return is_exact, float(p), float(u / (len(base) * len(new)))


def rows():
    """The table."""
    text = lambda values: " ".join(repr(round(float(value), 6)) for value in values)
    for base, new in designs():
        base, new = np.round(base, 6), np.round(new, 6)
        is_exact, p, superiority = judged(base, new)
        yield [text(base), text(new), str(int(is_exact)), repr(p), repr(superiority)]


def write():
    with open(TABLE, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(rows())


def check_table():
    with open(TABLE, newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == COLUMNS, found[0]
    for given, fresh in zip(found[1:], rows(), strict=True):
        assert given[:3] == fresh[:3], given
        near = np.allclose([float(it) for it in given[3:]], [float(it) for it in fresh[3:]], rtol=1e-9)
        assert near, (given, fresh)
    print(f"{TABLE.name}: {len(found) - 1} rows are those of scipy {stats.__name__ and __import__('scipy').__version__}")
    # scipy's own enumeration, where its definition of two sides and ours are the same.
    base, new = [1.0, 2, 2, 3, 5], [2.0, 4, 4, 5, 6]
    method = stats.PermutationMethod(n_resamples=10**6)
    by_scipy = stats.mannwhitneyu(new, base, alternative="two-sided", method=method).pvalue
    assert abs(by_scipy - permutation_p(base, new)) < 1e-12, (by_scipy, permutation_p(base, new))


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    check_table()
