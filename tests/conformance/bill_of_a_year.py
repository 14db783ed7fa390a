"""The bills of a customer's year, made by the platform and computed anew from the same registers with `decimal`
and `zoneinfo`: each line and each total to the cent.

The year 2026 in Rome has both changes of the clocks, an exchange of meters, a change of all prices in the middle
of a month, a spike of an hour, feed-in, and a gap of two hours over a price that a later reading closes. What is
computed with a price that is one millionth off a cent border, without a reading, or by another clock has to differ.
"""

import calendar
import collections
import datetime
import decimal
import json
import random
import sys
import tempfile
import urllib.request
import zoneinfo

from peer.bench import Comparison
from peer.platform import LIMIT_S, TOKEN, Platform

D = decimal.Decimal
ROME, UTC = zoneinfo.ZoneInfo("Europe/Rome"), datetime.timezone.utc
HOUR = datetime.timedelta(hours=1)
IMPORT = "electricity.energy.active.consumed.total"
EXPORT = "electricity.energy.active.injected.total"
CUSTOMER = "customer"
# Lines of an import at once, so that a body is well below its bound.
LINES = 5000


def local(*date):
    """An instant of the clocks in Rome, in UTC."""
    return datetime.datetime(*date, tzinfo=ROME).astimezone(UTC)


BEGIN, END = local(2026, 1, 1), local(2027, 1, 1)
EXCHANGE = local(2026, 6, 15, 10)
CHANGE = local(2026, 9, 15)
SPIKE = local(2026, 2, 10, 18)
# 18:00 to 20:00 on a Tuesday, over the end of F1.
GAP = local(2026, 11, 10, 19)
OLD, NEW = "meter-a", "meter-b"


def shown(at):
    """An instant as the platform writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def tariff(prices, since, until, spike=None):
    """A tariff with the three zones of Italy: base F3, then F2, then F1; later ones win."""
    f1, f2, f3, fed = prices
    working = ["mon", "tue", "wed", "thu", "fri"]
    body = {
        "name": "Three zones", "currency": "EUR", "zone": "Europe/Rome", "validFrom": shown(since),
        "imports": [
            {"name": "F3", "price": f3},
            {"name": "F2", "weekdays": [*working, "sat"], "from": "07:00:00", "until": "23:00:00", "price": f2},
            {"name": "F1", "weekdays": working, "from": "08:00:00", "until": "19:00:00", "price": f1},
        ],
        "exports": [{"name": "Feed-in", "price": fed}],
        "fixed": [{"name": "Power", "perMonth": "5.273"}, {"name": "Loyalty", "perMonth": "-0.5"}],
    }
    if until is not None:
        body["validUntil"] = shown(until)
    if spike is not None:
        body["prices"] = [{"name": "Spike", "from": shown(SPIKE), "until": shown(SPIKE + HOUR), "price": spike}]
    return body


def tariffs(spike="0.301"):
    """By token. 5 kWh at the spike's price are 1.505 EUR, which is rounded up."""
    return {
        "old": tariff(("0.221573", "0.198", "0.1718", "0.0912"), local(2025, 1, 1), CHANGE, spike),
        "new": tariff(("0.24", "0.2075", "0.18355", "0.085"), CHANGE, None),
    }


def registers():
    """By meter and quantity, what it shows in Wh at each full hour of its service."""
    draw = random.Random(2026)
    found = collections.defaultdict(dict)
    meter, taken, fed = OLD, 1_234_567, 98_765
    at = BEGIN
    while at <= END:
        if at == EXCHANGE:
            found[meter, IMPORT][at], found[meter, EXPORT][at] = taken, fed
            meter, taken, fed = NEW, 3_217, 0
        found[meter, IMPORT][at], found[meter, EXPORT][at] = taken, fed
        taken += 5000 if at == SPIKE else draw.randrange(40, 2500)
        fed += draw.randrange(0, 1800) if 8 <= at.astimezone(ROME).hour < 18 else 0
        at += HOUR
    return found


