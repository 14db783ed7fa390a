#!/bin/sh
# All must-fail twins of the library with all their controls: each twin fails by its check, and passes
# without its defect. Twins in real time want the machine for themselves. Some twelve minutes.
# Usage: tests/long/controls.sh, as `tests/run long` calls it: LASTMETER is the program, RUNS the folder.
set -eu
cd "$(dirname "$0")/../.."
out=${RUNS:-target/test-runs}/controls
rm -rf "$out"
exec "${LASTMETER:-target/release/lastmeter}" run scenarios/library --must-fail --jobs 2 --out "$out"
