"""Changes the code in small ways, one at a time, and counts the changes that no test notices.

cargo-mutants makes the changes: an operator turned, a result replaced, a branch removed. Five areas
are sampled, those on which a verdict rests, each with its own package's tests alone. What survives is
named; it wants a new test, or its reason in `REASONS`.

    mutants.py                    100 drawn mutants of each area
    mutants.py --count 20 NAME    so many of one area
    mutants.py --list             how many mutants each area has

The tests have to pass without any change first: where they do not, every change would seem noticed.
Wants `cargo install cargo-mutants --locked`. Takes one build with its tests for each mutant: hours.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys

SEED = 20270118
OUT = "target/mutants"

# Package, and the files whose code is changed.
AREAS = {
    "join": ("lastmeter-scenarios", ["scenarios/src/run/ledger.rs", "scenarios/src/run/schedule.rs"]),
    "account": ("lastmeter-reports", ["reports/src/account.rs"]),
    "checks": ("lastmeter-reports", ["reports/src/check/*.rs"]),
    "latency": ("lastmeter-reports", ["reports/src/latency/*.rs"]),
    "journal": ("lastmeter-platform", ["platform/src/journal/*.rs"]),
}

# Mutants that no test can notice: what their names hold, and why.
REASONS = {
    "impl std::fmt::Debug": "nobody reads it but a programmer",
}
KILLED, SURVIVED = ("CaughtMutant", "Timeout"), "MissedMutant"


def mutants(package, files):
    """Their names, each with its line and column."""
    command = ["cargo", "mutants", "--package", package, "--list"]
    for file in files:
        command += ["--file", file]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return sorted(name for name in done.stdout.splitlines() if "_tests.rs" not in name)


def judge(area, count):
    """Draws so many mutants and runs them; how many were killed, and which survived."""
    package, files = AREAS[area]
    every = mutants(package, files)
    drawn = random.Random(f"{SEED} {area}").sample(every, min(count, len(every)))
    print(f"{area}: {len(drawn)} of {len(every)} mutants", flush=True)
    out = os.path.join(OUT, area)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    # A name is looked for as a regular expression, by lines; an argument each.
    chosen = [part for name in drawn for part in ("--re", f"^{re.escape(name)}$")]
    command = ["cargo", "mutants", "--package", package, "--timeout", "300"]
    # To optimise takes longer than the tests do.
    plain = f"--config=profile.dev.package.{package}.opt-level=0"
    command += ["--no-shuffle", "--output", out, "--cargo-arg", plain, *chosen]
    for file in files:
        command += ["--file", file]
    # A folder of its own for what is built: that of the tests stays as it is.
    environment = {**os.environ, "CARGO_TARGET_DIR": os.path.abspath(os.path.join(OUT, "build"))}
    subprocess.run([*command, "--", "--lib"], env=environment, check=False)
    with open(os.path.join(out, "mutants.out", "outcomes.json"), encoding="utf-8") as file:
        outcomes = json.load(file)["outcomes"]
    killed, survived, unbuilt = 0, [], 0
    for outcome in outcomes:
        scenario, summary = outcome["scenario"], outcome["summary"]
        if not isinstance(scenario, dict):
            if summary != "Success":
                sys.exit(f"{area}: its tests do not pass without any change, see {out}")
            continue
        name = scenario["Mutant"]["name"]
        if name not in drawn:
            # Version 27.1 tests deleted fields whatever names it is given.
            continue
        if summary in KILLED:
            killed += 1
        elif summary == SURVIVED:
            survived.append(name)
        else:
            unbuilt += 1
    return killed, survived, unbuilt, len(drawn)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("area", nargs="*", choices=[[], *AREAS])
    asked = parser.parse_args()
    if asked.list:
        for area, (package, files) in AREAS.items():
            print(f"{area}: {len(mutants(package, files))} mutants")
        return 0
    rows, is_good = [], True
    for area in asked.area or AREAS:
        killed, survived, unbuilt, drawn = judge(area, asked.count)
        excused = [name for name in survived if any(part in name for part in REASONS)]
        judged = killed + len(survived)
        # What does not compile was refused by the compiler and says nothing about the tests.
        is_good &= killed + unbuilt + len(survived) == drawn and judged > 0
        is_good &= killed + len(excused) >= 0.95 * judged
        rows.append(f"| {area} | {drawn} | {unbuilt} | {killed} of {judged} | {len(excused)} |")
        for name in survived:
            print(f"survived: {name}{' (excused)' if name in excused else ''}")
    print("\n| area | drawn | did not compile | killed | survivors with a reason |\n|---|---|---|---|---|")
    print("\n".join(rows))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
