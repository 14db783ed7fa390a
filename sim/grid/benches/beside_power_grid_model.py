#!/usr/bin/env python3
"""Power flow and short circuits beside power-grid-model, in the same run, one thread each.

    sim/grid/benches/beside_power_grid_model.py [--kinds radial,ties,mesh,faults]
        [--sizes 1000,10000,100000] [--phases 1,3] [--runs 5] [--limit 60] [--json FILE]

Installs power-grid-model 1.12.110 into an environment of its own under the target folder (unless the
interpreter has it), builds the bench, and hands both the same networks: 10 kV, n/300 feeders (at least
4), laterals with a probability of 0.12, sections of 0.05 to 0.3 km, a load of constant power at each
node, the lowest voltage about 0.945 pu, node numbers scrambled. `ties` adds 2 % of lines between
neighbouring feeders, `mesh` is a lattice; `faults` puts a short circuit at every node of a radial
network of 10,000 nodes, one at a time: of three phases (1), and from one phase to earth (3). Both sides
solve to 1e-8 pu and give the voltages of all nodes; power-grid-model by whichever of Newton and
iterative current is faster and converges, figure by figure.

Times are processor time: the median of the runs, and from the least to the most. Reading is left out
on both sides.

    set-up and solution   from the description in memory to the voltages: the model is constructed and
                          calculated here, the circuit made, prepared and solved there; what was made
                          before is given back after the next is there, on both sides
    again                 a solution with all of that known, on both sides
    batch                 96 solutions with other loads, set-up counted once; for each of them. Both
                          sides use 30 kB for each node, and give them back, before their clocks
                          begin: what the host of a virtual machine takes to hand out fresh pages is
                          neither side's
    faults                a fault at every node, set-up counted once; power-grid-model in a batch, of
                          as many as it does in the limit

Memory is the most that our process had: program, network, circuit and solution. What power-grid-model
does not solve, or not within the limit, is told and not compared. Voltages have to agree to 1e-7 pu,
currents of faults to 1e-6 of themselves. Ends with 1 if a floor is missed: with set-up 4x (1 phase) and
6x (3) radial, 2x with ties, 0.5x in a mesh; batch 8x, faults 20x, 100 MB for 100,000 nodes of 3 phases.
"""

import argparse
import json
import multiprocessing
import os
import resource
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
METHODS = ("iterative_current", "newton_raphson")
# Least ratio with set-up counted once, by kind and phases.
FLOORS = {("radial", 1): 4, ("radial", 3): 6, ("ties", 1): 2, ("ties", 3): 2, ("mesh", 1): 0.5, ("mesh", 3): 0.5}
BATCH_FLOOR = 8
FAULTS_FLOOR = 20
FAULTS_NODES = 10_000
MOST_MEMORY_MB = 100
TOUCHED_BYTES_PER_NODE = 30_000
MEMORY_NODES = 100_000
# So that a network which fills in is told, and the machine lives on.
MOST_PEER_BYTES = 12 << 30


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
    """Pairs of nodes. Node 0 has the source."""
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


