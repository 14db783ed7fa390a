#!/usr/bin/env python3
"""Many gateways with nodes at one platform: each reading of a minute is acknowledged within that minute, and all of
them are there afterwards, once, under their own nodes.

FLEET_GATEWAYS with FLEET_NODES nodes each; FLEET_MINUTES of FLEET_MINUTE_S seconds. Gateways come and name their
nodes, these are registered, gateways come again. Then each node sends a reading a minute: what its meter has
(the four quantities of the cluster Metering), or six values of Electrical Measurement, in turns. Readings are sent by
a fixed plan over the first nine tenths of a minute, whatever the platform does, and are counted from their instant
in that plan.
"""

import http.client
import os
import resource
import selectors
import struct
import sys
import tempfile
import threading
import time
from collections import deque
from datetime import datetime, timezone
from json import dumps, loads

from peer.bench import Comparison
from peer.platform import LIMIT_S, TOKEN, Platform

try:
    from peer.gateway import DELIVERED, NODE_TABLE, RELAY_UP, dial, relayed
except ImportError:
    print("SKIPPED: gateway_fleet: the Python package cryptography is not there")
    sys.exit(77)

GATEWAYS, NODES, MINUTES = (int(os.environ.get(f"FLEET_{name}", given))
                            for name, given in (("GATEWAYS", 50), ("NODES", 20), ("MINUTES", 2)))
MINUTE_S = float(os.environ.get("FLEET_MINUTE_S", 10))
MEMORY_MAX_MIB = 300
# Part of a minute over which its readings are spread; the rest is for the last of them.
SPREAD = 0.9
# Requests at a time.
CALLERS = 4
METERING, ELECTRICAL = 0x0702, 0x0B04
U16, U24, U32, U48, I8, I16, I24, ENUM8 = 0x21, 0x22, 0x23, 0x25, 0x28, 0x29, 0x2A, 0x30
WIDTHS = {U16: 2, U24: 3, U32: 4, U48: 6, I8: 1, I16: 2, I24: 3, ENUM8: 1}
# What the numbers of a node are to be multiplied with and divided by.
SCALES = {
    METERING: [(0x0300, ENUM8, 0), (0x0301, U24, 1), (0x0302, U24, 1000)],
    ELECTRICAL: [(0x0400, U16, 1), (0x0401, U16, 100), (0x0600, U16, 1), (0x0601, U16, 10), (0x0602, U16, 1),
                 (0x0603, U16, 1000), (0x0604, U16, 1), (0x0605, U16, 10)],
}
# Attribute, type, quantity, and how many of the number on the wire are one of its unit.
QUANTITIES = {
    METERING: [(0x0000, U48, "electricity.energy.active.consumed.total", 1000),
               (0x0001, U48, "electricity.energy.active.injected.total", 1000),
               (0x0006, I8, "electricity.powerFactor.l1", 100),
               (0x0400, I24, "electricity.power.active.consumed.total", 1000)],
    ELECTRICAL: [(0x0300, U16, "electricity.frequency", 100), (0x0505, U16, "electricity.voltage.rms.l1", 10),
                 (0x0508, U16, "electricity.current.rms.l1", 1000),
                 (0x050B, I16, "electricity.power.active.consumed.total", 10_000),
                 (0x050E, I16, "electricity.power.reactive.consumed.total", 10_000),
                 (0x050F, U16, "electricity.power.apparent.total", 10_000)],
}


def numbers(place, minute):
    """What the node in a place sends in a minute, on the wire: no two nodes and no two minutes have the same."""
    if minute % 2 == 0:
        return METERING, [place * 1000 + minute, place * 1000 + 500 + minute, 90, 1000 + minute]
    return ELECTRICAL, [5000 + minute, 2300 + minute, place % 60_000, place % 30_000, minute, place % 60_000 + 1]


def report(node, address, counter, cluster, records):
    """A report of attributes as a gateway relays it."""
    frame = struct.pack("<BBB", 0x18, counter, 0x0A)
    for attribute, kind, number in records:
        signed = kind in (I8, I16, I24)
        frame += struct.pack("<HB", attribute, kind) + number.to_bytes(WIDTHS[kind], "little", signed=signed)
    return relayed(node, address, cluster, counter, frame)


