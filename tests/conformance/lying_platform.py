"""Runs scenarios against platforms that lie: whatever they do, the run must not pass.

A proxy stands between the bench and a real `serve`, and changes what REST gives back in one of the
ways of `peer/lies.py`. It counts what it changed: a lie that found nothing to change in a scenario
is not applicable there, and four in five have to apply. The honest proxy has to end as the platform
itself does, and so do ways of answering that change no value.

    lying_platform.py            all lies on one quick scenario, a drawn one on each of five others
    lying_platform.py --whole    all lies on all scenarios, with a table
    lying_platform.py --accounts all lies about alerts and answers alone, and readings exchanged
    lying_platform.py NAME...    a drawn lie on each of these scenarios, or all where it is the quick one
"""

import collections
import concurrent.futures
import itertools
import json
import os
import random
import re
import sys
import tempfile
import textwrap
import threading
import time
import tomllib
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from peer.alert_lies import ALERTS, ANSWERS, UNANSWERED, Liar, Story
from peer.bench import Comparison, call
from peer.lies import HARMLESS, LIES, tell
from peer.platform import TOKEN, Platform

LIBRARY = "scenarios/library"
# It ends in less than two seconds, with readings of two devices, commands and refusals.
QUICK = "refused-and-obeyed"
# With --whole, ways of answering that change no value are tried on these too.
HONEST = ["energy-reversal", "ten-minute-ticks"]
# Each of another kind: another medium, a network, one in motion, a simulator, alerts and commands.
OTHERS = ["heat-day", "lv-feeder-day", "feeder-fault", "rts-loop", "reporting-period"]
# A platform that is killed is the bench's own child; strict tenants and doors are made by the bench.
NOT_OUTSIDE = ["platform-killed", "refusals", "second-door"]
# What plays a day reads pages for minutes through a proxy; an hour shows the same ways of answering.
AN_HOUR = ["day-of-ten-meters", "lv-feeder-apparent", "lv-feeder-day", "lv-feeder-solar", "lv-feeder-standard"]
# Alerts of several kinds and levels, with checks about them and without.
ALERTED = ["feeder-fault", "tamper", "planned-outage", "rts-meter-feeder", "rts-overload"]
# Commands, most of them under a check; those of the last are under none.
ANSWERED = [QUICK, "reporting-period", "smart-plug-registers", "rts-meter-feeder", "rts-overload", "rts-fault"]
# What makes these devices never answer, while all but the check of the commands passes.
OBEYS_NOTHING = {
    "reporting-period": ["--set", "device.meter.obey_commands=false", "--set", "inject.1.command.seconds=10",
                         "--set", "inject.2.command.seconds=10"],
    "smart-plug-registers": ["--set", "device.plug.obey_commands=false", "--set", "device.plug.phase_error=0 deg",
                             "--set", "device.plug.voltage_gain_error=0 %",
                             "--set", "device.plug.current_gain_error=0 %"],
}
# Many meters of one kind, some of them at one place.
NEIGHBOURS = "building-heat-day"
SEED = 20270118
WORKERS = 2

OBEYED = """format = 1
[scenario]
name = "refused-and-obeyed"
start = 2027-01-18T17:00:00Z
duration = "2 min"
seed = 1
[[source]]
name = "mains"
kind = "synthetic"
[[device]]
name = "alpha"
at = "source:mains"
model = "stpm34-3ph"
fidelity = "windows"
[[device]]
name = "beta"
at = "source:mains"
model = "stpm34-3ph"
fidelity = "windows"
voltage_gain_error = "0.1 %"
[[inject]]
at = "65 s"
kind = "command"
device = "alpha"
command = { name = "setReportingPeriod", seconds = 10 }
[[check]]
name = "voltage"
kind = "accuracy"
quantity = "electricity.voltage.rms.*"
limit = "0.2 %"
[[check]]
name = "refused"
kind = "refused"
[[check]]
name = "obeyed"
kind = "command_ack"
"""


def honest(status, content):
    return status, content


