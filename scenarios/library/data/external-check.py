#!/usr/bin/env python3
"""A check as a program: the mean error of every series of a run, in per cent of its reference.

The bench asks once, with one line of JSON on standard input, when the run folder is complete; the
answer is one line on standard output. Its files are those that `lastmeter` documents: this check
reads `observations.csv`, whose rows have a reference and what was reported, in SI units.

`settings` of the scenario's [[check]]: `limit`, in per cent, and `quantity`, what an identifier has
to begin with.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path


def series(folder, prefix):
    """Errors in per cent of each device and quantity, of values that were due and came."""
    errors = defaultdict(list)
    with open(Path(folder) / "observations.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row["quantity"].startswith(prefix) or not row["reference"]:
                continue
            reference = float(row["reference"])
            if row["reported"] and reference != 0:
                error = 100 * (float(row["reported"]) - reference) / abs(reference)
                errors[row["device"], row["quantity"]].append(error)
    return errors


def verdict(ask):
    """Pass if the mean error of every series is inside the limit."""
    settings = ask["settings"]
    limit = float(settings["limit"])
    errors = series(ask["folder"], settings.get("quantity", ""))
    count = sum(len(values) for values in errors.values())
    if count == 0:
        return {"verdict": "inconclusive", "why": "nothing was reported that could be judged"}
    means = {key: sum(values) / len(values) for key, values in errors.items()}
    (device, quantity), worst = max(means.items(), key=lambda item: abs(item[1]))
    is_inside = abs(worst) <= limit
    return {
        "verdict": "pass" if is_inside else "fail",
        "why": f"the mean error of {device} in {quantity} is {worst:+.4f} %, the largest of "
        f"{len(means)} series",
        "measured": abs(worst),
        "limit": limit,
        "unit": "%",
        "n": count,
    }


ask = json.loads(sys.stdin.readline())
print(json.dumps({"lastmeter": 1, **verdict(ask)}), flush=True)