class Gateway:
    """A gateway that keeps what it has sent until it is acknowledged."""

    def __init__(self, place):
        self.place, self.address = place, 0x00AA_0000_0000_0000 + place
        self.nodes = [0x00BB_0000_0000_0000 + place * 1000 + one for one in range(NODES)]
        self.key, self.link, self.next = None, None, 0
        self.waiting = deque()

    def name(self):
        return f"home-{self.place}"

    def connect(self, port):
        """Shakes hands; up to where its packets are on disk."""
        link, delivered = dial(port, self.key, self.name(), self.address, LIMIT_S)
        if delivered is None:
            sys.exit(f"{self.name()}: not accepted: {link}")
        self.link = link
        return delivered

    def send(self, opcode, content, taken_s, due, end):
        """Sends a packet that was due at an instant and has to be acknowledged by another."""
        self.link.send(opcode, struct.pack(">III", 0, self.next, taken_s) + content)
        self.waiting.append((self.next, due, end))
        self.next += 1

    def introduce(self):
        """Names its nodes, then how their numbers are to be read."""
        due, taken_s = (time.monotonic(), 1e300), int(time.time())
        table = b"".join(struct.pack(">QHB", node, address, 0) for address, node in enumerate(self.nodes, 1))
        self.send(NODE_TABLE, table, taken_s, *due)
        for address, node in enumerate(self.nodes, 1):
            for counter, (cluster, records) in enumerate(SCALES.items()):
                self.send(RELAY_UP, report(node, address, counter, cluster, records), taken_s, *due)

    def measure(self, one, minute, taken_s, due, end):
        """A reading of one of its nodes."""
        cluster, sent = numbers(self.place * NODES + one, minute)
        records = [(row[0], row[1], number) for row, number in zip(QUANTITIES[cluster], sent)]
        self.send(RELAY_UP, report(self.nodes[one], one + 1, 2 + minute, cluster, records), taken_s, due, end)


class Fleet:
    """All gateways on one thread."""

    def __init__(self):
        self.gateways = [Gateway(place) for place in range(GATEWAYS)]
        self.selector = selectors.DefaultSelector()
        self.waits, self.latest = [], 0.0

    def connect(self, port):
        begun, delivered = time.monotonic(), []
        for gateway in self.gateways:
            delivered.append(gateway.connect(port))
            self.selector.register(gateway.link.stream, selectors.EVENT_READ, gateway)
        return time.monotonic() - begun, delivered

    def leave(self):
        for gateway in self.gateways:
            self.selector.unregister(gateway.link.stream)
            gateway.link.stream.close()

    def take(self, timeout_s):
        """Takes what has come, waiting so long for it at most."""
        for key, _ in self.selector.select(max(timeout_s, 0)):
            gateway, piece = key.data, key.fileobj.recv(16384)
            if not piece:
                sys.exit(f"{gateway.name()}: the platform has ended the connection")
            now = time.monotonic()
            gateway.link.bytes += piece
            while packet := gateway.link.ready():
                if packet[0] == DELIVERED:
                    _, up_to = struct.unpack(">II", packet[1])
                    while gateway.waiting and gateway.waiting[0][0] < up_to:
                        _, due, end = gateway.waiting.popleft()
                        self.waits.append((now - due, now <= end))

    def owed(self):
        return sum(len(gateway.waiting) for gateway in self.gateways)

    def until_delivered(self, limit_s):
        deadline = time.monotonic() + limit_s
        while self.owed() and time.monotonic() < deadline:
            self.take(0.1)
        return self.owed()

    def minute(self, minute, begin):
        """Sends a minute's readings by plan; what each gateway's nodes sent at which second."""
        taken, slots = [], GATEWAYS * NODES
        for slot in range(slots):
            due = begin + SPREAD * MINUTE_S * slot / slots
            while (now := time.monotonic()) < due:
                self.take(due - now)
            self.latest = max(self.latest, now - due)
            # Neighbours in time are of different gateways.
            one, place = divmod(slot, GATEWAYS)
            taken_s = int(time.time())
            self.gateways[place].measure(one, minute, taken_s, due, begin + MINUTE_S)
            taken.append((place, one, taken_s))
            if slot % 16 == 0:
                self.take(0)
        while (now := time.monotonic()) < begin + MINUTE_S:
            self.take(begin + MINUTE_S - now)
        return taken


def call_all(rest, requests):
    """POSTs from several threads; the answers in the order of requests."""
    answers, places = [None] * len(requests), iter(range(len(requests)))

    def work():
        connection = http.client.HTTPConnection(rest.removeprefix("http://"), timeout=LIMIT_S)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        for place in places:
            path, body = requests[place]
            connection.request("POST", path, dumps(body), headers)
            answer = connection.getresponse()
            answers[place] = answer.status, loads(answer.read())

    begun = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers, time.monotonic() - begun


def peak_mib(platform):
    with open(f"/proc/{platform.process.pid}/status", encoding="utf-8") as status:
        peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def expected(taken):
    """Every value that is to be there: device, quantity, second and value."""
    rows = set()
    for minute, sent in enumerate(taken):
        for place, one, taken_s in sent:
            cluster, on_wire = numbers(place * NODES + one, minute)
            node = f"{0x00BB_0000_0000_0000 + place * 1000 + one:016x}"
            for (_, _, quantity, per_unit), number in zip(QUANTITIES[cluster], on_wire):
                rows.add((node, quantity, taken_s, f"{number / per_unit:.9g}"))
                # Power that flows one way is none the other way; the demand is that of Metering.
                if ".power.active.consumed." in quantity or ".power.reactive.consumed." in quantity:
                    if cluster == ELECTRICAL:
                        other = quantity.replace("consumed", "injected")
                        rows.add((node, other, taken_s, "0"))
    return rows