def proxy(target, change, liar):
    """A proxy before a platform; `change` gets the answers to questions for readings, `liar` all others."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are two writes: the second would wait 40 ms for the first one's receipt.
        disable_nagle_algorithm = True

        def forward(self, body=None):
            forged = liar.forge(self.command, self.path)
            if forged is not None:
                return 201 if self.command == "POST" else 200, json.dumps(forged).encode()
            request = urllib.request.Request(target + self.path, body, method=self.command)
            for name in ("Authorization", "Content-Type"):
                if self.headers.get(name):
                    request.add_header(name, self.headers[name])
            try:
                if liar.is_given_twice(self.command, self.path):
                    urllib.request.urlopen(request, timeout=30).close()
                with urllib.request.urlopen(request, timeout=30) as answer:
                    status, content = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, content = error.code, error.read()
            if self.path.startswith("/api/v1/readings"):
                return change(status, content)
            return status, liar.change(self.path, status, content)

        def answer(self, body=None):
            status, content = self.forward(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self):
            self.answer()

        def do_POST(self):
            self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


Outcome = collections.namedtuple("Outcome", "code words took account")


def run_against(scenario, change, liar=None, *options):
    """What came of a run against a platform behind a proxy; by default that is honest about alerts and answers."""
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        platform = Platform(path("data"), "--clock", "driven")
        server = proxy(platform.rest, change, liar or Liar())
        address = f"http://127.0.0.1:{server.server_address[1]}"
        with open(path("profile.toml"), "w", encoding="utf-8") as file:
            file.write(f'mqtt = "{platform.ready["mqtt"]}"\nrest = "{address}"\n')
            file.write(f'token = "{TOKEN}"\n')
        name = os.path.splitext(os.path.basename(scenario))[0]
        shorter = ["--set", "scenario.duration=1 h"] if name in AN_HOUR else []
        began = time.monotonic()
        code, out, err = call(
            "run", scenario, "--platform", path("profile.toml"), "--out", path("run"),
            "--timeout", "10 min", *shorter, *options,
        )
        took = time.monotonic() - began
        server.shutdown()
        server.server_close()
        platform.stop()
        try:
            with open(path("run/run.json"), encoding="utf-8") as file:
                account = json.load(file).get("account") or {}
        except OSError:
            account = {}
    return Outcome(code, (out + err)[-600:], took, account)


def scenarios(folder):
    """The virtual-time scenarios that can run against somebody else's platform, by name."""
    found = {}
    for name in sorted(os.listdir(LIBRARY)):
        base, ending = os.path.splitext(name)
        if ending == ".toml" and base not in NOT_OUTSIDE:
            found[base] = os.path.join(LIBRARY, name)
    found[QUICK] = os.path.join(folder, f"{QUICK}.toml")
    with open(found[QUICK], "w", encoding="utf-8") as file:
        file.write(OBEYED)
    return found


def told(path, name):
    """One lie told to one scenario: name, exit code, how often it changed something, last words."""
    change, changed = tell({**LIES, **HARMLESS}[name])
    found = run_against(path, change)
    return found.code, changed[0], found.words


# --- alerts, answers, and readings of neighbours -----------------------------------------------------------------


def seconds(text):
    """A time as scenarios write it: `9 h 32 min`."""
    units = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+) *(h|min|ms|s)\b", text))


def first_hour(path, folder):
    """A scenario without what happens after its first hour, and without what checks expect of that."""
    with open(path, encoding="utf-8") as file:
        tables = re.split(r"\n(?=\[)", file.read())
    is_late = lambda table: table.startswith("[[inject") and seconds(re.search(r'\nat = "(.*?)"', table)[1]) >= 3600
    text = "\n".join(table for table in tables if not table.startswith("[[must_fail") and not is_late(table))
    text = re.sub(r"\n(silent|expect) = \[.*?\]\n", "\n", text, flags=re.DOTALL)
    text = re.sub(r'\nduration = ".*?"', '\nduration = "1 h"', text, count=1)
    path = os.path.join(folder, os.path.basename(path))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace('"../', f'"{os.path.dirname(os.path.abspath(LIBRARY))}/'))
    return path


def neighbours(quantities):
    """Pairs of meters whose readings may be exchanged, by the quantities of each: two of each place, which have
    names that differ in their last number, and two of different places."""
    places = collections.defaultdict(list)
    for name in sorted(quantities):
        places[re.sub(r"-?\d+$", "", name)].append(name)
    for place, names in places.items():
        if len(names) > 1:
            yield f"two of {place}", names[:2]
    for one, other in itertools.combinations(places.values(), 2):
        if quantities[one[0]] & quantities[other[0]]:
            yield "two of different places", [one[0], other[0]]
            return


def exchange(pair):
    """Gives the readings of each of two meters as the other's."""
    other = dict([pair, pair[::-1]])

    def change(page, _memory):
        for row in page["results"]:
            row["device"] = other.get(row["device"], row["device"])
    return tell(change)


