"""The meter's firmware, emulated by QEMU, as a node of a CAN bus of ours, polled by the aggregator beside simulated ones.

It is the real node of can-foreign-nodes: its SLCAN port is a pseudo-terminal, and samples of the same voltage and
current that the plant has at its place go to its stimulus port in their own time. Its readings have to be the plant's
within what its converter of 12 bits resolves; where the plant has another voltage, they have not to be. A voltage dip before the
run, by closed form half the voltage for ten cycles, has to be an alert of the platform, once. Wants qemu-system-arm and
gcc-arm-none-eabi.
"""

import csv
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tty

from board_firmware import ROOT, Board
from can_foreign_nodes import CURRENT, FOLDER, NAME, NODE, VOLTAGE, judged
from peer.bench import Comparison
from peer.under_way import Run

RATE_HZ, BLOCK = 4000, 400
LIMITS = ("--set", "check.voltages.limit=0.3 %", "--set", "check.powers.limit=1 %")
ASKED = ["voltage_current", "active_power", "apparent_power", "factor_frequency", "consumed", "injected", "dip", "profile"]
INTERVAL_S = 2
GROUPS = ["voltage", "current", "active_power", "apparent_power", "non_active_power", "power_factor", "frequency",
          "active_energy", "profile"]
DIP, DIP_LEFT = (2 * RATE_HZ, 2 * RATE_HZ + RATE_HZ // 5), 0.5


def block(first):
    """Quantised pairs of 50 Hz, in phase."""
    codes = []
    for k in range(first, first + BLOCK):
        wave = math.sin(math.tau * 50.0 * k / RATE_HZ)
        left = DIP_LEFT if DIP[0] <= k < DIP[1] else 1.0
        values = (VOLTAGE * left / 460, CURRENT / 30)
        codes.append(tuple(round((1.5 - 1.5 * value * wave) / 3.6 * 4096) for value in values))
    return codes


class Samples(threading.Thread):
    """Feeds the firmware in real time."""

    def __init__(self, board):
        super().__init__(daemon=True)
        self.board, self.is_over, self.fed, self.latest_s = board, False, 0, 0.0

    def feed(self):
        self.board.feed(block(self.fed), RATE_HZ * 1000 if self.fed == 0 else None)
        self.fed += BLOCK

    def run(self):
        begin = time.monotonic() - self.fed / RATE_HZ
        while not self.is_over:
            self.feed()
            ahead_s = begin + self.fed / RATE_HZ - time.monotonic()
            self.latest_s = max(self.latest_s, -ahead_s)
            time.sleep(max(0.0, ahead_s))


def freeze(board):
    """Sets the interval of the power profile, and closes a reading of what was before the run."""
    line = os.open(board.pty, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    interval = b"t%03X804000000%08X\r" % (0x1A << 5 | NODE, INTERVAL_S)
    os.write(line, b"O\r" + interval + b"t%03X1A5\rC\r" % (1 << 5 | NODE))
    answer = b""
    while answer.count(b"\r") < 6:
        answer += os.read(line, 100)
    os.close(line)


def dip_alerts(comparison, out):
    """One, with what the half-cycle values of such a dip are: the last that is too low ends half a cycle behind it."""
    with open(os.path.join(out, "events.jsonl"), encoding="utf-8") as file:
        rows = [row["metadata"] for row in map(json.loads, file) if row.get("type") == "voltage.dip"]
    comparison.same("alerts of dips", [row["device"] for row in rows], [f"node-{NODE}"])
    for row in rows:
        comparison.close("residual voltage in V", float(row["residual_v"]), VOLTAGE * DIP_LEFT, 0.3)
        comparison.close("duration in s", float(row["duration_s"]), (DIP[1] - DIP[0]) / RATE_HZ + 0.01, 0.0015)


def profile_readings(comparison, out):
    """Each interval once, in order, with the power that is played in all of it; the first began amid what was before."""
    stored = {"power": [], "interval": []}
    with open(os.path.join(out, "observations.csv"), encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            kind = row["quantity"].removeprefix("x.electricity.profile.")
            if row["device"] == f"node-{NODE}" and kind in stored and row["reported"]:
                stored[kind].append(float(row["reported"]))
    numbers = stored["interval"]
    comparison.true("intervals of the firmware's profile, at least 3", len(numbers) >= 3, numbers)
    comparison.same("each once and in order", numbers, sorted(set(numbers)))
    for number, power in zip(numbers, stored["power"], strict=True):
        if number > 1:
            comparison.close(f"mean power of interval {number:.0f} in W", power, VOLTAGE * CURRENT, 0.01 * VOLTAGE * CURRENT)


def played(comparison, image, name, expected, asks_for_dips=False):
    with tempfile.TemporaryDirectory() as folder:
        board = Board(image, folder, record=bytes([NODE]), pty=True)
        samples = Samples(board)
        while samples.fed < DIP[1] + RATE_HZ:
            samples.feed()
        freeze(board)
        samples.start()
        out = os.path.join(folder, os.path.basename(name))
        run = Run(FOLDER, name, "--out", out, "--set", f"device.node-{NODE}.line=tty:{board.pty}", *LIMITS,
                  *(("--set", f"gateway.aggregator.registers={json.dumps(ASKED)}",
                     "--set", f"device.node-{NODE}.quantities={json.dumps(GROUPS)}",
                     "--set", f"device.node-{NODE}.profile_interval={INTERVAL_S} s") if asks_for_dips else ()))
        judged(comparison, name, run, out, expected, 5 if asks_for_dips else None)
        if asks_for_dips:
            dip_alerts(comparison, out)
            profile_readings(comparison, out)
        samples.is_over = True
        samples.join()
        board.end()
        print(f"     {samples.fed} samples, at most {samples.latest_s * 1e3:.0f} ms late")


def main():
    for program, package in (("qemu-system-arm", "qemu-system-arm"), ("arm-none-eabi-gcc", "gcc-arm-none-eabi")):
        if not shutil.which(program):
            print(f"NOT RUN: {program} not found (install {package})")
            sys.exit(77)
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.path.join(ROOT, "devices/firmware/meter/build.sh"), folder], check=True, stdout=subprocess.DEVNULL)
        image = os.path.join(folder, "meter.elf")
        good = {"readings-once": "pass", "voltages": "pass", "powers": "pass"}
        # The scenario has no check of alerts.
        played(comparison, image, NAME, good | {"unjudged-alerts": "inconclusive"}, asks_for_dips=True)
        played(comparison, image, f"{NAME}/{NAME}-voltage", good | {"voltages": "fail"})
        played(comparison, image, f"{NAME}/{NAME}-power", good | {"powers": "fail"})
    comparison.end()


if __name__ == "__main__":
    main()
