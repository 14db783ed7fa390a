"""A simulator that lies: its frames and the orders to it pass through here, and some become others.

`lastmeter rts serve` plays the network; this stands between it and the adapter of
`scenarios/foreign/rts-foreign-simulator.toml`, over UDP both ways. What a frame holds is read from the point map.
The honest way hands everything on.
"""

import os
import re
import select
import socket
import struct
import subprocess
import threading
import time
import tomllib

from peer.bench import LASTMETER
from peer.under_way import Run

FOLDER, SCENARIO = "scenarios/foreign", "rts-foreign-simulator"
# What the simulator plays.
SERVED = "scenarios/library/real-time/rts-real-time.toml"
NUMBER, STATE = "frame", "sectioner-state"
UNDONE_AFTER_S = 0.1


class Layout:
    """The points of a direction, in the order of their words (GTNET-SKT: big endian, 32 bits each)."""

    def __init__(self, points, direction):
        self.points = [point for point in points if point["direction"] == direction]
        self.names = [point["name"] for point in self.points]
        self.form = ">" + "".join("i" if point["type"] == "integer" else "f" for point in self.points)
        self.of_quantity = lambda word: [point["name"] for point in self.points if word in point.get("quantity", "")]

    def read(self, data):
        return dict(zip(self.names, struct.unpack(self.form, data)))

    def write(self, values):
        return struct.pack(self.form, *(values[name] for name in self.names))


class Simulator:
    """Hands frames and orders on; each lie changes one of them. `count` is the number of the frame, from 0."""

    # How many frames and orders it has changed.
    changed = 0

    map_of = staticmethod(lambda text: text)

    def __init__(self, frames, orders):
        self.frames, self.orders = frames, orders
        self.kept, self.ordered, self.due = {}, None, None

    def frame(self, count, values):
        """The values that are sent instead; None: none."""
        return values

    def bytes_of(self, count, values):
        return self.frames.write(values)

    def order(self, values):
        """The orders that the simulator gets instead; None: none."""
        return values

    def later(self, now):
        """An order that the simulator gets by itself."""
        return None

    def measured(self):
        """The points that stand for quantities of meters."""
        return self.frames.of_quantity("electricity.")


# --- lies of frames ----------------------------------------------------------------------------------------------


def spoilt(value):
    """Every value that a meter reports is this one in 49 frames of 50."""
    class Spoilt(Simulator):
        def frame(self, count, values):
            return values if count % 50 == 0 else {**values, **dict.fromkeys(self.measured(), value)}
    return Spoilt