def limited(limit, work, *words):
    """What `work` returns, computed in a process of its own; a text if it fails or takes too long."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(False)

    def run():
        resource.setrlimit(resource.RLIMIT_AS, (MOST_PEER_BYTES, MOST_PEER_BYTES))
        try:
            sender.send(work(*words))
        except Exception as error:  # pylint: disable=broad-except
            sender.send(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")

    child = context.Process(target=run, daemon=True)
    child.start()
    sender.close()
    try:
        return receiver.recv() if receiver.poll(limit) else f"more than {limit:.0f} s"
    except EOFError:
        return "it ended without a result"
    finally:
        child.kill()
        child.join()


class Case:
    """A network, for power-grid-model and as a file."""

    def __init__(self, kind, n, phases, engine, folder):
        import numpy as np

        draw = np.random.default_rng(20261120 + n + phases)
        self.phases = phases
        self.n, pairs = edges_of(kind, n, draw)
        scramble = draw.permutation(self.n)
        ends = scramble[np.array(pairs)]
        self.ends = ends[draw.permutation(len(ends))]
        km = draw.uniform(0.05, 0.3, len(ends))
        self.z1 = np.outer(km, [0.125, 0.11])
        self.z0 = np.outer(km, [0.5, 0.4])
        self.source = int(scramble[0])
        p = draw.uniform(2e3, 20e3, (self.n, 3))
        if phases == 1:
            p[:] = p[:, :1]
        self.load = np.stack([p, p * draw.uniform(0.2, 0.4, (self.n, 1))], axis=2)
        size = VOLTS**2 / 1e10
        self.zs = (0.1 * size / 1.01**0.5, size / 1.01**0.5)
        self.engine, self.path, self.figures = engine, folder / "network.bin", folder / "figures.bin"
        self.write()
        self.load *= self.ours("scale", 1, 600)["factor"]
        self.write()

    def write(self):
        import numpy as np

        lines = np.zeros(len(self.ends), dtype=[("ends", "<u4", 2), ("z", "<f8", 4)])
        lines["ends"] = self.ends
        lines["z"] = np.hstack([self.z1, self.z0])
        loads = np.zeros(self.n, dtype=[("node", "<u4"), ("s", "<f8", 6)])
        loads["node"] = np.arange(self.n)
        loads["s"] = self.load.reshape(self.n, 6)
        with open(self.path, "wb") as file:
            file.write(np.array([self.n, len(lines), self.n, self.source], dtype="<u4").tobytes())
            file.write(np.array([*self.zs, *self.zs], dtype="<f8").tobytes())
            file.write(lines.tobytes())
            file.write(loads.tobytes())

    def ours(self, what, runs, limit):
        command = [self.engine, self.path, str(self.phases), what, str(runs), self.figures]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=limit)
        return json.loads(done.stdout)

    def our_figures(self, columns):
        import numpy as np

        return np.fromfile(self.figures, dtype="<f8").view(complex).reshape(-1, columns)

    def description(self):
        """The input of power-grid-model."""
        import numpy as np
        from power_grid_model import LoadGenType, initialize_array

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
        load["p_specified"], load["q_specified"] = self.powers()
        return {"node": node, "line": line, "source": source, kind: load}

    def powers(self):
        load = self.load if self.phases == 3 else self.load.sum(axis=1)
        return load[..., 0], load[..., 1]

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


def phasors(node):
    import numpy as np

    return node["u_pu"] * np.exp(1j * node["u_angle"])


def their_single(case, method, runs, limit):
    """Times with set-up, times again, voltages."""
    from power_grid_model import PowerGridModel

    description = case.description()
    start, first, again = time.monotonic(), [], []
    # Half of the time for each, and as many as there is time for.
    while len(first) < runs and (not first or time.monotonic() - start < 0.4 * limit):
        begin = time.process_time()
        model = PowerGridModel(description)
        node = case.solve(model, method)
        first.append(time.process_time() - begin)
    while len(again) < runs and (not again or time.monotonic() - start < 0.8 * limit):
        begin = time.process_time()
        node = case.solve(model, method)
        again.append(time.process_time() - begin)
    return first, again, phasors(node)


def their_batch(case, method, count):
    """Time for each solution, and the last one's voltages."""
    import numpy as np
    from power_grid_model import PowerGridModel, initialize_array

    kind = "sym_load" if case.phases == 1 else "asym_load"
    update = initialize_array("update", kind, (count, case.n))
    update["id"] = 6_000_000 + np.arange(case.n)
    at, number = np.arange(case.n), np.arange(count)[:, None]
    factor = 0.8 + 0.4 * ((at * 7919 + number * 104729) % 1000) / 1000
    if case.phases == 3:
        factor = factor[..., None]
    p, q = case.powers()
    update["p_specified"], update["q_specified"] = p * factor, q * factor
    description = case.description()
    del factor, at
    np.ones(case.n * TOUCHED_BYTES_PER_NODE, dtype=np.uint8)
    begin = time.process_time()
    model = PowerGridModel(description)
    node = case.solve(model, method, update_data={kind: update}, threading=-1)
    return (time.process_time() - begin) / count, phasors(node[-1])


