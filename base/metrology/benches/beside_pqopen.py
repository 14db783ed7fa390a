#!/usr/bin/env python3
"""The window engine beside pqopen-lib, in the same run, one core each.

    base/metrology/benches/beside_pqopen.py [RATE_HZ [PHASES [RUNS]]]

Installs pqopen-lib 0.10.5 into an environment of its own under the target folder, builds the
engine's benchmark, and runs the two in turn on the same signal: voltages and currents with a fifth
harmonic, 20 s in pieces of 0.2 s. Both compute 10-cycle RMS values and powers, 50 harmonics,
interharmonics and phases, and one-cycle values, which pqopen-lib cannot leave out and the engine
has beside its windows. Prints the median of each in channel-samples per second of processor time,
and the ratios. Ends with 1 if that of equal work, one-cycle values on both sides, is below 15 or the
engine below 60 million.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
VERSION = "0.10.5"
SECONDS = 20.0


def median_of_pqopen(rate, phases, runs):
    """Runs inside the environment that has pqopen-lib."""
    import time

    import numpy as np
    from daqopen.channelbuffer import AcqBuffer
    from pqopen.powersystem import PowerSystem

    angle = 2 * np.pi * 50.02 * np.arange(int(SECONDS * rate)) / rate
    channels = []
    for channel in range(2 * phases):
        peak, fifth = (325.269, 0.05) if channel < phases else (14.142, 0.4)
        turned = angle - 2 * np.pi * (channel % phases) / 3
        wave = peak * (np.sin(turned) + fifth * np.sin(5 * turned))
        channels.append(wave.astype(np.float32))
    found = []
    for _ in range(runs):
        buffers = [AcqBuffer(size=int(2 * rate)) for _ in channels]
        system = PowerSystem(zcd_channel=buffers[0], input_samplerate=rate)
        for phase in range(phases):
            system.add_phase(u_channel=buffers[phase], i_channel=buffers[phases + phase])
        system.enable_harmonic_calculation(num_harmonics=50)
        piece = int(0.2 * rate)
        begin = time.process_time()
        for first in range(0, len(channels[0]), piece):
            for buffer, channel in zip(buffers, channels):
                buffer.put_data(channel[first : first + piece])
            system.process()
        spent = time.process_time() - begin
        thd = system.output_channels["U1_THD"]
        assert thd.sample_count >= 95, "windows are missing"
        found.append(len(channels) * len(channels[0]) / spent)
    return found


def environment():
    """The interpreter that has pqopen-lib."""
    folder = TARGET / "pqopen"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, f"pqopen-lib=={VERSION}"], check=True)
    return python


def main():
    rate, phases, runs = (float(word) for word in (sys.argv[1:] + ["20000", "3", "7"][len(sys.argv) - 1 :]))
    words = [str(rate), str(int(phases)), "3"]
    python = environment()
    build = ["cargo", "bench", "-p", "lastmeter-metrology", "--bench", "throughput", "--no-run"]
    build = subprocess.run(
        [*build, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    built = [json.loads(line) for line in build.stdout.splitlines()]
    engine = next(b["executable"] for b in built if b.get("target", {}).get("name") == "throughput" and b.get("executable"))
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    pinned = lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    def run(command):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=one_core, preexec_fn=pinned)
        return [float(word) for word in done.stdout.split()]

    windows, with_cycles, theirs = [], [], []
    for _ in range(int(runs)):
        figures = run([engine, *words])
        windows += figures[0::2]
        with_cycles += figures[1::2]
        theirs += run([python, __file__, "pqopen", *words])
    print(f"{int(phases)} phases of voltage and current at {rate:.0f} samples/s, median of {int(runs)} runs (lowest..highest)")

    def row(name, values):
        middle = statistics.median(values) / 1e6
        print(f"  {name:42} {middle:8.2f} M channel-samples/s ({min(values) / 1e6:.2f}..{max(values) / 1e6:.2f})")
        return middle

    ours = row("lastmeter, 10-cycle windows", windows)
    alike = row("lastmeter, with one-cycle values", with_cycles)
    other = row(f"pqopen-lib {VERSION}, with one-cycle values", theirs)
    print(f"  ratio {alike / other:.1f} with one-cycle values, {ours / other:.1f} for windows alone")
    return 0 if ours >= 60 and alike / other >= 15 else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["pqopen"]:
        rate, phases, runs = float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
        print(*median_of_pqopen(rate, phases, runs))
    else:
        sys.exit(main())
