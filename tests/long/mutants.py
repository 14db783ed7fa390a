"""Changes the code in small ways, one at a time, and counts the changes that no test notices.

cargo-mutants makes the changes: an operator turned, a result replaced, a branch removed. Five areas
are sampled, those on which a verdict rests, each with its own package's tests alone. What survives is
named; it wants a new test, or its reason in `REASONS`.

    mutants.py                    100 drawn mutants of each area
    mutants.py --count 20 NAME    so many of one area
    mutants.py --seed 2 NAME      another draw
    mutants.py --out DIR NAME     below another folder, beside a run that is under way
    mutants.py --list             how many mutants each area has

What is committed is changed, in a copy below target/. The tests have to pass without any change
first: where they do not, every change would seem noticed.
Wants `cargo install cargo-mutants --locked`. Takes one build with tests for each mutant: hours.
"""

import argparse
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys

SEED = 20270118
OUT = "target/mutants"

# Package, the files whose code is changed, and which tests are asked first: the quick or the near.
# All tests of the package are asked about what those do not notice.
AREAS = {
    "join": (
        "lastmeter-bench",
        ["scenarios/bench/src/run/ledger.rs", "scenarios/bench/src/run/schedule.rs"],
        ["run::", "--skip", "run::real"],
    ),
    "account": ("lastmeter-reports", ["reports/src/accounts/readings.rs"], ["account", "check"]),
    "checks": ("lastmeter-reports", ["reports/src/checks/**/*.rs"], ["check"]),
    "latency": (
        "lastmeter-reports",
        ["reports/src/latency/*.rs"],
        ["latency", "--skip", "not_kept_one_by_one"],
    ),
    "journal": ("lastmeter-platform", ["platform/src/journal/*.rs"], ["journal"]),
}

# Mutants that no test can notice: what their names hold, and why.
REASONS = {
    "impl std::fmt::Debug": "nobody reads it but a programmer",
    "match guard *last > at with false": "it saves memory alone",
    "match guard (at - start).0 % every.0.max(1) != 0 with false": "it saves memory alone",
    "replace < with <= in Thread::get_going": "an instant that is met exactly: it is tried a moment later",
    "replace < with <= in Thread::run": "how many share one sync is speed alone",
    "replace < with == in Thread::run": "how many share one sync is speed alone",
    "replace > with >= in detectable": "a ratio of 0 trips nothing, and 1e6 is no power of two",
    "replace += with -= in rank_sums": "all counts get the same sign, and only shares of them are used",
    "replace * with + in inverse_incomplete_beta": "a worse step is mended by bisection: the same root, later",
    "replace > with >= in EnergyBalance::balance": "a sum of floats is never exactly a millionth off",
    "replace < with <= in Published::judge": "equal is within the tolerance, which was asked before",
    "replace / with * in TableCheck::judged": "shares of one check have one divisor: their order stays",
}
KILLED, SURVIVED = ("CaughtMutant", "Timeout"), "MissedMutant"


def copy(out):
    """Makes the tree that is changed equal to what is committed; where it is.

    The code is changed where it lies, in a copy that stays: only what changed is built anew.
    """
    tree = os.path.join(out, "tree")
    if not os.path.isdir(tree):
        subprocess.run(["git", "clone", "--quiet", "--shared", ".", tree], check=True)
    subprocess.run(["git", "-C", tree, "fetch", "--quiet", "origin", "HEAD"], check=True)
    subprocess.run(["git", "-C", tree, "reset", "--quiet", "--hard", "FETCH_HEAD"], check=True)
    subprocess.run(["git", "-C", tree, "clean", "-fdq"], check=True)
    return tree


def mutants(tree, package, files):
    """Their names, each with its line and column."""
    command = ["cargo", "mutants", "--package", package, "--list"]
    for file in files:
        command += ["--file", file]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=tree)
    return sorted(name for name in done.stdout.splitlines() if "_tests.rs" not in name)


