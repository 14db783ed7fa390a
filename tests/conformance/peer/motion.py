"""The checks of a network in motion, judged again from the record."""

import fnmatch
import re
from decimal import Decimal

from peer.record import is_named

# How far before the plant's own instant a meter may notice that its supply is gone.
EARLY = Decimal("0.05")
LATE = 10


class Outcome:
    """What is missing, too much and otherwise than it was."""

    def __init__(self):
        self.wanted, self.others, self.missing, self.surplus, self.wrong = 0, 0, 0, 0, 0
        self.may_lack, self.is_listed, self.expects_none = 0, True, False

    def compare(self, comparison, name, verdict):
        off = self.missing + self.surplus + self.wrong
        lacks = self.missing > self.may_lack
        if self.surplus or self.wrong:
            status = "fail"
        elif not self.is_listed:
            status = "inconclusive"
        elif lacks:
            status = "fail"
        elif self.wanted == 0 and not (self.expects_none and self.others):
            status = "inconclusive"
        else:
            status = "pass"
        comparison.exact(f"{name} off", verdict["measured"], off if self.is_listed else None)
        comparison.exact(f"{name} may lack", verdict["limit"], self.may_lack)
        comparison.same(f"{name} status", verdict["status"], status)


class Judged:
    """What the checks have in common: the run's start and end, the readings that came."""

    def __init__(self, check, amount, seconds):
        self.check, self.seconds = check, seconds
        self.number = lambda key, default: amount(str(check.get(key, default)))[0]
        self.exact = lambda text: sum(
            Decimal(repr(amount(part)[0])) for part in re.findall(r"[-+0-9.eE]+\s*[a-z]+", str(text)))
        self.device = check.get("device", "*")
        self.readings, self.is_listed = set(), True

    def begin(self, run):
        self.start, self.end = (self.seconds(run.facts[key]) for key in ("start", "end"))

    def row(self, device, epoch, serial, quantity, time, reference, reported):
        if reported is not None:
            self.readings.add((device, epoch, serial if serial else time))

    # The types of the alerts that it judges.
    types = ()

    def own_time(self, event):
        return self.seconds(event.get("event_time", event["time"]))

    def is_meant(self, device):
        return is_named(device, self.device)


class Supply(Judged):
    """`last_gasp` and `restored`."""

    def __init__(self, check, amount, seconds):
        super().__init__(check, amount, seconds)
        self.is_gasp = check["kind"] == "last_gasp"
        self.within = self.exact(check.get("within", "1 s"))
        self.share = self.number("at_least", "100 %") / 100.0
        self.wanted, self.alerts = [], []
        self.types = ["supply.failed" if self.is_gasp else "supply.returned"]

    def event(self, event):
        self.is_listed = self.is_listed and event["kind"] != "alerts_unreadable"
        kind, flag = ("supply_lost", "gasps") if self.is_gasp else ("supply_returned", "reports")
        alert = "supply.failed" if self.is_gasp else "supply.returned"
        if event["kind"] == "alert" and event["type"] == alert and self.is_meant(event["device"]):
            self.alerts.append((event["device"], self.own_time(event)))
        if event["kind"] == kind and event[flag] and self.is_meant(event["device"]):
            since = self.seconds(event["time"])
            until = since + Decimal(repr(float(event.get("boot_s", 0.0)))) + self.within
            self.wanted.append((not event.get("is_certain", True), len(self.wanted),
                                event["device"], since, until))

    def compare(self, comparison, name, verdict):
        outcome, left, missing = Outcome(), list(self.alerts), []
        for may_miss, _, device, since, until in sorted(self.wanted):
            fitting = [one for one in left if one[0] == device and since - EARLY <= one[1] <= until]
            if fitting:
                left.remove(fitting[0])
                outcome.wanted += not may_miss
            elif not may_miss and until <= self.end:
                outcome.wanted += 1
                missing.append((device, until))
        # A late one is missing, and not one too many besides.
        for device, until in missing:
            outcome.missing += 1
            late = [one for one in left
                    if one[0] == device and until <= one[1] <= until + LATE * self.within]
            if late:
                left.remove(late[0])
        outcome.surplus, outcome.is_listed = len(left), self.is_listed
        outcome.may_lack = int((1.0 - self.share) * outcome.wanted)
        outcome.others = len(self.readings)
        outcome.compare(comparison, name, verdict)
        others = outcome.others if outcome.expects_none else 0
        comparison.same(f"{name} n", verdict["n"], outcome.wanted + others)


