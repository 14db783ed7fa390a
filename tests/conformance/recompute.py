"""Judges every run again from its record, and compares with what `verdicts.json` says.

Written from the checks' descriptions and the contract of the run folder, with Python's csv and json
modules; shares nothing with the program. Figures have to agree to 1e-12, counts exactly.
"""

import collections
import csv
import datetime
import fnmatch
import itertools
import json
import math
import os
import re
import statistics
import xml.etree.ElementTree as xml
from decimal import Decimal
from fractions import Fraction

from peer import applications, declared, motion, over_time, polled, rooms, water
from peer.bench import Comparison, runs
from peer.record import COLUMNS, Run, is_named, run_folders

# Units of limits as scenarios write them, to %, or to the SI unit of the observations.
UNITS = {
    "%": 1.0, "ppm": 1e-4, "Hz": 1.0, "mHz": 1e-3, "V": 1.0, "mV": 1e-3, "kV": 1e3,
    "A": 1.0, "mA": 1e-3, "W": 1.0, "kW": 1e3, "mW": 1e-3, "s": 1.0, "ms": 1e-3, "min": 60.0,
    "h": 3600.0, "J": 1.0, "Wh": 3600.0, "kWh": 3.6e6, "K": 1.0, "mK": 1e-3,
    "m3": 1.0, "l": 1e-3, "m3/h": 1 / 3600, "l/h": 1e-3 / 3600, "bar": 1e5,
}
# The SI unit of each family of Table 2 that the shipped devices send.
SI_UNITS = {
    "electricity.power.active.": "W",
    "electricity.power.reactive.": "var",
    "electricity.power.apparent.": "VA",
    "electricity.energy.active.": "J",
    "electricity.energy.reactive.": "var s",
    "electricity.energy.apparent.": "VA s",
    "electricity.current.rms.": "A",
    "electricity.current.phase.": "rad",
    "electricity.voltage.phase.": "rad",
    "electricity.voltage.rms.": "V",
    "electricity.powerFactor.": "1",
    "electricity.frequency": "Hz",
    "x.electricity.powerFactor.": "1",
    "x.electricity.breaker.": "1",
    "x.electricity.power.nonactive.": "var",
    "x.electricity.voltage.thd.": "1",
    "x.electricity.current.thd.": "1",
    "x.electricity.voltage.mean.": "V",
    "x.electricity.current.mean.": "A",
    "x.electricity.voltage.harmonic.": "V",
    "x.electricity.current.harmonic.": "A",
    "x.electricity.voltage.unbalance.": "1",
    "x.electricity.voltage.flicker.": "1",
    "x.electricity.pulses.": "1",
    "x.electricity.profile.power": "W",
    "x.electricity.profile.interval": "1",
    "heating.energy": "J",
    "heating.power": "W",
    "heating.volume": "m3",
    "heating.flowrate": "m3/s",
    "heating.temp.": "°C",
    "water.volume": "m3",
    "water.flowrate": "m3/s",
    "x.room.temperature": "°C",
    "x.contact.open": "1",
}
EXIT_OF_STATUS = {"pass": 0, "fail": 1, "error": 3, "skipped": 4, "inconclusive": 5}
ORDER = ["pass", "skipped", "inconclusive", "fail", "error"]


def amount(text):
    """The number of `0.1 %`, `10 mHz`, and in seconds that of `5 h 1 min`."""
    assert re.fullmatch(r"\s*(?:[-+0-9.eE]+\s*\S+\s*)+", text), text
    parts = re.findall(r"([-+0-9.eE]+)\s*(\S+)", text)
    return sum(float(number) * UNITS[unit] for number, unit in parts), parts[-1][1]


