#!/bin/sh
# A suite of two hundred cases in four parts, by GNU parallel and as the pods of Kubernetes would run it: the same as
# that of one process. tests/run does it with forty cases.
# Usage: tests/long/shards.sh, as `tests/run long` calls it: LASTMETER is the program.
set -eu
cd "$(dirname "$0")/../.."
tests/setup parallel peers
for script in shards_gnu_parallel shards_kubernetes; do
    SEEDS=10 LASTMETER=${LASTMETER:-target/release/lastmeter} target/peers/bin/python "tests/conformance/$script.py"
done
