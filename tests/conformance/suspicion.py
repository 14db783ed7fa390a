"""The ranking of `suspicion` again by numpy, from the run folder alone.

The check inverts sums of products by factors of its own and takes each score from the distribution
of one error. Here least squares are solved by singular values over rows for readings and priors, and
each score is the difference of two whole likelihoods of the balance, by determinants of the
covariances of all intervals. Compared are the losses with their uncertainty, every household's score,
error and ratio by voltages, who is under suspicion, and the verdict.
"""

import csv
import fnmatch
import os

import numpy as np

from peer.bench import Comparison, runs
from peer.record import Run, suite_run_folders

CONSUMED = "electricity.energy.active.consumed.total"
INJECTED = "electricity.energy.active.injected.total"
VOLTAGE = "electricity.voltage.rms."
COMMON = 4


def readings(one, check):
    """Households, their power and voltage, what was supplied at which voltage, and the seconds."""
    places = {device["name"]: device["at"] for device in one.facts["devices"]}
    infeeds = [name for name in places if fnmatch.fnmatchcase(name, check["substation"])]
    homes = [name for name, at in places.items() if name not in infeeds and at.startswith("load:")
             and fnmatch.fnmatchcase(name, check.get("homes", "*"))]
    held = {}
    for device, epoch, _, quantity, _, time, reference, reported in one.observations():
        if not (reference and reported) or device not in homes + infeeds:
            continue
        own = held.setdefault(time, {}).setdefault(device, {"epoch": epoch, "voltages": []})
        if quantity == CONSUMED:
            own["consumed"] = float(reported)
        elif quantity == INJECTED:
            own["injected"] = float(reported)
        elif quantity.startswith(VOLTAGE):
            own["voltages"].append(float(reported))
    times = sorted(held)
    instants = [np.datetime64(time.removesuffix("Z")).astype("datetime64[ns]").astype(int) for time in times]
    steps = np.diff(instants)
    rows = []
    for at in range(1, len(times)):
        before, now = held[times[at - 1]], held[times[at]]
        names = homes + infeeds
        whole = steps[at - 1] == steps.min() and all(
            name in both and {"consumed", "injected"} <= both[name].keys()
            for name in names for both in (before, now))
        if whole and all(before[name]["epoch"] == now[name]["epoch"] for name in names) and all(
                now[name]["voltages"] for name in homes):
            energy = [now[name]["consumed"] - now[name]["injected"] - before[name]["consumed"]
                      + before[name]["injected"] for name in names]
            voltages = [np.mean(now[name]["voltages"]) if now[name]["voltages"] else np.nan for name in names]
            rows.append((np.array(energy) * 1e9 / steps.min(), voltages))
    power = np.array([row[0] for row in rows])
    voltage = np.array([row[1] for row in rows])
    count = len(homes)
    supply = voltage[:, count:].mean(axis=1)
    return (homes, power[:, :count], voltage[:, :count], power[:, count:].sum(axis=1),
            None if np.isnan(supply).any() else supply, steps.min() / 1e9)


def solve(rows, values, prior_sd):
    """Least squares over rows and what is known before, and the covariance for unit variance."""
    known = np.vstack([rows, np.diag(1.0 / np.asarray(prior_sd))])
    all_values = np.concatenate([values, np.zeros(len(prior_sd))])
    # Columns of like size, so that none is taken for nothing.
    scale = np.linalg.norm(known, axis=0)
    inverse = np.linalg.pinv(known / scale, rcond=1e-15) / scale[:, None]
    return inverse @ all_values, inverse @ inverse.T


