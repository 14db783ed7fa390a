"""Ways in which a platform can lie about alerts and about answers to commands, and what each has to come to.

An honest run of a scenario comes first: its alerts and answers are the *story*. Since runs repeat to the byte, a
way is a list of plans made from the story, each of which gives for some alerts what stands in their place, or for
some commands what they seem to have been answered. What a plan has to end with follows from what the scenario's
checks are about, read from its file: 1 if one of them judges an alert that is gone, altered or came besides, or
the answer of a command; 5 if none does; and what the honest run came to where an alert only came again under
the same number. What is not delivered shows in the plant too: there both 1 and 5 are right.
"""

import datetime
import json
import re

ALERTS, ANSWERS = {}, {}
JUDGED, UNJUDGED, NOT_GREEN = [1], [5], [1, 5]
# What a platform gives of its own to each alert.
OWN = ("sequence", "received_time")
FRESH_SERIAL = 4000
# Commands that are answered though no device got them, or though theirs did not answer.
UNDELIVERED, UNANSWERED = "undelivered", "unanswered"
NOBODY = "gamma"

# By kind of check, the types of alerts that it is about.
EVENTS = ["dip", "swell", "interruption"]
TAMPERING = {
    "cover": ["cover_opened", "cover_closed"], "terminal-cover": ["terminal_cover_opened", "terminal_cover_closed"],
    "magnetic-field": ["field_began", "field_ended"],
}
TYPES = {
    "alerts": lambda check: [check["type"]],
    "last_gasp": lambda check: ["supply.failed"],
    "restored": lambda check: ["supply.returned"],
    "event": lambda check: [f"voltage.{what}" for what in check.get("what", EVENTS)],
    "tamper": lambda check: [f"tamper.{word}" for what in check.get("what", TAMPERING) for word in TAMPERING[what]],
}


def matches(pattern, name):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None


def identity(alert):
    """What is the same of an alert in each run."""
    return json.dumps({key: value for key, value in alert.items() if key not in OWN}, sort_keys=True)


class Story:
    """What an honest run showed of a scenario: its alerts in the order of their dates, and its answers by id."""

    def __init__(self, scenario, alerts, answers, is_silenceable=False):
        self.checks = scenario.get("check", [])
        # Whether its devices can be told to answer no command.
        self.is_silenceable = is_silenceable
        order = lambda alert: (alert["event_time"], alert["device"], alert.get("serial") or 0)
        stripped = ({key: value for key, value in alert.items() if key not in OWN} for alert in alerts)
        self.alerts = sorted(stripped, key=order)
        self.answers = dict(sorted(answers.items()))
        others = [device["name"] for device in scenario.get("device", [])]
        self.devices = list(dict.fromkeys([alert["device"] for alert in self.alerts] + others))

    def is_judged(self, alert):
        """Whether a check is about the alerts of this type of this device."""
        return any(
            check["kind"] in TYPES and alert["type"] in TYPES[check["kind"]](check)
            and matches(check.get("device", "*"), alert["device"])
            for check in self.checks
        )

    def is_answer_judged(self, answer):
        return any(
            check["kind"] == "command_ack" and matches(check.get("device", "*"), answer["deviceHardwareId"])
            for check in self.checks
        )

    def firsts(self, key):
        """The first alert of each of what `key` gives."""
        found = {}
        for alert in self.alerts:
            found.setdefault(key(alert), alert)
        return list(found.values())

    def victims(self):
        """Of those that are judged and those that are not, the first of each level."""
        return self.firsts(lambda alert: (self.is_judged(alert), alert["level"]))

    def expected(self, plan):
        """The exit codes that the run may have; None: that of the honest one."""
        if "answers" in plan:
            of = [self.answers[id] for id in plan["answers"]]
            shows_itself = plan.get("forged") == UNDELIVERED or plan.get("twice")
            unjudged = NOT_GREEN if shows_itself else UNJUDGED
            return JUDGED if any(map(self.is_answer_judged, of)) else unjudged
        touched = []
        for alert, instead in plan["alerts"]:
            touched += [row for row in instead if row != alert] + [alert] * (alert not in instead)
        if not touched:
            return None
        return JUDGED if any(map(self.is_judged, touched)) else UNJUDGED


# --- alerts ------------------------------------------------------------------------------------------------------


def way(name, table=ALERTS):
    """A function that gives the plans of a way for a story."""
    def register(function):
        assert name not in ALERTS and name not in ANSWERS, name
        table[name] = function
        return function
    return register


def plan(what, *changes):
    """Alerts, each with what stands in its place."""
    return {"what": what, "alerts": changes}


def shown(alert):
    return f"{alert['type']} of {alert['device']}"


def of_all(name, instead):
    @way(name)
    def _(story):
        if story.alerts:
            yield plan("all", *((alert, instead(alert)) for alert in story.alerts))


