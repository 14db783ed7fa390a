"""Runs scenarios against platforms that lie: whatever they do, the run must not pass.

A proxy stands between the bench and a real `serve`, and changes what REST gives back in one of the
ways of `peer/lies.py`. It counts what it changed: a lie that found nothing to change in a scenario
is not applicable there, and four in five have to apply. The honest proxy has to end as the platform
itself does, and so do ways of answering that change no value.

    lying_platform.py            all lies on one quick scenario, a drawn one on each of five others
    lying_platform.py --whole    all lies on all scenarios, with a table
    lying_platform.py NAME...    a drawn lie on each of these scenarios, or all where it is the quick one
"""

import concurrent.futures
import json
import os
import random
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


def proxy(target, change, invocations=None):
    """A proxy before a platform; `change` gets the answers to questions for readings."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are two writes: the second would wait 40 ms for the first one's receipt.
        disable_nagle_algorithm = True

        def forward(self, body=None):
            if invocations and self.command == "POST" and self.path.endswith("/invocations"):
                return 201, json.dumps(invocations).encode()
            if invocations and "/api/invocations/" in self.path:
                return 200, json.dumps(invocations).encode()
            request = urllib.request.Request(target + self.path, body, method=self.command)
            for name in ("Authorization", "Content-Type"):
                if self.headers.get(name):
                    request.add_header(name, self.headers[name])
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    status, content = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, content = error.code, error.read()
            if self.path.startswith("/api/v1/readings"):
                status, content = change(status, content)
            return status, content

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


def run_against(scenario, change, invocations=None):
    """Exit code, last words and seconds of a run against a platform behind a proxy."""
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        platform = Platform(path("data"), "--clock", "driven")
        server = proxy(platform.rest, change, invocations)
        address = f"http://127.0.0.1:{server.server_address[1]}"
        with open(path("profile.toml"), "w", encoding="utf-8") as file:
            file.write(f'mqtt = "{platform.ready["mqtt"]}"\nrest = "{address}"\n')
            file.write(f'token = "{TOKEN}"\n')
        name = os.path.splitext(os.path.basename(scenario))[0]
        shorter = ["--set", "scenario.duration=1 h"] if name in AN_HOUR else []
        began = time.monotonic()
        code, out, err = call(
            "run", scenario, "--platform", path("profile.toml"), "--out", path("run"),
            "--timeout", "10 min", *shorter,
        )
        took = time.monotonic() - began
        server.shutdown()
        server.server_close()
        platform.stop()
    return code, (out + err)[-600:], took


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
    code, words, _ = run_against(path, change)
    return code, changed[0], words


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


def main():
    is_whole = "--whole" in sys.argv[1:]
    comparison = Comparison()
    ledger = Ledger(comparison)
    draw = random.Random(SEED)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        files = scenarios(folder)
        only = [name for name in sys.argv[1:] if not name.startswith("--")]
        files = {name: path for name, path in files.items() if not only or name in only}
        if not is_whole and not only:
            files = {name: files[name] for name in [QUICK, *OTHERS]}
        pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
        straight = {name: pool.submit(run_against, path, honest) for name, path in files.items()}
        told_to = []
        for name, run in straight.items():
            code, words, took = run.result()
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
        if QUICK not in files:
            files = scenarios(folder)
        forged = {"id": "1", "status": "Responded", "state": "Acknowledged", "response": "done"}
        code, _, _ = run_against(files[QUICK], honest, forged)
        comparison.true("one that never delivers its commands does not pass", code in (1, 3),
                        f"exit {code}")
    share = ledger.applied / max(ledger.asked, 1)
    comparison.true("four in five lies apply", share >= 0.8,
                    f"{ledger.applied} of {ledger.asked}; {len(LIES)} kinds of lies")
    if is_whole:
        print(ledger.table())
    print(f"took {time.monotonic() - began:.0f} s")
    comparison.end()


if __name__ == "__main__":
    main()
