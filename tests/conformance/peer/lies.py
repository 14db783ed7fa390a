"""Ways in which a platform can lie about what it has stored, one small function each.

A lie gets every page of readings of a run in turn, with a memory of its own, and changes what it
likes. What it really changed is counted by comparing the page before and after; a lie that found
nothing to change in a run was not applicable to it. Lies of the protocol get the raw answer.
"""

import copy
import itertools
import json
import math
import random
import struct

LIES = {}
# What no verdict may hang on: these have to end as the honest platform does.
HARMLESS = {}


class Memory(dict):
    """What a lie remembers between two pages; attributes and keys are one."""

    __getattr__ = dict.get
    __setattr__ = dict.__setitem__


def lie(name, table=LIES):
    def register(function):
        assert name not in LIES and name not in HARMLESS, name
        table[name] = function
        return function
    return register


def once(page, memory, number=1):
    """The row of this number in the whole run, when its page comes by; numbers begin with 0."""
    seen = memory.seen or 0
    rows = page["results"]
    memory.seen = seen + len(rows)
    return rows[number - seen] if seen <= number < seen + len(rows) else None


def every(page, memory, period=2):
    """Every second row of the whole run."""
    seen = memory.seen or 0
    memory.seen = seen + len(page["results"])
    return [row for number, row in enumerate(page["results"], seen) if number % period == 1]


def first_value(row, nonzero=True):
    for name, value in row["values"].items():
        if value or not nonzero:
            return name
    return next(iter(row["values"]), None)


def fresh(page, row, **changes):
    """A further row at the end of a page."""
    page["results"].append({**copy.deepcopy(row), **changes})


def shifted(text, seconds):
    """An RFC 3339 instant of this day or hour moved by whole seconds, by its text alone."""
    head, fraction = text.rstrip("Z").split(".") if "." in text else (text.rstrip("Z"), "000")
    date, clock = head.split("T")
    hours, minutes, whole = (int(part) for part in clock.split(":"))
    total = (hours * 3600 + minutes * 60 + whole + seconds) % 86400
    clock = f"{total // 3600:02}:{total // 60 % 60:02}:{total % 60:02}"
    return f"{date}T{clock}.{fraction}Z"


# --- readings that are gone ----------------------------------------------------------------------


@lie("drops the first reading")
def _(page, memory):
    if (row := once(page, memory, 0)) is not None:
        page["results"].remove(row)


@lie("drops a reading in mid-run")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        page["results"].remove(row)


@lie("drops every second reading")
def _(page, memory):
    for row in every(page, memory):
        page["results"].remove(row)


@lie("drops the last reading of each page")
def _(page, memory):
    if page["results"]:
        page["results"].pop()


@lie("drops all readings")
def _(page, memory):
    page["results"].clear()


@lie("drops one page")
def _(page, memory):
    if page["results"] and not memory.done:
        memory.done = True
        page["results"].clear()


@lie("drops everything after the first page")
def _(page, memory):
    if memory.done:
        page["results"].clear()
    memory.done = memory.done or bool(page["results"])


@lie("drops all of one device")
def _(page, memory):
    if page["results"] and memory.device is None:
        memory.device = page["results"][-1]["device"]
    page["results"] = [row for row in page["results"] if row["device"] != memory.device]


@lie("drops one reading in ten by chance")
def _(page, memory):
    chance = memory.setdefault("chance", random.Random(7))
    page["results"] = [row for row in page["results"] if chance.random() > 0.1]


@lie("skips ahead and loses what lies between")
def _(page, memory):
    if len(page["results"]) > 1 and not memory.done:
        memory.done = True
        del page["results"][1:]


@lie("hands a reading over a page late and drops it then")
def _(page, memory):
    if memory.held is None and page["results"]:
        memory.held = page["results"].pop(0)


# --- readings that are too many ------------------------------------------------------------------


@lie("doubles a reading")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row)


@lie("doubles every reading")
def _(page, memory):
    page["results"] = [copy.deepcopy(row) for row in page["results"] for _ in range(2)]


