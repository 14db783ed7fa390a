"""Weighs every page as a browser gets it, and counts the queries of the store that it makes.

A home with a meter, five loads and a year of readings, 200,000 values, and lists of more than a page. Of each page of
`pages_browser.PAGES` and a few next to them, asked for by its main reader over a plain socket with `Accept-Encoding:
gzip, br`: the bytes of a first visit, the page with each asset that it names, status lines and headers included; those
of a later visit, the page alone, since assets are kept by their names; and by how much `lastmeter_store_queries_total`
grows, the least of a few visits, since services query too. Must-fail: a page that is made heavy, and as many queries
as a dozen visits make, have to be found.
"""

import html.parser
import http.cookies
import math
import random
import re
import socket
import string
import sys
import tempfile
import time
import urllib.parse

from pages_browser import BREAKER, ENERGY, PAGES, PASSWORD, POWER
from peer import grid
from peer.bench import Comparison
from peer.meter import Meter, reading
from peer.platform import LIMIT_S, Platform

# What a visit may weigh on the wire, and the bodies of its assets in it.
FIRST_BYTES, LATER_BYTES, STYLE_BYTES, SCRIPT_BYTES = 60_000, 20_000, 12_000, 14_000
# Elements of the network of the page `/grid`.
ELEMENTS = 1000
# Shorter bodies need no compression.
PACKET_BYTES = 1400
VALUES = 200_000
METER, LOADS = "meter", ["plug", "fridge", "boiler", "washer", "light"]
# Queries that a page may make. A page of a home has the state of each of its devices and which of it is of its owner's
# time, and some more: what may be chosen, a picture, the time before it, a register within a period and next to it, the
# commands of a device.
QUERIES = 2 * (1 + len(LOADS)) + 6
# Two bills (today and yesterday); two months, a week and its bill; two years of quarters, which come in pieces.
# The two hours left out may hold the midnight at which days, a week and months end: then what stood before is asked for.
MORE_QUERIES = {path: QUERIES + 12 for path in ("/now", "/awareness", "/history?per=year")}
# Pages of documents and counters, which are in memory.
WITHOUT_QUERIES = {
    "/sign-in", "/public", "/alarms", "/tariff", "/shared", "/account", "/no/such/page", "/admin/health",
    "/admin/people", "/admin/people/ann", "/admin/roles", "/admin/keys", "/admin/tariffs", "/admin/connections",
    "/admin/tenants",
}
# A click from pages of the table, with more to show.
NEXT = [
    ("/history?per=year", "ann", "V4"),
    ("/history?per=week&q=electricity.voltage.rms.l1", "ann", "V4"),
    (f"/devices/{METER}?per=week", "ann", "V3"),
    (f"/devices/{METER}?per=year", "ann", "V3"),
]
VISITS = 3
QUARTER_S, DAY_S = 900, 86_400
INPUT = "default/SiteWhere/input/jsonbatch"
# Of a batch at most; the platform takes 1000 elements and 256 KiB.
BATCH_ELEMENTS, BATCH_BYTES = 500, 250_000
# What a meter measures.
QUANTITIES = 6
# What a list shows on a page, and some.
LISTED = 60


def date(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))


