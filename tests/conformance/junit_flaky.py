"""What a foreign reader of JUnit, junitparser, sees of a flaky run, and of an expired quarantine.

The check is a program that fails once and passes then; the reader has to find a pass with its
label and the attempt before it.
"""

import os
import subprocess
import sys
import tempfile

import junitparser

from peer.bench import Comparison

HERE = os.path.dirname(os.path.abspath(__file__))
LASTMETER = os.path.abspath(os.environ.get("LASTMETER", "target/debug/lastmeter"))
SCENARIO = """format = 1
[scenario]
name = "once"
duration = "10 s"
[[source]]
name = "g"
kind = "synthetic"
[[device]]
name = "home"
at = "source:g"
model = "ideal-3ph"
[[check]]
name = "second-time"
kind = "external"
program = "check.py"
[[check]]
name = "readings-once"
kind = "no_loss"
"""
CHECK = """import json, os
ask = json.loads(input())
mark = {mark!r}
seen = os.path.exists(mark) or ask["scenario"].endswith("seed=2")
open(mark, "a").close()
print(json.dumps({{"lastmeter": 1, "verdict": "pass" if seen else "fail", "why": "by turns"}}))
"""
QUARANTINE = """[[quarantine]]
run = "once/seed=1"
owner = "meter team"
reason = "fails by turns"
until = {until}
"""


def run(folder, out, *more):
    arguments = [LASTMETER, "run", os.path.join(folder, "once.toml"), "--out", out, *more]
    return subprocess.run(arguments, capture_output=True, text=True)


def written(folder, mark):
    with open(os.path.join(folder, "once.toml"), "w") as file:
        file.write(SCENARIO)
    with open(os.path.join(folder, "check.py"), "w") as file:
        file.write(CHECK.format(mark=mark))


def read(out):
    suites = junitparser.JUnitXml.fromfile(os.path.join(out, "junit.xml"))
    return {suite.name: suite for suite in suites}


def properties(suite):
    return {it.name: it.value for it in suite.properties()}


def main():
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        written(folder, os.path.join(folder, "mark"))
        out = os.path.join(folder, "flaky")
        done = run(folder, out, "--retries", "2")
        comparison.same("a flaky run is green", done.returncode, 0)
        suite = read(out)["once"]
        comparison.same("its label", properties(suite).get("flaky"), "true")
        comparison.same("its attempts", properties(suite).get("attempts"), "2")
        comparison.same("failures", (suite.failures, suite.errors), (0, 0))
        cases = {case.name: case for case in suite}
        comparison.true("its check passes", cases["second-time"].is_passed)
        before = list(cases["second-time"]._elem)
        words = [element.tag for element in before]
        comparison.true("the attempt before is kept", "flakyFailure" in words, words)

        written(folder, os.path.join(folder, "other-mark"))
        for until, code, failures in [("2999-01-01", 0, 0), ("2020-01-01", 1, 2)]:
            mark = os.path.join(folder, "other-mark")
            if os.path.exists(mark):
                os.remove(mark)
            path = os.path.join(folder, "quarantine.toml")
            with open(path, "w") as file:
                file.write(QUARANTINE.format(until=until))
            out = os.path.join(folder, until)
            done = run(folder, out, "--seeds", "1..2", "--quarantine", path)
            comparison.same(f"a quarantine until {until}", done.returncode, code)
            suite = read(out)["once/seed=1"]
            comparison.same(f"its failures until {until}", suite.failures, failures)
    comparison.end()


if __name__ == "__main__":
    sys.exit(main())
