#!/bin/sh
# The library's `storm` on IEEE's European low-voltage feeder (906 buses, 55 meters), one fuse for all, twice:
# nothing of a meter with a supply is lost, every other one gasps, and both runs are the same to the byte.
# Needs LASTMETER_GRID_DATA, the folder that has opendss/LVTestCase. About a minute with the build.
# Usage: tests/long/storm_european_feeder.sh [FOLDER]
set -eu
cd "$(dirname "$0")/../.."
out=${1:-target/storm-european-feeder}
feeder=${LASTMETER_GRID_DATA:?names no folder with networks}/opendss/LVTestCase/Master.dss
[ -f "$feeder" ] || { echo "$feeder is not there" >&2; exit 1; }
rm -rf "$out"
mkdir -p "$out"
cargo build --release --quiet
# One fuse at the head of the feeder instead of four, so whatever blows it darkens all: SAIDI has another limit.
python3 - "$feeder" "$out/storm.toml" <<'EOF'
import re, sys
text = open("scenarios/library/storm.toml").read()
first, *others = re.findall(r"\[\[grid\.protection\]\]\n(?:.+\n)+\n", text)
for other in others:
    text = text.replace(other, "")
for old, new in [("../grids/lv-feeder-55.toml", sys.argv[1]), ("line:A1", "line:LINE1"),
                 ('saidi = "2 h"', 'saidi = "12 h"')]:
    assert text.count(old) == 1, old
    text = text.replace(old, new)
open(sys.argv[2], "w").write(text)
EOF
for run in one two; do
    begin=$(date +%s)
    target/release/lastmeter run "$out/storm.toml" --out "$out/$run"
    echo "run $run: $(($(date +%s) - begin)) s"
done
for table in verdicts.json observations.csv events.jsonl; do
    cmp "$out/one/$table" "$out/two/$table"
    echo "$table: the same to the byte"
done
