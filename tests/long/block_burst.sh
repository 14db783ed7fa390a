#!/usr/bin/env bash
# 1,000 blocks of samples at once lose nothing and double nobody's p99.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/long/block_burst.py
