"""A day of one home by each strategy that its customer may choose: cost, own share and peak side by side.

Of the cases of the scenario can-strategies, from the plant's registers at the feed-in and at the roof by quarter of an
hour and the prices that the platform was given: what the day costs, which share of the home's own production is used
in it, and the highest mean power of a quarter. Each strategy has to be better in its own measure than both others. If
any two or all of the strategies change places, that has to be found.

    can_strategies.py [FOLDER]        FOLDER has the scenario's run folders; left out, it is run
"""

import collections
import csv
import datetime
import itertools
import sys
import tempfile

from peer.bench import Comparison, run
from peer.record import Run, run_folders

SCENARIO = "scenarios/library/can-strategies.toml"
SLOT_S, DAY_S = 900, 86_400
# The column of the table in which a strategy has to be best, and whether the highest value is.
OWN_MEASURE = {"least cost": (0, False), "most own energy": (1, True), "lowest peak": (2, False)}


def steps(values):
    return [after - before for before, after in zip([0.0, *values], values)]


def price(scenario, token, at):
    """What a feed of the scenario has at an instant, per kWh."""
    feed = next(one["body"] for one in scenario["request"] if one.get("body", {}).get("token") == token)
    return [value for since, value in feed["points"] if datetime.datetime.fromisoformat(since) <= at][-1]


def measures(day):
    """Cost in EUR, share of production that was used at home, highest mean power of a slot in W."""
    found = collections.defaultdict(list)
    with open(day.path("signals.csv"), newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["signal"]].append(float(row["value"]))
    taken, fed_in, produced = (steps(found[name]) for name in ("taken", "fed-in", "produced"))
    scenario, cost = day.scenario, 0.0
    for slot, (bought, sold) in enumerate(zip(taken, fed_in, strict=True)):
        at = scenario["scenario"]["start"] + datetime.timedelta(seconds=slot * SLOT_S)
        cost += (bought * price(scenario, "spot", at) - sold * price(scenario, "paid", at)) / 3.6e6
    peak_w = max(bought - sold for bought, sold in zip(taken, fed_in)) / SLOT_S
    return len(taken), (cost, 1 - sum(fed_in) / sum(produced), peak_w)


def faults(table):
    """Each strategy with another one that is as good in its measure, or better."""
    found = []
    for own, (column, is_highest) in OWN_MEASURE.items():
        sign = -1 if is_highest else 1
        for other, values in table.items():
            if other != own and sign * values[column] <= sign * table[own][column]:
                found.append((own, other))
    return found


def main():
    comparison, table = Comparison(), {}
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:]:
            folder = sys.argv[1]
        else:
            run("run", SCENARIO, "--out", f"{folder}/days")
        for path in run_folders(folder):
            day = Run(path)
            decisions = [one for one in day.events() if one["kind"] == "household_decision"]
            chosen = [one["strategy"] for one in decisions if (one["action"], one["reason"]) == ("strategy", "customer")]
            comparison.same(f"{path.rsplit('/', 1)[-1]}: choices over the page", len(chosen), 1)
            strategy = chosen[0] if chosen else path
            moved = {one["strategy"] for one in decisions if (one["action"], one["reason"]) == ("close", "plan")}
            comparison.same(f"{strategy}: loads start by it", moved, {strategy})
            slots, table[strategy] = measures(day)
            comparison.same(f"{strategy}: quarters of an hour", slots, DAY_S // SLOT_S)
    comparison.same("strategies", set(table), set(OWN_MEASURE))
    print(f"{'':<18}{'cost in EUR':>12}{'own share':>12}{'peak in W':>12}")
    for strategy, (cost, share, peak_w) in table.items():
        print(f"{strategy:<18}{cost:>12.2f}{share:>11.1%} {peak_w:>12.0f}")
    comparison.same("strategies that are not best in their measure", faults(table), [])
    for order in itertools.permutations(table):
        if order != tuple(table):
            swapped = dict(zip(table, (table[name] for name in order)))
            comparison.true(f"must fail: {', '.join(order)} in their places", faults(swapped) != [])
    comparison.end()


if __name__ == "__main__":
    main()
