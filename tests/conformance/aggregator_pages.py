"""Looks at the pages that the aggregator of a household serves itself, in headless Chromium, on a telephone and on a desk.

Each page under its name, with links to the others, nothing beyond the width, no entry in the console, every element
closed, no finding of axe-core; what it shows is what `/view.json` has, and so does each screen of the display, which a
touch brings. Strategy, switch, window and contract are changed over forms. A form without sign-in is answered with 401,
one of another page, though it brings the cookie, with 403, and neither changes anything. After five wrong passwords the
right one waits.

    aggregator_pages.py                     of the scenario can-home, once its run is over
    aggregator_pages.py --example [PROGRAM] of the example household_pages
"""

import datetime
import html.parser
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request

try:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select, WebDriverWait
except ImportError:
    print("selenium is not installed; tests/setup peers installs it")
    sys.exit(77)

from pages_browser import axe, axe_source, browser, hosts, is_gone, is_too_wide, resize
from peer.bench import LASTMETER, Comparison, example

SCENARIO = "scenarios/library/can-home.toml"
USER = "customer"
# How long the run may take, and then the pages.
RUN_S, SERVED_S = 600, 10
PAGES = [
    ("/", "Home"),
    ("/power-profile", "Power Profile"),
    ("/load-power-profile", "Load Power Profile"),
    ("/power-graph", "Power Graph"),
    ("/display", "Display"),
]
HEADINGS = ["Renewable source availability", "Co-generator status", "Actual Energy prices"]
VOID = {"meta", "link", "input", "br", "hr", "img"}
SIZES = ((360, 740, "light"), (1280, 900, "light"), (360, 740, "dark"))


def password():
    """That of the scenario's aggregator."""
    def found(value):
        if isinstance(value, dict):
            if value.get("user") == USER and "password" in value:
                return value["password"]
            value = list(value.values())
        if isinstance(value, list):
            return next((one for one in map(found, value) if one), None)
        return None

    with open(SCENARIO, "rb") as file:
        return found(tomllib.load(file)) or sys.exit(f"{SCENARIO}: no password of {USER}")


