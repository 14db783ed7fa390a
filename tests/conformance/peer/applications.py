"""What applications of the grid conclude, judged again from the events of a record."""

from peer.record import is_named


def share(text):
    """A share that is written as a number or in percent."""
    number = text.removesuffix("%").strip()
    return float(number) / 100 if text.endswith("%") else float(number)


class OutageArea:
    """Meters that are held for being without supply, against those that are."""

    device = "*"
    types = ("supply.failed", "supply.returned", "outage.detected", "outage.changed", "outage.restored",
             "result.outage")

    def __init__(self, check, amount, seconds):
        self.application = check.get("application", "*")
        span = lambda key, default: float(amount(str(check.get(key, default)))[0])
        self.within, self.back = span("within", "35 s"), span("back", "2 min")
        self.least = share(str(check.get("f1", "95 %")))
        self.seconds = lambda text: float(seconds(text))
        self.losses, self.open, self.versions = [], {}, {}
        self.announced, self.raised = set(), {}
        self.claimed, self.works, self.interrupted = {}, [], []

    def begin(self, run):
        self.end = self.seconds(run.facts["end"])
        self.loads = {it["name"]: it["at"].removeprefix("load:") for it in run.facts["devices"]}
        self.metered = {it["at"].removeprefix("load:") for it in run.facts["devices"] if it["at"].startswith("load:")}

    def row(self, *_):
        pass

    def event(self, event):
        kind, at = event["kind"], self.seconds(event["time"])
        if kind == "supply_lost":
            self.open.setdefault(event["device"], []).append(at)
        elif kind == "supply_returned":
            self.losses.extend((event["device"], lost, at) for lost in self.open.pop(event["device"], []))
        elif kind == "interruption":
            span = (event["load"], at, at + event["duration_s"])
            self.interrupted.append(span)
            if event["is_planned"]:
                self.works.append(span)
        elif not is_named(event.get("device") or "", self.application):
            return
        elif kind == "alert" and event["type"] == "outage.detected":
            key = (event["device"], event["metadata"].get("outage", ""))
            self.raised[key] = self.raised.get(key, 0) + 1
        elif kind == "result" and event["result"] == "outage":
            content, key = event["content"], (event["device"], event["subject"])
            over = content["state"] in ("restored", "withdrawn")
            held = set() if over else set(content["expected"]) - set(content["restored"])
            self.versions.setdefault(key, []).append((at, held))
            if not over and content.get("planned"):
                self.claimed.setdefault(key, (at, held))
            elif not over:
                self.announced.add(key)

    def held_at(self, at):
        for key, versions in self.versions.items():
            until = [held for made, held in versions if made <= at]
            if until:
                yield key, until[-1]

    def counted(self):
        losses = self.losses + [(m, lost, None) for m, all_of in self.open.items() for lost in all_of]
        instants, found, missed = {self.end}, 0, 0
        made = sorted({made for versions in self.versions.values() for made, _ in versions})
        held_after = [set().union(*(held for _, held in self.held_at(at))) for at in made]
        for meter, lost, back in losses:
            if back is not None:
                instants.add(back + self.back + 1e-6)
            first, until = lost + self.within, self.end if back is None else back
            # Once more after each result by which it is given up.
            given_up = [at for at, before, after in zip(made[1:], held_after, held_after[1:])
                        if meter in before and meter not in after and first < at < until]
            for at in [first] + [at + self.within for at in given_up]:
                if at > until:
                    continue
                instants.add(at)
                is_held = any(meter in held for _, held in self.held_at(at))
                found, missed = found + is_held, missed + (not is_held)
        instants.update(made for versions in self.versions.values() for made, _ in versions)
        left, wrong = self.unjudged(), set()
        for at in sorted(instants):
            if at > self.end:
                continue
            holders = {}
            for key, held in self.held_at(at):
                for meter in held:
                    holders.setdefault(meter, []).append(key)
            for meter, keys in holders.items():
                dark = any(m == meter and lost <= at and (back is None or at <= back + self.back)
                           for m, lost, back in losses)
                # Who goes on although its load is dark is named rightly.
                dark = dark or any(self.loads.get(meter) == load and begun <= at <= until + self.back
                                   for load, begun, until in left)
                wrong.update((key, meter) for key in sorted(keys)[int(dark):])
        return found, missed, len(wrong)

    def was_planned(self, made, held):
        loads = {self.loads.get(meter) for meter in held}
        return any(load in loads and begun <= made <= until + self.back for load, begun, until in self.works)

    def unjudged(self):
        """Interruptions of `within` or more of loads with meters that all kept what they live on."""
        spells = self.losses + [(m, lost, self.end) for m, all_of in self.open.items() for lost in all_of]
        dark = [(self.loads.get(meter), lost, back) for meter, lost, back in spells]
        return [(load, begun, until) for load, begun, until in self.interrupted
                if load in self.metered and until - begun >= self.within - 1e-9
                and not any(own == load and lost <= until and back > begun for own, lost, back in dark)]

    def odd(self):
        due = self.announced | {key for key, claim in self.claimed.items() if not self.was_planned(*claim)}
        of_outages = sum(abs(self.raised.get(key, 0) - (key in due)) for key in self.versions)
        return of_outages + sum(n for key, n in self.raised.items() if key not in self.versions)

    def compare(self, comparison, name, verdict):
        found, missed, wrong = self.counted()
        n, odd = found + missed, self.odd()
        f1 = 2 * found / max(1, 2 * found + missed + wrong)
        comparison.same(f"{name} n", verdict["n"], n)
        measured = verdict["measured"]
        has_some = n + wrong > 0
        is_equal = measured is None if not has_some else abs(measured - 100 * f1) < 1e-9
        comparison.true(f"{name} F1", is_equal, (measured, 100 * f1))
        is_fine = f1 >= self.least and not odd
        status = "inconclusive" if not n + wrong + odd else "pass" if is_fine else "fail"
        comparison.same(f"{name} status", verdict["status"], status)
        unjudged = len(self.unjudged())
        stated = f"not judged: {unjudged} interruption{'s' * (unjudged > 1)} of" if unjudged else "not judged"
        comparison.true(f"{name} not judged", (stated in verdict["why"]) == bool(unjudged), (verdict["why"], unjudged))


