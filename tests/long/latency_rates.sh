#!/usr/bin/env bash
# How often the latency rule is wrong, for every declared process and for random designs with 2,000
# runs a cell; how long runs have to be for a verdict; stalls longer than declared. Prints the tables.
# The package is optimised in the dev profile, too, and the example is built with its tests.
set -euo pipefail
exec cargo run --quiet -p lastmeter-reports --example latency_rates
