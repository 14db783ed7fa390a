"""Exchanges the readings of any two meters of a plant, and of any two phases of one meter, in what a run
recorded: a check of its scenario has to be red each time.

The neighbour's bill is the gravest fault of submetering, and a plant in which two meters or two phases are
alike cannot show it. Of each scenario below all pairs are judged by the rule of `accuracy`, written anew here;
of one pair of meters and one of phases the record itself is altered, sealed again and judged by the program.
"""

import collections
import csv
import fnmatch
import hashlib
import itertools
import json
import os
import re
import shutil
import sys
import tempfile

from peer.bench import LASTMETER, Comparison, call, runs
from peer.record import COLUMNS, Run, is_named
from recompute import amount

# Of those with a simulator, the ones with more than one series of a kind.
SCENARIOS = [
    "building-heat-day", "day-of-ten-meters", "feeder-fault", "rts-fault", "rts-meter-feeder", "rts-waveforms",
]
# Those that `tests/run` does not run for each commit; `tests/long/in_turn.sh` has all.
IN_TURN = {"building-heat-day", "day-of-ten-meters"}
PHASE = re.compile(r"\.l([123])$")
# Of a long record its first rows will do: what is outside there is outside.
ROWS = 150_000
# A record of more bytes is not written anew.
BYTES = 30_000_000


class Series:
    """By device and quantity, the readings by their time: reference, reported, spread."""

    def __init__(self, run):
        self.of = collections.defaultdict(dict)
        spans = self.spreads(run)
        for fields in itertools.islice(run.observations(), ROWS):
            if fields[6] and fields[7]:
                spread = spans.get(tuple(fields[:4]), 0.0)
                self.of[fields[0], fields[3]][fields[5]] = (float(fields[6]), float(fields[7]), spread)

    @staticmethod
    def spreads(run):
        if not os.path.exists(run.path("spans.csv")):
            return {}
        with open(run.path("spans.csv"), newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            return {(row["device"], row["epoch"], row["serial"], row["quantity"]): float(row["spread"])
                    for row in rows}


class Check:
    """A check of accuracy: whether a value is outside even by the spread of its reference."""

    def __init__(self, table):
        self.limit, unit = amount(str(table["limit"]))
        self.is_relative = unit in ("%", "ppm")
        self.minimum = amount(str(table["minimum"]))[0] if "minimum" in table else 0.0
        self.device, self.quantity = table.get("device", "*"), table["quantity"]

    def is_about(self, device, quantity):
        return is_named(device, self.device) and fnmatch.fnmatchcase(quantity, self.quantity)

    def is_outside(self, reference, reported, spread):
        if abs(reference) + spread < self.minimum and abs(reported) < self.minimum:
            return False
        error = abs(reported - reference)
        if self.is_relative:
            whole = max(abs(reference), self.minimum)
            if whole == 0:
                return error > 0
            error, spread = 100 * error / whole, 100 * spread / whole
        return error > self.limit + spread


def is_red(series, checks, swapped):
    """Whether a check is red once each of these series has the values of the other."""
    for own, other in swapped:
        about = [check for check in checks if check.is_about(*own)]
        if not about or other not in series.of:
            continue
        others = series.of[other]
        for key, (reference, _, spread) in series.of[own].items():
            if key in others and any(check.is_outside(reference, others[key][1], spread) for check in about):
                return True
    return False


def of_meters(series, pair):
    """The exchange of two meters, both ways."""
    quantities = {quantity for device, quantity in series.of if device in pair}
    ways = [pair, pair[::-1]]
    return [((one, quantity), (other, quantity)) for one, other in ways for quantity in sorted(quantities)]


def of_phases(series, device, pair):
    """The exchange of two phases of a meter, both ways."""
    swapped = []
    for one, other in (pair, pair[::-1]):
        for of, quantity in sorted(series.of):
            if of == device and quantity.endswith(f".l{one}"):
                swapped.append(((device, quantity), (device, PHASE.sub(f".l{other}", quantity))))
    return swapped


def pairs(run, series):
    """All pairs of meters of one model, and all pairs of phases, each with what it exchanges."""
    models = collections.defaultdict(list)
    for device in run.facts["devices"]:
        if any(of == device["name"] for of, _ in series.of):
            models[device["model"]].append(device["name"])
    for names in models.values():
        for pair in itertools.combinations(sorted(names), 2):
            yield "meters", " and ".join(pair), of_meters(series, pair)
    for device in sorted({device for device, _ in series.of}):
        phases = sorted({found[1] for of, quantity in series.of if of == device
                         and (found := PHASE.search(quantity))})
        for pair in itertools.combinations(phases, 2):
            yield "phases", f"{device} l{pair[0]} and l{pair[1]}", of_phases(series, device, pair)


def seal(facts):
    """The hash of what `run.json` has, without itself and what judging adds."""
    hashes = {name: digest for name, digest in facts["hashes"].items() if name != "run.json"}
    facts = facts | {"hashes": hashes, "exit_code": None, "verdicts": None}
    facts.pop("account", None)
    return hashlib.sha256(json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def judged_again(comparison, run, name, swapped):
    """Alters the record itself, seals it again, and has the program judge it."""
    with tempfile.TemporaryDirectory() as root:
        folder = os.path.join(root, "run")
        shutil.copytree(run.folder, folder)
        other = dict(swapped)
        values = {(*fields[:4], fields[5] if not fields[2] else ""): fields[7] for fields in run.observations()}
        path = os.path.join(folder, "observations.csv")
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for fields in run.observations():
                device, quantity = other.get((fields[0], fields[3]), (fields[0], fields[3]))
                key = (device, fields[1], fields[2], quantity, fields[5] if not fields[2] else "")
                writer.writerow(fields[:7] + [values.get(key, fields[7])])
        facts = run.json("run.json")
        comparison.same(f"{name}: the seal", facts["hashes"]["run.json"], seal(facts))
        with open(path, "rb") as file:
            facts["hashes"]["observations.csv"] = hashlib.sha256(file.read()).hexdigest()
        facts["hashes"]["run.json"] = seal(facts)
        with open(os.path.join(folder, "run.json"), "w", encoding="utf-8") as file:
            json.dump(facts, file)
        code, out, err = call("report", folder)
        comparison.same(f"{name}, judged by the program: exit code", code, 1)
        if code != 1:
            print(out[-600:], err[-600:])


def main():
    comparison = Comparison()
    root = os.path.join(runs(), "library")
    for scenario in sys.argv[1:] or SCENARIOS:
        if not sys.argv[1:] and scenario in IN_TURN and not os.path.isdir(os.path.join(root, scenario)):
            print(f"note {scenario}: another commit's turn")
            continue
        run = Run(os.path.join(root, scenario))
        series = Series(run)
        checks = [Check(table) for table in run.scenario["check"] if table["kind"] == "accuracy"]
        count, unseen, again = collections.Counter(), [], {}
        for kind, name, swapped in pairs(run, series):
            count[kind] += 1
            again.setdefault(kind, (name, swapped))
            if not is_red(series, checks, swapped):
                unseen.append(name)
        told = f"{count['meters']} pairs of meters, {count['phases']} of phases; unseen: {unseen[:12]}"
        comparison.true(f"{scenario}: any exchange is seen", not unseen and sum(count.values()), told)
        if os.path.getsize(run.path("observations.csv")) < BYTES and os.path.exists(LASTMETER):
            for name, swapped in again.values():
                judged_again(comparison, run, f"{scenario}: {name}", swapped)
    comparison.end()


if __name__ == "__main__":
    main()
