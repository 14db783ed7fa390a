#!/usr/bin/env python3
"""Power flow beside power-grid-model, in the same run, one thread each.

    sim/grid/benches/beside_power_grid_model.py [--sizes 1000,10000,100000] [--runs 7] [--json FILE]
        [--kinds radial,ties,mesh]

Installs power-grid-model 1.12.110 into an environment of its own under the target folder (unless the
interpreter has it), builds the bench, and hands both the same networks: 10 kV, n/300 feeders (at least
4), laterals with a probability of 0.12, sections of 0.05 to 0.3 km, a load of constant power at each
node, the lowest voltage between 0.93 and 0.96 pu, node numbers scrambled. `ties` adds 2 % of lines
between neighbouring feeders, `mesh` is a lattice. Both solve to 1e-8 pu and give the voltages of all
nodes; power-grid-model by whichever of Newton and iterative current is faster and converges.

Times are processor time, median of the runs; reading is left out on both sides. `again` is a solution
with the topology known, on both sides; `first` with all that comes before it: for power-grid-model its
first call, for us making the circuit, preparing it and solving it. Checks that all voltages agree to
1e-7 pu. Ends with 1 if a ratio of the table of floors is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
VERSION = "1.12.110"
VOLTS = 10_000.0
# Least ratio by kind and phases, of the repeated solution; and of the batch.
FLOORS = {("radial", 1): 4, ("radial", 3): 6, ("ties", 3): 2, ("mesh", 3): 0.5}
BATCH_FLOOR = 8
MOST_MEMORY_MB = 100


def environment():
    """The interpreter that has power-grid-model."""
    folder = TARGET / "power-grid-model"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, f"power-grid-model=={VERSION}"], check=True)
    return python


def edges_of(kind, n, draw):
    """Pairs of nodes, and how many of them are ties. Node 0 has the source."""
    if kind == "mesh":
        side = int(n**0.5)
        pairs = [(y * side + x, y * side + x + 1) for y in range(side) for x in range(side - 1)]
        pairs += [(y * side + x, (y + 1) * side + x) for y in range(side - 1) for x in range(side)]
        return side * side, pairs
    feeders = max(4, n // 300)
    pairs, members = [], []
    sizes = [(n - 1) // feeders + (f < (n - 1) % feeders) for f in range(feeders)]
    node = 1
    for size in sizes:
        own = []
        for _ in range(size):
            if not own:
                above = 0
            elif draw.random() < 0.12:
                above = own[draw.integers(len(own))]
            else:
                above = own[-1]
            pairs.append((above, node))
            own.append(node)
            node += 1
        members.append(own)
    if kind == "ties":
        for _ in range(n // 50):
            f = draw.integers(feeders)
            a, b = members[f], members[(f + 1) % feeders]
            at = draw.random()
            other = min(1.0, max(0.0, at + draw.normal(0, 0.05)))
            pairs.append((a[int(at * (len(a) - 1))], b[int(other * (len(b) - 1))]))
    return n, pairs


class Case:
    """A network, for power-grid-model and as a file."""

    def __init__(self, kind, n, phases):
        import numpy as np

        draw = np.random.default_rng(20261120 + n + phases)
        self.phases = phases
        self.n, pairs = edges_of(kind, n, draw)
        scramble = draw.permutation(self.n)
        ends = scramble[np.array(pairs)]
        ends = ends[draw.permutation(len(ends))]
        km = draw.uniform(0.05, 0.3, len(ends))
        self.ends = ends
        self.z1 = np.outer(km, [0.125, 0.11])
        self.z0 = np.outer(km, [0.5, 0.4])
        self.source = int(scramble[0])
        p = draw.uniform(2e3, 20e3, (self.n, 3))
        if phases == 1:
            p[:] = p[:, :1]
        self.load = np.stack([p, p * draw.uniform(0.2, 0.4, (self.n, 1))], axis=2)
        size = VOLTS**2 / 1e10
        self.zs = (0.1 * size / 1.01**0.5, size / 1.01**0.5)
        self.scale()

    def scale(self):
        """Loads so that the lowest voltage is right."""
        wanted = 0.945
        for _ in range(12):
            model = self.model()
            try:
                u = self.solve(model, "newton_raphson")["u_pu"].min()
            except Exception:  # pylint: disable=broad-except
                self.load *= 0.5
                continue
            if abs(u - wanted) < 0.005:
                return
            self.load *= (1 - wanted) / (1 - u)
        raise SystemExit("no loads found for the voltage that is wanted")

    def model(self):
        import numpy as np
        from power_grid_model import LoadGenType, PowerGridModel, initialize_array

        node = initialize_array("input", "node", self.n)
        node["id"] = np.arange(self.n)
        node["u_rated"] = VOLTS
        line = initialize_array("input", "line", len(self.ends))
        line["id"] = self.n + np.arange(len(line))
        line["from_node"], line["to_node"] = self.ends.T
        line["from_status"] = line["to_status"] = 1
        line["r1"], line["x1"] = self.z1.T
        line["r0"], line["x0"] = self.z0.T
        line["c1"] = line["tan1"] = line["c0"] = line["tan0"] = 0
        source = initialize_array("input", "source", 1)
        source["id"], source["node"], source["status"], source["u_ref"] = 5_000_000, self.source, 1, 1.0
        source["sk"], source["rx_ratio"], source["z01_ratio"] = 1e10, 0.1, 1.0
        kind = "sym_load" if self.phases == 1 else "asym_load"
        load = initialize_array("input", kind, self.n)
        load["id"] = 6_000_000 + np.arange(self.n)
        load["node"] = np.arange(self.n)
        load["status"], load["type"] = 1, LoadGenType.const_power
        load["p_specified"], load["q_specified"] = self.powers(1.0)
        return PowerGridModel({"node": node, "line": line, "source": source, kind: load})

    def powers(self, factor):
        load = self.load if self.phases == 3 else self.load.sum(axis=1)
        return load[..., 0] * factor, load[..., 1] * factor

    def solve(self, model, method, **more):
        from power_grid_model import CalculationMethod

        return model.calculate_power_flow(
            symmetric=self.phases == 1,
            error_tolerance=1e-8,
            max_iterations=60,
            calculation_method=CalculationMethod[method],
            output_component_types={"node"},
            **more,
        )["node"]

    def write(self, path):
        import numpy as np

        lines = np.zeros(len(self.ends), dtype=[("ends", "<u4", 2), ("z", "<f8", 4)])
        lines["ends"] = self.ends
        lines["z"] = np.hstack([self.z1, self.z0])
        loads = np.zeros(self.n, dtype=[("node", "<u4"), ("s", "<f8", 6)])
        loads["node"] = np.arange(self.n)
        loads["s"] = self.load.reshape(self.n, 6)
        with open(path, "wb") as file:
            file.write(np.array([self.n, len(lines), self.n, self.source], dtype="<u4").tobytes())
            file.write(np.array([*self.zs, *self.zs], dtype="<f8").tobytes())
            file.write(lines.tobytes())
            file.write(loads.tobytes())

    def time_theirs(self, runs):
        """First call, repeated calls, and voltages, of the faster method."""
        import numpy as np

        best = None
        for method in ("newton_raphson", "iterative_current"):
            try:
                model = self.model()
                begin = time.process_time()
                node = self.solve(model, method)
                first = time.process_time() - begin
                times = []
                for _ in range(runs):
                    begin = time.process_time()
                    node = self.solve(model, method)
                    times.append(time.process_time() - begin)
            except Exception as error:  # pylint: disable=broad-except
                print(f"  {method}: {error}".splitlines()[0], file=sys.stderr)
                continue
            again = statistics.median(times)
            if best is None or again < best["again_s"]:
                voltages = node["u_pu"] * np.exp(1j * node["u_angle"])
                best = {"method": method, "first_s": first, "again_s": again, "voltages": voltages}
        return best

    def time_their_batch(self, method, count):
        import numpy as np
        from power_grid_model import initialize_array

        kind = "sym_load" if self.phases == 1 else "asym_load"
        update = initialize_array("update", kind, (count, self.n))
        update["id"] = 6_000_000 + np.arange(self.n)
        at, case = np.arange(self.n), np.arange(count)[:, None]
        factor = 0.8 + 0.4 * ((at * 7919 + case * 104729) % 1000) / 1000
        if self.phases == 3:
            factor = factor[..., None]
        p, q = self.powers(1.0)
        update["p_specified"], update["q_specified"] = p * factor, q * factor
        model = self.model()
        begin = time.process_time()
        node = self.solve(model, method, update_data={kind: update}, threading=-1)
        each = (time.process_time() - begin) / count
        return each, node["u_pu"][-1] * np.exp(1j * node["u_angle"][-1])


def build():
    command = ["cargo", "bench", "-p", "lastmeter-grid", "--bench", "beside_power_grid_model", "--no-run"]
    done = subprocess.run([*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    built = [json.loads(line) for line in done.stdout.splitlines()]
    name = lambda it: it.get("target", {}).get("name")
    return next(it["executable"] for it in built if name(it) == "beside_power_grid_model" and it.get("executable"))


def ours(engine, path, phases, what, runs, voltages):
    done = subprocess.run([engine, path, str(phases), what, str(runs), voltages], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def compare(voltages, theirs, phases):
    import numpy as np

    mine = np.fromfile(voltages, dtype="<f8").view(complex).reshape(-1, phases)
    apart = float(abs(mine - theirs.reshape(-1, phases)).max())
    if not apart < 1e-7:
        raise SystemExit(f"voltages differ by {apart} pu")
    return apart


def one(engine, folder, kind, n, phases, runs):
    """A row of the table."""
    case = Case(kind, n, phases)
    path, voltages = str(folder / "network.bin"), str(folder / "voltages.bin")
    case.write(path)
    theirs = case.time_theirs(runs)
    mine = ours(engine, path, phases, "single", runs, voltages)
    method = min((it for it in ("sweep", "nodal") if it in mine), key=lambda it: statistics.median(mine[it]["times_s"]))
    chosen = mine[method]
    row = {"kind": kind, "nodes": case.n, "phases": phases, "theirs": theirs["method"], "ours": method}
    row["apart_pu"] = compare(voltages, theirs["voltages"], phases)
    row["their_again_ms"] = 1e3 * theirs["again_s"]
    row["our_again_ms"] = 1e3 * statistics.median(chosen["times_s"])
    row["their_first_ms"] = 1e3 * theirs["first_s"]
    row["our_first_ms"] = 1e3 * (chosen["compile_s"] + chosen["prepare_s"] + chosen["times_s"][0])
    row["iterations"] = chosen["iterations"]
    row["again_ratio"] = row["their_again_ms"] / row["our_again_ms"]
    row["first_ratio"] = row["their_first_ms"] / row["our_first_ms"]
    for other in ("sweep", "nodal"):
        if other in mine:
            row[f"{other}_ms"] = 1e3 * statistics.median(mine[other]["times_s"])
            row[f"{other}_prepare_ms"] = 1e3 * mine[other]["prepare_s"]
    if kind == "radial":
        row["peak_mb"] = ours(engine, path, phases, "memory", 1, voltages)["peak_kib"] / 1000 * 1.024
        count = max(16, min(400, 400_000 // case.n))
        each, last = case.time_their_batch(theirs["method"], count)
        mine = ours(engine, path, phases, "batch", count, voltages)["batch"]
        row["batch_apart_pu"] = compare(voltages, last, phases)
        row["their_batch_ms"], row["our_batch_ms"] = 1e3 * each, 1e3 * mine["each_s"]
        row["batch_ratio"] = each / mine["each_s"]
    return row


def missed(row):
    """What a row should have reached."""
    found = []
    floor = FLOORS.get((row["kind"], row["phases"]))
    if floor and row["again_ratio"] < floor:
        found.append(f"{row['again_ratio']:.2f}x < {floor}x")
    if row.get("batch_ratio", BATCH_FLOOR) < BATCH_FLOOR:
        found.append(f"batch {row['batch_ratio']:.2f}x < {BATCH_FLOOR}x")
    if row["phases"] == 3 and row.get("peak_mb", 0) > MOST_MEMORY_MB:
        found.append(f"{row['peak_mb']:.0f} MB > {MOST_MEMORY_MB} MB")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--kinds", default="radial,ties,mesh")
    parser.add_argument("--phases", default="1,3")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json")
    words = parser.parse_args()
    try:
        import power_grid_model  # noqa: F401
    except ImportError:
        os.execv(environment(), [str(environment()), *sys.argv])
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    engine = build()
    folder = TARGET / "beside-power-grid-model"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"power-grid-model {version('power-grid-model')}, processor time in ms, median of {words.runs}")
    print("kind    nodes ph  PGM again  ours  ratio | first PGM  ours  ratio | batch PGM  ours  ratio | MB  methods, iterations, agreement")
    rows, failures = [], []
    for kind in words.kinds.split(","):
        for n in (int(it) for it in words.sizes.split(",")):
            for phases in (int(it) for it in words.phases.split(",")):
                row = one(engine, folder, kind, n, phases, words.runs)
                rows.append(row)
                batch = [row.get(it, float("nan")) for it in ("their_batch_ms", "our_batch_ms", "batch_ratio")]
                print(
                    f"{kind:6} {row['nodes']:6} {phases:2} {row['their_again_ms']:9.3f} {row['our_again_ms']:7.3f}"
                    f" {row['again_ratio']:5.1f}x | {row['their_first_ms']:8.2f} {row['our_first_ms']:7.2f} {row['first_ratio']:4.1f}x"
                    f" | {batch[0]:8.3f} {batch[1]:7.3f} {batch[2]:5.1f}x | {row.get('peak_mb', 0):4.0f}"
                    f" {row['theirs']} / {row['ours']}, {row['iterations']}, {row['apart_pu']:.0e} pu",
                    flush=True,
                )
                failures += [f"{kind} {row['nodes']} {phases}: {it}" for it in missed(row)]
    if words.json:
        Path(words.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for failure in failures:
        print("missed:", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
