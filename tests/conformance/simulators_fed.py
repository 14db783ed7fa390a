"""Points of a simulator that are fed, with a simulator and a meter of others: a socket of the standard library, paho.

One power of one meter feeds three points: as a device's quantity, by its topic and by a path of REST, each in a unit
and with a scale of its own. The simulator here takes GTNET-SKT frames apart by itself; each reading that the platform
shows over REST has to be in the next frames, within a period of asking and 100 ms. What goes beyond the limits is not
written, a meter that falls silent leads to the safe values, and both are alerts. The adapter asks and listens as an
application that was granted this one device; where it was not, nothing comes.
"""

import datetime
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

from peer.bench import LASTMETER, Comparison, call
from peer.meter import Meter, reading
from peer.platform import LIMIT_S, TOKEN, Platform

POWER, ENERGY = "electricity.power.active.consumed.total", "electricity.energy.active.consumed.total"
EVERY_S, STALE_S = 0.5, 3.0
READINGS_KW = [1.5, 2.25, 7.0, 3.125, 24.5, 0.5, 12.0, 8.75]
BEYOND_KW, SAFE_W = 25.5, 2000.0
# Of each point: unit and scale as in the map, and what its words then are, in watts.
POINTS = {"device": ("kW", 0.1, 100.0), "topic": ("W", 1, 1.0), "rest": ("kW", 1, 1000.0)}
SOURCES = {
    "device": f'from = "device:hall/{POWER}"\nevery = "{EVERY_S} s"\n',
    "topic": f'from = "topic:default/live/device/hall"\npointer = "/values/{POWER}"\ntime_pointer = "/event_time"\n'
             'from_unit = "kW"\n',
    "rest": 'from = "rest:/api/v1/latest?device=hall"\npointer = "/results/0/values/0/value"\n'
            f'time_pointer = "/results/0/values/0/event_time"\nevery = "{EVERY_S} s"\n',
}


def point_map():
    text = ('format = 1\n[simulator]\nname = "peer"\nwire_format = "gtnet-skt"\nsample_rate = "50 Hz"\n'
            '[[point]]\nname = "u"\ndirection = "from-simulator"\ntype = "float"\nunit = "V"\nleast = "0 V"\n'
            'greatest = "400 V"\ndevice = "peer"\nquantity = "electricity.voltage.rms.l1"\n')
    for name, (unit, scale, _) in POINTS.items():
        text += (f'[[point]]\nname = "{name}"\ndirection = "to-simulator"\ntype = "float"\nunit = "{unit}"\n'
                 f'scale = {scale}\nleast = "0 kW"\ngreatest = "25 kW"\ngreatest_change_per_second = "100 MW"\n'
                 f'initial = "1 kW"\nsafe_value = "{SAFE_W} W"\nstale_after = "{STALE_S} s"\n{SOURCES[name]}')
    return text


