"""Fits sines to recordings by least squares, and compares `lastmeter measure` with the fit.

The fit shares nothing with the program: numpy, the samples as text or from a foreign reader, one
dense matrix per recording. Frequency is where the residual of the fundamental and its harmonics is
least. Values over windows that the program reports are integrals of the squared samples.
"""

import csv
import glob
import os
import tempfile

import numpy as np

from peer.bench import Comparison, measure, recordings
from peer.foreign_comtrade import Foreign

HV_VOLTAGES = ["HV Bus VR", "HV Bus VS", "HV Bus VT"]
HV_CURRENTS = ["HV IR", "HV IS", "HV IT"]


def design(time, frequency, orders):
    """Cosine and sine columns of each order, and a constant."""
    columns = [np.ones_like(time)]
    for order in orders:
        angle = 2 * np.pi * order * frequency * time
        columns += [np.cos(angle), np.sin(angle)]
    return np.stack(columns, axis=1)


def residual(time, signal, frequency, orders):
    matrix = design(time, frequency, orders)
    solution, *_ = np.linalg.lstsq(matrix, signal, rcond=None)
    return np.sum((signal - matrix @ solution) ** 2)


def find_frequency(time, signal, low, high):
    """Golden-section search for the frequency with the least residual."""
    orders = range(1, 8)
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if residual(time, signal, a, orders) < residual(time, signal, b, orders):
            high = b
        else:
            low = a
    return (low + high) / 2


def harmonics(time, signal, frequency, highest):
    """RMS of each harmonic, from 1."""
    matrix = design(time, frequency, range(1, highest + 1))
    solution, *_ = np.linalg.lstsq(matrix, signal, rcond=None)
    pairs = solution[1:].reshape(-1, 2)
    return np.hypot(pairs[:, 0], pairs[:, 1]) / np.sqrt(2)


def distortion(rms):
    return 100 * np.sqrt(np.sum(rms[1:] ** 2)) / rms[0]


def mean_product(x, y, rate, start_s, duration_s):
    """Mean of x times y over any stretch: the integral of the polygon through the products."""
    product = x * y
    steps = np.concatenate([[0.0], np.cumsum((product[1:] + product[:-1]) / 2)])

    def integral(place):
        whole = min(int(place), len(product) - 2)
        part = place - whole
        slope = product[whole + 1] - product[whole]
        return steps[whole] + product[whole] * part + slope * part * part / 2

    area = integral((start_s + duration_s) * rate) - integral(start_s * rate)
    return area / (duration_s * rate)


def compare(comparison, name, rate, voltages, currents, found, cycles, highest):
    """A recording shorter than a window: whole cycles from the first sample."""
    time_all = np.arange(len(voltages[0])) / rate
    guess = found["frequency_hz"]
    frequency = find_frequency(time_all, voltages[0], guess - 1, guess + 1)
    comparison.close(f"{name} frequency", guess, frequency, 0.005, "Hz")
    samples = round(cycles / frequency * rate)
    time = np.arange(samples) / rate
    for index, phase in enumerate(found["phases"]):
        u, i = voltages[index][:samples], currents[index][:samples]
        u_rms, i_rms, p = np.sqrt(np.mean(u**2)), np.sqrt(np.mean(i**2)), np.mean(u * i)
        label = f"{name} phase {phase['name']}"
        comparison.close(f"{label} U", phase["u_rms_v"], u_rms, 5e-4 * u_rms, "V")
        comparison.close(f"{label} I", phase["i_rms_a"], i_rms, 5e-4 * i_rms, "A")
        comparison.close(f"{label} P", phase["p_w"], p, 5e-4 * abs(p), "W")
        for quantity, signal in (("u", u), ("i", i)):
            thd = distortion(harmonics(time, signal, frequency, highest))
            key = f"thd_{quantity}_harm_pct"
            comparison.close(f"{label} {key}", phase[key], thd, 0.02, "points")


def generator(comparison):
    """The three-phase recording: 50 kS/s, 160 ms, a generator that feeds the network."""
    (path,) = glob.glob(os.path.join(recordings(), "mhkit-3ph-50k", "*.csv"))
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    column = lambda key: np.array([float(row[key]) for row in rows])
    voltages = [column(f"MODAQ_V{p}_V") for p in "abc"]
    currents = [column(f"MODAQ_I{p}_I") for p in "abc"]
    found = measure(path, "--voltage", "Va,Vb,Vc", "--current", "Ia,Ib,Ic")
    comparison.true("generator basis", found["basis"] == "9 cycles", found["basis"])
    comparison.true("generator exports", found["total"]["p_w"] < 0, f"{found['total']['p_w']} W")
    compare(comparison, "generator", 50_000, voltages, currents, found, 9, 50)


def steadiest_second(foreign):
    """First sample of the second in which the cycles' RMS values of all six channels vary least."""
    rate, cycle = int(foreign.rate_hz), int(foreign.rate_hz) // 60
    spreads = []
    for first in range(0, foreign.count - rate, cycle):
        worst = 0.0
        for name in HV_VOLTAGES + HV_CURRENTS:
            cycles = foreign.samples[name][first : first + rate].reshape(-1, cycle)
            rms = np.sqrt(np.mean(cycles**2, axis=1))
            worst = max(worst, rms.std() / rms.mean())
        spreads.append((worst, first))
    return min(spreads)