class VoltageEvents(Judged):
    """`event`."""

    def __init__(self, check, amount, seconds):
        super().__init__(check, amount, seconds)
        self.what = check.get("what", ["dip", "swell", "interruption"])
        self.start_within = self.exact(check.get("start", "20 ms"))
        self.residual = self.number("residual", "0.2 %") / 100.0
        self.duration = self.number("duration", "20 ms")
        self.settle = self.exact(check.get("settle", "1 s"))
        self.none = check.get("none", False)
        self.truths, self.reported, self.unread, self.dark = [], [], 0, []
        self.types = [f"voltage.{what}" for what in self.what]

    def event(self, event):
        kind = event["kind"]
        self.is_listed = self.is_listed and kind != "alerts_unreadable"
        if kind == "voltage_event" and self.is_meant(event["device"]) and event["what"] in self.what:
            self.truths.append(event)
        elif kind == "alert" and event["type"].startswith("voltage."):
            what = event["type"].removeprefix("voltage.")
            if what not in self.what or not self.is_meant(event["device"]):
                return
            facts = event.get("metadata")
            if facts is None:
                # Of a run recorded before alerts had facts: what it reports is unknown.
                self.is_listed = False
                return
            try:
                self.reported.append((event["device"], what, facts["phase"], self.own_time(event),
                                      float(facts["residual_v"]), float(facts["duration_s"])))
            except (KeyError, ValueError):
                self.unread += 1
        elif kind == "supply_lost":
            self.dark.append([event["device"], self.seconds(event["time"]), None])
        elif kind == "supply_returned":
            last = [one for one in self.dark if one[0] == event["device"]][-1]
            if event.get("held_out"):
                # It was at work all the time, so it owes what it saw.
                self.dark.remove(last)
                return
            boot = Decimal(repr(float(event["boot_s"])))
            last[2] = self.seconds(event["time"]) + boot + self.settle

    def is_dark(self, device, since, until):
        return any(own == device and begun <= until and (ended is None or since <= ended)
                   for own, begun, ended in self.dark)

    def compare(self, comparison, name, verdict):
        outcome, left = Outcome(), list(self.reported)
        last = self.end - self.settle
        # What is certain takes its report first; what is not may be reported, also as several.
        truths = sorted(self.truths, key=lambda one: not one.get("is_certain", True))
        if self.none:
            outcome.wrong += sum(one.get("is_certain", True) for one in truths)
        for truth in [] if self.none else truths:
            device, time = truth["device"], self.seconds(truth["time"])
            spread = Decimal(repr(truth.get("spread_s", 0.0)))
            may_come = truth.get("most", 1)
            ends = time + Decimal(repr(truth["duration_max_s"]))
            fitting = [one for one in left
                       if one[:3] == (device, truth["what"], truth["phase"])
                       and abs(one[3] - time) <= self.start_within + spread]
            is_owed = (truth.get("is_certain", True) and ends <= last
                       and not self.is_dark(device, time, ends))
            outcome.wanted += is_owed
            while not truth.get("is_certain", True) and may_come > 1 and fitting:
                left.remove(fitting.pop(0))
                may_come -= 1
            if fitting:
                nearest = min(fitting, key=lambda one: abs(one[3] - time))
                left.remove(nearest)
                more = self.residual * truth["declared_v"]
                is_right = (truth["residual_min_v"] - more <= nearest[4] <= truth["residual_max_v"] + more
                            and truth["duration_min_s"] - self.duration <= nearest[5]
                            <= truth["duration_max_s"] + self.duration)
                outcome.wrong += is_owed and not is_right
            else:
                outcome.missing += is_owed
        for device, _, _, time, _, duration in left:
            ends = time + Decimal(repr(duration))
            outcome.surplus += ends <= last and not self.is_dark(device, time, ends)
        outcome.wrong += self.unread
        outcome.is_listed, outcome.others = self.is_listed, len(self.readings)
        outcome.expects_none = self.none
        outcome.compare(comparison, name, verdict)
        others = outcome.others if outcome.expects_none else 0
        comparison.same(f"{name} n", verdict["n"], outcome.wanted + others)


class Tamper(Judged):
    """`tamper`."""

    KINDS = {"cover": ("cover_opened", "cover_closed"),
             "terminal-cover": ("terminal_cover_opened", "terminal_cover_closed"),
             "magnetic-field": ("field_began", "field_ended")}

    def __init__(self, check, amount, seconds):
        super().__init__(check, amount, seconds)
        self.what = {word for kind in check.get("what", list(self.KINDS)) for word in self.KINDS[kind]}
        self.within, self.none = self.exact(check.get("within", "2 s")), check.get("none", False)
        self.truths, self.alerts = [], []
        self.types = [f"tamper.{word}" for word in self.what]

    def event(self, event):
        kind = event["kind"]
        self.is_listed = self.is_listed and kind != "alerts_unreadable"
        if kind not in ("tamper", "alert") or not self.is_meant(event["device"]):
            return
        if kind == "tamper" and event["what"] in self.what:
            since = self.seconds(event["time"])
            until = since + Decimal(repr(float(event.get("spread_s", 0.0)))) + self.within
            self.truths.append((not event.get("is_certain", True), len(self.truths),
                                (event["device"], event["what"]), since, until))
        elif kind == "alert" and event["type"].removeprefix("tamper.") in self.what:
            word = event["type"].removeprefix("tamper.")
            self.alerts.append(((event["device"], word), self.own_time(event)))

    def compare(self, comparison, name, verdict):
        outcome, left, missing = Outcome(), list(self.alerts), []
        if self.none:
            outcome.wrong = sum(not one[0] for one in self.truths)
        for may_miss, _, what, since, until in [] if self.none else sorted(self.truths):
            fitting = [one for one in left if one[0] == what and since <= one[1] <= until]
            outcome.wanted += not may_miss
            if fitting:
                left.remove(fitting[0])
            elif not may_miss:
                missing.append((what, until))
        # A late one is missing, and not one too many besides.
        for what, until in missing:
            outcome.missing += 1
            late = [one for one in left
                    if one[0] == what and until <= one[1] <= until + LATE * self.within]
            if late:
                left.remove(late[0])
        outcome.surplus, outcome.is_listed = len(left), self.is_listed
        outcome.others, outcome.expects_none = len(self.readings), self.none
        outcome.compare(comparison, name, verdict)
        others = outcome.others if outcome.expects_none else 0
        comparison.same(f"{name} n", verdict["n"], outcome.wanted + others)


