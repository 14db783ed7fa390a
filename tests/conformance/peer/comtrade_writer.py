"""Writes COMTRADE recordings of every format and revision, typed from the standard.

IEEE C37.111-1991 and -1999, IEC 60255-24:2013. Also takes recordings apart and puts them together
again, wrongly where a test wants that. Shares nothing with the program under test.
"""

import os
import struct

import numpy as np

ANALOGUE_BYTES = {"BINARY": 2, "BINARY32": 4, "FLOAT32": 4}
ANALOGUE_CODE = {"BINARY": "h", "BINARY32": "i", "FLOAT32": "f"}
FULL_SCALE = {"ASCII": 99_000, "BINARY": 32_000, "BINARY32": 2_000_000_000}


class Channel:
    """An analogue channel to be written: samples in `unit`, primary or secondary."""

    def __init__(self, name, phase, unit, samples, ratio=(1.0, 1.0), side="P", offset=0.0):
        self.name, self.phase, self.unit = name, phase, unit
        self.samples = np.asarray(samples, dtype=float)
        self.ratio, self.side, self.offset = ratio, side, offset
        self.factor = 1.0

    def raw(self, kind, revision):
        """The numbers of the data file: value = factor * number + offset."""
        values = self.samples - self.offset
        if kind == "FLOAT32":
            self.factor = 0.5
            return (values / self.factor).astype(np.float32)
        # As it stands in the .cfg, so that writer and readers mean the same number.
        self.factor = float(f"{np.max(np.abs(values)) / FULL_SCALE[kind]:.9e}")
        numbers = np.rint(values / self.factor).astype(int)
        if kind == "BINARY" and revision == "1991":
            # To the foreign reader 0xFFFF is a missing value there, which a -1 would be too.
            numbers[numbers == -1] = 0
            self.samples = numbers * self.factor + self.offset
        return numbers


def write(path, revision, kind, channels, rate_hz, nominal_hz, digital=5):
    """Writes `path`.cfg and .dat; digital channel d toggles every d+2 samples."""
    raw = [channel.raw(kind, revision) for channel in channels]
    count = len(raw[0])
    states = [[n // (d + 2) % 2 for n in range(count)] for d in range(digital)]
    stamps = [round(n * 1e6 / rate_hz) for n in range(count)]
    config = configuration(revision, kind, channels, rate_hz, nominal_hz, digital, count)
    with open(path + ".cfg", "w", newline="", encoding="utf-8") as file:
        file.write(config)
    with open(path + ".dat", "wb") as file:
        for n in range(count):
            values = [column[n] for column in raw]
            bits = [state[n] for state in states]
            file.write(record(kind, n + 1, stamps[n], values, bits))
    return path + ".cfg"


def configuration(revision, kind, channels, rate_hz, nominal_hz, digital, count):
    total = len(channels) + digital
    year = "" if revision == "1991" else "," + revision
    lines = [f"substation,recorder{year}", f"{total},{len(channels)}A,{digital}D"]
    low, high = ("-99999", "99998") if kind == "ASCII" else ("-32767", "32767")
    for number, c in enumerate(channels, start=1):
        fields = [number, c.name, c.phase, "bay", c.unit, f"{c.factor:.9e}", f"{c.offset!r}", 0]
        fields += [low, high]
        if revision != "1991":
            fields += [f"{c.ratio[0]!r}", f"{c.ratio[1]!r}", c.side]
        lines.append(",".join(map(str, fields)))
    for number in range(1, digital + 1):
        middle = "" if revision == "1991" else ",,"
        lines.append(f"{number},D{number}{middle},0")
    date = "03/21/94" if revision == "1991" else "21/03/2024"
    lines += [str(nominal_hz), "1", f"{rate_hz},{count}"]
    lines += [f"{date},12:00:00.000000", f"{date},12:00:00.100000", kind]
    if revision != "1991":
        lines.append("1")
    if revision == "2013":
        lines += ["0,0", "0,0"]
    return "".join(line + "\r\n" for line in lines)


def record(kind, number, stamp, values, bits):
    """One sample: C37.111-1999 clauses 8.4 (ASCII) and 8.6 (binary)."""
    if kind == "ASCII":
        return (",".join(map(str, [number, stamp, *values, *bits])) + "\r\n").encode()
    words = [0] * ((len(bits) + 15) // 16)
    for place, bit in enumerate(bits):
        words[place // 16] |= bit << place % 16
    form = f"<II{len(values)}{ANALOGUE_CODE[kind]}{len(words)}H"
    return struct.pack(form, number, stamp, *values, *words)


class Binary:
    """A binary recording as lines and records, to be cut or spoiled."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.lines = file.read().replace("\r\n", "\n").rstrip("\n").split("\n")
        counts = self.lines[1].split(",")
        self.analogue, self.digital = int(counts[1][:-1]), int(counts[2][:-1])
        self.kind = self.lines[self.rate_line() + 3].strip().upper()
        self.width = ANALOGUE_BYTES[self.kind]
        self.words = (self.digital + 15) // 16
        size = 8 + self.width * self.analogue + 2 * self.words
        with open(path[:-4] + ".dat", "rb") as file:
            data = file.read()
        self.records = [data[at : at + size] for at in range(0, len(data), size)]

    def rate_line(self):
        """Index of the line with the rate and the last sample; two headers and a count precede."""
        return 2 + self.analogue + self.digital + 2

    def save(self, path, records=None, lines=None):
        """Writes a changed copy; gives the path of its configuration."""
        with open(path + ".cfg", "w", encoding="utf-8") as file:
            file.write("\n".join(self.lines if lines is None else lines) + "\n")
        with open(path + ".dat", "wb") as file:
            file.write(b"".join(self.records if records is None else records))
        return path + ".cfg"

    def excerpt(self, path, first, count):
        """A shorter recording, its samples numbered from 1 at time 0."""
        start = struct.unpack_from("<I", self.records[first], 4)[0]
        records = []
        for number, old in enumerate(self.records[first : first + count], start=1):
            stamp = struct.unpack_from("<I", old, 4)[0] - start
            records.append(struct.pack("<II", number, stamp) + old[8:])
        lines = list(self.lines)
        rate = lines[self.rate_line()].split(",")[0]
        lines[self.rate_line()] = f"{rate},{count}"
        return self.save(path, records, lines)

    def swapped(self):
        """The records with every number's bytes in the wrong order."""
        widths = [4, 4] + [self.width] * self.analogue + [2] * self.words
        changed = []
        for old in self.records:
            parts, at = [], 0
            for width in widths:
                parts.append(old[at : at + width][::-1])
                at += width
            changed.append(b"".join(parts))
        return changed


def renumbered(lines, analogue, digital):
    """Line 2 of a configuration for other counts."""
    return [lines[0], f"{analogue + digital},{analogue}A,{digital}D", *lines[2:]]


def folder_of(root, name):
    path = os.path.join(root, name)
    os.makedirs(path, exist_ok=True)
    return path
