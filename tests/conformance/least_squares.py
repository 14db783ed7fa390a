"""Fits sines to recordings by least squares, and compares `lastmeter measure` with the fit.

The fit shares nothing with the program: numpy, the samples as text, one dense matrix per
recording. Frequency is where the residual of the fundamental and its harmonics is least.
"""

import csv
import glob
import os

import numpy as np

from bench import Comparison, measure, recordings


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


def compare(comparison, name, rate, voltages, currents, found, cycles, highest):
    time_all = np.arange(len(voltages[0])) / rate
    guess = found["frequency_hz"]
    frequency = find_frequency(time_all, voltages[0], guess - 1, guess + 1)
    comparison.close(f"{name} frequency", guess, frequency, 0.005, "Hz")
    # Whole cycles from the first sample, as the program says it does for a short recording.
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
            rms = harmonics(time, signal, frequency, highest)
            thd = 100 * np.sqrt(np.sum(rms[1:] ** 2)) / rms[0]
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


if __name__ == "__main__":
    outcome = Comparison()
    generator(outcome)
    outcome.end()
