"""References over declared spans, recomputed for loads that are known in closed form.

Written from the description of the keys `readings` and `span_*`; shares nothing with the program. The
load is one phase of a sine whose current steps at known instants: its power is a step function, but
for an oscillation of twice the frequency, for which the comparisons leave room. The spread is the
largest difference over a dense grid of admitted spans.
"""

import csv
import math
import os

HEADER = ["device", "epoch", "serial", "event_time", "quantity", "from_ns", "to_ns", "spread", "way"]
POWER = "electricity.power.active.consumed.l1"
ENERGY = "electricity.energy.active.consumed.l1"
# Shifts of the grid where one end moves, and of each end where both do.
DENSE, DENSE_OF_TWO = 2000, 60


class Spans:
    """The rows of spans.csv by the value they belong to; none without the file."""

    def __init__(self, run):
        self.rows = {}
        path = run.path("spans.csv")
        self.is_there = os.path.exists(path)
        if not self.is_there:
            return
        with open(path, newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows)
            if header != HEADER:
                raise ValueError(f"the columns are {header}, expected {HEADER}")
            for device, epoch, serial, time, quantity, begin, end, spread, way in rows:
                key = (device, epoch, serial, time, quantity)
                if key in self.rows:
                    raise ValueError(f"{key} twice")
                self.rows[key] = (int(begin) / 1e9, int(end) / 1e9, float(spread), way)
        self.used = set()

    def of(self, fields):
        """The span of a row of observations.csv that was due, if it has one."""
        device, epoch, serial, quantity, _, time, reference = fields[:7]
        key = (device, epoch, serial, time, quantity)
        if not self.is_there or reference == "" or key not in self.rows or key in self.used:
            return None
        self.used.add(key)
        return self.rows[key]

    def compare(self, comparison, run, name):
        # Nodes announce their spans, whatever carries their frames unread.
        unread = {row["on"] for row in run.scenario.get("gateway", [])
                  if row["model"] == "zigbee-gateway"}

        def is_asked(device):
            return "on" in device and device["on"] not in unread

        def declares(device):
            is_board = "board" in device and device.get("as", "simulated") != "simulated"
            return device.get("readings", "announced") != "announced" or is_asked(device) or is_board

        declared = [d for d in run.scenario.get("device", []) if declares(d)]
        comparison.same(f"{name}: spans.csv is there", self.is_there, bool(declared))
        comparison.same(f"{name}: spans in run.json", run.facts.get("spans"),
                        len(self.rows) if self.is_there else None)
        if self.is_there:
            comparison.same(f"{name}: spans of no row", sorted(set(self.rows) - self.used)[:3], [])


class Load:
    """A current that steps: power and its integral."""

    def __init__(self, source, injections, amount):
        self.volt_ampere = amount(source["voltage"])[0] * amount(source["current"])[0]
        self.omega = 2 * math.pi * amount(source["frequency"])[0]
        steps = [(0.0, 1.0)]
        for one in injections:
            steps.append((amount(one["at"])[0], amount(one["to"])[0] / 100))
        self.steps = sorted(steps)

    def energy(self, until):
        """What flowed from the start on."""
        ends = [at for at, _ in self.steps[1:]] + [math.inf]
        parts = ((max(0.0, min(until, end) - at), share) for (at, share), end in zip(self.steps, ends))
        return sum(length * share * self.volt_ampere for length, share in parts)

    def value(self, quantity, begin, end):
        if quantity == ENERGY:
            return self.energy(end)
        return (self.energy(end) - self.energy(begin)) / (end - begin)

    def room(self, quantity, length):
        """What the oscillation adds at both ends at most."""
        largest = self.volt_ampere * max(share for _, share in self.steps)
        return largest / self.omega / (1.0 if quantity == ENERGY else length)


def load_of(run, device, amount):
    """The load that a device measures, if it is one that is known here."""
    name = device["at"].removeprefix("source:")
    source = next((s for s in run.scenario.get("source", []) if s["name"] == name), {})
    if source.get("kind") != "synthetic" or source.get("phases") != 1 or source.get("power_factor", 1) != 1:
        return None
    injections = [one for one in run.scenario.get("inject", []) if one.get("source") == name]
    if any(one["kind"] != "amplitude" or one["of"] != "current" for one in injections):
        return None
    return Load(source, injections, amount)


class Declared:
    """References and spreads of the devices of a run that declare their spans."""

    def __init__(self, run, amount, seconds):
        self.seconds, self.start = seconds, seconds(run.facts["start"])
        self.devices, self.rows = {}, 0
        self.faults = []
        for device in run.scenario.get("device", []):
            if device.get("readings", "announced") == "announced":
                continue
            load = load_of(run, device, amount)
            if load is not None:
                time = lambda key: amount(device[key])[0] if key in device else None
                declared = (time("span_window"), time("span_earliest") or 0.0, time("span_latest") or 0.0)
                self.devices[device["name"]] = (load, declared, time("report_every"))

    def row(self, fields, span):
        """One value that was due, with its span."""
        device, quantity = fields[0], fields[3]
        if device not in self.devices or quantity not in (POWER, ENERGY) or span is None:
            return
        load, (window, earliest, latest), every = self.devices[device]
        end = float(self.seconds(fields[5]) - self.start)
        begin = max(0.0, end - (every if window is None else window))
        self.rows += 1
        self.near(fields, "begin", span[0], begin, 1e-9)
        self.near(fields, "end", span[1], end, 1e-9)
        nominal, room = load.value(quantity, begin, end), load.room(quantity, end - begin)
        self.near(fields, "reference", float(fields[6]), nominal, room)
        grid = lambda at, count: [at - earliest + (earliest + latest) * n / count for n in range(count + 1)]
        if window is None:
            begins = grid(begin, DENSE_OF_TWO) if begin > 0 else [0.0]
            spans = [(b, e) for b in begins for e in grid(end, DENSE_OF_TWO)]
        else:
            spans = [(max(0.0, e - window), e) for e in grid(end, DENSE)]
        spread = max(abs(load.value(quantity, b, e) - nominal) for b, e in spans)
        self.near(fields, "spread", span[2], spread, 2 * room + 1e-3 * spread)

    def near(self, fields, what, found, expected, room):
        if not abs(found - expected) <= room:
            self.faults.append(f"{what} of {fields[:6]}: {found}, recomputed {expected} within {room}")

    def compare(self, comparison, name):
        if self.devices:
            comparison.true(f"{name}: declared spans", self.rows, self.rows)
            comparison.same(f"{name}: declared spans, faults", self.faults[:5], [])
