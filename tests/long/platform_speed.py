#!/usr/bin/env python3
"""Times the whole platform beside an earlier build, in turns: from publishing to queryable, and memory.

    platform_speed.py NAME=PROGRAM [NAME=PROGRAM] [--runs 5] [--seconds 20]

Each program serves a platform of its own, to which this build's bench sends 500 messages of about 1.3 kB a
second from 125 meters; what a reading takes from the instant it was meant for to when it can be queried is
p50 and p99 of a run. Then 1,000 meters on connections of their own send a message each 10 s, and the
resident memory of the platform's process is read. Prints a table of the medians. Exit 1 if the first
program's p99 is above 20 ms or above 1.25 times that of the second, or its memory is 200 MiB or more.
Throughput beside the bare broker and bare inserts: `cargo bench -p lastmeter-platform --bench broker`,
with LASTMETER_SERVE as it describes.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile

LASTMETER = os.path.abspath(os.environ.get("LASTMETER", "target/release/lastmeter"))
P99_MOST_MS, RATIO_MOST, MEMORY_MOST_MIB = 20.0, 1.25, 200.0


def scenario(meters, every, seconds):
    return f"""format = 1
[scenario]
name = "platform-speed"
time = "real"
start = 2027-01-18T17:00:00Z
duration = "{seconds} s"
[[source]]
name = "feeder"
kind = "synthetic"
[[device]]
name = "meter"
count = {meters}
at = "source:feeder"
model = "stpm34-3ph"
fidelity = "windows"
report_every = "{every}"
[[check]]
name = "once"
kind = "no_loss"
"""


class Serve:
    """A program that serves in a folder."""

    def __init__(self, program, folder):
        with open(f"{folder}/settings.toml", "w", encoding="utf-8") as file:
            addresses = 'mqtt_address = "127.0.0.1:0"\nrest_address = "127.0.0.1:0"\n'
            file.write(f'data = "{folder}/data"\ntoken = "a"\ndevice_token = "x"\n{addresses}')
        command = [program, "serve", "--config", f"{folder}/settings.toml", "--until-stdin-closes"]
        self.log = open(f"{folder}/log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        ready = json.loads(self.process.stdout.readline())
        with open(f"{folder}/profile.toml", "w", encoding="utf-8") as file:
            file.write(f'mqtt = "{ready["mqtt"]}"\nrest = "{ready["rest"]}"\ntoken = "a"\ndevice_token = "x"\n')

    def memory_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["VmHWM"].split()[0]) / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)
        self.log.close()


def run(program, meters, every, seconds):
    """p50 and p99 in ms, and the most memory of the platform in MiB."""
    with tempfile.TemporaryDirectory() as folder, Serve(program, folder) as serve:
        with open(f"{folder}/scenario.toml", "w", encoding="utf-8") as file:
            file.write(scenario(meters, every, seconds))
        command = [LASTMETER, "run", f"{folder}/scenario.toml", "--out", f"{folder}/out"]
        done = subprocess.run(
            [*command, "--platform", f"{folder}/profile.toml"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{program}: exit {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        with open(f"{folder}/out/latency.csv", encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["path"] == "reading"]
        took = sorted((int(row["queryable_ns"]) - int(row["intended_ns"])) / 1e6 for row in rows)
        return took[len(took) // 2], took[min(len(took) - 1, int(0.99 * len(took)))], serve.memory_mib()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20)
    asked = parser.parse_args()
    programs = [program.split("=", 1) for program in asked.programs]
    took = {name: [] for name, _ in programs}
    for number in range(asked.runs):
        for name, program in programs if number % 2 == 0 else reversed(programs):
            took[name].append(run(program, 125, "250 ms", asked.seconds)[:2])
    print("program       p50 ms  p99 ms  of 1,000 meters MiB")
    medians = []
    for name, program in programs:
        p50, p99 = (statistics.median(column) for column in zip(*took[name]))
        memory = run(program, 1000, "10 s", asked.seconds)[2]
        medians.append((p99, memory))
        print(f"{name:12}  {p50:6.1f}  {p99:6.1f}  {memory:19.0f}", flush=True)
    (p99, memory), before = medians[0], medians[1:]
    too_slow = p99 > P99_MOST_MS or any(p99 > RATIO_MOST * other for other, _ in before)
    return int(too_slow or memory >= MEMORY_MOST_MIB)


if __name__ == "__main__":
    sys.exit(main())
