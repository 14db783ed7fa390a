"""COMTRADE read by `lastmeter measure` and by a foreign reader (PyPI `comtrade`): the same samples?

`measure` shows no samples, so the foreign reader's are written as CSV, every digit, and measured
too: all figures of the two documents have to agree. They are sensitive to each sample, which is
tested by changing one. Also: recordings that are spoiled have to be refused with a message that
names what is wrong.
"""

import csv
import json
import math
import os
import shutil
import struct
import tempfile

import numpy as np

from peer.bench import Comparison, call, recordings
from peer.comtrade_writer import Binary, Channel, renumbered, write
from peer.foreign_comtrade import Foreign, files

RELATIVE = 1e-9
# Below this a line of a spectrum is rounding noise, and so is its phase.
NOISE = 1e-9


def numbers(document, path=""):
    """All numbers of a document by their path; phases of lines that are noise left out."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key != "notes":
                yield from numbers(value, f"{path}.{key}")
    elif isinstance(document, list):
        largest = max((line["rms"] for line in document if is_line(line)), default=0.0)
        for index, value in enumerate(document):
            if not (is_line(value) and value["rms"] < NOISE * largest):
                yield from numbers(value, f"{path}[{index}]")
    else:
        yield path, document


def is_line(value):
    return isinstance(value, dict) and "phase_deg" in value


def worst_difference(one, other):
    """Count of numbers, the largest relative difference, and where it is; None: not comparable."""
    left, right = dict(numbers(one)), dict(numbers(other))
    if left.keys() != right.keys():
        return 0, float("inf"), f"only in one: {sorted(left.keys() ^ right.keys())[:3]}"
    count, worst, place = 0, 0.0, "nowhere"
    for path, value in left.items():
        theirs = right[path]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            if value != theirs:
                return count, float("inf"), f"{path}: {value} and {theirs}"
            continue
        # Phases have no scale of their own; a degree is as much anywhere.
        scale = 360.0 if path.endswith("phase_deg") else max(abs(value), abs(theirs), 1e-300)
        difference = abs(value - theirs) / scale
        count += 1
        if difference > worst:
            worst, place = difference, path
    return count, worst, place


def measured(file, *arguments):
    """The document, or the message without the file's name."""
    code, out, err = call("measure", file, "--format", "json", *arguments)
    if code == 0:
        return json.loads(out)
    return f"exit {code}: {err.replace(file, 'FILE').strip()}"


def agree(comparison, what, path, foreign, voltages, currents, folder, nominal=60):
    """Measures a recording and the foreign reader's CSV of it; gives the document."""
    choice = ["--nominal", str(nominal)]  # a CSV does not tell it
    if voltages:
        choice += ["--voltage", ",".join(voltages)]
    if currents:
        choice += ["--current", ",".join(currents)]
    text = foreign.write_csv(os.path.join(folder, "foreign.csv"), voltages + currents)
    mine = measured(path, *choice)
    theirs = measured(text, "--rate", repr(foreign.rate_hz), *choice)
    if isinstance(mine, str) or isinstance(theirs, str):
        comparison.same(f"{what}: both are refused alike", mine, theirs)
        return None
    count, worst, place = worst_difference(mine, theirs)
    good = worst <= RELATIVE and count > 10
    comparison.true(what, good, f"{count} figures, worst relative difference {worst:.2g} {place}")
    return mine


def small_recordings(comparison, folder):
    """The tiny files: what the foreign reader finds, and what can be measured of it."""
    for path in files(os.path.join(recordings(), "comtrade-small")):
        name = os.path.basename(path)
        foreign = Foreign(path)
        currents, voltages = foreign.of_unit("A"), foreign.of_unit("V")
        print(f"     {name}: {foreign.count} samples of {foreign.names} at {foreign.rate_hz} Hz")
        if name.startswith("sample_ascii"):
            document = agree(comparison, name, path, foreign, [], currents, folder)
            comparison.same(f"{name} phases", len(document["phases"]), len(currents))
            for current in currents:
                agree(comparison, f"{name} {current}", path, foreign, [], [current], folder)
        elif name == "sample_bin.cfg":
            # Five samples are no cycle; the same header with more data is.
            refused(comparison, f"{name} as it is", path, ["less than one cycle"])
            lengthened(comparison, path, folder)
        elif name == "sample_float32.cff":
            comparison.same(f"{name} has no voltage or current", (voltages, currents), ([], []))
            refused(comparison, f"{name} as it is", path, ["neither voltages nor currents"])
            refilled(comparison, path, folder)
        else:
            comparison.true(f"{name} is known here", False)


