"""A board with CAN identifiers of its own, by python-can and cantools over a pseudo-terminal, read by a DBC file alone.

It sends two messages by itself, one of them multiplexed, and is asked for a third by remote frames. The bench has to
find its values in the platform as the plant has them; a wrong factor in the DBC file, a board that measures wrongly
and one that is silent are failures.
"""

import os
import sys
import tempfile
import threading
import time

try:
    import can
    import cantools
except ImportError:
    print("python-can and cantools are not installed: pip install -r tests/conformance/requirements.txt")
    sys.exit(77)

from can_foreign_nodes import judged
from peer.bench import Comparison
from peer.under_way import Run

FOLDER, NAME = "scenarios/foreign", "can-foreign-board"
DATABASE = f"{FOLDER}/data/board.dbc"
BIT_RATE, POLLS = 125_000, 3
VOLTAGE, CURRENT, EVERY_S = 231.5, 2.2, 0.1


class Board(threading.Thread):
    def __init__(self, path, voltage=VOLTAGE, is_silent=False):
        super().__init__(daemon=True)
        self.bus = can.Bus(interface="slcan", channel=path, bitrate=BIT_RATE, sleep_after_open=0.0)
        self.database = cantools.database.load_file(DATABASE)
        self.voltage, self.is_silent, self.asked, self.is_over = voltage, is_silent, 0, False
        self.start_s = time.monotonic()

    def send(self, name, values):
        message = self.database.get_message_by_name(name)
        data = message.encode(values, strict=False)
        self.bus.send(can.Message(arbitration_id=message.frame_id, data=data, is_extended_id=False))

    def run(self):
        power, due = self.voltage * CURRENT / 1e3, time.monotonic()
        while not self.is_over:
            try:
                message = self.bus.recv(max(0.0, due - time.monotonic()))
                if message is not None and message.is_remote_frame and not self.is_silent:
                    self.asked += message.arbitration_id == self.database.get_message_by_name("Energy").frame_id
                    self.send("Energy", {"Consumed": power / 3.6 * (time.monotonic() - self.start_s)})
                if time.monotonic() < due:
                    continue
                due += EVERY_S
                if not self.is_silent:
                    self.send("Mains", {"Voltage": self.voltage, "Current": CURRENT * 1e3, "Frequency": 50.0})
                    self.send("Power", {"Page": 0, "Active": power})
                    self.send("Power", {"Page": 1, "Apparent": power})
            except (can.CanError, OSError):
                return


def played(comparison, name, expected, **board):
    """Plays the board in a run of a scenario or twin."""
    what = f"{name} {board or ''}".strip()
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "line"), os.path.join(folder, os.path.basename(name))
        run = Run(FOLDER, name, "--out", out, "--set", f"device.board.line=pty:{path}")
        while not os.path.exists(path) and run.process.poll() is None:
            time.sleep(0.01)
        # The bench waits for somebody to open the line.
        board = Board(path, **board)
        board.start()
        judged(comparison, what, run, out, expected)
        board.is_over = True
        board.join()
        try:
            board.bus.shutdown()
        except can.CanError:
            pass  # The adapter is gone with the run.
        if not board.is_silent:
            comparison.same(f"{what}: asked", board.asked, POLLS)


def main():
    comparison = Comparison()
    good = {"readings-once": "pass", "voltages": "pass", "powers": "pass"}
    played(comparison, NAME, good)
    played(comparison, f"{NAME}/{NAME}-voltage", good | {"voltages": "fail"})
    played(comparison, f"{NAME}/{NAME}-power", good | {"powers": "fail"})
    played(comparison, NAME, good | {"voltages": "fail", "powers": "fail"}, voltage=232.5)
    played(comparison, NAME, dict.fromkeys(good, "inconclusive") | {"readings-once": "fail", "unjudged-alerts": "inconclusive"},
           is_silent=True)
    comparison.end()


if __name__ == "__main__":
    main()