def price_of(direction, at, all_tariffs, zone):
    """Name and price of an hour, of which all begin and end at full hours."""
    tariff = all_tariffs["old" if at < CHANGE else "new"]
    if direction == "export":
        return "Feed-in", D(tariff["exports"][0]["price"])
    for spike in tariff.get("prices", []):
        if spike["from"] == shown(at):
            return "Spike", D(spike["price"])
    clock = at.astimezone(zone)
    f3, f2, f1 = (D(one["price"]) for one in tariff["imports"])
    if clock.weekday() < 5 and 8 <= clock.hour < 19:
        return "F1", f1
    return ("F2", f2) if clock.weekday() < 6 and 7 <= clock.hour < 23 else ("F3", f3)


def cents(amount):
    """To the cent, half away from zero."""
    return amount.quantize(D("0.01"), decimal.ROUND_HALF_UP)


def cost(direction, energy_wh, price):
    """What energy costs; below zero where it is fed in."""
    return cents(D(energy_wh) * price / 1000 * (1 if direction == "import" else -1))


def month_of(number):
    """The first instant of a month and the first one after it."""
    return local(2026, number, 1), local(2026, number + 1, 1) if number < 12 else END


def computed(number, readings, all_tariffs, zone=ROME):
    """The lines of a month, and the sum of those that are known."""
    since, until = month_of(number)
    energy, lines = collections.Counter(), []
    for (meter, quantity), shows in sorted(readings.items()):
        direction = "import" if quantity == IMPORT else "export"
        instants = [at for at in sorted(shows) if since <= at <= until]
        for first, last in zip(instants, instants[1:]):
            hours = [first + HOUR * step for step in range((last - first) // HOUR)]
            prices = list(dict.fromkeys(price_of(direction, at, all_tariffs, zone) for at in hours))
            used = shows[last] - shows[first]
            if len(prices) == 1:
                energy[meter, direction, *prices[0]] += used
                continue
            bounds = [cost(direction, used, price) for _, price in prices]
            each = tuple((*price, amount) for price, amount in zip(prices, bounds))
            lines.append(("gap", meter, direction, shown(first), shown(last), used, each, min(bounds), max(bounds)))
    known = D(0)
    for (meter, direction, name, price), used in energy.items():
        amount = cost(direction, used, price)
        lines.append(("energy", meter, direction, name, price, used, amount))
        known += amount
    days = [local(2026, number, day + 1) for day in range(calendar.monthrange(2026, number)[1])]
    before = sum(day < CHANGE for day in days)
    for token, count in (("old", before), ("new", len(days) - before)):
        for term in all_tariffs[token]["fixed"] if count else []:
            amount = cents(D(term["perMonth"]) * count / len(days))
            lines.append(("fixed", term["name"], D(term["perMonth"]), count, len(days), amount))
            known += amount
    return sorted(lines, key=repr), known


def found(bill):
    """The lines of the platform's bill in the same form, and its total."""
    lines = []
    for line in bill["lines"]:
        (kind, of), = line.items()
        if kind == "energy":
            told = (of["meter"], of["direction"], of["name"], D(of["price"]), of["energyWh"], D(of["amount"]))
        elif kind == "fixed":
            told = (of["name"], D(of["perMonth"]), of["days"], of["daysOfMonth"], D(of["amount"]))
        elif kind == "gap":
            each = tuple((one["name"], D(one["price"]), D(one["amount"])) for one in of["prices"])
            told = (of["meter"], of["direction"], of["from"], of["until"], of["energyWh"], each)
            told += (D(of["lower"]), D(of["upper"]))
        else:
            told = (str(of),)
        lines.append((kind, *told))
    return sorted(lines, key=repr), D(bill["total"])


def take_in(platform, readings):
    """Imports registers as a table."""
    rows = [f"{meter},{shown(at)},{quantity},{wh / 1000:.3f}"
            for (meter, quantity), shows in readings.items() for at, wh in shows.items()]
    for first in range(0, len(rows), LINES):
        text = "\n".join(["device,time,quantity,value", *rows[first : first + LINES], ""])
        request = urllib.request.Request(platform.rest + "/api/v1/import", data=text.encode())
        request.add_header("Authorization", f"Bearer {TOKEN}")
        request.add_header("Content-Type", "text/csv")
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            if answer.status != 200:
                sys.exit(f"import: {answer.status} {answer.read()}")


def prepare(platform, readings):
    """A customer with two meters after each other, and its tariffs."""
    take_in(platform, readings)
    for token, body in tariffs().items():
        platform.get("/api/v1/tariffs", {"token": token, **body})
    person = {"token": CUSTOMER, "category": "person", "name": "Customer", "tariffTokens": ["old", "new"]}
    platform.get("/sitewhere/api/assets", person)
    ended = {"releasedDate": shown(EXCHANGE), "status": "released"}
    for meter, since, more in ((OLD, BEGIN, ended), (NEW, EXCHANGE, {})):
        body = {"deviceHardwareId": meter, "customerId": CUSTOMER, "activeDate": shown(since), **more}
        platform.get("/sitewhere/api/assignments", body)
    platform.get("/api/v1/clock/advance", {"to": "2027-01-02T00:00:00Z"})


def draft(platform, number):
    """The bill of a month as it stands."""
    return platform.get(f"/api/v1/bills/draft?customer={CUSTOMER}&month=2026-{number:02}")


def keep(platform, number):
    """Status and answer where the bill of a month is to be kept."""
    return platform.ask("/api/v1/bills", {"customer": CUSTOMER, "month": f"2026-{number:02}"})


def put(platform, token, body):
    """Replaces a tariff."""
    request = urllib.request.Request(f"{platform.rest}/api/v1/tariffs/{token}", method="PUT")
    request.add_header("Authorization", f"Bearer {TOKEN}")
    request.add_header("Content-Type", "application/json")
    request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        return answer.status


def compare(check, number, bill, expected):
    """Each line and the total; the registers of a line have counted its energy."""
    lines, total = found(bill)
    check.same(f"2026-{number:02}: {len(lines)} lines", lines, expected[0])
    check.same(f"2026-{number:02}: total", total, expected[1])
    since, until = month_of(number)
    check.same(f"2026-{number:02}: period", (bill["from"], bill["until"]), (shown(since), shown(until)))
    for of in (line["energy"] for line in bill["lines"] if "energy" in line):
        counted = sum(span["lastWh"] - span["firstWh"] for span in of["registers"])
        if counted != of["energyWh"]:
            check.same(f"2026-{number:02}: registers of {of['name']}", counted, of["energyWh"])


def without(readings, meter, quantity, at):
    """The registers without one reading."""
    left = {key: dict(shows) for key, shows in readings.items()}
    del left[meter, quantity][at]
    return left


def must_differ(check, platform, readings):
    """What is not the bill is not taken for it."""
    off = tariffs("0.300999")
    bill = found(draft(platform, 2))
    check.true("a price one millionth off a cent border differs", bill != computed(2, readings, off))
    at_end_of_f1 = local(2026, 2, 10, 19)
    left = without(readings, OLD, IMPORT, at_end_of_f1)
    check.true("a reading left out differs", bill != computed(2, left, tariffs()))
    for number in (3, 10):
        other = computed(number, readings, tariffs(), UTC)
        check.true(f"2026-{number:02} by UTC differs", found(draft(platform, number)) != other)
    check.same("the tariff is corrected", put(platform, "old", off["old"]), 200)
    bill = draft(platform, 2)
    compare(check, 2, bill, computed(2, readings, off))
    spike = next(line["energy"] for line in bill["lines"] if line.get("energy", {}).get("name") == "Spike")
    check.same("5 kWh at 0.300999", spike["amount"], "1.50")
    status, kept = keep(platform, 2)
    check.same("February is rated again", (status, kept.get("version")), (200, 2))


def main():
    check, readings = Comparison(), registers()
    left = without(readings, NEW, IMPORT, GAP)
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(folder, "--clock", "driven")
        prepare(platform, left)
        for number in range(1, 13):
            bill = draft(platform, number)
            compare(check, number, bill, computed(number, left, tariffs()))
            check.same(f"2026-{number:02}: open", bill["isOpen"], number == 11)
        status, problem = keep(platform, 11)
        check.same("an open bill is not kept", (status, problem.get("code")), (409, "bill_is_open"))
        take_in(platform, {(NEW, IMPORT): {GAP: readings[NEW, IMPORT][GAP]}})
        for number in range(1, 13):
            status, kept = keep(platform, number)
            check.same(f"2026-{number:02}: kept", (status, kept.get("version")), (200, 1))
            compare(check, number, kept, computed(number, readings, tariffs()))
        status, kept = keep(platform, 11)
        check.same("the same bill is no new version", (status, kept.get("version")), (200, 1))
        must_differ(check, platform, readings)
        platform.stop()
    check.end()


if __name__ == "__main__":
    main()
