"""Voltages at every node during a fault by a network in motion and by OpenDSS.

Faults of all kinds at nodes of IEEE 13, 34 and European LV, nearly bolted and through a resistance,
without loads and with loads as constant impedances: `Motion` plays each as phasors and as
waveforms at 50 us (`sim/grid/examples/played_faults.rs`), of which the last period before they are
left counts. OpenDSS has a Fault element for each connection; three phases with each other meet at
a bus of their own. A resistance of the fault that is off by 5 % has to be seen.

A street of four wires has faults from each phase to the neutral, and loses its neutral in each of
its lines, of which the first is all there is between the star point and the busbar: OpenDSS opens
that conductor. It is a TT network, and one whose houses have electrodes.
"""

import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

from opendssdirect import dss

from peer.bench import Comparison, example

# Of the rated voltage from phase to earth; found are 2.1e-5 and 3.5e-5 in IEEE 34, where OpenDSS has
# a millionth of each winding's power as reactive power to earth (`ppm_antifloat`) and nothing that
# is played has; without that 3.1e-6 and 1.4e-5.
LIMITS = {"phasors": 5e-5, "waveforms": 1e-4}
FEEDERS = {
    "13Bus/IEEE13Nodeckt.dss": ["Transformer.Reg1.Taps=[1 1.0625]", "Transformer.Reg2.Taps=[1 1.05]",
                                "Transformer.Reg3.Taps=[1 1.06875]", "Set ControlMode=OFF"],
    "34Bus/Run_IEEE34Mod1.dss": ["Set ControlMode=OFF"],
    "LVTestCase/Master.dss": ["Set ControlMode=OFF"],
}
LOADS = {
    "no loads": "BatchEdit Load..* enabled=no",
    "loads as impedances": "BatchEdit Load..* model=2 vminpu=0 vmaxpu=9",
}
KINDS = ["ag", "bg", "cg", "ab", "bc", "ac", "abg", "bcg", "acg", "abc", "abcg"]
PHASES = {"a": 1, "b": 2, "c": 3, "n": 4}
# As good as nothing, and far above what is lost by rounding.
BOLTED = 1e-6
NODES = 2
NAMES = (f"f{number}" for number in itertools.count())


# A star point with an electrode, a busbar, two houses: loads of constant impedance to the neutral.
STREET = """clear
set defaultbasefrequency=50
new circuit.street basekv=10 pu=1 bus1=grid mvasc3=250 mvasc1=250 x1r1=10 x0r0=10
new transformer.t phases=3 windings=2 buses=[grid.1.2.3 star.1.2.3.4] conns=[delta wye] kvs=[10 0.4]
~ kvas=[250 250] xhl=3.8 %loadloss=1.3 %noloadloss=0 %imag=0 ppm_antifloat=0 leadlag=lag
new reactor.e phases=1 bus1=star.4 bus2=star.0 r=2 x=0
new line.jumper bus1=star.1.2.3.4 bus2=busbar.1.2.3.4 phases=4 length=1 {small}
new line.main bus1=busbar.1.2.3.4 bus2=near.1.2.3.4 phases=4 length=0.2 {cable}
new line.end bus1=near.1.2.3.4 bus2=far.1.2.3.4 phases=4 length=0.1 {cable}
new load.a bus1=near.1.4 phases=1 kv=0.230940107675850 kw=6 kvar=1 model=2 vminpu=0 vmaxpu=9
new load.b bus1=near.2.4 phases=1 kv=0.230940107675850 kw=1 kvar=0.2 model=2 vminpu=0 vmaxpu=9
new load.abc bus1=far.1.2.3.4 phases=3 kv=0.4 kw=4 kvar=1 model=2 vminpu=0 vmaxpu=9
new load.c bus1=far.3.4 phases=1 kv=0.230940107675850 kw=0.5 kvar=0 model=2 vminpu=0 vmaxpu=9
{electrodes}
set voltagebases=[10 0.4]
calcvoltagebases
solve
"""
CABLE = ("rmatrix=[0.45 | 0.2 0.45 | 0.2 0.2 0.45 | 0.2 0.2 0.2 0.65]"
         " xmatrix=[0.3 | 0.2 0.3 | 0.21 0.2 0.3 | 0.22 0.21 0.2 0.35] cmatrix=[0 | 0 0 | 0 0 0 | 0 0 0 0]")
