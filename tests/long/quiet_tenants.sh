#!/usr/bin/env bash
# What two quiet tenants wait beside one that floods its limit, against what they wait alone: five runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/long/quiet_tenants.py
