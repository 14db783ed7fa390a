"""Computes the coefficients of every run with a `[calibration]` again, and judges its sweeps.

From `observations.csv`: what meter and reference meter reported, cut into operating points by an own
reading of docs/calibration.md; gains, phase and offsets by the formulas there, straight lines with
numpy. Coefficients have to agree to 1e-4 of their registers' steps, words exactly, figures of the
checks to 1e-9 %. Shares nothing with the program.
"""

import collections
import datetime
import math
import os
import re
import sys

import numpy

from peer.bench import Comparison
from peer.record import Run, suite_run_folders

TIMES = {"ms": 1e-3, "s": 1.0, "min": 60.0}
UNITS = {"%": 0.01, "ppm": 1e-6, "mV": 1e-3, "kV": 1e3, "mA": 1e-3, "mHz": 1e-3}
SINE = {
    "voltage": [("electricity.voltage.rms.l1", 1)],
    "current": [("electricity.current.rms.l1", 1)],
    "active_power": [
        ("electricity.power.active.consumed.l1", 1), ("electricity.power.active.injected.l1", -1),
    ],
    "reactive_power": [
        ("electricity.power.reactive.consumed.l1", 1),
        ("electricity.power.reactive.injected.l1", -1),
    ],
    "apparent_power": [("electricity.power.apparent.l1", 1)],
}
PHASE = "electricity.power.active.consumed.l1"
DIRECT = {
    "voltage": [("x.electricity.voltage.mean.l1", 1)],
    "current": [("x.electricity.current.mean.l1", 1)],
}
# Data sheets: what a step of each register is worth, bits, and whether it has a sign bit.
GAIN = (2.0**-22, 24, False, 2**22)
SHEETS = {
    "ade7953-1ph": {
        "AVGAIN": GAIN, "AIGAIN": GAIN, "AWGAIN": GAIN, "AVARGAIN": GAIN, "AVAGAIN": GAIN,
        "PHCALA": (0.02, 16, True, 0),
        "AIRMSOS": (4096.0 / 9032007.0**2, 24, False, 0),
        "AWATTOS": (1.0 / 4862401.0, 24, False, 0),
    },
    "cvct-stm32f107": {
        "UGAIN1": GAIN, "IGAIN1": GAIN,
        "UOFFSET1": (2.0**-23, 24, False, 0), "IOFFSET1": (2.0**-23, 24, False, 0),
    },
}


def size(value, units=UNITS):
    """The number of `230 V`, `0.1 %`, `1`."""
    if isinstance(value, (int, float)):
        return float(value)
    number, unit = re.fullmatch(r"([-+0-9.eE]+)\s*(\S*)", value.strip()).groups()
    return float(number) * units.get(unit, 1.0)


def seconds(value):
    return size(value, TIMES)


def word(value, bits, has_sign_bit):
    """A value as a data sheet writes it."""
    if value < 0:
        value = (1 << (bits - 1)) | -value if has_sign_bit else value + (1 << bits)
    return f"0x{value:0{-(-bits // 4)}X}"


