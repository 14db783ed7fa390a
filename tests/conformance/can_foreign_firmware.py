"""The meter's firmware, emulated by QEMU, as a node of a CAN bus of ours, polled by the aggregator beside simulated ones.

It is the real node of can-foreign-nodes: its SLCAN port is a pseudo-terminal, and samples of the same voltage and
current that the plant has at its place go to its stimulus port in their own time. Its readings have to be the plant's
within what its converter of 12 bits resolves; where the plant has another voltage, they have not to be. Wants
qemu-system-arm and gcc-arm-none-eabi.
"""

import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from board_firmware import ROOT, Board
from can_foreign_nodes import CURRENT, FOLDER, NAME, NODE, VOLTAGE, judged
from peer.bench import Comparison
from peer.under_way import Run

RATE_HZ, BLOCK = 4000, 400
LIMITS = ("--set", "check.voltages.limit=0.3 %", "--set", "check.powers.limit=1 %")


def block(first):
    """Quantised pairs of 50 Hz, in phase."""
    codes = []
    for k in range(first, first + BLOCK):
        wave = math.sin(math.tau * 50.0 * k / RATE_HZ)
        codes.append(tuple(round((1.5 - 1.5 * value * wave) / 3.6 * 4096) for value in (VOLTAGE / 460, CURRENT / 30)))
    return codes


class Samples(threading.Thread):
    """Feeds the firmware in real time."""

    def __init__(self, board):
        super().__init__(daemon=True)
        self.board, self.is_over, self.fed, self.latest_s = board, False, 0, 0.0

    def run(self):
        begin = time.monotonic()
        while not self.is_over:
            self.board.feed(block(self.fed), RATE_HZ * 1000 if self.fed == 0 else None)
            self.fed += BLOCK
            ahead_s = begin + self.fed / RATE_HZ - time.monotonic()
            self.latest_s = max(self.latest_s, -ahead_s)
            time.sleep(max(0.0, ahead_s))


def played(comparison, image, name, expected):
    with tempfile.TemporaryDirectory() as folder:
        board = Board(image, folder, record=bytes([NODE]), pty=True)
        samples = Samples(board)
        samples.start()
        out = os.path.join(folder, os.path.basename(name))
        run = Run(FOLDER, name, "--out", out, "--set", f"device.node-{NODE}.line=tty:{board.pty}", *LIMITS)
        judged(comparison, name, run, out, expected)
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
        played(comparison, image, NAME, good)
        played(comparison, image, f"{NAME}/{NAME}-voltage", good | {"voltages": "fail"})
        played(comparison, image, f"{NAME}/{NAME}-power", good | {"powers": "fail"})
    comparison.end()


if __name__ == "__main__":
    main()