def transformer(comparison):
    """The relay record: 1200 Hz, 6 s, a breaker opens after the first second."""
    path = os.path.join(recordings(), "comtrade-transformer-60hz", "Comtrade1.cfg")
    foreign = Foreign(path)
    choice = ["--voltage", ",".join(HV_VOLTAGES), "--current", ",".join(HV_CURRENTS)]
    whole = measure(path, *choice)
    voltages_over_windows(comparison, foreign, whole)
    spread, first = steadiest_second(foreign)
    print(f"     the steadiest second begins at {first / foreign.rate_hz} s, spread {spread:.2%}")
    rate = int(foreign.rate_hz)
    with tempfile.TemporaryDirectory() as folder:
        excerpt = os.path.join(folder, "excerpt.csv")
        names = HV_VOLTAGES + HV_CURRENTS
        arguments = ["--rate", str(rate), "--nominal", "60", *choice]
        foreign.write_csv(excerpt, names, 0, rate)
        first_second(comparison, foreign, measure(excerpt, *arguments), whole)
        foreign.write_csv(excerpt, names, first, rate)
        steady_second(comparison, foreign, first, measure(excerpt, *arguments))


def voltages_over_windows(comparison, foreign, whole):
    """Every window of the whole record, by the limits that hold where the breaker opens too."""
    comparison.same("transformer basis", whole["basis"], "29 windows of 12 cycles")
    for number, window in enumerate(whole["windows"]):
        span = (foreign.rate_hz, window["start_s"], window["duration_s"])
        for phase, name in zip(window["phases"], HV_VOLTAGES):
            u = foreign.samples[name]
            expected = np.sqrt(mean_product(u, u, *span))
            label = f"transformer window {number} {name} U"
            comparison.close(label, phase["u_rms_v"], expected, 5e-4 * expected, "V")
    windows = whole["windows"]
    for one, next_one in zip(windows, windows[1:]):
        gap = next_one["start_s"] - one["start_s"] - one["duration_s"]
        comparison.close(f"no gap before {next_one['start_s']:.4f} s", gap, 0, 1e-9, "s")


def first_second(comparison, foreign, found, whole):
    """The load current is still there: an excerpt as CSV gives what the whole record gives."""
    # The fifth window ends with the excerpt, so its edge cannot be that of the whole record.
    comparison.same("first second basis", found["basis"], "5 windows of 12 cycles")
    for number, (mine, theirs) in enumerate(zip(found["windows"][:4], whole["windows"])):
        label = f"first second window {number}"
        comparison.close(f"{label} start", mine["start_s"], theirs["start_s"], 1e-5, "s")
        for ours, record, current in zip(mine["phases"], theirs["phases"], HV_CURRENTS):
            for key in ("u_rms_v", "i_rms_a", "p_w"):
                limit = 5e-4 * abs(record[key])
                comparison.close(f"{label} {current} {key}", ours[key], record[key], limit)
            span = (foreign.rate_hz, mine["start_s"], mine["duration_s"])
            i = foreign.samples[current]
            expected = np.sqrt(mean_product(i, i, *span))
            # The current changes by several per cent within a window, so where exactly a
            # window's edge is soft makes a difference.
            limit = 1e-3 * expected
            comparison.close(f"{label} {current} I", ours["i_rms_a"], expected, limit, "A")


def steady_second(comparison, foreign, first, found):
    """The fit: nothing but a fundamental and its harmonics to the last below half the rate."""
    rate = foreign.rate_hz
    span = sum(window["duration_s"] for window in found["windows"])
    samples = round(span * rate)
    time = np.arange(samples) / rate
    part = lambda name: foreign.samples[name][first : first + samples]
    guess = found["frequency_hz"]
    frequency = find_frequency(time, part(HV_VOLTAGES[0]), guess - 1, guess + 1)
    comparison.close("steady second frequency", guess, frequency, 0.005, "Hz")
    for phase, u_name, i_name in zip(found["phases"], HV_VOLTAGES, HV_CURRENTS):
        u, i = part(u_name), part(i_name)
        u_rms, i_rms, p = np.sqrt(np.mean(u**2)), np.sqrt(np.mean(i**2)), np.mean(u * i)
        label = f"steady second {u_name}"
        comparison.close(f"{label} U", phase["u_rms_v"], u_rms, 5e-4 * u_rms, "V")
        comparison.close(f"{label} I", phase["i_rms_a"], i_rms, 5e-4 * i_rms, "A")
        # Nearly all of it is reactive: P is compared with the apparent power.
        comparison.close(f"{label} P", phase["p_w"], p, 5e-4 * u_rms * i_rms, "W")
        thd = distortion(harmonics(time, u, frequency, 9))
        comparison.close(f"{label} THD", phase["thd_u_harm_pct"], thd, 0.02, "points")
        # What is left of the current is mostly no harmonic, and a fit tells that from harmonics
        # better the longer it is: its distortion over a second is not that over windows.


if __name__ == "__main__":
    outcome = Comparison()
    generator(outcome)
    transformer(outcome)
    outcome.end()
