#!/usr/bin/env bash
# How soon pages are answered over ten million values, how soon a reading shows on an open page, and what fifty open
# pages cost those who send. Some ten minutes; needs a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec target/peers/bin/python tests/long/pages_speed.py "$@"
