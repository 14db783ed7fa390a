#!/usr/bin/env python3
"""A step of transients beside DPsim, in the same run, one thread each.

    sim/grid/benches/transient_beside_dpsim.py [NETWORK.dss]

Needs an interpreter that has dpsim (`target/peers/bin/python` after `tests/run`). Chains of sections of R and L
behind a source, a resistance at their end: of N nodes here, 2 N - 1 there, where R and L are elements of their own
with a node between them. Both at 50 us, processor time of a step, the median of five runs; ours with six channels
taken at each step. Ends with 1 if ours takes more than a quarter of DPsim's time for a chain of 99 nodes of ours,
which is the harder comparison, or the network named takes longer than its step.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PEER = ROOT / "tests/conformance/peer/dpsim_transient.py"
STEP_US = 50.0


def theirs(nodes):
    told = {"sections": nodes - 1, "ohm": 0.05, "henry": 1e-3, "load_ohm": 20.0, "volts": 400.0, "step_s": STEP_US / 1e6,
            "until_s": 0.1, "answer": ""}
    runs = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-P", str(PEER), json.dumps(told)], cwd=folder, check=True,
                                  capture_output=True, text=True)
        runs.append(json.loads(done.stdout.splitlines()[-1])["step_us"])
    return statistics.median(runs)


def main():
    command = ["cargo", "bench", "--quiet", "-p", "lastmeter-grid", "--bench", "transient", "--", *sys.argv[1:]]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    slow = False
    print("A switching: steps more than the same time takes without it, median (worst) of 60 faults all over the network:")
    print("at the beginning of a step, within one, at the zero of a current.")
    print(f"{'network':<10} {'nodes':>6} {'us a step':>10} {'DPsim':>8} {'ratio':>6} {'a switching costs':>32}")
    for row in json.loads(done.stdout.splitlines()[-1]):
        other = theirs(row["nodes"]) if row["network"].startswith("chain") else None
        ratio = other / row["step_us"] if other else None
        shown = (f"{other:8.2f}", f"{ratio:6.1f}") if other else (f"{'-':>8}", f"{'-':>6}")
        ways = [row[way]["more_steps"] for way in ("at_once", "within", "at_zero")]
        costs = ", ".join(f"{middle:.1f} ({worst:.1f})" for middle, worst in ways)
        print(f"{row['network']:<10} {row['nodes']:>6} {row['step_us']:>10.2f} {' '.join(shown)} {costs:>32}")
        slow |= bool(ratio and row["nodes"] == 99 and ratio < 4) or (not other and row["step_us"] > STEP_US)
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