def lengthened(comparison, path, folder):
    """sample_bin's own header, 16 digital channels and all, over 8 cycles."""
    binary = Binary(path)
    shape = np.sin(2 * np.pi * np.arange(2048) / 256)
    records = []
    for n in range(2048):
        values = [int(20_000 * shape[(n + 85 * k) % 2048]) + 300 * k for k in range(4)]
        stamp = round(n * 1e6 / 15_360)
        record = np.array([n + 1, stamp], "<u4").tobytes()
        records.append(record + np.array(values, "<i2").tobytes() + binary.records[n % 5][-2:])
    lines = list(binary.lines)
    lines[binary.rate_line()] = "15360.000000000,2048"
    longer = binary.save(os.path.join(folder, "longer"), records, lines)
    foreign = Foreign(longer)
    agree(comparison, "sample_bin with more data", longer, foreign, foreign.names[:3], [], folder)
    agree(comparison, "sample_bin, the neutral", longer, foreign, ["VN"], [], folder)


def refilled(comparison, path, folder):
    """sample_float32.cff with a unit, a rate and a sine, so that it can be measured; and without its
    skew, which the foreign reader leaves in."""
    with open(path, "rb") as file:
        text = file.read()
    for old, new in (
        (b",none,1.000000,0.000000,1.000000,", b",V,1.000000,0.000000,0.000000,"),
        (b"100.000000,301", b"1000.000000,301"),
    ):
        comparison.true(f"{old.decode()} is in the file", text.count(old) == 1)
        text = text.replace(old, new)
    data = b"".join(
        struct.pack("<IIfH", n + 1, 1000 * n, 325.0 * math.sin(2 * math.pi * 0.0601 * n), n % 2)
        for n in range(301)
    )
    # The section's length stands in its header line and stays what it was.
    comparison.same("the data section's length", len(data), 4214)
    head = text[: text.index(b"--- file type: DAT")]
    line = text[len(head) : text.index(b"\n", len(head)) + 1]
    changed = os.path.join(folder, "sine.cff")
    with open(changed, "wb") as file:
        file.write(head + line + data)
    foreign = Foreign(changed)
    agree(comparison, "sample_float32 with a sine", changed, foreign, foreign.names, [], folder)


def transformer(comparison, folder):
    """The relay record: every channel, and every sample in some window."""
    path = os.path.join(recordings(), "comtrade-transformer-60hz", "Comtrade1.cfg")
    foreign = Foreign(path)
    voltages, currents = foreign.of_unit("V"), foreign.of_unit("A")
    phases = [["HV Bus VR", "HV Bus VS", "HV Bus VT"], ["HV IR", "HV IS", "HV IT"]]
    document = agree(comparison, "transformer HV", path, foreign, *phases, folder)
    low_voltage = ["LV IR", "LV IS", "LV IT"]
    agree(comparison, "transformer LV", path, foreign, phases[0], low_voltage, folder)
    # Behind a voltage with a fundamental, what has none itself can be measured too.
    for name in voltages:
        pair = ["HV Bus VR", name] if name != "HV Bus VR" else [name]
        agree(comparison, f"transformer {name}", path, foreign, pair, [], folder)
    for first in range(0, len(currents), 3):
        three = (currents[first:] + currents)[:3]
        label = "transformer " + ", ".join(three)
        agree(comparison, label, path, foreign, phases[0], three, folder)
    covered = spans(document, 0, foreign.rate_hz)
    binary = Binary(path)
    for first in (37, 120, 6840, 7060):
        count = min(2400, foreign.count - first)
        part = binary.excerpt(os.path.join(folder, f"part{first}"), first, count)
        document = agree(
            comparison, f"transformer from sample {first}", part, Foreign(part), *phases, folder
        )
        covered += spans(document, first, foreign.rate_hz)
    reach = 0.0
    for begin, end in sorted(covered):
        if begin <= reach + 1e-6:
            reach = max(reach, end)
    comparison.true(
        "each of the transformer's samples was in a window",
        reach >= foreign.count - 1,
        f"up to {reach:.2f} of {foreign.count}",
    )
    sensitive(comparison, path, foreign, phases, folder)