SMALL = ("rmatrix=[0.001 | 0 0.001 | 0 0 0.001 | 0 0 0 0.001]"
         " xmatrix=[0.001 | 0 0.001 | 0 0 0.001 | 0 0 0 0.001] cmatrix=[0 | 0 0 | 0 0 0 | 0 0 0 0]")
EARTHINGS = {"TT": "", "electrodes": "new reactor.h phases=1 bus1=far.4 bus2=far.0 r=15 x=0"}
STREET_EVENTS = [(f"{phase}n", bus, ohm) for phase in "abc" for bus in ("near", "far") for ohm in (BOLTED, 0.5)]
LOST = ["jumper", "main", "end"]


def networks():
    """The folder of networks; without it the script is skipped, with the reason."""
    folder = os.path.join(os.environ.get("LASTMETER_GRID_DATA", ""), "opendss")
    if not os.path.isdir(folder):
        print("LASTMETER_GRID_DATA names no folder with networks")
        sys.exit(77)
    return os.path.abspath(folder)


def prepare(script, wires_to=3):
    """The feeder in OpenDSS; its buses with the wires they have, and their rated voltages."""
    for command in ("clear", f'compile "{script}"', "set tolerance=1e-11", "set maxiterations=500", "solve"):
        dss.Text.Command(command)
    buses = {}
    for name in dss.Circuit.AllBusNames():
        dss.Circuit.SetActiveBus(name)
        wires = {wire for wire in dss.Bus.Nodes() if wire <= wires_to}
        buses[name.lower()] = (wires, dss.Bus.kVBase() * 1000)
    return buses


def voltages(what):
    """The voltages of all buses, by name and wire."""
    dss.Text.Command("solve mode=snap")
    if not dss.Solution.Converged():
        sys.exit(f"{what}: OpenDSS did not converge")
    left = {}
    for name in dss.Circuit.AllBusNames():
        dss.Circuit.SetActiveBus(name)
        volts = dss.Bus.Voltages()
        for at, wire in enumerate(dss.Bus.Nodes()):
            left[name.lower(), wire] = complex(volts[2 * at], volts[2 * at + 1])
    return left


def without_neutral(line):
    """The same with the neutral of a line open."""
    dss.Text.Command(f"Open Line.{line} 1 4")
    left = voltages(line)
    dss.Text.Command(f"Close Line.{line} 1 4")
    return left


def by_opendss(kind, bus, ohm):
    """The voltages of all buses with a fault, by name and wire."""
    wires = [PHASES[at] for at in kind if at in PHASES]
    if kind.endswith("g"):
        ends = [(f"{bus}.{wire}", f"{bus}.0") for wire in wires]
    elif len(wires) == 2:
        ends = [(f"{bus}.{wires[0]}", f"{bus}.{wires[1]}")]
    else:
        star = next(NAMES)
        ends = [(f"{bus}.{wire}", f"{star}.1") for wire in wires]
    made = {next(NAMES): end for end in ends}
    for name, (first, second) in made.items():
        dss.Text.Command(f"New Fault.{name} phases=1 bus1={first} bus2={second} r={ohm}")
    left = voltages(f"{kind} at {bus}")
    for name in made:
        dss.Text.Command(f"Edit Fault.{name} enabled=no")
    return left


