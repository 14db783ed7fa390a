#!/usr/bin/env bash
# The platform killed 1,000 times under load with its store in SQLite, and 200 times in PostgreSQL.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/setup databases
export LASTMETER_REQUIRE=all
LASTMETER_TEST_KILLS=1000 cargo test -p lastmeter-platform --test chain -- --exact --nocapture \
    kill::nothing_acknowledged_is_missing_after_any_kill
LASTMETER_TEST_KILLS=200 cargo test -p lastmeter-platform --test chain -- --exact --nocapture \
    kill::nothing_acknowledged_is_missing_in_postgresql_after_any_kill
