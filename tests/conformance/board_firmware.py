#!/usr/bin/env python3
"""Holds the meter firmware, emulated by QEMU, against integers of Python and against python-can.

    board_firmware.py [--rounds 8] [--seed 1]

Builds devices/firmware/meter twice (the image has to be the same to the byte), gives it quantised
samples over its stimulus port, and reads what it makes of them over its SLCAN port. What it has to
make of them is computed here by itself, from docs/boards.md, on whole arrays. python-can opens the
same SLCAN port as a pseudo-terminal. Wants qemu-system-arm, gcc-arm-none-eabi, python-can.
"""

import argparse
import hashlib
import json
import math
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAIT_S = 10
comparisons = failures = 0


def check(what, found, expected):
    global comparisons, failures
    comparisons += 1
    if found != expected:
        failures += 1
        print(f"FAIL  {what}: found {found}, expected {expected}")


# --- the firmware's arithmetic, from its description ----------------------------------------------

U_NV, I_NA, MIDDLE, HYSTERESIS = 381_174_749, 24_859_223, 1707, 64


def quotient(a, b):
    """Towards zero, as C divides."""
    return abs(a) // abs(b) * (1 if (a >= 0) == (b >= 0) else -1)


def crossings(u):
    """Places of the rising crossings, in 1/65536 of a sample."""
    places, armed, candidate = [], False, None
    for k in range(1, len(u)):
        if u[k] < -HYSTERESIS:
            armed, candidate = True, None
        if not armed:
            continue
        if u[k - 1] < 0 <= u[k]:
            candidate = k - 1
        if candidate is None or u[k] < HYSTERESIS or k < candidate + 4:
            continue
        c, armed, candidate = candidate, False, None
        if k - c >= 40 or c < 3:
            continue
        near = u[c - 3 : c + 5]
        moment = sum((2 * n - 7) * x for n, x in enumerate(near))
        if moment > 0:
            shift = quotient(21 * sum(near) * 32768, moment)
            if abs(shift) <= 3 * 65536:
                places.append(c * 65536 + 32768 - shift)
    return places


def integral(y, begin, end):
    """Of straight lines through y, in 1/131072 of a sample, each sample interval rounded down."""
    total = 0
    for j in range(begin >> 16, (end + 65535) >> 16):
        low = begin & 0xFFFF if j == begin >> 16 else 0
        high = end & 0xFFFF if j == end >> 16 else 65536
        at = lambda f: y[j] * 65536 + (y[j + 1] - y[j]) * f
        total += ((at(low) + at(high)) * (high - low)) >> 16
    return total


