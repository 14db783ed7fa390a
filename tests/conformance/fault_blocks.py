"""Blocks of samples that a recorder of a substation sends, read back over REST and held against the waveforms that
the plant keeps at the same place.

`fault-block` is run against a platform that goes on afterwards. Its blocks are taken apart here by the table in
`docs/platform.md`, the recordings read by the PyPI package `comtrade`: each sample has to be the plant's at its
instant within half a count, and none may be missing. A block that is shifted by one sample has to differ.
"""

import csv
import os
import struct
import tempfile
import urllib.request
from datetime import datetime, timezone

import numpy as np

from peer.bench import Comparison, run
from peer.foreign_comtrade import Foreign
from peer.platform import LIMIT_S, TOKEN, Platform

SCENARIO = "scenarios/library/fault-block.toml"
RECORDER = "infeed"
CYCLES, PER_CYCLE, MAINS_HZ = 20, 32, 50.0
# The recordings of the plant are of single precision.
SINGLE = 2.0**-23


def nanoseconds(text):
    """An instant of the record since 1970."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()
    return int(seconds) * 10**9 + int((fraction or "0").ljust(9, "0"))


def block_of(data):
    """A block by the table of its form: head, and scale and counts by the names of channels."""
    magic, version, channels, name_bytes = struct.unpack_from("<4sBBH", data, 0)
    epoch, serial, first_ns, rate_hz, samples = struct.unpack_from("<QQqdI", data, 8)
    at = 44 + name_bytes
    head = {
        "magic": magic, "version": version, "device": data[44:at].decode(), "epoch": epoch, "serial": serial,
        "first_ns": first_ns, "rate_hz": rate_hz, "samples": samples,
    }
    scales = {}
    for _ in range(channels):
        length = data[at]
        name = data[at + 1:at + 1 + length].decode()
        (scales[name],) = struct.unpack_from("<d", data, at + 1 + length)
        at += 9 + length
    counts = np.frombuffer(data, "<i2", channels * samples, at).reshape(channels, samples)
    head["rest"] = len(data) - at - 2 * channels * samples
    return head, {name: (scale, row.astype(float)) for (name, scale), row in zip(scales.items(), counts)}


def read(platform, path):
    request = urllib.request.Request(platform.rest + path)
    request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        return answer.read()


def excerpts(folder):
    """What the plant's recorder kept: from when, how often, and its channels in their order."""
    with open(os.path.join(folder, "grid-waveforms.csv"), newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["recorder"] == RECORDER and row["file"]:
                foreign = Foreign(os.path.join(folder, "waveforms", row["file"] + ".cfg"))
                names = foreign.of_unit("V")[:3] + foreign.of_unit("A")[:3]
                yield nanoseconds(row["from"]), float(row["rate_hz"]), [foreign.samples[name] for name in names]


def worst(block, excerpt, shift=0):
    """How far the block is off the plant at most, in counts, beyond what single precision explains."""
    head, channels = block
    from_ns, rate_hz, truth = excerpt
    at = (head["first_ns"] - from_ns) * 1e-9 + (np.arange(head["samples"]) + shift) / head["rate_hz"]
    places = np.rint(at * rate_hz).astype(int)
    if np.abs(places - at * rate_hz).max() > 1e-3 or places[0] < 0 or places[-1] >= len(truth[0]):
        return float("inf")
    off = [np.abs(counts - values[places] / scale) - SINGLE * np.abs(values[places]) / scale
           for (scale, counts), values in zip(channels.values(), truth)]
    return float(np.max(off))


def check(comparison, platform, folder):
    alerts = [one for one in platform.everything("alerts") if one["type"] == "fault.recorded"]
    listed = platform.get("/api/v1/blocks?device=recorder")["results"]
    comparison.same("one alert for each block", [one["metadata"]["block"] for one in alerts],
                    [f"{one['epoch']}/{one['serial']}" for one in listed])
    comparison.true("there is one", len(listed) >= 1, len(listed))
    for one, alert in zip(listed, alerts):
        name = f"block {one['epoch']}/{one['serial']}"
        data = read(platform, f"/api/v1/blocks/recorder/{one['epoch']}/{one['serial']}")
        comparison.same(f"{name}: bytes", len(data), one["bytes"])
        head, channels = block = block_of(data)
        comparison.same(f"{name}: form", (head["magic"], head["version"], head["rest"]), (b"LMSB", 1, 0))
        comparison.same(f"{name}: whose", (head["device"], head["epoch"], head["serial"]),
                        ("recorder", one["epoch"], one["serial"]))
        comparison.same(f"{name}: length", (head["samples"], head["rate_hz"]), (CYCLES * PER_CYCLE, PER_CYCLE * MAINS_HZ))
        comparison.same(f"{name}: channels", list(channels), [
            f"electricity.{what}.instant.l{phase}" for what in ("voltage", "current") for phase in (1, 2, 3)])
        behind = (nanoseconds(alert["event_time"]) - head["first_ns"]) * 1e-9
        comparison.close(f"{name}: what it had before the trigger", behind, 8 / MAINS_HZ, 1e-9, "s")
        kept = list(excerpts(folder))
        found = min((worst(block, excerpt) for excerpt in kept), default=float("inf"))
        comparison.true(f"{name}: every sample is the plant's within half a count", found <= 0.5 + 1e-9, f"{found:.6f}")
        shifted = min(worst(block, excerpt, shift=1) for excerpt in kept)
        comparison.true(f"{name}: shifted by a sample it is not", shifted > 5, f"{shifted:.1f} counts")


def main():
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(os.path.join(folder, "data"), "--clock", "driven")
        profile = os.path.join(folder, "platform.toml")
        with open(profile, "w", encoding="utf-8") as out:
            out.write(f'mqtt = "{platform.host}:{platform.port}"\nrest = "{platform.rest}"\ntoken = "{TOKEN}"\n')
        result = os.path.join(folder, "run")
        run("run", SCENARIO, "--platform", profile, "--out", result)
        check(comparison, platform, result)
        comparison.same("the platform ends", platform.stop(), 0)
    comparison.end()


if __name__ == "__main__":
    main()
