"""Storms as the outage detector was fed with them and what it reported, counted again.

An example writes fifty storms: networks, faults, what each meter sent, reports. Who was in the dark is found here by
walking each network from its source phase by phase, who was reported from the reports alone, and the F1 of both when
each fault's window has closed and when each meter's next reading was due. For the first window of each storm the
weights of all meters are computed again from what they sent, and the largest sum of any choice of areas by a search
from the source down that keeps what it has found; what was reported has to be worth as much. With reports of a wrong
element, without the prior of areas, and with gasps that weigh nothing it has to differ.

    outage_recount.py [FILE]        FILE has the storms; left out, they are written by the example
"""

import collections
import functools
import itertools
import json
import math
import subprocess
import sys

from peer.bench import Comparison, example

WINDOW_S, GASP_S, PERIOD_S, GRACE_S = 30.0, 8.0, 900.0, 60.0
# A meter that works may have had its supply so long before.
HOLD_UP_S = 2.0
GASP = math.log(0.9 / 0.01)
NO_GASP = math.log(0.1 / 0.99)
HEARD = math.log(0.01 / 0.98)
MISSING = math.log(0.99 / 0.02)
AREA, PARTIAL = -math.log(1e-3), -math.log(0.5)
FINAL = ("restored", "withdrawn")


def dark(storm, at):
    """The meters of which every phase is cut off at an instant."""
    faults = {(kind, name): set(phases) for kind, name, phases, since, until in storm["faults"] if since <= at < until}
    lit = collections.defaultdict(set)
    for phase in "abc":
        beside = collections.defaultdict(list)
        for kind, name, one, other, phases in storm["branches"]:
            if phase in phases and phase not in faults.get((kind, name), ()):
                beside[one].append(other)
                beside[other].append(one)
        open_nodes = list(storm["sources"])
        while open_nodes:
            node = open_nodes.pop()
            if phase not in lit[node]:
                lit[node].add(phase)
                open_nodes += beside[node]
    loads = {name for name, node, wires in storm["loads"] if not lit[node] & set(wires)}
    return {meter for meter, load, _ in storm["meters"] if load in loads}


def reported(storm, at):
    """The meters that are in the dark by the last report of each outage until an instant."""
    last = {report["number"]: report for report in storm["reports"] if report["at"] <= at}
    return {
        meter
        for report in last.values()
        if report["state"] not in FINAL
        for meter in set(report["expected"]) - set(report["contradicted"]) - set(report["restored"])
    }


def f1(storms, instants):
    """Pooled over all meters at all instants of all storms."""
    right = wrong = left = 0
    for storm in storms:
        for at in instants(storm):
            truth, found = dark(storm, at), reported(storm, at)
            right += len(truth & found)
            wrong += len(found - truth)
            left += len(truth - found)
    return 2 * right / (2 * right + wrong + left)


def closed(storm):
    """For each fault when its window has closed."""
    return [since + GASP_S + WINDOW_S for *_, since, _ in storm["faults"]]


def due(storm):
    """For each fault when readings of all were due; after the window of one that has just happened then."""
    begun = sorted(fault[3] for fault in storm["faults"])
    for since in begun:
        at = since + PERIOD_S + GRACE_S + 6
        for other in begun:
            at = other + GASP_S + WINDOW_S if other < at < other + GASP_S + WINDOW_S else at
        yield at


def weights(storm, gasp_weight):
    """When the first window closes, and of each load the weight for it being in the dark; none without a gasp."""
    opened = next((at for at, _, sign, _ in storm["signs"] if sign == "gasp"), None)
    if opened is None:
        return None, {}
    gasps, heard, missing, behind = {}, set(), collections.Counter(), collections.Counter()
    for at, meter, sign, date in storm["signs"]:
        if at > opened + WINDOW_S:
            break
        if sign == "gasp":
            gasps[meter] = date
            heard.discard(meter)
            missing[meter] = 0
        elif sign == "missing" and at >= opened:
            missing[meter] += 1
        elif sign == "reading":
            late, is_steady = at - date, abs(at - date - behind[meter]) <= WINDOW_S
            is_after = meter not in gasps or date - HOLD_UP_S > gasps[meter]
            if is_after:
                # A clock that is wrong by as much as before is put right.
                dated = at if is_steady and abs(late) > WINDOW_S else min(date, at)
                behind[meter] = late
                if meter in gasps or dated - HOLD_UP_S > opened:
                    gasps.pop(meter, None)
                    heard.add(meter)
                    missing[meter] = 0
    of_load = {}
    for meter, load, is_equipped in storm["meters"]:
        weight = gasp_weight if meter in gasps else NO_GASP if is_equipped else 0.0
        of_load[load] = weight + HEARD * (meter in heard) + MISSING * min(missing[meter], 3)
    return opened + WINDOW_S, of_load


def subsets(phases):
    return itertools.chain.from_iterable(itertools.combinations(phases, count) for count in range(len(phases) + 1))


