"""Real nodes on a CAN bus of ours: python-can, by SLCAN over a pseudo-terminal, beside nodes that are simulated.

The aggregator orders all nodes to close a reading and asks each for its registers by remote frames. The real node
takes these frames from its line, answers them with what cantools encodes by the shipped DBC file, and hears the
simulated nodes answer. The bench has to find each reading in the platform; a node that answers wrongly, twice or not
at all is named.
"""

import json
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

from can_capture import DATABASE, file_of, tshark
from peer.bench import Comparison
from peer.under_way import Run

FOLDER, NAME = "scenarios/foreign", "can-foreign-nodes"
BIT_RATE, NODE, POLLS = 125_000, 3, 3
REGISTERS = 6
VOLTAGE, CURRENT = 227.25, 2.0


class Node(threading.Thread):
    """A meter of somebody else's, until its line is gone."""

    def __init__(self, path, voltage=VOLTAGE, is_silent=False):
        super().__init__(daemon=True)
        self.bus = can.Bus(interface="slcan", channel=path, bitrate=BIT_RATE, sleep_after_open=0.0)
        self.database = cantools.database.load_file(DATABASE)
        self.voltage, self.is_silent = voltage, is_silent
        self.number, self.answered, self.of_others, self.is_over = 0, 0, 0, False

    def values(self, signals):
        power = self.voltage * CURRENT
        known = {"Voltage": self.voltage, "Current": CURRENT, "ActivePower": power, "ApparentPower": power,
                 "PowerFactor": 1.0, "Frequency": 50.0, "ConsumedEnergy": power * 2.0 * self.number}
        return {signal: next((value for name, value in known.items() if signal.startswith(name)), 0.0)
                for signal in signals}

    def answer(self, message):
        """The frame for a request, as the firmware would make it."""
        asked = self.database.get_message_by_frame_id(message.arbitration_id)
        if asked.name == "All_Freeze" and not message.is_remote_frame:
            self.number += 1
            token = asked.decode(message.data)["Token"]
            return f"Node{NODE}_Freeze", {"Number": self.number, "Windows": 10, "Token": token}
        if asked.name.startswith(f"Node{NODE}_") and message.is_remote_frame:
            return asked.name, self.values(asked.signal_tree)
        self.of_others += not message.is_remote_frame
        return None

    def run(self):
        while not self.is_over:
            try:
                message = self.bus.recv(0.2)
                found = message and not self.is_silent and self.answer(message)
                if not found:
                    continue
                name, values = found
                order = self.database.get_message_by_name(name)
                self.bus.send(can.Message(arbitration_id=order.frame_id, data=order.encode(values, strict=False),
                                          is_extended_id=False))
                self.answered += 1
            except (can.CanError, OSError):
                return


def judged(comparison, what, run, out, expected, wanted=None):
    code, output = run.end()
    path = os.path.join(out, "verdicts.json")
    if not os.path.exists(path):
        return comparison.true(f"{what}: a verdict", False, output[-1500:])
    with open(path, encoding="utf-8") as file:
        found = {row["check"]: row["status"] for row in json.load(file)}
    comparison.same(f"{what}: verdicts", found, expected)
    if wanted is None:
        wanted = int("fail" in expected.values() and not run.twin)
    return comparison.same(f"{what}: exit code", code, wanted)


def played(comparison, name, expected, **node):
    """Plays the node in a run of a scenario or twin."""
    what = f"{name} {node or ''}".strip()
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "line"), os.path.join(folder, os.path.basename(name))
        run = Run(FOLDER, name, "--out", out, "--set", f"device.node-{NODE}.line=pty:{path}")
        while not os.path.exists(path) and run.process.poll() is None:
            time.sleep(0.01)
        # The bench waits for somebody to open the line.
        node = Node(path, **node)
        node.start()
        judged(comparison, what, run, out, expected)
        node.is_over = True
        node.join()
        try:
            node.bus.shutdown()
        except can.CanError:
            pass  # The adapter is gone with the run.
        if not node.is_silent:
            comparison.same(f"{what}: answered", node.answered, POLLS * (1 + REGISTERS))
            comparison.same(f"{what}: heard of the others", node.of_others, 4 + POLLS * 2 * (1 + REGISTERS))
        captured = file_of(out, "bus", "pcapng")
        if os.path.exists(captured) and not node.is_silent:
            # An order to all, requests and answers of three nodes; the simulated two announce their ids by two each.
            frames = 4 + POLLS * (1 + 3 * (1 + 2 * REGISTERS))
            comparison.same(f"{what}: frames on the bus", len(tshark(captured)), frames)


def main():
    comparison = Comparison()
    good = {"readings-once": "pass", "voltages": "pass", "powers": "pass"}
    played(comparison, NAME, good)
    played(comparison, f"{NAME}/{NAME}-voltage", good | {"voltages": "fail"})
    played(comparison, f"{NAME}/{NAME}-power", good | {"powers": "fail"})
    played(comparison, NAME, good | {"voltages": "fail", "powers": "fail"}, voltage=230.0)
    played(comparison, NAME, {"readings-once": "fail", "voltages": "inconclusive", "powers": "inconclusive",
                            "unjudged-alerts": "inconclusive"}, is_silent=True)
    comparison.end()


if __name__ == "__main__":
    main()