def by_voltages(current, voltage, supply):
    """The drops of voltages, and the logarithms of currents' ratios with their deviations."""
    count, homes = current.shape
    columns = [np.ones(count)] + ([] if supply is None else [supply / supply.mean() - 1.0])
    first = len(columns)
    rows = np.column_stack(columns + [-current])
    ridge = 1e-6 * np.sum(current ** 2) / homes
    sd = np.concatenate([[1e12], np.full(first - 1, (1e-9 * count) ** -0.5), np.full(homes, ridge ** -0.5)])
    _, inverse = solve(rows, np.zeros(count), sd)
    found = np.column_stack([solve(rows, voltage[:, home], sd)[0] for home in range(homes)])
    drop = rows[:, :first] @ found[:first] - voltage
    spread = np.sum((voltage - rows @ found) ** 2, axis=0) / (count - first - homes)
    effect = found[first:].T
    deviation = np.sqrt(np.outer(spread, np.diag(inverse)[first:]))
    pairs, values, weights = [], [], []
    for one in range(homes):
        for other in range(one):
            both = [(other, one), (one, other)]
            if all(effect[pair] > 3.0 * deviation[pair] for pair in both):
                variance = sum((deviation[pair] / effect[pair]) ** 2 for pair in both) + 0.02 ** 2
                row = np.zeros(homes)
                row[one], row[other] = 1.0, -1.0
                pairs.append(row)
                values.append(np.log(effect[other, one] / effect[one, other]))
                weights.append(variance ** -0.5)
    weights = np.array(weights)
    ratio, covariance = solve(np.reshape(pairs, (-1, homes)) * weights[:, None], np.array(values) * weights,
                              np.full(homes, 0.5))
    centre = np.eye(homes) - 1.0 / homes
    return drop, ratio - np.median(ratio), np.sqrt(np.diag(centre @ covariance @ centre))


def normal(value, variance):
    return -0.5 * (np.log(variance) + value ** 2 / variance)


class Model:
    """The balance of a feeder."""

    def __init__(self, homes, power, voltage, supplied, supply, class_):
        current = power / voltage
        drop, self.ratio, self.ratio_sd = by_voltages(current, voltage, supply)
        moved = np.sum(np.diff(current, axis=0) * np.diff(drop, axis=0), axis=1) / 4.0
        movement = (np.append(moved[0], moved) + np.append(moved, moved[-1])) / 2.0
        lost = np.sum(current * drop, axis=1) + 1.5 * movement
        total = power.sum(axis=1)
        square = total ** 2 * lost.mean() / np.mean(total ** 2)
        self.homes, self.power, self.movement, self.lost = homes, power, movement.mean(), lost
        self.supplied, self.total = supplied, total
        self.rows = np.column_stack([np.ones(len(total)), lost, square, total, power])
        self.balance = supplied - total - 0.9 * lost
        sd = class_ / np.sqrt(3.0)
        self.sd = np.concatenate([[1e5, 0.05, 0.05, sd / 2.0], np.full(len(homes), sd)])
        usual = self.ratio_sd ** 2
        self.of_ratio = normal(self.ratio, usual + 1.0) - normal(self.ratio, usual + 0.05 ** 2)

    def fit(self, free, variance):
        sd = self.sd.copy()
        sd[[COMMON + home for home in free]] = 1.0
        return solve(self.rows / np.sqrt(variance), self.balance / np.sqrt(variance), sd)

    def likelihood(self, free, variance):
        sd = self.sd.copy()
        sd[[COMMON + home for home in free]] = 1.0
        covariance = (self.rows * sd ** 2) @ self.rows.T + variance * np.eye(len(self.balance))
        _, determinant = np.linalg.slogdet(covariance)
        return -0.5 * (determinant + self.balance @ np.linalg.solve(covariance, self.balance))

    def scores(self, free):
        variance, count = np.var(self.balance), len(self.balance)
        for _ in range(40):
            usual = self.likelihood(free, variance)
            score = np.array([-np.inf if home in free else self.likelihood(free + [home], variance) - usual
                              for home in range(len(self.homes))]) + self.of_ratio
            found, covariance = self.fit(free + [int(np.argmax(score))], variance)
            left = self.balance - self.rows @ found
            freedom = max(count - np.sum((self.rows @ covariance) * self.rows) / variance, count / 4.0)
            alike = min(max(left[1:] @ left[:-1] / (left @ left), 0.0), 0.9)
            before, variance = variance, left @ left / freedom * (1.0 + alike) / (1.0 - alike)
            if abs(variance - before) < 1e-6 * before:
                break
        return variance, score

    def losses(self, found, covariance):
        weights = np.zeros(len(found))
        weights[:3] = self.rows[:, :3].mean(axis=0)
        lost = weights @ found + 0.9 * self.lost.mean()
        return lost, 2.0 * np.sqrt(weights @ covariance @ weights + (0.25 * self.movement) ** 2
                                   + (0.015 * lost) ** 2)

    def rank(self):
        """Who is under suspicion, all scores, and what they rest on."""
        free, scores, undecided = [], {}, None
        while True:
            variance, score = self.scores(free)
            best, runner_up = np.argsort(-score)[:2]
            if score[best] >= 10.0 and len(free) < 5:
                found, covariance = self.fit(free + [int(best)], variance)
                missing = found[COMMON + best] * self.power[:, best].mean()
                if score[best] - score[runner_up] >= 5.0 and abs(missing) >= self.losses(found, covariance)[1]:
                    scores[int(best)] = score[best]
                    free.append(int(best))
                    continue
                undecided = int(best)
            break
        found, covariance = self.fit(free, variance)
        scores.update({home: score[home] for home in range(len(self.homes)) if home not in free})
        return free, scores, undecided, found, covariance