def exchanged(comparison, pool, path):
    """Readings of neighbours are exchanged for the whole run: what judges them has to fail."""
    quantities = {}

    def listen(page, _memory):
        quantities.update((row["device"], set(row["values"])) for row in page["results"])

    straight = run_against(path, tell(listen)[0])
    comparison.true(f"{NEIGHBOURS}: an honest platform passes", straight.code == 0,
                    f"exit {straight.code} {straight.words if straight.code else ''}")
    runs = []
    for what, pair in neighbours(quantities):
        change, changed = exchange(pair)
        runs.append((what, pair, changed, pool.submit(run_against, path, change)))
    comparison.true(f"{NEIGHBOURS}: has neighbours", len(runs) > 1, len(runs))
    for what, pair, changed, run in runs:
        found = run.result()
        comparison.true(f"{NEIGHBOURS}: exchanged are {what}", found.code == 1 and changed[0] > 0,
                        f"exit {found.code}, expected 1; {' and '.join(pair)}, {changed[0]} answers changed")


def repetitions(account):
    """How many repeated alerts an account has."""
    if not isinstance(account, dict):
        return 0
    own = sum(value for key, value in account.items() if key.startswith("repe") and isinstance(value, int))
    return own + sum(map(repetitions, account.values()))


class Cells:
    """What came of each way in each scenario, beside what it has to come to."""

    def __init__(self, comparison, ways, names):
        self.comparison, self.names = comparison, names
        self.rows = {way: {} for way in ways}

    def found(self, way, name, plan, liar, run, expected):
        """Notes one run."""
        wanted = "/".join(map(str, expected))
        good = is_expected = run.code in expected
        shown = str(run.code) if is_expected else f"{run.code}({wanted})"
        note = f"exit {run.code}, expected {wanted}; {liar.changed} changed: {plan['what']}"
        if liar.repeated:
            counted = repetitions(run.account)
            good = is_expected and counted == liar.repeated
            shown += "" if counted == liar.repeated else "*"
            note += f"; {counted} repetitions in the account, expected {liar.repeated}"
        self.comparison.true(f"{name}: a platform that {way}", good and liar.changed > 0, note)
        self.rows[way].setdefault(name, set()).add(shown if liar.changed else "none")

    def table(self, title):
        """At most 120 columns wide, whatever the scenarios are called."""
        wide, narrow = 32, 11
        heads = [textwrap.wrap(name, narrow) for name in self.names]
        deep = max(map(len, heads))
        line = lambda first, cells: f"| {first:{wide}} | " + " | ".join(f"{cell:{narrow}}" for cell in cells) + " |"
        lines = [line(title if row == 0 else "", [(head + [""] * deep)[row] for head in heads]) for row in range(deep)]
        lines.append("|" + "|".join(["-" * (wide + 2)] + ["-" * (narrow + 2)] * len(self.names)) + "|")
        for way, row in self.rows.items():
            lines.append(line(way, [" ".join(sorted(row.get(name, [""]))) for name in self.names]))
        lines.append("exit codes, in brackets what was expected; * repetition not counted; - does not apply")
        return "\n".join(lines)


def hear(name, path):
    """The story of a scenario, and what an honest run came to."""
    liar = Liar()
    run = run_against(path, honest, liar)
    with open(path, "rb") as file:
        return Story(tomllib.load(file), liar.alerts, liar.answers, name in OBEYS_NOTHING), run


