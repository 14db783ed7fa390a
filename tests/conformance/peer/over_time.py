"""Checks of signals, judged again from signals.csv: step, constant, settles, follows.

From the contract alone: a sample stands for the time since the one before it (the first, for that
since the start), and is judged in a stretch of time if it stands for nothing outside of it. Instants
are whole nanoseconds since the scenario's start.
"""

import csv
import math
import os
from fractions import Fraction

NS = 10**9


class OverTime:
    """One check of a signal."""

    def __init__(self, check, amount):
        self.check, self.amount = check, amount

    def ns(self, key, default=None):
        return round(self.amount(self.check[key])[0] * NS) if key in self.check else default

    def si(self, key):
        return self.amount(self.check[key])[0]

    def begin(self, run):
        self.start, self.end = run.facts["start"], run.facts["end"]
        self.rows = {}
        with open(run.path("signals.csv"), newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                self.rows.setdefault(row["signal"], []).append((int(row["time_ns"]), float(row["value"])))

    def row(self, *_):
        """Observations are nothing to it."""

    def stretches(self, signal):
        """(since, until, value) of each sample, in order of time."""
        rows = sorted(self.rows.get(signal, []))
        times = sorted({0} | {at for at, _ in rows})
        before = dict(zip(times[1:], times))
        return [(before.get(at, min(at, 0)), at, value) for at, value in rows]

    def parts(self, own, duration):
        """(since, until, level) of each stretch of time that is judged; no level for `follows`."""
        check, end = self.check, min(self.ns("until", duration), duration)
        since = self.ns("since", 0)
        if check["kind"] == "step":
            change = self.ns("at")
            return [(since, change, self.si("from")), (change + self.ns("within"), end, self.si("to"))]
        if check["kind"] == "settles":
            return [(self.ns("at") + self.ns("within"), end, self.si("to"))]
        level = None
        if check["kind"] == "constant":
            level = self.si("value") if "value" in check else mean(inside(own, since, end))
        return [(since, end, level)]

    def deviations(self, part, own, other):
        """(deviation, weight, instant) of each sample that can be judged."""
        since, until, level = part
        found = []
        for begin, at, value in inside(own, since, until):
            wanted = [level]
            if self.check["kind"] == "follows":
                earliest = min(begin, at - 1) - self.ns("lag", 0)
                wanted = [v for b, e, v in other if e > earliest and (b < at or e == at)]
                if not wanted:
                    continue
            if any(math.isnan(v) for v in [value, *wanted]):
                off = math.inf
            else:
                off = max(min(wanted) - value, value - max(wanted), 0.0)
            found.append((off, max(at - begin, 1), at, begin))
        return found

    def compare(self, comparison, name, verdict, seconds):
        duration = int((seconds(self.end) - seconds(self.start)) * NS)
        own, other = self.stretches(self.check["signal"]), self.stretches(self.check.get("other"))
        tolerance = self.si("tolerance")
        share = Fraction(self.amount(self.check.get("share", "100 %"))[0]) / 100
        needed, count, first, whole = [], 0, None, True
        for part in self.parts(own, duration):
            found = self.deviations(part, own, other)
            count += len(found)
            total = sum(one[1] for one in found)
            # Half a nanosecond: what a share of whole nanoseconds is rounded to does not decide.
            allowed = (1 - share) * total + Fraction(1, 2)
            outside = lambda limit: sum(one[1] for one in found if not one[0] <= limit)
            needed.append(min((off for off in [one[0] for one in found] if outside(off) <= allowed), default=0.0))
            if outside(tolerance) > allowed and first is None:
                first = min(one[2] for one in found if not one[0] <= tolerance)
            longest = max((one[1] for one in found), default=0)
            whole = whole and len(found) >= 2
            whole = whole and min(one[3] for one in found) - part[0] < longest
            whole = whole and part[1] - max(one[2] for one in found) < longest
        worst = max(needed) if count else None
        if worst is None or math.isinf(worst):
            comparison.same(f"{name} measured", verdict["measured"], None)
        else:
            comparison.close(f"{name} measured", verdict["measured"], worst, 1e-8, verdict["unit"])
        comparison.same(f"{name} n", verdict["n"], count)
        status = "fail" if first is not None else "pass" if whole else "inconclusive"
        comparison.same(f"{name} status", verdict["status"], status)
        if first is not None:
            at = int((seconds(verdict["at"]["time"]) - seconds(self.start)) * NS)
            comparison.same(f"{name} at", at, first)


class Signals:
    """The table of signals itself: there if and only if the scenario names one, and what the
    platform has of a device in it is what observations.csv has of it."""

    def __init__(self, run, seconds):
        self.run, self.seconds, self.start = run, seconds, seconds(run.facts["start"])
        self.named = run.scenario.get("signal", [])
        self.rows, self.reported, self.count = {}, {}, None
        if os.path.exists(run.path("signals.csv")):
            with open(run.path("signals.csv"), newline="", encoding="utf-8") as file:
                rows = [(row["signal"], int(row["time_ns"]), row["value"]) for row in csv.DictReader(file)]
            self.count = len(rows)
            for name, at, value in rows:
                self.rows.setdefault(name, []).append((at, value))

    def row(self, device, _epoch, _serial, quantity, time, reference, reported):
        if reference is not None and reported is not None:
            for signal in self.named:
                if signal.get("of") == device and signal["quantity"] == quantity:
                    at = int((self.seconds(time) - self.start) * NS)
                    self.reported.setdefault(signal["name"], []).append((at, reported))

    def compare(self, comparison, name):
        comparison.same(f"{name}: signals.csv is there", self.count is not None, bool(self.named))
        comparison.same(f"{name}: signals in run.json", self.run.facts.get("signals"), self.count)
        for signal in self.named:
            rows = [(at, float(value)) for at, value in self.rows.get(signal["name"], [])]
            times = [at for at, _ in rows]
            comparison.true(f"{name}/{signal['name']} is in order of time", times == sorted(times), len(times))
            if "of" in signal:
                reported = self.reported.get(signal["name"], [])
                thinned = "every" in signal
                is_part = set(rows) <= set(reported) and bool(rows)
                held = is_part if thinned else rows == reported
                comparison.true(f"{name}/{signal['name']} is what observations.csv has", held, len(rows))


def inside(stretches, since, until):
    return [one for one in stretches if one[0] >= since and one[1] <= until]


def mean(stretches):
    known = [(max(at - begin, 1), value) for begin, at, value in stretches if math.isfinite(value)]
    weight = sum(one[0] for one in known)
    return math.fsum(w * v for w, v in known) / weight if weight else math.nan
