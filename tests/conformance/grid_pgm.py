"""Random networks solved by `lastmeter grid` and by power-grid-model, result by result.

Radial and meshed networks of 50 to 5,000 nodes, loaded unbalanced: lines with charging, earthed,
isolated and compensated star points, all vector groups that power-grid-model has, taps, shunts,
generators, constant power, current and impedance, lines open at one end, links, matrices, three
windings, islands without source. Both read the same file; power-grid-model solves by Newton to
1e-10. Every number of its output is compared, not just voltages.

Where a side of a transformer has no earth at all, zero-sequence voltages hang on a susceptance of
1e-8, in both programs: they agree to 1e-7 there and power-grid-model cannot reach 1e-10. Loads
of constant power against earth have several solutions at such a side; there are none.
"""

import json
import math
import random
import sys
import tempfile

import numpy as np
from power_grid_model import PowerGridModel
from power_grid_model.utils import json_deserialize

from peer.bench import run

VOLTAGE_PU, ANGLE_RAD, LOSSES, POWERS = 1e-6, 1e-6, 1e-6, 1e-6
# Currents of the noise at sides without earth flow through little impedance.
CURRENTS, CURRENTS_WITHOUT_EARTH = 1e-6, 1e-3
STAR, EARTHED_STAR, DELTA, ZIGZAG, EARTHED_ZIGZAG = range(5)
HIGH, MEDIUM, LOW = 110e3, 10e3, 400.0
KINDS = ["node", "line", "asym_line", "link", "transformer", "three_winding_transformer", "shunt",
         "source", "sym_load", "asym_load", "sym_gen", "asym_gen"]


