#!/usr/bin/env bash
# Ten million arbitrary and changed inputs to frames, records, slave and master of M-Bus: the ignored
# test of base/mbus, some minutes in a release build. The ordinary one takes 100,000.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo test --release --quiet -p lastmeter-mbus --test mbus -- --ignored --nocapture ten_million
