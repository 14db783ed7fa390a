"""The recipe docs/examples/shards-parallel: a suite in four parts by GNU parallel is the suite of one process."""

import os
import shutil
import subprocess
import sys
import tempfile

from peer.bench import LASTMETER, Comparison
from peer.shards import CASES, EXAMPLES, SCENARIO, VARIED, same_suite, shards_are_parts, whole_suite

RECIPE = os.path.join(EXAMPLES, "shards-parallel")


def recipe(out, *arguments):
    environment = {**os.environ, "LASTMETER": LASTMETER, "JOBS": "2"}
    return subprocess.run(
        [RECIPE, "4", out, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def main():
    shown = (
        shutil.which("parallel")
        and subprocess.run(
            ["parallel", "--version"], capture_output=True, text=True, check=False
        ).stdout.splitlines()[0]
    )
    if not shown or not shown.startswith("GNU parallel"):
        print("GNU parallel is not installed (tests/setup parallel)")
        sys.exit(77)
    print(shown)
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        whole, out = os.path.join(folder, "whole"), os.path.join(folder, "parts")
        whole_suite(comparison, whole, [SCENARIO])
        done = recipe(out, SCENARIO, *VARIED)
        comparison.same("the recipe exits as the suite does", done.returncode, 1)
        shards_are_parts(comparison, [os.path.join(out, f"shard-{number}") for number in range(1, 5)])
        same_suite(comparison, whole, os.path.join(out, "merged"), CASES)
        # What GNU parallel makes of a part that did not run is its own affair; merge notices.
        shutil.rmtree(os.path.join(out, "shard-3"))
        shutil.rmtree(os.path.join(out, "merged"))
        others = [os.path.join(out, f"shard-{number}") for number in (1, 2, 4)]
        done = subprocess.run(
            [LASTMETER, "merge", *others, "--out", os.path.join(out, "merged")],
            capture_output=True,
            text=True,
            check=False,
        )
        comparison.same("without a part merge exits with", done.returncode, 2)
        comparison.true("and names it", "shard 3/4 is missing" in done.stderr, done.stderr)
        done = recipe(os.path.join(folder, "wrong"), SCENARIO, "--seeds", "5..1")
        comparison.true("a wrong command line is no verdict", done.returncode in (2, 3), done.returncode)
        comparison.true("and its error is shown", "--seeds" in done.stderr, done.stderr[-300:])
    comparison.end()


if __name__ == "__main__":
    main()