def verdict_of(model, check, found):
    """The status, and how many households are judged otherwise than expected."""
    free, _, undecided, errors, covariance = found
    names, expected = [model.homes[home] for home in free], check.get("suspects", [])
    lost, uncertainty = model.losses(errors, covariance)
    missing = sum(errors[COMMON + home] * model.power[:, home].mean() for home in free)
    left = model.supplied.mean() - model.total.mean() - lost - missing
    is_open = undecided is not None or abs(left) > uncertainty + model.class_ * np.abs(model.supplied).mean()
    wrong = len(set(names) ^ set(expected))
    if set(names) - set(expected):
        return "fail", wrong
    if uncertainty > 0.1 * lost or is_open:
        return "inconclusive", wrong
    if wrong == 0 and names[:1] != expected[:1]:
        return "fail", 1
    return ("fail" if wrong else "pass"), wrong


def compare(comparison, one, check, name):
    homes, power, voltage, supplied, supply, seconds = readings(one, check)
    number, unit = check.get("class", "0.5 %").split()
    class_ = float(number) * {"%": 1e-2, "ppm": 1e-6}[unit]
    model = Model(homes, power, voltage, supplied, supply, class_)
    model.class_ = class_
    found = free, scores, _, errors, covariance = model.rank()
    kwh = seconds * len(power) / 3.6e6
    lost, uncertainty = model.losses(errors, covariance)
    path = one.path("figures", f"suspicion-{check['name']}.csv")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    comparison.same(f"{name}: households", sorted(row["home"] for row in rows), sorted(homes))
    suspected = [row["home"] for row in rows if row["suspected"] == "yes"]
    comparison.same(f"{name}: under suspicion", suspected, [homes[home] for home in free])
    for key, value in (("losses_kwh", lost * kwh), ("uncertainty_kwh", uncertainty * kwh),
                       ("unaccounted_kwh", (supplied.mean() - model.total.mean() - lost) * kwh)):
        comparison.close(f"{name}: {key}", float(rows[0][key]), value, 1e-5 * lost * kwh, "kWh")
    correlated = model.balance - model.rows[:, :3] @ errors[:3]
    worst = dict.fromkeys(("score", "takes_times_reported", "missing_kwh", "by_voltages", "correlation"), 0.0)
    for row in rows:
        home = homes.index(row["home"])
        error = errors[COMMON + home]
        values = {"score": scores[home], "takes_times_reported": 1.0 + error,
                  "missing_kwh": error * power[:, home].mean() * kwh, "by_voltages": np.exp(model.ratio[home]),
                  "correlation": np.corrcoef(correlated, power[:, home])[0, 1]}
        for key, value in values.items():
            worst[key] = max(worst[key], abs(float(row[key]) - value) / max(1.0, abs(value)))
    for key, off in worst.items():
        comparison.close(f"{name}: {key} of {len(rows)}", off, 0.0, 1e-4)
    verdict = next(verdict for verdict in one.verdicts if verdict["check"] == check["name"])
    status, wrong = verdict_of(model, check, found)
    comparison.same(f"{name}: status", verdict["status"], status)
    comparison.same(f"{name}: judged otherwise", verdict["measured"], wrong)
    comparison.same(f"{name}: households judged", verdict["n"], len(homes))


def main():
    comparison = Comparison()
    root = runs()
    for folder in suite_run_folders(root):
        with open(os.path.join(folder, "scenario.toml"), encoding="utf-8") as file:
            if 'kind = "suspicion"' not in file.read():
                continue
        one = Run(folder)
        for check in one.scenario["check"]:
            if check["kind"] == "suspicion":
                compare(comparison, one, check, f"{os.path.relpath(folder, root)}/{check['name']}")
    comparison.end()


if __name__ == "__main__":
    main()