class Tree:
    """A network from its source down, and what choices of areas in it are worth."""

    def __init__(self, storm, of_load, area):
        self.area = area
        beside = collections.defaultdict(list)
        for kind, name, one, other, phases in storm["branches"]:
            beside[one].append(((kind, name), other, phases))
            beside[other].append(((kind, name), one, phases))
        self.below, self.own = collections.defaultdict(list), {}
        loads = collections.defaultdict(list)
        for name, node, wires in storm["loads"]:
            loads[node].append((name, wires))
        (root,) = storm["sources"]
        self.top = ("source", "")
        open_nodes, seen = [(self.top, root)], {root}
        self.phases = {self.top: "abc"}
        while open_nodes:
            element, node = open_nodes.pop()
            for name, wires in loads[node]:
                load = ("load", name)
                self.below[element].append(load)
                self.own[load] = (frozenset(wires), of_load[name])
                self.phases[load] = wires
            for branch, other, phases in beside[node]:
                if other not in seen:
                    seen.add(other)
                    self.below[element].append(branch)
                    self.phases[branch] = phases
                    open_nodes.append((branch, other))

    def passed(self, element, above):
        return frozenset() if element[0] == "transformer" and len(above) < 3 else above

    def signs(self, element, out):
        wires, weight = self.own.get(element, (frozenset("abc"), 0.0))
        return weight if wires <= out else 0.0

    def most(self):
        """The largest worth of any choice."""

        @functools.cache
        def best(element, above):
            above = self.passed(element, above)
            found = []
            for added in subsets(sorted(frozenset("abc") - above)):
                out = above | frozenset(added)
                cost = (self.area + PARTIAL * (len(added) < 3)) if added else 0.0
                below = sum(best(child, out) for child in self.below[element])
                found.append(self.signs(element, out) + below - cost)
            return max(found)

        return best(self.top, frozenset())

    def worth(self, areas):
        """Of areas as they are reported: phases that an element does not have are out with those that it has."""
        put = {}
        for kind, name, phases in areas:
            element = ("source", "") if kind == "source" else (kind, name)
            put[element] = frozenset("abc") if set(phases) == set(self.phases[element]) else frozenset(phases)
        total, open_elements = 0.0, [(self.top, frozenset())]
        while open_elements:
            element, above = open_elements.pop()
            above = self.passed(element, above)
            added = put.get(element, frozenset()) - above
            total -= (self.area + PARTIAL * (len(added) < 3)) if added else 0.0
            total += self.signs(element, above | added)
            open_elements += [(child, above | added) for child in self.below[element]]
        return total


def upstream(storm, areas):
    """The same areas, the first of a line moved to a line beside it: what a wrong report would be."""
    lines = [name for kind, name, *_ in storm["branches"] if kind == "line"]
    moved = [[kind, lines[lines.index(name) - 1], phases] if kind == "line" else [kind, name, phases]
             for kind, name, phases in areas]
    return moved if moved != areas else areas


def deviations(storms, area=AREA, gasp_weight=GASP, change=lambda storm, areas: areas):
    """Of each first window how much more the best choice is worth than what was reported."""
    for storm in storms:
        at, of_load = weights(storm, gasp_weight)
        if at is None:
            continue
        # Where all had gasped or were heard it was closed early.
        reports = [it for it in storm["reports"] if it["at"] <= at + 1e-6]
        areas = [area for it in reports for area in it["areas"]]
        tree = Tree(storm, of_load, area)
        yield storm["storm"], len(areas), tree.most() - tree.worth(change(storm, areas))


def main():
    sys.setrecursionlimit(10_000)
    if len(sys.argv) > 1:
        with open(sys.argv[1], encoding="utf-8") as file:
            text = file.read()
    else:
        text = subprocess.run([example("outage_storms")], stdout=subprocess.PIPE, text=True, check=True).stdout
    storms = [json.loads(line) for line in text.splitlines()]
    comparison = Comparison()
    comparison.same("storms", len(storms), 50)
    early, late = f1(storms, closed), f1(storms, due)
    comparison.true("F1 when the window has closed", early >= 0.95, f"{early:.4f}")
    comparison.true("F1 when all readings were due", late >= 0.98, f"{late:.4f}")
    with_areas = 0
    for number, count, more in deviations(storms):
        with_areas += count > 0
        comparison.true(f"storm {number}: no choice is worth more", abs(more) < 1e-3, f"{count} areas, {more:.6f}")
    comparison.true("storms with areas in the first window", with_areas >= 30, with_areas)
    for what, wrong in [
        ("areas moved to a line beside", deviations(storms, change=upstream)),
        ("no prior of areas", deviations(storms, area=0.0)),
        ("gasps that weigh nothing", deviations(storms, gasp_weight=0.0)),
    ]:
        comparison.true(f"{what}: found", any(abs(more) > 1e-3 for *_, more in wrong))
    comparison.end()


if __name__ == "__main__":
    main()
