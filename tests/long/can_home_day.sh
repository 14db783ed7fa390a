#!/usr/bin/env bash
# A day of the home of twenty CAN meters, each polled every minute, in a release build: the same checks as over
# two hours, and what the day takes.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --release --quiet
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
time target/release/lastmeter run scenarios/library/can-home.toml --set scenario.duration="24 h" --out "$out/day"
