"""Computes every figure about latency again, from latency.csv, events.jsonl and run.json alone.

Verdicts of the checks latency, jitter, recovery and published; the tables of classes, quantiles and
legs; the data of every picture. Judges the runs of the shipped scenarios that record latency, and
runs that it has made up by `sample_latency_run`, where every way to a verdict is taken. Arguments
are run folders to be judged instead. The bounds are compared on 10,000 random pairs as well.
"""

import csv
import datetime
import glob
import math
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from decimal import Decimal

import numpy as np

from peer import latency_rules as rules
from peer.bench import Comparison, example
from peer.latency_rules import INFINITE, NEVER, SECOND
from peer.record import Run, suite_run_folders

# IEC 61850-5, in ns; typed in.
CLASSES = {
    "TT0": None, "TT1": 10**9, "TT2": 5 * 10**8, "TT3": 10**8, "TT4": 2 * 10**7, "TT5": 10**7,
    "TT6": 3 * 10**6,
}
UNITS = {"us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
TIMED = ("latency", "jitter", "recovery", "published")


def nanoseconds(text):
    """Of `1 h 30 min`, `0.5 s`."""
    parts = re.findall(r"([-+0-9.eE]+)\s*([a-z]+)", text)
    return int(sum(Decimal(number) * UNITS[unit] for number, unit in parts))


def share(value):
    if isinstance(value, str):
        number, unit = re.fullmatch(r"\s*([0-9.eE]+)\s*(%|ppm)\s*", value).groups()
        return float(Decimal(number) * (Decimal("0.01") if unit == "%" else Decimal("1e-6")))
    return float(value)


def instant(text):
    """Seconds since 1970, exactly."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.datetime.fromisoformat(whole + "+00:00")
    return Decimal(int(moment.timestamp())) + Decimal("0." + (fraction or "0"))


def requirements():
    """The tables of the source, by name: limit in ns and coverage."""
    found = {}
    for path in glob.glob("reports/requirements/*.toml"):
        with open(path, "rb") as file:
            for row in tomllib.load(file)["requirement"]:
                limit = nanoseconds(row["limit"]) if "limit" in row else None
                found[row["name"]] = (limit, share(row["coverage"]) if "coverage" in row else None)
    return found


TABLE = requirements()


def stall_of(check):
    return nanoseconds(check.get("stall", "1 s"))


def claim(check, files):
    """Limit in ns, None for delivery, and coverage."""
    own = {}
    if "requirements" in check:
        for row in tomllib.loads(files[check["requirements"]])["requirement"]:
            own[row["name"]] = row
    coverage = share(check["coverage"]) if "coverage" in check else None
    if "limit" in check:
        return nanoseconds(check["limit"]), coverage or 0.999
    name = check.get("class") or check["profile"]
    if name in own:
        row = own[name]
        limit = nanoseconds(row["limit"]) if "limit" in row else None
        given = share(row["coverage"]) if "coverage" in row else None
    else:
        limit, given = TABLE[name]
    return limit, coverage or given or 0.999


class Judge:
    """One run."""

    def __init__(self, comparison, folder, name):
        self.comparison, self.name, self.folder = comparison, name, Run(folder)
        self.run = rules.Run(self.folder.facts, instant)
        self.rows = rules.Rows(self.folder.path("latency.csv"))
        self.files = self.folder.facts.get("files", {})
        self.checks = [
            check for check in self.folder.scenario.get("check", []) if check["kind"] in TIMED
        ]

    def all(self):
        self.comparison.same(
            f"{self.name}: rows in run.json", self.folder.facts["latency"], self.rows.count
        )
        self.is_in_order()
        verdicts = {verdict["check"]: verdict for verdict in self.folder.verdicts}
        for check in self.checks:
            label = f"{self.name}/{check['name']}"
            getattr(self, check["kind"])(label, check, verdicts[check["name"]])
        Tables(self).all()

    def is_in_order(self):
        """The rows of one writing are sorted; a writing begins where the order does."""
        keys = list(zip(self.rows.at["intended"], self.rows.path, self.rows.id))
        self.comparison.same(
            f"{self.name}: rows without an intended instant",
            int(np.sum(self.rows.at["intended"] == NEVER)),
            0,
        )
        repeated = len(keys) - len(set(keys))
        self.comparison.same(f"{self.name}: rows twice", repeated, 0)

    # --- which rows --------------------------------------------------------------------------

    def path_of(self, check):
        """The path a check is about; None if it is ambiguous or there are no rows of it."""
        first, last = check["path"].split("..")
        if "observer" in check:
            path = f"reading>{check['observer']}"
        elif check.get("messages") == "command" or (
            "messages" not in check and "obeyed" in (first, last)
        ):
            path = "command"
        elif {first, last} & {"asked", "heard", "answered"}:
            path = "exchange"
        elif {first, last} & rules.AT_OBSERVER:
            observed = [path for path in self.rows.paths() if ">" in path]
            if len(observed) > 1:
                return None
            path = observed[0] if observed else "reading"
        else:
            path = "reading"
        return path if path in self.rows.paths() else None

    def population(self, check, limits):
        path = self.path_of(check)
        if path is None:
            return None
        warm_up = nanoseconds(check["warm_up"]) if "warm_up" in check else None
        span = tuple(check["path"].split(".."))
        device = check.get("device", "*")
        found = rules.Population(self.run, self.rows, path, span, warm_up, limits, device)
        return found if found.n else None

    # --- the checks --------------------------------------------------------------------------

    def status(self, label, verdict, expected):
        self.comparison.same(f"{label} status", verdict["status"], expected)

    def measurable(self, limit):
        floor = self.run.floor()
        return limit is None or floor is None or limit >= 10 * floor[1]

    def concluded(self, population, judged, limit, by_load):
        """The status of a judgement in real time, and whether the run is no ground for one."""
        carried, shorter = by_load
        refused = population.refused() or not self.measurable(limit)
        if judged.status == "fail":
            # A fail stands with all counted as in time that load may have held up, or not at all.
            otherwise = self.run.invalid_beside_lateness() or population.refused_by_rows()
            otherwise |= not self.measurable(limit) or self.run.unknown_ticks()
            refused = otherwise or (carried > 0 and not rules.fails_without(judged, carried))
        elif judged.status == "pass":
            refused |= not rules.passes_with(judged, shorter)
        else:
            # Nothing but what load may have held up keeps it from passing.
            refused |= carried > 0 and rules.passes_without(judged, carried)
        return "inconclusive" if refused else judged.status, refused

    def judged(self, label, verdict, population, judged, limit, by_load):
        """What latency and jitter have in common."""
        exact, same = self.comparison.exact, self.comparison.same
        exact(f"{label} limit", verdict["limit"], 100 * (1 - judged.coverage), 1e-9)
        if self.run.virtual:
            return self.status(label, verdict, "skipped")
        exact(f"{label} n", verdict["n"], judged.n)
        exact(f"{label} share", verdict["measured"], 100 * judged.share)
        status, refused = self.concluded(population, judged, limit, by_load)
        self.status(label, verdict, status)
        # Where something else decided, no bound is printed.
        compared = status == judged.status and not refused
        compared |= status == "fail"
        why, basis = verdict["why"], verdict["told"]["basis"]
        exact(f"{label} bound", verdict["bound"], 100 * judged.bound if compared else None, 1e-9)
        if compared:
            same(f"{label} reason", verdict["reason"], judged.reason)
            self.weights(label, why, judged)
        if status == "pass":
            told = re.search(r"if no stall lasts longer than (\S+ \S+) \(asked: (\S+ \S+)\)", why)
            self.near(f"{label} holds up to", nanoseconds(told[1]), judged.holds_up_to)
            same(f"{label} asked", nanoseconds(told[2]), judged.stall)
            told = re.search(r"no stall above (\S+ \S+)$", basis)
            self.near(f"{label} holds up to, in short", nanoseconds(told[1]), judged.holds_up_to)
        else:
            same(f"{label} stall", nanoseconds(re.search(r"stall (\S+ \S+)$", basis)[1]), judged.stall)
        if compared and judged.reason == "stall-too-short":
            told = re.search(r"only if no stall lasts longer than (\S+ \S+) ", why)
            self.near(f"{label} would hold up to", nanoseconds(told[1]), judged.holds_up_to)
        needs = judged.needs() if compared else None
        told = re.search(r"run at least (\S+ \S+) after the warm-up", why)
        if needs and needs * (population.end - population.begin) < 2_592_000 * SECOND:
            needs *= population.end - population.begin
            found = nanoseconds(told[1]) / needs
            self.comparison.true(f"{label} needs", 0.999 <= found < 1.05, found)
        else:
            same(f"{label} needs", told, None)
        return self.placed(label, verdict, population)

    def near(self, label, found, expected):
        """A time rounded down to three digits."""
        good = expected * 0.989 <= found <= expected * 1.0001
        self.comparison.true(label, good, f"{found} for {expected}")

    def weights(self, label, why, judged):
        """How many messages counted as one."""
        told = re.search(r"(each message|\S+ messages) counted(?: as one)? \((\d+) due within the stall, "
                         r"design effect (\S+) by .*?, longest late run (\d+)", why)
        weight = 1 if told[1] == "each message" else float(told[1].split()[0])
        self.comparison.close(f"{label} weight", weight, judged.weight, 0.006 * judged.weight)
        self.comparison.same(f"{label} in a stall", int(told[2]), judged.per_stall)
        self.comparison.close(f"{label} deff", float(told[3]), judged.deff, 0.006 * judged.deff)
        self.comparison.same(f"{label} longest late run", int(told[4]), judged.longest_run)

    def placed(self, label, verdict, population):
        """The first message that never came, else the slowest."""
        lost = population.delay == INFINITE
        at = verdict["at"]
        device, epoch, serial = at["device"], at["epoch"], at["serial"]
        due = int((instant(at["time"]) - self.run.start) * SECOND)
        if np.any(lost):
            expected = int(population.due[lost].min())
            named = lost & (population.due == due)
        else:
            slowest = population.delay == population.delay.max()
            expected = due if np.any(slowest & (population.due == due)) else None
            named = slowest & (population.due == due)
        self.comparison.same(f"{label} at", due, expected)
        ids = [f"{device}/{epoch}/{serial}"] if epoch is not None else [
            text for text in population.ids[named] if text.startswith(f"{device}//")
        ]
        found = bool(set(ids) & set(population.ids[named]))
        self.comparison.true(f"{label} at {ids}", found)

    def latency(self, label, check, verdict):
        limit, coverage = claim(check, self.files)
        population = self.population(check, [limit])
        if population is None:
            return self.status(label, verdict, "skipped" if self.run.virtual else "inconclusive")
        judged = population.judge(limit, coverage, stall_of(check))
        self.judged(label, verdict, population, judged, limit, population.by_load(limit))
        if self.run.virtual:
            return None
        told = int(re.match(r"(\d+) (over|lost)", verdict["told"]["measured"]).group(1))
        self.comparison.same(f"{label} k", told, judged.k)
        told = re.search(r"up to (\d+) of a device in a row", verdict["why"])
        longest = judged.longest_of_device
        self.comparison.same(
            f"{label} longest run", int(told.group(1)) if told else min(longest, 1), longest
        )
        return self.warm_up(label, verdict, population)

    def warm_up(self, label, verdict, population):
        told = re.search(r"(\d+) messages? of the warm-up left out", verdict["why"])
        found = int(told.group(1)) if told else 0
        return self.comparison.same(f"{label} warm-up", found, len(population.warm_up))

    def jitter(self, label, check, verdict):
        limit, coverage = nanoseconds(check["limit"]), share(check.get("coverage", 0.999))
        population = self.population(check, [limit])
        if population is None:
            return self.status(label, verdict, "skipped" if self.run.virtual else "inconclusive")
        judged = population.judge_variation(limit, coverage, stall_of(check))
        by_load = population.variation_by_load(limit)
        return self.judged(label, verdict, population, judged, limit, by_load)

    def published(self, label, check, verdict):
        population = self.population(check, [])
        if population is None:
            return self.status(label, verdict, "inconclusive")
        is_share = check["statistic"] == "share_under"
        if is_share:
            value, tolerance = 100 * share(check["value"]), 100 * share(check["tolerance"])
            limit, floor = nanoseconds(check["under"]), None
        else:
            value, tolerance = (nanoseconds(check[key]) / 1e9 for key in ("value", "tolerance"))
            limit, floor = int(tolerance * 1e9), self.run.floor()

        def figure(delays):
            ascending = np.sort(delays)
            if is_share:
                return 100 * int(np.sum(ascending < limit)) / len(ascending)
            box = rules.tukey(ascending)
            places = {"whisker_low": 0, "whisker_high": 4}
            if check["statistic"] in places:
                return box[places[check["statistic"]]] / 1e9 if box else None
            quartiles = {"q1": 0.25, "median": 0.5, "q3": 0.75}
            return rules.type_7(ascending, quartiles[check["statistic"]]) / 1e9

        ours, least = figure(population.delay), figure(population.least(limit, check["statistic"]))
        off = None if ours is None else abs(ours - value)
        finite = off if off is not None and math.isfinite(off) else None
        if finite is None or verdict["measured"] is None:
            self.comparison.same(f"{label} difference", verdict["measured"], finite)
        else:
            # A difference of figures that have 15 digits.
            self.comparison.close(f"{label} difference", verdict["measured"], finite, 1e-12 * value)
        refused = population.refused() or population.n < 100
        refused |= floor is not None and tolerance < 3 * floor[0] / 1e9
        if check["statistic"] == "share_under":
            refused |= not self.measurable(nanoseconds(check["under"]))
        near = off is not None and off <= tolerance
        if near:
            refused |= abs(least - value) > tolerance
        elif off is not None:
            # As far off, and to the same side, without what load may have added.
            refused |= abs(least - value) <= tolerance or (least > value) != (ours > value)
        status = "inconclusive" if refused or off is None else "pass" if near else "fail"
        self.status(label, verdict, status)
        self.comparison.exact(f"{label} limit", verdict["limit"], tolerance)
        return self.comparison.same(f"{label} n", verdict["n"], population.n)

    def recovery(self, label, check, verdict):
        if self.run.virtual:
            return self.status(label, verdict, "skipped")
        path, injections = self.path_of(check), self.injections()
        in_time = nanoseconds(check.get("in_time", "1 s"))
        limits = {
            key: nanoseconds(check[key])
            for key in ("longest_outage", "recover_within")
            if key in check
        }
        least = min([in_time, *limits.values()])
        refused = self.run.invalid() or self.run.floor() is None or not self.measurable(least)
        if refused or not injections or path is None:
            return self.status(label, verdict, "inconclusive")
        devices = Devices(self, check, path, in_time)
        parts = []
        if "longest_outage" in limits:
            begin, longest = devices.longest_outage()
            failed = self.over(begin, longest, limits["longest_outage"])
            parts.append((failed, longest, limits["longest_outage"]))
        if "recover_within" in limits:
            parts.append(devices.recovered(injections, limits["recover_within"]))
        # Fail, inconclusive (None), pass; then what is nearest to its limit.
        order = {True: 2, None: 1, False: 0}
        nearness = lambda part: math.inf if part[1] is None else part[1] / part[2]
        worst = max(parts, key=lambda part: (order[part[0]], nearness(part)))
        status = {True: "fail", None: "inconclusive", False: "pass"}[worst[0]]
        self.status(label, verdict, status)
        measured = None if worst[1] is None else worst[1] / 1e9
        self.comparison.exact(f"{label} measured", verdict["measured"], measured)
        self.comparison.exact(f"{label} limit", verdict["limit"], worst[2] / 1e9)
        return self.comparison.same(f"{label} n", verdict["n"], len(injections))

    def over(self, begin, longest, limit):
        """Whether a time is over its limit; None if load may be why."""
        if longest <= limit:
            return False
        return True if longest - self.run.held_up(begin, begin + longest, limit) > limit else None

    def injections(self):
        """When each broken link and killed process was as before again; None if never."""
        found = []
        for event in self.folder.events():
            at = int((instant(event["time"]) - self.run.start) * SECOND)
            kind = event["kind"]
            if kind == "inject" and event.get("inject") == "disconnect":
                number = event.get("injection")
                found.append({"ends": ("restored", event.get("link")), "end": None, "n": number})
            elif kind == "kill":
                ends = ("restarted", event.get("target"))
                found.append({"ends": ends, "end": None, "n": event.get("injection")})
            elif kind in ("restored", "restarted"):
                if event.get("inject", "disconnect") != "disconnect":
                    continue
                key = "link" if kind == "restored" else "target"
                for one in found:
                    same = one["ends"][1] in (None, event.get(key)) or event.get(key) is None
                    if None not in (one["n"], event.get("injection")):
                        same = same and one["n"] == event["injection"]
                    if one["end"] is None and one["ends"][0] == kind and same:
                        one["end"] = at
                        break
        return [one["end"] for one in found]


class Devices:
    """How each device fared, for the check of recovery."""

    def __init__(self, judge, check, path, in_time):
        self.judge, rows, self.run = judge, judge.rows, judge.run
        first, last = check["path"].split("..")
        mine = rows.path == path
        self.devices = []
        pattern = check.get("device", "*")
        for name in sorted(set(rows.device[mine])):
            if not rules.is_named(name, pattern):
                continue
            which = mine & (rows.device == name)
            due, to, since = (rows.at[point][which] for point in ("intended", last, first))
            good = (to != NEVER) & (since != NEVER)
            good &= np.where(good, to - since, INFINITE) <= in_time
            self.devices.append((due, to, good))
        self.in_time = in_time

    def longest_outage(self):
        """When it began, and how long it was."""
        begin, longest, end = 0, 0, self.run.duration
        for due, to, good in self.devices:
            marks = np.concatenate([[due.min()], np.minimum(np.sort(to[good]), end), [end]])
            marks = np.maximum.accumulate(marks)
            at = int(np.argmax(np.diff(marks)))
            if marks[at + 1] - marks[at] > longest:
                begin, longest = int(marks[at]), int(marks[at + 1] - marks[at])
        return begin, longest

    def recovered(self, injections, within):
        """Whether it failed, None if unknown; and the longest time."""
        longest, since = 0, 0
        for end in injections:
            if end is None:
                return None, None, within
            for due, to, good in self.devices:
                before, after = due < end, due >= end
                if np.any(to[before] == NEVER):
                    return (None if self.run.waited < end + within else True), None, within
                if not np.any(good & after):
                    last_due = end + within - self.in_time
                    never = np.any(after) and due[after].min() <= last_due <= self.run.duration
                    never = never and not self.run.held_up(end, self.run.duration, self.in_time)
                    return (True if never else None), None, within
                first = due[good & after].min()
                arrived = to[good & after & (due == first)].min()
                again = end if first == due[after].min() else arrived
                back = max([int(again), *map(int, to[before])])
                if back - end > longest:
                    longest, since = back - end, end
        return self.judge.over(since, longest, within), longest, within


def cell(text):
    """A number of a table; an empty cell has none."""
    return float(text or "nan")


class Tables:
    """The files of figures/, from the same rows."""

    def __init__(self, judge):
        self.judge, self.comparison, self.name = judge, judge.comparison, judge.name
        self.run, self.rows, self.folder = judge.run, judge.rows, judge.folder
        given = [
            nanoseconds(check["warm_up"]) if "warm_up" in check else None for check in judge.checks
        ]
        warm_up = given[0] if given and len(set(given)) == 1 else None
        shares = [check for check in judge.checks if check["kind"] in ("latency", "jitter")]
        self.stall = max(map(stall_of, shares), default=SECOND)
        limits = list(CLASSES.values())
        self.populations = {}
        for path in self.rows.paths():
            first, last = "intended", self.end_of(path)
            span = (first, last)
            population = rules.Population(self.run, self.rows, path, span, warm_up, limits)
            self.populations[path] = population

    def ends_of(self, path):
        """The instants at which a path may end, and those of them that its rows have."""
        ends = ["queryable", "committed", "acknowledged"]
        if path == "command":
            ends = ["acknowledged", "obeyed"]
        elif path == "exchange":
            ends = ["answered"]
        elif ">" in path:
            ends = ["received"]
        mine = self.rows.path == path
        return ends, [end for end in ends if np.any(self.rows.at[end][mine] != NEVER)]

    def end_of(self, path):
        ends, stamped = self.ends_of(path)
        return (stamped or ends)[0]

    def all(self):
        files = set(os.listdir(self.folder.path("figures")))
        known = 0
        for name in sorted(name for name in files if name.startswith("latency-")):
            if not name.endswith(".csv"):
                continue
            kind = name.removesuffix(".csv").split("-")[1]
            with open(self.folder.path("figures", name), newline="", encoding="utf-8") as file:
                table = list(csv.DictReader(file))
            label = f"{self.name}/{name}"
            known += 1
            if not table:
                # Of a path of which nothing was due in the window.
                empty = [path for path, one in self.populations.items() if not one.n]
                self.comparison.true(f"{label} has no rows", empty, empty)
                continue
            getattr(self, kind)(label, table)
        # A path that was not measured has no pictures, and so no tables of them.
        is_measured = any(self.ends_of(path)[1] for path in self.populations)
        least = 5 if is_measured else 3
        self.comparison.true(f"{self.name}: tables of latency", known >= least, known)

    def figures(self, label, lines):
        """Many figures at once: those that are off are named."""
        off = [
            (what, found, expected)
            for what, found, expected in lines
            if not (found == expected or math.isclose(found, expected, rel_tol=1e-9))
            and not (math.isnan(found) and math.isnan(expected))
        ]
        self.comparison.same(f"{label}: {len(lines)} figures, off", off[:5], [])
        self.comparison.true(f"{label}: has figures", lines)

    def classes(self, label, table):
        lines, words, floor = [], [], self.run.floor()
        floor_ms = floor[1] / 1e6 if floor else math.nan
        for row in table:
            population = self.populations[row["path"]]
            limit, coverage = CLASSES[row["class"]], cell(row["coverage"])
            judged = population.judge(limit, coverage, self.stall)
            what = f"{row['path']} {row['class']} {coverage}"
            expected = {
                "limit_ms": math.inf if limit is None else limit / 1e6,
                "n": judged.n, "k": judged.k, "not_known": judged.unknown, "share": judged.share,
                "upper_95": judged.upper, "lower_95": judged.lower, "deff": judged.deff,
                "per_stall": judged.per_stall, "longest_run": judged.longest_run,
                "weight": judged.weight, "stall_ms": judged.stall / 1e6,
                "floor_p99_ms": floor_ms,
            }
            holds = judged.holds_up_to
            expected["holds_up_to_ms"] = math.nan if holds is None else holds / 1e6
            lines += [(f"{what} {key}", cell(row[key]), value) for key, value in expected.items()]
            status = "modelled"
            if not self.run.virtual:
                status, _ = self.judge.concluded(population, judged, limit, population.by_load(limit))
            span = (row["from"], row["to"])
            if (row["status"], span) != (status, population.span):
                words.append((what, row["status"], status))
        self.figures(label, lines)
        self.comparison.same(f"{label}: statuses that are off", words[:5], [])
        found = {(row["path"], row["class"], row["coverage"]) for row in table}
        paths = len(self.populations)
        self.comparison.same(f"{label}: rows", len(found), 3 * len(CLASSES) * paths)

    def quantiles(self, label, table):
        lines = []
        for row in table:
            population = self.populations[row["path"]]
            ascending, part = np.sort(population.delay), cell(row["percentile"]) / 100
            lines += self.percentile(row, ascending, part, row["path"])
            lines.append((f"{row['path']} n", cell(row["n"]), population.n))
            lost = int(np.sum(ascending == INFINITE))
            lines.append((f"{row['path']} lost", cell(row["lost"]), lost))
        self.figures(label, lines)

    def percentile(self, row, ascending, part, what):
        # The share went through a multiplication by 100 and back.
        part = round(part, 12)
        rank = rules.rank_of_bound(len(ascending), part)
        bound = math.nan if rank is None else milliseconds(ascending[rank - 1])
        delay = milliseconds(rules.nearest_rank(ascending, part))
        return [
            (f"{what} p{100 * part:g}", cell(row["latency_ms"]), delay),
            (f"{what} bound of p{100 * part:g}", cell(row["bound_95_ms"]), bound),
        ]

    def percentiles(self, label, table):
        lines = []
        path = table[0]["path"]
        ascending = np.sort(self.populations[path].delay)
        n = len(ascending)
        for row in table:
            part = cell(row["percentile"]) / 100
            # On a rank's edge the last digit decides which side; both are right.
            edge = min(abs(n * part - round(n * part)), 1)
            if edge > 1e-6:
                lines += self.percentile(row, ascending, part, path)
        self.figures(label, lines)

    def legs(self, label, table):
        lines = []
        for row in table:
            population = self.populations[row["path"]]
            if row["leg"] == "whole way":
                delays = np.sort(population.delay)
            else:
                inside = population.inside
                first, last = (self.rows.at[row[key]][inside] for key in ("from", "to"))
                order = self.points_between(row["path"], row["from"], row["to"])
                both = (first != NEVER) & (last != NEVER)
                for point in order:
                    both &= self.rows.at[point][inside] == NEVER
                delays = np.sort((last - first)[both])
            lines.append((f"{row['leg']} n", cell(row["n"]), len(delays)))
            if not len(delays):
                continue
            parts = {"p50_ms": 0.5, "p99_ms": 0.99, "p99.9_ms": 0.999, "max_ms": 1}
            for key, part in parts.items():
                expected = milliseconds(rules.nearest_rank(delays, part))
                lines.append((f"{row['path']} {row['leg']} {key}", cell(row[key]), expected))
        self.figures(label, lines)

    def points_between(self, path, first, last):
        """The points of the way between two; a leg is of messages that have no stamp there."""
        if path == "command":
            way = ["intended", "published", "proxy_in_down", "proxy_out_down", "obeyed",
                   "proxy_in_up", "proxy_out_up", "acknowledged"]
        elif path == "exchange":
            way = ["intended", "asked", "heard", "answered"]
        elif ">" in path:
            way = ["intended", "published", "proxy_in_up", "proxy_out_up", "proxy_in_down",
                   "proxy_out_down", "received"]
        else:
            way = ["intended", "published", "proxy_in_up", "proxy_out_up", "committed", "queryable"]
        return way[way.index(first) + 1 : way.index(last)]

    def box(self, label, table):
        ascending = np.sort(self.populations[table[0]["path"]].delay)
        five = rules.tukey(ascending)
        names = ["whisker_low", "q1", "median", "q3", "whisker_high"]
        rows = {row["what"]: row for row in table}
        lines = [
            (name, cell(rows[name]["latency_ms"]), value / 1e6) for name, value in zip(names, five)
        ]
        arrived = ascending[ascending != INFINITE]
        outside = int(np.sum((arrived < five[0]) | (arrived > five[4])))
        dots = [cell(row["n"]) for row in table if row["what"] == "outlier"]
        lines.append(("outliers", sum(dots), outside))
        lost = sum(cell(row["n"]) for row in table if row["what"] == "lost")
        lines.append(("lost", lost, len(ascending) - len(arrived)))
        self.figures(label, lines)

    def ecdf(self, label, table):
        population = self.populations[table[0]["path"]]
        delays = population.delay[population.delay != INFINITE] / 1e6
        lines = []
        for row in table:
            arrived = int(np.sum(delays <= cell(row["latency_ms"]) * (1 + 1e-12)))
            lines.append((f"arrived by {row['latency_ms']} ms", cell(row["arrived"]), arrived))
            part = arrived / population.n
            lines.append((f"share by {row['latency_ms']} ms", cell(row["share"]), part))
        self.figures(label, lines)

    def scatter(self, label, table):
        path = table[0]["path"]
        population = self.populations[path]
        mine = self.rows.path == path
        due, copies = self.rows.at["intended"][mine], self.rows.copies[mine]
        delay = population.delays(self.rows, mine)
        came = delay != INFINITE
        count = lambda mark: sum(int(cell(row["n"])) for row in table if row["mark"] == mark)
        lines = [
            ("lost", count("lost"), int(np.sum(~came))),
            ("repeated", count("repeated"), int(np.sum(copies > 1))),
        ]
        bins = [row for row in table if row["mark"] == "bin"]
        single = [row for row in table if row["mark"] in ("message", "warm-up")]
        for row in bins:
            start, width = (round(cell(row[key]) * 1e9) for key in ("time_s", "width_s"))
            last = row is bins[-1]
            inside = came & (due >= start) & ((due < start + width) | last)
            found = np.sort(delay[inside])
            what = f"bin at {row['time_s']} s"
            lines.append((f"{what} n", cell(row["n"]), len(found)))
            for key, value in (("min_ms", found[0]), ("median_ms", found[(len(found) - 1) // 2]),
                               ("max_ms", found[-1])):
                lines.append((f"{what} {key}", cell(row[key]), value / 1e6))
        if not bins:
            lines.append(("messages", len(single), int(np.sum(came))))
        place = lambda row: (round(cell(row["time_s"]) * 1e9), round(cell(row["min_ms"]) * 1e6))
        drawn = {place(row) for row in single}
        there = set(zip(map(int, due[came]), map(int, delay[came])))
        lines.append(("marks without a message", len(drawn - there), 0))
        self.figures(label, lines)

    def published(self, label, table):
        verdicts = {verdict["check"]: verdict for verdict in self.folder.verdicts}
        lines = []
        for row in table:
            verdict = verdicts[row["check"]]
            measured = math.nan if verdict["measured"] is None else verdict["measured"]
            lines.append((f"{row['check']} difference", cell(row["difference"]), measured))
            lines.append((f"{row['check']} tolerance", cell(row["tolerance"]), verdict["limit"]))
        self.figures(label, lines)

    def floor(self, label, table):
        lines, real = [], self.run.real
        for row in table:
            if row["when"] == "during":
                link = row["what"].removeprefix("release error of link ")
                summary = next(one for one in real["links"] if one["name"] == link)["release_error"]
            else:
                kind = row["what"].split(",")[0]
                summary = real[f"floor_{row['when']}"][kind]
            lines.append((f"{row['what']} n", cell(row["n"]), summary["n"]))
            for key, field in (("p50_ms", "p50_ns"), ("p99_ms", "p99_ns"), ("p99.9_ms", "p999_ns"),
                               ("max_ms", "max_ns")):
                expected = milliseconds(summary[field])
                lines.append((f"{row['what']} {key}", cell(row[key]), expected))
        self.figures(label, lines)


def milliseconds(delay):
    return math.inf if delay == INFINITE else int(delay) / 1e6


def bounds(comparison, program):
    """10,000 random pairs with their edges, and fractions of messages."""
    random = np.random.default_rng(20270118)
    pairs = []
    for number in range(10_000):
        n = float(int(10 ** random.uniform(0, 7)))
        k = [0.0, n, float(random.integers(0, n + 1)), float(min(n, random.poisson(n / 1000)))]
        k = k[number % 4]
        if number % 10 == 9:
            factor = random.uniform(1, 40)
            k, n = k / factor, n / factor
        pairs.append((k, n))
    text = "".join(f"{k!r} {n!r}\n" for k, n in pairs)
    done = subprocess.run([program, "bounds"], input=text, capture_output=True, text=True, check=True)
    found = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    off, worst = [], 0.0
    for (k, n), ours in zip(pairs, found):
        for mine, theirs in zip(ours, (rules.upper_bound(k, n), rules.lower_bound(k, n))):
            error = abs(mine - theirs) / theirs if theirs else abs(mine)
            worst = max(worst, error)
            if error > 1e-9:
                off.append((k, n, mine, theirs))
    comparison.same(f"bounds of {len(found)} pairs, worst {worst:.1e}: off", off[:5], [])
    comparison.same("bounds: pairs", len(found), len(pairs))


def main():
    comparison = Comparison()
    if sys.argv[1:]:
        for folder in sys.argv[1:]:
            Judge(comparison, folder, os.path.basename(os.path.normpath(folder))).all()
        comparison.end()
    program = example("sample_latency_run")
    bounds(comparison, program)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, folder], check=True)
        for name in ("short", "long", "modelled"):
            Judge(comparison, os.path.join(folder, name), f"sample {name}").all()
    root = os.environ.get("RUNS", "target/test-runs")
    for folder in suite_run_folders(root):
        if os.path.exists(os.path.join(folder, "latency.csv")):
            Judge(comparison, folder, os.path.relpath(folder, root)).all()
    comparison.end()


if __name__ == "__main__":
    main()
