"""Looks at every page in headless Chromium, as its main reader, on a telephone in light and on a desk in dark.

Of each page: no entry in the console, no request to another host, nothing beyond 320 pixels to the side, no finding of
axe-core (WCAG 2.2 A and AA, best practice), each stop of the Tab key visible and in the order of reading, and the same
facts and drawings without script. By mouse and again by keyboard: signing in, a command, an alarm acknowledged, and a
new reading on an open page within two seconds. A network from its registration on: its key, its gateway and its node
come over a connection of the gateway's protocol, the node is registered, switched, and its changed scale accepted.
Must-fail pages have to be found: a field without label, a foreign picture, a style attribute, a page that is too wide.

    pages_browser.py            what the tests ask
    pages_browser.py --sheets F also a picture of each page, width and theme in the folder F
"""

import importlib.util
import json
import os
import sys
import tempfile
import time
import urllib.parse

try:
    from selenium import webdriver
    from selenium.common.exceptions import StaleElementReferenceException, TimeoutException, WebDriverException
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    print("selenium is not installed; tests/setup peers installs it")
    sys.exit(77)

from peer import grid
from peer.bench import Comparison
from peer.meter import Meter
from peer.platform import Platform

try:
    from peer.plug import Plug
except ImportError:
    print("the Python package cryptography is not installed; tests/setup peers installs it")
    sys.exit(77)

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
PASSWORD = "correct horse"
POWER = "electricity.power.active.consumed.total"
ENERGY = "electricity.energy.active.consumed.total"
BREAKER = "x.electricity.breaker.closed"
# How soon something shows on an open page.
SHOWN_S = 2.0
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Every page, who looks at it, and its state.
PAGES = [
    ("/sign-in", None, "V0"),
    ("/public", None, "V1"),
    ("/now", "ann", "V2"),
    ("/history", "ann", "V4"),
    ("/history?per=week", "ann", "V4"),
    ("/devices", "ann", "V3"),
    ("/devices/plug", "ann", "V3"),
    ("/alarms", "ann", "V7"),
    ("/bills", "ann", "V8"),
    ("/tariff", "ann", "V8"),
    ("/awareness", "ann", "V10"),
    ("/reports", "ann", "V9"),
    ("/rules", "ann", "V6"),
    ("/rules?kind=price", "ann", "V6"),
    ("/networks", "ann", "A1"),
    ("/networks/new", "ann", "A2"),
    ("/sharing", "ann", "A8"),
    ("/shared", "ann", "V12"),
    ("/account", "ann", "A9"),
    ("/no/such/page", "ann", None),
    ("/admin/health", "adam", "P5"),
    ("/admin/people", "adam", "P2"),
    ("/admin/people/ann", "adam", "P2"),
    ("/admin/roles", "adam", "P2"),
    ("/admin/keys", "adam", "P3"),
    ("/admin/tariffs", "adam", "V8"),
    ("/admin/connections", "adam", "P5"),
    ("/admin/tenants", "adam", "P1"),
    ("/admin/rejected", "adam", "P6"),
    ("/admin/audit", "adam", "P4"),
    ("/groups", "adam", "O6"),
    ("/grid", "adam", "O1"),
    ("/grid/outages", "adam", "O2"),
]
# Of a network with an outage, which other scripts have not.
GRID = [
    ("/grid?l=L9", "adam", "O1"),
    ("/grid?s=S3", "adam", "O1"),
    ("/grid?network=other", "adam", "O1"),
    ("/grid/outages/outages~outage-1", "adam", "O2"),
    ("/grid/outages/outages~outage-2", "adam", "O2"),
]


def browser(width, height, scheme, has_script=True):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--hide-scrollbars", "--force-device-scale-factor=1"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if not has_script:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(30)
    resize(driver, width, height)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    return driver


def resize(driver, width, height):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


