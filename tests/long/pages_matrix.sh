#!/usr/bin/env bash
# Every page as each of its readers, in all widths and themes, with twice the text, forced colours and printed; contact
# sheets are in target/pages. Some fifteen minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec target/peers/bin/python tests/long/pages_matrix.py target/pages
