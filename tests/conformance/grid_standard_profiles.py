"""Standard load profiles of BDEW as a scenario's loads draw them, held against demandlib.

demandlib brings the published tables of 2025 (H25, G25, L25, P25, S25) and an implementation of its
own: months, day types, quarters of an hour, dynamisation. Scenarios of several days all over a year
give each profile to a load of a small network; what the run wrote down in `grid-loads.csv` has to
be demandlib's power in every step, to 1e-6.

demandlib knows no rule for 24 and 31 December; BDEW's is that they are Saturdays, unless they are
Sundays or holidays, so its own figures of a Saturday in December are taken there.
"""

import datetime
import os
import tempfile
import warnings

import demandlib
import numpy as np
import pandas as pd
from demandlib import bdew

from peer.bench import Comparison, run

RELATIVE = 1e-6

# Annual energy in kWh; other for each, so that no two loads draw the same.
PROFILES = {"H25": 3500, "G25": 12000, "L25": 21000, "P25": 4200, "S25": 5100}
DYNAMIC = {"H25", "P25", "S25"}

# Start and days, step in minutes, hours that the profile's clock is ahead of UTC, holidays.
SPANS = [
    ("2025-12-24T00:00:00Z", 3, 15, 0, ["2025-12-25", "2025-12-26"]),
    ("2025-12-31T00:00:00Z", 2, 15, 0, ["2026-01-01"]),
    # A Saturday, a Sunday, and the winter's end between.
    ("2026-02-28T00:00:00Z", 3, 15, 0, []),
    ("2026-04-02T21:07:00Z", 2, 5, 2, ["2026-04-03"]),
    ("2026-04-05T22:00:00Z", 1, 5, 2, ["2026-04-06"]),
    # From a weekday of summer into a weekend.
    ("2026-06-26T00:00:00Z", 3, 60, 0, []),
    ("2026-10-02T23:00:00Z", 2, 15, 1, ["2026-10-03"]),
    # 24 and 31 December are Sundays.
    ("2028-12-23T00:00:00Z", 3, 60, 0, ["2028-12-25"]),
    ("2028-12-31T00:00:00Z", 1, 60, 0, []),
    ("2028-02-28T00:00:00Z", 3, 15, 0, []),
]

NETWORK = """format = 1
voltage = "400 V"
[[node]]
name = "bus"
[[source]]
name = "supply"
node = "bus"
short_circuit_power = "100 MVA"
"""

SCENARIO = """format = 1
[scenario]
name = "standard-profiles"
start = {start}
duration = "{hours} h"
[grid]
file = "network.toml"
step = "{step} min"
[[device]]
name = "supply"
at = "source:supply"
model = "ideal-3ph"
fidelity = "windows"
report_every = "1 h"
[[check]]
name = "once"
kind = "no_loss"
"""


def drawn(start, days, step, ahead, holidays):
    """What a run of the scenario wrote down: by profile, the power of each step in W."""
    tables = os.path.join(os.path.dirname(demandlib.__file__), "bdew", "bdew_data")
    network, scenario = NETWORK, SCENARIO.format(start=start, hours=24 * days, step=step)
    for name, energy in PROFILES.items():
        network += f'[[load]]\nname = "{name}"\nnode = "bus"\nwires = "a"\np = "1 kW"\n'
        scenario += (
            f'[[grid.load]]\nname = "{name}"\nprofile = "standard"\n'
            f'file = "{tables}/{name.lower()}.csv"\nannual_energy = "{energy} kWh"\n'
            f'dynamic = {str(name in DYNAMIC).lower()}\nutc_offset = "{ahead} h"\n'
            f"holidays = {holidays}\n"
        )
    with tempfile.TemporaryDirectory() as folder:
        file, out = os.path.join(folder, "scenario.toml"), os.path.join(folder, "out")
        for path, text in ((os.path.join(folder, "network.toml"), network), (file, scenario)):
            with open(path, "w", encoding="utf-8") as opened:
                opened.write(text)
        run("run", file, "--out", out)
        [path] = [path for path, _, names in os.walk(out) if "grid-loads.csv" in names]
        rows = pd.read_csv(os.path.join(path, "grid-loads.csv"))
    return {name: rows[f"{name}.a.p_w"].to_numpy() for name in PROFILES}


def quarters(name, first, count, holidays):
    """demandlib's power of each quarter of an hour, kW for a million kWh a year."""
    index = pd.date_range(first, periods=count, freq="15min")
    profile = getattr(bdew, name)(index, holidays=[datetime.date.fromisoformat(it) for it in holidays])
    raw = profile.raw_profile_data
    saturday = raw[(raw["month"] == 12) & (raw["weekday"] == "SA")].set_index(["hour", "minute"])
    factor = profile.dynamisation_function(index) if name in DYNAMIC else pd.Series(1.0, index)
    values = profile.to_numpy(dtype=float, copy=True)
    for at, time in enumerate(index):
        is_free = time.weekday() == 6 or time.date().isoformat() in holidays
        if time.month == 12 and time.day in (24, 31) and not is_free:
            values[at] = saturday.loc[(time.hour, time.minute), "value"] * factor.iloc[at]
    return values


def means(values, begin_s, step_s, steps):
    """The mean of each step over quarters of an hour, the first of which began `begin_s` before."""
    # What has been drawn since the first quarter, at the begin of each and linear between them.
    energy = np.concatenate([[0.0], np.cumsum(values * 900.0)])
    ends = begin_s + step_s * np.arange(steps + 1)
    return np.diff(np.interp(ends, 900.0 * np.arange(len(energy)), energy)) / step_s


def main():
    warnings.simplefilter("ignore")
    comparison = Comparison()
    for start, days, step, ahead, holidays in SPANS:
        found = drawn(start, days, step, ahead, holidays)
        steps = 24 * 60 * days // step
        local = pd.Timestamp(start).tz_localize(None) + pd.Timedelta(hours=ahead)
        first = local.floor("15min")
        begin = (local - first).total_seconds()
        count = int(np.ceil((begin + steps * step * 60) / 900))
        for name, energy in PROFILES.items():
            values = quarters(name, first, count, holidays) * energy / 1e6 * 1e3
            expected = means(values, begin, step * 60, steps)
            comparison.same(f"{start}: {name}, steps", len(found[name]), steps)
            worst = float(np.max(np.abs(found[name] - expected) / np.abs(expected)))
            comparison.true(f"{start}: {name}, {steps} steps", worst <= RELATIVE, f"{worst:.2e}")
    comparison.end()


if __name__ == "__main__":
    main()
