#!/usr/bin/env bash
# Every lie of tests/conformance/peer on the virtual-time scenarios, with tables.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec target/peers/bin/python tests/conformance/lying_platform.py --whole