def accounts(comparison, pool, files, draw, is_whole):
    """Lies about alerts and answers: all, or two drawn ones of each way. Gives the tables."""
    with tempfile.TemporaryDirectory() as folder:
        exchanged(comparison, pool, first_hour(files[NEIGHBOURS], folder))
    heard = {name: pool.submit(hear, name, files[name]) for name in dict.fromkeys(ALERTED + ANSWERED)}
    heard = {name: story.result() for name, story in heard.items()}
    for name, (_, run) in heard.items():
        comparison.true(f"{name}: a platform that is honest about alerts and answers passes", run.code == 0,
                        f"exit {run.code} {run.words if run.code else ''}")
    shown = []
    for title, ways, names in (("about alerts", ALERTS, ALERTED), ("about answers", ANSWERS, ANSWERED)):
        cells, runs = Cells(comparison, ways, names), []
        for way, plans in ways.items():
            by_name = {name: list(plans(heard[name][0])) for name in names}
            applies = [name for name in names if by_name[name]]
            comparison.true(f"{way}: applies in two scenarios", len(applies) >= 2, applies)
            cells.rows[way] = {name: {"-"} for name in names if name not in applies}
            picked = applies if is_whole else sorted(draw.sample(applies, min(2, len(applies))))
            for name in picked:
                for plan in by_name[name] if is_whole else [draw.choice(by_name[name])]:
                    liar, (story, straight) = Liar(plan), heard[name]
                    expected = story.expected(plan)
                    expected = expected or [straight.code]
                    options = OBEYS_NOTHING[name] if plan.get("forged") == UNANSWERED else []
                    run = pool.submit(run_against, files[name], honest, liar, *options)
                    runs.append((way, name, plan, liar, run, expected))
        for way, name, plan, liar, run, expected in runs:
            cells.found(way, name, plan, liar, run.result(), expected)
        shown.append(cells.table(title))
    return shown


class Ledger:
    """What came of each lie on each scenario."""

    def __init__(self, comparison):
        self.comparison = comparison
        self.applied, self.asked = 0, 0
        self.rows = {}

    def lied(self, scenario, name, code, changed, words):
        self.asked += 1
        outcome = str(code)
        if changed == 0:
            # Nothing was changed, so it was an honest platform.
            outcome = "n/a"
            good = code == 0
        else:
            self.applied += 1
            good = code in (1, 3, 5)
        detail = f"exit {code}, {changed} answers changed {'' if good else words}"
        self.comparison.true(f"{scenario}: a platform that {name} does not pass", good, detail)
        self.rows.setdefault(name, {})[scenario] = outcome

    def table(self):
        names = sorted({scenario for row in self.rows.values() for scenario in row})
        lines = ["| lie | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        for lie, row in self.rows.items():
            lines.append(f"| {lie} | " + " | ".join(row.get(name, "") for name in names) + " |")
        return "\n".join(lines)


def readings(comparison, pool, files, draw, is_whole):
    """Lies about readings. Gives their table."""
    ledger = Ledger(comparison)
    straight = {name: pool.submit(run_against, path, honest) for name, path in files.items()}
    told_to = []
    for name, run in straight.items():
        code, words, took, _ = run.result()
        if code == 4:
            print(f"note  {name}: skipped on this machine")
            continue
        comparison.true(f"{name}: an honest platform passes", code == 0,
                        f"exit {code}, {took:.1f} s {words if code else ''}")
        if is_whole or name == QUICK:
            told_to += [(name, lie) for lie in LIES]
        else:
            lie = draw.choice(sorted(LIES))
            print(f"drawn with seed {SEED} for {name}: a platform that {lie}")
            told_to.append((name, lie))
        if name == QUICK or (is_whole and name in HONEST):
            told_to += [(name, other) for other in HARMLESS]
    runs = [(name, lie, pool.submit(told, files[name], lie)) for name, lie in told_to]
    for name, lie, run in runs:
        code, changed, words = run.result()
        if lie in HARMLESS:
            good = code == 0 and changed > 0
            comparison.true(f"{name}: a platform that {lie} passes", good,
                            f"exit {code}, {changed} answers changed {'' if good else words}")
        else:
            ledger.lied(name, lie, code, changed, words)
    share = ledger.applied / max(ledger.asked, 1)
    comparison.true("four in five lies apply", share >= 0.8,
                    f"{ledger.applied} of {ledger.asked}; {len(LIES)} kinds of lies")
    return ledger.table()


def main():
    is_whole = "--whole" in sys.argv[1:]
    of_accounts = "--accounts" in sys.argv[1:]
    only = [name for name in sys.argv[1:] if not name.startswith("--")]
    comparison = Comparison()
    draw = random.Random(SEED)
    began = time.monotonic()
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        files = scenarios(folder)
        pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
        if not of_accounts:
            names = only or (list(files) if is_whole else [QUICK, *OTHERS])
            table = readings(comparison, pool, {name: files[name] for name in names}, draw, is_whole)
            tables += [table] if is_whole else []
            print(f"lies about readings took {time.monotonic() - began:.0f} s")
        if not only:
            tables += accounts(comparison, pool, files, draw, is_whole or of_accounts)
    print("\n\n".join(tables))
    print(f"took {time.monotonic() - began:.0f} s")
    comparison.end()


if __name__ == "__main__":
    main()
