# %% A sweep: which error of active power does a phase error make, by power factor?
# Run it as it is (`python error_by_power_factor.py`), or cell by cell in a notebook. Needs the package of
# `python/`, pandas and matplotlib.
import math
from pathlib import Path

import lastmeter

SCENARIO = Path(__file__).parents[2] / "scenarios/library/voltage-by-power-factor.toml"
PHASE_ERROR_DEG = 0.1

# %% Eight cases, each a run of its own. That some fail the scenario's limit is data.
suite = lastmeter.run(
    SCENARIO,
    out="sweep",
    set={
        "source.mains.voltage": "230 V",
        "device.meter.voltage_gain_error": "0 %",
        "device.meter.current_gain_error": "0 %",
        "device.meter.phase_error": f"{PHASE_ERROR_DEG} deg",
    },
    vary={"source.mains.power_factor": [1, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]},
    seeds=(1, 1),
    jobs=2,
)
print(suite.cases[["source.mains.power_factor", "status", "reason"]])

# %% The mean error of each case, beside what geometry gives.
rows = []
for run in suite.runs:
    power = run.observations.query("quantity == 'electricity.power.active.consumed.total'")
    error_percent = 100 * (power.reported / power.reference - 1).mean()
    rows.append((run.case["source.mains.power_factor"], error_percent))
factors, errors = zip(*sorted(rows))
# A current that is seen to lead by d is at the angle phi - d: the error is d times tan phi.
expected = [100 * math.radians(PHASE_ERROR_DEG) * math.tan(math.acos(factor)) for factor in factors]

# %%
import matplotlib

matplotlib.use("svg")  # without a display; leave it out in a notebook
import matplotlib.pyplot as plt

plt.plot(factors, errors, "o", label="measured")
plt.plot(factors, expected, "-", label="tan φ")
plt.xlabel("power factor")
plt.ylabel("error of active power, %")
plt.legend()
plt.savefig("error-by-power-factor.svg")
