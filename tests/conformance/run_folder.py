"""Holds every run folder and suite folder to the contract: which files there are, and their shape.

Also: pages and pictures must not need the network, and what stands in two files must agree.
"""

import csv
import datetime
import fnmatch
import hashlib
import html.parser
import json
import os
import re
import tomllib
import urllib.parse
import xml.etree.ElementTree as xml

from peer.bench import Comparison, call, runs
from peer.foreign_comtrade import Foreign
from peer.record import COLUMNS, Run, run_folders

WARM_UP = datetime.timedelta(seconds=10)
FILES = [
    "run.json", "scenario.toml", "events.jsonl", "observations.csv", "verdicts.json",
    "report.html", "junit.xml", "figures", "logs",
]
FACTS = [
    "format_version", "state", "scenario", "scenario_hash", "seed", "time", "start", "end",
    "started", "ended", "command_line", "versions", "platform", "devices", "host", "guarantees",
    "exit_code", "verdicts",
]
VERDICT = [
    "check", "scenario", "status", "reason", "measured", "limit", "unit", "n", "bound", "at", "covers", "why",
]
IMPLICIT = ["unjudged-readings", "unjudged-commands", "unjudged-alerts", "platform-answers"]
STATUSES = ["pass", "skipped", "inconclusive", "fail", "error"]
# A drawing of what is connected to what, and of what had a voltage: it has no table beside it.
DRAWINGS = {"bench.svg", "grid-dark.svg"}
REFERENCES = {"src", "href", "xlink:href", "action", "formaction", "data", "poster", "srcset"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Page(html.parser.HTMLParser):
    """What a page refers to, and where it could run or load something."""

    def __init__(self, text):
        super().__init__()
        self.references, self.anchors, self.targets, self.styles = [], set(), [], []
        self.tags, self.text = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name == "id":
                self.anchors.add(value)
            elif name == "style":
                self.styles.append(value)
            elif name in REFERENCES and value:
                kind = self.targets if value.startswith("#") else self.references
                kind.append(value)

    def handle_data(self, data):
        (self.styles if self.tags and self.tags[-1] == "style" else self.text).append(data)


def outside(text):
    """Addresses by which a style sheet would load something."""
    found = re.findall(r"url\(\s*['\"]?([^)'\"]+)", text) + re.findall(r"@import[^;]*", text)
    return [address for address in found if not address.startswith(("data:", "#"))]


def page(comparison, name, path):
    """A page that is readable without network: no address but those of files that are there."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    parsed = Page(text)
    folder = os.path.dirname(path)
    bad = [outside_of for style in parsed.styles for outside_of in outside(style)]
    for reference in parsed.references:
        if reference.startswith("data:"):
            continue
        target = urllib.parse.unquote(reference.split("#")[0])
        if urllib.parse.urlsplit(reference).scheme or reference.startswith("//"):
            bad.append(reference)
        elif not os.path.exists(os.path.join(folder, target)):
            bad.append(f"{reference}, which is not there")
    bad += [target for target in parsed.targets if target[1:] not in parsed.anchors | {""}]
    comparison.same(f"{name}: {len(parsed.references)} references, bad ones", bad[:5], [])
    loading = sorted({"script", "iframe", "object", "embed", "link", "base"} & set(parsed.tags))
    comparison.same(f"{name}: elements that run or load something", loading, [])
    # Schemes are only where names of XML dialects are.
    addresses = set(re.findall(r"https?:/?/?[^\s\"'<>%)]+", text))
    names = {address for address in addresses if address.startswith("http://www.w3.org/")}
    comparison.same(f"{name}: addresses", sorted(addresses - names), [])
    comparison.true(f"{name}: is a page", text.lstrip().lower().startswith("<!doctype html>"))
    parsed.shown = " ".join(" ".join(parsed.text).split())
    return parsed


def run_folder(comparison, folder, name):
    missing = [file for file in FILES if not os.path.exists(os.path.join(folder, file))]
    comparison.same(f"{name}: missing files", missing, [])
    if missing:
        return
    run = Run(folder)
    facts(comparison, run, name)
    scenario(comparison, run, name)
    events(comparison, run, name)
    observations(comparison, run, name)
    verdicts(comparison, run, name)
    shown = page(comparison, f"{name}/report.html", run.path("report.html")).shown
    unsaid = [v["check"] for v in run.verdicts if v["check"] not in shown]
    comparison.same(f"{name}/report.html: checks it does not name", unsaid, [])
    figures(comparison, run, name)
    waveforms(comparison, run, name)
    junit_of_run(comparison, run, name)
    if run.facts["time"] == "real":
        comparison.true(f"{name}: latency.csv", os.path.exists(run.path("latency.csv")))


def facts(comparison, run, name):
    """run.json: all that the contract names."""
    missing = [key for key in FACTS if key not in run.facts]
    comparison.same(f"{name}/run.json: missing keys", missing, [])
    comparison.same(f"{name}/run.json: format", run.facts["format_version"], 1)
    times = [run.facts[key] for key in ("start", "end", "started", "ended")]
    bad = [time for time in times if not TIME.fullmatch(str(time))]
    comparison.same(f"{name}/run.json: times that are not RFC 3339 UTC", bad, [])
    comparison.same(f"{name}/run.json: statuses", list(run.facts["verdicts"]), STATUSES)
    devices = [
        device for device in run.facts["devices"]
        if device.get("as") not in ("simulated", "emulated", "hardware")
        or not {"serial", "firmware", "name", "model"} <= device.keys()
    ]
    comparison.same(f"{name}/run.json: devices without evidence", devices, [])
    comparison.true(f"{name}/run.json: host", run.facts["host"], sorted(run.facts["host"]))
    comparison.true(
        f"{name}/run.json: guarantees", run.facts["guarantees"] or run.facts["state"] == "skipped"
    )
    comparison.true(f"{name}/run.json: version", "lastmeter" in run.facts["versions"])


def scenario(comparison, run, name):
    """scenario.toml: as resolved, with the hash that run.json tells."""
    with open(run.path("scenario.toml"), "rb") as file:
        text = file.read()
    digest = hashlib.sha256(text).hexdigest()
    comparison.same(f"{name}/scenario.toml: hash", run.facts["scenario_hash"], digest)
    document = tomllib.loads(text.decode())
    head = document["scenario"]
    called = "/".join([head["name"], *([head["case"]] if "case" in head else [])])
    comparison.same(f"{name}/scenario.toml: name", called, run.facts["scenario"])
    comparison.same(f"{name}/scenario.toml: seed", head["seed"], run.facts["seed"])
    places = {"load": loads_of(run, document), "source": sources_of(document),
              "home": sockets_of(document)}
    names = [name for device in document["device"] for name in expanded(device, places)]
    comparison.same(f"{name}: devices", [d["name"] for d in run.facts["devices"]], names)
    checks = [check["name"] for check in document["check"]]
    judged = [v["check"] for v in run.verdicts]
    # What no check of the scenario judges makes verdicts of its own, behind these.
    own = [check for check in judged[len(checks):] if check in IMPLICIT]
    comparison.same(f"{name}: checks", judged, checks + own)


def loads_of(run, document):
    """The names of the loads of the scenario's network, from the copy that the run keeps of it."""
    if "grid" not in document:
        return []
    network = tomllib.loads(run.facts["files"][document["grid"]["file"]])
    return [load["name"] for load in network["load"]]


def sources_of(document):
    """The names of the scenario's sources."""
    return [name for source in document.get("source", []) for name in counted_names(source)]


def sockets_of(document):
    """The names of homes and of their sockets."""
    homes = document.get("home", [])
    sockets = [f"{home['name']}/{socket['name']}" for home in homes for socket in home["sockets"]]
    return [home["name"] for home in homes] + sockets


def counted_names(table):
    """The names of one table: `count` makes NAME-01, NAME-02 of it."""
    if "count" not in table:
        return [table["name"]]
    count = table["count"]
    return [f"{table['name']}-{n:0{len(str(count))}}" for n in range(1, count + 1)]


def expanded(device, places):
    """The devices of one table: a pattern makes NAME-PLACE of each load or source that fits."""
    kind, _, pattern = device["at"].partition(":")
    tenant = device.get("tenant", "default")
    prefix = "" if tenant == "default" else f"{tenant}."
    names = counted_names(device)
    if "*" in pattern:
        fitting = [place for place in places[kind] if fnmatch.fnmatchcase(place, pattern)]
        names = [f"{device['name']}-{place.replace('/', '-')}" for place in fitting]
    return [prefix + name for name in names]


def events(comparison, run, name):
    """events.jsonl: one object per line, by time."""
    bad, last, count, kinds = [], "", 0, {}
    is_real = run.facts["time"] == "real"
    for event in run.events():
        count += 1
        time = event.get("time", "")
        good = TIME.fullmatch(time) and "source" in event and "kind" in event
        # How long a load of a network that obeys had no supply is known once that is over.
        is_behind = len(time) == len(last) and time < last and event.get("kind") != "interruption"
        # In real time each device reports on a line of its own, some milliseconds later or earlier.
        is_behind = is_behind and not (is_real and event.get("kind") == "device")
        if not good or is_behind:
            bad.append(event)
        last = max(last, time) if len(time) == len(last) else time
        kinds[event.get("kind")] = kinds.get(event.get("kind"), 0) + 1
    comparison.same(f"{name}/events.jsonl: {count} lines, bad ones", bad[:3], [])
    wanted = len(run.scenario.get("inject", []))
    found = sum(kinds.get(kind, 0) for kind in ("inject", "command", "kill"))
    if run.facts["state"] == "finished":
        # A command and a kill may be told as injection and as what they are.
        comparison.true(f"{name}: each injection is told", found >= wanted, kinds)
    refusals = [e for e in run.events() if e["kind"] == "refused" and not e.get("reason")]
    comparison.same(f"{name}: refusals without reason", refusals, [])


def observations(comparison, run, name):
    """observations.csv: UTF-8, the columns, plain line ends, a complete last line."""
    with open(run.path("observations.csv"), "rb") as file:
        header = file.readline().decode()
        first = file.readline().decode()
        file.seek(-1, os.SEEK_END)
        end = file.read(1)
    comparison.same(f"{name}/observations.csv: header", header, ",".join(COLUMNS) + "\n")
    # A recorder of faults makes no readings.
    has_none = run.facts["state"] == "skipped" or run.facts.get("observations") == 0
    good = first.count(",") == len(COLUMNS) - 1 or has_none
    comparison.true(f"{name}/observations.csv: rows", good, first.strip())
    comparison.same(f"{name}/observations.csv: last line is whole", end, b"\n")


def verdicts(comparison, run, name):
    # Readings that came although a device was to be silent have no place.
    checks = run.scenario.get("check", [])
    silent = {check.get("name") for check in checks if check.get("silent")}
    # A program judges whole series, and need not name a place; nor does who is under suspicion over all of them.
    # What is compared as a figure over all messages has none either.
    of_all = ("external", "suspicion", "published", "exchange_ratio", "household_decisions", "outage_area",
              "fault_distance")
    placeless = {check["name"] for check in checks if check["kind"] in of_all}
    bad = [
        verdict for verdict in run.verdicts
        # `told` is there where the line for people says more than figure and limit, and
        # `qualification` where a pass is worth less: a limit is not confirmed, clauses are missing;
        # `limit_low` where a limit has two sides; `devices` of `accuracy`.
        if sorted(verdict.keys() - {"told", "qualification", "limit_low", "devices"}) != sorted(VERDICT)
        or verdict["status"] not in STATUSES
        or verdict["scenario"] != run.facts["scenario"]
        or not verdict["why"]
        or (verdict["n"] == 0 and verdict["status"] == "pass")
        # Only what was expected and did not happen has no place.
        or (verdict["status"] == "fail" and verdict["at"] is None
            and verdict["reason"] != "refusal-missing" and verdict["check"] not in placeless
            and not (verdict["reason"] == "readings-unexpected" and verdict["check"] in silent))
    ]
    comparison.same(f"{name}/verdicts.json: {len(run.verdicts)} verdicts, bad ones", bad, [])


def waveforms(comparison, run, name):
    """What recorders kept, read by a foreign reader: as many samples as stated, unchanged, and its
    digital channels turn over where the record has the operations."""
    if not os.path.exists(run.path("grid-waveforms.csv")):
        return
    with open(run.path("grid-waveforms.csv"), newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"]]
    done = {}
    for event in run.events():
        if event["kind"] == "operated":
            done.setdefault(event["element"], []).append(seconds(event["time"]))
    faults = []
    for row in rows:
        path = run.path("waveforms", row["file"] + ".cfg")
        for ending in ("cfg", "dat"):
            with open(run.path("waveforms", f"{row['file']}.{ending}"), "rb") as file:
                if hashlib.sha256(file.read()).hexdigest() != row[f"{ending}_sha256"]:
                    faults.append(f"{row['file']}.{ending} was changed")
        record = Foreign(path)
        if record.count != int(row["samples"]) or record.rate_hz != float(row["rate_hz"]):
            faults.append(f"{row['file']}: {record.count} samples at {record.rate_hz} Hz")
        begin = seconds(row["from"])
        for channel, states in zip(record.digital_names, record.digital):
            turns = [at for at in range(1, len(states)) if states[at] != states[at - 1]]
            for at in turns:
                off = min(abs(begin + at / record.rate_hz - time) for time in done[channel])
                if off > 1.01 / record.rate_hz:
                    faults.append(f"{row['file']}: {channel} turns {off} s from any operation")
    comparison.same(f"{name}/waveforms: {len(rows)} excerpts, faults", faults, [])


def seconds(text):
    """A time in seconds, to the microsecond."""
    whole, _, part = text.rstrip("Z").partition(".")
    date = datetime.datetime.fromisoformat(whole + "+00:00")
    return date.timestamp() + float("0." + (part or "0"))


def figures(comparison, run, name):
    """Each picture is SVG that loads nothing, and has its data beside it."""
    files = set(os.listdir(run.path("figures")))
    pictures = sorted(file for file in files if file.endswith(".svg"))
    alone = [p for p in pictures if p[:-4] + ".csv" not in files and p not in DRAWINGS]
    comparison.same(f"{name}/figures: {len(pictures)} pictures, without data", alone, [])
    strange = sorted(file for file in files if not file.endswith((".svg", ".csv")))
    comparison.same(f"{name}/figures: other files", strange, [])
    faults = []
    for picture in pictures:
        with open(run.path("figures", picture), encoding="utf-8") as file:
            text = file.read()
        root = xml.fromstring(text)
        if root.tag != "{http://www.w3.org/2000/svg}svg" or "height" not in root.attrib:
            faults.append(f"{picture} is no SVG with a size")
        # A picture with axes has its label for those who do not see it.
        title = root.findtext("{http://www.w3.org/2000/svg}title")
        if "chart" in root.get("class", "").split() and not title == root.get("aria-label") != "":
            faults.append(f"{picture} has no label")
        for element in root.iter():
            for key, value in element.attrib.items():
                if key.rpartition("}")[2] in REFERENCES and not value.startswith(("#", "data:")):
                    faults.append(f"{picture} refers to {value}")
        if outside(text) or "<script" in text:
            faults.append(f"{picture} loads {outside(text)} or runs a script")
    for table in sorted(file for file in files if file.endswith(".csv")):
        with open(run.path("figures", table), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        # What ends with the time in which a platform warms up has no distribution of latencies.
        start, end = (datetime.datetime.fromisoformat(run.facts[key]) for key in ("start", "end"))
        is_warm_up = end - start < WARM_UP and table.startswith(("latency-percentiles", "latency-quantiles"))
        # Who obeys no command has no register that was written.
        is_unwritten = table == "calibration-registers.csv"
        # Where nobody makes readings no device has an accuracy, and a few commands no distribution.
        is_empty = table == "latency-percentiles-command.csv" or (
            table == "accuracy.csv" and run.facts.get("observations") == 0)
        is_short = is_warm_up or is_unwritten or is_empty
        least = 1 if run.facts["state"] == "skipped" or is_short else 2
        if len(rows) < least or any(len(row) != len(rows[0]) for row in rows):
            faults.append(f"{table} is no table")
        if any(cell.lower() == "nan" for row in rows for cell in row):
            faults.append(f"{table} has cells that are no number")
    comparison.same(f"{name}/figures: faults", faults, [])


def properties(element):
    found = element.find("properties")
    found = [] if found is None else found
    return {p.attrib["name"]: p.attrib["value"] for p in found}


def outcome(case):
    """What a reader of JUnit XML takes a test case for."""
    for tag in ("error", "failure", "skipped"):
        if case.find(tag) is not None:
            return tag
    return "pass"


EXPECTED = {
    "pass": "pass", "skipped": "skipped", "inconclusive": "failure", "fail": "failure",
    "error": "error",
}


def counted(comparison, name, root):
    """The counts in the attributes are those of the elements."""
    faults = []
    for element in [root, *root.findall("testsuite")]:
        cases = [outcome(case) for case in element.iter("testcase")]
        expected = {
            "tests": len(cases),
            "failures": cases.count("failure"),
            "errors": cases.count("error"),
            "skipped": cases.count("skipped"),
        }
        if element is root:
            # junit-10 has no such attribute of the whole.
            del expected["skipped"]
        found = {key: int(element.attrib[key]) for key in expected if key in element.attrib}
        if found != expected:
            faults.append((element.attrib.get("name"), found, expected))
    comparison.same(f"{name}: wrong counts", faults, [])


def cases_of(comparison, name, cases, verdict_list):
    """One test case per verdict, with its figures as properties."""
    found = [(c.attrib["classname"], c.attrib["name"]) for c in cases]
    expected = [(v["scenario"], v["check"]) for v in verdict_list]
    comparison.same(f"{name}: test cases", found, expected)
    faults = []
    for case, verdict in zip(cases, verdict_list):
        if outcome(case) != EXPECTED[verdict["status"]]:
            faults.append(f"{verdict['check']} is {outcome(case)}, not {verdict['status']}")
        given = properties(case)
        for key in ("measured", "limit"):
            value = given.get(key)
            if (None if value is None else float(value)) != verdict[key]:
                faults.append(f"{verdict['check']}: {key} is {value}, not {verdict[key]}")
        if int(given["n"]) != verdict["n"] or given["unit"] != verdict["unit"]:
            faults.append(f"{verdict['check']}: {given}")
        if given["reason"] != verdict["reason"] or given["status"] != verdict["status"]:
            faults.append(f"{verdict['check']}: {given}")
    comparison.same(f"{name}: faults", faults, [])


def junit_of_run(comparison, run, name):
    root = xml.parse(run.path("junit.xml")).getroot()
    comparison.same(f"{name}/junit.xml: root", root.tag, "testsuites")
    counted(comparison, f"{name}/junit.xml", root)
    cases_of(comparison, f"{name}/junit.xml", list(root.iter("testcase")), run.verdicts)


def reasons_of_the_machine():
    """The words of verdicts that a busy machine is the reason of, as the program lists them."""
    listed = json.loads(call("list", "reasons", "--format", "json")[1])["reasons"]
    return {row["reason"] for row in listed if row["of_the_machine"]}


def reason_of(run):
    """The reason of a run: that of its worst verdict, the machine's only if it is all of theirs."""
    status = max((v["status"] for v in run.verdicts), key=STATUSES.index)
    if status == "skipped" and any(v["status"] == "pass" for v in run.verdicts):
        status = "pass"
    worst = [v["reason"] for v in run.verdicts if v["status"] == status]
    machine = reasons_of_the_machine()
    return next((reason for reason in worst if reason not in machine), worst[0])


def suite_folder(comparison, folder, name, expected_exit):
    """suite.json, junit.xml, summary.md, index.html on top of the runs."""
    files = ("suite.json", "junit.xml", "summary.md", "index.html")
    missing = [file for file in files if not os.path.exists(os.path.join(folder, file))]
    comparison.same(f"{name}: missing files", missing, [])
    if missing:
        return
    with open(os.path.join(folder, "suite.json"), encoding="utf-8") as file:
        suite = json.load(file)
    comparison.same(f"{name}/suite.json: format", suite["format_version"], 1)
    # A machine that was busy with something else makes runs in real time inconclusive.
    was_busy = any(entry["reason"] in reasons_of_the_machine() for entry in suite["runs"])
    allowed = {expected_exit} | ({5} if was_busy else set())
    comparison.true(f"{name}/suite.json: exit code", suite["exit_code"] in allowed, allowed)
    controls = {c["folder"] for c in map(control_of, suite["runs"]) if c}
    told = sorted({entry["folder"] for entry in suite["runs"]} | controls)
    there = sorted(os.path.relpath(path, folder) for path in run_folders(folder))
    comparison.same(f"{name}/suite.json: runs", told, there)
    total = dict.fromkeys(STATUSES, 0)
    faults = []
    for entry in suite["runs"]:
        if entry["folder"] not in there:
            continue
        run = Run(os.path.join(folder, entry["folder"]))
        for status, count in entry["verdicts"].items():
            total[status] += count
        for key in ("scenario", "seed", "verdicts"):
            if entry[key] != run.facts[key]:
                faults.append(f"{entry['folder']}: {key} {entry[key]}, not {run.facts[key]}")
        faults += twin(entry, run) if entry["must_fail"] else plain(entry, run)
        if not entry["must_fail"] and entry["reason"] != reason_of(run):
            faults.append(f"{entry['folder']}: {entry['reason']}, not {reason_of(run)}")
    comparison.same(f"{name}/suite.json: faults", faults, [])
    comparison.same(f"{name}/suite.json: verdicts", suite["verdicts"], total)
    suite_pages(comparison, folder, name, suite)
    suite_junit(comparison, folder, name, suite)


def plain(entry, run):
    """An ordinary run counts as it ended."""
    good = entry["exit_code"] == run.facts["exit_code"] and "expect" not in run.scenario
    return [] if good else [f"{entry['folder']}: {entry['exit_code']}, {run.facts['exit_code']}"]


def control_of(entry):
    """How a must-fail twin ended without its defect, if that was run."""
    return (entry["must_fail"] or {}).get("control")


def twin(entry, run):
    """A must-fail twin passes if its check is as expected, and no other failed, and its control passed."""
    expect = run.scenario["expect"]
    control = control_of(entry)
    if control:
        alone = Run(os.path.join(os.path.dirname(run.folder), control["folder"]))
        passed = alone.facts["exit_code"] == 0
        if "expect" in alone.scenario or passed != (control["status"] == "pass"):
            return [f"{entry['folder']}: {control}, {alone.facts['exit_code']}"]
        if not passed:
            good = entry["status"] != "pass"
            return [] if good else [f"{entry['folder']}: {entry}, its control did not pass"]
    failed = [v["check"] for v in run.verdicts if v["status"] in ("fail", "error")]
    named = [v["status"] for v in run.verdicts if v["check"] == expect["check"]]
    exit_code = {"fail": 1, "inconclusive": 5}[expect["verdict"]]
    good = named == [expect["verdict"]] and set(failed) <= {expect["check"]}
    good = good and run.facts["exit_code"] == exit_code
    keys = ("check", "verdict", "reason", "twin_of")
    told = {key: entry["must_fail"][key] for key in keys} == {key: expect.get(key) for key in keys}
    good = good and expect.get("reason") in (None, *(v["reason"] for v in run.verdicts))
    busy = [v["reason"] for v in run.verdicts if v["check"] == expect["check"]]
    if good:
        expected = ("pass", 0, "within-limit")
    elif not failed and busy[0] in reasons_of_the_machine():
        expected = ("inconclusive", 5, busy[0])
    else:
        expected = ("fail", 1, "not-as-expected")
    right = (entry["status"], entry["exit_code"], entry["reason"]) == expected
    return [] if told and right else [f"{entry['folder']}: {entry}, failed are {failed}"]


def suite_pages(comparison, folder, name, suite):
    index = page(comparison, f"{name}/index.html", os.path.join(folder, "index.html"))
    links = [os.path.normpath(urllib.parse.unquote(link)) for link in index.references]
    with open(os.path.join(folder, "summary.md"), encoding="utf-8") as file:
        rows = [line.replace("\\_", "_") for line in file if line.startswith("|")][2:]
    unsaid = [
        entry["folder"] for entry in suite["runs"]
        if entry["scenario"] not in index.shown or f"{entry['folder']}/report.html" not in links
    ]
    comparison.same(f"{name}/index.html: runs it does not link to", unsaid, [])
    wrong = [
        row for row, entry in zip(rows, suite["runs"])
        if entry["scenario"] not in row or f"| {entry['status']} |" not in row
        or not row.rstrip().endswith(f"| {entry['reason']} |")
    ]
    comparison.same(f"{name}/summary.md: {len(rows)} rows, wrong ones", wrong, [])
    comparison.same(f"{name}/summary.md: rows", len(rows), len(suite["runs"]))


def suite_junit(comparison, folder, name, suite):
    root = xml.parse(os.path.join(folder, "junit.xml")).getroot()
    counted(comparison, f"{name}/junit.xml", root)
    groups = root.findall("testsuite")
    comparison.same(
        f"{name}/junit.xml: suites",
        [group.attrib["name"] for group in groups],
        [entry["scenario"] for entry in suite["runs"]],
    )
    for group, entry in zip(groups, suite["runs"]):
        label, cases = f"{name}/junit.xml {entry['scenario']}", group.findall("testcase")
        if not os.path.exists(os.path.join(folder, entry["folder"], "run.json")):
            comparison.true(f"{label}: has a run", False)
        elif entry["must_fail"]:
            found = [outcome(case) for case in cases]
            comparison.same(f"{label}: the twin", found, [EXPECTED[entry["status"]]])
        else:
            run = Run(os.path.join(folder, entry["folder"]))
            cases_of(comparison, label, cases, run.verdicts)


def main():
    comparison = Comparison()
    root = runs()
    for part in ("library", "twins"):
        folders = run_folders(os.path.join(root, part))
        comparison.true(f"{part} has runs", folders, len(folders))
        for folder in folders:
            run_folder(comparison, folder, os.path.relpath(folder, root))
        suite_folder(comparison, os.path.join(root, part), part, 0)
    comparison.end()


if __name__ == "__main__":
    main()
