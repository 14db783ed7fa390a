#!/usr/bin/env python3
"""Times the pages of a platform on the wall clock that has ten million values, and what open pages cost it.

    pages_speed.py [--values 10000000] [--homes 200] [--requests 30] [--readings 60] [--tabs 50] [--rate 200]
                   [--seconds 30]

That of ann among the homes has a year in steps of five minutes, the others quarters of an hour. Three parts:

- each page of `pages_browser.PAGES`, and the few beside them in `pages_weight.NEXT`, as its reader, one request after
  the other behind one that warms up, from asking to the last byte: p95 at most 200 ms;
- readings that are published while Chromium has ann's `/now` open, from publishing to when the page shows its power,
  or a later one: p95 at most 1 s;
- messages at a rate, from sending to the PUBACK, which is given once they are durable: p99 quiet, then with so many
  pages open, each of another owner, that follow `/live` and ask for their part at each event, then quiet again. With
  them it is at most twice the greater of the quiet ones, or 5 ms: below that it is noise.

Prints a table of each part. Exit 1 if a limit is exceeded, or if what was measured is not what it should be.
"""

import argparse
import asyncio
import http.client
import json
import math
import multiprocessing
import os
import random
import select
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))

import pages_browser as pages
import pages_weight as weight
from peer.meter import Meter
from peer.platform import LIMIT_S, TOKEN, Platform
from quiet_tenants import packet, text

PAGE_MS, SHOWN_MS, INGEST_TIMES, INGEST_FLOOR_MS = 200.0, 1000.0, 2.0, 5.0
FINE_S = 300
# Connections over which the messages of meters come.
CONNECTIONS = 20
# Between two times that a page asks for its drawing of the day.
DAY_PART_S = 60.0


def part_of(sorted_values, part):
    """The least value that so large a part is not beyond."""
    return sorted_values[math.ceil(part * len(sorted_values)) - 1]


class Limits:
    """What was found beside its limit."""

    def __init__(self):
        self.broken = []

    def at_most(self, what, found, limit):
        if not found <= limit:
            self.broken.append(f"{what}: {found:.1f} ms, at most {limit:.1f} ms")

    def true(self, what_if_not, good):
        if not good:
            self.broken.append(what_if_not)


def owner(number):
    return f"owner-{number}"


def devices_of(number):
    return [f"{kind}-{number}" for kind in ("meter", "fridge", "boiler")]


