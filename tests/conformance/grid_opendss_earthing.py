"""Low-voltage networks by how they are earthed, solved by `lastmeter grid` and by OpenDSS.

The TT, IT and TN-C-S networks of `scenarios/grids` have an impedance between the star point of their
transformer and earth, and a neutral wire that begins at that star point. OpenDSS has the same by a
winding with four conductors and reactors from the fourth one to earth, written here by hand. Currents
in the neutral, and where it is earthed at houses too in earth, follow; voltages of all wires are held
to a millionth of the rated one. A neutral that is cut off the star point has to be seen.
"""

import json
import math
import os
import sys

from opendssdirect import dss

from peer.bench import Comparison, run

VOLTAGE_PU = 1e-6
GRIDS = os.path.join(os.path.dirname(__file__), "../../scenarios/grids")
# What makes them differ: from `n` to earth at each bus, ohm.
NETWORKS = {
    "low-voltage-tt": {"busbar": (2, 0)},
    "low-voltage-it": {"busbar": (1500, 0)},
    "low-voltage-tn-c-s": {"busbar": (1, 0), "house 1": (20, 0), "house 2": (15, 0), "workshop": (8, 0.2)},
}
# Of a metre: own and mutual impedances of four conductors that are alike, from r1, x1, r0, x0 by km.
CODES = {"nayy150": (0.206, 0.080, 0.824, 0.320), "nayy35": (0.868, 0.086, 3.472, 0.344)}
LINES = [
    ("main", "busbar", "cabinet", 180, "nayy150"),
    ("s1", "cabinet", "house_1", 35, "nayy35"),
    ("s2", "cabinet", "house_2", 60, "nayy35"),
    ("s3", "house_2", "workshop", 40, "nayy35"),
]
PHASE_KV = 0.4 / math.sqrt(3)
# Bus, phase, kW, kvar, model of OpenDSS: 1 is constant power, 2 constant impedance.
LOADS = [
    *(("house_1", phase, kw, kw * math.tan(math.acos(0.98)), 2) for phase, kw in ((1, 4.1), (2, 0.7), (3, 1.2))),
    ("house_2", 2, 3.2, 0, 2),
    ("house_2", 3, 0.9, 0.3, 1),
    *(("workshop", phase, kw, kw * math.tan(math.acos(0.85)), 1) for phase, kw in ((1, 5), (2, 5), (3, 6))),
]


def script(earthings):
    """The network in OpenDSS."""
    uk, loss = 4, 100 * 3.25 / 250
    lines = [
        "clear",
        "set defaultbasefrequency=50",
        "new circuit.lv basekv=10 bus1=grid pu=1 mvasc3=250 mvasc1=250 x1r1=10 x0r0=10",
        # Dyn5 is Dyn1 whose phases go on by two thirds of a turn.
        "new transformer.t phases=3 windings=2 buses=[grid.1.2.3 busbar.3.1.2.4] conns=[delta wye] kvs=[10 0.4]"
        f" kvas=[250 250] xhl={math.sqrt(uk**2 - loss**2)!r} %loadloss={loss!r} %noloadloss=0 %imag=0"
        " ppm_antifloat=0 leadlag=lag",
    ]
    for name, start, end, metres, code in LINES:
        r1, x1, r0, x0 = (figure * metres / 1000 for figure in CODES[code])

        def matrix(one, zero):
            own, mutual = (2 * one + zero) / 3, (zero - one) / 3
            return " | ".join(" ".join(repr(own if i == j else mutual) for j in range(i + 1)) for i in range(4))

        lines.append(
            f"new line.{name} bus1={start}.1.2.3.4 bus2={end}.1.2.3.4 phases=4 length=1 units=none"
            f" rmatrix=[{matrix(r1, r0)}] xmatrix=[{matrix(x1, x0)}] cmatrix=[0 | 0 0 | 0 0 0 | 0 0 0 0]"
        )
    for number, (bus, phase, kw, kvar, model) in enumerate(LOADS):
        lines.append(
            f"new load.l{number} bus1={bus}.{phase}.4 phases=1 kv={PHASE_KV!r} kw={kw} kvar={kvar!r}"
            f" model={model} vminpu=0.3 vmaxpu=3"
        )
    for bus, (ohm, reactance) in earthings.items():
        name = bus.replace(" ", "_")
        lines.append(f"new reactor.e_{name} phases=1 bus1={name}.4 bus2={name}.0 r={ohm} x={reactance}")
    return "\n".join([*lines, "set voltagebases=[10 0.4]", "calcvoltagebases", ""])


def by_opendss(text):
    """The voltage of each wire of each bus, volts."""
    # Line by line: a file that is compiled has OpenDSS work in its folder, and crash once that is gone.
    for command in [*text.splitlines(), "set tolerance=1e-12", "set maxiterations=1000", "solve"]:
        dss.Text.Command(command)
    if not dss.Solution.Converged():
        sys.exit("OpenDSS did not converge")
    nodes = {}
    for name in dss.Circuit.AllBusNames():
        dss.Circuit.SetActiveBus(name)
        volts = dss.Bus.Voltages()
        for at, node in enumerate(dss.Bus.Nodes()):
            nodes[f"{name.lower().replace('_', ' ')}.{node}"] = complex(volts[2 * at], volts[2 * at + 1])
    return nodes


def by_lastmeter(path):
    """The same of `lastmeter grid`."""
    output = json.loads(run("grid", path, "--format", "json", "--tolerance", "1e-12"))
    nodes = {}
    for row in output["data"]["node"]:
        for wire, (volts, angle) in enumerate(zip(row["u"], row["u_angle"])):
            if volts is not None:
                nodes[f"{row['name']}.{wire + 1}"] = volts * complex(math.cos(angle), math.sin(angle))
    return nodes


def main():
    dss.Basic.AllowEditor(False)
    dss.Basic.AllowForms(False)
    check = Comparison()
    for name, earthings in NETWORKS.items():
        expected = by_opendss(script(earthings))
        found = by_lastmeter(os.path.join(GRIDS, f"{name}.toml"))
        # The closed fuse makes two nodes one.
        found = {at: volts for at, volts in found.items() if not at.startswith("cabinet feeder.")}
        other = sorted(found.keys() ^ expected.keys())
        check.true(f"{name}: the same nodes", not other, " ".join(other))
        off = {at: abs(found[at] - expected[at]) / (10e3 if at.startswith("grid") else 400) for at in expected}
        worst = max(off, key=off.get)
        neutral = max(abs(volts) for at, volts in expected.items() if at.endswith(".4"))
        check.close(f"{name}: {len(off)} voltages, a neutral up to {neutral:.3f} V, worst {worst}",
                    off[worst], 0, VOLTAGE_PU, "pu")
        # Another electrode has to be seen where a current flows through it.
        if name == "low-voltage-tn-c-s":
            turned = by_opendss(script({**earthings, "busbar": (2, 0)}))
            apart = max(abs(found[at] - turned[at]) / 400 for at in found)
            check.true(f"{name}: another electrode is seen ({apart:.1e})", apart > 10 * VOLTAGE_PU, apart)
    check.end()


if __name__ == "__main__":
    main()