def difference(buses, own, other):
    """The largest difference of any wire of any node, as a share of its rated voltage, and where."""
    worst, count = (0.0, ""), 0
    own = {name.lower(): volts for name, volts in own.items()}
    for name, (wires, rated) in buses.items():
        for wire in wires:
            volts = own[name][wire - 1]
            off = abs(complex(*volts) - other[name, wire]) / rated if volts else float("inf")
            worst, count = max(worst, (off, f"{name}.{wire}")), count + 1
    return worst, count


def compare(check, program, feeder, script, what, chosen):
    """One feeder with its loads: each kind at some of the nodes, bolted and with a resistance."""
    buses = prepare(script)
    source = dss.Circuit.AllBusNames()[0].lower()
    wanted = []
    for kind in KINDS:
        phases = {PHASES[at] for at in kind if at in PHASES}
        places = sorted(name for name, (wires, _) in buses.items() if phases <= wires and name != source)
        for name in chosen.sample(places, min(NODES, len(places))):
            wanted += [(kind, name, ohm) for ohm in (BOLTED, 0.5)]
    found = played(program, script, [f"{kind}@{name}={ohm}" for kind, name, ohm in wanted])
    worst, count = dict.fromkeys(LIMITS, (0.0, "")), 0
    for row, fault in zip(found, wanted, strict=True):
        other = by_opendss(*fault)
        for engine in LIMITS:
            (off, where), count = difference(buses, row[engine], other)
            worst[engine] = max(worst[engine], (off, f"{row['fault']}, {where}"))
    for engine, limit in LIMITS.items():
        off, where = worst[engine]
        check.close(f"{feeder}, {what}: {engine}, {count} voltages in each of {len(wanted)} faults, worst {where}",
                    off, 0, limit, "pu")
    # What would be seen of a fault that is another one.
    kind, name, ohm = wanted[-1]
    (off, _), _ = difference(buses, found[-1]["phasors"], by_opendss(kind, name, ohm * 1.05))
    check.true(f"{feeder}, {what}: a resistance 5 % off is seen ({off:.1e})", off > max(LIMITS.values()), off)


def played(program, script, words):
    """What the program makes of events."""
    done = subprocess.run([program, script, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def compare_street(check, program, script, what):
    """A street: faults to the neutral, and each line without its neutral."""
    buses = prepare(script, 4)
    whole = voltages("the street")
    events = {f"{kind}@{name}={ohm}": by_opendss(kind, name, ohm) for kind, name, ohm in STREET_EVENTS}
    lost = {f"lost-n@{line}": without_neutral(line) for line in LOST}
    for kind, cases in (("phase to neutral", events), ("lost neutral", lost)):
        for row, other in zip(played(program, script, cases), cases.values(), strict=True):
            for engine, limit in LIMITS.items():
                (off, where), _ = difference(buses, row[engine], other)
                check.close(f"street, {what}, {kind}: {row['fault']}, {engine}, worst {where}", off, 0, limit, "pu")
            (off, _), _ = difference(buses, row["phasors"], whole)
            check.true(f"street, {what}: {row['fault']} is seen ({off:.1e})", off > 1e-3, off)


def main():
    folder = networks()
    dss.Basic.AllowEditor(False)
    dss.Basic.AllowForms(False)
    program = example("played_faults")
    check, chosen = Comparison(), random.Random(17)
    with tempfile.TemporaryDirectory() as scratch:
        for feeder, pins in FEEDERS.items():
            for number, (what, loads) in enumerate(LOADS.items()):
                script = os.path.join(scratch, f"feeder-{number}.dss")
                with open(script, "w", encoding="utf-8") as file:
                    file.write("\n".join([f'Redirect "{os.path.join(folder, feeder)}"', *pins, loads, "solve", ""]))
                compare(check, program, feeder, script, what, chosen)
        for what, electrodes in EARTHINGS.items():
            script = os.path.join(scratch, f"street-{what}.dss")
            with open(script, "w", encoding="utf-8") as file:
                file.write(STREET.format(small=SMALL, cable=CABLE, electrodes=electrodes))
            compare_street(check, program, script, what)
    check.end()


if __name__ == "__main__":
    main()
