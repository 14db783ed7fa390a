"""Connections of the platform to sources of others: a database of PostgreSQL under two users of different rights, and a
web server of the standard library.

What the one user of the database reads the other one is refused; a source never writes; assets of both stand beside own
ones with their origin; prices of the web become a feed, and a change of them its next version.
"""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

from peer.bench import Comparison
from peer.platform import LIMIT_S, Platform

DATABASE = os.environ.get("LASTMETER_POSTGRES", "")
TABLES = """
CREATE TABLE clients (id text, name text);
INSERT INTO clients VALUES ('c-1', 'Anna Rossi'), ('c-2', 'Carlo Verdi');
CREATE TABLE staff (id text, name text);
INSERT INTO staff VALUES ('s-1', 'Tea Neri'), ('own', 'Somebody Else');
CREATE ROLE wide LOGIN; GRANT SELECT ON clients, staff TO wide;
CREATE ROLE narrow LOGIN; GRANT SELECT ON clients TO narrow; GRANT INSERT ON clients TO narrow;
"""
AWAY = "DROP TABLE IF EXISTS clients, staff; DROP ROLE IF EXISTS wide; DROP ROLE IF EXISTS narrow;"
SETTINGS = """
[[connection]]
name = "{name}"
kind = "{kind}"
url = "{url}"
every_s = 1
{more}
"""
PRICES = [{"start": "2027-01-18T17:00:00Z", "price": {"eur": 0.21}}, {"start": 1800295200, "price": {"eur": None}}]


def psql(text):
    done = subprocess.run(["psql", DATABASE, "-v", "ON_ERROR_STOP=1", "-Atc", text], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip()


def web(prices):
    """A web server that gives prices to who has the token."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            is_known = self.headers["Authorization"] == "Bearer of-prices"
            body = json.dumps({"data": {"prices": prices}}).encode()
            self.send_response(200 if is_known else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/day-ahead"


def connection(name, user, query):
    url = DATABASE.replace("user=lastmeter", f"user={user}")
    more = f'query = "{query}"\ninto = {{ assets = {{ category = "person" }} }}'
    return SETTINGS.format(name=name, kind="postgres", url=url, more=more)


def await_so(what):
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.1)
    return None


def check(comparison, platform, prices):
    states = lambda: {one["name"]: one for one in platform.get("/api/v1/connections")["results"]}
    await_so(lambda: all(one["read"] for one in states().values()))
    found = states()
    comparison.same("clients: rows", (found["clients"]["rows"], found["clients"]["failure"]), (2, None))
    comparison.same("the wider user reads staff: rows", found["staff"]["rows"], 2)
    failure = found["beyond"]["failure"] or ""
    comparison.true("the narrower one is refused, and told why", "permission denied" in failure, failure)
    comparison.true("and that is counted", found["beyond"]["refused"] >= 1, found["beyond"]["refused"])
    failure = found["writes"]["failure"] or ""
    comparison.true("a source does not write, whatever its user may", "read-only" in failure, failure)
    comparison.same("rows of the table", psql("SELECT count(*) FROM clients"), "2")
    assets = platform.get("/sitewhere/api/assets")["results"]
    named = sorted((one["token"], one["name"], one.get("metadata", {}).get("origin")) for one in assets)
    comparison.same("assets with their origin", named, [
        ("c-1", "Anna Rossi", "clients"), ("c-2", "Carlo Verdi", "clients"), ("own", "Own", None),
        ("s-1", "Tea Neri", "staff")])
    failure = found["staff"]["failure"] or ""
    comparison.true("an own one is not changed, and that is told", "`own` is not of this" in failure, failure)
    feed = platform.get("/api/v1/feeds/spot")
    comparison.same("points of the feed", feed["points"],
                    [["2027-01-18T17:00:00.000Z", 0.21], ["2027-01-18T18:00:00.000Z", None]])
    comparison.true("a wrong token is refused", "403" in (found["shut"]["failure"] or ""), found["shut"]["failure"])
    prices[1]["price"]["eur"] = 0.5
    feed = await_so(lambda: (feed := platform.get("/api/v1/feeds/spot"))["version"] > 1 and feed)
    comparison.same("the next version", (feed["version"], feed["points"][1][1]), (2, 0.5))
    psql("UPDATE clients SET name = 'Anna Bianchi' WHERE id = 'c-1'")
    read = platform.get("/api/v1/connections/clients/read", {})
    comparison.same("read at once: rows", read["rows"], 2)
    comparison.same("the client's other name", platform.get("/sitewhere/api/assets/c-1")["name"], "Anna Bianchi")


def main():
    if not DATABASE:
        print("LASTMETER_POSTGRES names no database")
        sys.exit(77)
    comparison = Comparison()
    psql(AWAY)
    psql(TABLES)
    prices = json.loads(json.dumps(PRICES))
    url = web(prices)
    with tempfile.TemporaryDirectory() as folder:
        for name, token in (("token", "of-prices"), ("other", "guess")):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                out.write(token + "\n")
        of_web = lambda token, feed: (
            f'token_file = "{folder}/{token}"\nrows = "/data/prices"\n'
            'columns = { at = "start", value = "price/eur" }\ninto = { feed = { token = "' + feed + '", name = "Spot", '
            'kind = "price", quantity = "price", unit = "EUR/kWh", last_s = 3600 } }')
        settings = os.path.join(folder, "platform.toml")
        # The own asset is there before.
        platform = Platform(os.path.join(folder, "data"))
        platform.get("/sitewhere/api/assets", {"token": "own", "category": "person", "name": "Own"})
        comparison.same("exit code after SIGTERM", platform.stop(), 0)
        with open(settings, "w", encoding="utf-8") as out:
            out.write(connection("clients", "narrow", "SELECT id AS token, name FROM clients"))
            out.write(connection("staff", "wide", "SELECT id AS token, name FROM staff"))
            out.write(connection("beyond", "narrow", "SELECT id AS token, name FROM staff"))
            out.write(connection("writes", "narrow", "INSERT INTO clients VALUES ('x', 'X') RETURNING id AS token, name"))
            out.write(SETTINGS.format(name="market", kind="http-json", url=url, more=of_web("token", "spot")))
            out.write(SETTINGS.format(name="shut", kind="http-json", url=url, more=of_web("other", "none")))
        platform = Platform(os.path.join(folder, "data"), "--config", settings)
        check(comparison, platform, prices)
        comparison.same("exit code after SIGTERM", platform.stop(), 0)
    psql(AWAY)
    comparison.end()


if __name__ == "__main__":
    main()
