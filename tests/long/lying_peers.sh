#!/usr/bin/env bash
# Every lie of the master, the simulator and the board of tests/conformance/lying_peers.py, with a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec target/peers/bin/python tests/conformance/lying_peers.py --whole
