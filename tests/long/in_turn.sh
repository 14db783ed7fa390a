#!/bin/sh
# All scenarios of the library, and the conformance scripts of which tests/run runs some, or that find there
# only some runs. Some twenty minutes; tests/long has the rest of these scripts with more of what they do.
# Usage: tests/long/in_turn.sh, as `tests/run long` calls it: LASTMETER is the program, RUNS the folder.
set -eu
cd "$(dirname "$0")/../.."
out=${RUNS:-target/test-runs}/in-turn
lastmeter=${LASTMETER:-target/release/lastmeter}
rm -rf "$out"
"$lastmeter" run scenarios/library --jobs 2 --out "$out/library"
mkdir -p "$out/twins"
for script in exchanged grid_standard_profiles m_bus_foreign; do
    LASTMETER=$lastmeter RUNS=$out target/peers/bin/python "tests/conformance/$script.py"
done
