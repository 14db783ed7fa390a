"""Pages that stay open while a device, a rule or the clock does something: in headless Chromium, on a driven clock.

Each row of the table of states whose event comes from a device or the clock: a page is open, the event happens, and
the page shows it within two seconds without being loaded again. A reading comes, comes no more, and comes again; a
command is sent, read back, not obeyed, failed, and not answered in time; a rule raises an alarm, commands a load,
and its condition ends; a shelved alarm is back; a share ends, and what was shared is nowhere. Must-fail: a page whose
stream and clock are stopped shows nothing of it.

    pages_events.py
"""

import datetime
import json
import sys
import tempfile
import time
import urllib.request

import pages_browser as pages
from pages_browser import BREAKER, POWER, SHOWN_S
from peer.bench import Comparison
from peer.meter import Meter, reading
from peer.platform import LIMIT_S, TOKEN, Platform

MONDAY = datetime.datetime(2027, 1, 18)
# How long a command may wait for its answer.
COMMAND_S = 60


class Home:
    """The home of ann, with a meter and a plug behind it, on a driven clock at noon of a Monday; gina is a guest."""

    def __init__(self, folder):
        self.platform = platform = Platform(folder, "--clock", "driven")
        self.now_s = 12 * 3600
        self.advance(0)
        settings = {"token": "settings", "timeZone": "Etc/UTC", "currency": "EUR", "registration": "open"}
        platform.get("/api/v1/settings", settings)
        for name in ("ann", "gina"):
            user = {"username": name, "password": pages.PASSWORD, "roles": ["user"]}
            platform.get("/sitewhere/api/users", user)
        specification = {"token": "plug", "name": "Plug", "quantities": [], "reportingPeriod": 10,
                         "presenceAfter": 120}
        platform.get("/sitewhere/api/specifications", specification)
        platform.get("/sitewhere/api/assets", {"token": "ann", "category": "person", "name": "Ann", "user": "ann"})
        for device, name, parent in (("meter", "Home meter", None), ("plug", "Heater", "meter")):
            body = {"hardwareId": device, "name": name, "specificationToken": "plug", "parentHardwareId": parent,
                    "status": "registered"}
            platform.get("/sitewhere/api/devices", body)
            platform.get("/sitewhere/api/assignments", {"deviceHardwareId": device, "assetId": "ann"})
        key = {"of": "user:ann", "actions": ["read", "write", "command"], "until": "2100-01-01T00:00:00Z"}
        self.key = platform.get("/api/v1/keys", key)["key"]
        self.meter, self.serial = Meter(platform, "MQTT 5", "home"), 0
        self.meter.subscribe("default/SiteWhere/commands/plug")
        self.send("meter", {POWER: 1.25})
        self.send("plug", {POWER: 0.8, BREAKER: 1.0})

    def clock(self):
        return (MONDAY + datetime.timedelta(seconds=self.now_s)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def advance(self, seconds):
        self.now_s += seconds
        self.platform.get("/api/v1/clock/advance", {"to": self.clock()})

    def send(self, device, values):
        """A reading of now, stored when this returns."""
        self.advance(1)
        self.serial += 1
        sent = self.meter.send(reading(device, self.serial, values, self.clock()))
        self.meter.await_acknowledged([sent])
        self.advance(0)

    def own(self, path, body):
        """A request of ann's."""
        status, answer = self.platform.ask(path, body, self.key)
        if status != 201:
            sys.exit(f"{path}: {status} {answer}")
        return answer

    def told(self):
        """The command that the plug has been given."""
        return json.loads(self.meter.received.get(timeout=LIMIT_S).payload)["command"]

    def answer(self, response):
        self.advance(1)
        request = {"response": response, "originatingEventId": self.told()["invocation"]["id"], "updateState": False}
        self.meter.await_acknowledged(
            [self.meter.send({"hardwareId": "plug", "type": "Acknowledge", "request": request})])
        self.advance(1)

    def call_off(self, command):
        path = f"/sitewhere/api/invocations/{command['invocation']['id']}"
        request = urllib.request.Request(self.platform.rest + path, method="DELETE")
        request.add_header("Authorization", f"Bearer {TOKEN}")
        urllib.request.urlopen(request, timeout=LIMIT_S).close()
        self.advance(1)

    def close(self):
        self.meter.close()
        self.platform.stop()


class Rows:
    """Counts the rows that were walked, each on a page that is open."""

    def __init__(self, comparison, home):
        self.comparison, self.home, self.count = comparison, home, 0
        self.driver = pages.browser(1280, 900, "light")
        pages.sign_in(self.driver, home.platform.rest, "ann")

    def open(self, path):
        self.driver.get(self.home.platform.rest + path)
        # Whatever loads the page again loses this.
        self.driver.execute_script("window.isOpen = true")
        time.sleep(0.7)

    def row(self, state, event, selector, text, is_there=True):
        """Something has happened: within two seconds the open page has the text, or has it no more."""
        self.count += 1
        deadline, found = time.monotonic() + SHOWN_S, ""
        while time.monotonic() < deadline:
            script = "return document.querySelector(arguments[0])?.innerText ?? ''"
            found = self.driver.execute_script(script, selector).replace("\u00a0", " ")
            if (text in found) == is_there:
                break
            time.sleep(0.05)
        self.comparison.true(f"{state}: {event}: {text}", (text in found) == is_there, found[:300])
        is_open = self.driver.execute_script("return window.isOpen === true")
        self.comparison.same(f"{state}: {event}: not loaded again", is_open, True)

    def press(self, selector="form.command button"):
        # What is about to be pressed may just be replaced by the same.
        self.driver.execute_script("document.querySelector(arguments[0]).click()", selector)
        deadline = time.monotonic() + LIMIT_S
        while self.driver.execute_script("return window.isOpen === true") and time.monotonic() < deadline:
            time.sleep(0.05)
        self.driver.execute_script("window.isOpen = true")
        time.sleep(0.7)


def readings(rows, home):
    for path, selector, state, device in (("/now", "#now", "V2", "meter"), ("/devices/meter", "#state", "V3", "meter")):
        home.send(device, {POWER: 1.25})
        rows.open(path)
        home.send(device, {POWER: 2.5})
        rows.row(state, "a reading", selector, "2.50 kW")
        home.advance(35)
        rows.comparison.same(f"{state}: stale", pages.await_text(rows.driver, selector, "2.50"), True)
        marked = f"!!document.querySelector('{selector} .lead.stale')"
        deadline = time.monotonic() + SHOWN_S
        while not rows.driver.execute_script(f"return {marked}") and time.monotonic() < deadline:
            time.sleep(0.05)
        rows.count += 1
        rows.comparison.same(f"{state}: no reading for three periods", rows.driver.execute_script(f"return {marked}"),
                             True)
        home.advance(120)
        rows.row(state, "none for longer than its presence lasts", selector, "No reading since")
        home.send(device, {POWER: 1.5})
        rows.row(state, "readings again", selector, "1.50 kW")


def commands(rows, home):
    home.send("plug", {POWER: 0.8, BREAKER: 1.0})
    rows.open("/devices/plug")
    rows.press()
    rows.row("V3c", "sent", "#doing", "waiting for the device")
    home.answer("done")
    rows.row("V3c", "acknowledged", "#doing", "waiting for its next reading")
    home.send("plug", {POWER: 0.0, BREAKER: 0.0})
    rows.row("V3c", "read back", "#doing", "Done. The device confirmed it")
    home.advance(1)
    rows.press()
    home.answer("done")
    home.send("plug", {POWER: 0.0, BREAKER: 0.0})
    rows.row("V3c", "the read-back differs", "#doing", "it has not switched")
    still = pages.await_text(rows.driver, "#doing", "Done. The device confirmed it")
    rows.comparison.same("V3c: what was read back of the command before stays", still, True)
    rows.press()
    home.call_off(home.told())
    rows.row("V3c", "failed", "#doing", "It failed")
    rows.press()
    home.told()
    home.advance(COMMAND_S + 1)
    rows.row("V3c", "expired", "#doing", "did not answer in time")


def rules(rows, home):
    alarm = {"alarm": {"type": "high", "level": "Critical", "text": "Close to its limit"}}
    off = {"command": {"device": "plug", "command": "setBreaker", "parameters": {"state": "open"}}}
    above = {"threshold": {"device": "meter", "quantity": POWER, "above": 2.9}}
    home.own("/api/v1/rules", {"name": "High", "when": above, "then": [alarm]})
    home.send("meter", {POWER: 1.0})
    rows.open("/now")
    home.send("meter", {POWER: 3.0})
    home.advance(1)
    rows.row("V2", "a rule raises an alarm", "#now", "1 alarm")
    rows.open("/alarms")
    home.send("meter", {POWER: 1.0})
    home.advance(1)
    rows.row("V7", "the condition is over", "#alarms", "ended")
    home.send("meter", {POWER: 3.0})
    home.advance(1)
    rows.row("V7", "the condition is there again", "#alarms", "Close to its limit")
    rows.press("form[action$='/shelve'] button")
    rows.row("V7", "shelved", "#alarms", "Close to its limit", is_there=False)
    home.advance(3601)
    home.send("meter", {POWER: 3.1})
    rows.row("V7", "shelved no longer", "#alarms", "Close to its limit")
    home.own("/api/v1/rules", {"name": "Shed", "when": above, "then": [off]})
    home.send("plug", {POWER: 0.8, BREAKER: 1.0})
    home.send("meter", {POWER: 1.0})
    rows.open("/devices/plug")
    home.send("meter", {POWER: 3.2})
    home.advance(1)
    rows.row("V3c", "a rule commands a load", "#doing", "Switch off")


def shares(rows, home):
    rest = home.platform.rest
    rows.open("/sharing")
    for field, value in (("to", "gina"), ("device", "plug"), ("until", "2027-01-18")):
        rows.driver.execute_script("document.getElementById(arguments[0]).value = arguments[1]", field, value)
    rows.press("form[action='/sharing'] button")
    guest = pages.browser(1280, 900, "light")
    pages.sign_in(guest, rest, "gina")
    guest.get(rest + "/devices/plug")
    rows.comparison.same("V3: what is shared", pages.await_text(guest, "h1", "Heater"), True)
    home.advance(86_400 - home.now_s + 1)
    rows.count += 1
    rows.comparison.same("V12: the share ends", pages.await_text(guest, "h1", "Not here"), True)
    guest.quit()


def must_fail(rows, home):
    """A page that is not kept up to date is found."""
    home.send("meter", {POWER: 1.25})
    rows.open("/now")
    rows.driver.execute_script("for (const one of document.querySelectorAll('[data-part]')) one.removeAttribute('data-part')")
    home.send("meter", {POWER: 2.75})
    seen = pages.await_text(rows.driver, "#now", "2.75")
    rows.comparison.same("must fail: a page that does not follow", seen, False)


def main():
    pages.axe_source()
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        rows = Rows(comparison, home)
        for walk in (readings, commands, rules, shares, must_fail):
            walk(rows, home)
        rows.driver.quit()
        home.close()
    print(f"{rows.count} rows of the table were walked on open pages")
    comparison.end()


if __name__ == "__main__":
    main()
