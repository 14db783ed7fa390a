"""Compares the flicker of `lastmeter measure` with a flickermeter made of scipy's filters.

The meter here is written from IEC 61000-4-15's block diagram alone: analogue filters as transfer
functions, discretised by scipy at the recording's own rate, the severity from sorted samples
instead of classes. The recording is a voltage with a random walk of its amplitude and a few
periodic changes, so that every percentile counts.
"""

import os
import tempfile

import numpy as np
from scipy import signal

from peer.bench import Comparison, measure

RATE = 2400
SECONDS = 735
SETTLING = 120
LAMPS = {
    230: (1.74802, 4.05981, 9.15494, 2.27979, 1.22535, 21.9, 0.00250),
    120: (1.6357, 4.167375, 9.077169, 2.939902, 1.394468, 17.31512, 0.00321),
}


def weighting(lamp, nominal):
    """Block 3 as an analogue transfer function."""
    k, damping, w1, w2, w3, w4, _ = LAMPS[lamp]
    damping, w1, w2, w3, w4 = (2 * np.pi * x for x in (damping, w1, w2, w3, w4))
    high = 2 * np.pi * 0.05
    corner = 2 * np.pi * (42 if nominal == 60 else 35)
    low_b, low_a = signal.butter(6, corner, analog=True)
    parts = [
        ([1, 0], [1, high]),
        (low_b, low_a),
        ([k * w1, 0], [1, 2 * damping, w1**2]),
        ([1 / w2, 1], np.polymul([1 / w3, 1], [1 / w4, 1])),
    ]
    return parts


def weighted(x, lamp, nominal):
    for b, a in weighting(lamp, nominal):
        z, p, k = signal.bilinear_zpk(*signal.tf2zpk(b, a), RATE)
        x = signal.sosfilt(signal.zpk2sos(z, p, k), x)
    return x


def sensation(u, lamp, nominal):
    """Pinst, scaled by a calibration run of the modulation that must give 1."""
    square = u**2
    mean = signal.lfilter([1 / (27.3 * RATE)], [1, 1 / (27.3 * RATE) - 1], square - square.mean())
    x = weighted(square / (square.mean() + mean), lamp, nominal) ** 2
    return signal.lfilter([1 / (0.3 * RATE)], [1, 1 / (0.3 * RATE) - 1], x)


def severity(pinst):
    ordered = np.sort(pinst)[::-1]
    exceeded = lambda *percent: np.mean([ordered[int(p / 100 * len(ordered))] for p in percent])
    return np.sqrt(
        0.0314 * exceeded(0.1)
        + 0.0525 * exceeded(0.7, 1, 1.5)
        + 0.0657 * exceeded(2.2, 3, 4)
        + 0.28 * exceeded(6, 8, 10, 13, 17)
        + 0.08 * exceeded(30, 50, 80)
    )


def calibration(lamp, nominal):
    time = np.arange(40 * RATE) / RATE
    depth = LAMPS[lamp][-1]
    modulation = 1 + 0.5 * depth * np.sin(2 * np.pi * 8.8 * time)
    u = np.sin(2 * np.pi * nominal * time) * modulation
    return 1 / sensation(u, lamp, nominal)[30 * RATE :].max()


def voltage(lamp, nominal, seed):
    """A network whose voltage wanders, with a motor that starts now and then."""
    random = np.random.default_rng(seed)
    time = np.arange(SECONDS * RATE) / RATE
    steps = np.repeat(random.normal(0, 0.0025, SECONDS * 4), RATE // 4)
    b, a = signal.butter(1, 8, fs=RATE)
    wander = signal.lfilter(b, a, steps)
    starts = np.zeros_like(time)
    for start in random.uniform(SETTLING, SECONDS - 20, 12):
        after = time - start
        starts -= np.where(after > 0, 0.02 * np.exp(-np.maximum(after, 0) / 1.5), 0)
    carrier = np.sin(2 * np.pi * nominal * time + 0.3) + 0.03 * np.sin(10 * np.pi * nominal * time)
    return lamp * np.sqrt(2) * carrier * (1 + wander + starts)


def compare(comparison, lamp, nominal, seed):
    u = voltage(lamp, nominal, seed)
    pinst = sensation(u, lamp, nominal) * calibration(lamp, nominal)
    window = pinst[SETTLING * RATE : (SETTLING + 600) * RATE]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "flicker.csv")
        np.savetxt(path, u, header="Va", comments="", fmt="%.6f")
        arguments = ["--voltage", "Va", "--rate", str(RATE), "--nominal", str(nominal)]
        found = measure(path, *arguments, "--lamp", str(lamp))
    (value,) = found["phases"][0]["flicker"]["pst"]
    label = f"{lamp} V lamp at {nominal} Hz"
    expected = severity(window)
    comparison.close(f"{label} Pst", value["pst"], expected, 0.001 * expected)
    comparison.close(f"{label} Pinst,max", value["pinst_max"], window.max(), 0.002 * window.max())


if __name__ == "__main__":
    outcome = Comparison()
    for number, (lamp, nominal) in enumerate([(230, 50), (120, 60), (230, 60), (120, 50)]):
        compare(outcome, lamp, nominal, 61000 + number)
    outcome.end()
