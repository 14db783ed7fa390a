#!/usr/bin/env python3
"""Measures the adapter of real-time simulators: latency beside a bare hop, and load without loss.

    simulator_speed.py [--program target/release/lastmeter] [--rounds 10] [--seconds 10]

Wants paho-mqtt (tests/conformance/requirements.txt). The broker is mosquitto where it is installed,
else `lastmeter serve`.

Latency: a UDP frame until its sample arrives as JSON under the raw topic, and a message of the same
size published and received through the same broker by the same client, in turns, one at a time. The
machine's speed drifts, so the ratio of the medians is taken in each round; exit 1 if the median of
these ratios is 2 or more.

Load: 300 points at 1000 Hz and 60 points at 5000 Hz, each for so many seconds, with raw samples as
JSON. Exit 1 if a datagram was lost anywhere; what the kernel lost, and what was sent late because
the sender did not get the processor, is reported apart.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import paho.mqtt.client as mqtt

TOPIC, ECHO = "default/rts/rack/points", "default/echo/listener"
RATIO_MAX = 2.0


def point_map(points, rate):
    text = (
        'format = 1\n[simulator]\nname = "rack"\nwire_format = "gtnet-skt"\n'
        f'card = "none"\nsample_rate = "{rate} Hz"\n'
    )
    for number in range(points):
        text += (
            f'[[point]]\nname = "p{number}"\ndirection = "from-simulator"\ntype = "float"\n'
            'unit = "V"\nleast = "-1000000 V"\ngreatest = "1000000 V"\n'
        )
        if number < 50:
            text += f'device = "house-{points}-{rate}-{number}"\nquantity = "electricity.voltage.rms.l1"\n'
    return text


def ready_line(process):
    line = process.stdout.readline()
    if not line:
        sys.exit("a program ended before it was ready")
    return json.loads(line)


class Broker:
    """mosquitto, or the platform."""

    def __init__(self, program, folder):
        found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if found:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            path = os.path.join(folder, "mosquitto.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
            self.process = subprocess.Popen([found, "-c", path], stderr=subprocess.DEVNULL)
            self.name, self.port = "mosquitto", port
            time.sleep(1)
            return
        command = [program, "serve", "--token", "secret", "--device-token", "meters"]
        command += ["--mqtt", "127.0.0.1:0", "--rest", "127.0.0.1:0"]
        command += ["--data", os.path.join(folder, "platform")]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.name = "lastmeter serve"
        self.port = int(ready_line(self.process)["mqtt"].rsplit(":", 1)[1])


class Bridge:
    """The adapter, with a map of so many points."""

    def __init__(self, program, folder, broker, points, rate):
        os.makedirs(folder)
        path = os.path.join(folder, "map.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(point_map(points, rate))
        password = os.path.join(folder, "password")
        with open(password, "w", encoding="utf-8") as file:
            file.write("meters\n")
        command = [program, "rts", "bridge", path, "--on", "udp-listen:127.0.0.1:0"]
        command += ["--mqtt", f"127.0.0.1:{broker.port}", "--mqtt-password-file", password]
        command += ["--name", "rack", "--http", "127.0.0.1:0", "--set", 'raw = "json"']
        command += ["--data", os.path.join(folder, "outbox")]
        log = open(os.path.join(folder, "log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.ready = ready_line(self.process)
        host, port = self.ready["lines"][0].rsplit(" ", 1)[1].rsplit(":", 1)
        self.at = (host, int(port))
        end = time.monotonic() + 10
        while self.metrics()["broker_up"] != 1:
            if time.monotonic() > end:
                sys.exit("the adapter did not reach the broker")
            time.sleep(0.05)

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.ready['http']}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name.removeprefix("lastmeter_rts_"): float(value) for name, value in pairs}

    def end(self):
        self.process.terminate()
        line = self.process.stdout.readline()
        self.process.wait(20)
        return json.loads(line)


class Listener:
    """Receives under both topics; one message at a time is waited for."""

    def __init__(self, port):
        self.arrived, self.at_ns = threading.Event(), 0
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="listener")
        self.client.username_pw_set("default", "meters")
        self.client.on_message = self.on_message
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client.loop_start()
        self.client.subscribe([(TOPIC, 0), (ECHO, 0)])
        if not subscribed.wait(10):
            sys.exit("the broker did not grant the subscriptions")

    def on_message(self, _client, _data, message):
        self.at_ns = time.perf_counter_ns()
        self.size = len(message.payload)
        self.arrived.set()

    def time_us(self, send):
        self.arrived.clear()
        begin_ns = time.perf_counter_ns()
        send()
        if not self.arrived.wait(5):
            sys.exit("a message did not arrive within 5 s")
        return (self.at_ns - begin_ns) / 1000


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def latency(program, folder, broker, rounds, per_round):
    bridge = Bridge(program, os.path.join(folder, "latency"), broker, 60, 200)
    listener = Listener(broker.port)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(bridge.at)
    frame = struct.pack(">60f", *(230.0 + number / 7 for number in range(60)))
    bridged = lambda: sender.send(frame)
    for _ in range(20):
        listener.time_us(bridged)
    payload = bytes(listener.size)
    bare = lambda: listener.client.publish(ECHO, payload)
    all_bridged, all_bare, ratios = [], [], []
    for _ in range(rounds):
        times = {bridged: [], bare: []}
        for _ in range(per_round):
            for way in (bridged, bare):
                times[way].append(listener.time_us(way))
                time.sleep(0.001)
        all_bridged += times[bridged]
        all_bare += times[bare]
        ratios.append(statistics.median(times[bridged]) / statistics.median(times[bare]))
    ratio = statistics.median(ratios)
    for name, values in (("bridged", all_bridged), ("bare hop", all_bare)):
        p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
        print(f"{name}: p50 {p50:.0f} us, p99 {p99:.0f} us, {len(values)} messages")
    print(f"ratio of medians: {ratio:.2f}, rounds {min(ratios):.2f} to {max(ratios):.2f}")
    listener.client.loop_stop()
    listener.client.disconnect()
    bridge.end()
    return ratio < RATIO_MAX


SENDER = """
import socket, struct, sys, time
host, port, points, rate, seconds = sys.argv[1], *map(int, sys.argv[2:])
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.connect((host, port))
frame = struct.pack(">%df" % points, *(230.0 + number / 7 for number in range(points)))
period, total, latest = 1 / rate, rate * seconds, 0.0
begin = time.monotonic() + 0.1
for number in range(total):
    wait = begin + number * period - time.monotonic()
    if wait > 0:
        time.sleep(wait)
    latest = max(latest, -wait)
    sender.send(frame)
