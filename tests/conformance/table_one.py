"""Recomputes every published table of run folders from the suite's data and `observations.csv`.

Unrolls the sweeps by its own reading of docs/paper-table-1.md, cuts the record into points, and
takes the r.m.s. of the deviations; shares nothing with the program. Compares with the figures of
`published_table` checks and, where there is one, with figures/published-table.csv. Predicts in closed form
what the paper's meter has to deviate by, as it is, read from a display and by the formulae as printed, and
holds predicted and found values against the tables of docs/paper-table-1.md; `--write` writes those.
"""

import csv
import fnmatch
import itertools
import math
import os
import sys
import tomllib

from peer import closed_form
from peer.bench import Comparison
from peer.record import Run, suite_run_folders
from suite_recompute import TIMES, head_of, size

REPORT_EVERY = "10 s"
DOCS = "docs/paper-table-1.md"
MARKS = ("<!-- tables by tests/conformance/table_one.py --write -->\n", "<!-- end of the tables -->\n")
# How far what is found may be from what is predicted: 500 readings of one seed, of which three share a point.
NEAR = 0.2
SETS = {"sinusoidal": "Sinusoidal test set:", "nonsinusoidal": "Non-sinusoidal test set:"}
WAYS = (("", "meter"), ("-display", "meter"), ("-display", "meter-printed"))
HERTZ = {"mHz": 1e-3, "Hz": 1.0}


def figure(text):
    """A published figure as (number, unit): percent stays percent, mHz becomes Hz."""
    number, _, unit = text.partition(" ")
    return float(number) * HERTZ.get(unit, 1.0), "%" if unit == "%" else "SI"


def degrees(text):
    number, unit = text.split()
    assert unit == "deg", text
    return float(number)


def points_of(suite, claim, period):
    """Points in the order of the sweeps: (conditions, first and last reading that count)."""
    known = []
    for sweep in suite["sweep"]:
        currents = sweep.get("current", [])
        angles = sweep.get("power_factor") or ["0 deg"]
        for combination in itertools.product(
            currents or [None], angles, map(size, sweep.get("voltage", [1])),
            map(size, sweep.get("frequency", [1])), sweep.get("waveform", ["sine"]),
        ):
            amperes = combination[0] and combination[0].split()
            share = 0.0 if not amperes else float(amperes[0]) if len(amperes) == 2 else 1.0
            conditions = (share, degrees(combination[1]), *combination[2:])
            if conditions not in known:
                known.append(conditions)
    settle = max(1, math.ceil(size(claim.get("settle", "1 s"), TIMES) / period - 1e-9))
    counted = claim.get("readings", 4)
    length = settle + counted
    return [(at, n * length + settle + 1, (n + 1) * length) for n, at in enumerate(known)]


def counted(run, suite, device, points):
    """What counts: row, conditions, true values of the reading, true and reported value of the row."""
    head, readings = head_of(suite), {}
    for name, _, serial, quantity, _, time, reference, reported in run.observations():
        if name == device and serial and reference:
            readings.setdefault(time, {})[quantity] = (reference, reported)
    readings = [readings[time] for time in sorted(readings)]
    volts, amperes = size(head["nominal_voltage"]), size(head["maximum_current"])
    for row in suite["published"]:
        least, quantity = size(row.get("counts_from", 0)), row["quantity"]
        for conditions, first, last in points:
            current, _, voltage, _, _ = conditions
            apparent = current * amperes * voltage * volts
            for number in range(first, last + 1):
                pair = readings[number - 1].get(quantity)
                if pair is None:
                    continue
                true, told = float(pair[0]), float(pair[1])
                if math.isnan(true):
                    continue
                if ".power" in quantity and abs(true) < least * apparent:
                    continue
                without = ".powerFactor" in quantity or ".current.thd" in quantity
                if apparent == 0 and (without or ".power" in quantity or ".current." in quantity):
                    continue
                known = {name: float(true) for name, (true, _) in readings[number - 1].items()}
                yield row, conditions, known, true, told


def scale_of(row, true):
    """What makes a deviation one of the row."""
    _, unit = figure(row["figure"])
    if unit != "%":
        return 1.0
    return 100 / abs(true) if row.get("relative_to", "reading") == "reading" else 100


