"""Computes what each appliance of the catalogue takes over a day again, and compares with the plant.

From `appliances.toml` and the description of homes: the random streams by an own ChaCha8 and hashlib,
the durations drawn from them, the integral of voltage times current, the sun after Haurwitz and Cooper.
The program runs a home with all appliances and records the truth of each socket's registers; energies
and mean powers have to agree to 1e-9, and those of the home with the sum of its sockets to 1e-12.
"""

import collections
import csv
import datetime
import hashlib
import math
import os
import tempfile
import tomllib

from peer.bench import Comparison, run

DATA = os.path.join(os.path.dirname(__file__), "../../sim/src/home/appliances.toml")
UNITS = {
    "W": 1.0, "kW": 1e3, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "%": 0.01, "deg": math.pi / 180,
}
RATED_V, VOLTS, SEED = 230.0, 231.5, 38
START = datetime.datetime(2027, 6, 21, tzinfo=datetime.timezone.utc)
DAY_S, EVERY_S = 86400, 7200
HZ = 50
STAIR = (0.5, 1.0, 2.0, 3.0, 5.0)  # where the steps of an inrush end, in its time constants
# When those are switched on that do not always run, and how often, in seconds.
SWITCHED = {
    "espresso-machine": (25200, 7200, None), "heater": (21600, 10000, None), "kettle": (26000, 120, 21600),
    "oven": (64800, 3600, None), "washing-machine": (32400, 10800, None), "dishwasher": (72000, 10800, None),
    "dryer": (45000, 5400, None), "led-lamp": (61200, 18000, None), "television": (66600, 12000, None),
    "laptop-supply": (30600, 30600, None),
}
REGISTERS = ["active.consumed", "active.injected", "reactive.consumed", "reactive.injected"]


def size(value):
    """The number of `12 min`, `10 %`, `0.5`."""
    if isinstance(value, (int, float)):
        return float(value)
    number, unit = value.split()
    return float(number) * UNITS[unit]


class ChaCha8:
    """64-bit words of a stream, lower half first."""

    def __init__(self, seed, name):
        prefix = b"lastmeter stream 1\0" + seed.to_bytes(8, "little") + name.encode()
        key = hashlib.sha256(prefix).digest()
        self.key = [int.from_bytes(key[4 * k : 4 * k + 4], "little") for k in range(8)]
        self.block, self.words = 0, []

    def _quarter(self, x, a, b, c, d):
        for first, second, third, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[first] = (x[first] + x[second]) & 0xFFFFFFFF
            mixed = x[third] ^ x[first]
            x[third] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF

    def _next(self):
        if not self.words:
            counter = [self.block & 0xFFFFFFFF, self.block >> 32, 0, 0]
            begin = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *self.key, *counter]
            x = list(begin)
            for _ in range(4):
                for column in range(4):
                    self._quarter(x, column, column + 4, column + 8, column + 12)
                for row in range(4):
                    places = (row, 4 + (row + 1) % 4, 8 + (row + 2) % 4, 12 + (row + 3) % 4)
                    self._quarter(x, *places)
            self.words = [(a + b) & 0xFFFFFFFF for a, b in zip(x, begin)]
            self.block += 1
        return self.words.pop(0)

    def share(self):
        low = self._next()
        return ((low | self._next() << 32) >> 11) / 2.0**53


def parts_of(appliance, on, draws):
    """State, beginning and end of all that an appliance goes through, in nanoseconds."""
    for from_ns, until_ns in on:
        at, parts = from_ns, list(appliance.get("start", []))
        cycle = appliance.get("cycle", [])
        if from_ns is None:
            at, parts = -round(draws.share() * sum(size(part["for"]) for part in cycle) * 1e9), []
        while at < until_ns and (parts or cycle):
            parts = parts or list(cycle)
            part = parts.pop(0)
            varied = 1.0 + size(part.get("spread", 0)) * (2.0 * draws.share() - 1.0)
            end = at + round(size(part["for"]) * varied * 1e9)
            yield part["state"], at, min(end, until_ns)
            at = end