@lie("gives a reading again on a later page")
def _(page, memory):
    if memory.held is not None and not memory.done:
        memory.done = True
        fresh(page, memory.held)
    elif memory.held is None and page["results"]:
        memory.held = copy.deepcopy(page["results"][0])


@lie("stores each reading again with tenfold values")
def _(page, memory):
    for row in list(page["results"]):
        values = {name: 10 * value for name, value in row["values"].items()}
        fresh(page, row, values=values)


@lie("stores a copy without epoch and serial")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row, epoch=None, serial=None)


@lie("stores a copy under a fresh serial")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row, serial=4000)


@lie("stores a copy under a fresh epoch")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row, epoch=(row["epoch"] or 0) + 1)


@lie("stores a copy under a foreign device")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row, device="gamma")


@lie("stores a copy under the device in capitals")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row, device=row["device"].upper())


@lie("stores a copy under the device with a blank behind it")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row, device=row["device"] + " ")


@lie("stores a copy an hour later")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row, event_time=shifted(row["event_time"], 3600), serial=4001)


@lie("makes up a reading without any value")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row, values={}, serial=4002)


@lie("makes up a reading of one unknown value")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        fresh(page, row, values={"made.up": 1.0}, serial=4003)


# --- values that are others ----------------------------------------------------------------------


def scaled(name, factor):
    @lie(name)
    def _(page, memory):
        if (row := once(page, memory)) is not None and (key := first_value(row)):
            row["values"][key] *= factor


scaled("alters a value by 1 %", 1.01)
scaled("alters a value by a millionth", 1.000001)
scaled("turns the sign of a value", -1.0)
scaled("gives a value in thousandths", 0.001)


@lie("alters a value in its last bit")
def _(page, memory):
    if (row := once(page, memory)) is not None and (key := first_value(row)):
        row["values"][key] = math.nextafter(row["values"][key], math.inf)


@lie("doubles the values of every second reading")
def _(page, memory):
    for row in every(page, memory):
        row["values"] = {name: 2 * value for name, value in row["values"].items()}


@lie("rounds all values to four digits")
def _(page, memory):
    for row in page["results"]:
        row["values"] = {name: float(f"{value:.3e}") for name, value in row["values"].items()}


@lie("keeps values in single precision")
def _(page, memory):
    for row in page["results"]:
        single = lambda value: struct.unpack("f", struct.pack("f", value))[0]
        row["values"] = {name: single(value) for name, value in row["values"].items()}


@lie("sets a value to zero")
def _(page, memory):
    if (row := once(page, memory)) is not None and (key := first_value(row)):
        row["values"][key] = 0.0


@lie("sets all values of one reading to zero")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["values"] = dict.fromkeys(row["values"], 0.0)


@lie("makes a value huge")
def _(page, memory):
    if (row := once(page, memory)) is not None and (key := first_value(row)):
        row["values"][key] = 1e300


@lie("repeats the values of the reading before")
def _(page, memory):
    for row in page["results"]:
        before = memory.get(row["device"])
        memory[row["device"]] = copy.deepcopy(row["values"])
        if before is not None and before != row["values"] and not memory.done:
            memory.done = True
            row["values"] = before


@lie("freezes a device at its first values")
def _(page, memory):
    for row in page["results"]:
        row["values"] = memory.setdefault(row["device"], copy.deepcopy(row["values"]))


@lie("exchanges two values of a reading")
def _(page, memory):
    if (row := once(page, memory)) is None:
        return
    for a, b in itertools.combinations(row["values"], 2):
        if row["values"][a] != row["values"][b]:
            row["values"][a], row["values"][b] = row["values"][b], row["values"][a]
            return


@lie("exchanges the phases of all readings")
def _(page, memory):
    other = {".l1": ".l2", ".l2": ".l3", ".l3": ".l1"}
    turned = lambda name: name[:-3] + other[name[-3:]] if name[-3:] in other else name
    for row in page["results"]:
        values = {turned(name): value for name, value in row["values"].items()}
        row["values"] = values


