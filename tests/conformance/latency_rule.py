"""The latency rule against another implementation, on 500 made-up populations.

Devices that send regularly, staggered, at random phases or all at once; messages that are late one
by one, in stalls of all devices, of one device, in clusters, by turns, or not at all; some never
came, some before they were due, some after the bench had stopped waiting. The verdict and what it rests on have
to be the same, and so has the longest stall it holds up to, within one message.
"""

import json
import math
import subprocess
import sys

import numpy as np

from peer import latency_rules as rules
from peer.bench import Comparison, example
from peer.latency_rules import SECOND

DESIGNS = 500
LIMIT = SECOND // 2


def made_up(random):
    """One population with its claim."""
    devices = int(random.integers(1, 51))
    rate = random.uniform(0.2, 2)
    is_slow = random.random() < 0.1
    if is_slow:
        # Few devices for so long that the blocks are a minute and are joined.
        devices, rate = int(random.integers(1, 4)), random.uniform(0.2, 0.4)
    period = int(SECOND / rate)
    stall = int(SECOND * 10 ** random.uniform(math.log10(0.05), 1))
    if random.random() < 0.3:
        # Whole periods: the message that is due as the stall ends is not hit by it.
        stall = period * max(1, round(stall / period))
    coverage = float(random.choice([0.8, 0.9, 0.95, 0.97, 0.99, 0.999]))
    # From far too short to some times as long as a pass takes, and no more messages than one can
    # send around.
    needed = 3 * max(stall / SECOND, 1 / (devices * rate)) / (1 - coverage)
    length = max(30, needed * 10 ** random.uniform(-0.7, 0.7))
    length = max(3000 if is_slow else 30, min(length, 4000 / (devices * rate)))
    begin = int(random.choice([0, 10 * SECOND]))
    end = begin + int(length * SECOND)
    phase = random.choice(["staggered", "random", "together"])
    first = {
        "staggered": np.arange(devices) * period // devices,
        "random": random.integers(0, period, devices),
        "together": np.zeros(devices, int),
    }[phase]
    count = int(length * SECOND // period) + 1
    due = (begin + first[None, :] + np.arange(count)[:, None] * period).ravel()
    device = np.tile(np.arange(devices), count)
    inside = due <= end
    due, device = due[inside], device[inside]
    late = lateness(random, due, device, (begin, end), stall, 1 - coverage)
    return (begin, end), due, device, late, coverage, stall


def lateness(random, due, device, window, stall, allowed):
    """Which messages are late."""
    share = allowed * random.choice([0, 0.1, 0.5, 0.95, 1.05, 2, 10])
    kinds = ["none", "one by one", "stalls", "one device", "clusters", "all", "outage"]
    # By turns of ten minutes: all blocks of a minute are alike within one.
    kind = random.choice(kinds) if window[1] - window[0] < 2400 * SECOND else "by turns"
    late = np.zeros(len(due), bool)
    if kind == "one by one":
        late = random.random(len(due)) < share
    elif kind == "by turns":
        late = random.random(len(due)) < 2 * share * (due // (600 * SECOND) % 2)
    elif kind == "all":
        late[:] = True
    elif kind == "outage":
        start = random.uniform(*window)
        late = (due >= start) & (due < start + random.uniform(0.2, 5) * stall)
    elif kind != "none":
        mean = stall * random.choice([0.3, 1, 2])
        at = window[0] - mean
        while share > 0 and at < window[1]:
            at += random.exponential(mean / max(share, 1e-6))
            repeats = random.integers(1, 8) if kind == "clusters" else 1
            for _ in range(repeats):
                late |= (due >= at) & (due < at + random.exponential(mean))
                at += random.exponential(3 * mean)
        if kind == "one device":
            late &= device == random.integers(0, device.max() + 1)
    return late


class Population:
    """What the rules need of a population, put together by hand."""

    def __init__(self, window, due, names):
        (self.begin, self.end), self.due, self.devices = window, due, names
        self.n = len(due)


def design(random):
    """The messages as the program takes them, and the judgement of the other implementation."""
    window, due, device, late, coverage, stall = made_up(random)
    names = np.array([f"m-{number:02}" for number in device], dtype=object)
    # A late message came too late, after the bench had gone, or never.
    waited = window[1] + int(random.choice([0, SECOND]))
    fate = random.random(len(due))
    delay = np.where(late, LIMIT + 1 + (fate * SECOND).astype(int), (fate * LIMIT).astype(int))
    is_lost = late & (random.random(len(due)) < 0.3)
    # What never came was not received too early.
    is_early = ~is_lost & (random.random(len(due)) < random.choice([0, 0, 0.002]))
    received = due + np.where(is_early, -1 - (fate * SECOND).astype(int), delay)
    published = np.where(random.random(len(due)) < 0.5, due, np.minimum(due, received))
    is_early |= published < due
    open_ = is_early | (is_lost & (waited < due + LIMIT))
    over = late | is_early
    judged = rules.Judgement(
        Population(window, due, names), int(np.sum(over & ~open_)), int(np.sum(over & open_)), over,
        coverage, stall,
    )
    messages = [
        [name, int(at), int(sent), None if lost else int(came)]
        for name, at, sent, came, lost in zip(names, due, published, received, is_lost)
    ]
    # Rows come in no order.
    messages = [messages[place] for place in random.permutation(len(messages))]
    return {
        "from": window[0], "to": window[1], "waited": waited, "limit": LIMIT, "coverage": coverage,
        "stall": stall, "messages": messages,
    }, judged


def within_one(due, judged, found):
    """Whether a longest stall is that of as many messages counted as one, or one more or fewer."""
    if found is None or judged.holds_up_to is None:
        return found == judged.holds_up_to
    due = np.sort(due)
    places = next(p for p in range(1, len(due)) if np.min(due[p:] - due[:-p]) >= judged.holds_up_to)
    spans = [np.min(due[p:] - due[:-p]) for p in (max(places - 1, 1), places, min(places + 1, len(due) - 1))]
    return min(spans) <= found <= max(max(spans), judged.holds_up_to)


def main():
    comparison = Comparison()
    random = np.random.default_rng(20270118)
    designs = [design(random) for _ in range(DESIGNS)]
    text = "".join(json.dumps(one) + "\n" for one, _ in designs)
    program = example("latency_rule")
    done = subprocess.run([program], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    comparison.same("designs", len(found), DESIGNS)
    off, exact, reasons = [], 0, {}
    for number, ((asked, judged), ours) in enumerate(zip(designs, found)):
        reasons[judged.reason] = reasons.get(judged.reason, 0) + 1
        expected = {
            "reason": judged.reason, "n": judged.n, "over": judged.certain, "open": judged.unknown,
            "per_stall": judged.per_stall, "longest_run": judged.longest_run,
        }
        wrong = [key for key, value in expected.items() if ours[key] != value]
        for key in ("deff", "pass_weight", "fail_weight", "upper", "lower"):
            if not math.isclose(ours[key], getattr(judged, key), rel_tol=1e-9, abs_tol=1e-15):
                wrong.append(key)
        due = np.array([message[1] for message in asked["messages"]])
        if not within_one(due, judged, ours["holds_up_to"]):
            wrong.append("holds_up_to")
        exact += ours["holds_up_to"] == judged.holds_up_to
        needs = judged.needs()
        needs = None if needs is None else needs * (asked["to"] - asked["from"])
        # Nobody is advised to run for more than 30 days.
        if needs is None or needs > 30 * 86_400 * SECOND:
            if ours["needs"] is not None:
                wrong.append("needs")
        elif ours["needs"] is None or not math.isclose(ours["needs"], needs, rel_tol=1e-6):
            wrong.append("needs")
        if wrong:
            off.append((number, wrong, ours, expected))
    comparison.same(f"{DESIGNS} designs, off", off[:5], [])
    comparison.true("longest stalls that are the same to the nanosecond", exact >= 0.99 * DESIGNS, exact)
    # Each way to a verdict was taken often.
    for reason, least in {
        "within-limit": 50, "too-late": 50, "between-bounds": 50, "stall-too-short": 50, "too-few": 5
    }.items():
        count = reasons.get(reason, 0)
        comparison.true(f"verdicts {reason}", count >= least, count)
    comparison.end()


if __name__ == "__main__":
    main()
