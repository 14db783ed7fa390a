"""A master of M-Bus meters that lies: it reads what the bench's meters answer on their line, or does not, and
sends the platform something else.

It stands at the pseudo-terminal of `scenarios/foreign/m-bus-foreign-master.toml` and gives its readings to the
platform over HTTP. The honest way is that of a master who reads each meter each time and hands on what it read.
"""

import contextlib
import datetime
import json
import os
import re
import select
import time
import tomllib
import tty
import urllib.request

from peer.platform import TOKEN, Platform
from peer.under_way import Run

FOLDER, SCENARIO = "scenarios/foreign", "m-bus-foreign-master"
# A meter at 2400 baud takes half as long for its longest telegram.
ANSWER_S = 0.6
# So long after its instant a poll begins: the meters have measured by then.
AFTER_S = 0.2

ENERGY, POWER, VOLUME, FLOW = "heating.energy", "heating.power", "heating.volume", "heating.flowrate"
SUPPLY, RETURN = "heating.temp.primary.inlet", "heating.temp.primary.outlet"
# By the first of their codes (VIF), as many as there are: what it is, and the power of ten of the first one in
# the platform's unit (MWh, m3, MW, m3/h, degrees).
CODES = [(0x00, 8, ENERGY, -9), (0x10, 8, VOLUME, -6), (0x28, 8, POWER, -9), (0x38, 8, FLOW, -6),
         (0x58, 4, SUPPLY, -3), (0x5C, 4, RETURN, -3)]
# By the code of a data field (DIF), how many bytes of a whole number or of decimals it has.
WHOLE, DECIMALS = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}, {9: 1, 10: 2, 11: 3, 12: 4, 14: 6}


def records(data):
    """The present values in the records of a telegram, by the identifiers of the platform."""
    values, at = {}, 0
    while at < len(data) and data[at] not in (0x0F, 0x1F):
        first = data[at]
        while data[at] & 0x80:
            at += 1
        at += 1
        code = data[at]
        while data[at] & 0x80:
            at += 1
        at += 1
        kind = first & 0x0F
        length = WHOLE.get(kind) or DECIMALS.get(kind) or 0
        raw, at = data[at:at + length], at + length
        digits = raw[::-1].hex().replace("f", "-", 1)
        number = int.from_bytes(raw, "little", signed=True) if kind in WHOLE else int(digits or 0)
        # Neither a maximum, nor of another tariff or day.
        if not first & 0xF0:
            for begin, count, name, power in CODES:
                if begin <= code < begin + count and name not in values:
                    values[name] = number * 10.0 ** (power + code - begin)
    return values


class Line:
    """The line, at whose other end the bench's meters are."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.file)
        # By address the control field of the next request: another frame count bit asks for a new answer.
        self.controls = {}

    def ask(self, address):
        """What a meter answers to a request for its values (REQ_UD2); nothing without an answer."""
        while select.select([self.file], [], [], 0)[0]:
            os.read(self.file, 512)
        control = self.controls.get(address, 0x5B)
        self.controls[address] = control ^ 0x20
        os.write(self.file, bytes([0x10, control, address, (control + address) % 256, 0x16]))
        end, frame = time.monotonic() + ANSWER_S, b""
        while len(frame) < 4 or len(frame) < frame[1] + 6:
            if not select.select([self.file], [], [], max(0.0, end - time.monotonic()))[0]:
                return {}
            frame += os.read(self.file, 512)
        # Behind control, address, and the head of a long answer: twelve bytes.
        return records(frame[19:-2])


class Master:
    """Asks and sends; each lie reads otherwise (`read`), or sends something else than it read (`sent`)."""

    # Whether what it reads is a lie already.
    reads_otherwise = False

    def __init__(self, line, send, meters, promised):
        self.line, self.send, self.meters, self.promised = line, send, meters, promised
        self.kept, self.changed = {}, 0

    def read(self, poll):
        """What the meters answer, by number."""
        return {number: self.line.ask(number) for number in self.meters}

    def sent(self, poll, values):
        """What is sent of that."""
        return values

    def poll(self, poll, now):
        read = self.read(poll)
        sent = self.sent(poll, read)
        self.changed += self.reads_otherwise or sent != read
        for number, values in sent.items():
            if values:
                self.send(number, poll, values, now())


class NeverAsks(Master):
    """Sends what the scenario's file promises of the plant."""

    reads_otherwise = True

    def read(self, poll):
        return {number: dict(self.promised[number]) for number in self.meters}


class AsksOneForAll(Master):
    reads_otherwise = True

    def read(self, poll):
        return dict.fromkeys(self.meters, self.line.ask(self.meters[0]))


class ExchangesTwo(Master):
    def sent(self, poll, values):
        one, other, *_ = self.meters
        return {**values, one: values[other], other: values[one]}


class RepeatsItsFirstPoll(Master):
    def sent(self, poll, values):
        self.kept = self.kept or values
        return self.kept


