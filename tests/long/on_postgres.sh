#!/usr/bin/env bash
# Every scenario in virtual time, and every twin, once on SQLite and once on PostgreSQL with TLS at MQTT
# and REST: the records are the same to the byte.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/setup databases
cargo build --bin lastmeter
database=${TMPDIR:-/tmp}/lastmeter-postgres-$$
LASTMETER_POSTGRES=$(tests/database start "$database")
export LASTMETER_POSTGRES
trap 'tests/database stop "$database"' EXIT
python3 tests/long/same_results.py target/debug/lastmeter target/debug/lastmeter --exact \
    --set-after 'platform.store="postgres"' --set-after 'platform.tls="server"'
