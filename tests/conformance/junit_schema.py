"""Every junit.xml against junit.xsd: Jenkins' junit-10 with `properties` in `testcase`.

Also what readers of it show: times that add up to the run's, when and where it ran, what the
command line changed, and one error for a file that is broken.
"""

import datetime
import glob
import json
import os
import shutil
import sys
import tempfile
import xml.etree.ElementTree as xml

import xmlschema

from peer.bench import Comparison, call, runs
from peer.record import Run

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIO = os.path.join(HERE, "..", "..", "scenarios", "library", "reporting-period.toml")
# What must not be accepted: (what, a text of the file, its replacement).
CONTROLS = [
    ("an attribute that junit-10 does not have", "<testsuites ", '<testsuites skipped="0" '),
    ("an attribute of other dialects", "<testsuite ", '<testsuite disabled="0" '),
    ("a time that is no number", 'time="', 'time="about '),
    ("a property without value", "<property name=", "<property nom="),
    ("an element that nobody knows", "</testcase>", "<verdict/></testcase>"),
    ("a test case beside the suites", "</testsuites>", '<testcase name="x"/></testsuites>'),
]


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def properties(element):
    return [(p.attrib["name"], p.attrib["value"]) for p in element.findall("properties/property")]


def group_is_its_run(comparison, name, group, run):
    """Time, timestamp and host are those of the record, and the cases' times add up."""
    facts = run.facts
    took = (moment(facts["ended"]) - moment(facts["started"])).total_seconds()
    cases = [float(case.attrib["time"]) for case in group.findall("testcase")]
    total = float(group.attrib["time"])
    comparison.close(f"{name}: time of the suite", total, took, 0.001, "s")
    # Each is rounded to a millisecond.
    comparison.close(f"{name}: times of its cases", sum(cases), took, 0.001 * len(cases), "s")
    comparison.same(f"{name}: timestamp", moment(group.attrib["timestamp"]), moment(facts["started"]))
    comparison.same(f"{name}: hostname", group.attrib["hostname"], facts["host"]["name"])


def shipped(comparison, schema):
    root = runs()
    files = sorted(glob.glob(os.path.join(root, "*", "**", "junit.xml"), recursive=True))
    invalid = [file for file in files if not schema.is_valid(file)]
    comparison.true(f"{len(files)} files are valid", files and not invalid, invalid[:3])
    for file in files:
        folder = os.path.dirname(file)
        if os.path.exists(os.path.join(folder, "run.json")):
            group = xml.parse(file).getroot().find("testsuite")
            group_is_its_run(comparison, os.path.relpath(folder, root), group, Run(folder))
    for suite in ("library", "twins"):
        with open(os.path.join(root, suite, "suite.json"), encoding="utf-8") as told:
            entries = json.load(told)["runs"]
        groups = xml.parse(os.path.join(root, suite, "junit.xml")).getroot().findall("testsuite")
        for group, entry in zip(groups, entries, strict=True):
            run = Run(os.path.join(root, suite, entry["folder"]))
            group_is_its_run(comparison, f"{suite}/junit.xml {entry['scenario']}", group, run)
            comparison.same(
                f"{suite}/junit.xml {entry['scenario']}: reason",
                [value for name, value in properties(group) if name == "reason"],
                [entry["reason"]],
            )
    return files[0]


def controls(comparison, schema, file):
    """The schema refuses what it has to."""
    with open(file, encoding="utf-8") as told:
        text = told.read()
    for what, old, new in CONTROLS:
        comparison.true(f"the file has {old!r}", old in text, text[:200])
        changed = text.replace(old, new, 1)
        comparison.true(f"{what} is refused", not schema.is_valid(changed), changed[:200])


def broken_and_overridden(comparison, schema):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(SCENARIO, os.path.join(folder, "whole.toml"))
        with open(os.path.join(folder, "broken.toml"), "w", encoding="utf-8") as file:
            file.write('format = 1\n[scenario]\nname = "<&>"\n')
        out = os.path.join(folder, "out")
        code, _, err = call("run", folder, "--out", out, "--seed", "4711")
        comparison.same("a folder with a broken file exits with", code, 2)
        comparison.true("it says that the rest runs", "the rest runs" in err, err[-300:])
        file = os.path.join(out, "junit.xml")
        comparison.true("its junit.xml is valid", schema.is_valid(file), out)
        groups = xml.parse(file).getroot().findall("testsuite")
        comparison.same("its suites", len(groups), 2)
        broken, whole = groups
        comparison.same("errors of the broken file", broken.attrib["errors"], "1")
        case = broken.find("testcase")
        why = case.find("error").attrib["message"]
        comparison.true("it says why", "the scenario has no checks" in why, why)
        comparison.true("and in one word", ("reason", "file-broken") in properties(case), case)
        changed = [value for name, value in properties(whole) if name == "override"]
        comparison.same("what was changed", changed, ["scenario.seed = 4711 (was 2027)"])


def main():
    comparison = Comparison()
    schema = xmlschema.XMLSchema(os.path.join(HERE, "junit.xsd"))
    file = shipped(comparison, schema)
    controls(comparison, schema, file)
    broken_and_overridden(comparison, schema)
    comparison.end()


if __name__ == "__main__":
    sys.exit(main())