class Household:
    """A platform with a household: a meter with readings since midnight and a gap, a plug, an alarm."""

    def __init__(self, folder):
        self.platform = platform = Platform(folder, "--door", "gateways=127.0.0.1:0")
        settings = {"token": "settings", "timeZone": "Europe/Rome", "currency": "EUR", "registration": "open"}
        platform.get("/api/v1/settings", settings)
        for name, role in (("ann", "user"), ("bob", "user"), ("adam", "tenant-admin")):
            platform.get("/sitewhere/api/users", {"username": name, "password": PASSWORD, "roles": [role]})
        specification = {"token": "plug", "name": "Plug", "quantities": [], "reportingPeriod": 900}
        platform.get("/sitewhere/api/specifications", specification)
        platform.get("/sitewhere/api/assets", {"token": "ann", "category": "person", "name": "Ann", "user": "ann"})
        for device, name, parent in (("meter", "Home meter", None), ("plug", "Heater <b>&amp;", "meter")):
            body = {"hardwareId": device, "name": name, "specificationToken": "plug", "parentHardwareId": parent,
                    "status": "registered"}
            platform.get("/sitewhere/api/devices", body)
            begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2 * 86400))
            assignment = {"deviceHardwareId": device, "assetId": "ann", "activeDate": begun}
            platform.get("/sitewhere/api/assignments", assignment)
        tariff = {"token": "t", "name": "Home", "currency": "EUR", "zone": "Europe/Rome",
                  "validFrom": "2026-01-01T00:00:00Z", "imports": [{"name": "Base", "price": "0.22"}]}
        platform.get("/api/v1/tariffs", tariff)
        self.meter = Meter(platform, "MQTT 5", "filler")
        now = time.time()
        self.serial = 0
        sent = []
        for quarter in range(0, 96):
            if 40 <= quarter <= 47:
                continue
            at = now - (96 - quarter) * 900
            sent.append(self.send("meter", {ENERGY: 100 + quarter * 0.25, POWER: 1.2449}, at))
        sent.append(self.send("plug", {POWER: 0.82, BREAKER: 1.0}, now))
        key = {"of": "user:ann", "actions": ["read", "write"], "until": "2100-01-01T00:00:00Z"}
        key = platform.get("/api/v1/keys", key)["key"]
        rule = {"name": "High",
                "when": {"threshold": {"device": "meter", "quantity": POWER, "above": 2.9}},
                "then": [{"alarm": {"type": "high.power", "level": "Critical",
                                    "text": "Home power is close to its limit"}}]}
        status, answer = platform.ask("/api/v1/rules", rule, key)
        if status != 201:
            sys.exit(f"/api/v1/rules: {status} {answer}")
        sent.append(self.send("meter", {ENERGY: 124.0, POWER: 3.0}, now))
        for network in (grid.feeder("feeder", 22), grid.feeder("other", 400)):
            platform.get("/api/v1/electric-networks", network)
        grid.switch(platform, "feeder", 0, [False], "work on the <line>")
        meters = [f"meter-{number}" for number in range(10)]
        for number, (kind, subject, content) in enumerate((
            ("outage", "outage-1", grid.outage("feeder", "L8", meters, now - 600)),
            ("fault", "fault-1", grid.fault("feeder", ["L8", "L10"], now - 600, "outage-1")),
            ("outage", "outage-2", {**grid.outage("feeder", "L5", meters[:2], now - 7200, "restored"),
                                    "restored": meters[:2], "until": grid.instant(now - 3600)}),
        ), 1):
            sent.append(self.meter.send(*grid.result(number, kind, subject, now, content)))
        self.meter.await_acknowledged(sent)
        platform.await_rows("readings", len(sent) - 3)
        deadline = time.monotonic() + 10
        while not platform.get("/api/v1/alarms")["results"] and time.monotonic() < deadline:
            time.sleep(0.1)

    def send(self, device, values, at):
        self.serial += 1
        date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".000Z"
        request = {"measurements": values, "updateState": True, "eventDate": date}
        return self.meter.send({"hardwareId": device, "type": "DeviceMeasurements", "request": request})


def is_gone(element):
    """Whether an element's page has been left; while it is, the browser has more than one error for that."""
    try:
        element.is_enabled()
    except WebDriverException:
        return True
    return False


def sign_in(driver, rest, name):
    """Ends when the page after it is there: going on before that would leave the cookie behind."""
    driver.get(rest + "/sign-in")
    before = driver.find_element(By.TAG_NAME, "html")
    driver.find_element(By.ID, "name").send_keys(name)
    driver.find_element(By.ID, "password").send_keys(PASSWORD)
    driver.find_element(By.CSS_SELECTOR, "main form button").click()
    WebDriverWait(driver, 30).until(lambda _: is_gone(before), f"{name} signs in")


def axe(driver, source):
    driver.execute_script(source)
    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    script = "const done = arguments[arguments.length - 1]; axe.run(document, arguments[0]).then(done, done)"
    found = driver.execute_async_script(script, options)
    return [(one["id"], [node["html"][:100] for node in one["nodes"]][:3]) for one in found["violations"]]


