#!/usr/bin/env bash
# Every lie of tests/conformance/peer/lies.py on every virtual-time scenario, with a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec target/peers/bin/python tests/conformance/lying_platform.py --whole