def steps_of(state, begin, end):
    """Powers at the rated voltage with their spans: an inrush is a stair with its exponential's means."""
    power, at = size(state["power"]), begin
    if "inrush" in state:
        factor, tau_ns = size(state["inrush"]["factor"]), size(state["inrush"]["falls_in"]) * 1e9
        for low, high in zip((0.0, *STAIR[:-1]), STAIR):
            mean = (math.exp(-low) - math.exp(-high)) / (high - low)
            to = begin + round(high * tau_ns)
            yield power * (1.0 + (factor - 1.0) * mean), at, min(to, end)
            at = to
    yield power, at, end


def irradiance(at, sun):
    """Global on the horizontal under a clear sky, W/m2."""
    day = at.timetuple().tm_yday
    seconds = (at - at.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    declination = math.radians(23.45) * math.sin(2 * math.pi * (284 + day) / 365)
    hour = 2 * math.pi * (seconds / DAY_S - 0.5) + size(sun["longitude"])
    latitude = size(sun["latitude"])
    high = math.sin(latitude) * math.sin(declination)
    high += math.cos(latitude) * math.cos(declination) * math.cos(hour)
    return 1098 * high * math.exp(-0.057 / high) if high > 0 else 0.0


def levels(appliance, name):
    """Each steady current: its state, power at the rated voltage, beginning and end in nanoseconds."""
    states = {state["name"]: state for state in appliance["state"]}
    if "sun" in appliance:
        sun, state = appliance["sun"], appliance["state"][0]
        step = size(sun["step"])
        for number in range(round(DAY_S / step)):
            middle = START + datetime.timedelta(seconds=(number + 0.5) * step)
            power = size(sun["peak"]) * size(sun["performance"]) * irradiance(middle, sun) / 1000
            yield state, -power, round(number * step * 1e9), round((number + 1) * step * 1e9)
        return
    at, length, again = SWITCHED.get(name, (None, None, None))
    on = [(None, DAY_S * 10**9)]
    if at is not None:
        begins = range(at, DAY_S, again or DAY_S)
        on = [(begin * 10**9, min(begin + length, DAY_S) * 10**9) for begin in begins]
    merged = []
    for state, begin, end in parts_of(appliance, on, ChaCha8(SEED, f"home/flat/{name}")):
        if merged and merged[-1][0] == state and merged[-1][2] == begin:
            merged[-1][2] = end  # it goes on, with its inrush behind it
        else:
            merged.append([state, begin, end])
    for state, begin, end in merged:
        for power, low, high in steps_of(states[state], begin, end):
            yield states[state], power, max(low, 0), high


def registers(appliance, name):
    """The four registers after each interval. Active energy is the integral of u times i, parts of cycles included."""
    follows = (VOLTS / RATED_V) ** appliance["voltage_exponent"]
    held = collections.defaultdict(lambda: [0.0] * 4)
    for state, rated, begin, end in levels(appliance, name):
        power, factor = rated * follows, size(state.get("power_factor", 1))
        lag = math.acos(factor) * (-1.0 if state.get("reactive") == "capacitive" else 1.0)
        omega, apparent = 2 * math.pi * HZ, power / factor

        def swing(ns, lag=lag, omega=omega, apparent=apparent, state=state):
            """What the products of voltage and current come to beyond their means."""
            theta = 2 * math.pi * ((ns * HZ % 10**9) / 1e9) + math.pi / 2
            total = -apparent / (2 * omega) * math.sin(2 * theta - lag)
            for harmonic in state.get("harmonics", []):
                order, own = harmonic["order"], apparent * size(harmonic["share"])
                angle = size(harmonic["angle"]) - order * lag
                total += own * math.sin((order - 1) * theta + angle) / ((order - 1) * omega)
                total -= own * math.sin((order + 1) * theta + angle) / ((order + 1) * omega)
            return total

        at, every = begin, EVERY_S * 10**9
        while at < end:
            number = at // every
            to = min(end, (number + 1) * every)
            active = power * (to - at) / 1e9 + swing(to) - swing(at)
            reactive = power * math.tan(lag) * (to - at) / 1e9
            held[number][0 if power > 0 else 1] += abs(active) if active * power > 0 else -abs(active)
            held[number][2 if reactive > 0 else 3] += abs(reactive)
            at = to
    sums, total = [], [0.0] * 4
    for number in range(DAY_S // EVERY_S):
        total = [a + b for a, b in zip(total, held[number])]
        sums.append(list(total))
    return sums


def scenario(names):
    """A home with all appliances, and the truth of each socket's registers."""
    sockets = []
    for name in names:
        at, length, again = SWITCHED.get(name, (None, None, None))
        every = f', every = "{again} s"' if again else ""
        on = f', on = [{{ at = "{at} s", for = "{length} s"{every} }}]' if at is not None else ""
        sockets.append(f'    {{ name = "{name}", load = "{name}"{on} }},')
    text = ["format = 1", "[scenario]", 'name = "appliances"', 'title = "All appliances"', 'time = "virtual"']
    text += [f"start = {START.isoformat().replace('+00:00', 'Z')}", 'duration = "24 h"', f"seed = {SEED}"]
    text += ["[[source]]", 'name = "mains"', 'kind = "synthetic"', "phases = 1", f'voltage = "{VOLTS} V"']
    text += ['current = "0 A"', "[[home]]", 'name = "flat"', 'at = "source:mains"', "sockets = [", *sockets, "]"]
    text += ["[[device]]", 'name = "meter"', 'at = "home:flat"', 'model = "ideal-1ph"', 'fidelity = "windows"']
    text += ['report_every = "15 min"', "[[check]]", 'name = "once"', 'kind = "no_loss"']
    places = [(name, f"home:flat/{name}") for name in names] + [("home", "home:flat"), ("supply", "source:mains")]
    for name, place in places:
        for register in REGISTERS:
            quantity = f"electricity.energy.{register}.total"
            text += ["[[signal]]", f'name = "{name}.{register}"', f'at = "{place}"', f'quantity = "{quantity}"']
            text += [f'every = "{EVERY_S} s"']
    return "\n".join(text) + "\n"


def main():
    with open(DATA, "rb") as file:
        catalogue = {table["name"]: table for table in tomllib.load(file)["appliance"]}
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "appliances.toml"), os.path.join(folder, "run")
        with open(path, "w", encoding="utf-8") as file:
            file.write(scenario(catalogue))
        run("run", path, "--out", out)
        found = collections.defaultdict(list)
        with open(os.path.join(out, "signals.csv"), newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found[row["signal"]].append(float(row["value"]))
    comparison = Comparison()
    sums, sizes = collections.Counter(), collections.Counter()
    for name, appliance in catalogue.items():
        expected = registers(appliance, name)
        for register, what in enumerate(REGISTERS):
            values = found[f"{name}.{what}"]
            sign = -1.0 if what.endswith("injected") else 1.0
            for number, value in enumerate(values):
                key = (what.split(".")[0], number)
                sums[key] += sign * value
                sizes[key] += abs(value)
                wanted = expected[number][register]
                comparison.close(f"{name} {what} {number}", value, wanted, 1e-9 * max(wanted, 1e4), "J")
        mean = (expected[-1][0] - expected[-1][1]) / DAY_S
        own = (found[f"{name}.active.consumed"][-1] - found[f"{name}.active.injected"][-1]) / DAY_S
        comparison.close(f"{name} mean power", own, mean, 1e-9 * abs(mean), "W")
        print(f"{name}: {own:.3f} W in the mean, {own * DAY_S / 3.6e6:.4f} kWh a day")
    for place in ("home", "supply"):
        for (kind, number), total in sums.items():
            net = found[f"{place}.{kind}.consumed"][number] - found[f"{place}.{kind}.injected"][number]
            comparison.close(f"{place} {kind} {number}", net, total, 1e-12 * sizes[kind, number], "J")
    comparison.end()


if __name__ == "__main__":
    main()
