#!/usr/bin/env python3
"""A gateway with plugs that runs by itself (`lastmeter device zigbee-gateway`): at our platform through kills of either
end, and at a dispatcher of our own, written from docs/gateway-protocol.md.
"""

import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from peer.bench import LASTMETER, Comparison
from peer.platform import LIMIT_S, Platform

try:
    from peer.gateway import (ACCEPT, DELIVERED, HELLO, KEEP_ALIVE, REASONS, REJECT, RELAY_UP, TIME, Link, cmac,
                              derive, head)
except ImportError:
    print("SKIPPED: home_by_itself: the Python package cryptography is not there")
    sys.exit(77)

EUI64, GATEWAY, NAME, NODES = "00:12:4b:00:00:00:00:07", 0x00124B0000000007, "home", 3
METERING = 0x0702


class Home:
    """The command as a process, on a data folder, with the bytes of its standard error in a file."""

    def __init__(self, folder, port, key, *more, name=NAME):
        self.errors = os.path.join(folder, "errors.txt")
        path = os.path.join(folder, "key.txt")
        with open(path, "w", encoding="ascii") as file:
            file.write(key + "\n")
        arguments = ["device", "zigbee-gateway", "--set", f'eui64="{EUI64}"', "--count", str(NODES),
                     "--dispatcher", f"127.0.0.1:{port}", "--network-name", name, "--key-file", path,
                     "--data", os.path.join(folder, "kept"), "--node", 'report_every="1 s"', *more]
        self.process = subprocess.Popen([LASTMETER, *arguments], stdout=subprocess.PIPE, text=True,
                                        stderr=open(self.errors, "ab"))
        self.ready = self.process.stdout.readline()

    def kill(self):
        self.process.kill()
        self.process.wait(LIMIT_S)

    def stop(self):
        self.process.terminate()
        return self.process.wait(LIMIT_S)

    def said(self):
        with open(self.errors, encoding="utf-8") as file:
            return file.read()


def until(condition, limit_s=LIMIT_S):
    end = time.monotonic() + limit_s
    while True:
        found = condition()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.2)


def readings(platform, node):
    """Instants of its energy, by how often each is there."""
    path = f"/api/v1/series?limit=5000&device={node}"
    found = [one for one in platform.get(path)["results"] if one["quantity"].endswith("active.consumed.total")]
    return [at for series in found for at, _ in series["points"] if "energy" in series["quantity"]]


def at_our_platform(comparison, folder):
    data = os.path.join(folder, "platform")
    door = ("--door", "gateways=127.0.0.1:0")
    platform = Platform(data, *door)
    port = int(platform.ready["gateways"].rpartition(":")[2])
    status, made = platform.ask("/api/v1/networks", {"type": "zigbee", "name": NAME, "options": {},
                                                     "gatewayAddress": f"{GATEWAY:016x}"})
    comparison.same("the network is registered", status, 201)
    wrong = Home(folder, port, "0" * 32)
    named = until(lambda: "another key" in wrong.said())
    comparison.true("a wrong key is named at the gateway", named, wrong.said()[-200:])
    wrong.kill()
    home = Home(folder, port, made["key"])
    recognised = until(lambda: (found := platform.get("/api/v1/recognised")["results"]) and len(found) == NODES
                       and found)
    comparison.same("nodes that are recognised", len(recognised or []), NODES)
    nodes = [one["hardwareId"] for one in recognised or []]
    for node in nodes:
        comparison.same(f"{node} is registered", platform.ask(f"/api/v1/recognised/{node}", {"name": node})[0], 200)
    enough = until(lambda: all(len(readings(platform, node)) >= 3 for node in nodes))
    comparison.true("each node has readings", enough, str([len(readings(platform, node)) for node in nodes]))

    # The relay of a plug, by the platform.
    assignment = platform.get(f"/sitewhere/api/devices/{nodes[0]}/assignment")["token"]
    status, invoked = platform.ask(f"/sitewhere/api/assignments/{assignment}/invocations", {
        "initiator": "REST", "initiatorId": "test", "target": "Assignment", "commandToken": "off",
        "parameterValues": {}})
    comparison.same("a command is taken", status, 201)
    path = f"/sitewhere/api/invocations/{invoked['id']}/summary"
    comparison.same("the plug answers", until(lambda: platform.get(path)["state"] == "Acknowledged"), True)
    comparison.true("its relay has opened", until(lambda: "relay opened" in home.said()), home.said()[-200:])

    # Both ends die, one after the other; what one of them has acknowledged is there, once.
    home.kill()
    home = Home(folder, port, made["key"])
    before = [len(readings(platform, node)) for node in nodes]
    more = until(lambda: all(len(readings(platform, node)) >= count + 2 for node, count in zip(nodes, before)))
    comparison.true("readings go on after the gateway was killed", more, "none came")
    known = [set(readings(platform, node)) for node in nodes]
    platform.kill()
    time.sleep(3)
    platform = Platform(data, "--door", f"gateways=127.0.0.1:{port}")
    caught_up = until(lambda: all(len(readings(platform, node)) >= len(at) + 5 for node, at in zip(nodes, known)))
    comparison.true("readings of the time without a platform arrive", caught_up, "too few")
    for node, at in zip(nodes, known):
        found = readings(platform, node)
        comparison.same(f"{node}: what was there before is there", sorted(at - set(found)), [])
        comparison.same(f"{node}: no reading is there twice", len(found), len(set(found)))
        seconds = sorted(set(found))[-5:]
        comparison.same(f"{node}: the last readings follow one another", len(seconds), 5)
    networks = platform.get("/api/v1/networks")["results"]
    comparison.same("packets that are missing", networks[0].get("missing", 0), 0)
    comparison.same("it ends at a signal", home.stop(), 0)
    platform.stop()