def table(run, suite, device, points):
    """r.m.s. deviation and number of readings by row."""
    squares = {row["name"]: [] for row in suite["published"]}
    for row, _, _, true, told in counted(run, suite, device, points):
        squares[row["name"]].append((scale_of(row, true) * (told - true)) ** 2)
    return {name: (math.sqrt(sum(all_) / len(all_)), len(all_)) for name, all_ in squares.items()}


def predicted(run, suite, device, points):
    """The same in closed form, of nothing that the device reported."""
    waveforms, known, found = {wave["name"]: wave for wave in suite.get("waveform", [])}, {}, {}

    def orders(name, channel):
        rows = waveforms.get(name, {}).get(channel, [])
        return tuple((r["order"], size(r["share"]), math.radians(degrees(r["angle"]))) for r in rows)

    for row, conditions, all_, true, _ in counted(run, suite, device["name"], points):
        key = (conditions, *(round(all_[name], 9) for name in sorted(all_)))
        if key not in known:
            name = conditions[-1]
            point = closed_form.Point(all_, orders(name, "voltage"), orders(name, "current"))
            known[key] = closed_form.squares(device, point)
        square = closed_form.deviation(device, row["name"], true, known[key][row["name"]])
        found.setdefault(row["name"], []).append(scale_of(row, true) ** 2 * square)
    return {name: math.sqrt(sum(all_) / len(all_)) for name, all_ in found.items()}


def selected(check, rows):
    """The rows a check is about."""
    excused = [one["row"] for one in check.get("not_reproduced", [])]
    patterns = check.get("rows", ["*"])
    return excused or [n for n in rows if any(fnmatch.fnmatchcase(n, p) for p in patterns)]


def judged(check, rows, published):
    """Status and reason of a check."""
    excused = bool(check.get("not_reproduced"))
    outcomes = set()
    for name in selected(check, rows):
        ratio = rows[name][0] / published[name]
        if "at_most" in check:
            inside = ratio <= size(check["at_most"])
        else:
            inside = abs(ratio - 1) <= size(check["within"])
        outcomes.add(inside)
    if excused:
        # What is met is not excused.
        return ("fail", "explanation-out-of-date") if True in outcomes else (
            "skipped", "not-reproduced")
    return ("fail", "outside-limit") if False in outcomes else ("pass", "within-limit")


def accounted(comparison, name, run, claim, rows):
    """Each row of the suite's device, and of any other held to a band, is in exactly one check."""
    devices = {claim["device"]: []}
    for check in run.scenario["check"]:
        if check["kind"] == "published_table" and "within" in check:
            device = check.get("device", claim["device"])
            devices.setdefault(device, []).extend(selected(check, rows))
        excused = check.get("not_reproduced")
        if excused:
            verdict, = (v for v in run.verdicts if v["check"] == check["name"])
            comparison.same(f"{name} {check['name']} covers", verdict["covers"], [])
            told = all(one["explanation"].rstrip(".") in verdict["why"] for one in excused)
            comparison.true(f"{name} {check['name']} explains", told or verdict["status"] != "skipped",
                            verdict["why"])
    for device, named in devices.items():
        comparison.same(f"{name} {device} rows in checks", sorted(named), sorted(rows))


def shown(number, unit):
    """As a person writes it, with three digits."""
    number, unit = (1e3 * number, "mHz") if unit == "Hz" else (number, unit)
    return f"{number:.3g} {unit}".strip()


def documented(suites, found):
    """The tables of the documentation: predicted and found by row, for the meter in each of its ways."""
    lines = []
    for kind, title in SETS.items():
        lines += [title, "", "| | published | predicted | found | | display: predicted | found | "
                  "| as printed: predicted | found | |", "|---|---|---|---|---|---|---|---|---|---|---|"]
        for row in suites[kind]["published"]:
            value, _ = figure(row["figure"])
            unit = row["figure"].partition(" ")[2].replace("mHz", "Hz")
            cells = [row["title"], row["figure"]]
            for way, device in WAYS:
                guess, rms = found[f"table-1-{kind}{way}", device][row["name"]]
                inside = abs(rms / value - 1) <= 0.2
                cells += [shown(guess, unit), shown(rms, unit), "reproduced" if inside else "not"]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n" + "\n".join(lines)


