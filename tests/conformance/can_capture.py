"""Captured CAN buses as programs of others read them: tshark, python-can, cantools, and a count of bits made here.

A scenario of two buses is run: one whose software takes no time, so that frames follow one another as closely as
the bus allows, and one with bits in error. Its captures have to be the same in both forms, hold the values that the
platform stored, take the time that the frames' own bits take, and be there as far as a run got that was killed.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

try:
    import can
    import cantools
except ImportError:
    print("python-can and cantools are not installed: pip install -r tests/conformance/requirements.txt")
    sys.exit(77)

from can_wire import BEHIND, bits_of
from peer.bench import LASTMETER, Comparison, run

DATABASE = "base/can/metering-network.dbc"
BIT_NS = {"quick": 8000, "noisy": 4000}
METERS = 3
SCENARIO = """
format = 1
[scenario]
name = "captured"
description = "Two buses whose traffic is kept."
start = 2027-01-18T00:00:00Z
duration = "{duration}"
time = "{time}"
seed = 5
[[source]]
name = "load"
kind = "synthetic"
phases = 1
voltage = "231.7 V"
current = "3.21 A"
current_lag = "27 deg"
[[network]]
name = "quick"
kind = "can"
capture = true
[[network]]
name = "noisy"
kind = "can"
bit_rate = 250000
bit_error_rate = "0.002 %"
capture = true
[[network]]
name = "unheard"
kind = "can"
[[device]]
name = "unheard-1"
at = "source:load"
model = "can-meter"
on = "network:unheard"
[[gateway]]
name = "first"
model = "can-aggregator"
on = "network:quick"
poll_every = "1 s"
interrupt_latency = "1 us"
request_time = "0 s"
at_once = 3
[[gateway]]
name = "second"
model = "can-aggregator"
on = "network:noisy"
poll_every = "1 s"
[[gateway]]
name = "third"
model = "can-aggregator"
on = "network:unheard"
poll_every = "1 s"
[[check]]
name = "all"
kind = "no_loss"
"""
METER = """
[[device]]
name = "{network}-{number}"
at = "source:load"
model = "can-meter"
on = "network:{network}"
"""
OWN_KEYS = {
    "quick": 'interrupt_latency = "1 us"\ntask_service = "0 s"\n',
    # Each its own values; the third one is put in the wrong way round, and sees power flow back.
    "noisy": 'current_gain_error = "{number} %"\n',
}
REVERSED = 'reversed_currents = ["l1"]\n'

# What a signal of the database is at the platform; active power is split by its sign.
QUANTITIES = {
    "Voltage": "electricity.voltage.rms.l1",
    "Current": "electricity.current.rms.l1",
    "ActivePower": "electricity.power.active",
    "ApparentPower": "electricity.power.apparent.total",
    "NonActivePower": "x.electricity.power.nonactive.total",
    "PowerFactor": "electricity.powerFactor.l1",
    "Frequency": "electricity.frequency",
    "ConsumedEnergy": "electricity.energy.active.consumed.total",
    "InjectedEnergy": "electricity.energy.active.injected.total",
}
# What tshark names in error frames, and what `linux/can/error.h` has for it: byte, bits.
ERROR_FIELDS = {
    "can.err.prot.type.bit": (2, 0x01),
    "can.err.prot.type.form": (2, 0x02),
    "can.err.prot.type.stuff": (2, 0x04),
    "can.err.prot.type.tx": (2, 0x80),
    "can.err.prot.location": (3, 0xFF),
}
FIELDS = ["frame.interface_name", "frame.time_epoch", "can.id", "can.flags.xtd", "can.flags.rtr", "can.flags.err", "can.len",
          "data.data", "can.err.prot", "can.err.ack", "can.err.buserror", *ERROR_FIELDS]


def file_of(folder, network, ending):
    return os.path.join(folder, "can", f"{network}.{ending}")


def lines_of(folder, network):
    """The text, taken apart here: microseconds, interface, identifier's digits, what is behind `#`."""
    rows = []
    with open(file_of(folder, network, "log"), encoding="ascii") as file:
        for line in file:
            at, interface, frame = line.removesuffix("\n").split(" ")
            seconds, micros = at.strip("()").split(".")
            rows.append((int(seconds) * 1_000_000 + int(micros), interface, *frame.split("#")))
    return rows


