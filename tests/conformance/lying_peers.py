"""Runs scenarios against peers that lie on their lines: a master of M-Bus meters, a simulator and a board.

Each of them has an honest way, which has to pass, and lies, none of which may. A lie that only the machine kept
from being judged counts for nothing.

    lying_peers.py            the honest ways and some lies of each
    lying_peers.py --whole    all, with a table
    lying_peers.py NAME...    these ways, by a part of their name
"""

import concurrent.futures
import json
import os
import re
import sys
import tempfile
import time

from peer import fake_board, fake_master, fake_simulator
from peer.bench import Comparison, run

PEERS = {"master": fake_master, "simulator": fake_simulator, "board": fake_board}
# A run in real time mostly waits; so many at once leave the machine quiet enough.
AT_ONCE = 10
AT_ONCE_WHOLE = 5


def machine_words():
    """The reasons that are of the machine and not of what is under test."""
    return {line.split()[0] for line in run("list", "reasons").splitlines() if line.endswith("(of the machine)")}


def outcome(peer, kind, of_machine):
    """Exit code, how often it lied, the checks that are not passed with their reasons, and whether one of these
    is not of the machine."""
    with tempfile.TemporaryDirectory() as folder:
        code, words, changed = peer.play(kind, folder)
        path = os.path.join(folder, "run", "verdicts.json")
        if not os.path.exists(path):
            return code, changed, words[-400:], True
        with open(path, encoding="utf-8") as file:
            rows = [row for row in json.load(file) if row["status"] not in ("pass", "skipped")]
    is_decided = not rows or any(row["reason"] not in of_machine for row in rows)
    return code, changed, ", ".join(f"{row['check']}: {row['reason']}" for row in rows), is_decided


def table(rows):
    """What was found of each way beside what is expected, at most 120 columns wide."""
    line = lambda *cells: f"| {cells[0]:9} | {cells[1]:38} | {cells[2]:4} | {cells[3]:8} | {cells[4][:44]:44} |"
    ruler = "|" + "|".join("-" * (width + 2) for width in (9, 38, 4, 8, 44)) + "|"
    return "\n".join([line("peer", "that", "exit", "expected", "by"), ruler, *(line(*row) for row in rows)])


def main():
    is_whole = "--whole" in sys.argv[1:]
    only = [name for name in sys.argv[1:] if not name.startswith("--")]
    comparison, of_machine = Comparison(), machine_words()
    began, rows, runs = time.monotonic(), [], []
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE_WHOLE if is_whole else AT_ONCE)
    for name, peer in PEERS.items():
        ways = {**peer.HONEST, **peer.LIES}
        if only:
            ways = {way: kind for way, kind in ways.items() if any(part in way for part in only)}
        elif not is_whole:
            ways = {**peer.HONEST, **{way: peer.LIES[way] for way in peer.DRAWN}}
        runs += [(name, peer, way, kind, pool.submit(outcome, peer, kind, of_machine)) for way, kind in ways.items()]
    for name, peer, way, kind, pending in runs:
        code, changed, words, is_decided = pending.result()
        if not is_decided:
            # The machine was too busy: once more, with nothing beside it.
            concurrent.futures.wait([other[-1] for other in runs])
            code, changed, words, is_decided = outcome(peer, kind, of_machine)
        is_honest = way in peer.HONEST
        good = code == 0 and not changed if is_honest else code in (1, 5) and is_decided and changed > 0
        expected = "0" if is_honest else "1 or 5"
        found = f"exit {code}, expected {expected}; lied {changed} times; {words}"
        comparison.true(f"a {name} that {way}", good, found)
        words = words if changed or is_honest else "it changed nothing"
        rows.append((name, way, str(code), expected, re.sub(r"\s+", " ", words)))
    print(table(rows))
    print(f"took {time.monotonic() - began:.0f} s")
    comparison.end()


if __name__ == "__main__":
    main()
