"""Recordings as a foreign program reads them: the PyPI package `comtrade`.

Shares nothing with the program under test. Gives samples in V and A on the primary side.
"""

import csv
import os
import warnings

import comtrade
import numpy as np

PREFIX = {"k": 1e3, "M": 1e6, "m": 1e-3}


class Foreign:
    """A recording: names, units, samples in SI units of the primary side, sampling rate."""

    def __init__(self, path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record = comtrade.Comtrade(use_double_precision=True)
            if path.endswith(".cff"):
                record.load(path)
            else:
                record.load(path, path[:-4] + ".dat")
        self.rate_hz = record.cfg.sample_rates[0][0]
        self.names = [channel.name.strip() for channel in record.cfg.analog_channels]
        self.units, self.samples = {}, {}
        for index, channel in enumerate(record.cfg.analog_channels):
            name, unit = self.names[index], channel.uu.strip()
            raw = np.array(record.analog[index], dtype=float)
            factor = 1.0
            if len(unit) == 2:
                factor, unit = PREFIX[unit[0]], unit[1]
            if channel.pors.upper() == "S":
                factor *= channel.primary / channel.secondary
            self.units[name] = unit.upper()
            self.samples[name] = raw * factor
        self.count = record.total_samples
        self.digital = [list(values) for values in record.status]
        self.digital_names = [channel.name.strip() for channel in record.cfg.status_channels]

    def of_unit(self, unit):
        """Names of the channels in `V` or `A`."""
        return [name for name in self.names if self.units[name] == unit]

    def write_csv(self, path, names, first=0, count=None):
        """An excerpt as CSV, every digit of it."""
        last = self.count if count is None else first + count
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            columns = [self.samples[name][first:last] for name in names]
            writer.writerows([repr(float(value)) for value in row] for row in zip(*columns))
        return path


def files(folder):
    """The recordings below a folder: configurations and single files."""
    found = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return [path for path in found if path.endswith((".cfg", ".cff"))]
