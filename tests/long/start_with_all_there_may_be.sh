#!/usr/bin/env bash
# A platform with ten million stored readings starts in under two seconds, one with 100,000 devices, as
# many resident documents and a full journal in under five, and flipped bits all over a store never serve a
# wrong value: the tests of the platform, at their full size.
# Needs 4 GiB under the folder RUNS while it runs; removes what it wrote.
set -euo pipefail
out="$RUNS/full"
rm -rf "$out"
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT
export TMPDIR="$out"
LASTMETER_TEST_READINGS=10000000 cargo test --release -p lastmeter-platform --lib -- --nocapture \
    --exact tests::start::a_start_with_many_readings_takes_no_longer_than_its_limit
LASTMETER_TEST_FLIPS=5000 cargo test --release -p lastmeter-platform --lib -- --nocapture \
    --exact rest::tests::flips::no_flipped_bit_of_the_store_serves_a_wrong_value
LASTMETER_TEST_DEVICES=100000 cargo test --release -p lastmeter-platform --lib -- --nocapture \
    --exact tests::full_start::a_start_with_all_that_a_tenant_may_have_takes_no_longer_than_its_limit
