#!/usr/bin/env bash
# The demonstrator for three months: thirteen plugs, 3.3 million frames; none lost, doubled or under another
# node, whatever happens to plugs, gateway and platform. In a release build; the folder stays under 300 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --release --quiet
mkdir -p target/demonstrator
python3 tests/long/demonstrator.py > target/demonstrator/scenario.toml
rm -rf target/demonstrator/run
time target/release/lastmeter run target/demonstrator/scenario.toml --out target/demonstrator/run
bytes=$(du -sb --exclude=platform target/demonstrator/run | cut -f1)
echo "$bytes bytes in the folder, beside the platform's store"
test "$bytes" -lt 300000000
