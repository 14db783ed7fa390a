"""Runs a scenario against platforms that lie: whatever they do, the run must not pass.

A small proxy stands between the bench and a real `serve`, and changes what REST gives back: drops,
doubles, alters, swaps, delays, forges. The honest proxy has to pass, every liar has to end red.
"""

import json
import os
import tempfile
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from peer.bench import Comparison, call
from peer.platform import TOKEN, Platform

SCENARIO = """format = 1
[scenario]
name = "lied-to"
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
name = "once"
kind = "no_loss"
[[check]]
name = "refused"
kind = "refused"
[[check]]
name = "obeyed"
kind = "command_ack"
"""
VOLTAGE = "electricity.voltage.rms.l1"


def some(page):
    """A reading in mid-run, if the page has one."""
    return next((row for row in page["results"] if row["serial"] == 4), None)


def drop(page):
    if (row := some(page)) is not None:
        page["results"].remove(row)


def double(page):
    if (row := some(page)) is not None:
        page["results"].append(row)


def alter(factor):
    def change(page):
        if (row := some(page)) is not None:
            row["values"][VOLTAGE] *= factor
    return change


def swap(page):
    other = {"alpha": "beta", "beta": "alpha"}
    for row in page["results"]:
        row["device"] = other[row["device"]]


def forge(key, value):
    def change(page):
        if (row := some(page)) is not None:
            row[key] = value
    return change


def renumber(page):
    if (row := some(page)) is not None:
        row["serial"] = 4000


def without_value(page):
    if (row := some(page)) is not None:
        del row["values"][VOLTAGE]


def unknown_value(page):
    if (row := some(page)) is not None:
        row["values"]["made.up"] = 1e9


def endless(page):
    page["more"] = True


LIES = {
    "drops a reading": drop,
    "doubles a reading": double,
    "alters a value by 1 %": alter(1.01),
    "alters a value by a millionth": alter(1.000001),
    "swaps two devices": swap,
    "moves a reading in time": forge("event_time", "2027-01-18T17:00:41.000Z"),
    "stores a reading under a foreign device": forge("device", "gamma"),
    "takes a serial away": forge("serial", None),
    "gives a fresh serial": renumber,
    "loses one value": without_value,
    "makes a value up": unknown_value,
    "answers text for a value": lambda page: forge("values", {VOLTAGE: "230"})(page),
    "promises more without end": endless,
}


def proxy(target, change, invocations=None):
    """A proxy before a platform; `change` alters pages of readings."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

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
            if self.path.startswith("/api/v1/readings") and status == 200:
                page = json.loads(content)
                change(page)
                content = json.dumps(page).encode()
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


def run_against(change, invocations=None):
    """Exit code and last words of a run against a platform behind a proxy."""
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        with open(path("scenario.toml"), "w", encoding="utf-8") as file:
            file.write(SCENARIO)
        platform = Platform(path("data"), "--clock", "driven")
        server = proxy(platform.rest, change, invocations)
        address = f"http://127.0.0.1:{server.server_address[1]}"
        with open(path("profile.toml"), "w", encoding="utf-8") as file:
            file.write(f'mqtt = "{platform.ready["mqtt"]}"\nrest = "{address}"\n')
            file.write(f'token = "{TOKEN}"\n')
        code, out, err = call(
            "run", path("scenario.toml"), "--platform", path("profile.toml"),
            "--out", path("run"), "--timeout", "50 s",
        )
        server.shutdown()
        platform.stop()
    return code, (out + err)[-600:]


if __name__ == "__main__":
    comparison = Comparison()
    code, words = run_against(lambda page: None)
    comparison.true("an honest platform passes", code == 0, f"exit {code} {words if code else ''}")
    for what, change in LIES.items():
        code, words = run_against(change)
        good = code in (1, 3, 5)
        comparison.true(f"one that {what} does not", good, f"exit {code} {'' if good else words}")
    forged = {"id": "1", "status": "Responded", "state": "Acknowledged", "response": "done"}
    code, words = run_against(lambda page: None, forged)
    comparison.true("one that never delivers its commands does not", code in (1, 3), f"exit {code}")
    comparison.end()
