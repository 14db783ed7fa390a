"""What a suite and its joined shards have to have in common, and the suite that the scripts share.

python3 shards.py WHOLE MERGED    compares two suite folders
"""

import json
import os
import sys
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from peer.bench import Comparison, call  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SCENARIO = os.path.join(ROOT, "scenarios", "library", "energy-reversal.toml")
EXAMPLES = os.path.join(ROOT, "docs", "examples")
# Forty cases, or as many more as tests/long asks for, some of which fail their limit; there are blanks and
# commas in what has to reach the program.
SEEDS = int(os.environ.get("SEEDS", "2"))
VARIED = [
    "--vary", "device.meter.current_gain_error=0 %,0.1 %,0.15 %,0.3 %",
    "--vary", "source.grid.power_factor=1,0.9,0.8,0.6,0.5",
    "--seeds", f"1..{SEEDS}",
]  # fmt: skip
CASES = 4 * 5 * SEEDS
COMPARED = ["verdicts.json", "observations.csv", "events.jsonl"]
OF_THE_MACHINE = ("time", "timestamp", "hostname")


def whole_suite(comparison, out, paths):
    """The suite without shards."""
    code, _, err = call("run", *paths, *VARIED, "--jobs", "2", "--out", out)
    comparison.true("the whole suite exits with 1, for some cases fail", code == 1, err[-300:])


def without_times(element):
    """An element of JUnit as plain values, without times and hosts."""
    kept = {name: value for name, value in element.attrib.items() if name not in OF_THE_MACHINE}
    text = (element.text or "").strip()
    return element.tag, kept, text, [without_times(child) for child in element]


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def same_suite(comparison, whole, merged, count=None):
    """The three compared files of every case to the byte, and what is on top of them."""
    one, other = (json.loads(read(folder, "suite.json")) for folder in (whole, merged))
    comparison.same(
        "suite.json: shards of the whole and of the merged suite",
        [one["shard"], other["shard"]],
        [None, None],
    )
    comparison.true("suite.json is the same", one == other, f"{len(one['runs'])} runs")
    runs = other["runs"]
    comparison.same("cases", len(runs), count or len(one["runs"]))
    comparison.same("their statuses", sorted({run["status"] for run in runs}), ["fail", "pass"])
    comparison.same("summary.md", read(merged, "summary.md").decode(), read(whole, "summary.md").decode())
    reports = [xml.fromstring(read(folder, "junit.xml")) for folder in (whole, merged)]
    comparison.true(
        "junit.xml is the same without times and hosts",
        without_times(reports[0]) == without_times(reports[1]),
    )
    for run in runs:
        differ = [
            name
            for name in COMPARED
            if read(os.path.join(whole, run["folder"]), name)
            != read(os.path.join(merged, run["folder"]), name)
        ]
        comparison.same(f"{run['scenario']}: files that differ", differ, [])


def shards_are_parts(comparison, folders):
    """Each of them ran some of the cases, and no other did."""
    runs = [[run["scenario"] for run in json.loads(read(folder, "suite.json"))["runs"]] for folder in folders]
    comparison.true("each shard has cases", all(runs), [len(each) for each in runs])
    comparison.same("cases of all shards", len({name for each in runs for name in each}), sum(map(len, runs)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("shards.py: expected WHOLE MERGED")
    compared = Comparison()
    same_suite(compared, *sys.argv[1:])
    compared.end()
