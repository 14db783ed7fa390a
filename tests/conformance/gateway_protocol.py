#!/usr/bin/env python3
"""A gateway and a dispatcher of our own, written from docs/gateway-protocol.md with the package
`cryptography`, against those of base/zigbee: each end with the other's other end.
"""

import os
import secrets
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

try:
    from peer.gateway import (ACCEPT, DELIVERED, KEEP_ALIVE, ORDER_RESULT, REASONS, REJECT, RELAY_DOWN, RELAY_UP,
                              TIME, Link, cmac, derive, dial, head)
except ImportError:
    print("SKIPPED: gateway_protocol: the Python package cryptography is not there")
    sys.exit(77)

GATEWAY, NAME = 0x00AA000000000001, "home"
KEY = bytes(range(16))


def connect(port, key=KEY, name=NAME, gateway=GATEWAY):
    """Our gateway's handshake: the link and what is delivered, or the reason of a refusal."""
    return dial(port, key, name, gateway)


def reading(number, epoch=0):
    return struct.pack(">III", epoch, number, int(time.time())) + f"reading {number}".encode()


comparisons = failures = 0


def holds(what, found, expected):
    global comparisons, failures
    comparisons += 1
    if found != expected:
        failures += 1
        print(f"FAIL {what}: found {found!r}, expected {expected!r}")


def our_gateway(program):
    """Our gateway against their dispatcher."""
    child = subprocess.Popen([program, "dispatcher", NAME, KEY.hex()], stdout=subprocess.PIPE, text=True)
    lines = iter(child.stdout.readline, "")
    port = int(next(lines).rsplit(":", 1)[1])

    def until_closed():
        return [line.strip() for line in iter(lambda: next(lines), "closed\n")]

    try:
        for what, wrong, reason in (("key", {"key": bytes(16)}, "wrong_key"),
                                    ("name", {"name": "hone"}, "wrong_name"),
                                    ("gateway", {"gateway": 5}, "unknown_gateway")):
            holds(f"a wrong {what}", connect(port, **wrong)[0], reason)
            holds(f"a wrong {what}, at the dispatcher", until_closed(), [f"refused {reason}"])
        link, delivered = connect(port)
        holds("nothing is delivered yet", delivered, (0, 0))
        for number in range(100):
            link.send(RELAY_UP, reading(number))
        got = set()
        while (0, 100) not in got:
            opcode, body, _, _ = link.take()
            if opcode == RELAY_DOWN:
                holds("the order", body, struct.pack(">Q", 7) + b"off")
                link.send(ORDER_RESULT, struct.pack(">QB", 7, 1))
            elif opcode == DELIVERED:
                got.add(struct.unpack(">II", body))
        link.send(RELAY_UP, reading(100))
        link.stream.close()
        found = until_closed()
        holds("readings at the dispatcher", [line for line in found if line.startswith("frame")],
              [f"frame reading {number}" for number in range(101)])
        holds("the order's result", found.count("OrderResult { order: 7, state: Delivered }"), 1)
        link, delivered = connect(port)
        holds("what is delivered is known after a new connection", delivered, (0, 101))
        for number in (99, 100, 101):
            link.send(RELAY_UP, reading(number))
        packet = link.sealed(RELAY_UP, reading(102))
        link.stream.sendall(packet + packet)
        link.stream.settimeout(10)
        while link.take():
            pass
        holds("what comes again is taken once, a packet that is repeated ends it",
              [line for line in until_closed() if line != "KeepAlive"],
              ["Repeated", "Repeated", "frame reading 101", "frame reading 102",
               "refused repeated_serial"])
        link, _ = connect(port)
        packet = bytearray(link.sealed(RELAY_UP, reading(103)))
        packet[30] ^= 1
        link.stream.sendall(packet)
        opcode, body = REJECT, b""
        while (taken := link.take()) is not None:
            opcode, body = taken[:2]
        holds("a packet that was changed", (opcode, body), (REJECT, bytes([11])))
        holds("a packet that was changed, at the dispatcher",
              [line for line in until_closed() if line != "KeepAlive"], ["refused wrong_tag"])
    finally:
        child.kill()


def our_dispatcher(program, key, break_after):
    """Their gateway against our dispatcher, which breaks off after so many readings the first time."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    child = subprocess.Popen(
        [program, "gateway", f"127.0.0.1:{listener.getsockname()[1]}", NAME, key.hex(), "200"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stored, connections = {}, 0
    while len(stored) < 200:
        stream, _ = listener.accept()
        stream.settimeout(30)
        connections += 1
        link = Link(stream, False, GATEWAY)
        _, body, header, tag = link.take()
        gateway = struct.unpack(">Q", header[4:12])[0]
        handshake = derive(KEY, b"handshake", header[4:12])
        if tag != cmac(handshake, b"hello" + header + body)[:8]:
            stream.sendall(head(REJECT, 1, 0, GATEWAY) + bytes([REASONS.index("wrong_key")]) + bytes(8))
            break
        holds("the name in hello", (body[16], body[17:]), (4, b"home"))
        nonce = secrets.token_bytes(16)
        payload = nonce + struct.pack(">II", 0, len(stored))
        header = head(ACCEPT, len(payload), 0, GATEWAY)
        stream.sendall(header + payload + cmac(handshake, b"accept" + body[:16] + header + payload)[:8])
        link.session(KEY, nonce, body[:16])
        while (packet := link.take()) is not None and len(stored) < 200:
            if packet[0] == KEEP_ALIVE:
                link.send(TIME)
            elif packet[0] == RELAY_UP:
                epoch, number, _ = struct.unpack(">III", packet[1][:12])
                holds(f"reading {number}", (epoch, number, packet[1][12:]),
                      (0, len(stored), f"reading {number}".encode()))
                stored[number] = packet[1]
                if connections == 1 and len(stored) == break_after:
                    # What came is stored, the gateway hears nothing of it.
                    break
                link.send(DELIVERED, struct.pack(">II", 0, len(stored)))
        stream.close()
    out, err = child.communicate(timeout=30)
    return connections, out.strip().splitlines(), err


program = Path(os.environ.get("LASTMETER", "target/debug/lastmeter")).parent / "examples" / "gateway_link"
if not program.exists():
    print(f"SKIPPED: gateway_protocol: {program} is not there")
    sys.exit(77)
watchdog = threading.Timer(100, lambda: os._exit(1))
watchdog.daemon = True
watchdog.start()
our_gateway(program)
connections, out, _ = our_dispatcher(program, KEY, 37)
holds("connections of their gateway", connections, 2)
holds("their gateway has delivered all", out[-1:], ["delivered"])
_, _, err = our_dispatcher(program, bytes(16), 0)
holds("a wrong key is named at their gateway", "rejected: wrong_key" in err, True)
print(f"gateway_protocol: {comparisons} comparisons, {failures} failed")
sys.exit(failures > 0)