class Accuracy:
    """Worst absolute error of all pairs, and how many there are."""

    def __init__(self, check):
        limit, self.unit = amount(str(check["limit"]))
        self.relative = self.unit in ("%", "ppm")
        self.limit = limit
        minimum = check.get("minimum")
        self.minimum = amount(str(minimum))[0] if minimum is not None else 0.0
        self.device, self.quantity = check.get("device", "*"), check["quantity"]
        self.n, self.outside, self.between = 0, 0, 0
        # The largest error of all, of those outside, and with its spread of those between; places.
        self.worst = {"all": None, "outside": None, "between": None}
        # Of the row that comes next: how far its reference may be off.
        self.spread = 0.0
        self.paired, self.missed, self.unexpected = set(), set(), 0
        self.wrong, self.run = set(), None
        # Of each series and each of its curves: how many values, the least, the largest.
        self.curves = collections.defaultdict(lambda: (0, math.inf, -math.inf))
        # The largest count of pulses of each.
        self.counts = {}
        self.fits = {}
        # Of each series one letter for each value in order: judged, or left out for its spread.
        self.series = collections.defaultdict(str)
        # Of registers whose difference is judged: the first reading that came, and the last.
        self.difference, self.ends = check.get("difference", False), {}
        # Of each device and quantity what was reported and when, unless a plan plays the same to several.
        self.is_planned, self.courses = False, collections.defaultdict(list)

    def begin(self, run):
        self.run = run
        self.is_planned = "test_plan" in run.scenario or "calibration" in run.scenario

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        fits = self.fits.get((device, quantity))
        if fits is None:
            fits = is_named(device, self.device)
            fits = fits and fnmatch.fnmatchcase(quantity, self.quantity)
            self.fits[device, quantity] = fits
        if not fits:
            return
        if reference is None:
            # Nobody can tell how far off that is.
            self.unexpected += reported is not None
            return
        self.courses[device, quantity].append((time, reported))
        if reported is None:
            self.missed.add((device, quantity))
            return
        # With its spread a reference may reach the minimum.
        if math.isnan(reference):
            return
        if self.difference:
            end = (reference, reported, self.spread, (epoch, serial, time))
            self.ends[device, quantity] = (self.ends.get((device, quantity), (end,))[0], end)
            return
        self.draw(device, quantity, "reference", reference)
        self.draw(device, quantity, "reported", reported)
        self.judge(device, epoch, serial, quantity, time, reference, reported)

    def judge(self, device, epoch, serial, quantity, time, reference, reported):
        if abs(reference) + self.spread < self.minimum and abs(reported) < self.minimum:
            self.series[device, quantity] += "."
            return
        error = abs(reported - reference)
        if ".pulses." in quantity:
            # A count has no fractions: one pulse is free.
            error = 0.0 if error <= 1 else error - 1
            key = (device, quantity)
            self.counts[key] = max(self.counts.get(key, 0.0), abs(reference))
        error, spread = (self.in_unit(value, reference) for value in (error, self.spread))
        self.draw(device, quantity, "error", math.copysign(error, reported - reference))
        is_outside = error > self.limit + spread or not math.isfinite(reported)
        is_left_out = not is_outside and self.limit < spread < math.inf
        self.series[device, quantity] += "x" if is_left_out else "."
        if is_left_out:
            # While the plant moves nothing could pass; what is not outside shows nothing.
            return
        self.n += 1
        self.paired.add((device, quantity))
        place = (device, epoch, serial, quantity, time)
        self.keep("all", error, error, place)
        if is_outside:
            self.outside += 1
            self.wrong.add(device)
            self.keep("outside", error, error, place)
        elif error > self.limit - spread:
            self.between += 1
            self.keep("between", error + spread, error, place)

    def in_unit(self, value, reference):
        """A difference in the unit of the limit; what is no number is as far off as can be."""
        if self.relative and value != 0:
            whole = max(abs(reference), self.minimum)
            value = math.inf if whole == 0 else 100 * value / whole
        return math.inf if math.isnan(value) else value

    def interchangeable(self):
        """Pairs of devices, and of phases of one, that were reported equal throughout."""
        stem = lambda quantity: re.sub(r"\bl[123]\b", "l", quantity)
        alike = collections.defaultdict(list)
        for (device, quantity), course in self.courses.items():
            values = [value for _, value in course if value is not None]
            if len(values) >= 3 and any(values) and quantity != "electricity.frequency":
                alike[stem(quantity), tuple(course)].append((device, quantity))
        pairs = [pair for group in alike.values() for pair in itertools.combinations(group, 2)]
        return [(one, other) for one, other in pairs if (one[0] == other[0]) != (one[1] == other[1])]

    def keep(self, which, size, error, place):
        if self.worst[which] is None or size > self.worst[which][0]:
            self.worst[which] = (size, error, place)

    def is_thin(self):
        """Whether fewer than two values are judged on either side of some that are left out, but for the first."""
        return any(
            "x" in values and min(map(len, re.split("x+", values.lstrip("x")))) < 2
            for values in self.series.values()
        )

    def compare(self, comparison, name, verdict):
        for (device, quantity), (first, last) in self.ends.items():
            if first is last:
                self.missed.add((device, quantity))
                continue
            self.spread = first[2] + last[2]
            epoch, serial, time = last[3]
            added = (last[0] - first[0], last[1] - first[1])
            self.judge(device, epoch, serial, quantity, time, *added)
        comparison.same(f"{name} n", verdict["n"], self.n)
        decisive = self.worst["outside"] or self.worst["between"] or self.worst["all"]
        worst = None if decisive is None or math.isinf(decisive[1]) else decisive[1]
        comparison.exact(f"{name} worst error", verdict["measured"], worst)
        comparison.exact(f"{name} limit", verdict["limit"], self.limit)
        if self.outside:
            status = "fail"
        elif self.between or self.n == 0 or self.missed - self.paired or self.is_thin():
            status = "inconclusive"
        elif self.relative and any(self.limit / 100 * count < 1 for count in self.counts.values()):
            # So few pulses that the one that is free is more than the limit.
            status = "inconclusive"
        else:
            status = "inconclusive" if self.unexpected else "pass"
        comparison.same(f"{name} status", verdict["status"], status)
        alike = self.interchangeable() if status == "pass" and not self.is_planned else []
        word = "interchangeable" if alike else None
        comparison.same(f"{name} qualification", verdict.get("qualification"), word)
        told = re.search(r"so that exchanging .* not be seen(?:; so did (\d+) other)?", verdict["why"])
        count = 1 + int(told.group(1) or 0) if told else 0
        comparison.same(f"{name} pairs alike", count, len(alike))
        if decisive:
            at = verdict["at"]
            found = tuple(at.get(key) for key in ("device", "epoch", "serial", "quantity", "time"))
            comparison.same(f"{name} at", found, decisive[2])
        devices = {"wrong": len(self.wrong), "judged": len({device for device, _ in self.paired})}
        comparison.same(f"{name} devices", verdict["devices"], devices)
        # What a register counted is one value, and has no picture over time.
        if decisive and not self.difference:
            self.picture(comparison, f"{name} picture", verdict, decisive[2])

    def draw(self, device, quantity, curve, value):
        """Takes a value that is in the picture; what is no finite number has no place there."""
        if math.isfinite(value):
            n, least, largest = self.curves[device, quantity, curve]
            self.curves[device, quantity, curve] = n + 1, min(least, value), max(largest, value)

    def picture(self, comparison, name, verdict, place):
        """Draws the worst series by name, and the others of its quantity, any phase, as a band."""
        worst = (place[0], place[3])
        stem = os.path.join("figures", f"accuracy-{verdict['check']}")
        drawn = xml.parse(self.run.path(f"{stem}.svg")).getroot()
        found = tuple(drawn.get(f"data-{key}") for key in ("device", "quantity"))
        comparison.same(f"{name}: worst", found, worst)
        bins = collections.defaultdict(list)
        with open(self.run.path(f"{stem}.csv"), newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                bins[row["curve"]].append([float(row[key]) for key in ("n", "min", "max")])
        for curve in ("reference", "reported", "error", "others-reported", "others-error"):
            is_other = curve.startswith("others-")
            kept = [
                found for (device, quantity, column), found in self.curves.items()
                if column == curve.removeprefix("others-")
                and without_phase(quantity) == without_phase(worst[1])
                and ((device, quantity) != worst) == is_other
            ]
            n, found = sum(row[0] for row in kept), bins[curve]
            comparison.same(f"{name}: {curve} n", sum(row[0] for row in found), n)
            if n and found:
                for column, pick in ((1, min), (2, max)):
                    ends = (pick(row[column] for row in rows) for rows in (found, kept))
                    comparison.exact(f"{name}: {curve} {pick.__name__}", *ends, 1e-9)


def without_phase(quantity):
    """The identifier of all phases of a quantity."""
    return re.sub(r"\.(l1|l2|l3|total)$", "", quantity)


class Heat:
    """References of heat meters among themselves, where each reading has one state of its circuit.

    Volume is the sum of the mean flows times their spans, energy that of the heat of each span.
    """

    PREFIX = "heating."

    def __init__(self, run):
        sources = {source["name"]: source for source in run.scenario.get("source", [])}
        self.circuits, self.start = {}, run.facts["start"]
        for device in run.scenario.get("device", []):
            source = sources.get(device["at"].removeprefix("source:"), {})
            if source.get("kind") == "heat-circuit" and source["step"] == device.get("report_every"):
                self.circuits[device["name"]] = source
        self.references = collections.defaultdict(dict)

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        if device in self.circuits and quantity.startswith(self.PREFIX) and reference is not None:
            self.references[device, time][quantity.removeprefix(self.PREFIX)] = reference

    def compare(self, comparison, name):
        sums = {}
        for (device, time), found in sorted(self.references.items(), key=lambda it: seconds(it[0][1])):
            circuit = self.circuits[device]
            before, volume, energy = sums.get(device, (seconds(self.start), 0.0, 0.0))
            passed = found["flowrate"] * float(seconds(time) - before)
            flow, back = found["temp.primary.inlet"], found["temp.primary.outlet"]
            sensor = flow if circuit["flow_sensor"] == "flow" else back
            megapascal = amount(circuit["pressure"])[0] / 1e6
            given_off = water.heat(passed, flow, back, sensor, megapascal)
            sums[device] = (seconds(time), volume + passed, energy + given_off)
            power = given_off / float(seconds(time) - before)
            for quantity, expected in (
                ("volume", volume + passed), ("energy", energy + given_off), ("power", power),
            ):
                off = abs(found[quantity] - expected)
                if off > 1e-9 * abs(expected):
                    place = f"{name}: {quantity} of {device} at {time}"
                    comparison.true(place, False, f"{found[quantity]}, recomputed {expected}")
        for device, (_, volume, energy) in sums.items():
            comparison.true(f"{name}: heat of {device}", energy > 0, f"{energy / 3.6e6:.3f} kWh")


class NoLoss:
    """Readings due, missing, unexpected; a reading is the rows of one (device, epoch, serial)."""

    def __init__(self, check):
        self.device = check.get("device", "*")
        self.due, self.came, self.unexpected = set(), set(), set()
        self.absent, self.reported = set(), set()
        self.nameless = 0
        # How many readings of a device have to be missing one after another, whether lost ones count
        # too, and all due ones in the order of the record.
        self.silent = {row["device"]: (row["readings"], row.get("or_lost", False))
                       for row in check.get("silent", [])}
        self.order = {}
        # Whether the row that comes next has a declared span: then it was joined by when it was due.
        self.has_span = False
        # The least share of samples that could be used, and how many readings rest on fewer.
        self.usable, self.sparse = amount(str(check.get("usable", "95 %")))[0] / 100, 0

    def event(self, event):
        if event["kind"] == "reading_share" and is_named(event["device"], self.device):
            self.sparse += event["usable"] < self.usable

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        if not is_named(device, self.device):
            return
        is_joined = serial is not None or self.has_span
        if not is_joined and reported is not None and reference is not None:
            self.nameless += 1
            return
        # One that was never made has no serial: it is told by when it was due.
        key = (device, epoch, serial) if serial is not None else (device, time)
        if reference is None:
            self.unexpected.add(key)
            return
        self.due.add(key)
        self.order.setdefault(device, {})[key] = None
        if reported is not None:
            self.came.add(key)
            self.reported.add((device, quantity))
        elif not math.isnan(reference) or (device, quantity) in self.reported:
            # A value without a truth (Pst) may be absent until it comes for the first time.
            self.absent.add(key)

    @property
    def missing(self):
        return self.absent | (self.due - self.came)

    def as_it_has_to_be(self):
        """Missing readings that have to be missing, and readings that came and had not to."""
        taken, surplus = 0, 0
        for device, (expected, or_lost) in self.silent.items():
            # What was handed over is lost, not silent: it has a number, or some of its values came.
            gone = [key in self.missing
                    and (or_lost or (key not in self.came and len(key) == 2))
                    for key in self.order.get(device, {})]
            stretches = len([1 for is_gone, _ in itertools.groupby(gone) if is_gone])
            if gone and (stretches <= 1 or or_lost):
                taken += min(sum(gone), expected)
                surplus += max(expected - sum(gone), 0)
        return taken, surplus

    def compare(self, comparison, name, verdict):
        taken, surplus = self.as_it_has_to_be()
        due, missing = len(self.due) - taken, len(self.missing) - taken
        unexpected = len(self.unexpected) + surplus
        comparison.same(f"{name} due", verdict["n"], due)
        off = missing + unexpected + self.sparse
        comparison.exact(f"{name} missing, unexpected and sparse", verdict["measured"], off)
        told = re.search(r"(\d+) of (\d+) readings, (\d+) unexpected", verdict["why"])
        found = tuple(map(int, told.groups())) if told else verdict["why"]
        comparison.same(f"{name} told", found, (due - missing, due, unexpected))
        if off:
            status = "fail"
        else:
            status = "inconclusive" if self.nameless or not due else "pass"
        comparison.same(f"{name} status", verdict["status"], status)


class Account(NoLoss):
    """The bench's own account: of all devices, or of those that no check of `no_loss` is about."""

    STRAYS = ("foreign_reading", "valueless_reading", "unknown_value")

    def __init__(self, judged):
        super().__init__({})
        self.judged = judged
        self.foreign, self.refused = 0, 0

    def is_judged(self, device):
        return any(is_named(device, pattern) for pattern in self.judged)

    def row(self, device, *fields):
        if not self.is_judged(device):
            super().row(device, *fields)

    def event(self, event):
        if not self.is_judged(event.get("device") or ""):
            super().event(event)
            self.foreign += event["kind"] in self.STRAYS
        self.refused += event["kind"] == "refused"

    @property
    def counts(self):
        missing = len(self.missing)
        return {
            "due": len(self.due), "stored": len(self.due) - missing, "missing": missing,
            "altered": len(self.missing & self.unexpected), "unexpected": len(self.unexpected),
            "foreign": self.foreign, "sparse": self.sparse, "refused": self.refused,
        }

    def is_clean(self):
        counts = self.counts
        return not any(counts[what] for what in ("missing", "unexpected", "foreign", "sparse"))


class Notices:
    """The bench's own account of alerts and answers, and which of them no check is about."""

    FAULTS = ("lost", "altered", "foreign")

    def __init__(self, judges, tenants=(), unseen=(), unsent=()):
        self.judges = judges
        # Whose alerts and results the bench does not see sent: those of applications in real time.
        self.unsent = unsent
        # Whose answers the bench does not see: frames of nodes that a gateway carries unread.
        self.unseen = unseen
        # What ids begin with that are the platform's own: what it raises itself nobody sent.
        self.platforms = ("$", *(f"{tenant}.$" for tenant in tenants))
        self.seen, self.repeated, self.alerts, self.answers = set(), 0, 0, 0
        self.is_unreadable, self.worse = False, 0
        # By `alert` or `answer` and what is wrong: of whom, and of which types.
        self.faults = {(noun, what): [] for noun in ("alert", "answer") for what in self.FAULTS}

    def is_repetition(self, event):
        """Whether an alert with this number and content was there before."""
        if event["kind"] != "alert" or "epoch" not in event or "serial" not in event:
            return False
        own_time = {"time": event.get("event_time", event["time"]), "event_time": None}
        content = json.dumps({**event, **own_time}, sort_keys=True)
        is_one = content in self.seen
        self.seen.add(content)
        self.repeated += is_one
        return is_one

    def is_unseen(self, device):
        return any(device == name or device.startswith(f"{name}-") for name in self.unseen)

    @staticmethod
    def is_about(judge, noun, device, types):
        if not is_named(device, getattr(judge, "device", "")):
            return False
        if noun == "answer":
            return isinstance(judge, CommandAck)
        return bool(set(types) & set(getattr(judge, "types", ())))

    def is_judged(self, noun, device, types=()):
        return any(self.is_about(judge, noun, device, types) for judge in self.judges)

    def event(self, event):
        kind = event["kind"]
        self.is_unreadable = self.is_unreadable or kind == "alerts_unreadable"
        is_answer = kind in ("acknowledged", "command_refused")
        self.answers += is_answer and not self.is_unseen(event["device"])
        if kind == "alert":
            is_sent = event["device"] not in self.unsent
            self.alerts += is_sent and not event["device"].startswith(self.platforms)
            # The account has the block that a recorder's alert names beside the alert.
            self.alerts += event["type"] == "fault.recorded" and "block" in event.get("metadata", {})
            is_about = self.is_judged("alert", event["device"], [event["type"]])
            self.worse += event["level"] != "Info" and not is_about
        # And results of applications.
        self.alerts += kind == "result" and event["device"] not in self.unsent
        noun, _, what = kind.partition("_")
        if (noun, what) in self.faults:
            types = {event.get("type"), event.get("found_type")}
            self.faults[noun, what].append((event["device"], types))

    @property
    def counts(self):
        counts = {}
        for noun, given in (("alert", self.alerts), ("answer", self.answers)):
            lost, altered, foreign = (len(self.faults[noun, what]) for what in self.FAULTS)
            stored = given - altered - foreign
            counts[f"{noun}s"] = {
                "sent": stored + altered + lost, "stored": stored, "lost": lost,
                "altered": altered, "foreign": foreign,
                "repeated": self.repeated if noun == "alert" else 0,
            }
        return {**counts, "alerts_unreadable": self.is_unreadable}

    def unjudged(self, noun):
        """How many faults no check judges."""
        of = [found for (its, _), found in self.faults.items() if its == noun]
        return sum(not self.is_judged(noun, *one) for found in of for one in found)

    def are_against(self, judge):
        """Whether something is wrong that a check judges."""
        return any(self.is_about(judge, noun, *one)
                   for (noun, _), found in self.faults.items() for one in found)


class Refused:
    """Refusals by reason and device against those that are expected."""

    def __init__(self, check):
        self.expect = check.get("expect", [])
        self.seen = collections.Counter()
        self.readings = set()

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        if reported is not None:
            self.readings.add((device, epoch, serial))

    def event(self, event):
        if event["kind"] == "refused":
            self.seen[event["reason"], event.get("device")] += 1

    def compare(self, comparison, name, verdict):
        left = self.seen.copy()
        too_few = 0
        for expected in sorted(self.expect, key=lambda e: "device" not in e):
            wanted = expected.get("count", 1)
            for reason, device in list(left):
                fits = expected.get("device") in (None, device)
                if reason == expected["reason"] and fits:
                    taken = min(wanted, left[reason, device])
                    left[reason, device] -= taken
                    wanted -= taken
            too_few += wanted
        off = too_few + sum(left.values())
        n = len(self.readings) + sum(self.seen.values())
        comparison.exact(f"{name} too many and too few", verdict["measured"], off)
        comparison.same(f"{name} n", verdict["n"], n)
        status = "fail" if off else "pass" if n else "inconclusive"
        comparison.same(f"{name} status", verdict["status"], status)
        told = re.match(r"(\d+) messages? refused, (\d+) expected", verdict["why"])
        found = tuple(map(int, told.groups())) if told else verdict["why"]
        wanted = sum(expected.get("count", 1) for expected in self.expect)
        comparison.same(f"{name} told", found, (sum(self.seen.values()), wanted))


class Alerts:
    """Alerts of one type by sender, facts and own time against those that are expected."""

    def __init__(self, check):
        self.device, self.type = check.get("device", "*"), check["type"]
        self.types = [self.type]
        # A time may have several parts, as in `14 h 2 min`.
        parts = lambda text: re.findall(r"[-+0-9.eE]+\s*[a-z]+", str(text))
        exact = lambda text: sum(Decimal(repr(amount(part)[0])) for part in parts(text))
        self.expect = [
            [one["about"], exact(one["from"]), exact(one["to"]), one.get("count", 1)]
            for one in check.get("expect", [])
        ]
        self.wanted = sum(one[3] for one in self.expect)
        self.start, self.alerts, self.surplus, self.is_listed = None, 0, 0, True
        self.readings = set()

    def begin(self, run):
        self.start = seconds(run.facts["start"])

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        if reported is not None:
            self.readings.add((device, epoch, serial if serial else time))

    def event(self, event):
        self.is_listed = self.is_listed and event["kind"] != "alerts_unreadable"
        if event["kind"] != "alert" or event["type"] != self.type:
            return
        if not is_named(event["device"], self.device):
            return
        self.alerts += 1
        since = seconds(event.get("event_time", event["time"])) - self.start
        facts = event.get("metadata")
        names = {event["device"], *(facts or {}).values()}
        open_ones = [one for one in self.expect if one[3] and one[1] <= since <= one[2]]
        for one in open_ones:
            if one[0] in names:
                one[3] -= 1
                return
        if open_ones and facts is None:
            # Of a run recorded before alerts had facts: it may be one of them.
            self.is_listed = False
        else:
            self.surplus += 1

    def compare(self, comparison, name, verdict):
        off = self.surplus + sum(one[3] for one in self.expect)
        n = len(self.readings) + self.alerts
        measured = off if self.is_listed else None
        comparison.exact(f"{name} too many and too few", verdict["measured"], measured)
        comparison.same(f"{name} n", verdict["n"], n)
        is_open = not n or not self.is_listed and not self.surplus
        status = "inconclusive" if is_open else "fail" if off else "pass"
        comparison.same(f"{name} status", verdict["status"], status)
        if not is_open:
            told = re.match(r"(\d+) alerts? of type .*, (\d+) expected", verdict["why"])
            found = tuple(map(int, told.groups())) if told else verdict["why"]
            comparison.same(f"{name} told", found, (self.alerts, self.wanted))


class CommandAck:
    """The longest time from a command to its acknowledgement."""

    def __init__(self, check):
        self.device = check.get("device", "*")
        self.within = amount(str(check.get("within", "60 s")))[0]
        self.given, self.took, self.to_refuse = {}, [], set()
        self.unreflected, self.unsupplied, self.dark = 0, check.get("unsupplied", True), set()

    def row(self, *_):
        pass

    def event(self, event):
        is_written_only = event["kind"] == "device" and event.get("what") == "not_reflected"
        self.unreflected += is_written_only and is_named(event["device"], self.device)
        if event["kind"] == "supply_lost":
            self.dark.add(event["device"])
        elif event["kind"] == "supply_returned":
            self.dark.discard(event["device"])
        is_counted = self.unsupplied or event.get("device") not in self.dark
        if event["kind"] == "command" and is_counted and is_named(event["device"], self.device):
            self.given[event["id"]] = seconds(event["time"])
            self.to_refuse |= {event["id"]} if event.get("expected") == "refused" else set()
        wanted = "command_refused" if event.get("id") in self.to_refuse else "acknowledged"
        if event["kind"] == wanted and event["id"] in self.given:
            self.took.append(seconds(event["time"]) - self.given.pop(event["id"]))

    def compare(self, comparison, name, verdict):
        lost = bool(self.given)
        longest = float(max(self.took)) if self.took and not lost else None
        comparison.same(f"{name} n", verdict["n"], len(self.took) + len(self.given))
        comparison.exact(f"{name} longest", verdict["measured"], longest)
        comparison.exact(f"{name} limit", verdict["limit"], self.within)
        late = any(took > self.within for took in self.took)
        is_shown = self.took and not self.unreflected
        status = "fail" if lost or late else "pass" if is_shown else "inconclusive"
        comparison.same(f"{name} status", verdict["status"], status)


class Requests:
    """Requests that were not answered as they state, of those that the check names."""

    def __init__(self, check):
        self.request = check.get("request", "*")
        self.answers = []

    def row(self, *_):
        pass

    def event(self, event):
        if event["kind"] == "request" and fnmatch.fnmatchcase(event["name"], self.request):
            self.answers.append(event["is_as_expected"])
            # A status that was not expected is never as expected.
            if event.get("status") != event["expected"]:
                self.answers[-1] = False

    def compare(self, comparison, name, verdict):
        wrong = self.answers.count(False)
        comparison.exact(f"{name} other answers", verdict["measured"], float(wrong))
        comparison.same(f"{name} n", verdict["n"], len(self.answers))
        status = "inconclusive" if not self.answers else "fail" if wrong else "pass"
        comparison.same(f"{name} status", verdict["status"], status)


class Display:
    """Values that a display showed otherwise than they came back, now or a reading before."""

    UNITS = {"V": 1.0, "A": 1.0, "W": 1.0, "kWh": 3.6e6}

    def __init__(self, check):
        self.device = check.get("device", "*")
        self.texts, self.rows = collections.defaultdict(list), collections.defaultdict(list)

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        if reported is not None and is_named(device, self.device):
            self.rows[device, quantity].append((seconds(time), reported))

    def event(self, event):
        if event["kind"] == "display" and is_named(event["device"], self.device):
            for quantity, text in event["shown"].items():
                self.texts[event["device"], quantity].append((seconds(event["time"]), text))

    def is_of(self, text, value):
        figures, unit = text.split(" ")
        decimals = len(figures.partition(".")[2])
        shown = Decimal(figures)
        step = Decimal(1).scaleb(-decimals)
        return abs(shown - Decimal(value / self.UNITS[unit])) <= step / 2 * Decimal("1.000001")

    def compare(self, comparison, name, verdict):
        compared = wrong = 0
        for series, texts in self.texts.items():
            rows = self.rows[series]
            for place, (due, value) in enumerate(rows):
                shown = [text for since, text in texts if since <= due][-1:]
                if not shown or shown[0].startswith("-"):
                    continue
                compared += 1
                values = [value] + [rows[place - 1][1]] * (place > 0)
                wrong += not any(self.is_of(shown[0], one) for one in values)
        comparison.exact(f"{name} shown otherwise", verdict["measured"], float(wrong))
        comparison.same(f"{name} n", verdict["n"], compared)
        status = "inconclusive" if not compared else "fail" if wrong else "pass"
        comparison.same(f"{name} status", verdict["status"], status)


class Rate:
    """The most readings that were acknowledged within a time."""

    def __init__(self, check):
        self.most, self.device = float(check["max"]), check.get("device", "*")
        self.over_ns = round(amount(check.get("over", "5 s"))[0] * 1e9)

    def begin(self, run):
        self.due, self.taken = [], []
        with open(run.path("latency.csv"), newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                device = row["id"].rsplit("/", 2)[0]
                if row["path"] != "reading" or not is_named(device, self.device):
                    continue
                for column, instants in (("intended_ns", self.due), ("acknowledged_ns", self.taken)):
                    instants += [int(row[column])] if row[column] else []

    def row(self, *_):
        pass

    def densest(self, instants):
        """The most readings a second in any stretch of the time."""
        held, most = collections.deque(), 0
        for instant in sorted(instants):
            held.append(instant)
            while instant - held[0] >= self.over_ns:
                held.popleft()
            most = max(most, len(held))
        return most / (self.over_ns / 1e9)

    def compare(self, comparison, name, verdict):
        due, taken = self.densest(self.due), self.densest(self.taken)
        comparison.exact(f"{name} readings a second", verdict["measured"], taken)
        comparison.exact(f"{name} limit", verdict["limit"], self.most)
        comparison.same(f"{name} n", verdict["n"], len(self.taken))
        is_open = not self.taken or due <= self.most
        status = "fail" if taken > self.most else "inconclusive" if is_open else "pass"
        comparison.same(f"{name} status", verdict["status"], status)


class ExchangeRatio:
    """A figure of the exchanges of some devices on buses divided by that of others."""

    def __init__(self, check):
        self.figure = check["statistic"]
        self.sides = [check["device"], check["against"]]
        self.least, self.most = self.ratio(check.get("at_least")), self.ratio(check["at_most"])

    def begin(self, run):
        self.exchanges = [[], []]
        with open(run.path("latency.csv"), newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["path"] != "exchange":
                    continue
                device = row["id"].split("/")[0]
                for pattern, exchanges in zip(self.sides, self.exchanges):
                    if is_named(device, pattern):
                        answered = int(row["answered_ns"]) if row["answered_ns"] else None
                        exchanges.append((int(row["asked_ns"]), answered, int(row["bytes"])))

    def row(self, *_):
        pass

    @staticmethod
    def ratio(value):
        """A bare number, as text too, or one in %."""
        if isinstance(value, str) and value.endswith("%"):
            return float(value[:-1]) / 100
        return None if value is None else float(value)

    def of(self, exchanges):
        answered = [(asked, at, size) for asked, at, size in exchanges if at is not None]
        if self.figure == "throughput":
            if not answered:
                return None
            span = max(at for _, at, _ in answered) - min(asked for asked, _, _ in exchanges)
            return sum(size for *_, size in answered) * 1e9 / span
        if len(answered) * 2 <= len(exchanges):
            return math.inf
        delays = [(math.inf if at is None else at - asked) for asked, at, _ in exchanges]
        return statistics.median(delays) / 1e6

    def compare(self, comparison, name, verdict):
        own, other = self.exchanges
        comparison.same(f"{name} n", verdict["n"], len(own))
        if min(len(own), len(other)) < 100:
            return comparison.same(f"{name} status", verdict["status"], "inconclusive")
        own, other = self.of(own), self.of(other)
        if own is None or other is None or (own == other == math.inf):
            return comparison.same(f"{name} status", verdict["status"], "inconclusive")
        ratio = own / other
        if math.isfinite(ratio):
            comparison.exact(f"{name} ratio", verdict["measured"], ratio)
        is_within = ratio <= self.most and (self.least is None or ratio >= self.least)
        comparison.same(f"{name} status", verdict["status"], "pass" if is_within else "fail")


class HouseholdBill:
    """The last bill of an aggregator, and what registers or truth come to at the prices, as fractions."""

    IMPORT = "electricity.energy.active.consumed.total"
    EXPORT = "electricity.energy.active.injected.total"

    def __init__(self, check):
        self.check, self.bill = check, None
        self.is_truth = check.get("against", "registers") == "truth"
        self.registers = collections.defaultdict(dict)

    def begin(self, run):
        start = seconds(run.facts["start"])
        self.span = start, seconds(run.facts["end"])
        self.prices = [
            (start + Decimal(repr(amount(str(row["from"]))[0])), Fraction(row["import"]),
             Fraction(row.get("export", "0")))
            for row in self.check["prices"]
        ]

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        value = reference if self.is_truth else reported
        known = value is not None and math.isfinite(value)
        if known and device == self.check["meter"] and quantity in (self.IMPORT, self.EXPORT):
            self.registers[seconds(time)][quantity] = Fraction(value).limit_denominator(10**6)

    def event(self, event):
        if event["kind"] == "household_bill" and event["source"] == self.check["gateway"]:
            self.bill = event

    def reference(self):
        """In the currency with the count of steps; nothing if it cannot be known."""
        if self.bill is None or self.bill["open_steps"]:
            return None
        begin, end = seconds(self.bill["from"]), seconds(self.bill["until"])
        unbilled = amount(str(self.check.get("unbilled", "2 min")))[0]
        if max(begin - self.span[0], self.span[1] - end) > unbilled:
            return None
        known = sorted(at for at, row in self.registers.items() if begin <= at <= end and self.IMPORT in row)
        if begin not in known or end not in known or begin == end:
            return None
        total = Fraction(self.check.get("fixed", "0"))
        for first, second in itertools.pairwise(known):
            holding = [price for price in self.prices if price[0] <= first]
            if not holding:
                return None
            step = [
                after.get(name) - before.get(name) if name in after and name in before else 0
                for before, after in [(self.registers[first], self.registers[second])]
                for name in (self.IMPORT, self.EXPORT)
            ]
            changes = any(first < price[0] < second for price in self.prices)
            if (min(step) < 0 and not self.is_truth) or (changes and any(step)):
                return None
            total += (step[0] * holding[-1][1] - step[1] * holding[-1][2]) / Fraction(3_600_000)
        return total, len(known) - 1

    def compare(self, comparison, name, verdict):
        found = self.reference()
        if found is None:
            return comparison.same(f"{name} status", verdict["status"], "inconclusive")
        total, steps = found
        billed = Fraction(int(self.bill["total_ucent"]), 10**6)
        # Rounded to millionths of a cent on both sides.
        off = abs(float(billed - round(100 * total * 10**6) / Fraction(10**6)))
        limit = float(Fraction(self.check["within"]) * 100) if self.is_truth else 0.0
        comparison.exact(f"{name} difference", verdict["measured"], off)
        comparison.same(f"{name} n", verdict["n"], steps)
        comparison.same(f"{name} status", verdict["status"], "pass" if off <= limit else "fail")


class HouseholdDecisions:
    """Decisions of an aggregator that fit, within a window."""

    def __init__(self, check):
        self.check, self.all, self.counted = check, 0, 0

    def begin(self, run):
        start = seconds(run.facts["start"])
        span = lambda key: start + Decimal(repr(amount(str(self.check[key]))[0]))
        self.since = span("from") if "from" in self.check else start
        self.until = span("until") if "until" in self.check else None

    def row(self, *_):
        pass

    def event(self, event):
        if event["kind"] != "household_decision":
            return
        self.all += 1
        found = {"gateway": event["source"], "about": event["about"] or "", "action": event["action"],
                 "reason": event["reason"]}
        at = seconds(event["time"])
        is_then = self.since <= at and (self.until is None or at < self.until)
        fits = all(fnmatch.fnmatchcase(text, self.check.get(key, "*")) for key, text in found.items())
        self.counted += is_then and fits

    def compare(self, comparison, name, verdict):
        least, most = self.check.get("at_least", 0), self.check.get("at_most", math.inf)
        comparison.exact(f"{name} decisions", verdict["measured"], float(self.counted))
        comparison.same(f"{name} n", verdict["n"], self.all)
        is_within = least <= self.counted <= most
        status = "inconclusive" if not self.all else "pass" if is_within else "fail"
        comparison.same(f"{name} status", verdict["status"], status)


class Elsewhere:
    """What latency_recompute.py, suspicion.py, suite_recompute.py, table_one.py and calibration.py judge."""

    def __init__(self, check):
        pass

    def row(self, *_):
        pass

    def compare(self, *_):
        pass


class MeanErrors:
    """What the shipped check of `external-check.py` answers: of each series the mean error, from sums."""

    def __init__(self, check):
        settings = check["settings"]
        self.limit, self.prefix = float(settings["limit"]), settings["quantity"]
        # Of each series how many pairs, and the sum of reported over reference.
        self.sums = collections.defaultdict(lambda: (0, 0.0))

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        if quantity.startswith(self.prefix) and reference and reported is not None:
            n, ratio = self.sums[device, quantity]
            self.sums[device, quantity] = (n + 1, ratio + reported / reference)

    def compare(self, comparison, name, verdict):
        worst = max((abs(ratio / n - 1) * 100 for n, ratio in self.sums.values()), default=None)
        comparison.exact(f"{name} n", verdict["n"], sum(n for n, _ in self.sums.values()))
        comparison.close(f"{name} worst mean", verdict["measured"], worst, 1e-12, "%")
        status = "pass" if worst <= self.limit else "fail"
        comparison.same(f"{name} status", verdict["status"], status)


class EnergyBalance:
    """Registers of homes and losses of the declared network against the substation's registers."""

    CONSUMED = "electricity.energy.active.consumed.total"
    INJECTED = "electricity.energy.active.injected.total"

    def __init__(self, check):
        self.check = check
        self.limit = amount(check["limit"])[0]
        self.minimum = amount(check["minimum"])[0] if "minimum" in check else 0.0
        self.every = Decimal(str(amount(check["every"])[0])) if "every" in check else None
        # By device and instant, what each register held; an instant as text, as it was written.
        self.held = {}

    def begin(self, run):
        self.start = run.facts["start"]
        places = {device["name"]: device["at"] for device in run.facts["devices"]}
        fits = is_named
        self.substations = {name for name in places if fits(name, self.check["substation"])}
        homes = {name for name, at in places.items() if at.startswith("load:")}
        homes = {name for name in homes if fits(name, self.check.get("homes", "*"))}
        self.meters = self.substations | homes
        with open(run.path("grid.csv"), newline="", encoding="utf-8") as file:
            self.steps = list(csv.DictReader(file))

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        if device in self.meters and reference is not None:
            if quantity in (self.CONSUMED, self.INJECTED):
                self.held.setdefault(time, {})[device, quantity] = (epoch, reported)

    def ends(self):
        """The ends of the intervals, in order, as seconds with their texts."""
        ends = sorted((seconds(time), time) for time in self.held)
        if self.every is None:
            return ends[-1:]
        start = seconds(self.start)
        return [end for end in ends if (end[0] - start) % self.every == 0]

    def share(self, begin, end):
        """The difference of an interval in %, and the energy in it; `None` if something is missing."""
        net, both = 0.0, 0.0
        homes = 0.0
        for meter in self.meters:
            held = []
            for quantity in (self.CONSUMED, self.INJECTED):
                last = self.held[end[1]].get((meter, quantity), (None, None))
                first = (last[0], 0.0)
                if begin[1] != self.start:
                    first = self.held[begin[1]].get((meter, quantity), (None, None))
                if last[1] is None or first[1] is None or last[0] != first[0]:
                    return None
                held.append(last[1] - first[1])
            if meter in self.substations:
                net, both = net + held[0] - held[1], both + held[0] + held[1]
            else:
                homes += held[0] - held[1]
        losses, covered = 0.0, 0.0
        for step in self.steps:
            since = seconds(step["time"])
            until = since + Decimal(step["seconds"])
            within = float(max(min(until, end[0]) - max(since, begin[0]), Decimal(0)))
            losses += float(step["declared_losses_w"]) * within
            covered += within
        if abs(covered - float(end[0] - begin[0])) > 1e-6:
            return None
        difference = abs(net - homes - losses)
        share = 100 * difference / both if both else math.inf if difference else 0.0
        return share, max(both, abs(homes + losses))

    def compare(self, comparison, name, verdict):
        begin, shares, missing, little = (seconds(self.start), self.start), [], 0, 0
        for end in self.ends():
            share = self.share(begin, end)
            if share is None:
                missing += 1
            elif share[1] < self.minimum:
                little += 1
            else:
                shares.append(share[0])
            begin = end
        comparison.same(f"{name} n", verdict["n"], len(shares))
        worst = max(shares, default=None)
        # Sums of other order: the figure is a small difference of large ones.
        if worst is None or verdict["measured"] is None:
            comparison.same(f"{name} difference", verdict["measured"], worst)
        else:
            comparison.close(f"{name} difference", verdict["measured"], worst, 1e-8, "%")
        if worst is not None and worst > self.limit:
            status = "fail"
        else:
            status = "inconclusive" if missing or not shares else "pass"
        comparison.same(f"{name} status", verdict["status"], status)
        told = re.search(r"(\d+) intervals? below `minimum`", verdict["why"])
        comparison.same(f"{name} left out", int(told.group(1)) if told else 0, little if shares else 0)


class OverTime(over_time.OverTime):
    """A signal over time, from signals.csv."""

    def __init__(self, check):
        super().__init__(check, amount)

    def compare(self, comparison, name, verdict):
        super().compare(comparison, name, verdict, seconds)


def in_motion(kind):
    """A check of a network in motion, with the ways of this file to read amounts and times."""
    return lambda check: kind(check, amount, seconds)


CHECKS = {
    "event": in_motion(motion.VoltageEvents), "last_gasp": in_motion(motion.Supply),
    "restored": in_motion(motion.Supply), "tamper": in_motion(motion.Tamper),
    "protection_operation": in_motion(motion.ProtectionOperation),
    "reliability": in_motion(motion.Reliability),
    # Their former names.
    "operated": in_motion(motion.ProtectionOperation), "unserved": in_motion(motion.Reliability),
    "step": OverTime, "constant": OverTime, "settles": OverTime, "follows": OverTime,
    "energy_balance": EnergyBalance, "suspicion": Elsewhere, "external": MeanErrors,
    "latency": Elsewhere, "jitter": Elsewhere, "recovery": Elsewhere, "published": Elsewhere,
    "test_plan": Elsewhere, "published_table": Elsewhere, "calibration": Elsewhere,
    "accuracy": Accuracy,
    "no_loss": NoLoss, "refused": Refused, "alerts": Alerts, "command_ack": CommandAck,
    "requests": Requests, "rate": Rate, "exchange_ratio": ExchangeRatio, "display": Display,
    "outage_area": in_motion(applications.OutageArea),
    "fault_distance": in_motion(applications.FaultDistance),
    "household_bill": HouseholdBill, "household_decisions": HouseholdDecisions,
}


def seconds(text):
    """Seconds since 1970, exactly."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.datetime.fromisoformat(whole + "+00:00")
    return Decimal(int(moment.timestamp())) + Decimal("0." + (fraction or "0"))


class Record:
    """What has to be true of the rows themselves, whatever they say."""

    def __init__(self):
        self.rows, self.faults = 0, []
        self.due, self.came, self.unexpected = set(), set(), set()
        self.last_time, self.seen = {}, set()
        self.units, self.last_reading = {}, None

    def fault(self, text):
        if len(self.faults) < 5:
            self.faults.append(f"row {self.rows}: {text}")

    def row(self, fields, reference, reported):
        self.rows += 1
        device, epoch, serial, quantity, unit, time = fields[:6]
        if self.units.get(quantity) != unit:
            if quantity in self.units:
                self.fault(f"{quantity} in {unit} and in {self.units[quantity]}")
            self.units[quantity] = unit
        if reference is None and reported is None:
            self.fault("neither reference nor reported")
        if not device or not time.endswith("Z") or (epoch == "") != (serial == ""):
            self.fault(f"fields {fields}")
        if (serial or "1") != str(int(serial or 1)) or (epoch or "1") != str(int(epoch or 1)):
            self.fault(f"epoch {epoch}, serial {serial}")
        # Of a device in order of time; the same length of text sorts as the times do. What was held
        # back by a link comes after what others have sent meanwhile.
        last = self.last_time.get(device, "")
        if len(time) == len(last) and time < last:
            self.fault(f"{time} after {last}")
        self.last_time[device] = time
        for text, value in ((fields[6], reference), (fields[7], reported)):
            if value is not None and not is_shortest(text, value):
                self.fault(f"`{text}` is not the shortest text of {value!r}")
        self.count(device, epoch, serial, quantity, time, reference, reported)

    def count(self, device, epoch, serial, quantity, time, reference, reported):
        key = (device, epoch, serial) if serial else (device, time)
        if key != self.last_reading:
            self.last_reading, self.seen = key, set()
        if quantity in self.seen:
            self.fault(f"{quantity} of {key} twice")
        self.seen.add(quantity)
        if reference is None:
            self.unexpected.add(key)
        else:
            self.due.add(key)
            # A reading may be there without a value that it did not have yet (Pst).
            if reported is not None:
                self.came.add(key)

    @property
    def missing(self):
        """The readings of which nothing came back."""
        return self.due - self.came


def is_shortest(text, value):
    """Whether a text has no digit more than the shortest that reads back as this number.

    Which digit is last where two are as near is the writer's choice.
    """
    if not math.isfinite(value):
        return text in ("NaN", "inf", "-inf")
    plain = repr(value)
    if text == plain or text + ".0" == plain:
        return True
    digits = lambda t: len(Decimal(t).normalize().as_tuple().digits)
    return "." not in text.rstrip("0") or digits(text) == digits(plain)


def number(text):
    return float(text) if text else None


def whole(text):
    return int(text) if text else None


def judge(comparison, run, name):
    """All of one run."""
    judges = []
    for check in run.scenario.get("check", []):
        kind = CHECKS.get(check["kind"])
        comparison.true(f"{name}: check {check['name']} is of a known kind", kind, check["kind"])
        if kind:
            judges.append((check["name"], kind(check)))
    for _, one in judges:
        if hasattr(one, "begin"):
            one.begin(run)
    record = Record()
    patterns = [one.device for _, one in judges if isinstance(one, NoLoss)]
    whole_account, unjudged = Account([]), Account(patterns)
    accounts = [whole_account, unjudged]
    heat = Heat(run)
    signals = over_time.Signals(run, seconds)
    rows = [judge.row for _, judge in judges] + [account.row for account in accounts]
    rows += [heat.row] if heat.circuits else []
    rows += [signals.row] if signals.named else []
    spans, recomputed = declared.Spans(run), declared.Declared(run, amount, seconds)
    polled_heat = polled.PolledHeat(run, amount)
    room = rooms.Rooms(run)
    takers = [one for _, one in judges] + accounts
    for fields in run.observations():
        if len(fields) != len(COLUMNS):
            record.fault(f"{len(fields)} fields")
            continue
        reference, reported = number(fields[6]), number(fields[7])
        record.row(fields, reference, reported)
        epoch, serial = whole(fields[1]), whole(fields[2])
        span = spans.of(fields)
        for one in takers:
            one.spread, one.has_span = (span[2] if span else 0.0), span is not None
        recomputed.row(fields, span)
        polled_heat.row(fields, reference, span)
        if room.rooms:
            room.row(fields, reference, seconds(fields[5]))
        for take in rows:
            take(fields[0], epoch, serial, fields[3], fields[5], reference, reported)
    refused = 0
    tenants = [tenant["name"] for tenant in run.scenario.get("tenant", [])]
    unread = {row["on"] for row in run.scenario.get("gateway", [])
              if row["model"] == "zigbee-gateway"}
    unseen = [row["name"] for row in run.scenario.get("device", []) if row.get("on") in unread]
    is_real = run.facts["time"] == "real"
    unsent = [row["name"] for row in run.scenario.get("application", []) if is_real]
    notices = Notices([one for _, one in judges], tenants, unseen, unsent)
    for event in run.events():
        refused += event["kind"] == "refused"
        if notices.is_repetition(event):
            continue
        notices.event(event)
        for account in accounts:
            account.event(event)
        for _, one in judges:
            if hasattr(one, "event"):
                one.event(event)
    heat.compare(comparison, name)
    spans.compare(comparison, run, name)
    signals.compare(comparison, name)
    recomputed.compare(comparison, name)
    polled_heat.compare(comparison, name)
    room.compare(comparison, name)
    comparison.same(f"{name}: {record.rows} rows, faults", record.faults, [])
    units = {quantity: SI_UNITS.get(family(quantity)) for quantity in record.units}
    comparison.same(f"{name}: units", record.units, units)
    order = [verdict["check"] for verdict in run.verdicts]
    # Behind the scenario's own checks stand those that nobody has to write.
    own = [check for check, _ in judges]
    implicit = [] if unjudged.is_clean() else ["unjudged-readings"]
    alerts = notices.worse + notices.unjudged("alert")
    implicit += ["unjudged-alerts"] if alerts else []
    order = [check for check in order if check != "unjudged-commands"]
    comparison.same(f"{name}: checks in order", order, own + implicit)
    counts = {**whole_account.counts, **notices.counts}
    comparison.same(f"{name}: account", run.facts["account"], counts)
    for verdict in run.verdicts[len(own):]:
        comparison.same(f"{name}/{verdict['check']} status", verdict["status"], "inconclusive")
        if verdict["check"] == "unjudged-alerts":
            comparison.exact(f"{name}: unjudged alerts", verdict["measured"], alerts)
    for (check, one), verdict in zip(judges, run.verdicts):
        if notices.are_against(one):
            comparison.same(f"{name}/{check} status", verdict["status"], "fail")
            continue
        one.compare(comparison, f"{name}/{check}", verdict)
    facts(comparison, run, name, record, refused)


def family(quantity):
    found = [prefix for prefix in SI_UNITS if quantity.startswith(prefix)]
    return max(found, key=len, default=quantity)


def facts(comparison, run, name, record, refused):
    """What run.json counts, and the exit code."""
    statuses = [verdict["status"] for verdict in run.verdicts]
    counts = {status: statuses.count(status) for status in ORDER}
    comparison.same(f"{name}: verdicts in run.json", run.facts["verdicts"], counts)
    judged = [status for status in statuses if status != "skipped"] or ["skipped"]
    worst = max(judged, key=ORDER.index)
    comparison.same(f"{name}: exit code", run.facts["exit_code"], EXIT_OF_STATUS[worst])
    more = run.facts["more"]
    for key, expected in (
        ("observations", record.rows),
        ("readings_due", len(record.due)),
        ("readings_missing", len(record.missing)),
        ("readings_unexpected", len(record.unexpected)),
        ("readings_stored", len(record.due) - len(record.missing)),
        ("refused", refused),
    ):
        comparison.same(f"{name}: {key}", more.get(key), expected)


def main():
    comparison = Comparison()
    water.check(comparison)
    root = runs()
    for part in ("library", "twins"):
        folders = run_folders(os.path.join(root, part))
        comparison.true(f"{part} has runs", folders, len(folders))
        for folder in folders:
            run = Run(folder)
            name = os.path.relpath(folder, root)
            state = run.facts["state"]
            if state == "skipped":
                comparison.same(f"{name}: exit code", run.facts["exit_code"], 4)
                continue
            comparison.same(f"{name}: state", state, "finished")
            if state == "finished":
                judge(comparison, run, name)
    comparison.end()


if __name__ == "__main__":
    main()
