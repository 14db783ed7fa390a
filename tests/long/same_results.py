"""Two builds of lastmeter give the same results for every scenario that runs in virtual time.

    same_results.py BEFORE AFTER [--exact] [--without FIELD]... [--library-before FOLDER]
        [--library-after FOLDER] [--set-after KEY=VALUE]... [--runs FOLDER]

BEFORE and AFTER are the two programs, each of which runs every scenario of its library and every
must-fail twin; a twin is compared under its name, wherever it is described. In place of a program
stands a folder with such runs, as `tests/run` leaves it in target/test-runs: its runs in real time
are passed over, and counted. Then
`observations.csv`, `events.jsonl` and `verdicts.json` of each run are compared, and the exit codes
of runs and of the whole. With `--exact` all three files have to be identical to the byte. Without it
the prose in them may differ (the fields of PROSE), nothing else may. A field of events that
`--without` names is left out before they are compared, at any depth; verdicts are compared whole.
Runs are kept in `--runs` and not run again for the same program and library. With `--set-after` the
runs after are with these overrides, such as `platform.store="postgres"`, for which the variable
LASTMETER_POSTGRES names a database.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

# What people read: sentences, in events and in verdicts.
PROSE = {
    "events.jsonl": {"detail"},
    "verdicts.json": {"why", "told"},
}
FILES = ("observations.csv", "events.jsonl", "verdicts.json")


def jobs_of(program: pathlib.Path, options: list) -> list:
    """The option that runs two scenarios beside one another, if the program has it."""
    help_text = subprocess.run([program, "run", "--help"], capture_output=True, text=True).stdout
    jobs = ["--jobs", "2"] if "--jobs" in help_text else []
    # Controls are runs of the library, shortened.
    without = ["--controls", "none"] if "--must-fail" in options and "--controls" in help_text else []
    return jobs + without


def run_all(program: pathlib.Path, library: pathlib.Path, change: list, runs: pathlib.Path) -> pathlib.Path:
    """Runs the library and its twins; gives the folder of runs. A folder of runs is taken as it is."""
    if program.is_dir():
        return program
    digest = hashlib.sha256(program.read_bytes())
    for path in sorted(library.rglob("*.toml")):
        digest.update(path.read_bytes())
    # With recordings more of it runs.
    digest.update(os.environ.get("LASTMETER_RECORDINGS", "").encode())
    digest.update("".join(change).encode())
    folder = runs / digest.hexdigest()[:16]
    done = folder / "complete"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, options in (("library", []), ("twins", ["--must-fail"])):
        command = [program, "run", library, "--time", "virtual", "--color", "never"]
        command += [*change, *options, *jobs_of(program, options), "--out", folder / name]
        log = folder / f"{name}.log"
        with log.open("w", encoding="utf-8") as out:
            subprocess.run(command, stdout=out, stderr=out)
    done.touch()
    return folder


def without(value, fields: set):
    """A JSON value without these fields."""
    if isinstance(value, dict):
        return {key: without(v, fields) for key, v in value.items() if key not in fields}
    if isinstance(value, list):
        return [without(one, fields) for one in value]
    return value


def content(path: pathlib.Path, exact: bool, left_out: set):
    """What of a file has to be the same."""
    fields = set() if exact else PROSE.get(path.name, set())
    if path.name == "events.jsonl":
        fields = fields | left_out
    if not fields:
        return path.read_bytes()
    text = path.read_text(encoding="utf-8")
    read = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)
    # As text, so that a number that is written otherwise differs.
    return json.dumps(without(read, fields), ensure_ascii=False)


def runs_of(folder: pathlib.Path) -> tuple:
    """The folders of runs by suite and name, with the exit code of each, and those in real time."""
    runs, in_real_time = {}, set()
    for facts in folder.glob("*/*/run.json"):
        name = facts.parent.relative_to(folder)
        read = json.loads(facts.read_text(encoding="utf-8"))
        runs[name] = read.get("exit_code")
        if read.get("time") != "virtual":
            in_real_time.add(name)
    return runs, in_real_time


def ended(folder: pathlib.Path, suite: str):
    """The exit code of a suite, if it came to its end."""
    path = folder / suite / "suite.json"
    return json.loads(path.read_text(encoding="utf-8"))["exit_code"] if path.exists() else None


def differences(before: pathlib.Path, after: pathlib.Path, exact: bool, left_out: set) -> list:
    """Runs that are missing or end otherwise, and files that differ."""
    found = []
    for suite in ("library", "twins"):
        codes = [ended(folder, suite) for folder in (before, after)]
        if codes[0] != codes[1]:
            found.append(f"{suite}: exit {codes[0]} before, {codes[1]} after")
    (first, real), (second, real_after) = runs_of(before), runs_of(after)
    real |= real_after
    runs = [{name: code for name, code in of.items() if name not in real} for of in (first, second)]
    for name in sorted(runs[0].keys() ^ runs[1].keys()):
        found.append(f"{name}: only {'before' if name in runs[0] else 'after'}")
    for name in sorted(runs[0].keys() & runs[1].keys()):
        codes = [of[name] for of in runs]
        if codes[0] != codes[1]:
            found.append(f"{name}: exit {codes[0]} before, {codes[1]} after")
        for file in FILES:
            there = [folder / name / file for folder in (before, after)]
            missing = [path for path in there if not path.exists()]
            if len(missing) == 1:
                found.append(f"{name}/{file}: missing in {missing[0].parent}")
            elif not missing and content(there[0], exact, left_out) != content(there[1], exact, left_out):
                found.append(f"{name}/{file}: differs")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=pathlib.Path, help="a program, or a folder of runs")
    parser.add_argument("after", type=pathlib.Path)
    parser.add_argument("--exact", action="store_true", help="to the byte, prose too")
    parser.add_argument("--without", action="append", default=[], metavar="FIELD")
    parser.add_argument("--library-before", type=pathlib.Path, default="scenarios/library")
    parser.add_argument("--library-after", type=pathlib.Path, default="scenarios/library")
    parser.add_argument("--set-after", metavar="KEY=VALUE", action="append", default=[])
    parser.add_argument("--runs", type=pathlib.Path, default="target/same-results")
    given = parser.parse_args()
    before, after = (
        run_all(program.resolve(), library, change, given.runs)
        for program, library, change in (
            (given.before, given.library_before, []),
            (given.after, given.library_after, [part for one in given.set_after for part in ("--set", one)]),
        )
    )
    found = differences(before, after, given.exact, set(given.without))
    for line in found:
        print(line)
    counts, real = zip(*((len(runs) - len(real), len(real)) for runs, real in map(runs_of, (before, after))))
    how = "to the byte" if given.exact else "but for prose"
    left_out = f" and but for {', '.join(given.without)} of events" if given.without else ""
    if any(real):
        left_out += f" ({real[0]} and {real[1]} in real time passed over)"
    print(
        f"{counts[0]} runs before and {counts[1]} after, {' and '.join(FILES)} compared {how}"
        f"{left_out}: {len(found)} differences"
    )
    if not counts[0]:
        print("nothing was run: see the logs in", before, file=sys.stderr)
        return 2
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