@lie("exchanges the values of two devices")
def _(page, memory):
    rows = page["results"]
    for a, b in itertools.combinations(rows, 2):
        if a["device"] != b["device"] and a["values"] != b["values"]:
            a["values"], b["values"] = b["values"], a["values"]
            return


@lie("averages each reading with the one before")
def _(page, memory):
    for row in page["results"]:
        before = memory.get(row["device"], row["values"])
        memory[row["device"]] = dict(row["values"])
        row["values"] = {
            name: (value + before.get(name, value)) / 2 for name, value in row["values"].items()
        }


@lie("lowers the registers by what they began with")
def _(page, memory):
    for row in page["results"]:
        for name, value in row["values"].items():
            if ".energy." in name or name.endswith(".pulses"):
                first = memory.setdefault((row["device"], name), value)
                row["values"][name] = value - first


@lie("loses one value")
def _(page, memory):
    if (row := once(page, memory)) is not None and row["values"]:
        del row["values"][next(iter(row["values"]))]


@lie("loses one quantity everywhere")
def _(page, memory):
    for row in page["results"]:
        if memory.name is None and row["values"]:
            memory.name = next(iter(row["values"]))
        row["values"].pop(memory.name, None)


@lie("loses all values of one reading")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["values"] = {}


@lie("makes a value up")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["values"]["made.up"] = 1e9


@lie("gives a value under another identifier")
def _(page, memory):
    if (row := once(page, memory)) is not None and row["values"]:
        name = next(iter(row["values"]))
        row["values"][name.upper()] = row["values"].pop(name)


@lie("adds a known quantity that nobody sent")
def _(page, memory):
    known = "x.electricity.voltage.flicker.pst.l1", "electricity.voltage.rms.l1", "electricity.frequency"
    if (row := once(page, memory)) is not None:
        for name in known:
            if name not in row["values"]:
                row["values"][name] = 1.0
                return


# --- readings that stand elsewhere ---------------------------------------------------------------


def moved(name, seconds):
    @lie(name)
    def _(page, memory):
        if (row := once(page, memory)) is not None:
            row["event_time"] = shifted(row["event_time"], seconds)


moved("moves a reading by a second", 1)
moved("moves a reading back by ten seconds", -10)
moved("moves a reading by an hour", 3600)


@lie("moves a reading by a millisecond")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["event_time"] = row["event_time"].split(".")[0].rstrip("Z") + ".001Z"


@lie("moves a reading by a nanosecond")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["event_time"] = row["event_time"].split(".")[0].rstrip("Z") + ".000000001Z"


@lie("moves all readings by an hour")
def _(page, memory):
    for row in page["results"]:
        row["event_time"] = shifted(row["event_time"], 3600)


def exchanged(name, *keys):
    @lie(name)
    def _(page, memory):
        last = {}
        for row in page["results"]:
            other = last.get(row["device"])
            # Two that are equal but for what is exchanged would only change places.
            if other and other["values"] != row["values"] and not memory.done:
                memory.done = True
                for key in keys:
                    other[key], row[key] = row[key], other[key]
            last[row["device"]] = row


exchanged("exchanges the times of two readings", "event_time")
exchanged("exchanges the serials of two readings", "serial")
exchanged("exchanges times and serials of two readings", "event_time", "serial")


@lie("takes a serial away")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["serial"] = None


@lie("takes all serials and epochs away")
def _(page, memory):
    for row in page["results"]:
        row["serial"] = row["epoch"] = None


@lie("gives a fresh serial")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["serial"] = 4000


@lie("counts all serials from zero")
def _(page, memory):
    for row in page["results"]:
        row["serial"] -= 1


@lie("gives another epoch")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["epoch"] = (row["epoch"] or 0) + 1


@lie("stores a reading under a foreign device")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["device"] = "gamma"


@lie("turns two devices round")
def _(page, memory):
    for row in page["results"]:
        known = memory.setdefault("known", [])
        if row["device"] not in known:
            known.append(row["device"])
    if len(memory.known or []) > 1:
        a, b = memory.known[:2]
        other = {a: b, b: a}
        for row in page["results"]:
            row["device"] = other.get(row["device"], row["device"])


