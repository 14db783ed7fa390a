"""Frames and values by a DBC file: cantools beside our codec, in both directions.

Files are the metering network's, which the tree ships, and three foreign ones with what that one lacks: signals
that are not on byte boundaries, both byte orders beside each other, signed ones with offsets, a multiplexer,
extended identifiers, IEEE 754. The example `dbc` of lastmeter-can reads frames as candump writes them, and objects
with values; what it prints has to be what cantools makes of the same frames and values.
"""

import json
import math
import os
import random
import subprocess
import sys
import tempfile

try:
    import cantools
except ImportError:
    print("cantools is not installed: pip install -r tests/conformance/requirements.txt")
    sys.exit(77)

from peer.bench import Comparison, example

SHIPPED = "base/can/metering-network.dbc"
FRAMES = {SHIPPED: 4000}
FOREIGN_FRAMES = 1000
RELATIVE = 1e-12
# A number of IEEE 754 has 53 bits, and a value has been rounded up to three times on its way back to its bits.
EXACT_BITS = 50

FOREIGN = {
    "orders": '''VERSION ""
NS_ :
	NS_DESC_
	CM_
	BA_DEF_
BS_:
BU_: Pump Panel
BO_ 1111 Flows: 8 Pump
 SG_ Forward : 3|10@0- (0.25,-12.5) [-140|115.25] "l/min" Panel
 SG_ Backward : 20|11@1- (-0.5,3) [0|0] "l/min" Panel
 SG_ Total : 38|21@0+ (3,100000) [0|0] "l" Panel
 SG_ Mode : 56|2@1+ (1,0) [0|3] "" Panel
 SG_ Trim : 63|5@0- (0.001,0) [0|0] "bar" Panel
BO_ 6 Long: 8 Panel
 SG_ All : 7|64@0- (0.001,7) [0|0] "Wh" Pump
BO_ 7 LongToo: 8 Panel
 SG_ All : 0|64@1+ (1e-3,0) [0|0] "Wh" Pump
CM_ SG_ 1111 Total "with \\"quotes\\"; and
 SG_ Not : 0|8@1+ (1,0) [0|0] \\"\\" Panel";
BA_DEF_ SG_ "Initial" INT 0 255;
BA_DEF_DEF_ "Initial" 0;
BA_ "Initial" SG_ 1111 Mode 2;
VAL_ 1111 Mode 3 "fault" 2 "boost" 1 "run" 0 "off" ;
''',
    "multiplexed": '''VERSION ""
BU_: Node
BO_ 2566834709 Pages: 8 Node
 SG_ Page M : 2|3@1+ (1,0) [0|0] "" Vector__XXX
 SG_ Always : 15|8@0+ (1,-40) [0|0] "degC" Vector__XXX
 SG_ Voltage m0 : 23|16@0+ (0.01,0) [0|0] "V" Vector__XXX
 SG_ Current m0 : 40|16@1- (0.01,0) [0|0] "A" Vector__XXX
 SG_ Power m1 : 23|24@0- (0.1,0) [0|0] "W" Vector__XXX
 SG_ Cells m4 : 16|12@1+ (0.001,1.5) [0|0] "V" Vector__XXX
BO_ 3 Short: 2 Node
 SG_ State : 6|3@0+ (1,0) [0|0] "" Vector__XXX
BO_ 2147483651 ShortToo: 1 Node
 SG_ State : 0|3@1- (2,0) [0|0] "" Vector__XXX
''',
    "floating": '''VERSION ""
BU_: Node
BO_ 257 Single: 8 Node
 SG_ First : 0|32@1- (1,0) [0|0] "V" Vector__XXX
 SG_ Second : 39|32@0- (1,0) [0|0] "A" Vector__XXX
BO_ 258 Double: 8 Node
 SG_ Only : 0|64@1- (2,0.5) [0|0] "W" Vector__XXX
SIG_VALTYPE_ 257 First : 1;
SIG_VALTYPE_ 257 Second : 1;
SIG_VALTYPE_ 258 Only : 2;
''',
}

# Files that neither takes, each with words of our error.
MISTAKEN = {
    "two signals with common bits": ("40|16@1-", "30|16@1-", "overlaps signal Voltage"),
    "a signal behind the end": ("6|3@0+", "6|16@0+", "16 bits from start bit 6"),
    "a length that is no number": ("Short: 2", "Short: x", "found 'x'"),
}


