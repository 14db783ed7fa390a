"""The adapter of real-time simulators with a simulator of others: DPsim with the library of VILLASnode.

In each wire format, over UDP, and over MQTT: every sample that arrives obeys the law of the simulated circuit
(v2 = 0.9 v1, i = v1 / 10), readings are made of them, a set-point that is commanded over REST reaches the
circuit, is reflected and acknowledged. How many samples came of those expected by the time is reported and not
required: DPsim in real time loses some before it numbers them. A map with two points exchanged has to be found
wrong by the same law.
"""

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from peer.bench import LASTMETER, Comparison
from peer.meter import Meter
from peer.platform import LIMIT_S, Platform

# By the name in a point map, what VILLASnode calls the same layout; and how near its numbers are.
FORMATS = {
    "villas-binary": ("villas.binary", 1e-6),
    "gtnet-skt": ({"type": "gtnet"}, 1e-6),
    "gtnet-skt-header": ({"type": "gtnet", "fake": True}, 1e-6),
    "opal-asyncip": ({"type": "opal.asyncip"}, 1e-9),
    "villas-json": ("json", 1e-9),
    "villas-protobuf": ("protobuf", 1e-9),
}
QUANTITIES = {"v1": "electricity.voltage.rms.l1", "v2": "electricity.voltage.rms.l2",
              "i": "electricity.current.rms.l1"}
DEVICE_TOKEN = "meters"
RATE_HZ, SECONDS = 100, 6.0
INITIAL_V, COMMANDED_V = 150.0, 180.0
# How the adapter tells of a sample that came after its period, and how often it may in a run.
LATE, LATE_MAX = "came after its period", 5
HUGE_PAGES = "/proc/sys/vm/nr_hugepages"


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def point(name, unit, greatest, device):
    return (f'[[point]]\nname = "{name}"\ndirection = "from-simulator"\ntype = "float"\nunit = "{unit}"\n'
            f'least = "0 {unit}"\ngreatest = "{greatest} {unit}"\ndevice = "{device}"\n'
            f'quantity = "{QUANTITIES[name]}"\n')


def point_map(wire_format, device, order):
    dev_id = "dev_id = 0\n" if wire_format == "opal-asyncip" else ""
    units = {"v1": ("V", 400), "v2": ("V", 400), "i": ("A", 100)}
    return (f'format = 1\n[simulator]\nname = "{device}"\nwire_format = "{wire_format}"\n'
            f'sample_rate = "{RATE_HZ} Hz"\n{dev_id}'
            + "".join(point(name, *units[name], device) for name in order)
            + '[[point]]\nname = "set"\ndirection = "from-simulator"\ntype = "float"\nunit = "V"\nleast = "0 V"\n'
              'greatest = "400 V"\n'
            + '[[point]]\nname = "level"\ndirection = "to-simulator"\ntype = "float"\nunit = "V"\nleast = "0 V"\n'
              'greatest = "400 V"\ngreatest_change_per_second = "10000 V"\n'
              f'initial = "{INITIAL_V} V"\nsafe_value = "100 V"\ndevice = "{device}"\nreflected_by = "v1"\n')


