"""The losses of every step of a scenario's network, recomputed by power-grid-model, and the energy
balance added up again.

Reads the run folders of the shipped scenarios and their twins that have a network: `grid.csv` says
what the plant's network lost and what the declared one would have, `grid-loads.csv` what each load
drew. The declared network is the file that the run folder keeps, written for power-grid-model by
`lastmeter grid --write`; power-grid-model solves it with the loads of each step, phase by phase,
by Newton to 1e-10, with breakers and sources as `grid-inputs.csv` has them for it. Losses have to
agree to 1e-6, and where nothing is wrong with the plant's lines so does what flows in at the
source. With switches, whose admittance of 1e6 per unit costs power-grid-model its last digits,
these are 1e-7 and 1e-5. Then the verdict is made anew from the registers in
`observations.csv` and power-grid-model's losses.
"""

import csv
import datetime
import fnmatch
import json
import os
import sys
import tempfile
import tomllib

import numpy as np
from power_grid_model import CalculationMethod, PowerGridModel, initialize_array
from power_grid_model.utils import json_deserialize

from peer.bench import Comparison, run, runs
from peer.record import Run, suite_run_folders

RELATIVE = 1e-6
CONSUMED = "electricity.energy.active.consumed.total"
INJECTED = "electricity.energy.active.injected.total"
DURATIONS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
ENERGIES = {"Wh": 3.6e3, "kWh": 3.6e6, "MWh": 3.6e9}


