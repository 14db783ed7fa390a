#!/usr/bin/env bash
# How often the household with a defect is ranked first, of a hundred feeders of each kind, and how often
# one is under suspicion on feeders without a defect.
# The package is optimised in the dev profile, too.
set -euo pipefail
LASTMETER_TRIALS=100 exec cargo test --quiet -p lastmeter-reports --lib checks::suspicion -- --nocapture