def hosts(driver):
    """The hosts that were asked for something since the last time."""
    found = set()
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = urllib.parse.urlparse(message["params"]["request"]["url"])
            if url.scheme not in ("data", "about"):
                found.add(url.netloc)
    return found


def stops(driver):
    """Where the Tab key stops: each element's place among all, and whether its focus can be seen."""
    script = """
        const one = document.activeElement;
        if (!one || one === document.body) return null;
        const style = getComputedStyle(one), box = one.getBoundingClientRect();
        const all = [...document.querySelectorAll("*")];
        const x = box.left + Math.min(box.width, 20) / 2, y = box.top + Math.min(box.height, 20) / 2;
        const top = document.elementFromPoint(x, y);
        return [all.indexOf(one), one.outerHTML.slice(0, 80), parseFloat(style.outlineWidth) >= 2 &&
            style.outlineStyle !== "none", box.bottom > 0 && box.top < innerHeight &&
            (one === top || one.contains(top) || top?.contains(one))];
    """
    found = []
    for _ in range(80):
        # To whatever has the focus, as a keyboard does; it may be a part of the page that is just renewed.
        ActionChains(driver).send_keys(Keys.TAB).perform()
        stop = driver.execute_script(script)
        if stop is None or (found and stop[0] <= found[-1][0]):
            break
        found.append(stop)
    return found


def check_page(comparison, driver, rest, page, source, name):
    path, _, state = page
    driver.get_log("browser"), hosts(driver)
    driver.get(rest + path)
    label = f"{name} {path}"
    check_shown(comparison, driver, rest, state, source, label)
    driver.get(rest + path)
    check_stops(comparison, driver, label)


def check_shown(comparison, driver, rest, state, source, label):
    """What holds of a page that is open."""
    found = driver.execute_script("return document.querySelector('main').dataset.state")
    comparison.same(f"{label}: state", found, state or found)
    entries = [one["message"] for one in driver.get_log("browser")]
    # A page that is nowhere is answered with 404, which the browser notes.
    entries = [one for one in entries if state or "404" not in one]
    comparison.same(f"{label}: console", entries, [])
    comparison.same(f"{label}: hosts", hosts(driver) - {urllib.parse.urlparse(rest).netloc}, set())
    comparison.same(f"{label}: axe", axe(driver, source), [])
    dark = "matchMedia('(prefers-color-scheme: dark)').matches"
    paper = driver.execute_script(f"return [{dark}, getComputedStyle(document.body).backgroundColor]")
    comparison.same(f"{label}: theme", paper[1], "rgb(20, 20, 19)" if paper[0] else "rgb(251, 250, 246)")


def check_stops(comparison, driver, label):
    seen = stops(driver)
    comparison.same(f"{label}: Tab stops", bool(seen), True)
    hidden = [stop[1] for stop in seen if not (stop[2] and stop[3])]
    comparison.same(f"{label}: stops whose focus is not seen", hidden, [])


def is_too_wide(driver):
    script = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, room = driver.execute_script(script)
    return wide > room


def check_narrow(comparison, driver, name, size, sheets):
    """That a page that is open fits 320 pixels, and a picture of it; `size` is width, height and theme."""
    width, height, scheme = size
    if sheets:
        tall = driver.execute_script("return document.documentElement.scrollHeight")
        resize(driver, width, min(tall, 6000))
        driver.save_screenshot(os.path.join(sheets, f"{name}-{width}-{scheme}.png"))
    for narrow in (320, width):
        resize(driver, narrow, 640 if narrow == 320 else height)
        comparison.same(f"{narrow} {name}: too wide", is_too_wide(driver), False)


def facts(driver):
    script = """
        const shown = (one) => one.getClientRects().length > 0;
        const values = [...document.querySelectorAll("main data")].map((one) => one.value);
        const drawn = [...document.querySelectorAll("main .drawing")].map((one) =>
            [...one.querySelectorAll("svg")].filter(shown).length);
        return [values, drawn];
    """
    return driver.execute_script(script)


def without_script(comparison, household, driver, sheets):
    """The same facts, and a drawing that can be seen in each place for one."""
    rest = household.platform.rest
    plain = browser(360, 740, "light", has_script=False)
    sign_in(plain, rest, "ann")
    for width, height in ((360, 740), (1280, 900)):
        resize(plain, width, height), resize(driver, width, height)
        for path, who, _ in PAGES:
            if who == "ann":
                plain.get(rest + path), driver.get(rest + path)
                with_it, without = facts(driver), facts(plain)
                comparison.same(f"{width} {path}: values without script", without[0], with_it[0])
                comparison.same(f"{width} {path}: drawings", set(without[1]) | set(with_it[1]) | {1}, {1})
                comparison.same(f"{width} {path}: too wide", is_too_wide(plain), False)
    plain.quit()


