"""A network that is written by hand, solved by `lastmeter grid` and, as it writes it down for
power-grid-model, by that.

Our own TOML has a transformer with taps, lines by symmetrical components and by a matrix, loads of
single phases and of all three models, a generator, capacitors and switches; every element whose
file says something is in it, so what is written has to mean the same.
"""

import json
import os
import tempfile

from power_grid_model import PowerGridModel
from power_grid_model.utils import json_deserialize

from peer.bench import Comparison, call, run

NETWORK = """
format = 1
name = "Written by hand"
voltage = "400 V"

[[code]]
name = "NAYY 4x150"
r1 = "0.206 ohm/km"
x1 = "0.080 ohm/km"
r0 = "0.825 ohm/km"
x0 = "0.320 ohm/km"
c1 = "0.8 uF/km"
c0 = "300 nF/km"
rated_current = "275 A"

[[code]]
name = "overhead"
r_matrix = [["0.50 ohm/km", "0.10 ohm/km", "0.11 ohm/km"],
            ["0.10 ohm/km", "0.52 ohm/km", "0.12 ohm/km"],
            ["0.11 ohm/km", "0.12 ohm/km", "0.51 ohm/km"]]
x_matrix = [["0.70 ohm/km", "0.40 ohm/km", "0.35 ohm/km"],
            ["0.40 ohm/km", "0.71 ohm/km", "0.38 ohm/km"],
            ["0.35 ohm/km", "0.38 ohm/km", "0.69 ohm/km"]]
c_matrix = [["12 nF/km", "-2 nF/km", "-1 nF/km"],
            ["-2 nF/km", "13 nF/km", "-3 nF/km"],
            ["-1 nF/km", "-3 nF/km", "11 nF/km"]]

[[node]]
name = "grid"
voltage = "10 kV"
[[node]]
name = "busbar"
[[node]]
name = "pole"
[[node]]
name = "home"
[[node]]
name = "shed"

[[source]]
node = "grid"
voltage = "10.2 kV"
angle = "10 deg"
short_circuit_power = "250 MVA"
r_to_x = 0.2
z0_to_z1 = 1.5

[[transformer]]
name = "T1"
from = "grid"
to = "busbar"
group = "Dyn5"
voltages = ["10 kV", "400 V"]
power = "400 kVA"
uk = "4 %"
copper_loss = "4.6 kW"
no_load_loss = "610 W"
no_load_current = "0.4 %"
tap = { step = "2.5 %", position = -1, lowest = -2, highest = 2 }

[[line]]
name = "L1"
from = "busbar"
to = "pole"
code = "NAYY 4x150"
length = "350 m"
[[line]]
name = "L2"
from = "pole"
to = "home"
code = "overhead"
length = "90 m"
[[line]]
name = "L3"
from = "pole"
to = "shed"
code = "overhead"
length = "0.2 km"
open = "to"

[[switch]]
name = "S1"
from = "home"
to = "shed"
closed = false

[[load]]
node = "home"
wires = "b"
p = "6 kW"
power_factor = 0.95
[[load]]
node = "pole"
p = ["3 kW", "9 kW", "0 kW"]
q = ["1 kvar", "-2 kvar", "0.5 kvar"]
model = "current"
[[load]]
node = "busbar"
p = "30 kW"
q = "12 kvar"
model = "impedance"
[[generator]]
node = "home"
p = ["4 kW", "0 kW", "5 kW"]
[[capacitor]]
node = "busbar"
q = "15 kvar"
[[capacitor]]
node = "busbar"
q = "6 kvar"
connection = "delta"
"""


def main():
    check = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        toml, written = os.path.join(folder, "n.toml"), os.path.join(folder, "n.json")
        with open(toml, "w", encoding="utf-8") as file:
            file.write(NETWORK)
        arguments = ["--format", "json", "--tolerance", "1e-12"]
        found = json.loads(run("grid", toml, *arguments, "--write", written))["data"]
        again = json.loads(run("grid", written, "--asym", *arguments))["data"]
        with open(written, encoding="utf-8") as file:
            model = PowerGridModel(json_deserialize(file.read()))
        expected = model.calculate_power_flow(symmetric=False, error_tolerance=1e-10)
        for kind in ("node", "transformer", "source", "shunt"):
            check.same(f"{kind}: how many", len(found[kind]), len(expected[kind]))
            names = [[row["name"] for row in data[kind]] for data in (found, again)]
            check.same(f"{kind}: names, read again", names[1], names[0])
            for own, other, peer in zip(found[kind], again[kind], expected[kind]):
                compare(check, f"{kind} {own['name']}", own, other, peer)
        with open(toml, "a", encoding="utf-8") as file:
            file.write("[[load]]\nnode = 'home'\nconnection = 'delta'\np = '1 kW'\nname = 'd'\n")
        code, _, told = call("grid", toml, "--write", written)
        check.same("a delta load cannot be written", code, 2)
        check.true("and that is told by name", "load d: it is not a wye" in told, told.strip())
    check.end()


def compare(check, what, own, other, peer):
    """Every attribute that both have; shares of the larger one, or of a watt, a volt."""
    for name, value in own.items():
        if name in ("id", "name", "energized"):
            continue
        values, peers = (value, peer[name]) if isinstance(value, list) else ([value], [peer[name]])
        others = other[name] if isinstance(value, list) else [other[name]]
        for wire, (one, two, three) in enumerate(zip(values, peers, others)):
            if one is not None:
                limit = 1e-6 * max(1.0, abs(two))
                check.close(f"{what} {name} {wire}", one, float(two), limit)
                check.close(f"{what} {name} {wire} read again", three, float(two), limit)


if __name__ == "__main__":
    main()
