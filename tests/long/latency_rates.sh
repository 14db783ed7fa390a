#!/usr/bin/env bash
# How often the latency rule is wrong, for every declared process and for random designs with 2,000
# runs a cell; how long runs have to be for a verdict; stalls longer than declared. Prints the tables.
set -euo pipefail
exec cargo run --quiet --release -p lastmeter-reports --example latency_rates
