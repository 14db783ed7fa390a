"""Judges every run with a `[test_plan]` again, from the suite's data and `observations.csv`.

Unrolls the suite into operating points by its own reading of docs/test-plans.md, cuts the record into
points, and computes figures, uncertainties and statuses; shares nothing with the program. Student's
factor comes from integrating its density here, so uncertainties agree to a percent only (the program
has a rounded table), and what lies that near to a border may fall either way.
"""

import fnmatch
import itertools
import math
import os
import re
import sys
import tomllib

from peer.bench import Comparison
from peer.record import Run, suite_run_folders

REPORT_EVERY = "10 s"
CONSUMED, INJECTED = "consumed", "injected"
DEFAULTS = {
    "nominal_voltage": 230.0, "base_current": 5.0, "maximum_current": 60.0,
    "transformer_current": 5.0, "transformer_maximum": 6.0, "frequency": 50.0,
}
TIMES = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def size(value, units=None):
    """The number of `230 V`, `500 ms`, `0.1`."""
    if isinstance(value, (int, float)):
        return float(value)
    number, unit = re.fullmatch(r"([-+0-9.eE]+)\s*(\S*)", value.strip()).groups()
    if units:
        return float(number) * units[unit]
    return float(number) * {"%": 0.01, "mV": 1e-3, "kV": 1e3, "mA": 1e-3}.get(unit, 1.0)


def head_of(suite):
    """The head of a test plan's file, which may have its former name."""
    return suite.get("test_plan") or suite["suite"]