def await_text(driver, selector, text, limit_s=SHOWN_S):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        found = driver.execute_script("return document.querySelector(arguments[0])?.innerText", selector)
        if found and text in found:
            return True
        time.sleep(0.05)
    return False


def await_state(driver, state, limit_s=SHOWN_S):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if driver.execute_script("return document.getElementById('main')?.dataset.state") == state:
            return True
        time.sleep(0.05)
    return False


def press(driver, selector, is_mouse):
    """Presses what is there; a part of the page that is renewed meanwhile has it again."""
    if is_mouse:
        waits = WebDriverWait(driver, 5, 0.05, ignored_exceptions=[StaleElementReferenceException])
        waits.until(lambda _: driver.find_element(By.CSS_SELECTOR, selector).click() or True)
        return
    for _ in range(80):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        has_focus = "return document.activeElement === document.querySelector(arguments[0])"
        if driver.execute_script(has_focus, selector):
            break
    ActionChains(driver).send_keys(Keys.ENTER).perform()


def walk(comparison, household, is_mouse):
    """Signs in, sees a reading come, gives a command, acknowledges an alarm."""
    way = "mouse" if is_mouse else "keyboard"
    platform = household.platform
    driver = browser(1280, 900, "light")
    driver.get(platform.rest + "/devices/plug")
    comparison.same(f"{way}: sign-in first", driver.current_url.split("?")[0], platform.rest + "/sign-in")
    before = driver.find_element(By.TAG_NAME, "html")
    driver.find_element(By.ID, "name").send_keys("ann")
    if is_mouse:
        driver.find_element(By.ID, "password").send_keys(PASSWORD)
        driver.find_element(By.CSS_SELECTOR, "main form button").click()
    else:
        driver.switch_to.active_element.send_keys(Keys.TAB)
        driver.switch_to.active_element.send_keys(PASSWORD, Keys.ENTER)
    # A key or a click is over before its answer is there.
    WebDriverWait(driver, 30).until(lambda _: is_gone(before), f"{way}: signs in")
    comparison.same(f"{way}: way back", driver.current_url, platform.rest + "/devices/plug")
    power = 0.555 if is_mouse else 0.444
    household.meter.await_acknowledged([household.send("plug", {POWER: power, BREAKER: 1.0}, time.time())])
    text = f"{power * 1000:.0f}"
    comparison.same(f"{way}: a reading shows within {SHOWN_S} s", await_text(driver, "#state", text), True)
    press(driver, "form.command button", is_mouse)
    comparison.same(f"{way}: command under way", await_text(driver, "#doing", "Switch off"), True)
    # Part of the page before shows the command, too, until its answer is there.
    comparison.same(f"{way}: its state", await_state(driver, "V3c"), True)
    driver.get(platform.rest + "/history")
    chart = driver.find_element(By.CSS_SELECTOR, "[data-chart]")
    chart.send_keys(Keys.ARROW_LEFT)
    comparison.same(f"{way}: the chart reads a value", bool(driver.find_element(By.TAG_NAME, "output").text), True)
    driver.get(platform.rest + "/alarms")
    if is_mouse:
        press(driver, ".alarms button", is_mouse)
        # Going elsewhere at once would end the form's way.
        until = time.monotonic() + 5
        while driver.find_elements(By.CSS_SELECTOR, ".alarms button") and time.monotonic() < until:
            time.sleep(0.05)
        driver.get(platform.rest + "/alarms?show=known")
        comparison.same(f"{way}: who acknowledged", await_text(driver, "#alarms", "Acknowledged by ann"), True)
    driver.get(platform.rest + "/sharing")
    driver.find_element(By.ID, "to").send_keys("bob")
    press(driver, "form.narrow button", is_mouse)
    shared = await_text(driver, "[role=status]:not(#lost)", "bob will see each reading of Home meter")
    comparison.same(f"{way}: what is shared, in a sentence", shared, True)
    press(driver, ".alarms a", is_mouse)
    comparison.same(f"{way}: as the other sees it", await_text(driver, "h1", "Shared with bob"), True)
    driver.get(platform.rest + "/sharing")
    press(driver, ".alarms summary", is_mouse)
    press(driver, ".alarms details button", is_mouse)
    comparison.same(f"{way}: ended", await_text(driver, "main", "Nobody but you sees"), True)
    before = driver.find_element(By.TAG_NAME, "html")
    driver.find_element(By.CSS_SELECTOR, "header button").click()
    WebDriverWait(driver, 30).until(lambda _: is_gone(before), f"{way}: signs out")
    driver.back()
    driver.refresh()
    comparison.same(f"{way}: signed out", "/sign-in" in driver.current_url, True)
    driver.quit()