class ProtectionOperation(Judged):
    """`protection_operation`."""

    def __init__(self, check, amount, seconds):
        super().__init__(check, amount, seconds)
        self.element, self.only = check.get("element", "*"), check.get("only", True)
        self.expect = [[one, self.exact(one["from"]), self.exact(one["to"]), one.get("count", 1)]
                       for one in check.get("expect", [])]
        self.wanted = sum(one[3] for one in self.expect)
        self.seen, self.surplus = 0, 0

    def event(self, event):
        if event["kind"] != "operated":
            return
        since = self.seconds(event["time"]) - self.start
        # Whose time is over first has the first choice.
        for one in sorted(self.expect, key=lambda one: one[2]):
            wanted, first, last, lacking = one
            if (lacking and wanted["what"] == event["what"] and first <= since <= last
                    and fnmatch.fnmatchcase(event["element"], wanted["element"])):
                one[3] -= 1
                self.seen += 1
                return
        if self.only and fnmatch.fnmatchcase(event["element"], self.element):
            self.seen += 1
            self.surplus += 1

    def compare(self, comparison, name, verdict):
        outcome = Outcome()
        outcome.wanted, outcome.surplus, outcome.others = self.wanted, self.surplus, 1
        outcome.expects_none = True
        outcome.missing = sum(one[3] for one in self.expect)
        outcome.compare(comparison, name, verdict)
        comparison.same(f"{name} n", verdict["n"], max(self.seen, 1))


class Reliability(Judged):
    """`reliability`, by IEEE 1366."""

    def __init__(self, check, amount, seconds):
        super().__init__(check, amount, seconds)
        self.key = next(key for key in ("energy", "saidi", "saifi", "caidi") if key in check)
        text = str(check[self.key])
        try:
            self.limit = float(text)
        except ValueError:
            self.limit = amount(text)[0]
        self.limit /= 3600.0 if self.key == "energy" else 1.0
        least = str(check.get("at_least", 0))
        self.least = self.limit * (amount(least)[0] / 100.0 if "%" in least else float(least))
        self.sustained = self.number("sustained_from", "3 min")
        # Which ones count: all of them, or those that were planned, or were not.
        self.counting = {"count": (True, False), "only": (True,), "leave_out": (False,)}[
            check.get("planned", "count")
        ]
        self.interruptions, self.customers = [], 0

    def event(self, event):
        if event["kind"] == "interruption":
            if event["is_planned"] in self.counting:
                self.interruptions.append(event)
            self.customers = max(self.customers, event["customers_total"])

    def compare(self, comparison, name, verdict):
        sustained = [one for one in self.interruptions if one["duration_s"] >= self.sustained]
        running = [one for one in self.interruptions if not one["is_over"]]
        pending = [one for one in running if one["duration_s"] < self.sustained]
        count = sum(one["customers"] for one in sustained)
        time = sum(one["customers"] * one["duration_s"] for one in sustained)
        found = {
            "energy": sum(one["unserved_wh"] for one in self.interruptions),
            "saidi": time / self.customers if self.customers else 0.0,
            "saifi": count / self.customers if self.customers else 0.0,
            "caidi": time / count if count else None,
        }[self.key]
        measured = found if found is None else float(found)
        comparison.exact(f"{name} measured", verdict["measured"], measured, 1e-9)
        comparison.exact(f"{name} limit", verdict["limit"], self.limit)
        comparison.same(f"{name} n", verdict["n"], max(len(self.interruptions), 1))
        comparison.same(f"{name} status", verdict["status"], self.status(found, count, time, running, pending))

    def status(self, found, count, time, running, pending):
        """What has not ended makes an index larger; a mean may become smaller by what joins it."""
        least = found
        if self.key == "caidi" and count:
            more = sum(one["customers"] for one in pending)
            least = min(found, (time + more * self.sustained) / (count + more))
        if least is not None and least > self.limit:
            return "fail"
        if self.key == "energy":
            return "fail" if found < self.least else "pass"
        open_ones = pending if self.key == "saifi" else running
        if self.end - self.start < self.sustained or open_ones or found is None:
            return "inconclusive"
        return "fail" if found < self.least else "pass"