class Calibration:
    """One run: its points, and what was reported at each."""

    def __init__(self, run):
        self.run, self.table = run, run.scenario["calibration"]
        devices = {device["name"]: device for device in run.scenario["device"]}
        self.device, self.reference = self.table["device"], self.table["reference"]
        self.meter = devices[self.device]
        self.stated = devices[self.reference].get("stated_uncertainty")
        self.period = seconds(self.meter["report_every"])
        self.is_static = self.table["procedure"] == "static"
        self.points = self.unroll()
        self.start = datetime.datetime.fromisoformat(run.scenario["scenario"]["start"]) \
            if isinstance(run.scenario["scenario"]["start"], str) else run.scenario["scenario"]["start"]
        self.values = self.read()

    def unroll(self):
        """Stage, conditions, beginning of measuring, end."""
        if self.is_static:
            sweep = [("level", size(level)) for level in self.table["levels"]]
        else:
            sweep = [
                (size(current), math.acos(size(factor)))
                for factor in self.table["power_factors"] for current in self.table["currents"]
            ]
        stages = [("before", at) for at in sweep]
        if not self.is_static:
            current = size(self.table["current"])
            stages += [
                ("rms-gains", (current, 0.0)), ("active-gain", (current, 0.0)),
                ("phase", (current, math.pi / 3)), ("other-gains", (current, math.pi / 3)),
                ("offsets", (size(self.table["low_current"]), 0.0)),
            ]
        stages += [("after", at) for at in sweep]
        settle = max(2, math.ceil(round(seconds(self.table["settle"]) / self.period, 9)))
        points, at = [], 0.0
        for stage, conditions in stages:
            measure = at + settle * self.period
            end = measure + self.table["readings"] * self.period
            points.append((stage, conditions, measure, end))
            at = end
        return points

    def read(self):
        """By point, device (or `truth`) and quantity the values of its readings."""
        subjects = DIRECT if self.is_static else SINE
        signs = {name: (subject, sign) for subject, of in subjects.items() for name, sign in of}
        readings = collections.defaultdict(lambda: collections.defaultdict(float))
        has_phase = {device for device, _, _, name, *_ in self.run.observations() if name == PHASE}
        for device, _, _, name, _, time, reference, reported in self.run.observations():
            if device not in has_phase and name.endswith(".total"):
                # Of one phase the total is the same.
                name = name.removesuffix("total") + "l1"
            if name not in signs or not reported or not reference:
                continue
            due = (datetime.datetime.fromisoformat(time) - self.start).total_seconds()
            subject, sign = signs[name]
            readings[device, round(due, 6)][subject] += sign * float(reported)
            if device == self.device:
                readings["truth", round(due, 6)][subject] += sign * float(reference)
        values = [collections.defaultdict(list) for _ in self.points]
        for (device, due), of in sorted(readings.items()):
            for place, (_, _, measure, end) in enumerate(self.points):
                # Its span begins where the reading before ended.
                if due - self.period >= measure - 1e-6 and due <= end + 1e-6:
                    for subject, value in of.items():
                        values[place][device, subject].append(value)
        return values

    def of_stage(self, stage):
        return [place for place, point in enumerate(self.points) if point[0] == stage]

    def mean(self, stage, device, subject):
        values = [v for place in self.of_stage(stage) for v in self.values[place][device, subject]]
        return math.fsum(values) / len(values)

    def coefficients(self):
        """What is wanted of each register, and the word, step after step."""
        sheet = SHEETS[self.meter["model"]]
        holds = {register: step * reset for register, (step, _, _, reset) in sheet.items()}
        found = []

        def write(register, wanted):
            step, bits, has_sign_bit, _ = sheet[register]
            value = math.floor(abs(wanted) / step + 0.5) * (1 if wanted >= 0 else -1)
            found.append((register, wanted, word(value, bits, has_sign_bit)))
            holds[register] = value * step

        full = {
            kind: size(self.meter[f"nominal_{kind}"]) * size(self.meter[f"{kind}_headroom"])
            * size(self.meter[f"{kind}_ratio"]) for kind in ("voltage", "current")
        }
        if self.is_static:
            for subject, letter in (("voltage", "U"), ("current", "I")):
                pairs = [
                    pair for place in self.of_stage("before")
                    for pair in zip(
                        self.values[place][self.device, subject],
                        self.values[place][self.reference, subject], strict=True,
                    )
                ]
                x, y = numpy.array(pairs).T
                matrix = numpy.column_stack([x, numpy.ones_like(x)])
                (gain, offset), *_ = numpy.linalg.lstsq(matrix, y, rcond=None)
                write(f"{letter}GAIN1", gain * holds[f"{letter}GAIN1"])
                peak = math.sqrt(2.0) * full[subject]
                write(f"{letter}OFFSET1", gain * holds[f"{letter}OFFSET1"] + offset / peak)
            return found
        for register, stage, subject in (
            ("AVGAIN", "rms-gains", "voltage"), ("AIGAIN", "rms-gains", "current"),
            ("AWGAIN", "active-gain", "active_power"), ("PHCALA", "phase", None),
            ("AVARGAIN", "other-gains", "reactive_power"),
            ("AVAGAIN", "other-gains", "apparent_power"),
            ("AIRMSOS", "offsets", "current"), ("AWATTOS", "offsets", "active_power"),
        ):
            if register == "PHCALA":
                p = self.mean(stage, self.reference, "active_power")
                q = self.mean(stage, self.reference, "reactive_power")
                seen = math.acos(self.mean(stage, self.device, "active_power") / math.hypot(p, q))
                delay = math.degrees(math.atan2(q, p) - seen)
                write(register, holds[register] + delay * 50.0 / size(self.table["frequency"]))
                continue
            reported = self.mean(stage, self.device, subject)
            reference = self.mean(stage, self.reference, subject)
            if register == "AIRMSOS":
                more = (reference**2 - reported**2) / full["current"] ** 2
                write(register, holds[register] + more)
            elif register == "AWATTOS":
                more = (reference - reported) / (full["voltage"] * full["current"])
                write(register, holds[register] + more)
            else:
                write(register, holds[register] * reference / reported)
        return found

    def figures(self, check, stage):
        """The figures a check looks at, in percent."""
        whole = collections.defaultdict(list)
        other = self.reference if check.get("against") == "reference" else "truth"
        start = size(check.get("from", 0.0))
        found = []
        for place in self.of_stage(stage):
            conditions = self.points[place][1]
            if not self.is_static and conditions[0] < start:
                continue
            for subject in check["quantities"]:
                lag = 0.0 if self.is_static else conditions[1]
                share = {"active_power": math.cos(lag), "reactive_power": math.sin(lag)}
                if share.get(subject, 1.0) < 0.1:
                    continue
                reported = numpy.array(self.values[place][self.device, subject])
                reference = numpy.array(self.values[place][other, subject])
                base = size(self.table[subject]) if self.is_static else abs(reference.mean())
                errors = 100.0 * (reported - reference) / base
                whole[subject if check.get("over") == "sweep" else (subject, place)].extend(errors)
        for errors in whole.values():
            errors = numpy.array(errors)
            is_deviation = check.get("figure") == "deviation"
            found.append(errors.std(ddof=1) if is_deviation else abs(errors.mean()))
        return found