def table(folder, name):
    """A table of the record: its columns, and its rows as text."""
    with open(os.path.join(folder, name), newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


def column(columns, rows, name):
    at = columns.index(name)
    return np.array([float(row[at]) for row in rows])


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Network:
    """The declared network of a run, as power-grid-model reads it."""

    def __init__(self, one):
        name = one.scenario["grid"]["file"]
        text = one.facts["files"][name]
        with tempfile.TemporaryDirectory() as folder:
            own, written = os.path.join(folder, "network.toml"), os.path.join(folder, "network.json")
            with open(own, "w", encoding="utf-8") as file:
                file.write(text)
            run("grid", own, "--write", written)
            with open(written, encoding="utf-8") as file:
                text_written = file.read()
            self.data = json_deserialize(text_written)
            written_rows = json.loads(text_written)["data"]
            self.places = {(kind, row["name"]): row["id"] for kind, rows in written_rows.items()
                           for row in rows}
        self.names = [load["name"] for load in tomllib.loads(text)["load"]]
        has_switches = "link" in self.data
        self.tolerance, self.relative = (1e-7, 1e-5) if has_switches else (1e-10, RELATIVE)
        self.model = PowerGridModel(self.data, system_frequency=50.0)

    def inputs(self, columns, rows):
        """What held of links, lines and sources in each step, where anything of them was set."""
        updates = {}
        for name in columns[1:]:
            values = column(columns, rows, name)
            what, element = name.split(":", 1)
            kinds = {"breaker": ("link", "line"), "source": ("source",)}[what]
            kind = next(kind for kind in kinds if (kind, element) in self.places)
            updates.setdefault(kind, []).append((self.places[kind, element], what, values))
        found = {}
        for kind, held in updates.items():
            update = initialize_array("update", kind, (len(rows), len(held)))
            for at, (identity, what, values) in enumerate(held):
                update["id"][:, at] = identity
                if what == "source":
                    update["u_ref"][:, at] = values
                else:
                    update["from_status"][:, at] = update["to_status"][:, at] = values
            found[kind] = update
        return found

    def solve(self, columns, rows, inputs=None):
        """Losses of each step, W and var, and what flows in at the source by phase, W."""
        ids = self.data["asym_load"]["id"]
        if len(ids) != len(self.names):
            sys.exit("expected every load of the network to be one of power-grid-model's asym_load")
        update = initialize_array("update", "asym_load", (len(rows), len(ids)))
        update["id"] = ids
        update["p_specified"], update["q_specified"] = 0.0, 0.0
        for at, name in enumerate(self.names):
            for phase, wire in enumerate("abc"):
                if f"{name}.{wire}.p_w" in columns:
                    update["p_specified"][:, at, phase] = column(columns, rows, f"{name}.{wire}.p_w")
                    update["q_specified"][:, at, phase] = column(columns, rows, f"{name}.{wire}.q_var")
        found = self.model.calculate_power_flow(
            symmetric=False, update_data={"asym_load": update, **(inputs or {})}, error_tolerance=self.tolerance,
            max_iterations=50, calculation_method=CalculationMethod.newton_raphson)
        both = [found[kind][f"{quantity}_from"] + found[kind][f"{quantity}_to"]
                for quantity in "pq" for kind in ("line", "transformer") if kind in found]
        losses = [part.sum(axis=(1, 2)) for part in both]
        half = len(losses) // 2
        return sum(losses[:half]), sum(losses[half:]), found["source"]["p"].sum(axis=(1, 2))


def off(found, expected):
    """The largest difference, relative to the expected figure of the same step."""
    return float(np.max(np.abs(found - expected) / np.abs(expected)))


def registers(one):
    """By device and second, what its registers held, consumed less injected and their sum."""
    held = {}
    for device, _, _, quantity, _, time, _, reported in one.observations():
        if quantity in (CONSUMED, INJECTED):
            place = held.setdefault((device, seconds(time)), {})
            place[quantity] = float(reported) if reported else float("nan")
    return {key: (two[CONSUMED] - two[INJECTED], two[CONSUMED] + two[INJECTED])
            for key, two in held.items()}


def balance(one, check, times, lengths, losses):
    """The verdict of an energy balance: status, the largest difference in %, and of how many."""
    start = seconds(one.facts["start"])
    places = {device["name"]: device["at"] for device in one.facts["devices"]}
    substations = [name for name in places if fnmatch.fnmatchcase(name, check["substation"])]
    homes = [name for name, at in places.items()
             if name not in substations and at.startswith("load:")
             and fnmatch.fnmatchcase(name, check.get("homes", "*"))]
    held = registers(one)
    ends = sorted({time for _, time in held})
    if "every" in check:
        number, unit = check["every"].split()
        every = float(number) * DURATIONS[unit]
        ends = [end for end in ends if (end - start) % every == 0]
    else:
        ends = ends[-1:]
    number, unit = check.get("minimum", "0 kWh").split()
    minimum_j = float(number) * ENERGIES[unit]
    worst, begin, judged = 0.0, start, 0
    for end in ends:
        zero = (0.0, 0.0)
        energy = {name: np.subtract(held[name, end], held.get((name, begin), zero))
                  for name in substations + homes}
        within = np.clip(np.minimum(times + lengths, end) - np.maximum(times, begin), 0.0, None)
        lost = float(np.sum(losses * within))
        net = sum(energy[name][0] for name in substations)
        both = sum(energy[name][1] for name in substations)
        served = sum(energy[name][0] for name in homes) + lost
        begin = end
        if max(both, abs(served)) < minimum_j:
            continue
        judged += 1
        worst = max(worst, 100.0 * abs(net - served) / both)
    number, unit = check["limit"].split()
    limit = float(number) * {"%": 1.0, "ppm": 1e-4}[unit]
    return "fail" if worst > limit else "pass", worst, judged


def compare(comparison, one, name):
    columns, rows = table(one.folder, "grid.csv")
    network = Network(one)
    inputs = None
    if os.path.exists(os.path.join(one.folder, "grid-inputs.csv")):
        inputs = network.inputs(*table(one.folder, "grid-inputs.csv"))
    active, reactive, source = network.solve(*table(one.folder, "grid-loads.csv"), inputs)
    steps = len(rows)
    comparison.true(f"{name}: steps", steps > 0 and steps == len(active), steps)
    for what, found, key in (("losses", active, "declared_losses_w"),
                             ("reactive losses", reactive, "declared_losses_var")):
        worst = off(column(columns, rows, key), found)
        comparison.true(f"{name}: {what} of {steps} steps", worst <= network.relative, f"{worst:.2e}")
    delivered = sum(column(columns, rows, f"p_{wire}_w") for wire in "abc")
    drawn = column(columns, rows, "loads_w") + column(columns, rows, "losses_w")
    worst = off(delivered, drawn)
    comparison.true(f"{name}: loads and losses are what flows in", worst <= network.relative, f"{worst:.2e}")
    defects = one.scenario["grid"].get("defect", [])
    if not any(defect["kind"] == "resistance" for defect in defects):
        worst = off(delivered, source)
        comparison.true(f"{name}: power at the source", worst <= network.relative, f"{worst:.2e}")
    times = np.array([seconds(row[0]) for row in rows])
    lengths = column(columns, rows, "seconds")
    verdicts = {verdict["check"]: verdict for verdict in one.verdicts}
    for check in one.scenario["check"]:
        if check["kind"] != "energy_balance":
            continue
        status, measured, judged = balance(one, check, times, lengths, active)
        verdict = verdicts[check["name"]]
        comparison.same(f"{name}/{check['name']} status", verdict["status"], status)
        comparison.close(f"{name}/{check['name']} difference", verdict["measured"], measured, 1e-6, "%")
        comparison.same(f"{name}/{check['name']} intervals", verdict["n"], judged)


def main():
    comparison = Comparison()
    root = runs()
    seen, in_motion = 0, 0
    for folder in suite_run_folders(root):
        if not os.path.exists(os.path.join(folder, "grid.csv")):
            continue
        one = Run(folder)
        if one.scenario.get("grid", {}).get("resolution", "steps") != "steps":
            # Its switches stand otherwise within its steps: what `grid.csv` has is their beginnings.
            in_motion += 1
            continue
        seen += 1
        compare(comparison, one, os.path.relpath(folder, root))
    print(f"{in_motion} runs of networks in motion are not compared step by step")
    comparison.true("runs with a network", seen >= 2, seen)
    comparison.end()


if __name__ == "__main__":
    main()