def of_each(name, key):
    """Loses all that have something in common, one such group at a time."""
    @way(name)
    def _(story):
        for group in list(dict.fromkeys(key(alert) for alert in story.alerts))[:4]:
            yield plan(group, *((alert, []) for alert in story.alerts if key(alert) == group))


def of_one(name):
    """A function of a story and one alert, which gives what stands in its place, or nothing if it cannot."""
    def register(function):
        @way(name)
        def _(story):
            for alert in story.victims():
                instead = function(story, alert)
                if instead is not None and instead != [alert]:
                    yield plan(shown(alert), (alert, instead))
        return function
    return register


def altered(name, change):
    """Something else in one alert: `change` gives the keys that are others."""
    of_one(name)(lambda story, alert: [{**alert, **change(story, alert)}])


def besides(name, change):
    """One more alert under a fresh number, made of one that there is."""
    fresh = lambda alert: {"epoch": 1, "serial": FRESH_SERIAL, **alert, "event_time": later(alert, 1.0)}
    of_one(name)(lambda story, alert: [alert, {**fresh(alert), "serial": FRESH_SERIAL, **change(story, alert)}])


def later(alert, seconds):
    """The date of an alert, moved; nanoseconds stay."""
    whole, _, fraction = alert["event_time"].rstrip("Z").partition(".")
    nanoseconds = int(fraction.ljust(9, "0")) + round(seconds * 1e9)
    date = datetime.datetime.fromisoformat(whole) + datetime.timedelta(seconds=nanoseconds // 10**9)
    return f"{date:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09}Z"


def other_than(names, name):
    return next((other for other in names if other != name), None)


def another_device(story, alert):
    return other_than(story.devices, alert["device"])


def another_type(story, alert):
    types = [other["type"] for other in story.alerts] + ["supply.failed", "device.unreachable"]
    return other_than(types, alert["type"])


of_all("loses all alerts", lambda alert: [])


@way("loses the first alert")
def _(story):
    for alert in story.alerts[:1]:
        yield plan(shown(alert), (alert, []))


@way("loses the last alert")
def _(story):
    for alert in story.alerts[-1:]:
        yield plan(shown(alert), (alert, []))


of_one("loses one alert")(lambda story, alert: [])
of_each("loses all of one type", lambda alert: alert["type"])
of_each("loses all of one device", lambda alert: alert["device"])

of_one("doubles one, same number")(lambda story, alert: [alert, alert])
of_all("doubles all, same numbers", lambda alert: [alert, alert])
of_one("doubles one, fresh number")(lambda story, alert: [alert, {**alert, "serial": FRESH_SERIAL}])
of_all("doubles all, fresh numbers", lambda alert: [alert, {**alert, "serial": FRESH_SERIAL + alert["serial"]}])
besides("makes one up of a known type", lambda story, alert: {})
besides("makes one up of another type", lambda story, alert: {"type": another_type(story, alert)})
besides("makes one up of an unknown type", lambda story, alert: {"type": "made.up"})
besides("makes one up, unknown device", lambda story, alert: {"device": NOBODY})

altered("gives another device's", lambda story, alert: {"device": another_device(story, alert)})
altered("gives an unknown device's", lambda story, alert: {"device": NOBODY})
altered("alters the type", lambda story, alert: {"type": another_type(story, alert)})
altered("makes the type an unknown one", lambda story, alert: {"type": "made.up"})
altered("alters the level", lambda story, alert: {"level": "Error" if alert["level"] == "Info" else "Info"})
altered("alters the text", lambda story, alert: {"message": alert["message"] + "."})
altered("alters a number in the text", lambda story, alert: {"message": other_digit(alert["message"])})
altered("dates it 3 s later", lambda story, alert: {"event_time": later(alert, 3.0)})
altered("dates it 50 ms later", lambda story, alert: {"event_time": later(alert, 0.05)})
altered("dates it 3 s earlier", lambda story, alert: {"event_time": later(alert, -3.0)})
altered("gives a fresh number", lambda story, alert: {"serial": FRESH_SERIAL})
altered("gives another epoch", lambda story, alert: {"epoch": (alert.get("epoch") or 0) + 1})
altered("takes the number away", lambda story, alert: {"epoch": None, "serial": None})
altered("adds a fact", lambda story, alert: {"metadata": {**alert.get("metadata", {}), "made.up": "1"}})


@way("exchanges the devices of two")
def _(story):
    for one in story.victims():
        other = next((it for it in story.alerts if it["type"] == one["type"] and it["device"] != one["device"]), None)
        if other:
            yield plan(f"{shown(one)} and {other['device']}", (one, [{**one, "device": other["device"]}]),
                       (other, [{**other, "device": one["device"]}]))


def other_digit(text):
    """A text whose last figure is another one; a text without figures as it is."""
    return re.sub(r"\d(?=\D*$)", lambda digit: str((int(digit[0]) + 1) % 10), text)


def of_each_fact(name, change):
    """Each fact of the first alert of each type, one at a time."""
    @way(name)
    def _(story):
        for alert in story.firsts(lambda alert: alert["type"]):
            for key in alert.get("metadata", {}):
                facts = dict(alert["metadata"])
                change(facts, key)
                yield plan(f"{key} of {shown(alert)}", (alert, [{**alert, "metadata": facts}]))


def another_fact(facts, key):
    changed = other_digit(facts[key])
    facts[key] = changed if changed != facts[key] else facts[key] + "x"


of_each_fact("alters a fact", another_fact)
of_each_fact("loses a fact", lambda facts, key: facts.pop(key))


# --- answers to commands -----------------------------------------------------------------------------------------


def of_answer(name):
    """A function of a story and one answer, which gives what seems to be answered, by id."""
    def register(function):
        @way(name, ANSWERS)
        def _(story):
            for id in list(story.answers)[:2]:
                seen = function(story, story.answers[id])
                if seen:
                    yield {"what": f"command {int(id, 16)}", "answers": seen}
        return function
    return register


def another_answer(story, answer):
    texts = [(other["id"], other["response"]) for other in story.answers.values()]
    return next(((id, text) for id, text in texts if id != answer["id"] and text != answer["response"]), None)


@of_answer("alters an answer")
def _(story, answer):
    text = other_digit(answer["response"])
    return {answer["id"]: {**answer, "response": text if text != answer["response"] else text + "."}}


@of_answer("gives another command's answer")
def _(story, answer):
    other = another_answer(story, answer)
    return other and {answer["id"]: {**answer, "response": other[1]}}


@of_answer("exchanges two answers")
def _(story, answer):
    id, text = another_answer(story, answer) or (None, None)
    return id and {answer["id"]: {**answer, "response": text},
                   id: {**story.answers[id], "response": answer["response"]}}


@of_answer("loses an answer")
def _(story, answer):
    return {answer["id"]: {**answer, "status": "Sent", "state": "Sent", "response": None, "endedDate": None}}


@of_answer("makes an error of an answer")
def _(story, answer):
    return {answer["id"]: {**answer, "response": "error: " + answer["response"]}}


@way("forges what it never delivers", ANSWERS)
def _(story):
    if story.answers:
        yield {"what": "all", "answers": story.answers, "forged": UNDELIVERED}


@way("gives each command twice", ANSWERS)
def _(story):
    if story.answers:
        yield {"what": "all", "answers": story.answers, "twice": True}


@way("forges what no device answers", ANSWERS)
def _(story):
    if story.is_silenceable and story.answers:
        yield {"what": "all", "answers": story.answers, "forged": UNANSWERED}


# --- at work -----------------------------------------------------------------------------------------------------


class Liar:
    """A plan at work before a platform; without one it only listens. `changed` counts messages."""

    def __init__(self, plan=None):
        self.plan = plan or {}
        self.instead = {identity(alert): rows for alert, rows in self.plan.get("alerts", [])}
        self.seen = {} if self.plan.get("twice") else self.plan.get("answers", {})
        self.given, self.changed, self.repeated = 0, 0, 0
        self.alerts, self.answers = [], {}

    def change(self, path, status, content):
        """What a platform's answer becomes."""
        if status not in (200, 201):
            return content
        if path.startswith("/api/v1/alerts"):
            page = json.loads(content)
            self.alerts += page["results"]
            page["results"] = [row for alert in page["results"] for row in self.rows(alert)]
            return json.dumps(page).encode()
        if path.startswith("/sitewhere/api/invocations/"):
            answer = json.loads(content)
            if answer["response"] is not None or self.plan.get("forged") == UNANSWERED:
                self.answers[answer["id"]] = answer
                if answer["id"] in self.seen:
                    self.changed += 1
                    return json.dumps(self.seen[answer["id"]]).encode()
        return content

    def rows(self, alert):
        rows = self.instead.get(identity(alert))
        if rows is None:
            return [alert]
        self.changed += 1
        self.repeated += max(0, sum(identity(row) == identity(alert) for row in rows) - 1)
        own = {key: alert[key] for key in OWN if key in alert}
        return [{**row, **own} for row in rows]

    def is_given_twice(self, command, path):
        """Whether the platform is to be asked for this once more, and its second answer given."""
        is_twice = command == "POST" and "/invocations" in path and self.plan.get("twice", False)
        self.changed += is_twice
        return is_twice

    def forge(self, command, path):
        """An answer instead of the platform's; None: it shall be asked."""
        if self.plan.get("forged") != UNDELIVERED or "/invocations" not in path:
            return None
        answers = list(self.seen.values())
        if command == "POST":
            self.changed += 1
            self.given += 1
            return answers[min(self.given, len(answers)) - 1]
        return self.seen.get(path.rpartition("/")[2])