class Import:
    """Readings on their way, in batches; a few of them wait for their PUBACK at a time."""

    def __init__(self, meter, waiting=8):
        self.meter, self.waiting = meter, waiting
        self.device, self.elements, self.size = None, [], 0
        self.sent = []
        self.readings, self.values = 0, 0

    def add(self, device, at, values):
        if self.elements and (device != self.device or len(self.elements) >= BATCH_ELEMENTS or self.size > BATCH_BYTES):
            self.send()
        measured = ",".join(f'"{name}":{value:.9g}' for name, value in values.items())
        element = f'{{"measurements":{{{measured}}},"updateState":true,"eventDate":"{date(at)}"}}'
        self.device = device
        self.elements.append(element)
        self.size += len(element) + 1
        self.readings += 1
        self.values += len(values)

    def send(self):
        payload = f'[{{"hardwareId":"{self.device}","measurements":[{",".join(self.elements)}]}}]'
        self.elements, self.size = [], 0
        self.sent.append(self.meter.send(payload, INPUT))
        if len(self.sent) > self.waiting:
            self.settled(self.sent.pop(0))

    def settled(self, number):
        code = self.meter.await_acknowledged([number])[0]
        if code is None or code[0] != 0:
            sys.exit(f"a batch of readings was answered with {code}")

    def end(self, platform):
        """Returns once all of it is in the store."""
        if self.elements:
            self.send()
        while self.sent:
            self.settled(self.sent.pop(0))
        known, changed = None, time.monotonic()
        while (stored := counter(platform, "readings_stored")) < self.readings:
            if stored != known:
                known, changed = stored, time.monotonic()
            if time.monotonic() > changed + LIMIT_S:
                sys.exit(f"of {self.readings} readings {stored} were stored")
            time.sleep(0.1)


def counter(platform, name):
    """A counter of the platform; `None` if it has none of this name."""
    found = re.search(rf"^lastmeter_{name}_total (\d+)$", platform.metrics(), re.MULTILINE)
    return int(found[1]) if found else None


class Consumption:
    """The register and the power of a home: an evening and a morning, and some chance."""

    def __init__(self, seed, energy=1000.0):
        self.chance, self.energy = random.Random(seed), energy

    def step(self, at, seconds):
        """What a meter of one phase shows at the end of a step."""
        day = at % DAY_S / DAY_S
        shape = 0.25 + 0.6 * math.exp(-((day - 0.3) / 0.05) ** 2) + 1.1 * math.exp(-((day - 0.8) / 0.08) ** 2)
        power = round(shape * self.chance.uniform(0.7, 1.3), 4)
        self.energy += power * seconds / 3600
        voltage = round(self.chance.gauss(230, 1.5), 2)
        return {
            ENERGY: round(self.energy, 3), POWER: power, "electricity.power.apparent.total": round(power * 1.04, 4),
            "electricity.voltage.rms.l1": voltage, "electricity.current.rms.l1": round(power * 1040 / voltage, 3),
            "electricity.powerFactor.l1": 0.96,
        }


def household(platform, name, devices, begun, has_password=True):
    """Somebody with devices of their own since an instant; those behind the first one are its loads."""
    user = {"username": name, "roles": ["user"], **({"password": PASSWORD} if has_password else {})}
    platform.get("/sitewhere/api/users", user)
    person = {"token": name, "category": "person", "name": name.capitalize(), "user": name}
    platform.get("/sitewhere/api/assets", person)
    for device, title in devices:
        body = {"hardwareId": device, "name": title, "specificationToken": "quarters", "status": "registered"}
        if device != devices[0][0]:
            body["parentHardwareId"] = devices[0][0]
        platform.get("/sitewhere/api/devices", body)
        assignment = {"deviceHardwareId": device, "assetId": name, "activeDate": date(begun)}
        platform.get("/sitewhere/api/assignments", assignment)


