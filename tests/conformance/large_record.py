#!/usr/bin/env python3
"""A record of half a million rows, or as many as ROWS names: what judging and drawing it take, and
whether its page opens in Chromium.

The rows are made up by the example `sample_report`, which prints how long each step took and the
most memory that was in use. Memory has a limit here; times are for `tests/long/large_record.sh`,
which runs the same with a release build alone on the machine.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS = int(os.environ.get("ROWS", "500000"))
PER_READING = 20
METERS = 10
MEMORY_KIB = 128 * 1024
CHROMIUM = "/usr/bin/chromium"

comparisons = failures = 0


def holds(what, is_so, shown=""):
    global comparisons, failures
    comparisons += 1
    failures += not is_so
    if not is_so:
        print(f"FAIL {what} {shown}")


lastmeter = Path(os.environ.get("LASTMETER", "target/debug/lastmeter"))
example = lastmeter.parent / "examples" / "sample_report"
if not example.exists() or not Path(CHROMIUM).exists():
    print(f"SKIPPED: large_record: {example} or {CHROMIUM} is not there")
    sys.exit(77)

with tempfile.TemporaryDirectory() as folder:
    run = Path(folder) / "run"
    readings = ROWS // (METERS * PER_READING)
    done = subprocess.run(
        [example, run, str(METERS), str(readings)], capture_output=True, text=True, check=True
    )
    print(done.stdout)
    with open(run / "observations.csv", encoding="utf-8") as file:
        rows = sum(1 for _ in file) - 1
    holds("as many rows as wanted", rows >= ROWS, rows)
    took = {}
    for step, seconds, peak in re.findall(r"^(\w+) +([\d.]+) s  peak (\d+) kB", done.stdout, re.M):
        took[step] = float(seconds)
        holds(f"memory when it was {step}", int(peak) <= MEMORY_KIB, f"{peak} KiB")
    holds("three steps", len(took) == 3, took)
    if os.environ.get("TIMES") == "judged":
        holds("400,000 rows are written in a second", rows / took["written"] >= 400_000, took)
        holds("the report takes 12 s", took["judged"] + took["rendered"] < 12, took)
    print(f"{rows} rows, {rows / took['written']:.0f} a second; report {took['judged'] + took['rendered']:.1f} s")
    page = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"file://{run}/report.html"],
        capture_output=True, text=True, timeout=300,
    )
    holds("the page opens", page.returncode == 0 and 'class="verdict"' in page.stdout)
    holds("it has its pictures", page.stdout.count("<svg") >= 3, page.stdout.count("<svg"))
    size = (run / "report.html").stat().st_size
    holds("the page is small", size < 8 << 20, size)

print(f"large_record: {comparisons} comparisons, {failures} failed")
sys.exit(failures > 0)