class CutsHalf(Simulator):
    def bytes_of(self, count, values):
        data = super().bytes_of(count, values)
        return data[: len(data) // 2] if count % 2 else data


def lost(is_kept):
    class Loses(Simulator):
        def frame(self, count, values):
            return values if is_kept(count) else None
    return Loses


class NumberStands(Simulator):
    def frame(self, count, values):
        self.kept = self.kept or values
        return {**values, NUMBER: self.kept[NUMBER]}


class Stale(Simulator):
    """After half a second values stand still, while frames count on."""

    def frame(self, count, values):
        if count == 25:
            self.kept = {name: values[name] for name in self.measured()}
        return {**values, **self.kept}


class EnergyBackwards(Simulator):
    def frame(self, count, values):
        energies = self.frames.of_quantity(".energy.")
        self.kept = self.kept or {name: values[name] for name in energies}
        return {**values, **{name: max(0.0, 50.0 + 2 * self.kept[name] - values[name]) for name in energies}}


class Jumps(Simulator):
    """From frame to frame voltages jump by 20 V, about the right mean."""

    def frame(self, count, values):
        by = 10.0 if count % 2 else -10.0
        return {**values, **{name: values[name] + by for name in self.frames.of_quantity(".voltage.")}}


def exchanged(one, other):
    """What the names of points have of these is turned round."""
    turned = lambda name: name.replace(one, "\0").replace(other, one).replace("\0", other)

    class Exchanged(Simulator):
        def frame(self, count, values):
            return {name: values[turned(name)] if turned(name) in values else value for name, value in values.items()}
    return Exchanged


class PowerOfTen(Simulator):
    def frame(self, count, values):
        return {**values, **{name: 0.1 * values[name] for name in self.frames.of_quantity(".energy.")}}


# --- lies of orders ----------------------------------------------------------------------------------------------


class EchoesOnly(Simulator):
    """Shows what was ordered, and does nothing of it."""

    def order(self, values):
        self.ordered = values["sectioner"]
        return None

    def frame(self, count, values):
        return values if self.ordered is None else {**values, STATE: self.ordered}


class Undoes(Simulator):
    """Obeys for a tenth of a second."""

    def order(self, values):
        if values["sectioner"] == 0:
            self.due = self.due or time.monotonic() + UNDONE_AFTER_S
        is_over = self.due is not None and time.monotonic() > self.due
        return {**values, "sectioner": 1} if is_over else values

    def later(self, now):
        if self.due is None or now < self.due:
            return None
        self.due = float("-inf")
        return {"sectioner": 1}


class StateStands(Simulator):
    """Its state has always been what will be ordered."""

    def order(self, values):
        return None

    def frame(self, count, values):
        return {**values, STATE: 0}


class Disobeys(Simulator):
    """A point that nothing reflects, and that nobody obeys."""

    map_of = staticmethod(lambda text: re.sub(r'\nreflected_by = ".*"', "", text))

    def order(self, values):
        return None


HONEST = {"hands everything on": Simulator}
LIES = {
    "sends NaN in 49 frames of 50": spoilt(float("nan")),
    "is out of range in 49 frames of 50": spoilt(1e6),
    "cuts every second frame": CutsHalf,
    "loses 1 frame of 10": lost(lambda count: count % 10),
    "loses 9 frames of 10": lost(lambda count: not count % 10),
    "never moves its number": NumberStands,
    "stands still while frames go on": Stale,
    "counts energy backwards": EnergyBackwards,
    "jumps by 20 V from frame to frame": Jumps,
    "exchanges two buses": exchanged("bus-1", "bus-2"),
    "exchanges two phases": exchanged(".u1", ".u2"),
    "sends a tenth of the energy": PowerOfTen,
    "echoes the order and does nothing": EchoesOnly,
    "undoes the order after 0.1 s": Undoes,
    "has its state stuck where ordered": StateStands,
    "has a point that nobody obeys": Disobeys,
}
DRAWN = ["sends NaN in 49 frames of 50", "never moves its number", "echoes the order and does nothing"]


def pass_on(simulator, inner, outer, adapter, is_over):
    """Frames from the simulator to the adapter, orders back, until it is over."""
    count, served = 0, None

    def hand_on(order, was):
        simulator.changed += order != was
        if order and served:
            inner.sendto(simulator.orders.write(order), served)

    while not is_over.is_set():
        ready = select.select([inner, outer], [], [], 0.01)[0]
        if inner in ready:
            data, served = inner.recvfrom(4096)
            values = simulator.frame(count, simulator.frames.read(data))
            sent = b"" if values is None else simulator.bytes_of(count, values)
            simulator.changed += sent != data
            if sent:
                outer.sendto(sent, adapter)
            count += 1
        if outer in ready:
            try:
                order = simulator.orders.read(outer.recv(4096))
            except OSError:  # nobody listens yet
                continue
            hand_on(simulator.order(order), order)
        hand_on(simulator.later(time.monotonic()), None)


def port_of(kind):
    """A socket of its own on the loopback, or the number of a port that is free."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    if kind is socket:
        return one
    with one:
        return one.getsockname()[1]


def play(kind, folder):
    """A run of the scenario with this simulator; gives exit code, what was printed, and how often it lied."""
    with open(os.path.join(FOLDER, f"{SCENARIO}.toml"), "rb") as file:
        gateway = tomllib.load(file)["gateway"][0]
    with open(os.path.join(FOLDER, gateway["map"]), encoding="utf-8") as file:
        text = kind.map_of(file.read())
    point_map = os.path.join(folder, "map.toml")
    with open(point_map, "w", encoding="utf-8") as file:
        file.write(text)
    points = tomllib.loads(text)["point"]
    simulator = kind(Layout(points, "from-simulator"), Layout(points, "to-simulator"))
    inner, outer, is_over = port_of(socket), port_of(socket), threading.Event()
    adapter = ("127.0.0.1", port_of(int))
    thread = threading.Thread(target=pass_on, args=(simulator, inner, outer, adapter, is_over), daemon=True)
    thread.start()
    here = f"udp:127.0.0.1:{inner.getsockname()[1]}"
    with subprocess.Popen([LASTMETER, "rts", "serve", SERVED, "--on", here], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as served:
        served.stdout.readline()
        more = ["--set", f"gateway.adapter.map={point_map}"] if kind.map_of is not Simulator.map_of else []
        try:
            found = Run(FOLDER, SCENARIO, "--out", os.path.join(folder, "run"),
                        "--set", f"network.socket.line=udp-listen:127.0.0.1:{adapter[1]}", *more).end()
        finally:
            served.terminate()
            is_over.set()
            thread.join()
            inner.close()
            outer.close()
    return *found, simulator.changed