def premises(platform):
    """What all homes of a platform have: settings, an administrator, a specification, a tariff of three prices."""
    settings = {"token": "settings", "timeZone": "Europe/Rome", "currency": "EUR", "registration": "open"}
    platform.get("/api/v1/settings", settings)
    platform.get("/sitewhere/api/users", {"username": "adam", "password": PASSWORD, "roles": ["tenant-admin"]})
    specification = {"token": "quarters", "name": "Of quarters", "quantities": [], "reportingPeriod": QUARTER_S}
    platform.get("/sitewhere/api/specifications", specification)
    working = ["mon", "tue", "wed", "thu", "fri"]
    prices = [
        {"name": "F3", "price": "0.1718"},
        {"name": "F2", "weekdays": [*working, "sat"], "from": "07:00:00", "until": "23:00:00", "price": "0.198"},
        {"name": "F1", "weekdays": working, "from": "08:00:00", "until": "19:00:00", "price": "0.2216"},
    ]
    year = time.gmtime().tm_year - 2
    platform.get("/api/v1/tariffs", {
        "token": "t", "name": "Home", "currency": "EUR", "zone": "Europe/Rome", "validFrom": f"{year}-01-01T00:00:00Z",
        "imports": prices, "fixed": [{"name": "Power", "perMonth": "5.273"}],
    })
    # A node, what leads to it, and its connection.
    platform.get("/api/v1/electric-networks", grid.feeder("feeder", ELEMENTS // 3 + 1))


def alarming(platform, name, device):
    """A rule of somebody's own about a device, and the key by which they made it."""
    key = {"of": f"user:{name}", "actions": ["read", "write"], "until": "2100-01-01T00:00:00Z"}
    key = platform.get("/api/v1/keys", key)["key"]
    rule = {"name": "High", "when": {"threshold": {"device": device, "quantity": POWER, "above": 5.0}},
            "then": [{"alarm": {"type": "high.power", "level": "Critical",
                                "text": "Home power is close to its limit"}}]}
    status, answer = platform.ask("/api/v1/rules", rule, key)
    if status != 201:
        sys.exit(f"/api/v1/rules: {status} {answer}")


def measured(filled, devices, last, steps, step_s=QUARTER_S, load_days=7, seed=1):
    """So many steps of a meter until an instant, two hours of the last day left out, and days of its loads."""
    of_meter = Consumption(seed)
    for step in range(1 - steps, 1):
        at = last + step * step_s
        values = of_meter.step(at, step_s)
        if not 7 * 3600 < last - at <= 9 * 3600:
            filled.add(devices[0], at, values)
    for number, load in enumerate(devices[1:]):
        of_load = Consumption(seed + 1 + number)
        for quarter in range(1 - load_days * 96, 1):
            at = last + quarter * QUARTER_S
            of_all = of_load.step(at, QUARTER_S)
            filled.add(load, at, {ENERGY: of_all[ENERGY] / 6, POWER: of_all[POWER] / 6, BREAKER: 1.0})
    return of_meter


class Home:
    """A platform with the home of ann: a year of quarters of an hour of her meter, a week of her loads."""

    def __init__(self, folder):
        self.platform = platform = Platform(folder)
        premises(platform)
        now = time.time()
        last = now // QUARTER_S * QUARTER_S
        devices = [(METER, "Home meter"), *((load, f"{load.capitalize()} <b>&amp;") for load in LOADS)]
        household(platform, "ann", devices, last - 366 * DAY_S)
        self.meter = Meter(platform, "MQTT 5", "filler")
        self.filled = filled = Import(self.meter)
        of_meter = measured(filled, [METER, *LOADS], last, 366 * 96)
        filled.end(platform)
        alarming(platform, "ann", METER)
        filled.add(METER, now, {**of_meter.step(now, now - last), POWER: 5.2})
        filled.end(platform)
        deadline = time.monotonic() + LIMIT_S
        while not platform.get("/api/v1/alarms")["results"] and time.monotonic() < deadline:
            time.sleep(0.1)
        self.lists()

    def lists(self):
        """People and rejected messages, more than a page of each."""
        for number in range(LISTED):
            user = {"username": f"neighbour-{number}", "fullName": f"Neighbour {number}", "roles": ["user"]}
            self.platform.get("/sitewhere/api/users", user)
        self.reject([{"hardwareId": METER}] * LISTED)

    def reject(self, messages):
        """Messages that are rejected, once all of them are listed."""
        before = self.rejected()
        self.meter.await_acknowledged([self.meter.send(message) for message in messages])
        deadline = time.monotonic() + LIMIT_S
        while self.rejected() < before + len(messages):
            if time.monotonic() > deadline:
                sys.exit(f"{len(messages)} messages were not rejected")
            time.sleep(0.1)

    def rejected(self):
        return len(self.platform.get("/api/v1/refusals?after=0&limit=1000")["results"])

    def reject_heavy(self):
        """As much text of each as the page shows of a message to its owner, which compression makes little shorter."""
        chance, letters = random.Random(7), string.ascii_letters + string.digits
        first, *others = (
            reading(LOADS[-1], 1, {POWER: 0.1}, metadata={
                "epoch": "1", "serial": "1", "note": "".join(chance.choices(letters, k=1900))})
            for _ in range(LISTED + 1)
        )
        self.meter.await_acknowledged([self.meter.send(first)])
        # The same number with another content.
        self.reject(others)

    def close(self):
        self.meter.close()
        self.platform.stop()


class Answer:
    """What came over a socket: all of its bytes, and what they are."""

    def __init__(self, wire):
        self.size = len(wire)
        head, _, self.body = wire.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        pairs = (line.split(":", 1) for line in lines[1:])
        self.headers = {name.strip().lower(): value.strip() for name, value in pairs}
        self.encoding = self.headers.get("content-encoding", "none")
        is_marked = "accept-encoding" in self.headers.get("vary", "").lower()
        self.is_compressed = is_marked and self.encoding in ("gzip", "br")


class Browser:
    """Somebody who asks as a browser does, signed in or not."""

    def __init__(self, rest, name=None):
        self.address, self.cookie = urllib.parse.urlparse(rest).netloc, None
        if name is not None:
            form = urllib.parse.urlencode({"name": name, "password": PASSWORD})
            answer = self.ask("/sign-in", form=form)
            cookie = http.cookies.SimpleCookie(answer.headers.get("set-cookie", ""))
            if answer.status != 303 or "lm" not in cookie:
                sys.exit(f"{name} could not sign in: {answer.status}")
            self.cookie = f"lm={cookie['lm'].value}"

    def ask(self, path, encodings="gzip, br", form=None):
        lines = [f"{'GET' if form is None else 'POST'} {path} HTTP/1.1", f"Host: {self.address}",
                 "Accept: text/html,*/*;q=0.8", "Connection: close", "Sec-Fetch-Site: same-origin"]
        lines += [f"Accept-Encoding: {encodings}"] if encodings else []
        lines += [f"Cookie: {self.cookie}"] if self.cookie else []
        if form is not None:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"]
        host, port = self.address.rsplit(":", 1)
        wire = bytearray()
        with socket.create_connection((host, int(port)), timeout=LIMIT_S) as link:
            link.sendall("\r\n".join([*lines, "", form or ""]).encode())
            while some := link.recv(1 << 16):
                wire += some
        return Answer(bytes(wire))


class Assets(html.parser.HTMLParser):
    """What a browser asks for besides a page, each once."""

    def __init__(self, page):
        super().__init__()
        self.found = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        of = dict(attrs)
        kinds = {"script": "script", "img": "picture", "image": "picture", "source": "picture"}
        if tag == "link" and set(of.get("rel", "").split()) & {"stylesheet", "icon", "preload", "modulepreload"}:
            self.keep(of.get("href"), "style" if "stylesheet" in of["rel"] else "picture")
        elif tag in kinds:
            self.keep(of.get("src") or of.get("href"), kinds[tag])

    def keep(self, address, kind):
        if address and not address.startswith("data:"):
            self.found.setdefault(address, kind)


class Visit:
    """A page, and what it refers to."""

    def __init__(self, browser, path, encodings="gzip, br"):
        self.page = browser.ask(path, encodings)
        # As text only to find what it names.
        plain = browser.ask(path, None).body.decode(errors="replace")
        named = Assets(plain).found
        self.assets = [(kind, address, browser.ask(address, encodings)) for address, kind in named.items()]
        for _, address, answer in [*self.assets]:
            if answer.headers.get("content-type", "").startswith("text/css"):
                style = browser.ask(address, None).body.decode(errors="replace")
                for inner in re.findall(r"url\(\s*['\"]?(/[^'\")]+)", style):
                    if inner not in named:
                        self.assets.append(("picture", inner, browser.ask(inner, encodings)))

    @property
    def first(self):
        return self.page.size + sum(answer.size for _, _, answer in self.assets)

    def of_kind(self, kind):
        return sum(len(answer.body) for of, _, answer in self.assets if of == kind)

    def plain(self):
        """What is longer than a packet, and not compressed or not marked (`Vary`) as one of several forms."""
        answers = [("page", self.page), *((address, answer) for _, address, answer in self.assets)]
        long = [(name, answer) for name, answer in answers if len(answer.body) > PACKET_BYTES]
        return [name for name, answer in long if not answer.is_compressed]

    def beyond(self):
        """What of it is more than it may be."""
        weighed = (
            ("first visit", self.first, FIRST_BYTES), ("later visit", self.page.size, LATER_BYTES),
            ("style sheet", self.of_kind("style"), STYLE_BYTES), ("script", self.of_kind("script"), SCRIPT_BYTES),
        )
        return [f"{what}: {size} bytes, at most {limit}" for what, size, limit in weighed if size > limit]


def queries_of(platform, visit):
    """The queries of a visit, and only of it: the least of some; `None` without the counter."""
    found = []
    for _ in range(VISITS):
        before = counter(platform, "store_queries")
        visit()
        after = counter(platform, "store_queries")
        found.append(None if before is None or after is None else after - before)
    return None if None in found else min(found)


def queries_limit(path):
    return MORE_QUERIES.get(path, 0 if path in WITHOUT_QUERIES else QUERIES)


def check_page(comparison, platform, browser, path, state):
    visit = Visit(browser, path)
    comparison.same(f"{path}: status", visit.page.status, 200 if state else 404)
    comparison.same(f"{path}: assets", [one[1] for one in visit.assets if one[2].status != 200], [])
    kinds = {kind for kind, _, _ in visit.assets}
    comparison.same(f"{path}: style, script and icon", kinds >= {"style", "script", "picture"}, True)
    kept = [answer.headers.get("cache-control", "") for _, _, answer in visit.assets]
    comparison.same(f"{path}: assets are kept", all("immutable" in one for one in kept), True)
    comparison.same(f"{path}: bytes", visit.beyond(), [])
    comparison.same(f"{path}: not compressed", visit.plain(), [])
    queries, limit = queries_of(platform, lambda: browser.ask(path)), queries_limit(path)
    comparison.true(f"{path}: queries", queries is not None and queries <= limit, f"{queries}, at most {limit}")
    return visit, queries


def must_fail(comparison, home, browsers):
    """What is too heavy, or asks too much, is found."""
    ann = browsers["ann"]
    home.reject_heavy()
    beyond = Visit(ann, "/admin/rejected").beyond()
    heavy = {one.split(":")[0] for one in beyond}
    comparison.true("must fail: a heavy page", heavy >= {"first visit", "later visit"}, "; ".join(beyond))
    often = queries_of(home.platform, lambda: [ann.ask("/devices/plug") for _ in range(12)])
    comparison.true("must fail: many queries", (often or 0) > QUERIES, f"{often}, at most {QUERIES}")


def main():
    comparison = Comparison()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        filled = home.filled
        comparison.true("values stored", filled.values >= VALUES, filled.values)
        print(f"     {filled.readings} readings in {time.monotonic() - begun:.1f} s")
        browsers = {who: Browser(home.platform.rest, who) for who in (None, "ann", "adam")}
        rows = []
        for path, who, state in PAGES + NEXT:
            visit, queries = check_page(comparison, home.platform, browsers[who], path, state)
            rows.append((path, visit.first, visit.page.size, visit.page.encoding, queries))
        style, script = (visit.of_kind(kind) for kind in ("style", "script"))
        must_fail(comparison, home, browsers)
        home.close()
    print(f"{'page':46} {'first B':>8} {'later B':>8} {'as':>5} {'queries':>8}")
    for path, first, later, encoding, queries in rows:
        print(f"{path:46} {first:8} {later:8} {encoding:>5} {'-' if queries is None else queries:>8}")
    print(f"style sheet {style} B, script {script} B; {time.monotonic() - begun:.1f} s")
    comparison.end()


if __name__ == "__main__":
    main()
