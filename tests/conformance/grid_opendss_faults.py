"""Short circuits of the published feeders by `lastmeter grid` and by OpenDSS.

Phase to phase, two phases to earth, one phase to earth and all three, at nodes of IEEE 13, 34 and
European LV, without loads: currents into the fault and voltages that are left. OpenDSS has a Fault
element for each connection; bolted is ten nanoohm there, and every fault is also taken with half an
ohm.
"""

import itertools
import json
import os
import random
import sys
import tempfile

import numpy as np
from opendssdirect import dss

from peer.bench import Comparison, run

LIMIT = 1e-4
BOLTED = 1e-8
FEEDERS = {
    "13Bus/IEEE13Nodeckt.dss": ["Transformer.Reg1.Taps=[1 1.0625]", "Transformer.Reg2.Taps=[1 1.05]",
                                "Transformer.Reg3.Taps=[1 1.06875]", "Set ControlMode=OFF"],
    "34Bus/Run_IEEE34Mod1.dss": [],
    "LVTestCase/Master.dss": [],
}
PHASES = {"a": 1, "b": 2, "c": 3}
NAMES = (f"Fault.f{number}" for number in itertools.count())
KINDS = ["ab", "bc", "ac", "abg", "bcg", "acg", "ag", "bg", "cg", "abc"]


def networks():
    """The folder of networks; without it the script is skipped, with the reason."""
    folder = os.path.join(os.environ.get("LASTMETER_GRID_DATA", ""), "opendss")
    if not os.path.isdir(folder):
        print("LASTMETER_GRID_DATA names no folder with networks")
        sys.exit(77)
    return os.path.abspath(folder)


def elements(kind, bus, resistance):
    """The Fault elements that make a fault: what is earthed is so at one place, through one
    resistance; three phases each through their own."""
    wires = [PHASES[at] for at in kind if at in PHASES]
    ohm = max(resistance, BOLTED)
    if len(wires) == 3:
        return [(f"{bus}.{wire}", f"{bus}.0", ohm) for wire in wires]
    earth = [(f"{bus}.{wires[0]}", f"{bus}.0", ohm)] if kind.endswith("g") else []
    if len(wires) == 1:
        return earth
    return [(f"{bus}.{wires[0]}", f"{bus}.{wires[1]}", BOLTED if earth else ohm), *earth]


def by_opendss(kind, bus, resistance):
    """Currents into the fault by wire, A, and voltages left at the bus by wire, V."""
    made = {next(NAMES): it for it in elements(kind, bus, resistance)}
    for name, (first, second, ohm) in made.items():
        dss.Text.Command(f"New {name} phases=1 bus1={first} bus2={second} r={ohm}")
    dss.Text.Command("solve mode=snap")
    if not dss.Solution.Converged():
        sys.exit(f"{kind} at {bus}: OpenDSS did not converge")
    currents = np.zeros(4, complex)
    for name, (first, second, _) in made.items():
        dss.Circuit.SetActiveElement(name)
        flows = dss.CktElement.Currents()
        current = complex(flows[0], flows[1])
        for end, sign in ((first, 1), (second, -1)):
            currents[int(end.rsplit(".", 1)[1])] += sign * current
    dss.Circuit.SetActiveBus(bus)
    volts, left = dss.Bus.Voltages(), np.full(4, np.nan, complex)
    for at, wire in enumerate(dss.Bus.Nodes()):
        if wire < 4:
            left[wire] = complex(volts[2 * at], volts[2 * at + 1])
    for name in made:
        dss.Text.Command(f"Edit {name} enabled=no")
    return currents[1:], left[1:]


def prepare(script):
    """The feeder without loads; its buses with the phases they have, and their rated voltages."""
    for command in ("clear", f'compile "{script}"', "BatchEdit Load..* enabled=no",
                    "set tolerance=1e-10", "set maxiterations=300", "set ControlMode=OFF", "solve"):
        dss.Text.Command(command)
    buses = {}
    for name in dss.Circuit.AllBusNames():
        dss.Circuit.SetActiveBus(name)
        wires = {wire for wire in dss.Bus.Nodes() if wire < 4}
        buses[name] = (wires, dss.Bus.kVBase() * 1000)
    return buses


def phasors(pairs):
    """Complex numbers from magnitudes and angles."""
    return np.array([size * np.exp(1j * angle) for size, angle in pairs])


def compare(check, feeder, script, chosen):
    """One feeder, each kind at each of the nodes, bolted and with a resistance."""
    buses = prepare(script)
    source = dss.Circuit.AllBusNames()[0]
    names = [name for name in buses if name != source]
    if len(names) > 60:
        names = chosen.sample(names, 60)
    for resistance in (0.0, 0.5):
        wanted = [
            (kind, name) for name in names for kind in KINDS
            if all(PHASES[at] in buses[name][0] for at in kind if at in PHASES)
        ]
        words = [word for kind, name in wanted for word in ("--fault", f"{kind}@{name}")]
        found = json.loads(run("grid", script, "--sc", "--sources", "actual", "--format", "json",
                               "--fault-resistance", str(resistance), *words))["short_circuits"]
        check.same(f"{feeder}: faults at {resistance} ohm", len(found), len(wanted))
        worst = {"current": (0.0, ""), "voltage": (0.0, "")}
        for row, (kind, name) in zip(found, wanted):
            currents, left = by_opendss(kind, name, resistance)
            scale = max(np.max(np.abs(currents)), 1.0)
            off = np.max(np.abs(phasors(row["current_a_rad"]) - currents)) / scale
            worst["current"] = max(worst["current"], (off, f"{kind}@{name}"))
            there = ~np.isnan(left)
            off = np.abs(phasors(row["voltage_v_rad"]) - left)[there] / buses[name][1]
            worst["voltage"] = max(worst["voltage"], (np.max(off), f"{kind}@{name}"))
        for what, (off, where) in worst.items():
            label = f"{feeder}: worst {what} of {len(wanted)} faults, {resistance} ohm, {where}"
            check.close(label, off, 0, LIMIT, "of the fault's current" if what == "current" else "pu")


def main():
    folder = networks()
    dss.Basic.AllowEditor(False)
    dss.Basic.AllowForms(False)
    check, chosen = Comparison(), random.Random(13)
    with tempfile.TemporaryDirectory() as scratch:
        for number, (feeder, pins) in enumerate(FEEDERS.items()):
            script = os.path.join(scratch, f"feeder-{number}.dss")
            with open(script, "w", encoding="utf-8") as file:
                file.write("\n".join([f'Redirect "{os.path.join(folder, feeder)}"', *pins, "solve", ""]))
            compare(check, feeder, script, chosen)
    check.end()


if __name__ == "__main__":
    main()
