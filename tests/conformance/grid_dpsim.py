"""Transients beside DPsim: the same circuits, step for step, within 2e-4 of the peak.

Sections of R and L behind an ideal source, before a resistance and in one circuit a capacitance, with a fault of
three phases at a node: `lastmeter grid --play` and DPsim 1.4 (EMT, three phases) at the same step. DPsim begins
without currents, so what is compared begins a while later, when both have come to the same. It switches at whole
steps, by a rule of its own (the step in which a switch closes is solved with the new matrix and the old past): of
the instants within a step of the one that was told the one that fits it best is taken, for all phases together.
A resistance that is 1 % off has to be seen.
"""

import csv
import io
import json
import os
import subprocess
import sys
import tempfile

from peer.bench import LASTMETER, Comparison

STEP_S = 50e-6
UNTIL_S = 0.12
COMPARED_FROM_S = 0.015
WITHIN = 2e-4
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer", "dpsim_transient.py")

CIRCUITS = {
    "one section": {"sections": 1, "ohm": 0.05, "henry": 1e-3, "load_ohm": 20.0, "node": 1, "at_s": 0.02},
    "ten sections": {"sections": 10, "ohm": 0.02, "henry": 2e-4, "load_ohm": 10.0, "node": 6, "at_s": 0.0235},
    "with a capacitance": {"sections": 3, "ohm": 0.3, "henry": 1e-3, "load_ohm": 30.0, "farad": 40e-6, "node": 2,
                           "at_s": 0.031},
}


def network(circuit, ohm):
    """The circuit as a network; voltages between lines of 400 V."""
    lines = ["format = 1", 'name = "chain"', 'voltage = "400 V"']
    for number in range(circuit["sections"] + 1):
        lines += ["[[node]]", f'name = "n{number}"']
    lines += ["[[source]]", 'name = "source"', 'node = "n0"', 'short_circuit_power = "1000 GVA"', 'angle = "90 deg"']
    for number in range(circuit["sections"]):
        reactance = 100 * 3.141592653589793 * circuit["henry"]
        lines += ["[[line]]", f'name = "l{number}"', f'from = "n{number}"', f'to = "n{number + 1}"', 'length = "1 km"',
                  f'r1 = "{ohm} ohm/km"', f'x1 = "{reactance} ohm/km"', f'r0 = "{ohm} ohm/km"',
                  f'x0 = "{reactance} ohm/km"']
    last = circuit["sections"]
    lines += ["[[load]]", 'name = "load"', f'node = "n{last}"', f'p = "{160000 / circuit["load_ohm"]} W"', 'q = "0 var"',
              'model = "impedance"']
    if "farad" in circuit:
        power = 160000 * 100 * 3.141592653589793 * circuit["farad"]
        lines += ["[[capacitor]]", 'name = "bank"', f'node = "n{last}"', f'q = "{power} var"']
    return "\n".join(lines) + "\n"


def ours(folder, circuit, ohm, at_s):
    path = os.path.join(folder, "chain.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(network(circuit, ohm))
    event = f"{at_s * 1e3:.6f} ms fault abc@n{circuit['node']} 0.001"
    done = subprocess.run([LASTMETER, "grid", path, "--play", f"{UNTIL_S} s", "--step", f"{STEP_S} s", "--event", event,
                           "--watch", "source", "--format", "csv"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    rows = csv.DictReader(io.StringIO(done.stdout))
    return [[float(row[f"source.i.{wire}"]) for wire in "abc"] for row in rows]


def theirs(folder, circuit):
    answer = os.path.join(folder, "answer.json")
    told = {**{key: circuit.get(key) for key in ("sections", "ohm", "henry", "load_ohm", "farad")}, "volts": 400.0,
            "step_s": STEP_S, "until_s": UNTIL_S, "answer": answer,
            "fault": {"node": circuit["node"], "at_s": circuit["at_s"], "ohm": 0.001}}
    subprocess.run([sys.executable, "-P", PEER, json.dumps(told)], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    with open(answer, encoding="utf-8") as file:
        return {round(row[0] / STEP_S): [-value for value in row[1:]] for row in json.load(file)}


def difference(own, other, at_s):
    """The largest difference as a share of the largest current; not within three steps of the fault, whose instant
    the two have differently."""
    steps = [step for step in other if COMPARED_FROM_S / STEP_S <= step < len(own) and abs(step - at_s / STEP_S) > 3]
    worst = max(abs(a - b) for step in steps for a, b in zip(own[step], other[step]))
    return worst / max(abs(b) for step in steps for b in other[step])


def main():
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        for name, circuit in CIRCUITS.items():
            other = theirs(folder, circuit)
            comparison.true(f"{name}: DPsim played it", len(other) > 2000, len(other))
            shifts = [quarter / 4 for quarter in range(-4, 5)]

            def best(ohm):
                found = [(difference(ours(folder, circuit, ohm, circuit["at_s"] + shift * STEP_S), other, circuit["at_s"]), shift)
                         for shift in shifts]
                return min(found)

            share, shift = best(circuit["ohm"])
            comparison.true(f"{name}: within {WITHIN} of the peak of DPsim ({share:.1e}, {shift} steps)", share < WITHIN, share)
            share, _ = best(circuit["ohm"] * 1.01)
            comparison.true(f"{name}: a resistance 1 % off is seen ({share:.1e})", share > WITHIN, share)
    comparison.end()


if __name__ == "__main__":
    main()
