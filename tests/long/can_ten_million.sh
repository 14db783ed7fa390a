#!/usr/bin/env bash
# Ten million characters (bytes of data) on a CAN bus at each of three bit-error rates: the ignored test of
# base/can, some minutes in a release build. The ordinary one takes 100,000.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo test --release --quiet -p lastmeter-can --test character_errors -- --ignored --nocapture ten_million