print(total, time.monotonic() - begin, latest)
"""


def load(program, folder, broker, points, rate, seconds):
    bridge = Bridge(program, os.path.join(folder, f"load-{points}"), broker, points, rate)
    before = bridge.metrics()
    arguments = [str(value) for value in (*bridge.at, points, rate, seconds)]
    sent = subprocess.run(
        [sys.executable, "-c", SENDER, *arguments], check=True, capture_output=True, text=True
    )
    total, took, latest = (float(word) for word in sent.stdout.split())
    end = time.monotonic() + 5
    while (after := bridge.metrics())["samples_total"] < total and time.monotonic() < end:
        time.sleep(0.2)
    summary = bridge.end()
    lost = total - after["samples_total"]
    quantiles = {
        share: after[f'hand_over_seconds{{quantile="{share}"}}'] * 1e6 for share in ("0.5", "0.99", "1")
    }
    memory = [counts["resident_memory_bytes"] / 2**20 for counts in (before, after)]
    print(
        f"{points} points, {rate} Hz: sent {total:.0f} in {took:.1f} s (latest {latest * 1e3:.1f} ms "
        f"late), read {after['samples_total']:.0f}, lost {lost:.0f}, of these by the kernel "
        f"{after['receive_lost_total']:.0f}; raw handed over {after['raw_handed_over_total']:.0f}, "
        f"dropped {after['raw_dropped_total']:.0f}; hand-over p50 {quantiles['0.5']:.0f} us, p99 "
        f"{quantiles['0.99']:.0f} us, longest {quantiles['1']:.0f} us; memory {memory[0]:.1f} to "
        f"{memory[1]:.1f} MiB; receive buffer {bridge.ready['receive_buffer_bytes'][0]} bytes"
    )
    return lost == 0 and summary["receive_lost"] == 0 and after["raw_dropped_total"] == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="target/release/lastmeter")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--per-round", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=10, help="of each load; also 60 or 1800")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(options.program, folder)
        try:
            print(f"broker: {broker.name}; load average {os.getloadavg()[0]:.1f}")
            is_well = latency(options.program, folder, broker, options.rounds, options.per_round)
            for points, rate in ((300, 1000), (60, 5000)):
                is_well &= load(options.program, folder, broker, points, rate, options.seconds)
            print(f"load average {os.getloadavg()[0]:.1f}")
        finally:
            broker.process.terminate()
            broker.process.wait(20)
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
