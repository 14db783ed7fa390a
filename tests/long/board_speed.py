#!/usr/bin/env python3
"""Measures emulated boards: request and answer, many boards at once, samples.

    board_speed.py [--boards 20] [--requests 2000]

Wants qemu-system-arm and gcc-arm-none-eabi. Prints quantiles; exit 1 if the median of request and
answer is 1 ms or more on a calm machine (load average below 1).
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../conformance"))
import board_firmware as firmware  # noqa: E402


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def show(what, seconds):
    shares = ", ".join(f"p{100 * s:g} {1e3 * quantile(seconds, s):.2f}" for s in (0.5, 0.95, 0.99))
    print(f"{what}: {shares}, longest {1e3 * max(seconds):.2f} ms, {len(seconds)} times", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    calm = os.getloadavg()[0] < 1
    print(f"load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        build = os.path.join(firmware.ROOT, "devices/firmware/meter/build.sh")
        subprocess.run([build, folder], check=True)
        image = os.path.join(folder, "meter.elf")

        def board(number):
            own = os.path.join(folder, str(number))
            os.makedirs(own)
            return firmware.Board(image, own, bytes([number % 31 + 1]))

        begin = time.perf_counter()
        boards = [board(number) for number in range(options.boards)]
        print(f"{options.boards} boards are there after {time.perf_counter() - begin:.2f} s")
        for one in boards:
            one.ask(b"O\r")
        times = []
        for _ in range(options.requests):
            begin = time.perf_counter()
            boards[0].remote(0x19)
            times.append(time.perf_counter() - begin)
        show("request and answer", times)
        rounds = []
        for _ in range(50):
            begin = time.perf_counter()
            for number, one in enumerate(boards):
                one.can.sendall(b"r%03X8\r" % (0x19 << 5 | number % 31 + 1))
            for one in boards:
                assert one.line() == b"z\r" and one.line()[:1] == b"t"
            rounds.append(time.perf_counter() - begin)
        show(f"all {options.boards} polled at once", rounds)
        codes = firmware.sine(random.Random(1), 6400, 2.0)
        paces = []
        for _ in range(3):
            begin = time.perf_counter()
            boards[0].feed(codes, 6_400_000)
            paces.append(2.0 / (time.perf_counter() - begin))
        print(f"samples at 6.4 kHz: {statistics.median(paces):.2f} times real time with one board")
        for one in boards:
            one.end()
    median = statistics.median(times)
    if not calm:
        print("inconclusive: the machine was not calm")
    sys.exit(1 if calm and median >= 1e-3 else 0)


if __name__ == "__main__":
    main()