def stored(platform, gateways, fewest):
    """Every value that there is: as `expected`, but each as often as it is there."""
    nodes = [f"{node:016x}" for gateway in gateways for node in gateway.nodes]
    deadline = time.monotonic() + LIMIT_S
    while True:
        rows = []
        for first in range(0, len(nodes), 100):
            path, cursor = "/api/v1/series?limit=25000&device=" + ",".join(nodes[first:first + 100]), ""
            while cursor is not None:
                page = platform.get(path + (cursor and f"&cursor={cursor}"))
                cursor = page["next"]
                for series in page["results"]:
                    for at, value in series["points"]:
                        seconds = datetime.fromisoformat(at).astimezone(timezone.utc).timestamp()
                        rows.append((series["device"], series["quantity"], seconds, f"{value:.9g}"))
        # What is acknowledged is in the journal, and soon after in the store.
        if len(rows) >= fewest or time.monotonic() > deadline:
            return rows
        time.sleep(0.5)


def set_up(comparison, platform, fleet, port):
    """Registers networks, has the gateways name their nodes, registers these."""
    networks = [("/api/v1/networks", {"token": gateway.name(), "type": "zigbee", "name": gateway.name(),
                                      "gatewayAddress": f"{gateway.address:016x}", "options": {}})
                for gateway in fleet.gateways]
    answers, took_s = call_all(platform.rest, networks)
    comparison.same("networks that were registered", sum(status == 201 for status, _ in answers), GATEWAYS)
    print(f"networks registered in {took_s:.1f} s, peak {peak_mib(platform):.0f} MiB")
    for gateway, (_, answer) in zip(fleet.gateways, answers):
        gateway.key = bytes.fromhex(answer["key"])
    fleet.connect(port)
    begun = time.monotonic()
    for gateway in fleet.gateways:
        gateway.introduce()
    owed = fleet.until_delivered(600)
    took_s = time.monotonic() - begun
    comparison.same("packets about nodes that are not acknowledged", owed, 0)
    print(f"nodes recognised and learned in {took_s:.1f} s, peak {peak_mib(platform):.0f} MiB")
    fleet.leave()
    nodes = [f"{node:016x}" for gateway in fleet.gateways for node in gateway.nodes]
    answers, took_s = call_all(platform.rest, [(f"/api/v1/recognised/{node}", {"name": node}) for node in nodes])
    comparison.same("nodes that were registered", sum(status == 200 for status, _ in answers), len(nodes))
    print(f"nodes registered in {took_s:.1f} s, peak {peak_mib(platform):.0f} MiB")


def judge_minutes(comparison, fleet):
    waits = sorted(wait for wait, _ in fleet.waits)
    count = GATEWAYS * NODES * MINUTES
    comparison.same("readings that are acknowledged", len(waits), count)
    comparison.same("readings that are not acknowledged within their minute",
                    sum(not is_in_time for _, is_in_time in fleet.waits) + fleet.owed(), 0)
    if waits:
        p50, p99 = (waits[int(len(waits) * part)] * 1000 for part in (0.5, 0.99))
        print(f"acknowledged after: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {waits[-1] * 1000:.1f} ms; "
              f"sent at most {fleet.latest * 1000:.1f} ms behind the plan")


def judge_store(comparison, found, wanted):
    once, of = set(found), {}
    for device, *value in wanted:
        of.setdefault(tuple(value), set()).add(device)
    strange = once - wanted
    comparison.same("values that are missing", len(wanted - once), 0)
    comparison.same("values that are there twice", len(found) - len(once), 0)
    comparison.same("values of another node", sum(tuple(row[1:]) in of for row in strange), 0)
    comparison.same("values that nobody sent", sum(tuple(row[1:]) not in of for row in strange), 0)
    print(f"{len(found)} values of {len({row[0] for row in found})} nodes")


def main():
    wanted = GATEWAYS + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    comparison, fleet = Comparison(), Fleet()
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(os.path.join(folder, "data"), "--door", "gateways=127.0.0.1:0")
        port = int(platform.ready["gateways"].rpartition(":")[2])
        set_up(comparison, platform, fleet, port)
        took_s, delivered = fleet.connect(port)
        comparison.same("gateways that come again and know what is on disk",
                        sum(one == (0, gateway.next) for one, gateway in zip(delivered, fleet.gateways)), GATEWAYS)
        print(f"all gateways came again in {took_s:.1f} s")
        fleet.waits, begin = [], time.monotonic()
        taken = [fleet.minute(minute, begin + minute * MINUTE_S) for minute in range(MINUTES)]
        fleet.until_delivered(LIMIT_S)
        judge_minutes(comparison, fleet)
        print(f"peak after the minutes {peak_mib(platform):.0f} MiB")
        rows = expected(taken)
        judge_store(comparison, stored(platform, fleet.gateways, len(rows)), rows)
        peak = peak_mib(platform)
        comparison.true(f"the platform's memory is below {MEMORY_MAX_MIB} MiB", peak < MEMORY_MAX_MIB,
                        f"{peak:.0f} MiB")
        platform.stop()
    comparison.end()


main()
