"""Two builds of lastmeter give the same results for every scenario that runs in virtual time.

    same_results.py BEFORE AFTER [--exact] [--library FOLDER] [--runs FOLDER]

BEFORE and AFTER are the two programs. Both run every scenario of the library and every must-fail
twin; then `observations.csv`, `events.jsonl` and `verdicts.json` of each run are compared. With
`--exact` all three have to be identical to the byte. Without it the prose in them may differ (the
fields of PROSE), nothing else may. Runs are kept in `--runs` and not run again for the same program.
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


def run_all(program: pathlib.Path, library: pathlib.Path, runs: pathlib.Path) -> pathlib.Path:
    """Runs the library and its twins; gives the folder of runs."""
    digest = hashlib.sha256(program.read_bytes())
    for path in sorted(library.rglob("*.toml")):
        digest.update(path.read_bytes())
    # With recordings more of it runs.
    digest.update(os.environ.get("LASTMETER_RECORDINGS", "").encode())
    folder = runs / digest.hexdigest()[:16]
    done = folder / "complete"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, options in (("library", []), ("twins", ["--must-fail"])):
        command = [program, "run", library, "--time", "virtual", "--color", "never"]
        log = folder / f"{name}.log"
        with log.open("w", encoding="utf-8") as out:
            subprocess.run([*command, *options, "--out", folder / name], stdout=out, stderr=out)
    done.touch()
    return folder


def without_prose(value, fields: set):
    """A JSON value without the fields that are prose."""
    if isinstance(value, dict):
        return {key: without_prose(v, fields) for key, v in value.items() if key not in fields}
    if isinstance(value, list):
        return [without_prose(one, fields) for one in value]
    return value


def content(path: pathlib.Path, exact: bool):
    """What of a file has to be the same."""
    if exact or path.name not in PROSE:
        return path.read_bytes()
    text = path.read_text(encoding="utf-8")
    fields = PROSE[path.name]
    if path.suffix == ".jsonl":
        return [without_prose(json.loads(line), fields) for line in text.splitlines()]
    return without_prose(json.loads(text), fields)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=pathlib.Path)
    parser.add_argument("after", type=pathlib.Path)
    parser.add_argument("--exact", action="store_true", help="to the byte, prose too")
    parser.add_argument("--library", type=pathlib.Path, default="scenarios/library")
    parser.add_argument("--runs", type=pathlib.Path, default="target/same-results")
    given = parser.parse_args()
    before, after = (
        run_all(program.resolve(), given.library, given.runs)
        for program in (given.before, given.after)
    )
    names = [
        {path.parent.relative_to(folder) for path in folder.rglob("verdicts.json")}
        for folder in (before, after)
    ]
    compared, failed = 0, 0
    for name in sorted(names[0] | names[1]):
        for file in FILES:
            compared += 1
            there = [folder / name / file for folder in (before, after)]
            missing = [path for path in there if not path.exists()]
            if missing:
                failed += 1
                print(f"{name}/{file}: missing in {missing[0].parent}")
            elif content(there[0], given.exact) != content(there[1], given.exact):
                failed += 1
                print(f"{name}/{file}: differs")
    how = "to the byte" if given.exact else "but for prose"
    print(f"{len(names[0])} runs, {compared} files compared {how}, {failed} differ")
    if not names[0]:
        print("nothing was run: see the logs in", before, file=sys.stderr)
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