def asked(program, path, lines, *mode):
    """What the example answers to lines, one object for each."""
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run([program, path, *mode], input=text, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(lines), (len(answers), len(lines))
    return answers


def frame_text(message, data):
    return f"{message.frame_id:0{8 if message.is_extended_frame else 3}X}#{data.hex().upper()}"


def expected_of(message, data):
    """Values, units and labels by cantools; of a page that is not there the signals of every page."""
    try:
        values = message.decode(data, decode_choices=False)
        named = message.decode(data)
    except cantools.database.DecodeError:
        (page,) = [signal for signal in message.signals if signal.is_multiplexer]
        number = int.from_bytes(data, "little") >> page.start & (1 << page.length) - 1
        (always,) = [signal for signal in message.signals if signal.name == "Always"]
        values = {page.name: number, always.name: data[1] + always.offset}
        named = {}
    units = {signal.name: signal.unit or "" for signal in message.signals if signal.name in values}
    labels = {name: str(value) for name, value in named.items() if not isinstance(value, (int, float))}
    return values, units, labels


def is_near(found, expected):
    if expected is None or not math.isfinite(expected):
        return found is None
    return found is not None and math.isclose(found, expected, rel_tol=RELATIVE)


def report(comparison, what, count, faults):
    comparison.true(what, count > 0 and not faults, f"{count} compared, {len(faults)} off{faults[:3] if faults else ''}")


def decoding(comparison, name, program, path, database, dice):
    """Frames of random bytes."""
    chosen = [dice.choice(database.messages) for _ in range(FRAMES.get(name, FOREIGN_FRAMES))]
    frames = [(message, dice.randbytes(message.length)) for message in chosen]
    lines = [f"(1700000000.000000) can0 {frame_text(*frame)}" for frame in frames]
    faults, count = [], 0
    for (message, data), found in zip(frames, asked(program, path, lines)):
        values, units, labels = expected_of(message, data)
        count += len(values)
        good = found.get("message") == message.name and found["units"] == units and found["labels"] == labels
        good = good and found["values"].keys() == values.keys()
        if not good or not all(is_near(found["values"][key], value) for key, value in values.items()):
            faults.append((frame_text(message, data), found, values))
    report(comparison, f"{name}: values of frames", count, faults)
    heard = len({message.name for message in chosen})
    comparison.true(f"{name}: messages met", heard > 0.9 * len(database.messages), f"{heard} of {len(database.messages)}")


def raw_value(signal, dice):
    """Any raw value that a floating point number holds exactly."""
    if signal.conversion.is_float:
        return dice.choice([0.0, -1.5, 1024.0625, -3.0e10, 2.0**-20])
    bits = min(signal.length, EXACT_BITS)
    if signal.is_signed:
        return dice.randrange(-(1 << bits - 1), 1 << bits - 1)
    return dice.randrange(1 << bits)


def order(message, dice):
    """Random values of the signals that a frame has together, and the frame by cantools."""
    pages = [signal for signal in message.signals if signal.is_multiplexer]
    raw = {}
    if pages:
        raw[pages[0].name] = dice.choice([0, 1, 4])
    for signal in message.signals:
        if signal.is_multiplexer or (signal.multiplexer_ids and raw[pages[0].name] not in signal.multiplexer_ids):
            continue
        raw[signal.name] = raw_value(signal, dice)
    data = message.encode(raw, scaling=False, strict=False)
    return message.decode(data, decode_choices=False), data


def encoding(comparison, name, program, path, database, dice):
    """Values of random bits; our frame, cantools' frame and the bits that the values came of."""
    chosen = [dice.choice(database.messages) for _ in range(FRAMES.get(name, FOREIGN_FRAMES))]
    orders = [(message, *order(message, dice)) for message in chosen]
    lines = [json.dumps({"message": message.name, "values": values}) for message, values, _ in orders]
    faults = []
    for (message, values, data), found in zip(orders, asked(program, path, lines, "encode")):
        foreign = message.encode(values, strict=False)
        if not found.get("frame") == frame_text(message, foreign) == frame_text(message, data):
            faults.append((found, frame_text(message, foreign), frame_text(message, data), values))
    report(comparison, f"{name}: frames of values", len(orders), faults)


def refusing(comparison, name, program, path, database, dice):
    """A value beyond what the file allows is an error of both."""
    lines, expected = [], []
    for message in dice.sample(database.messages, min(60, len(database.messages))):
        values, _ = order(message, dice)
        for signal in message.signals:
            if signal.name not in values or signal.maximum is None or signal.conversion.is_float:
                continue
            for beyond in (signal.maximum + abs(signal.scale), signal.minimum - abs(signal.scale)):
                # Where a step is too small for a floating point number there is nothing beyond.
                if signal.length > EXACT_BITS:
                    continue
                try:
                    message.encode({**values, signal.name: beyond}, strict=True)
                    comparison.true(f"{name}: cantools refuses {signal.name} = {beyond}", False)
                except cantools.database.EncodeError:
                    pass
                lines.append(json.dumps({"message": message.name, "values": {**values, signal.name: beyond}}))
                expected.append(signal.name)
    if not lines:
        return
    faults = [
        (signal, found)
        for signal, found in zip(expected, asked(program, path, lines, "encode"))
        if "out of range" not in found.get("error", "") or signal not in found["error"]
    ]
    report(comparison, f"{name}: values out of range", len(lines), faults)


def compare(comparison, name, program, path):
    with open(path, encoding="utf-8") as file:
        database = cantools.database.load_string(file.read(), "dbc", strict=True)
    for number, part in enumerate((decoding, encoding, refusing)):
        part(comparison, name, program, path, database, random.Random(f"{name} {number}"))


def main():
    comparison = Comparison()
    program = example("dbc")
    compare(comparison, SHIPPED, program, SHIPPED)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FOREIGN.items():
            path = os.path.join(folder, f"{name}.dbc")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            compare(comparison, name, program, path)
        for what, (good, bad, words) in MISTAKEN.items():
            text = FOREIGN["multiplexed"].replace(good, bad)
            try:
                cantools.database.load_string(text, "dbc", strict=True)
                comparison.true(f"{what}: cantools refuses it", False)
            except cantools.database.UnsupportedDatabaseFormatError:
                pass
            path = os.path.join(folder, "mistaken.dbc")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run([program, path], input="", capture_output=True, text=True, check=False)
            good = done.returncode == 1 and words in done.stderr
            comparison.true(f"{what}: refused", good, done.stderr.strip()[-400:])
    comparison.end()


if __name__ == "__main__":
    main()