def expected(codes, rate_mhz, gains=(0x400000, 0x400000), offsets=(21845, 21845)):
    """What a freeze after all of these pairs has to give."""
    u, i = ([MIDDLE - pair[n] for pair in codes] for n in (0, 1))
    places = crossings(u)
    # A window is complete once the delay of 48 samples is over.
    ends = [p for p in places[::10] if (p >> 16) + 48 <= len(u) - 1]
    nv, na = U_NV * gains[0] >> 22, I_NA * gains[1] >> 22
    nw = nv * na // 10**9
    products = {
        "u": u, "i": i, "uu": [x * x for x in u], "ii": [x * x for x in i],
        "ui": [x * y for x, y in zip(u, i)],
    }
    sums, weights, lengths, energy = dict.fromkeys(("uu", "ii", "ui"), 0), 0, 0, [0, 0]
    ou, oi = offsets
    # Registers wait for no crossing: they are booked every 2048 samples, and at the freeze.
    stops = [*range(0, len(u) - 1, 2048), len(u) - 1]
    for begin, end in zip(stops, stops[1:]):
        both = lambda y: sum(y[j] + y[j + 1] for j in range(begin, end))
        mean = {k: quotient(both(products[k]) * 2048, end - begin) for k in ("u", "i", "ui")}
        ui = mean["ui"] - (ou * mean["i"] + oi * mean["u"] >> 16) + (ou * oi >> 20)
        uj = quotient(quotient(ui * nw >> 12, 1000) * (end - begin) * 1000, rate_mhz)
        energy[0 if uj > 0 else 1] += abs(uj)
    for begin, end in zip(ends, ends[1:]):
        length = end - begin
        mean = {k: quotient(integral(y, begin, end) * 2048, length) for k, y in products.items()}
        uu = mean["uu"] - (2 * ou * mean["u"] >> 16) + (ou * ou >> 20)
        ii = mean["ii"] - (2 * oi * mean["i"] >> 16) + (oi * oi >> 20)
        ui = mean["ui"] - (ou * mean["i"] + oi * mean["u"] >> 16) + (ou * oi >> 20)
        weight = length >> 12
        for name, value in (("uu", uu), ("ii", ii), ("ui", ui)):
            sums[name] += value * weight
        weights, lengths = weights + weight, lengths + length
    if not weights:
        return None
    uu, ii, ui = (quotient(sums[name], weights) for name in ("uu", "ii", "ui"))
    u_nv = math.isqrt(max(uu, 0) << 20) * nv >> 16
    i_na = math.isqrt(max(ii, 0) << 20) * na >> 16
    u_uv, i_ua = (u_nv + 500) // 1000, (i_na + 500) // 1000
    p_uw = quotient(ui * nw >> 12, 1000)
    s_mva, p_mw = (u_uv * i_ua + 500_000_000) // 10**9, quotient(p_uw, 1000)
    return {
        "u_uv": u_uv, "i_ua": i_ua, "p_uw": p_uw, "s_mva": s_mva,
        "n_mvar": math.isqrt(max(s_mva**2 - p_mw**2, 0)),
        "pf_ppm": quotient(p_mw * 10**6, s_mva) if s_mva else 0,
        "f_uhz": (len(ends) - 1) * 10 * rate_mhz * 4_096_000 // (lengths >> 4),
        "windows": len(ends) - 1,
        "consumed_mj": energy[0] // 1000, "injected_mj": energy[1] // 1000,
    }


# --- the board -------------------------------------------------------------------------------------


