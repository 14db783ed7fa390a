#!/usr/bin/env bash
# Changes code on which verdicts rest, one place at a time, and counts what no test notices.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/long/mutants.py