class SendsTenGigawattHours(Master):
    def sent(self, poll, values):
        return {number: {**read, ENERGY: 1e4} for number, read in values.items()}


class SkipsEverySecondPoll(Master):
    reads_otherwise = True

    def read(self, poll):
        return super().read(poll) if poll % 2 else {}


class SendsThePollBefore(Master):
    def sent(self, poll, values):
        before, self.kept = self.kept, values
        return before or values


class ReadsThePowerTenTimesTooLarge(Master):
    def sent(self, poll, values):
        return {number: {**read, POWER: 10 * read[POWER]} for number, read in values.items()}


class TurnsFlowAndReturnRound(Master):
    def sent(self, poll, values):
        return {number: {**read, SUPPLY: read[RETURN], RETURN: read[SUPPLY]} for number, read in values.items()}


HONEST = {"reads each meter each time": Master}
LIES = {
    "never asks a meter": NeverAsks,
    "asks one meter for all": AsksOneForAll,
    "exchanges two meters": ExchangesTwo,
    "repeats its first poll": RepeatsItsFirstPoll,
    "sends an energy of 10 GWh": SendsTenGigawattHours,
    "skips every second poll": SkipsEverySecondPoll,
    "sends the values of the poll before": SendsThePollBefore,
    "reads the power ten times too large": ReadsThePowerTenTimesTooLarge,
    "turns flow and return round": TurnsFlowAndReturnRound,
}
# These are quick to show, and of two kinds.
DRAWN = ["never asks a meter", "sends an energy of 10 GWh"]


def promised(scenario):
    """What the file promises of each meter, by its primary address."""
    sources = {source["name"]: source for source in scenario["source"]}
    found = {}
    for device in scenario["device"]:
        source = sources.get(device["at"].partition(":")[2], scenario["source"][0])
        number = lambda key: float(re.match(r"[-\d.]+", source.get(key, "0"))[0])
        supply, back, flow = number("flow_temperature"), number("return_temperature"), number("peak_flow") / 1000
        found[device["primary_address"]] = {
            SUPPLY: supply, RETURN: back, FLOW: flow, POWER: 1.15e-3 * flow * (supply - back), ENERGY: 0.0, VOLUME: 0.0}
    return found


@contextlib.contextmanager
def sender(folder):
    """A platform with a door for HTTP: the file that describes it, and a function that gives it a reading."""
    platform = Platform(os.path.join(folder, "data"), "--door", "http=127.0.0.1:0")
    profile = os.path.join(folder, "profile.toml")
    with open(profile, "w", encoding="utf-8") as file:
        file.write(f'mqtt = "{platform.ready["mqtt"]}"\nrest = "{platform.rest}"\ntoken = "{TOKEN}"\n')
    place = platform.ready["http"]
    place = place if place.startswith("http") else f"http://{place}"

    def send(device, serial, values, date):
        content = {"hardwareId": device, "type": "DeviceMeasurements", "request": {
            "measurements": values, "updateState": True, "eventDate": date,
            "metadata": {"epoch": "1", "serial": str(serial)}}}
        request = urllib.request.Request(f"{place}/input", json.dumps(content).encode(), method="POST")
        request.add_header("Authorization", f"Bearer {TOKEN}")
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request, timeout=5).close()

    try:
        yield profile, send
    finally:
        platform.stop()


def amount(text):
    return float(text.split()[0])


def play(kind, folder):
    """A run of the scenario with this master; gives exit code, what was printed, and how often it lied."""
    with open(os.path.join(FOLDER, f"{SCENARIO}.toml"), "rb") as file:
        scenario = tomllib.load(file)
    names = {device["primary_address"]: device["name"] for device in scenario["device"]}
    period, duration = amount(scenario["network"][0]["poll_every"]), amount(scenario["scenario"]["duration"])
    place = os.path.join(folder, "line")
    with sender(folder) as (profile, send):
        run = Run(FOLDER, SCENARIO, "--platform", profile, "--out", os.path.join(folder, "run"), "--format", "json",
                  "--set", f"network.line.line=pty:{place}")
        while not os.path.exists(place) and run.process.poll() is None:
            time.sleep(0.01)
        if run.process.poll() is not None:
            return *run.end(), 0
        # The bench waits for somebody to open the line, and reports when it begins.
        line = Line(place)
        start, begin = run.schedule()

        def now():
            date = start + datetime.timedelta(seconds=time.monotonic() - begin)
            return f"{date:%Y-%m-%dT%H:%M:%S}.{date.microsecond // 1000:03d}Z"

        by_name = lambda number, serial, values, date: send(names[number], serial, values, date)
        master = kind(line, by_name, list(names), promised(scenario))
        for poll in range(1, int(duration / period)):
            time.sleep(max(0.0, begin + poll * period + AFTER_S - time.monotonic()))
            master.poll(poll, now)
        return *run.end(), master.changed