class NetworkWalk:
    """A network of ann's at one size and theme, from its form to a plug that is switched by the page."""

    def __init__(self, comparison, household, source, size, sheets):
        self.comparison, self.platform, self.source = comparison, household.platform, source
        self.size, self.sheets = size, sheets
        self.driver = browser(*size)
        self.label = f"{size[0]} {size[2]}"

    def same(self, what, found, expected):
        self.comparison.same(f"{self.label} network: {what}", found, expected)

    def look(self, name, state):
        """Checks the page that is open, and its picture; it is not asked for again, as a key is shown only once."""
        label = f"{self.label} {name}"
        check_shown(self.comparison, self.driver, self.platform.rest, state, self.source, label)
        check_narrow(self.comparison, self.driver, name, self.size, self.sheets)
        check_stops(self.comparison, self.driver, label)

    def fill(self, **fields):
        for name, text in fields.items():
            self.driver.find_element(By.ID, name).send_keys(text)

    def follow(self, selector, name, is_mouse=True):
        """Presses something that leads to another page; what the page before logged is over."""
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.get_log("browser"), hosts(self.driver)
        press(self.driver, selector, is_mouse)
        try:
            WebDriverWait(self.driver, 10).until(lambda _: is_gone(before), name)
        except TimeoutException:
            # What was pressed while its part of the page was renewed was not pressed.
            press(self.driver, selector, is_mouse)
            WebDriverWait(self.driver, 10).until(lambda _: is_gone(before), name)

    def register(self, gateway):
        """Registers the network of a gateway: its name and its key, which is shown this once."""
        name, driver = f"Home {self.label}", self.driver
        sign_in(driver, self.platform.rest, "ann")
        driver.get(self.platform.rest + "/networks/new")
        self.fill(gateway=f"{gateway:016X}", name=name)
        self.follow("form.narrow button", "the form")
        self.look("network-key", "A3")
        key = bytes.fromhex(driver.find_element(By.CSS_SELECTOR, ".secret").text.replace(" ", ""))
        self.same("bytes of the key", len(key), 16)
        self.follow("main p a", "the key")
        self.look("network-waiting", "A4")
        return name, key

    def walk(self, number):
        gateway, node = 0x00AA_0000_0000_0000 + number, 0x00BB_0000_0000_0000 + number
        name, key = self.register(gateway)
        driver, path = self.driver, urllib.parse.urlparse(self.driver.current_url).path
        port = int(self.platform.ready["gateways"].rpartition(":")[2])
        plug = Plug(port, key, name, gateway, node, 0x1A00 + number)
        plug.measure(1234)
        self.same("everything of the gateway is on disk", plug.await_delivered(), True)
        driver.get(self.platform.rest + path)
        self.same("the gateway is there", "Online since" in driver.find_element(By.ID, "gateway").text, True)
        self.look("network-online", "A5")
        self.follow("[aria-labelledby=recognised] a", "the node")
        self.look("node-recognised", "A7")
        self.fill(name="Kettle", room="Kitchen")
        self.follow("form.narrow button", "registering it")
        shown = driver.find_element(By.ID, "main").text
        for text in ("Kettle", "Kitchen, registered", f"address 0x{0x1A00 + number:04x}"):
            self.same(f"the node shows `{text}`", text in shown, True)
        self.same("what its scale changed is no entry", shown.count("joined"), 1)
        self.look("node-registered", "A7")
        driver.get(self.platform.rest + path)
        listed = driver.find_element(By.CSS_SELECTOR, "[aria-labelledby=nodes]").text
        self.same("the network lists it", "Kettle" in listed, True)
        self.look("network-device", "A5")
        self.follow("[aria-labelledby=nodes] a", "the node again")
        self.follow("main p a", "its values")
        self.same("its power", await_text(driver, "#state", "123", 10), True)
        self.look("node-values", "V3")
        self.switch(plug)
        self.accept(plug, f"{self.platform.rest}/nodes/{node:016x}")
        plug.close()
        driver.quit()

    def accept(self, plug, address):
        """A scale of the plug changes: its page shows from what to what, until that is accepted."""
        driver = self.driver
        plug.rescale(100)
        plug.await_delivered()
        driver.get(address)
        changed = driver.find_element(By.CSS_SELECTOR, "[aria-labelledby=changed]").text
        self.same("what has changed", "ACPowerDivisor from 10 to 100" in changed, True)
        self.look("node-changed", "A7")
        self.follow("[aria-labelledby=changed] button", "accepting it")
        self.same("nothing waits", driver.find_elements(By.CSS_SELECTOR, "[aria-labelledby=changed]"), [])

    def switch(self, plug):
        """Off by mouse, on again by keyboard: the frame comes, the plug obeys, and the page shows that it has."""
        driver = self.driver
        for number, (what, shown, is_mouse) in enumerate((("off", "off", True), ("on", "on", False)), 1):
            label = await_text(driver, "form.command button", f"Switch {what}", 10)
            self.same(f"what the page offers first is to switch {what}", label, True)
            self.follow("form.command button", f"switching {what}", is_mouse)
            self.same(f"orders at the plug, {what}", plug.await_orders(number), ["off", "on"][:number])
            plug.await_delivered()
            self.same(f"the page shows that it is {shown}", await_text(driver, "#state", f"· {shown}", 10), True)
            done = await_text(driver, "#doing", "Done. The device confirmed it", 10)
            self.same(f"the page shows that switching {what} is done", done, True)
            # Its state is that of the moment at which it was asked for: under way, or done already.
            self.look(f"node-switched-{what}", None)