class FaultDistance:
    """Places of faults, against where those are."""

    device = "*"
    types = ("supply.failed", "supply.returned", "fault.recorded", "fault.located", "result.fault")

    def __init__(self, check, amount, seconds):
        self.application = check.get("application", "*")
        self.mean_m, self.near_m = check["mean_m"], check["near_m"]
        self.found = share(str(check.get("found", "98 %")))
        self.soon = float(amount(str(check.get("soon", "5 s")))[0])
        self.seconds = lambda text: float(seconds(text))
        self.faults, self.strays, self.results, self.raised = {}, 0, set(), {}
        self.at_nodes = []
        self.has_storm = False

    def begin(self, run):
        self.end = self.seconds(run.facts["end"])

    def row(self, *_):
        pass

    def event(self, event):
        kind, at = event["kind"], self.seconds(event["time"])
        if kind == "inject" and event["inject"] == "line-fault":
            self.faults[at] = None
        elif kind == "inject" and event["inject"] == "node-fault":
            self.at_nodes.append(at)
        elif kind == "inject" and event["inject"] == "storm":
            self.has_storm = True
        elif not is_named(event.get("device") or "", self.application):
            return
        elif kind == "alert" and event["type"] == "fault.located":
            key = (event["device"], event["metadata"].get("fault", ""))
            self.raised[key] = self.raised.get(key, 0) + 1
        elif kind == "result" and event["result"] == "fault":
            content, truth = event["content"], event.get("truth") or {}
            if content["candidates"]:
                self.results.add((event["device"], event["subject"]))
            since = self.seconds(event["from"])
            if "at" not in truth:
                self.strays += not any(abs(since - node) <= 1.0 for node in self.at_nodes)
                return
            begun = self.seconds(truth["at"])
            # Located again while it lasts, it is a fault of that instant.
            is_again = abs(since - begun) > 1.0
            begun = since if is_again else begun
            # In real time a fault may begin a little later than planned.
            near = [one for one in self.faults if abs(one - begun) <= 1.0]
            begun = min(near, key=lambda one: abs(one - begun), default=begun if is_again else None)
            if self.faults.get(begun) is not None or begun is None:
                self.strays += 1
                return
            phases = truth["phases"].upper()
            wanted = {phases, phases + "G"} if len(phases) == 3 else {phases + "G" * truth["earth"]}
            self.faults[begun] = (at, truth["deviations_m"], content.get("loop") in wanted)

    def compare(self, comparison, name, verdict):
        due = {at: one for at, one in self.faults.items() if at + self.soon <= self.end}
        located = [one[1] for at, one in due.items()
                   if one and one[0] <= at + self.soon and one[1] and one[2]]
        odd = sum(abs(self.raised.get(key, 0) - 1) for key in self.results)
        odd += sum(n for key, n in self.raised.items() if key not in self.results)
        mean_m = sum(one[0] for one in located) / max(1, len(located))
        near = sum(any(m is not None and m <= self.near_m for m in one) for one in located)
        comparison.same(f"{name} n", verdict["n"], len(due))
        is_equal = verdict["measured"] is None if not located else abs(verdict["measured"] - mean_m) < 1e-9
        comparison.true(f"{name} mean", is_equal, (verdict["measured"], mean_m))
        is_fine = len(located) == len(due) and near >= self.found * len(due) and mean_m <= self.mean_m
        is_fine = is_fine and not self.strays + odd
        is_open = self.has_storm or not len(due) + self.strays + odd
        status = "inconclusive" if is_open else "pass" if is_fine else "fail"
        comparison.same(f"{name} status", verdict["status"], status)
