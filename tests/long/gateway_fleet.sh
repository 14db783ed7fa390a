#!/usr/bin/env bash
# A thousand gateways with twenty nodes each at one platform, for three minutes: each reading of a minute is
# acknowledged within that minute, with less than 300 MiB of resident memory.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec env FLEET_GATEWAYS=1000 FLEET_NODES=20 FLEET_MINUTES=3 FLEET_MINUTE_S=60 \
    target/peers/bin/python tests/conformance/gateway_fleet.py
