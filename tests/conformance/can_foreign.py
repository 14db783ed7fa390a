"""A CAN bus of ours with a master of somebody else's: python-can, by SLCAN over a pseudo-terminal.

It orders the simulated meters to close a reading, asks them for their registers by remote frames, takes the answers
apart by cantools with the shipped DBC file and sends what they hold to the platform. The bench has to find each reading
there once, with the values that its meter answered; what was on the bus is in the capture.
"""

import datetime
import json
import os
import sys
import tempfile
import time

try:
    import can
    import cantools
except ImportError:
    print("python-can and cantools are not installed: pip install -r tests/conformance/requirements.txt")
    sys.exit(77)

from can_capture import DATABASE, QUANTITIES, file_of, tshark
from peer.bench import Comparison
from peer.meter import Meter, reading
from peer.platform import TOKEN, Platform
from peer.under_way import Run

FOLDER = "scenarios/foreign"
POLL_S, DURATION_S, METERS = 2.0, 8.0, 3
PATIENCE_S = 1.0
BIT_RATE = 125_000
# Messages have energies in kilowatt-hours, powers in thousands of their units.
UNITS = {"ConsumedEnergy": 3.6e6, "InjectedEnergy": 3.6e6, "ApparentPower": 1e3, "NonActivePower": 1e3}
REGISTERS = ("VoltageCurrent", "ActivePower", "ApparentPower", "FactorFrequency", "Consumed", "Injected")


class Master:
    """The host of the adapter."""

    def __init__(self, path):
        self.bus = can.Bus(interface="slcan", channel=path, bitrate=BIT_RATE, sleep_after_open=0.0)
        self.database = cantools.database.load_file(DATABASE)
        self.asked, self.answered, self.token = 0, 0, 0

    def hear(self, names):
        """The answers of these names, as far as they come in time, by name."""
        found, limit = {}, time.monotonic() + PATIENCE_S
        while len(found) < len(names) and (left := limit - time.monotonic()) > 0:
            message = self.bus.recv(left)
            if message is None or message.is_remote_frame:
                continue
            name = self.database.get_message_by_frame_id(message.arbitration_id).name
            if name in names:
                found[name] = self.database.decode_message(name, message.data)
        self.answered += len(found)
        return found

    def poll(self):
        """Number and values of each meter that has closed a reading."""
        self.token += 1
        order = self.database.get_message_by_name("All_Freeze")
        data = order.encode({"Token": self.token})
        self.bus.send(can.Message(arbitration_id=order.frame_id, data=data, is_extended_id=False))
        closed = self.hear([f"Node{node}_Freeze" for node in range(1, METERS + 1)])
        for name, order in sorted(closed.items()):
            node, values = name.partition("_")[0], {}
            for register in REGISTERS:
                asked = self.database.get_message_by_name(f"{node}_{register}")
                self.bus.send(can.Message(arbitration_id=asked.frame_id, is_remote_frame=True, dlc=8, is_extended_id=False))
                self.asked += 1
                values |= self.hear([asked.name]).get(asked.name, {})
            power = values.pop("ActivePower", 0.0) / 1e3
            values = {QUANTITIES[name]: value / UNITS.get(name, 1.0) for name, value in values.items()}
            values["electricity.power.active.consumed.total"] = max(power, 0.0)
            values["electricity.power.active.injected.total"] = max(-power, 0.0)
            yield node.replace("Node", "node-"), int(order["Number"]), values


def judged(comparison, run, out, expected):
    code, output = run.end()
    path = os.path.join(out, "verdicts.json")
    if not os.path.exists(path):
        return comparison.true(f"{os.path.basename(out)}: a verdict", False, output[-800:])
    with open(path, encoding="utf-8") as file:
        found = {row["check"]: row["status"] for row in json.load(file)}
    comparison.same(f"{os.path.basename(out)}: verdicts", found, expected)
    return comparison.same(f"{os.path.basename(out)}: exit code", code, int("fail" in expected.values() and not run.twin))


def polled(comparison, name, expected, lies=False):
    """Reads the meters each two seconds; `lies`: it sends another voltage than was answered."""
    with tempfile.TemporaryDirectory() as folder:
        path = lambda part: os.path.join(folder, part)
        platform = Platform(path("data"))
        with open(path("profile.toml"), "w", encoding="utf-8") as file:
            file.write(f'mqtt = "{platform.ready["mqtt"]}"\nrest = "{platform.rest}"\ntoken = "{TOKEN}"\n')
        out = path(os.path.basename(name))
        run = Run(FOLDER, name, "--platform", path("profile.toml"), "--out", out, "--format", "json",
                  "--set", f"network.bus.line=pty:{path('line')}")
        while not os.path.exists(path("line")) and run.process.poll() is None:
            time.sleep(0.01)
        meter = Meter(platform, "MQTT 5", "foreign-master")
        # The bench waits for somebody to open the line: the adapter is opened before anything begins.
        master = Master(path("line"))
        start, begin = run.schedule()
        for poll in range(1, int(DURATION_S / POLL_S)):
            time.sleep(max(0.0, begin + poll * POLL_S + 0.2 - time.monotonic()))
            for device, number, values in master.poll():
                now = start + datetime.timedelta(seconds=time.monotonic() - begin)
                date = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
                if lies:
                    values["electricity.voltage.rms.l1"] *= 1.00005
                meter.send(reading(device, number, values, date))
        polls = int(DURATION_S / POLL_S) - 1
        comparison.same(f"{name}: asked, answered", (master.asked, master.answered),
                        (polls * METERS * len(REGISTERS), polls * METERS * (1 + len(REGISTERS))))
        judged(comparison, run, out, expected)
        captured = file_of(out, "bus", "pcapng")
        if os.path.exists(captured):
            # Each node announces its id by two.
            frames = 2 * METERS + polls + master.asked + master.answered
            comparison.same(f"{name}: frames on the bus", len(tshark(captured)), frames)
        try:
            master.bus.shutdown()
        except can.CanError:
            pass  # The adapter is gone with the run.
        meter.close()
        platform.stop()


def main():
    comparison = Comparison()
    good = {"readings-once": "pass", "voltages": "pass"}
    polled(comparison, "can-foreign-master", good)
    polled(comparison, "can-foreign-master/can-foreign-master-ratio", good | {"voltages": "fail"})
    polled(comparison, "can-foreign-master", good | {"readings-once": "fail", "voltages": "inconclusive"}, lies=True)
    comparison.end()


if __name__ == "__main__":
    main()