class Builder:
    """A network in the making; the seed decides all of it."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.data = {kind: [] for kind in KINDS}
        self.volts = {}
        self.last = 0

    def add(self, kind, **attributes):
        self.last += 1
        self.data[kind].append({"id": self.last, **attributes})
        return self.last

    def node(self, volts):
        at = self.add("node", u_rated=volts)
        self.volts[at] = volts
        return at

    def line(self, a, b, closed=(1, 1)):
        if self.volts[a] > 1000:
            km, z1, z0 = self.random.uniform(0.05, 0.3), (0.3, 0.25), (0.9, 0.8)
        else:
            km, z1, z0 = self.random.uniform(0.01, 0.03), (0.2, 0.08), (0.6, 0.25)
        self.add("line", from_node=a, to_node=b, from_status=closed[0], to_status=closed[1],
                 r1=z1[0] * km, x1=z1[1] * km, c1=0.25e-6 * km, tan1=0.01,
                 r0=z0[0] * km, x0=z0[1] * km, c0=0.12e-6 * km, tan0=0.02, i_n=250.0)

    def transformer(self, a, b, power, windings, clock, **more):
        pick = self.random
        u1, u2 = self.volts[a], self.volts[b] * pick.uniform(1.0, 1.05)
        side = pick.choice([0, 1])
        attributes = dict(
            from_node=a, to_node=b, from_status=1, to_status=1, u1=u1, u2=u2, sn=power,
            uk=0.06 if power < 5e6 else 0.11, pk=power * 0.01, i0=0.004, p0=power * 0.0012,
            winding_from=windings[0], winding_to=windings[1], clock=clock, tap_side=side,
            tap_pos=pick.randint(-3, 3), tap_min=-5, tap_max=5, tap_nom=0,
            tap_size=(u2 if side else u1) * 0.0125,
            r_grounding_from=pick.choice([0.0, 1.5]), x_grounding_from=0.0,
            r_grounding_to=pick.choice([0.0, 0.01]), x_grounding_to=pick.choice([0.0, 0.02]))
        self.add("transformer", **(attributes | more))

    def load(self, node, power, kind=None):
        """Something that draws or delivers about this much."""
        pick = self.random
        kind = kind or pick.choice(["sym_load"] + 3 * ["asym_load"] + ["sym_gen", "asym_gen"])
        p = [power / 3 * pick.uniform(0.0, 2.0) for _ in range(3)]
        q = [0.3 * value for value in p]
        if kind.startswith("sym"):
            p, q = p[0] * 3, q[0] * 3
        self.add(kind, node=node, status=int(pick.random() < 0.97), type=pick.choice([0, 0, 0, 1, 2]),
                 p_specified=p, q_specified=q)

    def document(self):
        for rows in self.data.values():
            self.random.shuffle(rows)
        return {"version": "1.0", "type": "input", "is_batch": False, "attributes": {},
                "data": {kind: rows for kind, rows in self.data.items() if rows}}


def random_network(seed, nodes, ties):
    """A substation, medium-voltage feeders, low-voltage networks behind transformers."""
    net = Builder(seed)
    pick = net.random
    root, medium = net.node(HIGH), net.node(MEDIUM)
    net.add("source", node=root, status=1, u_ref=pick.uniform(1.0, 1.05),
            u_ref_angle=pick.uniform(-0.5, 0.5), sk=2e9, rx_ratio=0.1, z01_ratio=1.3)
    windings, clocks = pick.choice([((EARTHED_STAR, EARTHED_STAR), [0, 2, 6, 10]),
                                    ((DELTA, EARTHED_STAR), [1, 5, 11])])
    net.transformer(root, medium, 25e6, windings, pick.choice(clocks))
    regions = [[medium]]
    while len(net.volts) < nodes:
        if pick.random() < 0.03:
            low = net.node(LOW)
            windings, clocks = pick.choice([((DELTA, EARTHED_STAR), [1, 5, 7, 11]),
                                            ((EARTHED_STAR, EARTHED_STAR), [0, 6]),
                                            ((STAR, EARTHED_ZIGZAG), [1, 5, 11])])
            net.transformer(pick.choice(regions[0]), low, 630e3, windings, pick.choice(clocks))
            regions.append([low])
        else:
            region = regions[0] if pick.random() < 0.5 else pick.choice(regions)
            at = region[-1] if pick.random() < 0.8 else pick.choice(region)
            region.append(net.node(net.volts[at]))
            net.line(at, region[-1])
    for _ in range(ties):
        net.line(*pick.sample(pick.choice([region for region in regions if len(region) > 3]), 2))
    for region in regions:
        share = 4e6 / len(region) if region is regions[0] else min(2e3, 100e3 / len(region))
        for node in region:
            if pick.random() < 0.8:
                net.load(node, share)
            if pick.random() < 0.03:
                y = share / net.volts[node] ** 2
                net.add("shunt", node=node, status=1, g1=0.01 * y, b1=0.5 * y, g0=0.02 * y, b0=0.4 * y)
    return net, regions


def with_oddities(net, regions, by_phase):
    """What a usual network has not: sides without earth, open ends, links, three windings."""
    pick, medium = net.random, regions[0]
    for _ in range(3):
        at, link = pick.choice(medium), net.node(MEDIUM)
        net.add("link", from_node=at, to_node=link, from_status=1, to_status=1)
        net.load(link, 5e3)
        net.line(*pick.sample(medium, 2), closed=pick.choice([(0, 1), (1, 0), (0, 0)]))
    if by_phase:
        at, far = pick.choice(medium), net.node(MEDIUM)
        matrix = {"aa": (.06, .05), "ba": (.01, .02), "bb": (.062, .052), "ca": (.011, .018),
                  "cb": (.012, .022), "cc": (.058, .048)}
        figures = {f"{part}_{at}": value[which] for at, value in matrix.items()
                   for which, part in enumerate("rx")}
        net.add("asym_line", from_node=at, to_node=far, from_status=1, to_status=1, c0=2e-8, c1=4e-8,
                i_n=200.0, **figures)
        net.load(far, 20e3)
    for windings, clock in [((EARTHED_STAR, DELTA), 5), ((STAR, DELTA), 11), ((DELTA, DELTA), 6),
                            ((EARTHED_STAR, ZIGZAG), 1), ((STAR, STAR), 6), ((EARTHED_STAR, STAR), 0)]:
        far = net.node(3e3)
        net.transformer(pick.choice(medium), far, 1e6, windings, clock,
                        uk_min=.055, uk_max=.045, pk_min=8e3, pk_max=1e4)
        net.add("sym_load", node=far, status=1, type=1, p_specified=30e3, q_specified=9e3)
    far = net.node(LOW)
    net.transformer(pick.choice(medium), far, 4e5, (DELTA, EARTHED_STAR), 5, to_status=0)
    for third in (EARTHED_STAR, DELTA):
        second, low = net.node(3e3), net.node(LOW)
        net.add("three_winding_transformer", node_1=pick.choice(medium), node_2=second, node_3=low,
                status_1=1, status_2=1, status_3=1, u1=MEDIUM, u2=3e3, u3=LOW, sn_1=2e6, sn_2=1.5e6,
                sn_3=5e5, uk_12=.06, uk_13=.05, uk_23=.045, pk_12=1e4, pk_13=4e3, pk_23=4e3, i0=.004,
                p0=3e3, winding_1=EARTHED_STAR, winding_2=EARTHED_STAR, winding_3=third, clock_12=0,
                clock_13=1 if third == DELTA else 0, tap_side=0, tap_pos=2, tap_min=-5, tap_max=5,
                tap_nom=0, tap_size=100.0)
        net.load(second, 1e5, "asym_load")
        if third == EARTHED_STAR:
            net.load(low, 4e4, "asym_load")
    dead = [net.node(LOW), net.node(LOW)]
    net.line(*dead)
    net.load(dead[1], 1e3, "sym_load")


class Comparison:
    """The largest difference of each kind, and how many numbers went into it."""

    def __init__(self):
        self.worst, self.count, self.faults = {}, {}, []

    def take(self, what, found, expected, scale, limit, where):
        found, expected = np.asarray(found, float), np.asarray(expected, float)
        if found.shape != expected.shape:
            self.faults.append(f"{where}: {what} has shape {found.shape}, not {expected.shape}")
            return
        off = float(np.max(np.abs(found - expected))) / scale
        self.count[what] = self.count.get(what, 0) + expected.size
        self.worst[what] = max(self.worst.get(what, 0.0), off)
        if not off <= limit:
            self.faults.append(f"{where}: {what} is off by {off:.3g}, allowed {limit:g}")


def solve_here(path, by_phase):
    phases = ["--asym"] if by_phase else []
    return json.loads(run("grid", path, "--format", "json", "--tolerance", "1e-11", *phases))


def compare(name, net, by_phase, tolerance, result):
    text = json.dumps(net.document())
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(text)
        file.flush()
        here = solve_here(file.name, by_phase)
    model = PowerGridModel(json_deserialize(text), system_frequency=50.0)
    there = model.calculate_power_flow(symmetric=not by_phase, error_tolerance=tolerance,
                                       max_iterations=100)
    # Powers as a share of all that flows in, currents of what the same power draws.
    currents = CURRENTS if tolerance < 1e-9 else CURRENTS_WITHOUT_EARTH
    power = float(np.sum(np.hypot(there["source"]["p"], there["source"]["q"])))
    losses = 0.0
    for kind, rows in there.items():
        found = {row["id"]: row for row in here["data"].get(kind, [])}
        if len(rows) and len(found) != len(rows):
            result.faults.append(f"{name}: {len(found)} of {len(rows)} rows of {kind}")
        for row in rows:
            mine, where = found.get(row["id"]), f"{name} {kind} {row['id']}"
            if mine is None:
                continue
            for attribute in rows.dtype.names:
                value = row[attribute]
                if attribute in ("p_from", "p_to", "p_1", "p_2", "p_3"):
                    losses += float(np.sum(value))
                if attribute == "u_angle":
                    turn = np.subtract(mine[attribute], value)
                    turn = (turn + math.pi) % (2 * math.pi) - math.pi
                    result.take("angle, rad", turn, 0 * value, 1.0, ANGLE_RAD, where)
                elif attribute == "u_pu":
                    result.take("voltage, pu", mine[attribute], value, 1.0, VOLTAGE_PU, where)
                elif attribute == "energized":
                    result.take("energized", mine[attribute], value, 1.0, 0.0, where)
                elif attribute[:2] in ("p", "q", "s", "p_", "q_", "s_"):
                    result.take("power, share", mine[attribute], value, power, POWERS, where)
                elif attribute[:2] in ("i", "i_"):
                    scale = max(1.0, float(np.max(value)))
                    result.take("current, share", mine[attribute], value, scale, currents, where)
                elif attribute == "loading" and kind != "link":
                    result.take("loading", mine[attribute], value, 1.0, currents, where)
    expected = abs(losses)
    result.take("losses, share", here["lastmeter"]["losses_w"], losses, expected, LOSSES, name)


def main():
    result = Comparison()
    cases = [(seed, nodes, ties) for seed, (nodes, ties) in enumerate(
        [(50, 0), (50, 6), (120, 0), (120, 12), (300, 0), (300, 20), (1000, 0), (1000, 200),
         (5000, 0), (5000, 100)])]
    for seed, nodes, ties in cases:
        for by_phase in (True, False):
            net, _ = random_network(seed, nodes, ties)
            name = f"{nodes} nodes, {ties} ties, {'by phase' if by_phase else 'balanced'}"
            compare(name, net, by_phase, 1e-10, result)
    for seed in range(100, 108):
        for by_phase in (True, False):
            net, regions = random_network(seed, 80, seed % 4)
            with_oddities(net, regions, by_phase)
            name = f"oddities {seed}, {'by phase' if by_phase else 'balanced'}"
            compare(name, net, by_phase, 3e-8, result)
    for what, off in sorted(result.worst.items()):
        print(f"{what}: {result.count[what]} compared, largest difference {off:.2e}")
    for fault in result.faults[:30]:
        print(fault)
    enough = {"angle, rad", "current, share", "energized", "loading", "losses, share", "power, share",
              "voltage, pu"}
    if set(result.count) != enough or min(result.count.values()) < 2 * len(cases):
        sys.exit("less was compared than there is to compare")
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
