#!/usr/bin/env bash
# 40 runs of the wide-area experiment with 1 to 8 processor hogs or none, with a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec target/peers/bin/python tests/conformance/load_runs.py --whole