def their_faults(case, count):
    """Time for each fault, and the currents of the first phase."""
    import numpy as np
    from power_grid_model import FaultPhase, FaultType, PowerGridModel, ShortCircuitVoltageScaling, initialize_array

    description = case.description()
    fault = initialize_array("input", "fault", 1)
    fault["id"], fault["status"], fault["fault_object"], fault["r_f"], fault["x_f"] = 9_000_000, 1, 0, 0, 0
    fault["fault_type"] = FaultType.three_phase if case.phases == 1 else FaultType.single_phase_to_ground
    fault["fault_phase"] = FaultPhase.abc if case.phases == 1 else FaultPhase.a
    description["fault"] = fault
    update = initialize_array("update", "fault", (count, 1))
    update["id"], update["status"] = 9_000_000, 1
    update["fault_object"][:, 0] = np.arange(count)
    begin = time.process_time()
    model = PowerGridModel(description)
    found = model.calculate_short_circuit(
        update_data={"fault": update},
        threading=-1,
        short_circuit_voltage_scaling=ShortCircuitVoltageScaling.maximum,
        output_component_types={"fault"},
    )["fault"]
    each = (time.process_time() - begin) / count
    return each, (found["i_f"] * np.exp(1j * found["i_f_angle"]))[:, 0, 0]