class Served:
    """The pages, as long as the program runs."""

    def __init__(self, arguments, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self.password = f"http://127.0.0.1:{port}", "correct horse"
        is_example = "--example" in arguments
        if is_example:
            program = arguments[-1] if arguments[-1] != "--example" else example("household_pages")
            command = [program, f"127.0.0.1:{port}"]
        else:
            self.password = password()
            run = os.path.join(folder, "run")
            command = [LASTMETER, "run", SCENARIO, "--pages", f"127.0.0.1:{port}", "--out", run]
        # Errors go to a file: nobody reads a pipe while pages are looked at.
        self.log = open(os.path.join(folder, "program.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + (SERVED_S if is_example else RUN_S)
        while self.ask("/sign-in")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                self.log.seek(0)
                sys.exit("no pages are served: " + self.log.read()[-2000:])
            time.sleep(0.1)

    def ask(self, path, form=None, cookie=None, origin=None):
        """Status, headers and text of an answer, as a program gets it that does not follow."""
        headers = {name: value for name, value in (("Cookie", cookie), ("Origin", origin)) if value}
        body = urllib.parse.urlencode(form).encode() if form is not None else None
        request = urllib.request.Request(self.address + path, body, headers)
        opener = urllib.request.build_opener(Stay)
        try:
            with opener.open(request, timeout=SERVED_S) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()
        except OSError:
            return 0, {}, ""

    def end(self):
        self.process.terminate()
        self.process.wait(30)


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_):
        return None


class Closed(html.parser.HTMLParser):
    """Whether every element is closed by its own tag, in order, and each id is there once."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.ids = [], [], set()
        self.feed(text)
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        name = dict(attrs).get("id")
        if name and name in self.ids:
            self.wrong.append(f"id {name}")
        self.ids.add(name)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")


def view(driver, served):
    driver.get(served.address + "/view.json")
    return json.loads(driver.find_element(By.TAG_NAME, "body").text)


def left(driver, act):
    """Acts, and waits until the page after it is there."""
    before = driver.find_element(By.TAG_NAME, "html")
    act()
    WebDriverWait(driver, SERVED_S, 0.05).until(lambda _: is_gone(before))


def sign_in(driver, served, word):
    driver.get(served.address + "/sign-in")
    driver.find_element(By.ID, "name").send_keys(USER)
    driver.find_element(By.ID, "password").send_keys(word)
    left(driver, driver.find_element(By.CSS_SELECTOR, "main form button").click)


def values(driver, selector):
    """The exact values that stand within elements."""
    script = """return [...document.querySelectorAll(arguments[0])].map((one) =>
        [one.dataset.name, [...one.querySelectorAll("data")].map((value) => Number(value.value))])"""
    return driver.execute_script(script, selector)


def value(driver, name):
    found = driver.find_elements(By.ID, name)
    return float(found[0].get_attribute("value")) if found else None


def statistics(of):
    return [of[name] for name in ("register_wh", "day_wh", "month_wh", "year_wh", "peak_w")]


def check_home(comparison, driver, shown, label):
    bill = shown["bill"]
    expected = {"net": shown["net_w"], "production": shown["production_w"], "limit": shown["limit_w"],
                "total": bill["total_cents"], "import": bill["import_wh"], "export": bill["export_wh"]}
    for name, exact in expected.items():
        comparison.exact(f"{label}: {name}", value(driver, name), exact)
    heads = driver.execute_script("return [...document.querySelectorAll('#sources thead th')].map((one) => one.textContent)")
    comparison.same(f"{label}: headings", heads[1:], HEADINGS)
    comparison.same(f"{label}: strategy", driver.find_element(By.ID, "strategy").text, shown["strategy"])
    rows = values(driver, "tr[data-name]")
    everybody = [["Household", statistics(shown["whole"])]]
    everybody += [[load["name"], statistics(load["statistics"])] for load in shown["loads"]]
    comparison.same(f"{label}: statistics", rows, everybody)
    decisions = driver.execute_script("return [...document.querySelectorAll('#decisions tbody tr')].map((row) =>"
                                      " [...row.cells].slice(1).map((cell) => cell.textContent))")
    comparison.same(f"{label}: decisions", decisions,
                    [[one["about"], one["action"], one["why"]] for one in shown["decisions"]])
    known = [one["price_per_kwh"] for one in shown["prices"] if one["from"] <= shown["now"]]
    if known and known[-1] is not None:
        cell = driver.find_element(By.CSS_SELECTOR, "#sources tbody tr td:last-child data")
        comparison.exact(f"{label}: price now", float(cell.get_attribute("value")), known[-1])


def check_graph(comparison, driver, shown, label):
    rows = values(driver, "#loads tr[data-name]")
    expected = [[load["name"], [] if load["power_w"] is None else [load["power_w"]]] for load in shown["loads"]]
    comparison.same(f"{label}: powers", rows, expected)
    forms = len(driver.find_elements(By.CSS_SELECTOR, "#loads form"))
    comparison.same(f"{label}: switches", forms, sum(load["is_closed"] is not None for load in shown["loads"]))


def check_load(comparison, driver, served, shown, label):
    for load in shown["loads"][:3]:
        driver.get(f"{served.address}/load-power-profile?{urllib.parse.urlencode({'load': load['name']})}")
        drawn = driver.execute_script("return [...document.querySelectorAll('details tbody data')].map((one) =>"
                                      " Number(one.value))")
        profile = [point["w"] for point in load["profile"]]
        comparison.same(f"{label} {load['name']}: profile", drawn, profile[-len(drawn):] if drawn else [])
        rows = values(driver, "tr[data-name]")
        comparison.same(f"{label} {load['name']}: statistics", rows, [[load["name"], statistics(load["statistics"])]])


def screens(shown):
    """What stands on each screen of the display, between its head and the words that are touched."""
    def date(text):
        at = datetime.datetime.fromisoformat(text) + datetime.timedelta(seconds=shown["local_offset_s"])
        return at.strftime("%d/%m %H:%M")

    def row(name, value):
        return f"{name[:29 - len(value)]:<{29 - len(value)}} {value}"

    def watts(power_w):
        return "-- W" if power_w is None else f"{power_w} W"

    loads, bill = shown["loads"], shown["bill"]
    power = [row(one["name"], watts(one["power_w"]) + (" open" if one["is_closed"] is False else "     ")) for one in loads]
    used = [row(one["name"], f"{one['statistics']['day_wh']:.0f} Wh") for one in loads]
    cents = bill["total_cents"]
    plan = [row(f"next {one['name']}", date(one["start"])) for one in loads if one["start"]]
    plan += [row(f"{one['action']} {one['about']}", date(one["at"])) for one in shown["decisions"]]
    return {
        "power": [row("Household", watts(shown["net_w"])), *power],
        "today": [row("Household", f"{shown['whole']['day_wh']:.0f} Wh"), *used],
        "bill": [
            row("From", date(bill["from"]) if bill["from"] else "--"),
            row("Taken", f"{bill['import_wh']:.0f} Wh"),
            row("Fed in", f"{bill['export_wh']:.0f} Wh"),
            row("Steps left open", str(bill["open_steps"])),
            row("Bill so far", f"{'-' * (cents < 0)}{abs(cents) // 100}.{abs(cents) % 100:02} {bill['currency']}"),
        ],
        "plan": [row("Strategy", shown["strategy"]), *plan],
        "start": [f"{number} {task}" for number, task in enumerate(shown["tasks"], 1)],
    }


def check_display(comparison, driver, shown, label):
    """A walk over all screens by touches, each with the values of the pages."""
    walk = screens(shown)
    for word, expected in walk.items():
        button = f"//form[@action='/touch']/button[text()='{word}']"
        left(driver, driver.find_element(By.XPATH, button).click)
        text = driver.find_element(By.CSS_SELECTOR, "pre.display").get_attribute("textContent").removesuffix("\n")
        lines = text.split("\n")
        comparison.same(f"{label} {word}: size", {len(line) for line in lines} | {len(lines)}, {30, 12})
        comparison.same(f"{label} {word}: head", bool(re.search(r" \d\d/\d\d \d\d:\d\d$", lines[0])), True)
        rows = [line.rstrip() for line in lines[2:-1]]
        whole = [line.rstrip() for line in expected] + [""] * len(rows)
        comparison.same(f"{label} {word}: rows", rows, whole[:len(rows)])
        comparison.same(f"{label} {word}: words to touch", sorted(lines[-1][at:at + 6].strip() for at in range(0, 30, 6)),
                        sorted(walk))


def check_page(comparison, driver, served, page, label, source):
    path, title = page
    driver.get_log("browser"), hosts(driver)
    driver.get(served.address + path)
    comparison.same(f"{label}: title", [one.text for one in driver.find_elements(By.TAG_NAME, "h1")], [title])
    links = [one.get_attribute("href") for one in driver.find_elements(By.CSS_SELECTOR, "nav a")]
    named = dict.fromkeys(served.address + path.split("?")[0] for path, _ in PAGES)
    comparison.same(f"{label}: links", links, list(named))
    comparison.same(f"{label}: console", [one["message"] for one in driver.get_log("browser")], [])
    comparison.same(f"{label}: hosts", hosts(driver) - {urllib.parse.urlparse(served.address).netloc}, set())
    comparison.same(f"{label}: axe", axe(driver, source), [])


def check_size(comparison, driver, served, size, folder, source):
    width, height, scheme = size
    resize(driver, width, height)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    shown = view(driver, served)
    for page in PAGES:
        label = f"{width} {scheme} {page[0]}"
        check_page(comparison, driver, served, page, label, source)
        for narrow in (320, width):
            resize(driver, narrow, height)
            comparison.same(f"{label}: too wide at {narrow}", is_too_wide(driver), False)
        tall = driver.execute_script("return document.documentElement.scrollHeight")
        resize(driver, width, min(tall, 6000))
        name = re.sub(r"\W+", "-", page[0]).strip("-") or "home"
        driver.save_screenshot(os.path.join(folder, f"{name}-{width}-{scheme}.png"))
        resize(driver, width, height)
        if page[0] == "/":
            check_home(comparison, driver, shown, label)
        elif page[0] == "/power-graph":
            check_graph(comparison, driver, shown, label)
        elif page[0] == "/load-power-profile":
            check_load(comparison, driver, served, shown, label)
        elif page[1] == "Display":
            check_display(comparison, driver, shown, label)
        else:
            points = driver.execute_script("return [...document.querySelectorAll('details tbody tr')].map((row) =>"
                                           " row.cells[1].querySelector('data')?.value).filter(Boolean).map(Number)")
            today = [point["w"] for point in shown["profile"]]
            comparison.same(f"{label}: profile", points, today[-len(points):] if points else [])


def change(comparison, driver, served):
    """What the customer changes over forms."""
    before = view(driver, served)
    wanted = "lowest peak" if before["strategy"] != "lowest peak" else "least cost"
    driver.get(served.address + "/")
    Select(driver.find_element(By.ID, "choice")).select_by_value(wanted)
    left(driver, driver.find_element(By.CSS_SELECTOR, "form[action='/strategy'] button").click)
    comparison.same("strategy as shown after the form", driver.find_element(By.ID, "strategy").text, wanted)
    comparison.same("strategy after the form", view(driver, served)["strategy"], wanted)

    switched = next((load for load in before["loads"] if load["is_closed"] is not None), None)
    if switched:
        driver.get(served.address + "/power-graph")
        row = f"tr[data-name='{switched['name']}'] form button"
        left(driver, driver.find_element(By.CSS_SELECTOR, row).click)
        shown = view(driver, served)
        after = next(load for load in shown["loads"] if load["name"] == switched["name"])
        # A run that is over has no bus on which the unit could answer: then the decision stands alone.
        newest = [shown["decisions"][0][key] for key in ("about", "action")]
        wanted = [switched["name"], "open" if switched["is_closed"] else "close"]
        is_taken = after["is_closed"] != switched["is_closed"] or newest == wanted
        comparison.same(f"{switched['name']} after its switch", is_taken, True)

    moved = next((load for load in before["loads"] if load["window"]), None)
    if moved:
        driver.get(served.address + "/")
        script = """const form = [...document.querySelectorAll("form[action='/window']")].find((one) =>
            one.elements.load.value === arguments[0]);
            form.elements.from.value = "22:15"; form.elements.until.value = "05:30"; form.requestSubmit()"""
        left(driver, lambda: driver.execute_script(script, moved["name"]))
        after = next(load for load in view(driver, served)["loads"] if load["name"] == moved["name"])
        comparison.same(f"{moved['name']}: window", after["window"], ["22:15", "05:30"])


class Foreign(http.server.BaseHTTPRequestHandler):
    """A page of somebody else on the same computer, whose form goes to the aggregator."""

    target = ""

    def do_GET(self):
        form = f"<form method=post action='{self.target}/strategy'><input name=strategy value='comfort first'></form>"
        body = f"<!DOCTYPE html><title>Foreign</title>{form}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def refused(comparison, driver, served):
    """Forms that must not change anything."""
    before = view(driver, served)["strategy"]
    strategy = {"strategy": "comfort first"}
    comparison.same("a form without sign-in", served.ask("/strategy", strategy)[0], 401)
    comparison.same("a switch without sign-in", served.ask("/switch", {"load": "x", "to": "open"})[0], 401)
    comparison.same("a page without sign-in", served.ask("/power-graph")[1].get("Location"), "/sign-in?back=/power-graph")
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in driver.get_cookies())
    comparison.same("a form without token", served.ask("/strategy", strategy, cookie)[0], 403)
    driver.get(served.address + "/")
    token = driver.find_element(By.NAME, "token").get_attribute("value")
    whole = {**strategy, "token": token}
    comparison.same("a form with the token of another origin",
                    served.ask("/strategy", whole, cookie, "http://127.0.0.1:1")[0], 403)
    Foreign.target = served.address
    server = http.server.HTTPServer(("127.0.0.1", 0), Foreign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver.get(f"http://127.0.0.1:{server.server_port}/")
    left(driver, lambda: driver.execute_script("document.forms[0].requestSubmit()"))
    comparison.same("a foreign page's form", driver.find_element(By.TAG_NAME, "h1").text, "That did not work")
    server.shutdown()
    comparison.same("strategy after all of these", view(driver, served)["strategy"], before)
    # That the same form with its own origin does change it shows that the refusals were the origin's.
    comparison.same("the form with token and origin",
                    served.ask("/strategy", whole, cookie, served.address)[0], 303)
    comparison.same("strategy after it", view(driver, served)["strategy"], "comfort first")


def lock(comparison, driver, served):
    """Signing out, and what becomes of who guesses."""
    driver.get(served.address + "/")
    left(driver, driver.find_element(By.CSS_SELECTOR, "header form button").click)
    comparison.same("signed out", driver.current_url, served.address + "/sign-in")
    for _ in range(5):
        sign_in(driver, served, "wrong")
        notice = driver.find_element(By.CSS_SELECTOR, ".notice").text
        comparison.same("a wrong password", notice, "Name or password is wrong. Check both.")
    sign_in(driver, served, served.password)
    comparison.same("the right one after five wrong ones", "Wait" in driver.find_element(By.CSS_SELECTOR, ".notice").text, True)


def main():
    axe_core = axe_source()
    with open(axe_core, encoding="utf-8") as file:
        source = file.read()
    folder = os.path.join(os.environ.get("RUNS", "target/test-runs"), "aggregator-pages")
    os.makedirs(folder, exist_ok=True)
    comparison = Comparison()
    served = Served(sys.argv[1:], folder)
    driver = browser(*SIZES[0])
    try:
        driver.get(served.address + "/power-graph")
        comparison.same("the way to sign in", driver.current_url, served.address + "/sign-in?back=/power-graph")
        comparison.same("the form of signing in: too wide", is_too_wide(driver), False)
        comparison.same("the form of signing in: axe", axe(driver, source), [])
        driver.save_screenshot(os.path.join(folder, "sign-in-360-light.png"))
        sign_in(driver, served, served.password)
        cookie = driver.get_cookies()[0]
        comparison.same("cookie", (cookie["httpOnly"], cookie["sameSite"], len(cookie["value"])), (True, "Strict", 32))
        header = f"{cookie['name']}={cookie['value']}"
        for path, _ in PAGES:
            comparison.same(f"{path}: elements that are not closed", Closed(served.ask(path, None, header)[2]).wrong, [])
        comparison.same("must fail: an element that is not closed", Closed("<p><b>text</p>").wrong != [], True)
        for size in SIZES:
            check_size(comparison, driver, served, size, folder, source)
        change(comparison, driver, served)
        refused(comparison, driver, served)
        lock(comparison, driver, served)
    finally:
        driver.quit()
        served.end()
    comparison.end()


if __name__ == "__main__":
    main()