def must_fail(comparison, driver, rest, source):
    """Pages that are made worse are found, each by its check."""
    driver.get(rest + "/account")
    driver.execute_script("document.querySelector('main label').remove()")
    comparison.same("must fail: a field without label", bool(axe(driver, source)), True)
    driver.get(rest + "/account")
    driver.get_log("browser"), hosts(driver)
    driver.execute_script("const one = new Image(); one.src = 'http://127.0.0.2:9/x.png'; document.body.append(one)")
    time.sleep(0.3)
    comparison.same("must fail: a foreign picture", bool(driver.get_log("browser")), True)
    driver.execute_script("document.querySelector('main').insertAdjacentElement('beforeend',"
                          "Object.assign(document.createElement('p'), {className: 'x'}))"
                          ".setAttribute('style', 'color: red')")
    comparison.same("must fail: a style attribute", bool(driver.get_log("browser")), True)
    resize(driver, 320, 640)
    driver.execute_script("document.querySelector('h1').textContent = 'x'.repeat(20);"
                          "document.querySelector('h1').style.width = '400px'")
    comparison.same("must fail: too wide", is_too_wide(driver), True)


def axe_source():
    """Where the source of axe-core is; without it, or without a browser, the script is skipped."""
    package = importlib.util.find_spec("axe_playwright_python")
    axe_core = os.path.join(os.path.dirname(package.origin), "axe.min.js") if package else "axe-core"
    for needed in (axe_core, CHROMIUM, DRIVER):
        if not os.path.exists(needed):
            print(f"{needed} is not there; tests/setup peers browser installs it")
            sys.exit(77)
    return axe_core


def main():
    axe_core = axe_source()
    with open(axe_core, encoding="utf-8") as file:
        source = file.read()
    sheets = sys.argv[2] if "--sheets" in sys.argv else None
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        household = Household(folder)
        rest = household.platform.rest
        kept = None
        for width, height, scheme in ((360, 740, "light"), (1280, 900, "dark")):
            for who in (None, "ann", "adam"):
                driver = browser(width, height, scheme)
                if who:
                    sign_in(driver, rest, who)
                for page in PAGES + GRID:
                    if page[1] != who:
                        continue
                    check_page(comparison, driver, rest, page, source, f"{width} {scheme}")
                    name = page[0].strip("/").replace("/", "-").replace("?", "-") or "home"
                    check_narrow(comparison, driver, name, (width, height, scheme), sheets)
                if who == "ann" and width == 1280:
                    kept = driver
                else:
                    driver.quit()
        without_script(comparison, household, kept, sheets)
        must_fail(comparison, kept, rest, source)
        kept.quit()
        walk(comparison, household, is_mouse=False)
        walk(comparison, household, is_mouse=True)
        for number, size in enumerate(((360, 740, "light"), (1280, 900, "dark")), 1):
            NetworkWalk(comparison, household, source, size, sheets).walk(number)
        household.meter.close()
        household.platform.stop()
    comparison.end()


if __name__ == "__main__":
    main()