def tshark(path):
    """The fields of each packet; tshark has to be content with the file."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"tshark {path}: exit {done.returncode}\n{done.stderr}")
    return [dict(zip(FIELDS, line.split("\t"))) for line in done.stdout.splitlines()]


def is_set(text):
    return text in ("1", "True")


def by_tshark(comparison, folder, network):
    """Packets beside lines."""
    packets, lines = tshark(file_of(folder, network, "pcapng")), lines_of(folder, network)
    comparison.same(f"{network}: packets by tshark, lines", len(packets), len(lines))
    faults, kinds = [], Counter()
    for packet, (micros, interface, digits, rest) in zip(packets, lines):
        whole, _, parts = packet["frame.time_epoch"].partition(".")
        good = int(whole) * 1_000_000 + int(parts[:6]) == micros
        good = good and packet["frame.interface_name"] == interface == network
        identifier, is_error = int(digits, 16), len(digits) == 8
        if is_error:
            data = bytes.fromhex(rest)
            good = good and identifier >> 29 == 1 and is_set(packet["can.flags.err"]) and packet["can.len"] == "8"
            for field, (byte, bits) in ERROR_FIELDS.items():
                found = packet[field]
                good = good and (int(found, 0) if found.isdigit() or found[:2] == "0x" else is_set(found)) == (
                    data[byte] if bits == 0xFF else data[byte] & bits != 0)
            for field, bits in (("prot", 0x08), ("ack", 0x20), ("buserror", 0x80)):
                good = good and is_set(packet[f"can.err.{field}"]) == (identifier & bits != 0)
            kinds["error"] += 1
        else:
            is_remote = rest[:1] == "R"
            good = good and int(packet["can.id"], 0) == identifier and len(digits) == 3
            good = good and not is_set(packet["can.flags.xtd"]) and not is_set(packet["can.flags.err"])
            good = good and is_set(packet["can.flags.rtr"]) == is_remote
            length = int(rest[1:] or 0) if is_remote else len(rest) // 2
            good = good and int(packet["can.len"]) == length
            if not is_remote:
                good = good and packet["data.data"].replace(":", "").upper() == rest
            kinds["remote" if is_remote else "data"] += 1
        if not good:
            faults.append((packet, (micros, interface, digits, rest)))
    comparison.true(f"{network}: each packet is its line", not faults, f"{dict(kinds)}, off {len(faults)}{faults[:1]}")
    wanted = {"data", "remote", "error"} if network == "noisy" else {"data", "remote"}
    comparison.same(f"{network}: kinds of packets", set(kinds), wanted)


def by_python_can(comparison, folder, network):
    """The text by the reader of python-can."""
    lines, faults = lines_of(folder, network), []
    messages = list(can.CanutilsLogReader(file_of(folder, network, "log")))
    comparison.same(f"{network}: messages by python-can", len(messages), len(lines))
    for message, (micros, interface, digits, rest) in zip(messages, lines):
        is_error = len(digits) == 8
        good = abs(message.timestamp * 1e6 - micros) < 0.5 and message.is_error_frame == is_error
        if not is_error:
            is_remote = rest[:1] == "R"
            good = good and message.channel == interface and message.arbitration_id == int(digits, 16)
            good = good and message.is_remote_frame == is_remote and not message.is_extended_id
            good = good and message.data == (b"" if is_remote else bytes.fromhex(rest))
            good = good and message.dlc == (int(rest[1:] or 0) if is_remote else len(rest) // 2)
        if not good:
            faults.append((message, digits, rest))
    comparison.true(f"{network}: each message is its line", not faults, f"off {len(faults)}{faults[:1]}")
    return messages


def by_cantools(comparison, folder, network, messages):
    """What data frames hold beside what the platform gave back of the same reading."""
    stored = {}
    with open(os.path.join(folder, "observations.csv"), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            stored[row["device"], int(row["serial"] or 0), row["quantity"]] = float(row["reported"] or "nan")
    database = cantools.database.load_file(DATABASE)
    number, faults, seen, largest = {}, [], set(), 0.0
    for message in messages:
        if message.is_error_frame or message.is_remote_frame:
            continue
        entry = database.get_message_by_frame_id(message.arbitration_id)
        node, _, _ = entry.name.partition("_")
        values = entry.decode(message.data)
        if node == "All":
            continue
        number[node] = int(values.get("Number", number.get(node, 0)))
        for its in entry.signals:
            if its.name not in QUANTITIES:
                continue
            quantity, value = QUANTITIES[its.name], values[its.name]
            if its.name == "ActivePower":
                ways = {f"{quantity}.consumed.total": max(value, 0.0), f"{quantity}.injected.total": max(-value, 0.0)}
            else:
                ways = {quantity: value}
            for way, expected in ways.items():
                key = (f"{network}-{node.removeprefix('Node')}", number[node], way)
                seen.add(key)
                off = abs(stored.get(key, float("inf")) - expected)
                largest = max(largest, off / its.scale)
                if not off <= its.scale / 2:
                    faults.append((key, stored.get(key), expected))
    own = {key for key in stored if key[0].startswith(f"{network}-")}
    comparison.true(f"{network}: values by cantools are those of the platform", seen and not faults,
                    f"{len(seen)} values, at most {largest:.2g} of a step off, wrong {len(faults)}{faults[:2]}")
    comparison.same(f"{network}: values of the platform that no frame holds", sorted(own - seen)[:3], [])
    comparison.same(f"{network}: meters", len({key[0] for key in own}), METERS)


def bits(digits, rest):
    """Bits of a frame with the pause behind it, counted here."""
    identifier = int(digits, 16)
    if rest[:1] == "R":
        return len(bits_of(identifier, False, None, int(rest[1:] or 0))) + BEHIND
    data = bytes.fromhex(rest)
    return len(bits_of(identifier, False, data, len(data))) + BEHIND


def by_bits(comparison, folder, network):
    """Distances of the ends of frames: where one waited for the other, as many bits as the second one has."""
    lines = lines_of(folder, network)
    # Two frames in which each node announces its id, before the first poll.
    announced = [line for line in lines if len(line[2]) == 3 and int(line[2], 16) >> 5 in (0x1D, 0x1F)]
    lines = [line for line in lines if line not in announced]
    short, close, apart = [], 0, 0
    for (before, _, first, _), (at, _, digits, rest) in zip(lines, lines[1:]):
        if len(first) == 8 or len(digits) == 8:
            continue
        distance, least = (at - before) * 1000, bits(digits, rest) * BIT_NS[network]
        close, apart = close + (distance == least), apart + (distance > least)
        if distance < least:
            short.append((at, digits, rest, distance, least))
    comparison.true(f"{network}: no frame is shorter than its own bits", not short, f"{len(short)}{short[:2]}")
    polls = sum(digits == "020" for _, _, digits, _ in lines)
    frames = 1 + METERS + METERS * 6 * 2
    if network == "quick":
        comparison.same("quick: announcements", len(announced), 2 * METERS)
        comparison.same("quick: frames of a poll", len(lines), polls * frames)
        comparison.same("quick: frames as long as their own bits, first ones of a poll", (close, apart),
                        (polls * (frames - 1), polls - 1))
    else:
        comparison.true("noisy: frames as long as their own bits", close > 0, f"{close}, behind a pause {apart}")


def scenario(folder, name, duration, how="virtual"):
    path = os.path.join(folder, f"{name}.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(SCENARIO.format(duration=duration, time=how))
        for network, keys in OWN_KEYS.items():
            for number in range(1, METERS + 1):
                own = (METER + keys).format(network=network, number=number)
                file.write(own + (REVERSED if (network, number) == ("noisy", METERS) else ""))
    return path


def contents(folder):
    names = sorted(os.listdir(os.path.join(folder, "can")))
    return {name: open(os.path.join(folder, "can", name), "rb").read() for name in names}


def killed(comparison, folder, whole):
    """A run of a day that is killed as soon as it has written something."""
    out = os.path.join(folder, "killed")
    command = [LASTMETER, "run", scenario(folder, "long", "24 h"), "--out", out]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        logs, limit = [file_of(out, network, "log") for network in BIT_NS], time.monotonic() + 120
        while not all(os.path.exists(log) and os.path.getsize(log) for log in logs) and time.monotonic() < limit:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
    found = contents(out)
    for network in BIT_NS:
        log, full = found[f"{network}.log"], whole[f"{network}.log"]
        both = min(len(log), len(full))
        comparison.true(f"{network}: killed, lines are the first ones", both > 0 and log[:both] == full[:both], len(log))
        comparison.true(f"{network}: killed, the last line is whole", log.endswith(b"\n"))
        packets = tshark(file_of(out, network, "pcapng"))
        comparison.true(f"{network}: killed, tshark reads packets", len(packets) > 0, len(packets))


def in_real_time(comparison, folder, whole):
    """Four seconds of it: the same frames, a poll each second."""
    out = os.path.join(folder, "real")
    run("run", scenario(folder, "real", "4 s", "real"), "--out", out)
    frames = [row[2:] for row in lines_of(out, "quick")]
    first = [row[2:] for row in lines_of(whole, "quick")][: len(frames)]
    comparison.true("real time: the same frames", len(frames) > 100 and frames == first, len(frames))
    comparison.same("real time: packets by tshark", len(tshark(file_of(out, "quick", "pcapng"))), len(frames))


def main():
    if not shutil.which("tshark"):
        print("tshark is not installed (tests/setup tshark)")
        sys.exit(77)
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        first, second = (os.path.join(folder, name) for name in ("first", "second"))
        path = scenario(folder, "captured", "2 min")
        for out in (first, second):
            run("run", path, "--out", out)
        whole = contents(first)
        comparison.same("files", sorted(whole), sorted(f"{name}.{end}" for name in BIT_NS for end in ("log", "pcapng")))
        comparison.true("two runs write the same", whole == contents(second))
        with open(os.path.join(first, "verdicts.json"), encoding="utf-8") as file:
            comparison.same("verdicts", [row["status"] for row in json.load(file)], ["pass"])
        for network in BIT_NS:
            by_tshark(comparison, first, network)
            by_cantools(comparison, first, network, by_python_can(comparison, first, network))
            by_bits(comparison, first, network)
        killed(comparison, folder, whole)
        in_real_time(comparison, folder, first)
    comparison.end()


if __name__ == "__main__":
    main()
