#!/usr/bin/env bash
# Fuzzes the REST interface by its OpenAPI description for ten minutes, beside what tests/run does.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec target/peers/bin/python tests/conformance/rest_schemathesis.py --whole
