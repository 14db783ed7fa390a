#!/usr/bin/env bash
# The demonstrator for three months: twelve plugs, 1.5 million readings in 3.1 million frames; none lost,
# doubled or under another node, whatever happens to plugs, gateway and platform. In a release build it takes
# at most 450 s on two processors, and its folder stays under 300 MB. DAYS and LIMIT_S make it another length.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --release --quiet
mkdir -p target/demonstrator
python3 tests/long/demonstrator.py > target/demonstrator/scenario.toml
rm -rf target/demonstrator/run
SECONDS=0
time target/release/lastmeter run target/demonstrator/scenario.toml --out target/demonstrator/run
echo "$SECONDS s"
bytes=$(du -sb --exclude=platform target/demonstrator/run | cut -f1)
echo "$bytes bytes in the folder, beside the platform's store"
test "$bytes" -lt 300000000
test "$SECONDS" -le "${LIMIT_S:-450}"