def spans(document, first, rate_hz):
    """Where the windows are, in samples of the whole record."""
    return [
        (first + w["start_s"] * rate_hz, first + (w["start_s"] + w["duration_s"]) * rate_hz)
        for w in document["windows"]
    ]


def sensitive(comparison, path, foreign, phases, folder):
    """The comparison itself: it has to notice one sample that differs by a thousandth."""
    choice = ["--voltage", ",".join(phases[0]), "--current", ",".join(phases[1])]
    mine = measured(path, *choice)
    for place in (0, 1, 3456, 6950):
        text = foreign.write_csv(os.path.join(folder, "changed.csv"), phases[0] + phases[1])
        with open(text, newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        rows[place + 1] = [repr(float(value) * 1.001) for value in rows[place + 1]]
        with open(text, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        theirs = measured(text, "--rate", repr(foreign.rate_hz), *choice)
        _, worst, where = worst_difference(mine, theirs)
        comparison.true(
            f"sample {place} changed by a thousandth is noticed", worst > RELATIVE,
            f"{worst:.2g} {where}",
        )


def every_format(comparison, folder):
    """Files written here from the standard, with units, offsets, ratios and digital channels."""
    for revision in ("1991", "1999", "2013"):
        for kind in ("ASCII", "BINARY", "BINARY32", "FLOAT32"):
            if kind.endswith("32") and revision != "2013":
                continue  # new in 2013
            for nominal in (50, 60):
                name = f"{kind} of {revision} at {nominal} Hz"
                channels = signals(nominal, 4800, 2500, revision)
                path = os.path.join(folder, f"{kind}{revision}{nominal}")
                path = write(path, revision, kind, channels, 4800, nominal, digital=19)
                foreign = Foreign(path)
                same_as_written(comparison, name, foreign, channels, kind)
                voltages, currents = foreign.of_unit("V"), foreign.of_unit("A")
                agree(comparison, name, path, foreign, voltages, currents, folder, nominal)


def signals(nominal, rate, count, revision):
    """Three phases: voltages in kV, currents in A of the secondary side where there is one."""
    time = np.arange(count) / rate
    channels = []
    for k, letter in enumerate("ABC"):
        angle = 2 * np.pi * (nominal * 1.0007 * time - k / 3)
        u = 16.3 * np.cos(angle) + 0.4 * np.cos(5 * angle + 1) - 0.05
        channels.append(Channel(f"U {letter}", letter, "kV", u, offset=-0.125))
    secondary = {} if revision == "1991" else {"ratio": (400.0, 5.0), "side": "S"}
    for k, letter in enumerate("ABC"):
        angle = 2 * np.pi * (nominal * 1.0007 * time - k / 3) - 0.4
        i = 3.7 * np.cos(angle) + 0.3 * np.cos(3 * angle) + 0.1 * np.cos(7 * angle)
        channels.append(Channel(f"I {letter}", letter, "A", i, **secondary))
    return channels


def same_as_written(comparison, name, foreign, channels, kind):
    """Whether the foreign reader got what was meant, to half a step of the format."""
    for channel in channels:
        scale = 1e3 if channel.unit == "kV" else 1.0
        scale *= channel.ratio[0] / channel.ratio[1] if channel.side == "S" else 1.0
        off = np.max(np.abs(foreign.samples[channel.name] - channel.samples * scale)) / scale
        step = channel.factor / 2
        if kind == "FLOAT32":
            step = np.max(np.abs(channel.samples)) * 2.0**-23
        good = off <= step * 1.000001
        if not good:
            comparison.true(f"{name}: foreign {channel.name}", good, f"{off} step {step}")
            return
    comparison.true(f"{name}: the foreign reader got what was written", True)


def refused(comparison, what, path, words, *arguments):
    """Exit 2, nothing on standard output, one line that names the file and says what is wrong."""
    code, out, err = call("measure", path, "--format", "json", *arguments)
    lines = err.strip().splitlines()
    missing = [word for word in words if word not in err]
    problems = []
    if code != 2:
        problems.append(f"exit {code}, expected 2")
    if out:
        problems.append("writes to standard output")
    if len(lines) != 1 or not lines[0].startswith("error: ") or path not in err:
        problems.append("not one line that names the file")
    if missing:
        problems.append(f"does not say {missing}")
    comparison.true(f"refused: {what}", not problems, "; ".join(problems + lines))


def spoiled(comparison, folder):
    """Truncated, swapped, miscounted: of both binary recordings and the text one."""
    root = recordings()
    transformer_path = os.path.join(root, "comtrade-transformer-60hz", "Comtrade1.cfg")
    for name, path in (
        ("transformer", transformer_path),
        ("sample_bin", os.path.join(root, "comtrade-small", "sample_bin.cfg")),
    ):
        binary = Binary(path)
        place = lambda what: os.path.join(folder, f"{name}-{what}")
        half = binary.records[: len(binary.records) // 2]
        cut = half + [binary.records[-1][:-3]]
        path = binary.save(place("half"), half)
        told = [".dat is truncated", f"{len(half)} whole records", str(len(binary.records))]
        refused(comparison, f"{name}, half the .dat", path, told)
        path = binary.save(place("cut"), cut)
        refused(comparison, f"{name}, cut in a record", path, told)
        path = binary.save(place("swapped"), binary.swapped())
        refused(comparison, f"{name}, bytes swapped", path, ["swapped byte order"])
        miscounted(comparison, name, binary, place)
    text_recording(comparison, root, folder)


def miscounted(comparison, name, binary, place):
    """Line 2 says other counts than the lines, or the lines other than the data."""
    a, d, lines = binary.analogue, binary.digital, binary.lines
    word = ["wrong channel count"]
    for what, changed in (
        ("one analogue less in line 2", renumbered(lines, a - 1, d)),
        ("one digital less in line 2", renumbered(lines, a, d - 1)),
        ("an analogue taken for a digital", renumbered(lines, a - 1, d + 1)),
        ("a total that is no sum", [lines[0], f"{a + d},{a}A,{d - 1}D", *lines[2:]]),
        ("an analogue channel left out", renumbered(lines[: a + 1] + lines[a + 2 :], a - 1, d)),
    ):
        path = binary.save(place(what.replace(" ", "-")), lines=changed)
        refused(comparison, f"{name}, {what}", path, word)


def text_recording(comparison, root, folder):
    """The same of the recording in ASCII, and of the single file."""
    source = os.path.join(root, "comtrade-small", "sample_ascii")
    with open(source + ".cfg", encoding="utf-8") as file:
        lines = file.read().splitlines()
    with open(source + ".dat", encoding="utf-8") as file:
        data = file.read().splitlines(keepends=True)

    def save(name, lines, data):
        path = os.path.join(folder, name)
        with open(path + ".cfg", "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        with open(path + ".dat", "w", encoding="utf-8") as file:
            file.write("".join(data))
        return path + ".cfg"

    path = save("text-half", lines, data[:17])
    refused(comparison, "sample_ascii, 17 lines", path, [".dat is truncated", "17", "40"])
    path = save("text-cut", lines, data[:17] + [data[17][:9]])
    refused(comparison, "sample_ascii, cut in a line", path, [".dat is truncated", "17", "40"])
    path = save("text-less", renumbered(lines[:3] + lines[4:], 3, 4), data)
    refused(comparison, "sample_ascii, a channel left out", path, ["wrong channel count"])
    path = save("text-line-2", renumbered(lines, 5, 4), data)
    refused(comparison, "sample_ascii, line 2 wrong", path, ["wrong channel count"])
    for name in ("sample_ascii.cff", "sample_float32.cff"):
        path = os.path.join(folder, name)
        shutil.copyfile(os.path.join(root, "comtrade-small", name), path)
        os.chmod(path, 0o600)
        os.truncate(path, os.path.getsize(path) * 4 // 5)
        refused(comparison, f"{name}, cut", path, [".dat is truncated"])
    path = save("alone", lines, data)
    os.remove(path[:-4] + ".dat")
    refused(comparison, "a .cfg without .dat", path, ["alone.dat", "is missing"])


if __name__ == "__main__":
    outcome = Comparison()
    recordings()
    with tempfile.TemporaryDirectory() as scratch:
        small_recordings(outcome, scratch)
        transformer(outcome, scratch)
        every_format(outcome, scratch)
        spoiled(outcome, scratch)
    outcome.end()