def lines_of(tree, names):
    """A diff that adds the lines on which the named mutants begin, and nothing else.

    Version 27.1 tests deleted fields whatever names it is given; lines it keeps to.
    """
    places = sorted({(file, int(line)) for file, line, _ in (name.split(":", 2) for name in names)})
    text = ""
    for file, places_of_file in itertools.groupby(places, key=lambda place: place[0]):
        text += f"--- a/{file}\n+++ b/{file}\n"
        with open(os.path.join(tree, file), encoding="utf-8") as code:
            code = code.read().split("\n")
        for added, (_, line) in enumerate(places_of_file):
            text += f"@@ -{line - added - 1},0 +{line},1 @@\n+{code[line - 1]}\n"
    return text


def ask(area, names, tests, round_name, tree):
    """Runs tests against each of the named mutants; by name, what came of it."""
    package, files, _ = AREAS[area]
    at = os.path.dirname(tree)
    out = os.path.join(at, f"{area}-{round_name}")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    command = ["cargo", "mutants", "--package", package, "--in-place", "--no-shuffle"]
    command += ["--output", out, "--minimum-test-timeout", "60"]
    # To optimise takes longer than the tests do, nobody looks for lines, and of what is built
    # only the package's own tests run.
    for setting in (f"package.{package}.opt-level=0", "debug=false"):
        command += ["--cargo-arg", f"--config=profile.dev.{setting}"]
    command += ["--cargo-arg=--lib"]
    for file in files:
        command += ["--file", file]
    # A name is looked for as a regular expression, by lines; an argument each.
    command += [part for name in names for part in ("--re", f"^{re.escape(name)}$")]
    with open(os.path.join(out, "lines.diff"), "w", encoding="utf-8") as file:
        file.write(lines_of(tree, names))
    command += ["--in-diff", os.path.join(out, "lines.diff")]
    # A folder of its own for what is built: that of the tests stays as it is. No test may
    # remember what it drew for another change.
    environment = {**os.environ, "CARGO_TARGET_DIR": os.path.join(at, "build")}
    environment["PROPTEST_DISABLE_FAILURE_PERSISTENCE"] = "true"
    subprocess.run([*command, "--", "--", *tests], env=environment, check=False, cwd=tree)
    with open(os.path.join(out, "mutants.out", "outcomes.json"), encoding="utf-8") as file:
        outcomes = json.load(file)["outcomes"]
    found = {}
    for outcome in outcomes:
        scenario, summary = outcome["scenario"], outcome["summary"]
        if isinstance(scenario, dict):
            found[scenario["Mutant"]["name"]] = summary
        elif summary != "Success":
            sys.exit(f"{area}: its tests do not pass without any change, see {out}")
    return {name: found[name] for name in names if name in found}


def judge(area, count, seed, tree):
    """Draws so many mutants and runs them; how many were killed, and which survived."""
    package, files, first = AREAS[area]
    every = mutants(tree, package, files)
    drawn = random.Random(f"{seed} {area}").sample(every, min(count, len(every)))
    print(f"{area}: {len(drawn)} of {len(every)} mutants", flush=True)
    found = ask(area, drawn, first, "first", tree)
    again = [name for name, summary in found.items() if summary == SURVIVED]
    if again:
        print(f"{area}: {len(again)} of them before all tests", flush=True)
        found |= ask(area, again, [], "all", tree)
    killed = sum(summary in KILLED for summary in found.values())
    survived = [name for name, summary in found.items() if summary == SURVIVED]
    return killed, survived, len(found) - killed - len(survived), len(drawn)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", default=OUT)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("area", nargs="*", choices=[[], *AREAS])
    asked = parser.parse_args()
    tree = copy(os.path.abspath(asked.out))
    if asked.list:
        for area, (package, files, _) in AREAS.items():
            print(f"{area}: {len(mutants(tree, package, files))} mutants")
        return 0
    rows, is_good = [], True
    for area in asked.area or AREAS:
        killed, survived, unbuilt, drawn = judge(area, asked.count, asked.seed, tree)
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
