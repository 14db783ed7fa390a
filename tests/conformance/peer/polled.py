"""References of heat meters that a gateway polls, recomputed among themselves.

The states of a circuit change at whole multiples of its `step`, and where it rests. Between two readings
of one meter with one such change the energy grows by what the state of each gives off until and from then:
the heat of IF97 region 1 of what flows. A register may be as old as the meter's last measurement, and its
window may end half a second earlier; the spread is what flows in that time. Shares nothing with the program.
"""

import collections
import fnmatch
import re

from peer import water

WINDOW_LAG_S = 0.5


def seconds_of(text):
    """The seconds of `5 min`, `2 h 13 min`."""
    units = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)\s*([a-z]+)", str(text)))


class PolledHeat:
    def __init__(self, run, amount):
        sources = {source["name"]: source for source in run.scenario.get("source", [])}
        self.meters, self.amount = {}, amount
        for device in run.scenario.get("device", []):
            place = device["at"].removeprefix("source:")
            for name, source in sources.items():
                if device.get("on") and source["kind"] == "heat-circuit" and fnmatch.fnmatchcase(name, place):
                    # A pattern of sources makes a device for each, named by both.
                    own = device["name"] if name == place else f"{device['name']}-{name}"
                    self.meters[own] = (source, seconds_of(device["measure_every"]))
        self.readings = collections.defaultdict(dict)

    def meter(self, device):
        """The table of a device, which `count` numbers."""
        return self.meters.get(device) or self.meters.get(device.rpartition("-")[0])

    def row(self, fields, reference, span):
        if span is not None and self.meters and self.meter(fields[0]) and fields[3].startswith("heating."):
            reading = self.readings[fields[0], span[1]]
            reading[fields[3].removeprefix("heating.")] = reference
            reading["spread of " + fields[3].removeprefix("heating.")] = span[2]

    def power(self, source, found):
        flow, back = found["temp.primary.inlet"], found["temp.primary.outlet"]
        sensor = flow if source["flow_sensor"] == "flow" else back
        return water.heat(found["flowrate"], flow, back, sensor, self.amount(source["pressure"])[0] / 1e6)

    def compare(self, comparison, name):
        if not self.readings:
            return
        before, compared = {}, 0
        for (device, end), found in sorted(self.readings.items()):
            source, every = self.meter(device)
            step = seconds_of(source["step"])
            rests = [(seconds_of(off["at"]), seconds_of(off["for"])) for off in source.get("off", [])]
            edges = [edge for at, length in rests for edge in (at, at + length)]
            last = before.get(device)
            before[device] = (end, found)
            power = self.power(source, found)
            oldest = every + WINDOW_LAG_S
            is_quiet = (end % step) > oldest + 1 and not any(end - oldest - 1 < edge < end for edge in edges)
            if is_quiet:
                compared += 1
                spread = found["spread of energy"]
                if abs(spread - power * oldest) > 1e-6 * power * oldest + 1e-9:
                    comparison.true(f"{name}: spread of the energy of {device} at {end} s", False,
                                    f"{spread}, recomputed {power * oldest}")
            if last is None or any(last[0] < edge < end for edge in edges):
                continue
            changes = [number * step for number in range(int(last[0] // step) + 1, int(end // step) + 1)]
            if len(changes) != 1:
                continue
            grown = self.power(source, last[1]) * (changes[0] - last[0]) + power * (end - changes[0])
            found_grown = found["energy"] - last[1]["energy"]
            compared += 1
            if abs(found_grown - grown) > 1e-6 * abs(grown) + 1.0:
                comparison.true(f"{name}: energy of {device} until {end} s", False,
                                f"grew by {found_grown} J, recomputed {grown} J")
        comparison.true(f"{name}: polled heat was recomputed", compared > 0, f"{compared} of {len(self.readings)}")
