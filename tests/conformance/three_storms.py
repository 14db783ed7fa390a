"""Three storms through the platform, and who was held for being without supply counted again from their records;
`tests/long/outage_storms.py` has fifty. Reports that come a minute later must not pass.
"""

import pathlib
import sys
import tempfile

from peer import bench

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "long"))
import outage_storms as storms

SEEDS, END_S = (1, 2, 3), 6 * 3600.0


def pooled(records, within_s, late_s):
    sums = [
        storms.counted(losses, [(made + late_s, *of) for made, *of in results], within_s, END_S)
        for losses, results, _ in records
    ]
    return storms.f1(*map(sum, zip(*sums)))


comparison = bench.Comparison()
with tempfile.TemporaryDirectory() as folder:
    scenario = storms.ROOT / "scenarios/library/outage-storm.toml"
    records = [storms.run(bench.LASTMETER, scenario, seed, pathlib.Path(folder) / str(seed)) for seed in SEEDS]
losses, outages = (sum(len(record[at]) for record in records) for at in (0, 2))
print(f"{losses} losses of supply, {outages} outages reported")
comparison.true("there are storms", losses > 100 and outages > 30, (losses, outages))
for within_s, least in storms.LEAST.items():
    score, late = pooled(records, within_s, 0.0), pooled(records, within_s, 60.0)
    print(f"F1 after {within_s:.0f} s: {100 * score:.2f} %, at least {100 * least:.0f} %")
    comparison.true(f"F1 after {within_s:.0f} s", score >= least, score)
    if within_s < 60.0:
        comparison.true("a minute late is too late", late < least, late)
slowest = max(took for record in records for took in record[2])
limit_s = storms.WINDOW_S + storms.REPORT_WITHIN_S
print(f"the slowest first report {slowest:.2f} s after its first gasp, at most {limit_s:.0f} s")
comparison.true("first reports in time", slowest <= limit_s, slowest)
comparison.end()
