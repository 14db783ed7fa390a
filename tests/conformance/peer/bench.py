"""What the conformance scripts share: the program under test, skips, comparisons.

Not a test itself: it does nothing when run.
"""

import json
import os
import subprocess
import sys

LASTMETER = os.path.abspath(os.environ.get("LASTMETER", "target/release/lastmeter"))


def recordings():
    """The folder of recordings; without it the script is skipped, with the reason."""
    folder = os.environ.get("LASTMETER_RECORDINGS", "")
    if not os.path.isdir(folder):
        print("LASTMETER_RECORDINGS names no folder with recordings")
        sys.exit(77)
    return folder


def run(*arguments, expect=0):
    """Runs the program; returns what it wrote to standard output."""
    done = subprocess.run(
        [LASTMETER, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != expect:
        print(done.stdout)
        print(done.stderr)
        sys.exit(f"{' '.join(arguments)}: exit {done.returncode}, expected {expect}")
    return done.stdout


def measure(file, *arguments):
    """`lastmeter measure` as JSON."""
    return json.loads(run("measure", file, "--format", "json", *arguments))


class Comparison:
    """Counts comparisons; ends the script with 1 if one of them was off, or if there was none."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def close(self, what, found, expected, limit, unit=""):
        """Compares two numbers; `limit` is absolute, in their unit."""
        self.count += 1
        error = abs(found - expected)
        good = error <= limit
        self.failed += not good
        word = "ok  " if good else "FAIL"
        print(f"{word} {what}: {found:.9g} expected {expected:.9g} {unit} off {error:.3g} limit {limit:.3g}")

    def true(self, what, good, detail=""):
        """A statement that has to hold."""
        self.count += 1
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {what} {detail}")

    def end(self):
        """Prints the count and leaves."""
        print(f"{self.count} comparisons, {self.failed} failed")
        sys.exit(0 if self.count and not self.failed else 1)
