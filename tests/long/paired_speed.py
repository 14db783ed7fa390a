#!/usr/bin/env python3
"""Times this build beside another, in turns, and says which slowdown the pairs exclude.

    paired_speed.py OTHER --library-other FOLDER [--library-here scenarios/library]
                    [--pairs 15] [--here target/release/lastmeter]

Four jobs: fifty meters that send a reading a second for four minutes through broker, journal and
store; the measurement of ten minutes of three phases; and the scenarios `first-light` and `storm` of
the library, the plant step of the latter included. Each program runs the files of its own library,
since an older one need not read what a newer one does. The machine's speed drifts, so each pair is
judged by itself, and the median of the ratios is printed with the interval that holds it in 95 of 100
cases by the sign test. Exit 1 if a slowdown above 5 % of the processor time cannot be excluded for each
of the jobs.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

MOST = 1.05
OF_LIBRARY = ("first-light", "storm")
METERS, SECONDS = 50, 240


def scenario():
    text = (
        'format = 1\n[scenario]\nname = "throughput"\nstart = 2027-01-18T17:00:00Z\n'
        f'duration = "{SECONDS} s"\nseed = 1\n'
        '[[source]]\nname = "mains"\nkind = "synthetic"\npower_factor = 0.9\n'
    )
    for meter in range(1, METERS + 1):
        text += (
            f'[[device]]\nname = "meter-{meter}"\nat = "source:mains"\nmodel = "stpm34-3ph"\n'
            'fidelity = "windows"\nreport_every = "1 s"\ntotals_only = true\n'
        )
    return text + '[[check]]\nname = "once"\nkind = "no_loss"\n'


def recording(path):
    """Ten minutes of three voltages and currents at 6.4 kS/s, as text."""
    rate, cycles = 6400, 50
    # One second over and over: 50 cycles of it are whole.
    rows = []
    for sample in range(rate):
        values = []
        for peak, shift in ((325.0, 0.0), (14.0, 0.5)):
            for phase in range(3):
                angle = 2 * math.pi * (cycles * sample / rate - phase / 3) - shift
                values.append(peak * (math.sin(angle) + 0.05 * math.sin(5 * angle)))
        rows.append("".join(f",{value:.4f}" for value in values) + "\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write("time_s,u1,u2,u3,i1,i2,i3\n")
        for second in range(600):
            file.writelines(f"{second + sample / rate:.8f}{row}" for sample, row in enumerate(rows))


def took(command):
    """Wall and processor seconds of a process."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(command)}: exit {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime


def interval(ratios):
    """Ranks around the median that hold it with at least 95 % (sign test)."""
    ordered, n = sorted(ratios), len(ratios)
    below, rank = 0.0, 0
    while rank < n // 2 and below + math.comb(n, rank) / 2**n <= 0.025:
        below += math.comb(n, rank) / 2**n
        rank += 1
    low = max(rank - 1, 0)
    return ordered[low], ordered[n - 1 - low]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--here", default="target/release/lastmeter")
    parser.add_argument("--library-here", default="scenarios/library", metavar="FOLDER")
    parser.add_argument("--library-other", required=True, metavar="FOLDER")
    asked = parser.parse_args()
    sides = {
        "here": (asked.here, asked.library_here),
        "other": (asked.other, asked.library_other),
    }
    is_good = True
    with tempfile.TemporaryDirectory() as folder:
        file, samples = os.path.join(folder, "throughput.toml"), os.path.join(folder, "samples.csv")
        with open(file, "w", encoding="utf-8") as opened:
            opened.write(scenario())
        recording(samples)
        run = 0

        def job(side, name):
            nonlocal run
            run += 1
            program, library = sides[side]
            if name == "measure":
                return [program, "measure", samples]
            ran = os.path.join(library, f"{name}.toml") if name in OF_LIBRARY else file
            return [program, "run", ran, "--out", os.path.join(folder, str(run))]

        print("| job | figure | here, s | other, s | ratio | 95 % of it |\n|---|---|---|---|---|---|")
        for name in ("throughput", "measure", *OF_LIBRARY):
            pairs = []
            for number in range(-1, asked.pairs):
                order = sides if number % 2 else reversed(sides)
                found = {side: took(job(side, name)) for side in order}
                # The first warms up.
                if number >= 0:
                    pairs.append([found[side] for side in sides])
            for index, figure in enumerate(("wall", "processor")):
                here = [pair[0][index] for pair in pairs]
                other = [pair[1][index] for pair in pairs]
                ratios = [a / b for a, b in zip(here, other)]
                low, high = interval(ratios)
                is_good &= figure == "wall" or high <= MOST
                print(
                    f"| {name} | {figure} | {statistics.median(here):.2f} | "
                    f"{statistics.median(other):.2f} | {statistics.median(ratios):.3f} | "
                    f"{low:.3f} to {high:.3f} |", flush=True,
                )
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