class Plan:
    """The suite unrolled: points one after another, and what each item of each test is."""

    def __init__(self, suite, claim, period):
        self.suite, self.claim, self.period = suite, claim, period
        head = head_of(suite)
        connections = head.get("connections", ["direct", "transformer"])
        self.connection = claim.get("connection", connections[0])
        prefix = ("base_current", "maximum_current")
        if self.connection == "transformer":
            prefix = ("transformer_current", "transformer_maximum")
        usual = {key: size(head.get(key, value)) for key, value in DEFAULTS.items()}
        nominal, maximum = usual[prefix[0]], usual[prefix[1]]
        self.nominal = size(claim.get("nominal_current", nominal))
        self.maximum = size(claim.get("maximum_current", maximum / nominal * self.nominal))
        self.voltage = size(claim.get("nominal_voltage", usual["nominal_voltage"]))
        self.frequency = size(claim.get("frequency", usual["frequency"]))
        self.celsius = head.get("temperature", 23)
        self.phases = claim.get("phases", 3)
        self.pulses = claim.get("pulse_constant", 100000)
        self.given = 100 * size(claim.get("bench_uncertainty", 0.0))
        self.klass = claim.get("class", head["default_class"])
        self.points, self.wanted = [], []
        self.items = {test["name"]: self.unroll(test) for test in suite["test"]}
        settle = max(1, math.ceil(size(claim.get("settle", "1 s"), TIMES) / period - 1e-9))
        start = 0
        for readings in self.wanted:
            self.points.append((start + settle, start + settle + readings))
            start += settle + readings
        self.length = start

    def amperes(self, text, depth=0):
        for term in text.split("|"):
            factor, symbol = re.fullmatch(r"\s*([0-9.]*)\s*([A-Za-z]+)\s*", term).groups()
            factor = float(factor) if factor else 1.0
            known = {"Iref": self.nominal, "Imax": self.maximum}
            known["Ib" if self.connection == "direct" else "In"] = self.nominal
            if symbol in known:
                return factor * known[symbol]
            for row in self.suite.get("symbol", []):
                classes = row.get("classes") or [self.klass]
                if row["name"] == symbol and self.klass in classes:
                    found = self.amperes(row["value"], depth + 1)
                    if found is not None:
                        return factor * found
        return None

    def skipped(self, test):
        patterns = self.claim.get("tests", ["*"])
        three = test.get("three_phases") or any(p != "all" for p in test.get("loaded", []))
        three = three or "reversed" in test.get("sequence", []) or test.get("phase_voltages")
        return (
            not any(fnmatch.fnmatchcase(test["name"], pattern) for pattern in patterns)
            or "not_played" in test
            or (test.get("connections") and self.connection not in test["connections"])
            or (test.get("classes") and self.klass not in test["classes"])
            or (self.phases == 1 and three)
            or not any(self.klass in row["values"] for row in test["limit"])
            # What the registry does not know; the record would not have it either.
            or test.get("quantity", "").startswith("x.electricity.voltage.dip")
        )

    def lacks_limit(self, test):
        """Whether the class is asked something the suite has no figure for."""
        with_one = {**test, "limit": [{"values": {self.klass: ""}}]}
        return bool(self.skipped(test)) and not self.skipped(with_one)

    def missing(self):
        """Clauses that the class asks for and the suite does not have."""
        def asked(clause):
            return (
                (not clause.get("classes") or self.klass in clause["classes"])
                and (not clause.get("connections") or self.connection in clause["connections"])
                and (self.phases > 1 or not clause.get("three_phases"))
            )
        return [c["name"] for c in head_of(self.suite).get("missing_clauses", []) if asked(c)]

    def lag(self, text):
        words = text.split()
        angle = math.acos
        if words[0] == "sin":
            angle, words = math.asin, words[1:]
        sign = -1 if words[1:] == ["cap"] else 1
        return sign * angle(float(words[0]))

    def put(self, at, readings):
        key = tuple(sorted((k, v) for k, v in at.items() if k not in ("text", "factor")))
        for place, (known, _) in enumerate(self.known):
            if known == key:
                self.wanted[place] = max(self.wanted[place], readings)
                return place
        self.known.append((key, at))
        self.wanted.append(readings)
        return len(self.wanted) - 1

    known = None

    def unroll(self, test):
        if self.known is None:
            self.known = []
        if self.skipped(test):
            return None
        evaluate = test.get("evaluate", "error")
        currents = [(text, self.amperes(text)) for text in test.get("current", [])] or [("", 0.0)]
        factors = test.get("power_factor", ["1"])
        ways = test.get("direction", ["import"])
        items = []
        ratios = test.get("phase_voltages") or [[u] * 3 for u in test.get("voltage", [1])]
        ratios = [tuple(map(size, three)) for three in ratios]
        frequencies = [size(f) for f in test.get("frequency", [1])]
        celsius = test.get("temperature") or [self.celsius]
        sweep = [ratios, frequencies, celsius, test.get("waveform", ["sine"]),
                 test.get("sequence", ["normal"])]
        for (text, amperes), factor, way in itertools.product(currents, factors, ways):
            base = self.at(text, amperes, factor, way)
            if evaluate == "composite":
                points = [base]
            else:
                points = []
                for loaded in test.get("loaded", ["all"]):
                    for u, f, c, wave, sequence in itertools.product(*sweep):
                        points.append({**base, "loaded": loaded, "u": u, "f": f, "c": c,
                                       "wave": wave, "sequence": sequence})
            for at in points:
                items.append(self.item(test, evaluate, at, base, (ratios, frequencies, celsius)))
        return items

    def at(self, text, amperes, factor, way):
        return {"text": text, "factor": factor, "amperes": amperes, "lag": self.lag(factor),
                "way": way, "loaded": "all", "u": (1.0, 1.0, 1.0), "f": 1.0, "c": self.celsius,
                "wave": "sine", "sequence": "normal"}

    def item(self, test, evaluate, at, base, influences):
        readings = self.readings(test, evaluate, at)
        item = {"at": at, "evaluate": evaluate, "limit": self.limit(test, at)}
        if evaluate == "composite":
            item["point"] = self.put(base, readings)
            keys = zip("ufc", influences)
            item["against"] = [[self.put({**base, key: value}, readings) for value in values]
                               for key, values in keys]
            return item
        item["point"] = self.put(at, readings)
        if evaluate in ("variation", "temperature_coefficient"):
            item["against"] = [[self.put(base, readings)]]
        return item

    def apparent(self, at):
        phases = range(self.phases)
        on = [at["loaded"] in ("all", f"l{phase + 1}") for phase in phases]
        return sum(at["u"][p] * self.voltage * at["amperes"] * on[p] for p in phases)

    def readings(self, test, evaluate, at):
        seconds = 0.0
        if evaluate == "no_load":
            constant = test["no_load_constant"][self.klass]
            power = self.phases * self.voltage * self.maximum
            seconds = 60 * constant * 1e6 / (self.pulses * power)
        if evaluate == "starting":
            seconds = test.get("pulses", 0) * 3.6e6 / self.pulses / self.apparent(at)
        least = max(test.get("readings", 0), self.claim.get("readings", 4))
        return int(max(math.ceil(seconds / self.period - 1e-9), least))

    def limit(self, test, at):
        found = []
        for row in test["limit"]:
            if self.klass not in row["values"]:
                continue
            if row.get("power_factor") and at["factor"] not in row["power_factor"]:
                continue
            slack = 1e-9 * at["amperes"]
            if at["text"] and "from" in row and at["amperes"] < self.amperes(row["from"]) - slack:
                continue
            if at["text"] and "below" in row and at["amperes"] >= self.amperes(row["below"]) - slack:
                continue
            found.append((row["values"][self.klass], row["confirmed"]))
        (value, confirmed), = found
        text = str(value)
        units = {"%": 1.0, "mHz": 1e-3, "Hz": 1.0, "V": 1.0, "A": 1.0, "": 1.0}
        number, unit = re.fullmatch(r"([0-9.]+)\s*(\S*)", text).groups()
        return float(number) * units[unit], unit, confirmed


