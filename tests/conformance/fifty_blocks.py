"""Fifty blocks of samples at once over ten connections, by a client of its own: each is acknowledged, listed once and
read back byte by byte, and a meter beside them goes on. `tests/long/block_burst.sh` sends 1,000 and limits the p99.
"""

import os
import pathlib
import sys

from peer import bench

os.environ.setdefault("LASTMETER", bench.LASTMETER)
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "long"))
import block_burst

BLOCKS, SECONDS = 50, 2.0

blocks, is_whole, listed, took_s, quiet, beside = block_burst.measure(BLOCKS, SECONDS)
print(f"acknowledged within {took_s:.2f} s; p99 of readings {quiet:.1f} ms alone, {beside:.1f} ms beside them")
comparison = bench.Comparison()
comparison.same("blocks listed", listed, BLOCKS)
comparison.true("each is listed once and read back as it was sent", is_whole, "")
comparison.end()