def fill(platform, meter, asked):
    """The homes with their owners, and as many values as are asked for."""
    begun = time.monotonic()
    weight.premises(platform)
    last = time.time() // weight.QUARTER_S * weight.QUARTER_S
    year = last - 366 * weight.DAY_S
    of_ann = [weight.METER, *weight.LOADS]
    weight.household(platform, "ann", [(device, device.capitalize()) for device in of_ann], year)
    for number in range(1, asked.homes):
        devices = [(device, device.capitalize()) for device in devices_of(number)]
        weight.household(platform, owner(number), devices, year, has_password=number <= asked.tabs)
    print(f"{asked.homes} homes in {time.monotonic() - begun:.0f} s", flush=True)
    filled = weight.Import(meter)
    # Of few values those of ann leave half to the others.
    fine = min(366 * weight.DAY_S // FINE_S, asked.values // 2 // weight.QUANTITIES)
    weight.measured(filled, of_ann, last, fine, FINE_S)
    for number in range(1, asked.homes):
        left = (asked.values - filled.values) // (asked.homes - number)
        steps = max(1, min(left // weight.QUANTITIES, 366 * 96))
        weight.measured(filled, devices_of(number), last, steps, load_days=1, seed=10 * number)
    filled.end(platform)
    print(f"{filled.values} values in {filled.readings} readings after {time.monotonic() - begun:.0f} s", flush=True)
    return filled.values


# --- pages -------------------------------------------------------------------------------------------------------


def time_pages(browsers, asked, limits):
    print(f"{'page':46}  p50 ms  p95 ms")
    for path, who, state in pages.PAGES + weight.NEXT:
        statuses, took = times_of(browsers[who], path, asked.requests)
        limits.true(f"{path}: answered with {statuses}", statuses == {200 if state else 404})
        p50, p95 = part_of(took, 0.5), part_of(took, 0.95)
        print(f"{path:46}  {p50:6.1f}  {p95:6.1f}", flush=True)
        limits.at_most(path, p95, PAGE_MS)


def times_of(browser, path, count):
    """With what requests of a page over one connection are answered, and what they take, but the first one, in ms."""
    link = http.client.HTTPConnection(browser.address, timeout=LIMIT_S)
    headers = {"Accept": "text/html", "Accept-Encoding": "gzip, br"}
    headers |= {"Cookie": browser.cookie} if browser.cookie else {}
    statuses, took = set(), []
    for _ in range(count + 1):
        begun = time.perf_counter()
        link.request("GET", path, headers=headers)
        answer = link.getresponse()
        answer.read()
        took.append((time.perf_counter() - begun) * 1000)
        statuses.add(answer.status)
    link.close()
    return statuses, sorted(took[1:])


# --- readings that show ------------------------------------------------------------------------------------------

# Keeps when the power of the page became another one, by the machine's clock.
OBSERVE = """
    window.seen = [];
    let last;
    const look = () => {
        const value = document.querySelector("#now .lead data")?.value;
        if (value !== last) seen.push([performance.timeOrigin + performance.now(), Number(value)]);
        last = value;
    };
    new MutationObserver(look).observe(document.getElementById("now"), {childList: true, subtree: true});
"""


def time_shown(platform, meter, asked, limits):
    """Each reading has more power than the one before, so that what shows is of it or of a later one."""
    chance = random.Random(1)
    driver = pages.browser(1280, 900, "light")
    try:
        pages.sign_in(driver, platform.rest, "ann")
        driver.get(platform.rest + "/now")
        driver.execute_script(OBSERVE)
        sent = []
        for number in range(asked.readings + 1):
            power = round(3 + number / 100, 2)
            request = {"measurements": {weight.POWER: power}, "updateState": True,
                       "eventDate": weight.date(time.time())}
            message = {"hardwareId": weight.METER, "type": "DeviceMeasurements", "request": request}
            sent.append((time.time() * 1000, power))
            meter.send(message)
            # Behind the first one the page follows.
            time.sleep(chance.uniform(0.5, 1.5) if number else 3)
        time.sleep(3)
        seen = driver.execute_script("return window.seen")
    finally:
        driver.quit()
    took = []
    for at, power in sent[1:]:
        shown = [when for when, value in seen if value is not None and value >= power - 1e-6]
        took.append(min(shown, default=math.inf) - at)
    took.sort()
    p50, p95 = part_of(took, 0.5), part_of(took, 0.95)
    print(f"reading published until shown: p50 {p50:.0f} ms, p95 {p95:.0f} ms, of {len(took)}; {len(seen)} changes",
          flush=True)
    limits.at_most("reading until shown", p95, SHOWN_MS)


# --- messages beside open pages ----------------------------------------------------------------------------------


class Link:
    """A connection of MQTT 3.1.1 that publishes at QoS 1, and when each message was sent."""

    def __init__(self, platform, name):
        self.socket = socket.create_connection((platform.host, platform.port), timeout=LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connect = text("MQTT") + b"\x04\xc2\x00\x00" + text(name) + text("default") + text(TOKEN)
        self.socket.sendall(packet(0x10, connect))
        if self.socket.recv(4) != b"\x20\x02\x00\x00":
            sys.exit(f"{name} was not let in")
        self.number, self.sent, self.buffer = 0, {}, b""

    def send(self, body):
        self.number = self.number % 65535 + 1
        publish = packet(0x32, text("default/SiteWhere/input/json") + self.number.to_bytes(2, "big") + body)
        self.sent[self.number] = time.perf_counter()
        self.socket.sendall(publish)

    def acknowledged(self):
        """What the messages took whose PUBACK came, in ms."""
        some = self.socket.recv(1 << 16)
        now = time.perf_counter()
        if not some:
            sys.exit("the platform closed a connection")
        self.buffer += some
        took = []
        while len(self.buffer) >= 4:
            if self.buffer[:2] != b"\x40\x02":
                sys.exit(f"no PUBACK: {self.buffer[:8].hex()}")
            took.append((now - self.sent.pop(int.from_bytes(self.buffer[2:4], "big"))) * 1000)
            self.buffer = self.buffer[4:]
        return took


class Senders:
    """The meters of all homes, in turn, at a rate."""

    def __init__(self, platform, asked):
        self.links = [Link(platform, f"sender-{number}") for number in range(CONNECTIONS)]
        self.by_socket = {link.socket: link for link in self.links}
        self.asked, self.made = asked, 0
        self.homes = [weight.Consumption(number) for number in range(asked.homes)]

    def body(self):
        home, self.made = self.made % self.asked.homes, self.made + 1
        device = devices_of(home)[0] if home else weight.METER
        request = {"measurements": self.homes[home].step(time.time(), 1), "updateState": True,
                   "metadata": {"epoch": "1", "serial": str(self.made)}, "eventDate": weight.date(time.time())}
        return json.dumps({"hardwareId": device, "type": "DeviceMeasurements", "request": request}).encode()

    def run(self, seconds):
        """What each message took in ms, in order of size, and how late the latest was sent."""
        count, took, late_ms = int(seconds * self.asked.rate), [], 0.0
        begun, done = time.perf_counter() + 0.1, 0
        body = self.body()
        end = begun + seconds + LIMIT_S
        while len(took) < count:
            due = begun + done / self.asked.rate if done < count else end
            wait = due - time.perf_counter()
            if wait <= 0 and done == count:
                sys.exit(f"{count - len(took)} messages were not acknowledged")
            if wait <= 0:
                late_ms = max(late_ms, -wait * 1000)
                self.links[done % CONNECTIONS].send(body)
                done += 1
                body = self.body()
            for ready in select.select(self.by_socket, (), (), max(0.0, wait))[0]:
                took += self.by_socket[ready].acknowledged()
        return sorted(took), late_ms

    def close(self):
        for link in self.links:
            link.socket.close()


class Tab:
    """An open page as pages.js has it: follows `/live`, and asks for its part at each event."""

    def __init__(self, address, cookie, chance):
        self.host, port = address.rsplit(":", 1)
        self.port, self.chance = int(port), chance
        self.head = f"Host: {address}\r\nCookie: {cookie}\r\nAccept-Encoding: gzip, br\r\n"
        self.link, self.events, self.parts, self.took = None, 0, 0, []
        self.alone = asyncio.Lock()

    async def ask(self, link, path, more=""):
        """Status and headers of an answer."""
        reader, writer = link
        writer.write(f"GET {path} HTTP/1.1\r\n{self.head}{more}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in head[1:] if line)
        return int(head[0].split()[1]), {name.lower(): value.strip() for name, value in pairs}

    async def part(self, name):
        async with self.alone:
            begun = time.perf_counter()
            self.link = self.link or await asyncio.open_connection(self.host, self.port)
            status, headers = await self.ask(self.link, "/now", f"X-Part: {name}\r\n")
            reader = self.link[0]
            if "content-length" in headers:
                await reader.readexactly(int(headers["content-length"]))
            else:
                while size := int(await reader.readline(), 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            if status != 200:
                raise ConnectionError(f"a part was answered with {status}")
            self.took.append((time.perf_counter() - begun) * 1000)
            self.parts += 1

    async def follow(self, opened):
        link = await asyncio.open_connection(self.host, self.port)
        status, _ = await self.ask(link, "/live", "Accept: text/event-stream\r\n")
        if status != 200:
            raise ConnectionError(f"/live was answered with {status}")
        with opened.get_lock():
            opened.value += 1
        while True:
            line = await link[0].readline()
            if not line:
                raise ConnectionError("/live ended")
            if line.startswith(b"event: "):
                self.events += 1
                # One that comes while the part is on its way is left out.
                if not self.alone.locked():
                    asyncio.ensure_future(self.part("now"))

    async def draw(self):
        await asyncio.sleep(self.chance.uniform(0, DAY_PART_S))
        while True:
            await self.part("day")
            await asyncio.sleep(DAY_PART_S)


def open_tabs(address, cookies, opened, stop, results):
    """Runs in a process of its own, so that the sender's clock is not kept waiting."""
    async def run():
        tabs = [Tab(address, cookie, random.Random(number)) for number, cookie in enumerate(cookies)]
        works = [asyncio.ensure_future(work) for tab in tabs for work in (tab.follow(opened), tab.draw())]
        while not stop.is_set():
            ended = [work.exception() for work in works if work.done()]
            if ended:
                results.put(f"a page ended: {ended[0]!r}")
                return
            await asyncio.sleep(0.1)
        took = sorted(one for tab in tabs for one in tab.took)
        results.put(([tab.events for tab in tabs], [tab.parts for tab in tabs], took))

    asyncio.run(run())


def processor_s(platform):
    """What the platform's process has taken of processors."""
    with open(f"/proc/{platform.process.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def time_ingest(platform, cookies, asked, limits):
    senders = Senders(platform, asked)
    senders.run(2)
    p99 = {}

    def measure(name):
        begun, used = time.monotonic(), processor_s(platform)
        took, late_ms = senders.run(asked.seconds)
        share = (processor_s(platform) - used) / (time.monotonic() - begun)
        p99[name] = part_of(took, 0.99)
        print(f"ingest, {name:12} p50 {part_of(took, 0.5):6.1f} ms, p99 {p99[name]:6.1f} ms, most {took[-1]:6.1f} ms, "
              f"of {len(took)}; the platform took {share:.2f} processors, the sender was late by {late_ms:.1f} ms at "
              f"most", flush=True)

    measure("quiet")
    context = multiprocessing.get_context("spawn")
    opened, stop, results = context.Value("i", 0), context.Event(), context.Queue()
    address = platform.rest.split("://", 1)[1]
    tabs = context.Process(target=open_tabs, args=(address, cookies, opened, stop, results), daemon=True)
    tabs.start()
    deadline = time.monotonic() + LIMIT_S
    while opened.value < len(cookies):
        if time.monotonic() > deadline or not tabs.is_alive():
            sys.exit(f"of {len(cookies)} pages {opened.value} are open")
        time.sleep(0.05)
    # What they do at first is not what is measured.
    senders.run(3)
    measure(f"{len(cookies)} pages")
    stop.set()
    found = results.get(timeout=LIMIT_S)
    tabs.join(LIMIT_S)
    if isinstance(found, str):
        limits.true(found, False)
    else:
        events, parts, took = found
        print(f"events of a page {min(events)} to {max(events)}, parts {min(parts)} to {max(parts)}, a part took p50 "
              f"{part_of(took, 0.5):.1f} ms, p99 {part_of(took, 0.99):.1f} ms", flush=True)
        limits.true("a page did not follow what was measured", min(parts) >= asked.seconds / 3)
    measure("quiet again")
    senders.close()
    quiet = max(p99["quiet"], p99["quiet again"])
    most = max(INGEST_TIMES * quiet, INGEST_FLOOR_MS)
    limits.at_most("ingest beside open pages, p99", p99[f"{len(cookies)} pages"], most)


def measure_all(platform, asked, limits):
    meter = Meter(platform, "MQTT 5", "filler")
    stored = fill(platform, meter, asked)
    limits.true(f"{stored} values are stored of {asked.values}", stored >= 0.99 * asked.values)
    browsers = {who: weight.Browser(platform.rest, who) for who in (None, "ann", "adam")}
    time_pages(browsers, asked, limits)
    time_shown(platform, meter, asked, limits)
    meter.close()
    owners = [weight.Browser(platform.rest, owner(number)) for number in range(1, asked.tabs + 1)]
    time_ingest(platform, [one.cookie for one in owners], asked, limits)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("values", 10_000_000), ("homes", 200), ("requests", 30), ("readings", 60), ("tabs", 50),
                          ("rate", 200), ("seconds", 30)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    asked.tabs = min(asked.tabs, asked.homes - 1)
    limits = Limits()
    with tempfile.TemporaryDirectory() as folder:
        # What the browser leaves behind goes with the rest.
        os.environ["TMPDIR"] = folder
        platform = Platform(os.path.join(folder, "data"))
        try:
            measure_all(platform, asked, limits)
            limits.true("the platform did not stop in order", platform.stop() == 0)
        finally:
            # However it ended, nothing is written into the folder any more.
            platform.process.kill()
            platform.process.wait(LIMIT_S)
    for broken in limits.broken:
        print(f"FAIL {broken}")
    return int(bool(limits.broken))


if __name__ == "__main__":
    sys.exit(main())
