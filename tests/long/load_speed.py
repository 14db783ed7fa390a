#!/usr/bin/env python3
"""Times `validate` of each scenario of the library, and `list scenarios` of all with their twins.

    load_speed.py [--here target/release/lastmeter] [--library scenarios/library] [--rounds 3]

Reading a scenario solves nothing, so both are quick whatever network a scenario has. Of each the least of
so many rounds counts, start of the program included. Prints the slowest ten; exit 1 if one takes longer
than 0.2 s, or the list longer than 1 s.
"""

import argparse
import pathlib
import subprocess
import sys
import time

EACH_S, LIST_S, SHOWN = 0.2, 1.0, 10


def took(command, rounds):
    """The least wall time of a command that ends well."""
    times = []
    for _ in range(rounds):
        begin = time.monotonic()
        done = subprocess.run(command, capture_output=True, check=False)
        times.append(time.monotonic() - begin)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode()}")
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--here", default="target/release/lastmeter")
    parser.add_argument("--library", default="scenarios/library")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    files = sorted(pathlib.Path(asked.library).glob("**/*.toml"))
    files = [str(file) for file in files if "must-fail" not in file.parts]
    each = [(took([asked.here, "validate", file], asked.rounds), file) for file in files]
    each.sort(reverse=True)
    for seconds, file in each[:SHOWN]:
        print(f"{seconds:6.3f} s  validate {file}")
    listed = took([asked.here, "list", "scenarios", asked.library], asked.rounds)
    print(f"{listed:6.3f} s  list scenarios {asked.library}")
    print(f"{len(each)} scenarios, the slowest {each[0][0]:.3f} s (at most {EACH_S}), "
          f"the list {listed:.3f} s (at most {LIST_S})")
    return int(each[0][0] > EACH_S or listed > LIST_S)


if __name__ == "__main__":
    sys.exit(main())