def crc16(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


def cobs(data):
    out = bytearray()
    for block in (data + b"\0").split(b"\0")[:-1]:
        while len(block) >= 254:
            out += b"\xff" + block[:254]
            block = block[254:]
        out += bytes([len(block) + 1]) + block
    return bytes(out) + b"\0"


def uncobs(data):
    out, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        out += data[at + 1 : at + code]
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


class Board:
    """An emulated board; its SLCAN port is a socket, or a pseudo-terminal."""

    def __init__(self, image, folder, record=b"\x01", pty=False):
        self.folder, self.record, self.buffer, self.text = folder, record, b"", b""
        paths = {name: os.path.join(folder, name) for name in ("qmp", "can", "bench")}
        for path in paths.values():
            if os.path.exists(path):
                os.remove(path)
        can = "pty" if pty else f"unix:{paths['can']},server=on,wait=off"
        command = ["qemu-system-arm", "-accel", "tcg", "-M", "stm32vldiscovery", "-kernel", image]
        command += ["-S", "-display", "none", "-monitor", "none", "-nodefaults"]
        command += ["-qmp", f"unix:{paths['qmp']},server=on,wait=off", "-serial", can]
        command += ["-serial", f"unix:{paths['bench']},server=on,wait=off"]
        log = open(os.path.join(folder, "qemu.log"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.qmp = self.connect(paths["qmp"]).makefile("rw")
        self.qmp.readline()
        self.order("qmp_capabilities")
        self.bench = self.connect(paths["bench"])
        if pty:
            ports = self.order("query-chardev")
            found = [p["filename"] for p in ports if p["filename"].startswith("pty:")]
            self.pty = found[0].removeprefix("pty:").split(",")[0]
        else:
            self.can = self.connect(paths["can"])
        self.order("cont")
        self.serve_record()
        if not pty:
            self.banner = self.line()

    def connect(self, path):
        end = time.monotonic() + WAIT_S
        while True:
            try:
                found = socket.socket(socket.AF_UNIX)
                found.connect(path)
                found.settimeout(WAIT_S)
                return found
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.01)

    def order(self, what):
        self.qmp.write(json.dumps({"execute": what}) + "\n")
        self.qmp.flush()
        while "return" not in (answer := json.loads(self.qmp.readline())):
            if "error" in answer:
                sys.exit(f"QEMU refuses {what}: {answer['error']}")
        return answer["return"]

    def frame(self):
        """The next frame of the stimulus port."""
        while b"\0" not in self.buffer:
            self.buffer += self.bench.recv(4096)
        raw, self.buffer = self.buffer.split(b"\0", 1)
        data = uncobs(raw)
        assert crc16(data[:-2]) == int.from_bytes(data[-2:], "little"), "CRC of the board's frame"
        return data[0], data[1], data[2:-2]

    def send(self, kind, number, data):
        body = bytes([kind, number]) + data
        self.bench.sendall(cobs(body + crc16(body).to_bytes(2, "little")))

    def answer(self):
        """The next frame that is not about the EEPROM."""
        while True:
            kind, number, data = self.frame()
            if kind == 0x83:
                self.record = data
            elif kind == 0x84:
                self.send(0x03, 0, self.record)
            else:
                return kind, number, data

    def serve_record(self):
        kind, _, _ = self.frame()
        assert kind == 0x84
        self.send(0x03, 0, self.record)
        kind, _, self.record = self.frame()
        assert kind == 0x83

    def feed(self, codes, rate_mhz=None, chunk=80):
        if rate_mhz is not None:
            self.send(0x02, 0, rate_mhz.to_bytes(4, "little"))
            self.answer()
        for number, at in enumerate(range(0, len(codes), chunk)):
            data = b"".join((u | i << 12).to_bytes(3, "little") for u, i in codes[at : at + chunk])
            self.send(0x01, number & 0xFF, data)
            kind, echo, status = self.answer()
            assert (kind, echo) == (0x81, number & 0xFF), (kind, echo)
        return int.from_bytes(status[:4], "little")

    def line(self):
        while not (ends := [at for at in map(self.text.find, (b"\r", b"\a")) if at >= 0]):
            self.text += self.can.recv(4096)
        at = min(ends) + 1
        line, self.text = self.text[:at], self.text[at:]
        return line

    def ask(self, text):
        self.can.sendall(text)
        return self.line()

    def remote(self, register, node=1):
        assert self.ask(b"r%03X8\r" % (register << 5 | node)) == b"z\r"
        line = self.line()
        length = 4 if 0x20 <= register else 8
        assert line[:5] == b"t%03X%d" % (register << 5 | node, length), line
        return bytes.fromhex(line[5 : 5 + 2 * length].decode())

    def reading(self):
        assert self.ask(b"t0211A5\r") == b"z\r"
        frozen = bytes.fromhex(self.line()[5:21].decode())
        check("token", frozen[7], 0xA5)
        word = lambda data, at, signed=False: int.from_bytes(data[at : at + 4], "big", signed=signed)
        ui, s, pf = self.remote(0x10), self.remote(0x12), self.remote(0x13)
        return {
            "u_uv": word(ui, 0), "i_ua": word(ui, 4),
            "p_uw": int.from_bytes(self.remote(0x11), "big", signed=True),
            "s_mva": word(s, 0), "n_mvar": word(s, 4),
            "pf_ppm": word(pf, 0, True), "f_uhz": word(pf, 4), "windows": int.from_bytes(frozen[4:7], "big"),
            "consumed_mj": int.from_bytes(self.remote(0x14), "big"),
            "injected_mj": int.from_bytes(self.remote(0x15), "big"),
        }

    def end(self):
        self.process.kill()
        self.process.wait()


def sine(draw, rate_hz, seconds=1.0):
    """Quantised pairs of a random operating point."""
    volts, amperes = 230 * draw.uniform(0.5, 1.0), 30 * draw.uniform(0.0, 1.0)
    hertz, angle = draw.uniform(42.5, 57.5), draw.uniform(-math.pi, math.pi)
    begin, noise = draw.uniform(0, math.tau), draw.uniform(0, 2)
    codes = []
    for k in range(int(rate_hz * seconds)):
        w = math.tau * hertz * k / rate_hz + begin
        u = (1.5 - 1.5 * volts / 460 * math.sin(w)) / 3.6 * 4096 + draw.gauss(0, noise)
        i = (1.5 - 1.5 * amperes / 30 * math.sin(w - angle)) / 3.6 * 4096 + draw.gauss(0, noise)
        codes.append((min(max(round(u), 0), 4095), min(max(round(i), 0), 4095)))
    return codes


def exactness(image, folder, rounds, seed):
    draw = random.Random(seed)
    board = Board(image, folder)
    crc = zlib.crc32(open(image.replace(".elf", ".bin"), "rb").read())
    check("banner", board.banner, b"LASTMETER meter 1.0 node 1 image %08x\r" % crc)
    check("open", board.ask(b"O\r"), b"\r")
    check("version", board.remote(0x19), bytes([1, 0, 1, 0]) + crc.to_bytes(4, "big"))
    check("status", board.remote(0x18)[:2], b"\0\0")
    energy = [0, 0]
    for number in range(rounds):
        rate_hz = draw.choice([6400, 8000, 10000])
        codes = sine(draw, rate_hz, draw.choice([0.7, 1.0, 1.5]))
        check("samples taken", board.feed(codes, rate_hz * 1000, draw.choice([1, 33, 80])), len(codes))
        found, wanted = board.reading(), expected(codes, rate_hz * 1000)
        # Registers go on.
        for side, name in enumerate(("consumed_mj", "injected_mj")):
            found[name], energy[side] = found[name] - energy[side], found[name]
            check(f"{name} of round {number}", abs(found.pop(name) - wanted.pop(name)) <= 1, True)
        check(f"reading of round {number}", found, wanted)
    # Calibration registers, and what a reset leaves of them.
    check("gain", board.ask(b"t3418000000000040A3D7\r"), b"z\r")
    check("gain taken", board.line(), b"t3418000000000040A3D7\r")
    check("gain refused", (board.ask(b"t3418000000007F000000\r"), board.line()), (b"z\r", b"t3418000100000040A3D7\r"))
    codes = sine(draw, 6400)
    board.feed(codes, 6_400_000)
    found, wanted = board.reading(), expected(codes, 6_400_000, (0x40A3D7, 0x400000))
    for name in ("consumed_mj", "injected_mj"):
        found.pop(name), wanted.pop(name)
    check("reading with another gain", found, wanted)
    before = [int.from_bytes(board.record[at : at + 8], "little") // 1000 for at in (8, 16)]
    board.order("system_reset")
    board.serve_record()
    check("banner after a reset", board.line()[:9], b"LASTMETER")
    check("closed after a reset", board.ask(b"r2018\r"), b"\a")
    check("open after a reset", board.ask(b"O\r"), b"\r")
    check("restarts", board.remote(0x18)[2:4], b"\0\1")
    check("gain after a reset", (board.ask(b"t341100\r"), board.line()), (b"z\r", b"t3418000000000040A3D7\r"))
    board.send(0x02, 0, (6_400_000).to_bytes(4, "little"))
    board.answer()
    board.feed(sine(draw, 6400))
    board.reading()
    for name, register, kept in (("consumed", 0x14, before[0]), ("injected", 0x15, before[1])):
        found = int.from_bytes(board.remote(register), "big")
        check(f"{name} energy survives a reset", kept <= found < kept + 10_000_000, True)
    # Frames that are broken are counted and answered, and what comes next is read.
    bad = board.remote(0x18)[4:6]
    board.bench.sendall(b"\x05\x01\x02\x03\x04\x00" + os.urandom(40).replace(b"\0", b"\1") + b"\0")
    check("refusals", [board.answer()[0] for _ in range(2)], [0x8E, 0x8E])
    check("counted", int.from_bytes(board.remote(0x18)[4:6], "big") - int.from_bytes(bad, "big"), 2)
    board.end()


COMPACT = {
    # Register: where its value stands among the full ones, bytes, step in units of the full one.
    0x20: (0x10, 0, 4, 1), 0x21: (0x10, 4, 4, 1), 0x22: (0x11, 0, 8, 1000), 0x23: (0x12, 0, 4, 1),
    0x24: (0x12, 4, 4, 1), 0x25: (0x13, 0, 4, 1), 0x26: (0x13, 4, 4, 1), 0x27: (0x14, 0, 8, 100_000),
    0x28: (0x15, 0, 8, 100_000), 0x2B: (0x1C, 2, 3, 1), 0x2C: (0x1C, 5, 3, 1), 0x2D: (0x17, 4, 4, 100),
    0x2E: (0x16, 4, 4, 1),
}
SIGNED = (0x22, 0x25, 0x2D)
# How many bits of the number stand in front of the value, and where its last byte is in the full register.
NUMBERED = {0x2B: (8, 2), 0x2C: (8, 2), 0x2D: (8, 4), 0x2E: (16, 4)}


def compact_ones(board, what):
    """Each compact register against the full one of the same reading."""
    for register, (full, at, size, step) in COMPACT.items():
        data, bits = board.remote(register), NUMBERED.get(register, (0, 0))[0]
        check(f"{what}: length of {register:02X}", len(data), 4)
        found = int.from_bytes(data[bits // 8 :], "big", signed=register in SIGNED)
        whole = board.remote(full)
        wanted = int.from_bytes(whole[at : at + size], "big", signed=register in SIGNED)
        off = wanted - found * step
        is_near = 0 <= off < step if register in (0x27, 0x28) else abs(off) * 2 <= step
        check(f"{what}: {register:02X} is {found} steps of {step}, full {wanted}", is_near, True)
        if bits:
            last = NUMBERED[register][1]
            check(f"{what}: number in {register:02X}", data[: bits // 8], whole[last - bits // 8 : last])


def profile_of(codes, rate_hz):
    """Number and mean power in mW of the last whole second, by the description."""
    u, i = ([MIDDLE - pair[n] for pair in codes] for n in (0, 1))
    nw, o = U_NV * I_NA // 10**9, 21845
    stops = [0]
    while stops[-1] < len(u) - 1:
        to_end = rate_hz - stops[-1] % rate_hz
        stops.append(min(stops[-1] + min(2048, to_end), len(u) - 1))
    number = energy = power = 0
    for begin, end in zip(stops, stops[1:]):
        both = lambda y: sum(y[j] + y[j + 1] for j in range(begin, end))
        mean = [quotient(both(y) * 2048, end - begin) for y in (u, i, [a * b for a, b in zip(u, i)])]
        ui = mean[2] - (o * mean[1] + o * mean[0] >> 16) + (o * o >> 20)
        energy += quotient(quotient(ui * nw >> 12, 1000) * (end - begin) * 1000, rate_hz * 1000)
        if end % rate_hz == 0:
            number, power, energy = number + 1, quotient(energy, 1000), 0
    return number, power


def power_profile(board, draw):
    """Seconds of steady load, each of its own, frozen in the middle of one."""
    order = b"t34180400000000000001\r"
    check("interval of a second", (board.ask(order), board.line()), (b"z\r", order))
    for number, rate_hz in enumerate((4000, 5000)):
        hertz, volts, amperes = 50, draw.uniform(200, 240), [draw.uniform(-20, 20) for _ in range(5)]
        wave = lambda k: math.sqrt(2) * math.sin(math.tau * hertz * k / rate_hz + 0.3)
        pair = lambda k: (volts * wave(k) / 460, amperes[k // rate_hz] * wave(k) / 30)
        code = lambda x: round((1.5 - 1.5 * x / math.sqrt(2)) / 3.6 * 4096)
        codes = [tuple(map(code, pair(k))) for k in range(5 * rate_hz)]
        places = [0, int(0.6 * rate_hz), int(3.4 * rate_hz), int(4.3 * rate_hz)]
        for begin, end in zip(places, places[1:]):
            board.feed(codes[begin:end], rate_hz * 1000 if begin == 0 else None, chunk=79)
            if begin:
                found = board.remote(0x17)
                was = int.from_bytes(found[:4], "big"), int.from_bytes(found[4:], "big", signed=True)
                check(f"profile {number} is of the reading that was closed", was, before)
            order = b"t0414A5000000\r"
            check(f"compact freeze {number}", (board.ask(order), board.line()[:7]), (b"z\r", order[:7]))
            found = board.remote(0x17)
            before = int.from_bytes(found[:4], "big"), int.from_bytes(found[4:], "big", signed=True)
            check(f"profile {number} after {end} samples", before, profile_of(codes[:end], rate_hz))
            check(f"number of whole seconds in {end} samples", before[0], (end - 1) // rate_hz)
            if before[0]:
                played = volts * amperes[before[0] - 1]
                check(f"mean power {before[1] / 1e3} of {played:.3f} W", abs(before[1] / 1e3 - played) < 1.0, True)
            compact_ones(board, f"profile {number}")


NOMINAL_V = 230


def dips_of(hertz, volts, dips, seconds):
    """Dips by IEC 61000-4-30: from the RMS of each cycle from zero crossing to zero crossing, in closed form.

    `dips` are begin and end in s and the part of the voltage that is left; returns residual in V and duration in s of
    each, and how near to a threshold a value comes.
    """
    w = math.tau * hertz
    squares = lambda a, b: (b - a) / 2 - (math.sin(2 * w * b) - math.sin(2 * w * a)) / (4 * w)
    found, open_dip, margin = [], None, NOMINAL_V
    for n in range(int(2 * hertz * seconds) - 1):
        begin, end = n / (2 * hertz), (n + 2) / (2 * hertz)
        total = squares(begin, end)
        for first, last, left in dips:
            low, high = max(first, begin), min(last, end)
            total += (left**2 - 1) * squares(low, high) if low < high else 0
        rms = volts * math.sqrt(max(total, 0) * 2 * hertz)
        margin = min([margin] + [abs(rms - part * NOMINAL_V) for part in (0.9, 0.92)])
        if open_dip is None and rms < 0.9 * NOMINAL_V:
            open_dip = [begin, rms]
        elif open_dip and rms >= 0.92 * NOMINAL_V:
            found.append((open_dip[1], begin - open_dip[0]))
            open_dip = None
        elif open_dip:
            open_dip[1] = min(open_dip[1], rms)
    return found, margin


def voltage_dips(board, draw):
    """Dips of any depth, length and phase; interruptions without crossings, a slow return, a voltage that is no dip.

    The frequency steps while the half cycles are learnt, at a crossing.
    """
    kept = 0  # A reading stays closed when samples begin again.
    for number, (rate_hz, hertz) in enumerate(((4000, 45), (5000, 55))):
        volts, margin, count = 213, 0, 0
        while margin < 0.3:
            begins = [0.5 + 1.3 * n + draw.uniform(0, 0.1) for n in range(5)]
            lasts, lefts = [draw.uniform(0.015, 0.3) for _ in begins], [draw.uniform(0.15, 0.85) for _ in begins]
            lasts[1], lefts[1], lasts[2], lefts[2], lefts[3] = 0.055, 0.0, 0.7, 0.0, 0.98
            dips = [(begin, begin + last, left) for begin, last, left in zip(begins, lasts, lefts)]
            dips.append((dips[4][1], dips[4][1] + 0.1, 0.98))
            wanted, margin = dips_of(hertz, volts, dips, 7)
        is_in = lambda t: next((left for first, last, left in dips if first <= t < last), 1.0)
        lead = 16 / (1.03 * hertz)
        angle = lambda t: math.tau * hertz * (t if t >= 0 else 1.03 * t)
        wave = lambda t: volts / 460 * is_in(t) * math.sin(angle(t))
        noisy = lambda k: (1.5 - 1.5 * wave(k / rate_hz - lead)) / 3.6 * 4096 + draw.gauss(0, 0.5)
        codes = [(round(noisy(k)), 1707) for k in range(int((7 + lead) * rate_hz))]
        check(f"dips {number} played", len(wanted), 4)
        for part in range(5):
            places = [int((lead + 0.45 + 1.3 * n) * rate_hz) for n in range(6)]
            begin, end = (0 if part == 0 else places[part]), places[part + 1]
            board.feed(codes[begin:end], rate_hz * 1000 if part == 0 else None)
            before = board.remote(0x1C)
            check(f"dip {number}.{part}: none before the freeze", int.from_bytes(before[:2], "big"), kept)
            board.reading()
            kept = count = count + (part != 3)
            data = board.remote(0x1C)
            found = [int.from_bytes(data[a:b], "big") for a, b in ((0, 2), (2, 5), (5, 8))]
            residual_v, duration_s = wanted[count - 1]
            check(f"dip {number}.{part}: number", found[0], count)
            what = f"dip {number}.{part}: {found[1:]} mV and ms, {residual_v:.3f} V for {duration_s:.4f} s played"
            check(what, abs(found[1] / 1e3 - residual_v) < 1.0 and abs(found[2] / 1e3 - duration_s) < 0.0025, True)
            compact_ones(board, f"dip {number}.{part}")


def registers(image, folder, seed):
    """Compact registers, power profile and dips; 0 before the first, and again after a loss of supply."""
    board, draw = Board(image, folder), random.Random(seed)
    board.ask(b"O\r")
    power_profile(board, draw)
    voltage_dips(board, draw)
    board.order("system_reset")
    board.serve_record()
    board.line()
    board.ask(b"O\r")
    for register in (0x17, 0x1C, 0x2B, 0x2C, 0x2D):
        check(f"{register:02X} after a reset", set(board.remote(register)), {0})
    check("interval after a reset", (board.ask(b"t341104\r"), board.line()), (b"z\r", b"t34180400000000000001\r"))
    check("a register that it has not", board.ask(b"r3618\r"), b"z\r")
    check("stays silent", select.select([board.can], [], [], 0.3)[0], [])
    board.end()


def other_host(image, folder):
    """python-can drives the port."""
    import can

    board = Board(image, folder, record=b"\x05", pty=True)
    bus = can.Bus(interface="slcan", channel=board.pty, bitrate=125000, sleep_after_open=1.5)
    check("python-can: version", bus.get_version(3), (10, 10))
    check("python-can: serial number", bus.get_serial_number(3), "LM01")
    for number in range(200):
        bus.send(can.Message(arbitration_id=0x19 << 5 | 5, is_remote_frame=True, dlc=8, is_extended_id=False))
        answer = bus.recv(3)
        if answer is None or answer.data[2] != 5:
            check(f"python-can: answer {number}", answer, "a version")
            break
    else:
        check("python-can: 200 answers", True, True)
    bus.send(can.Message(arbitration_id=0x19 << 5 | 5, data=b"", is_extended_id=True))
    check("python-can: an extended frame is not answered", bus.recv(0.3), None)
    # Lines that are wrong, on the same port; then the host goes on.
    serial = bus.serialPortOrig
    for line in (b"O\r", b"t12\r", b"t" * 200 + b"\r", b"t1239\r", b"t8000\r", b"t1232GG11\r", b"S4\r"):
        serial.write(line)
        end, got = time.monotonic() + 3, b""
        while b"\a" not in got and time.monotonic() < end:
            got += serial.read(1)
        check(f"python-can: {line[:12]!r} is refused", got, b"\a")
    bus.send(can.Message(arbitration_id=0x18 << 5 | 5, is_remote_frame=True, dlc=8, is_extended_id=False))
    answer = bus.recv(3)
    check("python-can: an answer after refusals", bool(answer) and len(answer.data) == 8, True)
    bus.shutdown()
    board.end()


def hang(image, folder):
    """A board that was stopped answers late, and is itself again."""
    board = Board(image, folder)
    board.ask(b"O\r")
    board.process.send_signal(signal.SIGSTOP)
    board.can.sendall(b"r3218\r")
    check("silent while it is stopped", select.select([board.can], [], [], 0.5)[0], [])
    board.process.send_signal(signal.SIGCONT)
    check("the late answer", board.line(), b"z\r")
    check("and its frame", board.line()[:5], b"t3218")
    board.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for program, package in (("qemu-system-arm", "qemu-system-arm"), ("arm-none-eabi-gcc", "gcc-arm-none-eabi")):
        if not shutil.which(program):
            print(f"NOT RUN: {program} not found (install {package})")
            sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        images = []
        for name in ("one", "two"):
            source, out = os.path.join(folder, name), os.path.join(folder, name, "out")
            shutil.copytree(os.path.join(ROOT, "devices/firmware/meter"), source)
            subprocess.run([os.path.join(source, "build.sh"), out], check=True)
            images.append(os.path.join(out, "meter.elf"))
        hashes = [hashlib.sha256(open(image, "rb").read()).hexdigest() for image in images]
        check("image built twice", hashes[0], hashes[1])
        exactness(images[0], folder, options.rounds, options.seed)
        registers(images[0], folder, options.seed)
        other_host(images[0], folder)
        hang(images[0], folder)
    print(f"{comparisons} comparisons, {failures} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
