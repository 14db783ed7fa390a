"""Frames of CAN as bits on the wire, beside bits that are put together here.

Identifier, control field, data, the CRC by division of polynomials over a text of digits, and a stuff bit behind five
equal ones: of random frames of both formats, of those with the longest runs, and of all remote frames of one length.
The example `frame_bits` of lastmeter-can prints ours.

    can_wire.py [COUNT [SEED]]        20000 frames of seed 1 by default
"""

import random
import subprocess
import sys

from peer.bench import Comparison, example

GENERATOR = 0b1100010110011001
# CRC delimiter, acknowledgement, end of frame, intermission.
BEHIND = 1 + 2 + 7 + 3


def binary(value, digits):
    return format(value, f"0{digits}b")


def bits_of(identifier, is_extended, data, length):
    """The stuffed bits of a frame; one without data is a remote frame."""
    remote = "1" if data is None else "0"
    if is_extended:
        text = "0" + binary(identifier >> 18, 11) + "11" + binary(identifier & 0x3FFFF, 18) + remote + "00"
    else:
        text = "0" + binary(identifier, 11) + remote + "00"
    text += binary(length, 4) + "".join(binary(byte, 8) for byte in data or ())
    rest = int(text, 2) << 15
    for shift in range(rest.bit_length() - 16, -1, -1):
        if rest >> shift + 15 & 1:
            rest ^= GENERATOR << shift
    text += binary(rest, 15)
    stuffed, run = "", 0
    for bit in text:
        run = run + 1 if stuffed and bit == stuffed[-1] else 1
        stuffed += bit
        if run == 5:
            stuffed += "10"[int(bit)]
            run = 1
    return stuffed


def drawn(count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        is_extended = rng.random() < 0.4
        bits = 29 if is_extended else 11
        # Long runs are rare in what is drawn evenly.
        identifier = rng.choice([rng.getrandbits(bits), 0, (1 << bits) - 1, 1 << rng.randrange(bits)])
        if rng.random() < 0.2:
            yield identifier, is_extended, None, rng.randint(0, 8)
            continue
        length = rng.randint(0, 8)
        yield identifier, is_extended, [rng.choice([rng.getrandbits(8), 0, 0xFF, 0xF0]) for _ in range(length)], length


def text_of(identifier, is_extended, data, length):
    head = format(identifier, "08X" if is_extended else "03X") + "#"
    return head + (f"R{length}" if data is None else "".join(f"{byte:02X}" for byte in data))


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    frames = list(drawn(count, seed)) + [(identifier, False, None, 8) for identifier in range(0x800)]
    asked = "\n".join(text_of(*frame) for frame in frames)
    answer = subprocess.run([example("frame_bits")], input=asked, capture_output=True, text=True, check=True)
    comparison, wrong = Comparison(), []
    lines = answer.stdout.splitlines()
    comparison.same("frames", len(lines), len(frames))
    for frame, line in zip(frames, lines):
        bits, length = line.split()
        expected = bits_of(*frame)
        if bits != expected or int(length) != len(expected) + BEHIND:
            wrong.append(f"{text_of(*frame)}: {line}, expected {expected} {len(expected) + BEHIND}")
    comparison.same("frames with other bits", wrong[:3], [])
    remote = [len(bits_of(*frame)) + BEHIND for frame in frames[count:]]
    comparison.same("remote frames of 8 bytes", (min(remote), max(remote)), (47, 52))
    comparison.end()


if __name__ == "__main__":
    main()