def hold(comparison, suites, found, is_written):
    """The documentation has these tables, where all of their runs are there."""
    if any((f"table-1-{kind}{way}", device) not in found for kind in SETS for way, device in WAYS):
        return
    with open(DOCS, encoding="utf-8") as file:
        text = file.read()
    before, _, rest = text.partition(MARKS[0])
    block, _, after = rest.partition(MARKS[1])
    tables = documented(suites, found)
    if is_written:
        with open(DOCS, "w", encoding="utf-8") as file:
            file.write(before + MARKS[0] + tables + MARKS[1] + after)
    else:
        comparison.same(f"{DOCS}: predicted and found", block, tables)


def foresee(comparison, name, run, suite, points, tables, found):
    """What is found of the paper's meter is what is predicted of it."""
    for device in run.scenario["device"]:
        if device["model"] != "cvct-stm32f107":
            continue
        guesses, rows = predicted(run, suite, device, points), tables[device["name"]]
        found[name, device["name"]] = {row: (guesses[row], rms) for row, (rms, _) in rows.items()}
        for row, (rms, _) in rows.items():
            good = abs(rms / guesses[row] - 1) <= NEAR
            what = f"{name} {device['name']} {row}: predicted"
            comparison.true(what, good, f"{guesses[row]:.4g}, found {rms:.4g}")


def compare(comparison, folder, suites, found):
    run = Run(folder)
    claim = run.scenario.get("test_plan")
    if not claim or run.facts["state"] != "finished":
        return
    suite = tomllib.loads(run.facts["files"][f"suite:{claim['standard']}"])
    if "published" not in suite:
        return
    name = os.path.basename(os.path.normpath(folder))
    device, = (d for d in run.scenario["device"] if d["name"] == claim["device"])
    points = points_of(suite, claim, size(device.get("report_every", REPORT_EVERY), TIMES))
    published = {row["name"]: figure(row["figure"])[0] for row in suite["published"]}
    tables = {d["name"]: table(run, suite, d["name"], points) for d in run.scenario["device"]}
    accounted(comparison, name, run, claim, published)
    if name in {f"table-1-{kind}{way}" for kind in SETS for way, _ in WAYS}:
        suites[claim["standard"].removeprefix("paper-table-1-")] = suite
        foresee(comparison, name, run, suite, points, tables, found)
    for check in run.scenario["check"]:
        if check["kind"] != "published_table":
            continue
        verdict, = (v for v in run.verdicts if v["check"] == check["name"])
        rows = tables[check.get("device", claim["device"])]
        what = f"{name} {check['name']}"
        outcome = judged(check, rows, published)
        comparison.same(f"{what} status", (verdict["status"], verdict["reason"]), outcome)
        near = [rms for rms, count in rows.values() if count == verdict["n"]]
        good = any(math.isclose(verdict["measured"], rms, rel_tol=1e-9) for rms in near)
        comparison.true(f"{what} measured", good, f"{verdict['measured']!r} among {near!r}")
        if "within" in check and verdict["limit"] is not None:
            # The band of a row that has this figure.
            part, measured = size(check["within"]), verdict["measured"]
            bands = [(max(0.0, 1 - part) * published[n], (1 + part) * published[n])
                     for n in selected(check, rows) if math.isclose(rows[n][0], measured, rel_tol=1e-9)]
            low, high = verdict["limit_low"], verdict["limit"]
            good = any(math.isclose(low, a) and math.isclose(high, b) for a, b in bands)
            comparison.true(f"{what} band", good, f"{low} to {high}")
            inside = low <= measured <= high
            comparison.same(f"{what} inside its band", inside, verdict["status"] == "pass")
    path = run.path("figures", "published-table.csv")
    if os.path.exists(path):
        with open(path, newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                rms, count = tables[line["device"]][line["row"]]
                what = f"{name} {line['device']} {line['row']}"
                same = math.isclose(float(line["rms"]), rms, rel_tol=1e-9)
                comparison.true(what, same, f"{line['rms']} beside {rms!r}")
                comparison.same(f"{what} readings", int(float(line["readings"])), count)


def main():
    comparison, suites, found = Comparison(), {}, {}
    is_written = "--write" in sys.argv
    folders = [one for one in sys.argv[1:] if one != "--write"]
    for folder in folders or suite_run_folders(os.environ.get("RUNS", "target/test-runs")):
        compare(comparison, folder, suites, found)
    hold(comparison, suites, found, is_written)
    comparison.end()


if __name__ == "__main__":
    main()