def main():
    comparison = Comparison()
    root = os.environ.get("RUNS", "target/test-runs")
    for folder in sys.argv[1:] or suite_run_folders(root):
        run = Run(folder)
        if "calibration" not in run.scenario or run.facts["state"] != "finished":
            continue
        name = os.path.basename(os.path.normpath(folder))
        calibration = Calibration(run)
        told = [event for event in run.events() if event["kind"] == "calibration"]
        is_ignored = any(event.get("what") == "command_ignored" for event in run.events())
        is_obeyed = not is_ignored and all(event["response"].startswith(event["register"]) for event in told)
        if is_obeyed:
            expected = calibration.coefficients()
            comparison.true(
                f"{name}: registers", [event["register"] for event in told]
                == [register for register, _, _ in expected], "in the order of the procedure",
            )
            for event, (register, wanted, bits) in zip(told, expected):
                what = f"{name}: {register}"
                # Sums of a thousand values may differ in their last digits.
                limit = 1e-4 * SHEETS[calibration.meter["model"]][register][0]
                comparison.close(f"{what} wanted", event["wanted"], wanted, limit)
                comparison.true(f"{what} word", event["word"] == bits, f"{event['word']} {bits}")
        judged = {verdict["check"]: verdict for verdict in run.verdicts}
        for check in run.scenario["check"]:
            if check["kind"] != "calibration":
                continue
            worst = max(calibration.figures(check, "after"))
            what = f"{name}: {check['name']}"
            comparison.close(what, judged[check["name"]]["measured"], worst, 1e-9, "%")
    comparison.end()


if __name__ == "__main__":
    main()
