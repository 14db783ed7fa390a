"""What the conformance scripts share: the program under test, skips, comparisons.

A module, not a test: it lives in a folder of its own so that nobody runs it as one.
"""

import json
import math
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


def runs():
    """The folder with the results of the shipped scenarios: `library` and `twins`."""
    folder = os.environ.get("RUNS", "target/test-runs")
    for part in ("library", "twins"):
        if not os.path.isdir(os.path.join(folder, part)):
            sys.exit(f"{folder}/{part} is not there; RUNS has to name the folder of the runs")
    return folder


def example(name):
    """The path of an example, built.

    All of the workspace are built at once, as `cargo test --workspace` does: one package alone has
    other features of its dependencies, and would be compiled once more with all of them.
    """
    command = ["cargo", "build", "--workspace", "--examples", "--message-format=json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return message["executable"]
    sys.exit(f"no example is called {name}")


def call(*arguments):
    """Runs the program; returns exit code, standard output, standard error."""
    done = subprocess.run(
        [LASTMETER, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def run(*arguments, expect=0):
    """Runs the program, which has to exit with `expect`; returns its standard output."""
    code, out, err = call(*arguments)
    if code != expect:
        print(out)
        print(err)
        sys.exit(f"{' '.join(arguments)}: exit {code}, expected {expect}")
    return out


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
        error = abs(found - expected)
        self.true(
            what,
            error <= limit,
            f"{found:.9g} expected {expected:.9g} {unit} off {error:.3g} limit {limit:.3g}",
        )

    def same(self, what, found, expected):
        """Two values that have to be equal."""
        told = f"{found!r}"
        if found != expected:
            told += f", expected {expected!r}"
        self.true(what, found == expected, told[:600])

    def exact(self, what, found, expected, relative=1e-12):
        """Two figures that have to be the same number, or both be absent."""
        if found is None or expected is None:
            return self.same(what, found, expected)
        good = found == expected or math.isclose(found, expected, rel_tol=relative)
        return self.true(what, good, f"{found!r} expected {expected!r}")

    def true(self, what, good, detail=""):
        """A statement that has to hold."""
        self.count += 1
        self.failed += not good
        separator = ": " if detail != "" else ""
        print(f"{'ok  ' if good else 'FAIL'} {what}{separator}{detail}")

    def end(self):
        """Prints the count and leaves."""
        print(f"{self.count} comparisons, {self.failed} failed")
        sys.exit(0 if self.count and not self.failed else 1)
