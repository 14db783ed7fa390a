"""Runs the wide-area experiment while the machine is busy: load must not decide a verdict.

Hogs are processes that compute without an end. They are there before a run, while it goes on, or
for a part of it only. The platform is healthy, or slowed: its messages take 100 ms longer, which
the published values do not allow.

- Healthy under load: no check may fail.
- Slowed under load: no check that a slower platform breaks may pass.
- Healthy and quiet: 9 of 10 pass. Slowed and quiet: 9 of 10 fail.

Quiet is what the floor measured as quiet: a run that says of itself that checks could not be judged
on its floor is repeated, at most three times, and not counted.

    load_runs.py            3 short runs: a pair under load, then a slowed one
    load_runs.py --whole    40 runs as the scenario has them, with a table
    load_runs.py --whole --only "healthy, 0 hogs"    those of them alone
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from peer.bench import LASTMETER, Comparison

SCENARIO = "scenarios/library/real-time/communication-performance.toml"
SLOWED = ["--set", 'link.wan.delay="100 ms"']
SHORT = ["--set", 'scenario.duration="28 s"']
# What 100 ms more break for certain: the published median is 140 ms, give or take 5 ms.
BROKEN_BY_DELAY = ["published-median", "published-q1", "published-q3", "published-lower-whisker"]
WHEN = ["before", "during", "within"]
SEED = 20270118
REPEATS = 3
HOG = "while True:\n    pass\n"


class Hogs:
    """So many processes that compute, from one instant to another since it was made."""

    def __init__(self, count, when, duration):
        # Starting and the floor take some 8 s.
        begin, end = {
            "none": (None, None),
            "before": (0, duration + 8),
            "during": (8, 3600),
            "within": (12, 12 + duration / 2),
        }[when]
        self.count, self.begin, self.end, self.hogs = count, begin, end, []
        self.made = time.monotonic()

    def look(self):
        since = time.monotonic() - self.made
        wanted = self.begin is not None and self.begin <= since < self.end
        if wanted and not self.hogs:
            command = [sys.executable, "-c", HOG]
            self.hogs = [subprocess.Popen(command) for _ in range(self.count)]
        elif not wanted:
            self.stop()

    def stop(self):
        for hog in self.hogs:
            hog.kill()
            hog.wait()
        self.hogs = []


def run(folder, arguments, hogs):
    """Exit code, verdicts by check, and whether its floor was quiet."""
    command = [LASTMETER, "run", SCENARIO, "--out", str(folder), *arguments]
    with open(f"{folder}.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                hogs.look()
                time.sleep(0.1)
        finally:
            hogs.stop()
            process.kill()
            process.wait()
    verdicts = json.loads((folder / "verdicts.json").read_text())
    quiet = not any(one["reason"] == "not-measurable-here" for one in verdicts)
    return process.returncode, {one["check"]: one for one in verdicts}, quiet


def label_of(platform, count, when):
    return f"{platform}, {count} hogs, {when}"


def plan(whole):
    """What runs one after the other: healthy or slowed ones, how many hogs beside them, and when."""
    draw = random.Random(SEED)
    # Two share their hogs, and each is one more to the other.
    if whole:
        loads = [(1 + number % 8, WHEN[number % 3]) for number in range(10)]
        draw.shuffle(loads)
        pairs = [(["healthy", "slowed"], *load) for load in loads]
        # What shall be quiet runs alone: two are load to each other.
        return pairs + [([platform], 0, "none") for platform in ["healthy", "slowed"] * 10]
    pair = (["healthy", "slowed"], 8, draw.choice(WHEN))
    # A healthy one on a quiet machine is in the library.
    return [pair, (["slowed"], 0, "none")]


def one(folder, number, platform, hogs_here, when, whole):
    """A run, repeated while it wants a quiet machine and has none."""
    arguments = ([] if whole else SHORT) + (SLOWED if platform == "slowed" else [])
    for attempt in range(REPEATS if whole and when == "none" else 1):
        hogs = Hogs(hogs_here, when, 60 if whole else 28)
        code, verdicts, quiet = run(folder / f"{number}-{attempt}", arguments, hogs)
        if quiet or when != "none":
            break
    return platform, code, verdicts, quiet


def judge(comparison, counted, found, load, whole):
    """What load must not do, and what has to be on a quiet machine."""
    (platform, code, verdicts, quiet), (count, when) = found, load
    label = label_of(platform, count, when)
    statuses = {name: it["status"] for name, it in verdicts.items()}
    failed = [name for name, status in statuses.items() if status in ("fail", "error")]
    told = ", ".join(f"{name} {it['status']} ({it['reason']})" for name, it in verdicts.items()
                     if it["status"] != "pass")
    print(f"{label}: exit {code}; {told or 'all pass'}", flush=True)
    comparison.true(f"{label}: {len(statuses)} verdicts", len(statuses) == 10)
    if platform == "healthy" and (when != "none" or quiet):
        whys = [verdicts[name]["why"] for name in failed]
        comparison.true(f"{label}: no fail of a healthy platform {failed} {whys}", not failed)
    if platform == "slowed":
        passed = [name for name in BROKEN_BY_DELAY if statuses[name] == "pass"]
        comparison.true(f"{label}: no pass of a slowed platform {passed}", not passed)
    if when == "none" and quiet:
        # Short ones leave a class open: they are too short for it.
        good = code == 1 if platform == "slowed" else code == 0 or (not whole and not failed)
        counted.setdefault(platform, []).append(good)
    elif when == "none":
        print(f"{label}: the machine was never quiet; not counted")
    return f"| {label} | {code} | " + " | ".join(
        str(list(statuses.values()).count(status)) for status in ("pass", "fail", "inconclusive")
    ) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--only", default="", help="what the label of each run has to hold")
    asked = parser.parse_args()
    whole = asked.whole
    comparison, counted, rows = Comparison(), {}, []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        number = 0
        for platforms, count, when in plan(whole):
            platforms = [it for it in platforms if asked.only in label_of(it, count, when)]
            runs = []
            for place, platform in enumerate(platforms):
                # The hogs of the first are those of all.
                own = count if place == 0 else 0
                runs.append(pool.submit(one, Path(folder), number, platform, own, when, whole))
                number += 1
            rows += [judge(comparison, counted, it.result(), (count, when), whole) for it in runs]
    for platform, good in sorted(counted.items()):
        print(f"quiet, {platform}: {sum(good)} of {len(good)} as they have to")
        if whole:
            comparison.true(f"quiet, {platform}", 10 * sum(good) >= 9 * len(good))
        elif platform == "slowed":
            comparison.true("quiet, slowed: one fails", any(good))
    print("\n| platform, load | exit | pass | fail | inconclusive |\n|---|---|---|---|---|")
    print("\n".join(rows))
    comparison.end()


if __name__ == "__main__":
    main()
