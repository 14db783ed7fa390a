"""Our node on a line, polled by python-can; what it answers, relayed to the platform by a gateway that reads none of it.

`lastmeter can node` is behind an SLCAN adapter on a pseudo-terminal. python-can orders it to close readings and asks
for its registers, cantools takes the answers apart by the shipped DBC file: they have to be those of the load that the
arguments describe. A gateway written from docs/gateway-protocol.md relays the same frames, and frames that cantools
makes of random values; the platform has to store the values that cantools has, and refuse the rest.
"""

import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

try:
    import can
    import cantools

    from peer.gateway import DELIVERED, RELAY_UP, dial
except ImportError:
    print("python-can, cantools or cryptography are not installed: pip install -r tests/conformance/requirements.txt")
    sys.exit(77)

from can_capture import DATABASE, QUANTITIES
from peer.bench import LASTMETER, Comparison
from peer.platform import Platform

NODE, VOLTAGE, CURRENT, FACTOR, FREQUENCY = 5, 231.5, 4.0, -0.6, 49.98
OPTIONS = {"node": NODE, "voltage": VOLTAGE, "current": CURRENT, "power-factor": FACTOR, "frequency": FREQUENCY}
REGISTERS = ("VoltageCurrent", "ActivePower", "ApparentPower", "FactorFrequency", "Consumed", "Injected")
POLLS, APART_S, PATIENCE_S = 3, 1.0, 5.0
# Between the order and the instant at which the node closes its reading.
INSTANT_S = 0.25
GATEWAY, BUS, CAN = 0x00AA_0000_0000_0001, 0x00CC_0000_0000_0040, 1
RANDOM_FRAMES = 300
NAMES = QUANTITIES | {"VoltageDistortion": "x.electricity.voltage.thd.l1", "State": "x.electricity.breaker.closed",
                      "CurrentDistortion": "x.electricity.current.thd.l1"}
PER_UNIT = {"ApparentPower": 1e3, "NonActivePower": 1e3, "ConsumedEnergy": 3.6e6, "InjectedEnergy": 3.6e6,
            "VoltageDistortion": 0.01, "CurrentDistortion": 0.01}


class Master:
    def __init__(self, path):
        self.bus = can.Bus(interface="slcan", channel=path, bitrate=125_000, sleep_after_open=0.0)
        self.database = cantools.database.load_file(DATABASE)
        self.heard = []

    def send(self, name, node=None, **values):
        """Sends an order with values, or asks by a remote frame."""
        message = self.database.get_message_by_name(name)
        data = message.encode(values) if values else b""
        self.bus.send(can.Message(arbitration_id=message.frame_id, data=data, is_remote_frame=not values,
                                  dlc=None if values else 8, is_extended_id=False))

    def answer(self, patience_s=PATIENCE_S):
        """Name and values of the next frame; none if there is none in time."""
        message = self.bus.recv(patience_s)
        if message is None:
            return None, {}
        self.heard.append((message.arbitration_id, bytes(message.data)))
        found = self.database.get_message_by_frame_id(message.arbitration_id)
        return found.name, found.decode(message.data, decode_choices=False)


