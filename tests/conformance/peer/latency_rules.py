"""The rules of latency written again, with numpy and scipy: bounds, stalls, population.

Shares nothing with the program but the words of the record. Delays are whole nanoseconds; a lost
message has the delay INFINITE.
"""

import math
import csv

import numpy as np
from scipy.stats import beta

from peer.record import is_named

POINTS = [
    "intended", "published", "proxy_in_up", "proxy_out_up", "proxy_in_down", "proxy_out_down",
    "received", "committed", "queryable", "obeyed", "acknowledged", "asked", "heard", "answered",
]
COLUMNS = ["path", "id"] + [f"{point}_ns" for point in POINTS] + ["bytes", "copies"]
SECOND = 10**9
INFINITE = 2**63 - 1
NEVER = -(2**63)
AT_OBSERVER = {"received", "proxy_in_down", "proxy_out_down"}


class Rows:
    """The rows of latency.csv, a column each; an instant that is not there is NEVER."""

    def __init__(self, path):
        with open(path, newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows)
            if header != COLUMNS:
                raise ValueError(f"the columns are {header}, expected {COLUMNS}")
            rows = list(rows)
        self.path = np.array([row[0] for row in rows], dtype=object)
        self.id = np.array([row[1] for row in rows], dtype=object)
        self.device = np.array([row[1].split("/")[0] for row in rows], dtype=object)
        self.at = {
            point: np.array([int(row[2 + i]) if row[2 + i] else NEVER for row in rows], np.int64)
            for i, point in enumerate(POINTS)
        }
        self.copies = np.array([int(row[-1]) for row in rows], np.int64)
        self.count = len(rows)

    def paths(self):
        return sorted(set(self.path))


