#!/usr/bin/env bash
# A platform with five million stored readings starts in under two seconds, and flipped bits all
# over a store never serve a wrong value: the tests of the platform, at their full size.
# Needs 2 GiB under the folder RUNS while it runs; removes what it wrote.
set -euo pipefail
out="$RUNS/five-million"
rm -rf "$out"
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT
export TMPDIR="$out"
LASTMETER_TEST_READINGS=5000000 cargo test --release -p lastmeter-platform --lib -- --nocapture \
    --exact tests::start::a_start_with_many_readings_takes_no_longer_than_its_limit
LASTMETER_TEST_FLIPS=5000 cargo test --release -p lastmeter-platform --lib -- --nocapture \
    --exact rest::tests::flips::no_flipped_bit_of_the_store_serves_a_wrong_value