class Simulator:
    """Sends a voltage fifty times a second, and keeps what the frames to it carry, in watts, with its instants."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.connect(("127.0.0.1", port))
        self.frames, self.is_over = [], False
        for work in (self.send, self.receive):
            threading.Thread(target=work, daemon=True).start()

    def send(self):
        while not self.is_over:
            try:
                self.socket.send(struct.pack(">f", 230.0))
            except OSError:
                pass
            time.sleep(0.02)

    def receive(self):
        factors = [factor for _, _, factor in POINTS.values()]
        while not self.is_over:
            try:
                words = struct.unpack(f">{len(factors)}f", self.socket.recv(64))
            except OSError:
                continue
            self.frames.append((time.monotonic(), [word * factor for word, factor in zip(words, factors)]))

    def await_watts(self, place, watts, since, limit_s=LIMIT_S):
        """How long after an instant a frame with these watts came, or None."""
        while True:
            is_over = time.monotonic() > since + limit_s
            for at, values in list(self.frames):
                if at >= since and abs(values[place] - watts) <= 1e-6 * watts:
                    return at - since
            if is_over:
                return None
            time.sleep(0.005)


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")


def application(platform, name, is_granted):
    """Files with the key and the secret of an application that may read the meter, or may not."""
    platform.get("/api/v1/applications", {"token": name})
    span = {"from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    if is_granted:
        platform.get("/api/v1/grants", {"to": f"app:{name}", "on": "device:hall", "actions": ["read"],
                                        "quantities": [POWER], "purpose": "simulation", "by": "user:bench", **span})
    key = {"of": f"app:{name}", "actions": ["read"], "until": "2100-01-01T00:00:00Z"}
    secret = platform.get("/api/v1/credentials", {"of": f"app:{name}"})["secret"]
    return platform.get("/api/v1/keys", key)["key"], secret


class Bridge:
    def __init__(self, folder, platform, name, is_granted=True):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        key, secret = application(platform, name, is_granted)
        files = {"map": point_map(), "key": key, "secret": secret, "token": TOKEN}
        for file, text in files.items():
            with open(self.path(file), "w", encoding="utf-8") as out:
                out.write(text + "\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.log = open(self.path("log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [LASTMETER, "rts", "bridge", self.path("map"), "--name", name, "--on", f"udp-listen:127.0.0.1:{port}",
             "--mqtt", f"{platform.host}:{platform.port}", "--mqtt-password-file", self.path("token"),
             "--rest", platform.rest.removeprefix("http://"), "--rest-token-file", self.path("key"),
             "--flow-user", "default" if is_granted else f"default/app/{name}",
             "--flow-password-file", self.path("token" if is_granted else "secret"),
             "--data", self.path("outbox")], stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.process.stdout.readline()
        self.simulator = Simulator(port)

    def path(self, name):
        return os.path.join(self.folder, name)

    def end(self):
        self.simulator.is_over = True
        self.process.terminate()
        code = self.process.wait(LIMIT_S)
        self.log.close()
        return code


def last_reading_w(platform):
    rows = [row for row in platform.everything("readings") if row["device"] == "hall"]
    return rows[-1]["values"][POWER] * 1000.0


def feed_alerts(platform, name):
    rows = [row for row in platform.everything("alerts") if row["device"] == name]
    return sorted((row["type"], row["metadata"]["point"]) for row in rows if "feed" in row["type"])


def values_arrive(comparison, platform, meter, simulator):
    """Each reading reaches each point, as REST has it."""
    delays = {name: [] for name in POINTS}
    for serial, kilowatts in enumerate(READINGS_KW, 2):
        since = time.monotonic()
        meter.await_acknowledged([meter.send(reading("hall", serial, {POWER: kilowatts}, date=now()))])
        for place, name in enumerate(POINTS):
            delay = simulator.await_watts(place, kilowatts * 1000.0, since)
            comparison.true(f"{kilowatts} kW reaches `{name}`", delay is not None, simulator.frames[-1:])
            delays[name].append(LIMIT_S if delay is None else delay)
        watts = last_reading_w(platform)
        for name, found in zip(POINTS, simulator.frames[-1][1]):
            comparison.close(f"`{name}` and REST", found, watts, 1e-6 * watts, "W")
        time.sleep(0.1)
    for name, all_delays in delays.items():
        # One of them may find the machine busy.
        middle = statistics.median(all_delays)
        comparison.true(f"`{name}` within a period and 100 ms", middle <= EVERY_S + 0.1,
                        f"median {middle * 1e3:.0f} ms, longest {max(all_delays) * 1e3:.0f} ms")
    middles = {name: statistics.median(found) for name, found in delays.items()}
    comparison.true("a topic is sooner than what is asked", middles["topic"] < middles["device"], middles)


def limits_and_silence(comparison, platform, meter, bridge):
    simulator = bridge.simulator
    meter.await_acknowledged([meter.send(reading("hall", 90, {POWER: BEYOND_KW}, date=now()))])
    refused = [("simulator.feed_refused", name) for name in sorted(POINTS)]
    limit = time.monotonic() + LIMIT_S
    while feed_alerts(platform, "rack") != refused and time.monotonic() < limit:
        time.sleep(0.02)
    comparison.same("alerts of what goes beyond the limits", feed_alerts(platform, "rack"), refused)
    highest = max(max(values) for _, values in simulator.frames)
    comparison.true("nothing beyond the limits was written", highest <= 25_000.0, highest)
    since = time.monotonic()
    for place, name in enumerate(POINTS):
        comparison.true(f"`{name}` gets its safe value", simulator.await_watts(place, SAFE_W, since) is not None)
    time.sleep(0.5)
    stale = refused + [("simulator.feed_stale", name) for name in sorted(POINTS)]
    comparison.same("alerts of silence", feed_alerts(platform, "rack"), stale)


def located_mistake(comparison, folder):
    """An energy for a power is a mistake of the map, with its line."""
    path = os.path.join(folder, "wrong.toml")
    wrong = point_map().replace(POWER, ENERGY, 1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(wrong)
    code, _, error = call("rts", "check", path)
    line = wrong.splitlines().index(f'from = "device:hall/{ENERGY}"') + 1
    comparison.same("exit code of a map with a wrong quantity", code, 2)
    is_only = error.count("error[") == 1 and "error[S010]" in error
    comparison.true("the one mistake has its line", is_only and f"wrong.toml:{line}:8" in error, error)


def main():
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(os.path.join(folder, "data"))
        meter = Meter(platform, "MQTT 3.1.1", "hall")
        meter.await_acknowledged([meter.send(reading("hall", 1, {POWER: 1.0}, date=now()))])
        platform.await_rows("readings", 1)
        bridge = Bridge(folder, platform, "rack")
        stranger = Bridge(folder, platform, "stranger", is_granted=False)
        if not bridge.simulator.await_watts(0, 1000.0, 0.0, LIMIT_S + time.monotonic()):
            sys.exit("the adapter writes nothing: " + open(bridge.path("log"), encoding="utf-8").read())
        values_arrive(comparison, platform, meter, bridge.simulator)
        limits_and_silence(comparison, platform, meter, bridge)
        seen = {watts for _, values in stranger.simulator.frames for watts in values}
        comparison.true("without a grant nothing but initial and safe values come", seen <= {1000.0, SAFE_W}, seen)
        comparison.same("exit code of the adapter", bridge.end(), 0)
        stranger.end()
        located_mistake(comparison, folder)
        code, _, error = call("rts", "bridge", bridge.path("map"), "--on", "udp-listen:127.0.0.1:0", "--mqtt",
                              f"{platform.host}:{platform.port}", "--data", os.path.join(folder, "none"))
        comparison.true("without `--rest` it does not begin", code != 0 and "--rest" in error, (code, error[-300:]))
        meter.close()
        comparison.same("exit code after SIGTERM", platform.stop(), 0)
    comparison.end()


if __name__ == "__main__":
    main()