def polled(comparison, folder):
    """Polls the node; the frames that it answered."""
    path = os.path.join(folder, "line")
    options = [f"--{name}={value}" for name, value in OPTIONS.items()]
    node = subprocess.Popen([LASTMETER, "can", "node", f"pty:{path}", *options, "--dbc", "metering"],
                            stdout=subprocess.PIPE, text=True)
    while not os.path.exists(path) and node.poll() is None:
        time.sleep(0.01)
    master, readings = Master(path), []
    master.send(f"Node{NODE}_VoltageCurrent")
    comparison.same("before a reading is closed", master.answer(1.0), (None, {}))
    for poll in range(1, POLLS + 1):
        time.sleep(APART_S)
        closed_at = time.monotonic()
        master.send("All_Freeze", Token=40 + poll)
        name, values = master.answer()
        comparison.same(f"poll {poll}: order", (name, values.get("Number"), values.get("Token")),
                        (f"Node{NODE}_Freeze", poll, 40 + poll))
        read = {"Windows": values.get("Windows", -1)}
        for register in REGISTERS:
            master.send(f"Node{NODE}_{register}")
            name, values = master.answer()
            comparison.same(f"poll {poll}: answer", name, f"Node{NODE}_{register}")
            read |= values
        readings.append((closed_at, read))
    for name in ("Node6_VoltageCurrent", f"Node{NODE}_Status", f"Node{NODE}_CompactVoltage"):
        master.send(name)
        comparison.same(f"{name} is not answered", master.answer(0.5), (None, {}))
    apparent = VOLTAGE * CURRENT
    expected = {"Voltage": VOLTAGE, "Current": CURRENT, "ActivePower": apparent * FACTOR, "ApparentPower": apparent,
                "NonActivePower": apparent * 0.8, "PowerFactor": FACTOR, "Frequency": FREQUENCY, "ConsumedEnergy": 0.0}
    for (before, first), (after, second) in zip(readings, readings[1:]):
        for signal, value in expected.items():
            comparison.close(signal, second.get(signal, math.nan), value, 0.00051)
        rose = second["InjectedEnergy"] - first["InjectedEnergy"]
        comparison.close("seconds by energy", rose / (apparent * -FACTOR), after - before, INSTANT_S, "s")
        comparison.close("seconds by windows", second["Windows"] * 10 / FREQUENCY, after - before, 0.2 + INSTANT_S, "s")
    master.bus.shutdown()
    node.terminate()
    shown = node.communicate(timeout=30)[0].splitlines()
    comparison.same("lines that it showed", len([line for line in shown if "Node5_" in line and "Windows" not in line]),
                    2 * POLLS * len(REGISTERS) + 3)
    return master.heard


def random_frames(dice):
    """Data frames of any node and register, whatever their bits."""
    database = cantools.database.load_file(DATABASE)
    own = [message for message in database.messages if not message.name.startswith("All_")]
    for _ in range(RANDOM_FRAMES):
        message = dice.choice(own)
        yield message.frame_id, dice.randbytes(message.length)


def by_cantools(database, identifier, data):
    """The quantities of a frame in the units of messages."""
    found = {}
    for signal, value in database.get_message_by_frame_id(identifier).decode(data, decode_choices=False).items():
        if signal == "ActivePower":
            found["electricity.power.active.consumed.total"] = max(value, 0.0) / 1e3
            found["electricity.power.active.injected.total"] = max(-value, 0.0) / 1e3
        elif signal in NAMES and not (signal == "PowerFactor" and abs(value) > 1) and not (signal == "State" and value > 1):
            found[NAMES[signal]] = value / PER_UNIT.get(signal, 1.0)
    return found


def relayed(comparison, folder, frames):
    """A gateway relays the frames."""
    platform = Platform(os.path.join(folder, "data"), "--door", "gateways=127.0.0.1:0")
    made = platform.get("/api/v1/networks", {"token": "bus", "type": "can", "name": "bus",
                                             "gatewayAddress": f"{GATEWAY:016x}"})
    link, _ = dial(int(platform.ready["gateways"].rpartition(":")[2]), bytes.fromhex(made["key"]), "bus", GATEWAY)
    for number, (identifier, data) in enumerate(frames):
        head = struct.pack(">IIIQH", 0, number, int(time.time()), BUS, identifier)
        link.send(RELAY_UP + 2 * CAN, head + data)
    up_to = 0
    while up_to < len(frames):
        opcode, body, _, _ = link.take()
        up_to = struct.unpack(">II", body)[1] if opcode == DELIVERED else up_to
    database = cantools.database.load_file(DATABASE)
    expected = {}
    for number, (identifier, data) in enumerate(frames):
        if values := by_cantools(database, identifier, data):
            expected[number] = f"{BUS + identifier % 32:016x}", values
    rows = {row["serial"]: (row["device"], row["values"]) for row in platform.await_rows("readings", len(expected))}
    comparison.same("frames that became readings", sorted(rows), sorted(expected))
    off = [(number, rows.get(number), row) for number, row in expected.items() if not is_same(rows.get(number), row)]
    comparison.true("their values", not off, f"{sum(len(row[1]) for row in expected.values())} compared, off: {off[:3]}")
    platform.stop()


def is_same(found, expected):
    return found is not None and found[0] == expected[0] and found[1].keys() == expected[1].keys() and all(
        math.isclose(found[1][name], value, rel_tol=1e-9, abs_tol=1e-12) for name, value in expected[1].items())


def main():
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        heard = polled(comparison, folder)
        relayed(comparison, folder, heard + list(random_frames(random.Random("can_node"))))
    comparison.end()


if __name__ == "__main__":
    main()