# --- answers that are none -----------------------------------------------------------------------


def typed(name, value):
    @lie(name)
    def _(page, memory):
        if (row := once(page, memory)) is not None and row["values"]:
            row["values"][next(iter(row["values"]))] = value


typed("answers null for a value", None)
typed("answers text for a value", "230")
typed("answers true for a value", True)
typed("answers a list for a value", [230.0])
typed("answers NaN for a value", math.nan)
typed("answers infinity for a value", math.inf)


@lie("answers text for all values")
def _(page, memory):
    for row in page["results"]:
        row["values"] = {name: str(value) for name, value in row["values"].items()}


def without(name, key):
    @lie(name)
    def _(page, memory):
        if (row := once(page, memory)) is not None:
            del row[key]


without("leaves out the device of a reading", "device")
without("leaves out the values of a reading", "values")
without("leaves out the time of a reading", "event_time")


@lie("answers a time that is none")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["event_time"] = "yesterday"


@lie("answers a serial below zero")
def _(page, memory):
    if (row := once(page, memory)) is not None:
        row["serial"] = -4


@lie("answers null for the readings of a page")
def _(page, memory):
    if page["results"]:
        page["results"] = None


@lie("answers text for a reading")
def _(page, memory):
    if page["results"]:
        page["results"][0] = "a reading"


@lie("leaves out where a page ends")
def _(page, memory):
    if page["results"]:
        del page["last"]


@lie("promises more without end")
def _(page, memory):
    page["more"] = True


@lie("goes back to the beginning")
def _(page, memory):
    if memory.done:
        page["last"] = 0
    memory.done = memory.done or bool(page["results"])


def raw(name):
    """A lie about the answer as it stands on the wire: status and bytes."""
    def register(function):
        function.is_raw = True
        return lie(name)(function)
    return register


@raw("fails with 500 for good")
def _(status, content, memory):
    return 500, b'{"title":"Internal Server Error"}'


@raw("fails with 503 from the second page on")
def _(status, content, memory):
    memory.count = (memory.count or 0) + 1
    return (503, b"{}") if memory.count > 2 else (status, content)


@raw("knows nothing of readings from the second page on")
def _(status, content, memory):
    memory.count = (memory.count or 0) + 1
    return (404, b'{"title":"Not Found"}') if memory.count > 2 else (status, content)


@raw("answers a page for browsers")
def _(status, content, memory):
    memory.count = (memory.count or 0) + 1
    return (200, b"<html>ok</html>") if memory.count > 2 else (status, content)


@raw("answers nothing")
def _(status, content, memory):
    memory.count = (memory.count or 0) + 1
    return (200, b"") if memory.count > 2 else (status, content)


@raw("cuts its answer in half")
def _(status, content, memory):
    rows = json.loads(content)["results"] if status == 200 else []
    return status, content[: len(content) // 2] if rows else content


# --- what may differ -----------------------------------------------------------------------------


@lie("turns a page round", HARMLESS)
def _(page, memory):
    page["results"].reverse()


@lie("adds keys of its own", HARMLESS)
def _(page, memory):
    page["tenant"] = "default"
    for row in page["results"]:
        row["colour"] = "green"


@lie("writes times with another offset", HARMLESS)
def _(page, memory):
    for row in page["results"]:
        row["event_time"] = shifted(row["event_time"], 3600).replace("Z", "+01:00")


def tell(function):
    """The lie at work: gives what to do with one answer, and how often it changed one."""
    memory, changed = Memory(), [0]

    def change(status, content):
        if getattr(function, "is_raw", False):
            answer = function(status, content, memory)
            changed[0] += answer != (status, content)
            return answer
        if status != 200:
            return status, content
        page = json.loads(content)
        before = json.dumps(page)
        function(page, memory)
        after = json.dumps(page)
        changed[0] += after != before
        return status, after.encode()

    return change, changed
