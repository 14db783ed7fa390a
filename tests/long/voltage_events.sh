#!/bin/sh
# A thousand random faults on the 20 kV network: `voltage-events` with twenty seeds of fifty faults each.
# What four meters report of them has to be what there was, each time. About four minutes.
# Usage: tests/long/voltage_events.sh [FOLDER]
set -eu
cd "$(dirname "$0")/../.."
out=${1:-target/voltage-events}
rm -rf "$out"
mkdir -p "$out"
cargo build --release --quiet
seed=1
failed=0
while [ "$seed" -le 20 ]; do
    target/release/lastmeter run scenarios/library/voltage-events.toml --out "$out/$seed" \
        --set "scenario.seed=$seed" > "$out/$seed.log" 2>&1 || failed=1
    seed=$((seed + 1))
done
python3 - "$out" <<'EOF'
import json, sys
from collections import Counter
faults, there, reported = 0, Counter(), 0
for seed in range(1, 21):
    folder = f"{sys.argv[1]}/{seed}"
    (verdict,) = [it for it in json.load(open(f"{folder}/verdicts.json")) if it["check"] == "events"]
    events = [json.loads(line) for line in open(f"{folder}/events.jsonl")]
    faults += sum(it["kind"] == "operated" and it["what"] == "ignited" for it in events)
    for it in events:
        if it["kind"] == "voltage_event":
            there[it["what"], it.get("is_certain", True)] += 1
    reported += sum(it["kind"] == "alert" and it["type"].startswith("voltage.") for it in events)
    print(f"seed {seed}: {verdict['status']}: {verdict['why']}")
print(f"{faults} faults; {reported} reports; events, whether seen by all alignments: {dict(there)}")
EOF
exit "$failed"