def student(degrees):
    """Student's factor for 95.45 %, by integrating the density and halving intervals."""
    scale = math.gamma((degrees + 1) / 2) / math.gamma(degrees / 2) / math.sqrt(degrees * math.pi)

    def inside(t, steps=4000):
        width = t / steps
        points = ((i + 0.5) * width for i in range(steps))
        return 2 * width * sum(scale * (1 + x * x / degrees) ** (-(degrees + 1) / 2) for x in points)

    low, high = 1.9, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < 0.9545 else (low, middle)
    return low


STUDENT = {}


def scatter(values):
    n = len(values)
    mean = sum(values) / n
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1))
    if n > 60:
        STUDENT[n] = 2.04
    if n not in STUDENT:
        STUDENT[n] = student(n - 1)
    return deviation, STUDENT[n] * deviation / math.sqrt(n)


class Judge:
    """One run folder."""

    def __init__(self, comparison, run, name):
        self.comparison, self.run, self.name = comparison, run, name
        claim = run.scenario["test_plan"]
        suite = tomllib.loads(run.facts["files"][f"suite:{claim['standard']}"])
        device, = (d for d in run.scenario["device"] if d["name"] == claim["device"])
        self.period = size(device.get("report_every", REPORT_EVERY), TIMES)
        self.plan = Plan(suite, claim, self.period)
        self.device = claim["device"]
        self.readings = self.read()

    def read(self):
        """By number of the reading from 1: quantity to (reference, reported)."""
        readings, order = {}, {}
        for device, _, serial, quantity, _, time, reference, reported in self.run.observations():
            if device != self.device or not reference or not serial:
                continue
            number = order.setdefault(time, len(order) + 1)
            pair = (float(reference), float(reported) if reported else None)
            readings.setdefault(number, {})[quantity] = pair
        return readings

    def energy(self, number, kind, direction):
        row = self.readings[number]
        total = f"electricity.energy.{kind}.{direction}.total"
        names = [total] if total in row else [
            name for name in row if name.startswith(f"electricity.energy.{kind}.{direction}.l")]
        return [sum(row[name][side] for name in names) for side in (0, 1)]

    def steps(self, point, kind, directions=(CONSUMED, INJECTED)):
        """What was registered from reading to reading: (true, reported)."""
        first, last = self.plan.points[point]
        before, steps = None, []
        for number in range(first, last + 1):
            net = [0.0, 0.0]
            for direction in directions:
                sign = -1 if direction == INJECTED and len(directions) > 1 else 1
                both = self.energy(number, kind, direction)
                net = [a + sign * b for a, b in zip(net, both)]
            if before is not None:
                steps.append((net[0] - before[0], net[1] - before[1]))
            before = net
        return steps

    def flow(self, point, kind):
        """The steps of the register of the direction in which energy truly flowed."""
        ways = [self.steps(point, kind, (way,)) for way in (CONSUMED, INJECTED)]
        return max(ways, key=lambda steps: sum(true for true, _ in steps))

    def error(self, test, item, point):
        """Error, expanded uncertainty and scatter of the readings at a point."""
        quantity = test.get("quantity", "active_energy")
        if quantity.endswith("_energy"):
            steps = self.flow(point, quantity.removesuffix("_energy"))
            true, reported = (sum(step[side] for step in steps) for side in (0, 1))
            mean = abs(true) / len(steps)
            error = 100 * (reported - true) / abs(true)
            # Of a ratio of sums: what is left once the common error is taken away.
            deviation, spread = scatter([(100 * (r - t) - error * abs(t)) / mean for t, r in steps])
            return error, math.hypot(spread, self.plan.given), deviation
        worst = (0.0, 0.0, 0.0)
        first, last = self.plan.points[point]
        rows = [self.readings[number] for number in range(first + 1, last + 1)]
        for name in rows[0]:
            if not fnmatch.fnmatchcase(name, quantity):
                continue
            pairs = [row[name] for row in rows]
            if "expected" in test:
                pairs = [(test["expected"] if math.isnan(t) else t, r) for t, r in pairs]
            true = sum(pair[0] for pair in pairs) / len(pairs)
            relative = test.get("relative_to", "reading")
            scale = 1.0
            if item["limit"][1] == "%":
                nominal = self.plan.voltage if ".voltage." in name else self.plan.nominal
                if relative == "reading" and true == 0:
                    continue
                scale = {"reading": 100 / abs(true) if true else 0, "nominal": 100 / nominal,
                         "absolute": 100.0}[relative]
            errors = [scale * (r - t) for t, r in pairs]
            deviation, spread = scatter(errors)
            found = (sum(errors) / len(errors), spread, deviation)
            if abs(found[0]) + found[1] > abs(worst[0]) + worst[1]:
                worst = found
        return worst

    def reported(self, test):
        """Whether the device's readings have anything of what a test is about."""
        quantity = test.get("quantity", "active_energy")
        if quantity.endswith("_energy"):
            quantity = f"electricity.energy.{quantity.removesuffix('_energy')}.*"
        return any(fnmatch.fnmatchcase(name, quantity) for name in self.readings[1])

    def figure(self, test, item):
        evaluate, point = item["evaluate"], item["point"]
        kind = test.get("quantity", "active_energy").removesuffix("_energy")
        if evaluate == "no_load":
            joules = sum(abs(reported) for direction in (CONSUMED, INJECTED)
                         for _, reported in self.steps(point, kind, (direction,)))
            return self.plan.pulses / 3.6e6 * joules, 0.0
        if evaluate == "starting":
            error, uncertainty, _ = self.error(test, item, point)
            steps = self.flow(point, kind)
            halves = steps[: len(steps) // 2], steps[len(steps) // 2:]
            off = [100 * (1 - sum(r for _, r in h) / sum(t for t, _ in h)) for h in halves]
            return max(off, key=abs), 2 * uncertainty
        error, uncertainty, deviation = self.error(test, item, point)
        if evaluate == "repeatability":
            n = self.plan.wanted[point]
            return deviation, 2 * deviation / math.sqrt(2 * (n - 1))
        if evaluate == "composite":
            square, spread = error * error, uncertainty**2
            for influence in item["against"]:
                others = [self.error(test, item, other) for other in influence]
                worst = max(others, key=lambda other: abs(other[0] - error))
                square += (worst[0] - error) ** 2
                spread += worst[1] ** 2 + uncertainty**2
            return math.sqrt(square), math.sqrt(spread)
        if evaluate in ("variation", "temperature_coefficient"):
            reference = self.error(test, item, item["against"][0][0])
            kelvin = 1.0
            if evaluate == "temperature_coefficient":
                kelvin = item["at"]["c"] - self.plan.celsius
            spread = math.hypot(uncertainty, reference[1]) / abs(kelvin)
            return (error - reference[0]) / kelvin, spread
        return error, uncertainty

    def all(self):
        same = self.comparison.same
        length = max(self.readings, default=0)
        same(f"{self.name} readings of the plan", length, self.plan.length)
        for check in self.run.scenario["check"]:
            if check["kind"] == "test_plan":
                verdict, = (v for v in self.run.verdicts if v["check"] == check["name"])
                if "class" not in check or check["class"] == self.plan.klass:
                    self.check(check, verdict)

    def check(self, check, verdict):
        name = f"{self.name} {check['name']}"
        statuses, close, shares, unconfirmed = set(), set(), [], set()
        for test in self.plan.suite["test"]:
            wanted = any(fnmatch.fnmatchcase(test["name"], p) for p in check.get("tests", ["*"]))
            items = self.plan.items[test["name"]]
            if wanted and self.plan.lacks_limit(test):
                statuses.add("inconclusive")
            if items and not self.reported(test):
                items = None
            if not wanted or items is None:
                continue
            for item in items:
                value, spread = self.figure(test, item)
                limit, _, confirmed = item["limit"]
                value = abs(value)
                status = "inconclusive"
                if value <= limit - spread:
                    status = "pass"
                elif value > limit + spread:
                    status = "fail"
                slack = 0.02 * spread + 1e-6 * limit
                if abs(abs(value - limit) - spread) < slack:
                    close.add(status)
                statuses.add(status)
                unconfirmed |= {status} if not confirmed else set()
                shares.append((("pass", "inconclusive", "fail").index(status),
                               (value + spread) / limit, value, limit))
        if not shares:
            expected = "inconclusive" if statuses else "skipped"
            self.comparison.same(f"{name} status", verdict["status"], expected)
            return
        worst = max(("pass", "inconclusive", "fail").index(s) for s in statuses)
        status = ("pass", "inconclusive", "fail")[worst]
        if not close:
            self.comparison.same(f"{name} status", verdict["status"], status)
        self.comparison.same(f"{name} n", verdict["n"], len(shares))
        found = verdict["measured"]
        # Which of several is worst may turn on the last digits of an uncertainty.
        near = [v for _, share, v, _ in shares if share >= 0.97 * max(s[1] for s in shares
                if s[0] == worst)]
        good = any(math.isclose(found, v, rel_tol=1e-6, abs_tol=1e-9) for v in near)
        self.comparison.true(f"{name} measured", good, f"{found!r} among {near[:4]!r}")
        if status == "pass":
            told = verdict.get("qualification")
            tests = self.plan.suite["test"]
            skipped = [t["name"] for t in tests
                       if self.plan.items[t["name"]] is None or not self.reported(t)]
            missing = self.plan.missing() + skipped
            worth = ["limit unconfirmed"] * ("pass" in unconfirmed)
            worth += ["clauses missing"] * bool(missing)
            expected = ", ".join(worth) or None
            self.comparison.same(f"{name} qualification", told, expected)
            # Each of them is named.
            _, _, named = verdict["why"].partition("in the tests that this plan has, not in ")
            unnamed = [one for one in missing if one not in named]
            self.comparison.same(f"{name} missing and not named", unnamed, [])


def main():
    comparison = Comparison()
    root = os.environ.get("RUNS", "target/test-runs")
    for folder in sys.argv[1:] or suite_run_folders(root):
        run = Run(folder)
        if "test_plan" not in run.scenario or run.facts["state"] != "finished":
            continue
        # Suites with published values are table_one.py's.
        if any(check["kind"] == "test_plan" for check in run.scenario["check"]):
            Judge(comparison, run, os.path.basename(os.path.normpath(folder))).all()
    comparison.end()


if __name__ == "__main__":
    main()