class Process:
    """A process that is ended with the test; what it says is kept."""

    def __init__(self, arguments, cwd=None):
        self.process = subprocess.Popen(
            arguments, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.said = []
        for stream in (self.process.stdout, self.process.stderr):
            threading.Thread(target=self.drain, args=(stream,), daemon=True).start()

    def drain(self, stream):
        for line in stream:
            self.said.append(line.rstrip())
            if stream is self.process.stdout:
                self.lines.put(line)

    def end(self):
        """SIGTERM; gives the last line of its output."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self.process.returncode


def await_so(what, limit_s=LIMIT_S):
    """Waits until it gives something."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    return None


class Rig:
    """A circuit, an adapter before it, a listener at the broker."""

    def __init__(self, folder, broker, wire_format, carrier, order=("v1", "v2", "i")):
        self.broker, self.device = broker, f"{wire_format}-{carrier}-{''.join(order)}"
        self.folder = os.path.join(folder, f"{self.device}-{broker.port}")
        os.mkdir(self.folder)
        path = lambda name: os.path.join(self.folder, name)
        with open(path("map.toml"), "w", encoding="utf-8") as file:
            file.write(point_map(wire_format, self.device, order))
        with open(path("password"), "w", encoding="utf-8") as file:
            file.write(DEVICE_TOKEN + "\n")
        self.samples = []
        self.listener = Meter(broker, "MQTT 3.1.1", f"listener-{self.device}", password=DEVICE_TOKEN)
        self.listener.client.on_message = lambda _c, _u, message: self.samples.append(message.payload)
        self.listener.client.subscribe(f"default/rts/{self.device}/points", qos=0)
        self.listener.subscribed.get(timeout=LIMIT_S)
        into, out = free_port(), free_port()
        on = f"udp-listen:127.0.0.1:{out}" if carrier == "udp" else "mqtt"
        self.bridge = Process(
            [LASTMETER, "rts", "bridge", path("map.toml"), "--name", self.device, "--on", on,
             "--mqtt", f"{broker.host}:{broker.port}", "--mqtt-password-file", path("password"),
             "--data", path("outbox"), "--set", 'report_every = "100 ms"', "--set", 'reduce = "last"',
             "--set", 'raw = "json"', "--set", 'write_every = "50 ms"', "--set", 'reflect_within = "2 s"'])
        self.ready = self.bridge.lines.get(timeout=LIMIT_S)
        layout, self.relative = FORMATS[wire_format]
        signals = lambda *names: [{"name": name, "type": "float"} for name in names]
        into_node, out_of_node = {"signals": signals("level")}, {"signals": signals("v1", "v2", "i", "set")}
        if carrier == "udp":
            node = {"type": "socket", "layer": "udp"}
            into_node["address"], out_of_node["address"] = f"127.0.0.1:{into}", f"127.0.0.1:{out}"
        else:
            node = {"type": "mqtt", "host": broker.host, "port": broker.port,
                    "username": "default", "password": DEVICE_TOKEN}
            into_node["subscribe"] = f"default/rts/{self.device}/writes"
            out_of_node["publish"] = f"default/rts/{self.device}/frames"
        node.update({"format": layout, "in": into_node, "out": out_of_node})
        # It writes its logs where it is started.
        work = path("work")
        os.mkdir(work)
        os.chmod(work, 0o777)
        told = json.dumps({"interface": node, "seconds": SECONDS})
        circuit = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer", "dpsim_circuit.py")
        self.circuit = Process([sys.executable, "-P", circuit, told], cwd=work)

    def points(self):
        """Of each sample that carries something its values, by name: those before its start are zero."""
        read = [json.loads(payload)["points"] for payload in list(self.samples)]
        return [values for values in read if values["v1"] or values["v2"]]

    def has_level(self, volts):
        points = self.points()
        return points and abs(points[-1]["v1"] - volts) < 1e-3

    def command(self, volts):
        """Gives a set-point over REST; the answer, once there is one."""
        assignment = self.broker.get(f"/sitewhere/api/devices/{self.device}/assignment")["token"]
        made = self.broker.get(f"/sitewhere/api/assignments/{assignment}/invocations", {
            "initiator": "REST", "initiatorId": "test", "target": "Assignment", "commandToken": "setPoint",
            "parameterValues": {"point": "level", "value": str(volts)}})
        path = f"/sitewhere/api/invocations/{made['id']}"
        answered = lambda: self.broker.get(path).get("response")
        return await_so(answered, 10.0)

    def end(self):
        for process in (self.circuit, self.bridge):
            process.end()
        self.listener.client.loop_stop()
        self.listener.client.disconnect()


def obeys(values, relative):
    scale = relative * max(abs(values["v1"]), 1.0)
    return abs(values["v2"] - 0.9 * values["v1"]) <= scale and abs(values["i"] - 0.1 * values["v1"]) <= scale


def both_ways(comparison, folder, platform, wire_format, carrier):
    what = f"{wire_format} over {carrier}"
    rig = Rig(folder, platform, wire_format, carrier)
    try:
        is_there = await_so(lambda: rig.has_level(INITIAL_V), 15.0)
        begun = time.monotonic()
        comparison.true(f"{what}: the initial value reaches the circuit", is_there, (rig.points() or rig.circuit.said)[-2:])
        time.sleep(0.5)
        answer = rig.command(COMMANDED_V) if is_there else None
        comparison.true(f"{what}: the set-point is reflected", answer and answer.endswith(", reflected"), answer)
        comparison.true(f"{what}: the circuit has it", await_so(lambda: rig.has_level(COMMANDED_V), 5.0),
                        rig.points()[-1:])
        time.sleep(1.0)
        lasted_s = min(time.monotonic() - begun, SECONDS)
    finally:
        rig.end()
    points = rig.points()
    wrong = [values for values in points if not obeys(values, rig.relative)]
    expected = round(lasted_s * RATE_HZ)
    comparison.true(f"{what}: {len(points)} samples of some {expected} obey the law", points and not wrong, wrong[:2])
    rows = [row["values"] for row in platform.everything("readings") if row["device"] == rig.device]
    named = [{name: row[id] for name, id in QUANTITIES.items()} for row in rows]
    wrong = [values for values in named if any(values.values()) and not obeys(values, rig.relative)]
    levels = {round(values["v1"], 3) for values in named}
    comparison.true(f"{what}: {len(named)} readings obey it", not wrong and levels >= {INITIAL_V, COMMANDED_V},
                    (wrong[:2], sorted(levels)))
    refused = [line for line in rig.bridge.said if "_refused: " in line]
    # Behind a pause of a busy machine a sample comes after the period that it is of: that is told, and is no fault.
    late = [line for line in refused if LATE in line]
    others = [line for line in refused if LATE not in line]
    is_sound = "ready" in rig.ready and not others and len(late) <= LATE_MAX
    comparison.true(f"{what}: nothing is refused but {len(late)} late samples", is_sound, (others or late)[:3])


class Mosquitto:
    """A broker of others, without a password."""

    def __init__(self, program, folder):
        self.host, self.port = "127.0.0.1", free_port()
        settings = os.path.join(folder, "mosquitto.conf")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(f"listener {self.port} {self.host}\nallow_anonymous true\n")
        self.process = Process([program, "-c", settings])
        await_so(self.listens)

    def listens(self):
        with socket.socket() as one:
            return one.connect_ex((self.host, self.port)) == 0


def through_mosquitto(comparison, folder, program):
    """The circuit, the adapter and a service meet at a broker that knows none of them."""
    broker = Mosquitto(program, folder)
    rig = Rig(folder, broker, "villas-json", "mqtt")
    readings, what = [], "through mosquitto"
    service = Meter(broker, "MQTT 5", "service")
    service.client.on_message = lambda _c, _u, message: readings.append(json.loads(message.payload))
    service.client.subscribe("default/SiteWhere/input/json", qos=1)
    try:
        is_there = await_so(lambda: rig.has_level(INITIAL_V), 15.0)
        comparison.true(f"{what}: the initial value reaches the circuit", is_there, rig.circuit.said[-2:])
        service.client.publish(f"default/rts/{rig.device}/set", json.dumps({"level": COMMANDED_V}), qos=1)
        comparison.true(f"{what}: the circuit has the set-point", await_so(lambda: rig.has_level(COMMANDED_V), 5.0),
                        rig.points()[-1:])
        time.sleep(0.5)
    finally:
        rig.end()
        service.client.loop_stop()
        broker.process.end()
    points = rig.points()
    wrong = [values for values in points if not obeys(values, rig.relative)]
    comparison.true(f"{what}: {len(points)} samples obey the law", points and not wrong, wrong[:2])
    own = [message for message in readings if message["hardwareId"] == rig.device]
    comparison.true(f"{what}: {len(own)} readings came", own, readings[:1])


def exchanged(comparison, folder, platform):
    """The law finds a map in which two points have changed places."""
    rig = Rig(folder, platform, "villas-binary", "udp", ("v2", "v1", "i"))
    try:
        await_so(lambda: len(rig.points()) > 20, 15.0)
    finally:
        rig.end()
    points = rig.points()
    obeying = [values for values in points if obeys(values, rig.relative)]
    comparison.true(f"exchanged points: none of {len(points)} samples obeys the law", points and not obeying, obeying[:2])


def huge_pages():
    with open(HUGE_PAGES, encoding="utf-8") as file:
        return file.read().strip()


def main():
    comparison = Comparison()
    before = huge_pages()
    with tempfile.TemporaryDirectory() as folder:
        # The circuit is simulated by a user of its own.
        os.chmod(folder, 0o755)
        platform = Platform(os.path.join(folder, "data"), "--device-token", DEVICE_TOKEN)
        for wire_format in FORMATS:
            both_ways(comparison, folder, platform, wire_format, "udp")
        both_ways(comparison, folder, platform, "villas-json", "mqtt")
        exchanged(comparison, folder, platform)
        program = os.environ.get("MOSQUITTO") or shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        if program:
            through_mosquitto(comparison, folder, program)
        else:
            print("skip through mosquitto: it is not installed; MOSQUITTO may name the program")
        platform.stop()
    comparison.same("huge pages of this machine", huge_pages(), before)
    comparison.end()


if __name__ == "__main__":
    main()