class Run:
    """What run.json says that the rules need."""

    def __init__(self, facts, instant):
        self.real = facts.get("real_time")
        self.virtual = facts["time"] == "virtual"
        self.start = instant(facts["start"])
        self.duration = int((instant(facts["end"]) - self.start) * SECOND)
        self.waited = self.real["waited_until_ns"] if self.real else INFINITE

    def window(self, warm_up):
        if warm_up is None:
            warm_up = max(self.duration // 20, 10 * SECOND) if self.real else 0
        return warm_up, self.duration

    def floor(self):
        """The worse of before and after, of timer and echo: median and 99 %."""
        floors = [self.real and self.real.get(key) for key in ("floor_before", "floor_after")]
        if not all(floors) or any(floor["timer"]["n"] == 0 for floor in floors):
            return None
        worse = lambda floor, key: max(
            one[key] for one in (floor["timer"], floor.get("echo")) if one and one["n"]
        )
        return tuple(max(worse(floor, key) for floor in floors) for key in ("p50_ns", "p99_ns"))

    def invalid(self):
        if not self.real:
            return not self.virtual
        deadlines = self.real["deadlines"]
        allowed = 0.001 if self.unknown_ticks() else 0.01
        late = deadlines["missed"] > allowed * deadlines["scheduled"]
        return self.invalid_beside_lateness() or late

    def unknown_ticks(self):
        """Whether it is not known when the missed deadlines were."""
        return len(self.real.get("late_ticks", [])) != self.real["deadlines"]["missed"]

    def held_up(self, begin, end, limit):
        """How long load and late ticks can have held up what went on then, at most, in ns; 0 where
        that is no more than a tenth of the limit."""
        if not self.real:
            return 0
        begin, end = int(begin), max(int(begin), int(end))
        late = [
            tick["lateness_ns"]
            for tick in self.real.get("late_ticks", [])
            if tick["at_ns"] <= end and tick["at_ns"] + tick["lateness_ns"] >= begin
        ]
        total = max(late, default=0)
        load = self.real.get("load") or {"seconds": []}
        for second in load["seconds"]:
            if second["to_ns"] < begin or second["from_ns"] > end:
                continue
            shared = min(end, second["to_ns"]) - max(begin, second["from_ns"])
            for threads in ("bench", "platform", "kernel"):
                if wait := second.get(threads):
                    looks = 2 + max(shared, 0) // load["look_ns"]
                    total += min(wait["total_ns"], wait["longest_ns"] * looks)
        return total if 10 * total > limit else 0

    def as_a_rule(self, begin, end, limit):
        """How long load held up each of many messages: five times what threads wait on average
        when they are to run, in the worst second."""
        if not self.real:
            return 0
        begin, end = int(begin), int(end)
        most = 0
        for second in (self.real.get("load") or {"seconds": []})["seconds"]:
            if second["to_ns"] >= begin and second["from_ns"] <= end:
                waits = [second.get(threads) for threads in ("bench", "platform", "kernel")]
                each = [min(5 * wait["each_ns"], wait["total_ns"]) for wait in waits if wait]
                most = max(most, sum(each))
        for tick in self.real.get("late_ticks", []):
            if tick["at_ns"] <= end and tick["at_ns"] + tick["lateness_ns"] >= begin:
                most = max(most, tick["lateness_ns"])
        return most if 10 * most > limit else 0

    def invalid_beside_lateness(self):
        if not self.real:
            return not self.virtual
        clock, deadlines = self.real["clock"], self.real["deadlines"]
        return (
            abs(clock["wall_step_ns"]) > 10**6
            or abs(clock["suspended_ns"]) > 10**6
            or deadlines["scheduled"] == 0
        )


def grace(limits):
    """How long after the end a message may arrive, for the longest of the limits."""
    return max([10 * SECOND] + [10 * limit for limit in limits if limit is not None])


class Population:
    """The messages of one path that are judged. A limit of None asks for delivery alone."""

    def __init__(self, run, rows, path, span, warm_up=None, limits=(), device="*"):
        first, last = span
        self.run, self.span = run, span
        self.begin, self.end = run.window(warm_up)
        self.grace = grace(limits)
        self.last_arrival = self.end + self.grace
        due = rows.at["intended"]
        mine = rows.path == path
        if device != "*":
            mine &= np.array([is_named(name, device) for name in rows.device])
        inside = mine & (due >= self.begin) & (due <= self.end)
        self.early_rows, self.inside = mine & (due < self.begin), inside
        self.due = due[inside]
        self.ids, self.devices = rows.id[inside], rows.device[inside]
        self.copies = rows.copies[inside]
        self.published = rows.at["published"][inside]
        self.to = rows.at[last][inside]
        self.since = np.where(rows.at[first] == NEVER, due, rows.at[first])[inside]
        self.delay = self.delays(rows, inside)
        self.warm_up = self.delays(rows, self.early_rows)
        self.n = len(self.due)
        self.lost = int(np.sum(self.to == NEVER))
        begun, ended = (rows.at[point][inside] for point in self.span)
        backwards = (begun != NEVER) & (ended != NEVER) & (ended < begun)
        before_due = (self.published != NEVER) & (self.published < self.due)
        before_due |= (ended != NEVER) & (ended < self.due)
        # A clock is wrong: such a message counts against a pass and not for a fail.
        self.is_early = before_due | backwards
        self.early = int(np.sum(self.is_early))
        self.unmeasured = self.n > 0 and self.lost == self.n and bool(np.any(self.copies > 0))
        self.unmeasured |= self.n > 0 and bool(np.all((ended != NEVER) & (begun == NEVER)))

    def delays(self, rows, which):
        first, last = (rows.at[point][which] for point in self.span)
        there = (first != NEVER) & (last != NEVER) & (last <= self.last_arrival)
        return np.where(there, last - np.where(there, first, 0), INFINITE)

    def tally(self, limit):
        """Over for certain, not known, and which are over as far as can be told."""
        over = self.delay == INFINITE if limit is None else self.delay > limit
        known_from = self.since + (self.grace if limit is None else limit)
        known = ((self.to != NEVER) | (self.run.waited >= known_from)) & ~self.is_early
        over = over | self.is_early
        return int(np.sum(over & known)), int(np.sum(over & ~known)), over

    def refused(self):
        """Whether the run carries no verdict on these messages."""
        return self.run.invalid() or self.refused_by_rows()

    def refused_by_rows(self):
        return (
            self.early > 0.001 * self.n
            or self.unmeasured
            or (self.run.floor() is None and not self.run.virtual)
        )

    def by_load(self, limit):
        """How many of those over a limit for certain load may have carried over it, and how many of
        those within it load may have made seem shorter."""
        if limit is None:
            return 0, 0
        over, shorter = self.delay > limit, 0
        # Load makes messages late and loses none.
        late = np.flatnonzero(over & (self.to != NEVER) & ~self.is_early)
        ends = self.since + np.minimum(self.delay, limit)
        carried = sum(self.run.held_up(self.since[at], ends[at], limit) > 0 for at in late)
        if self.span[0] != "intended":
            for at in np.flatnonzero(~over & ~self.is_early):
                held_up = self.run.held_up(self.since[at], ends[at], limit)
                shorter += int(self.delay[at]) + held_up > limit
        return carried, shorter

    def variation_by_load(self, limit):
        """The same of the variation beside the fastest message."""
        came = (self.delay != INFINITE) & ~self.is_early
        least = int(self.delay[came].min()) if np.any(came) else 0
        over = (self.delay == INFINITE) | (self.delay - least > limit)
        late = np.flatnonzero(over & (self.delay != INFINITE) & ~self.is_early)
        until = lambda at: int(self.due[at]) + least + limit
        carried = sum(self.run.held_up(self.due[at], until(at), limit) > 0 for at in late)
        fastest = least
        for at in np.flatnonzero(came):
            taken = int(self.delay[at])
            held_up = self.run.held_up(self.due[at], int(self.due[at]) + taken, limit)
            fastest = min(fastest, taken - held_up)
        shorter = came & ~over & (self.delay - fastest > limit)
        return carried, int(np.sum(shorter))

    def least(self, limit, statistic):
        """The delays without what load may have added to them; for a whisker at least nine
        tenths of them, those that load held up least."""
        added = self.run.held_up if statistic == "share_under" else self.run.as_a_rule
        held_up = [
            0 if taken == INFINITE else added(due, int(due) + int(taken), limit)
            for due, taken in zip(self.due, self.delay)
        ]
        held_up = np.array(held_up, dtype=self.delay.dtype)
        least = self.delay - held_up
        if statistic.startswith("whisker") and len(least):
            stay = -(-9 * len(least) // 10)
            least = least[held_up <= np.partition(held_up, stay - 1)[stay - 1]]
        return least

    def judge(self, limit, coverage, stall):
        certain, unknown, over = self.tally(limit)
        return Judgement(self, certain, unknown, over, coverage, stall)

    def judge_variation(self, limit, coverage, stall):
        """Against the fastest message."""
        came = self.delay[(self.delay != INFINITE) & ~self.is_early]
        least = int(came.min()) if len(came) else 0
        lost = self.delay == INFINITE
        over = lost | (self.delay - least > limit) | self.is_early
        unknown = self.is_early | (lost & (self.run.waited < self.due + least + limit))
        unknown = int(np.sum(unknown))
        return Judgement(self, int(np.sum(over)) - unknown, unknown, over, coverage, stall)


def window_count(instants, length):
    """The most of some instants in a window [x, x + length); one begins at an instant."""
    instants = np.sort(instants)
    if not len(instants):
        return 0
    ends = np.searchsorted(instants, instants + length, side="left")
    return int(np.max(ends - np.arange(len(instants))))


def longest(flags):
    """The longest stretch of true ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, int), [0]])))
    return int(np.max(edges[1::2] - edges[::2])) if len(edges) else 0


class Judgement:
    """Messages per stall: counts, what counts as one, bounds and status of one claim."""

    def __init__(self, population, certain, unknown, over, coverage, stall):
        self.n, self.k, self.unknown = population.n, certain + unknown, unknown
        self.coverage, allowed = coverage, 1 - coverage
        self.certain, self.allowed, self.stall = certain, allowed, stall
        due = population.due
        length = max(population.end - population.begin, 1)
        count = max(length // (60 * SECOND), 20)
        since = np.asarray(due, np.int64) - population.begin
        if count * length < 2**63:
            block = since * count // length
        else:
            # Python's integers do not overflow.
            block = np.array([int(at) * count // length for at in since], int)
        block = np.clip(block, 0, count - 1)
        messages = np.bincount(block, minlength=count)
        late = np.bincount(block, over, minlength=count)
        self.deff = estimate(messages, late)
        # In due order; at one instant by the device's name.
        names, device = np.unique(np.asarray(population.devices, dtype=str), return_inverse=True)
        order = np.lexsort((device, due))
        flags, device = np.asarray(over, bool)[order], device[order]
        runs = (longest(flags[device == number]) for number in range(len(names)))
        self.longest_of_device = max(runs, default=0)
        self.longest_run = max(longest(flags), self.longest_of_device)
        self.per_stall = window_count(due, stall)
        seen = min(self.per_stall, window_count(due[np.asarray(over, bool)], stall))
        shown = max(self.deff, self.longest_run)
        self.pass_weight = max(self.per_stall, shown, 1)
        self.fail_weight = max(self.deff, seen, min(self.longest_run, self.n / 3), 1)
        self.upper = upper_bound(self.k / self.pass_weight, self.n / self.pass_weight)
        self.lower = lower_bound(certain / self.fail_weight, self.n / self.fail_weight)
        self.share = self.k / max(self.n, 1)
        self.reason, self.holds_up_to = self.conclude(np.sort(due), shown)
        self.status = {"within-limit": "pass", "too-late": "fail"}.get(self.reason, "inconclusive")
        self.bound = self.lower if self.status == "fail" else self.upper
        self.weight = self.fail_weight if self.status == "fail" else self.pass_weight

    def within(self, weight):
        return upper_bound(self.k / weight, self.n / weight) <= self.allowed

    def conclude(self, due, shown):
        """The reason, and the longest stall with which it holds."""
        holds = None
        if self.n and self.within(max(shown, 1)):
            # The largest real number that may count as one, by bisection.
            low, high = max(shown, 1.0), float(self.n)
            for _ in range(100):
                middle = (low + high) / 2
                low, high = (middle, high) if self.within(middle) else (low, middle)
            places = math.floor(low + 1e-9)
            holds = int(np.min(due[places:] - due[:-places])) if places < self.n else None
        if self.n and self.lower > self.allowed:
            return "too-late", holds
        if not self.n or upper_bound(0, self.n) > self.allowed:
            return "too-few", holds
        if self.within(self.pass_weight):
            return "within-limit", holds
        return ("between-bounds" if holds is None else "stall-too-short"), holds

    def needs(self):
        """How many times as long a run with the same share has to be for a pass; None if no length
        would do."""
        k, n = self.k / self.pass_weight, self.n / self.pass_weight
        if self.status != "inconclusive" or self.k >= self.allowed * self.n:
            return None
        low, high = 0.0, 1.0
        while upper_bound(high * k, high * n) > self.allowed:
            low, high = high, 2 * high
            if high > 1e9:
                return None
        for _ in range(60):
            middle = (low + high) / 2
            good = upper_bound(middle * k, middle * n) <= self.allowed
            low, high = (low, middle) if good else (middle, high)
        return high


def passes_with(judged, more):
    """Whether it passes with so many more messages counted as over the limit."""
    weight = judged.pass_weight
    return upper_bound((judged.k + more) / weight, judged.n / weight) <= judged.allowed


def passes_without(judged, doubtful):
    """Whether it passes with so many of the messages over the limit counted as within: what is left of them is no
    longer a run than they are many."""
    late = max(judged.k - doubtful, 0)
    weight = min(judged.pass_weight, max(judged.per_stall, late, 1))
    return judged.n > 0 and upper_bound(late / weight, judged.n / weight) <= judged.allowed


def fails_without(judged, doubtful):
    """Whether it fails with so many of the messages over the limit counted as within."""
    over = max(judged.certain - doubtful, 0)
    return lower_bound(over / judged.fail_weight, judged.n / judged.fail_weight) > judged.allowed


def upper_bound(k, n):
    return 1.0 if k >= n else float(beta.ppf(0.95, k + 1, n - k))


def lower_bound(k, n):
    return 0.0 if k <= 0 else float(beta.ppf(0.05, min(k, n), n - min(k, n) + 1))


def estimate(messages, late):
    """The design effect: the largest over blocks that are joined while 20 of them remain."""
    n, k = int(messages.sum()), int(late.sum())
    if k <= 1 or k >= n:
        return 1.0
    share, largest, count = k / n, 1.0, len(messages)
    while count >= 20:
        join = np.arange(len(messages)) * count // len(messages)
        inside = np.bincount(join, messages)
        squares = np.sum((np.bincount(join, late) - share * inside) ** 2)
        variance = squares * count / (count - 1) / n**2
        largest = max(largest, variance / (share * (1 - share) / (n - 1)))
        count //= 2
    return float(largest)


def nearest_rank(ascending, share):
    """numpy's inverted_cdf on whole numbers."""
    rank = int(np.clip(np.ceil(len(ascending) * share), 1, len(ascending)))
    return int(ascending[rank - 1])


def rank_of_bound(n, coverage):
    """The order statistic that lies above the quantile at 95 %, from 1; None if n is too small."""
    low, high = 0, n
    passes = lambda k: upper_bound(k, n) <= 1 - coverage
    if not n or not passes(0):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return n - low


def type_7(ascending, share):
    values = np.where(ascending == INFINITE, np.inf, ascending.astype(float))
    place = (len(values) - 1) * share
    low = int(np.floor(place))
    part, high = place - low, min(low + 1, len(values) - 1)
    if part == 0 or values[low] == values[high]:
        return float(values[low])
    return float(values[low] + (values[high] - values[low]) * part)


def tukey(ascending):
    """Whisker, quartile, median, quartile, whisker; None if a quarter is lost."""
    q1, median, q3 = (type_7(ascending, share) for share in (0.25, 0.5, 0.75))
    if not np.isfinite(q3):
        return None
    values = np.where(ascending == INFINITE, np.inf, ascending.astype(float))
    reach = 1.5 * (q3 - q1)
    inside = values[(values >= q1 - reach) & (values <= q3 + reach)]
    return [float(inside.min()), q1, median, q3, float(inside.max())]