def at_another_dispatcher(comparison, folder):
    """The home at a dispatcher in these lines: its frames are whole, numbered one by one, and sent again."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(LIMIT_S)
    key = secrets.token_bytes(16)
    home = Home(folder, listener.getsockname()[1], key.hex(), "--seed", "2")
    numbers, clusters, delivered = [], set(), (0, 0)
    for connection in range(2):
        stream, _ = listener.accept()
        stream.settimeout(LIMIT_S)
        link = Link(stream, False, GATEWAY)
        opcode, body, header, tag = link.take()
        handshake = derive(key, b"handshake", header[4:12])
        comparison.same("the tag of hello", tag, cmac(handshake, b"hello" + header + body)[:8])
        comparison.same("the name in hello", (opcode, body[17:]), (HELLO, NAME.encode()))
        nonce = secrets.token_bytes(16)
        payload = nonce + struct.pack(">II", *delivered)
        header = head(ACCEPT, len(payload), 0, GATEWAY)
        stream.sendall(header + payload + cmac(handshake, b"accept" + body[:16] + header + payload)[:8])
        link.session(key, nonce, body[:16])
        got = 0
        while got < 30 and (packet := link.take()) is not None:
            if packet[0] == KEEP_ALIVE:
                link.send(TIME)
                continue
            epoch, number, _ = struct.unpack(">III", packet[1][:12])
            numbers.append((connection, number))
            got += 1
            if packet[0] == RELAY_UP:
                # Short address, EUI-64, both endpoints, profile.
                clusters.add(struct.unpack(">H", packet[1][12 + 14:12 + 16])[0])
            if connection == 1 or got < 20:
                delivered = (epoch, number + 1)
                link.send(DELIVERED, struct.pack(">II", *delivered))
        stream.close()
    first = [number for connection, number in numbers if connection == 0]
    second = [number for connection, number in numbers if connection == 1]
    comparison.same("numbers follow one another", first, list(range(first[0], first[0] + len(first))))
    comparison.same("what was not acknowledged comes again first", second[0], first[18] + 1)
    comparison.same("and all behind it", second, list(range(second[0], second[0] + len(second))))
    comparison.true("frames of the meter are among them", METERING in clusters, str(clusters))
    comparison.same("it ends at a signal", home.stop(), 0)
    listener.close()


def mistakes(comparison):
    """What cannot run is an error that names what is missing."""
    for arguments, part in (
            ([], "--dispatcher HOST:PORT"),
            (["--dispatcher", "localhost"], "expected a host and a port"),
            (["--dispatcher", "localhost:1"], "--network-name NAME"),
            (["--dispatcher", "localhost:1", "--network-name", "x"], "--key-file FILE"),
            (["--dispatcher", "localhost:1", "--on", "pty"], "leave it out")):
        made = subprocess.run([LASTMETER, "device", "zigbee-gateway", *arguments], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)
        comparison.true(f"{arguments}: {part}", made.returncode == 2 and part in made.stderr, made.stderr[-200:])


def main():
    comparison = Comparison()
    mistakes(comparison)
    with tempfile.TemporaryDirectory() as folder:
        at_our_platform(comparison, folder)
    with tempfile.TemporaryDirectory() as folder:
        at_another_dispatcher(comparison, folder)
    comparison.end()


main()
