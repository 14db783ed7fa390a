#!/usr/bin/env python3
"""Has 1,000 recorders send a block of samples each at once, beside a meter that reports 20 times a second.

    block_burst.py [--blocks 1000] [--seconds 20]

A platform of its own takes the meter's readings alone for a while, then with the blocks sent at once over ten
connections. Every block is acknowledged, listed once and read back byte by byte; the p99 from a reading to its
acknowledgement is at most the greater of twice the quiet one and 30 ms. Prints both; exit 1 if one of this does not hold.
"""

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from quiet_tenants import packet, text

LASTMETER = os.path.abspath(os.environ.get("LASTMETER", "target/release/lastmeter"))
TOKEN, CONNECTIONS, PERIOD_S, FLOOR_MS = "administrator", 10, 0.05, 30.0
SAMPLES, NAMES = 640, [f"electricity.{what}.instant.l{phase}" for what in ("voltage", "current") for phase in (1, 2, 3)]


def block(device, number):
    """A block of 6 channels x 32 x 20, of counts that are its own, by the table of docs/platform.md."""
    name = device.encode()
    head = struct.pack("<4sBBHQQqdI", b"LMSB", 1, len(NAMES), len(name), 1, 1, time.time_ns(), 1600.0, SAMPLES)
    channels = b"".join(bytes([len(one)]) + one.encode() + struct.pack("<d", 0.5) for one in NAMES)
    counts = [(number * 31 + at * 7) % 4095 - 2047 for at in range(SAMPLES * len(NAMES))]
    return head + name + channels + struct.pack(f"<{len(counts)}h", *counts)


def connection(mqtt, client):
    host, port = mqtt.rsplit(":", 1)
    link = socket.create_connection((host, int(port)), timeout=60)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(packet(0x10, text("MQTT") + b"\x04\xc2\x00\x00" + text(client) + text("default") + text(TOKEN)))
    assert link.recv(4) == b"\x20\x02\x00\x00", f"{client} is not let in"
    return link


def publication(topic, number, payload):
    return packet(0x32, text(topic) + number.to_bytes(2, "big") + payload)


def acknowledged(link, count):
    """Reads so many PUBACKs of four bytes."""
    left = 4 * count
    while left:
        found = link.recv(left)
        if not found:
            sys.exit("the platform has closed a connection")
        left -= len(found)


class Meter(threading.Thread):
    """Reports on time and notes how long each acknowledgement took, ms."""

    def __init__(self, mqtt):
        super().__init__(daemon=True)
        self.link, self.took, self.ends = connection(mqtt, "meter"), [], False

    def run(self):
        begun, serial = time.monotonic(), 0
        while not self.ends:
            serial += 1
            time.sleep(max(0.0, begun + serial * PERIOD_S - time.monotonic()))
            body = {"hardwareId": "meter", "type": "DeviceMeasurements", "request": {
                "measurements": {"electricity.voltage.rms.l1": 230.1}, "metadata": {"epoch": "1", "serial": str(serial)}}}
            sent = time.monotonic()
            self.link.sendall(publication("default/SiteWhere/input/json", serial % 65535 + 1, json.dumps(body).encode()))
            acknowledged(self.link, 1)
            self.took.append((time.monotonic() - sent) * 1e3)

    def p99_ms(self, since=0):
        took = sorted(self.took[since:])
        return took[min(len(took) - 1, int(0.99 * len(took)))]


def get(rest, path):
    request = urllib.request.Request(rest + path)
    request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def burst(mqtt, blocks):
    """Sends all at once; how long until the last one is acknowledged, s."""
    senders = [(connection(mqtt, f"recorders-{place}"), blocks[place::CONNECTIONS]) for place in range(CONNECTIONS)]
    ready = [b"".join(publication(f"default/device/{device}/input/block", number + 1, payload)
                      for number, (device, payload) in enumerate(share)) for _, share in senders]
    begun = time.monotonic()
    threads = [threading.Thread(target=link.sendall, args=(data,)) for (link, _), data in zip(senders, ready)]
    for thread in threads:
        thread.start()
    for link, share in senders:
        acknowledged(link, len(share))
    for thread in threads:
        thread.join()
    return time.monotonic() - begun


def stored(rest, blocks):
    """Whether each block is listed once and comes back as it was sent; how many are listed."""
    listed, after, more = [], "0", True
    while more:
        page = json.loads(get(rest, f"/api/v1/blocks?after={after}&limit=1000"))
        listed += [one["device"] for one in page["results"]]
        after, more = page["next"], page["more"]
    is_whole = sorted(listed) == sorted(device for device, _ in blocks)
    return is_whole and all(get(rest, f"/api/v1/blocks/{device}/1/1") == payload for device, payload in blocks), len(listed)


def measure(count, seconds):
    """Blocks, whether all are stored as sent, how many are listed, the time they took in s, p99 in ms alone and beside."""
    blocks = [(f"recorder-{number}", block(f"recorder-{number}", number)) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["serve", "--data", f"{folder}/data", "--mqtt", "127.0.0.1:0", "--rest", "127.0.0.1:0"]
        server = subprocess.Popen([LASTMETER, *arguments, "--token", TOKEN, "--until-stdin-closes"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = json.loads(server.stdout.readline())
        meter = Meter(ready["mqtt"])
        meter.start()
        time.sleep(seconds)
        quiet, before = meter.p99_ms(), len(meter.took)
        took_s = burst(ready["mqtt"], blocks)
        time.sleep(max(0.0, seconds - took_s))
        beside = meter.p99_ms(before)
        meter.ends = True
        meter.join()
        is_whole, listed = stored(ready["rest"], blocks)
        server.stdin.close()
        server.wait(60)
    return blocks, is_whole, listed, took_s, quiet, beside


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--blocks", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=20)
    options = options.parse_args()
    blocks, is_whole, listed, took_s, quiet, beside = measure(options.blocks, options.seconds)
    limit = max(2 * quiet, FLOOR_MS)
    print(f"{options.blocks} blocks of {len(blocks[0][1])} bytes, acknowledged within {took_s:.2f} s, {listed} listed")
    print(f"p99 of readings: {quiet:.1f} ms alone, {beside:.1f} ms beside them, limit {limit:.1f} ms")
    if not is_whole or beside > limit:
        sys.exit("a block is not there as it was sent" if not is_whole else "readings waited for too long")


if __name__ == "__main__":
    main()
