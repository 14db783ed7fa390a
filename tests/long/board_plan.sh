#!/bin/sh
# The whole class test plan on the emulated meter, and on the simulated one beside it: both have to
# get the same verdict. About three minutes. Usage: tests/long/board_plan.sh [FOLDER]
set -eu
cd "$(dirname "$0")/../.."
out=${1:-target/board-plan}
rm -rf "$out"
mkdir -p "$out"
cargo build --release --quiet
for way in emulated simulated; do
    echo "== $way"
    target/release/lastmeter run scenarios/library/board-meter.toml --out "$out/$way" \
        --set 'test_plan.tests=["*"]' --set 'check.error.tests=["*"]' \
        --set "device.meter.as=\"$way\""
done
verdict() {
    python3 -c 'import json, sys
for one in json.load(open(sys.argv[1] + "/verdicts.json")):
    print(one["check"], one["status"], one.get("qualification"))' "$1"
}
[ "$(verdict "$out/emulated")" = "$(verdict "$out/simulated")" ] || {
    echo "the verdicts differ:"
    verdict "$out/emulated"
    verdict "$out/simulated"
    exit 1
}
verdict "$out/emulated"
