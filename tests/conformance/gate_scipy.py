"""Comparisons of runs against scipy and numpy.

First the table of `reports/src/gate/mann_whitney_scipy.csv`, with which the unit tests compare: it is what scipy
computes. `--write` makes it again, and `--record FOLDER` the table of recorded runs beside it. Then the program itself, by baseline files of made-up run values: p, ratio, shift
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
import scipy
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
    print(f"{TABLE.name}: {len(found) - 1} rows are those of scipy {scipy.__version__}")
    # scipy's own enumeration, where its definition of two sides and ours are the same.
    base, new = [1.0, 2, 2, 3, 5], [2.0, 4, 4, 5, 6]
    method = stats.PermutationMethod(n_resamples=10**6)
    by_scipy = stats.mannwhitneyu(new, base, alternative="two-sided", method=method).pvalue
    assert abs(by_scipy - permutation_p(base, new)) < 1e-12, (by_scipy, permutation_p(base, new))


def record(folder):
    """Writes the median and the 99th percentile of each path of the runs of a suite folder."""
    with open(RECORDED, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["run", "path", "p50_ms", "p99_ms"])
        runs = [run.parent for run in Path(folder).glob("*/*/run.json")]
        for run in sorted(runs, key=lambda run: int(run.name.split("=")[1])):
            for path, delays in sorted(delays_of(run).items()):
                quantiles = [np.quantile(delays, share, method="inverted_cdf") for share in [0.5, 0.99]]
                table.writerow([run.name, path, *[repr(round(float(it), 6)) for it in quantiles]])


def delays_of(run):
    """The delays of each path in ms, of messages that were due behind the warm-up of 5 s."""
    facts = json.loads((run / "run.json").read_text())
    assert facts["state"] == "finished", run
    delays = {}
    with open(run / "latency.csv", newline="") as file:
        for row in csv.DictReader(file):
            intended = int(row["intended_ns"])
            if not 5_000_000_000 <= intended <= 20_000_000_000:
                continue
            end = row["received_ns" if ">" in row["path"] else "queryable_ns"]
            delay = (int(end) - intended) / 1e6 if end else np.inf
            delays.setdefault(row["path"], []).append(delay)
    return delays


def compared(base, new, relative):
    """The row that the program has for these run values."""
    with tempfile.TemporaryDirectory() as folder:
        for name, values in [("base", base), ("new", new)]:
            runs = ", ".join(repr(float(value)) for value in values)
            text = f"""format = 1
[[scenario]]
name = "s"
time = "real"
[[scenario.metric]]
name = "latency x p50"
unit = "ms"
value = {float(np.median(values))!r}
runs = [{runs}]
relative_percent = {100 * relative}
absolute = 0.0
"""
            Path(folder, f"{name}.toml").write_text(text)
        words = [os.environ["LASTMETER"], "compare", f"{folder}/base.toml", "--against", f"{folder}/new.toml"]
        done = subprocess.run([*words, "--format", "json"], capture_output=True, text=True)
        assert done.returncode in (0, 1, 5), done.stderr
        (row,) = json.loads(done.stdout)["scenarios"][0]["rows"]
        return row


def deciding(n, m):
    """In how many pairs the new value has to be larger, by scipy, without ties."""
    for larger in range(n * m // 2, n * m + 1):
        ranks, left = list(range(1, m + 1)), larger
        for place in reversed(range(m)):
            step = min(left, n)
            ranks[place], left = ranks[place] + step, left - step
        others = [rank for rank in range(1, n + m + 1) if rank not in ranks]
        if stats.mannwhitneyu(ranks, others, method="exact").pvalue <= ALPHA:
            return larger
    raise ValueError((n, m))


def check_estimates():
    random = np.random.default_rng(10)
    for n, m, factor in [(5, 5, 1.5), (5, 7, 1.0), (8, 8, 1.1), (12, 9, 1.3), (20, 20, 1.05)]:
        base, new = random.lognormal(3, 0.1, n), factor * random.lognormal(3, 0.1, m)
        row = compared(base, new, 0.1)
        found = row["statistics"]
        _, p, superiority = judged(base, new)
        ratios = np.sort(np.subtract.outer(np.log(new), np.log(base)).ravel())
        rank = deciding(n, m)
        expected = [p, superiority, *np.exp([np.median(ratios), ratios[-rank], ratios[rank - 1]])]
        test, ratio = found["test"], found["ratio"]
        computed = [test["p"], test["superiority"], ratio["value"], *ratio["interval"]]
        assert np.allclose(computed, expected, rtol=1e-9), (found, expected)
        trips = p <= ALPHA and abs(expected[2] - 1) > 0.1
        assert (row["outcome"] == "worse") == trips, (row, expected)
        print(f"{n} against {m}: p {p:.4f}, ratio {expected[2]:.3f}, {row['outcome']}")


def smallest(values, runs, relative):
    """The change that is found in 80 % of comparisons of runs drawn from these values."""
    random = np.random.default_rng(11)
    needed = deciding(runs, runs)
    logs = np.log(values)
    base, new = (random.choice(logs, (4000, runs)) for _ in range(2))
    pairs = new[:, :, None] - base[:, None, :]
    # From which change on so many pairs are larger, and their median is beyond the tolerance.
    ordered = np.sort(pairs.reshape(len(pairs), -1), axis=1)
    by_rank = -ordered[:, -needed]
    by_ratio = np.log1p(relative) - np.median(ordered, axis=1)
    return float(np.expm1(np.quantile(np.maximum(by_rank, by_ratio), POWER)))


def check_smallest():
    with open(RECORDED, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["path"] == "reading>subscriber"]
    for column, relative, runs in [("p99_ms", 0.25, 20), ("p50_ms", 0.1, 20), ("p99_ms", 0.25, 5)]:
        values = np.array([float(row[column]) for row in rows])
        if runs == 20:
            found = compared(values[:20], values[20:], relative)["statistics"]["smallest"]["relative"]
        else:
            # The median comparison: of five runs the spread itself is uncertain.
            random = np.random.default_rng(12)
            draws = [random.permutation(values)[: 2 * runs] for _ in range(101)]
            rows_of = [compared(it[:runs], it[runs:], relative)["statistics"] for it in draws]
            found = np.median([it["smallest"]["relative"] for it in rows_of])
        expected = smallest(values, runs, relative)
        print(f"{column}, {runs} runs: seen from +{100 * found:.1f} %, simulated +{100 * expected:.1f} %")
        assert abs(found / expected - 1) <= 0.1, (found, expected)


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    if "--record" in sys.argv:
        record(sys.argv[-1])
        sys.exit()
    check_table()
    if "LASTMETER" in os.environ:
        check_estimates()
        check_smallest()