def build():
    command = ["cargo", "bench", "-p", "lastmeter-grid", "--bench", "beside_power_grid_model", "--no-run"]
    done = subprocess.run([*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    built = [json.loads(line) for line in done.stdout.splitlines()]
    name = lambda it: it.get("target", {}).get("name")
    return next(it["executable"] for it in built if name(it) == "beside_power_grid_model" and it.get("executable"))


def shown(times):
    """A median in ms, and the range."""
    low, middle, high = (1e3 * it for it in (min(times), statistics.median(times), max(times)))
    return f"{middle:9.3f} ({low:.3g} to {high:.3g})"


def compare(mine, theirs, most, what):
    apart = float(abs(mine - theirs).max())
    if not apart < most:
        raise SystemExit(f"{what} differ by {apart}")
    return apart


class Table:
    """What was found, told line by line."""

    def __init__(self):
        self.rows, self.missed, self.alone = [], [], []

    def row(self, name, what, theirs, ours, floor, more=""):
        """A ratio of times, each a list; a text instead of theirs if there are none."""
        row = {"case": name, "what": what, "ours_s": ours, "theirs_s": theirs, "floor": floor}
        self.rows.append(row)
        if isinstance(theirs, str):
            self.alone.append(f"{name}, {what}: power-grid-model: {theirs}")
            print(f"{name:19} {what:22} {'-':>30} {shown(ours):>30}      -  {theirs}", flush=True)
            return
        ratio = statistics.median(theirs) / statistics.median(ours)
        asked = ""
        if floor is not None:
            asked = f" >= {floor}x" if ratio >= floor else f" <  {floor}x MISSED"
            if ratio < floor:
                self.missed.append(f"{name}, {what}: {ratio:.2f}x, expected {floor}x")
        row["ratio"] = ratio
        print(f"{name:19} {what:22} {shown(theirs):>30} {shown(ours):>30} {ratio:6.1f}x{asked}  {more}", flush=True)


def flow(table, case, kind, words):
    """The rows of a network."""
    name = f"{kind} {case.n} {'balanced' if case.phases == 1 else 'unbalanced'}"
    mine = case.ours("single", words.runs, 600)
    voltages = case.our_figures(case.phases)
    found, told = {}, {}
    for method in METHODS:
        theirs = limited(words.limit, their_single, case, method, words.runs, words.limit)
        (told if isinstance(theirs, str) else found)[method] = theirs
    # Again, so that whatever else the machine does meets both sides.
    more = case.ours("single", words.runs, 600)
    floor = FLOORS[kind, case.phases]
    for what, at, key, asked in (("set-up and solution", 0, "first_s", floor), ("again", 1, "again_s", None)):
        theirs = "; ".join(f"{method}: {why}" for method, why in told.items())
        note = ""
        if found:
            method = min(found, key=lambda it: statistics.median(found[it][at]))
            theirs = found[method][at]
            apart = compare(voltages, found[method][2].reshape(-1, case.phases), 1e-7, f"{name}: voltages (pu)")
            note = f"{method} / {mine['method']}, {mine['iterations']} iterations, {apart:.0e} pu apart"
        table.row(name, what, theirs, mine[key] + more[key], asked, note)
    for method, why in told.items():
        if found:
            table.alone.append(f"{name}: power-grid-model, {method}: {why}")
    if kind == "radial" or (kind == "mesh" and case.n < 50_000):
        batch(table, case, name, found, words, BATCH_FLOOR if kind == "radial" else None)
    if kind == "radial":
        memory(table, case, name)


def batch(table, case, name, found, words, floor):
    # A day of quarter hours.
    count, runs = 96, 3
    theirs = "does not solve one alone"
    if found:
        method = min(found, key=lambda it: statistics.median(found[it][1]))
        found_all = [limited(2 * words.limit, their_batch, case, method, count) for _ in range(runs)]
        theirs = next((it for it in found_all if isinstance(it, str)), None) or [each for each, _ in found_all]
    ours = [case.ours("batch", count, 600) for _ in range(runs)]
    if floor and any(it["swept"] != count for it in ours):
        raise SystemExit(f"{name}: not all cases were swept")
    ours = [it["each_s"] for it in ours]
    if not isinstance(theirs, str):
        last = found_all[-1][1].reshape(-1, case.phases)
        compare(case.our_figures(case.phases), last, 1e-7, f"{name}, batch: voltages (pu)")
    table.row(name, f"batch of {count}, each", theirs, ours, floor)


def memory(table, case, name):
    found = case.ours("memory", 1, 600)
    described, peak = (found[it] * 1024 / 1e6 for it in ("described_kib", "peak_kib"))
    must = case.n == MEMORY_NODES and case.phases == 3
    asked = f" <= {MOST_MEMORY_MB} MB" if must else ""
    print(f"{name:19} memory: {peak:.1f} MB{asked} with program, network, circuit and solution, {described:.1f} before solving")
    table.rows.append({"case": name, "what": "memory", "peak_mb": peak, "described_mb": described})
    if must and peak > MOST_MEMORY_MB:
        table.missed.append(f"{name}: {peak:.1f} MB, expected at most {MOST_MEMORY_MB} MB")


def faults(table, case, words):
    name = f"faults {case.n} {'three phases' if case.phases == 1 else 'one to earth'}"
    total = case.ours("faults", words.runs, 600)["times_s"]
    mine = case.our_figures(1)[:, 0]
    # As many as there is time for, by what a few take.
    some = limited(words.limit, their_faults, case, 20)
    theirs, note = some, ""
    if not isinstance(some, str):
        count = min(case.n, max(20, int(0.4 * words.limit / some[0])))
        theirs = limited(words.limit, their_faults, case, count)
    if not isinstance(theirs, str):
        each, currents = theirs
        apart = compare(mine[: len(currents)] / currents, 1.0, 1e-6, f"{name}: currents")
        note = f"{len(currents)} of {case.n} nodes there, {apart:.0e} apart"
        theirs = [each]
    table.row(name, "each", theirs, [it / case.n for it in total], FAULTS_FLOOR, note)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kinds", default="radial,ties,mesh,faults")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--phases", default="1,3")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=float, default=60, help="seconds for each of the peer's calculations")
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
    print(f"power-grid-model {version('power-grid-model')}; processor time in ms, median (least to most)")
    print(f"{'case':19} {'what':22} {'power-grid-model':>30} {'this':>30}   ratio")
    table = Table()
    for kind in words.kinds.split(","):
        sizes = [FAULTS_NODES] if kind == "faults" else [int(it) for it in words.sizes.split(",")]
        for n in sizes:
            for phases in (int(it) for it in words.phases.split(",")):
                case = Case("radial" if kind == "faults" else kind, n, phases, engine, folder)
                if kind == "faults":
                    faults(table, case, words)
                else:
                    flow(table, case, kind, words)
    if words.json:
        Path(words.json).write_text(json.dumps(table.rows, indent=1) + "\n", encoding="utf-8")
    for line in table.alone:
        print("not compared:", line)
    for line in table.missed:
        print("missed:", line)
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
