"""The Python package of `python/`: its wheel, installed where nothing else is; its data frames against the tables
read by the standard library; what it reports of what is wrong. Runs the examples of the documentation, too.
"""

import base64
import csv
import datetime
import hashlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import warnings
import xml.etree.ElementTree as xml
import zipfile
from pathlib import Path

from peer.bench import LASTMETER, Comparison, call

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python"
LIBRARY = ROOT / "scenarios" / "library"
sys.path.insert(0, str(PACKAGE))

import lastmeter  # noqa: E402
from lastmeter.program import toml  # noqa: E402
from lastmeter.pytest_plugin import lastmeter_run  # noqa: E402,F401

# One meter with a signal; its name is one that readers of tables take for nothing.
SCENARIO = """format = 1
[scenario]
name = "short"
start = 2027-01-18T17:00:00Z
duration = "20 s"
[[source]]
name = "mains"
kind = "synthetic"
[[device]]
name = "NA"
at = "source:mains"
model = "stpm34-3ph"
fidelity = "windows"
report_every = "2 s"
[[signal]]
name = "voltage"
of = "NA"
quantity = "electricity.voltage.rms.l1"
[[check]]
name = "voltage"
kind = "accuracy"
quantity = "electricity.voltage.rms.*"
limit = "0.2 %"
[[check]]
name = "readings-once"
kind = "no_loss"
"""
# A reading never comes.
INJECT = """[[inject]]
at = "11 s"
kind = "skip_reading"
device = "NA"
"""
# As long as it takes to be interrupted.
ENDLESS = SCENARIO.replace('"20 s"', '"2000 h"').replace("short", "endless")
TESTS = """
def test_what_passes(lastmeter_run):
    run = lastmeter_run("short.toml")
    assert run.verdict == "pass"


def test_what_fails(lastmeter_run):
    run = lastmeter_run("short.toml", set={"device.NA.voltage_gain_error": "1 %"})
    assert run.passed
"""


def nanoseconds(text):
    """A time as its file has it, in ns since 1970, without floating point."""
    date, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.datetime.fromisoformat(date + "+00:00")
    return int(moment.timestamp()) * 10**9 + int(fraction.ljust(9, "0"))


def cell(value):
    """A value of a data frame as a plain one; what is missing as None."""
    if hasattr(value, "value") and hasattr(value, "tz"):
        return value.as_unit("ns").value
    if value is None or str(value) in ("<NA>", "NaT") or isinstance(value, float) and math.isnan(value):
        return None
    return value.item() if hasattr(value, "item") else value


def table(path, times=(), whole=(), numbers=()):
    """A table read by the standard library: columns of plain values."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    read = {
        **dict.fromkeys(times, nanoseconds),
        **dict.fromkeys(whole, int),
        **dict.fromkeys(numbers, number),
    }
    return {
        name: [
            read[name](row[name]) if name in read and row[name] else row[name] if name not in read else None
            for row in rows
        ]
        for name in rows[0]
    }


def number(text):
    value = float(text)
    return None if math.isnan(value) else value


def same_table(comparison, what, frame, expected):
    comparison.same(f"{what}: columns", [name for name in frame.columns if name in expected], list(expected))
    for name, values in expected.items():
        found = [cell(value) for value in frame[name]]
        wrong = [pair for pair in zip(found, values) if pair[0] != pair[1]]
        comparison.true(
            f"{what}: {name}, {len(values)} values",
            values and len(found) == len(values) and not wrong,
            wrong[:3],
        )


def frames(comparison, folder):
    """Each table of a run, cell by cell."""
    run = lastmeter.run(folder / "missing-reading.toml", folder / "frames")
    of = run.folder
    rows = table(of / "observations.csv", ["event_time"], ["epoch", "serial"], ["reference", "reported"])
    same_table(comparison, "observations", run.observations, rows)
    types = {name: str(kind) for name, kind in run.observations.dtypes.items()}
    expected = {
        "event_time": "datetime64[ns, UTC]",
        "reference": "float64",
        "reported": "float64",
        "serial": "Int64",
        "epoch": "Int64",
        "device": "str",
        "due": "bool",
    }
    comparison.same("types of observations", {name: types[name] for name in expected}, expected)
    comparison.true("a reading is missing", None in rows["reported"])
    comparison.true("and all were due", run.observations.due.all())
    comparison.same("the device named NA", set(run.observations.device), {"NA"})
    same_table(comparison, "signals", run.signals, table(of / "signals.csv", [], ["time_ns"], ["value"]))
    start = nanoseconds(json.loads((of / "run.json").read_text())["start"])
    expected = [start + int(value) for value in run.signals.time_ns]
    comparison.same("signals: time", [cell(value) for value in run.signals.time][:50], expected[:50])
    with open(of / "events.jsonl", encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    names = list(dict.fromkeys(name for event in events for name in event))
    expected = {name: [event.get(name) for event in events] for name in names}
    expected["time"] = [nanoseconds(text) for text in expected["time"]]
    same_table(comparison, "events", run.events, expected)
    comparison.same("verdicts", run.verdicts, json.loads((of / "verdicts.json").read_text()))
    comparison.same("scenario", run.scenario, tomllib.loads((of / "scenario.toml").read_text()))
    comparison.same(
        "the run", (run.verdict, run.exit_code, run.passed, run.state), ("fail", 1, False, "finished")
    )
    comparison.same("what failed", [each["check"] for each in run.failed], ["readings-once"])
    return run


def hard_tables(comparison, run, folder):
    """What a record may hold and a reader may get wrong."""
    copy = folder / "hard"
    shutil.copytree(run.folder, copy)
    head = "device,epoch,serial,quantity,unit,event_time,reference,reported"
    lines = [
        "nan,1,9007199254740993,electricity.frequency,Hz,2027-01-18T17:00:05.000Z,50.000000000000007,49.99999999999999",
        "1,,,electricity.frequency,Hz,2027-01-18T17:00:05.000000001Z,NaN,-0.1",
        ",1,2,electricity.frequency,Hz,1969-12-31T23:59:59Z,,1e-320",
        '"a,b",1,3,electricity.frequency,Hz,2027-01-18T17:00:06Z,5e-324,',
        "m,18446744073709551615,4,electricity.frequency,Hz,2027-01-18T17:00:06Z,1.7976931348623157e308,0",
    ]
    texts = "\n".join([head, *lines]) + "\n"
    (copy / "observations.csv").write_text(texts, "utf-8")
    hard = lastmeter.Run(copy)
    expected = table(
        copy / "observations.csv", ["event_time"], ["epoch", "serial"], ["reference", "reported"]
    )
    same_table(comparison, "hard observations", hard.observations, expected)
    comparison.same("hard observations: due", list(hard.observations.due), [True, True, False, True, True])
    points = [
        "intended",
        "published",
        "proxy_in_up",
        "proxy_out_up",
        "proxy_in_down",
        "proxy_out_down",
        "received",
        "committed",
        "queryable",
        "obeyed",
        "acknowledged",
    ]
    head = ",".join(["path", "id", *(f"{point}_ns" for point in points), "bytes", "copies"])
    rows = ["reading,NA/1/2,5,6,,,,,,9007199254740993,,,,1300,1", "reading>o,NA//3,-5,,,,,,,,,,,0,0"]
    (copy / "latency.csv").write_text("\n".join([head, *rows]) + "\n", "utf-8")
    expected = table(copy / "latency.csv", [], head.split(",")[2:])
    same_table(comparison, "latency", hard.latency, expected)
    (copy / "events.jsonl").write_text(
        '{"time":"2027-01-18T17:00:00Z","source":"a","kind":"b","n":1,"x":2.0,"epoch":18446744073709551615}\n'
        '{"time":"2027-01-18T17:00:00.1Z","source":"a","kind":"b","values":{"f":1},"ok":true,"x":3,'
        '"detail":"a\u2028line\x85"}\n',
        "utf-8",
    )
    types = {name: str(kind) for name, kind in lastmeter.Run(copy).events.dtypes.items()}
    expected = {
        "time": "datetime64[ns, UTC]",
        "source": "string",
        "kind": "string",
        "n": "Int64",
        "x": "float64",
        "epoch": "UInt64",
        "values": "object",
        "ok": "boolean",
        "detail": "string",
    }
    comparison.same("types of events", types, expected)
    for name, empty in (("observations.csv", texts.splitlines()[0] + "\n"), ("events.jsonl", "")):
        (copy / name).write_text(empty, "utf-8")
    empty = lastmeter.Run(copy)
    comparison.same(
        "nothing observed, nothing happened", (len(empty.observations), len(empty.events)), (0, 0)
    )
    (copy / "observations.csv").write_text("", "utf-8")
    error = raised(lastmeter.RecordError, lambda: lastmeter.Run(copy).observations)
    comparison.true("a table without a header", "observations.csv is empty" in str(error), str(error))
    comparison.same("the types stay", str(empty.observations.event_time.dtype), "datetime64[ns, UTC]")


def suites(comparison, folder):
    """A matrix: cases with their values, whatever they came to."""
    values = [0, 0.001, "1 %"]
    suite = lastmeter.run(
        folder / "short.toml",
        folder / "suite",
        vary={"device.NA.voltage_gain_error": values},
        seeds=range(1, 3),
        jobs=2,
    )
    told = json.loads((suite.folder / "suite.json").read_text())
    comparison.same("a suite", type(suite).__name__, "Suite")
    comparison.same("cases", len(suite.cases), 6)
    for name in ("scenario", "status", "reason", "exit_code", "seed", "folder"):
        expected = [run[name] for run in told["runs"]]
        comparison.same(f"cases: {name}", list(suite.cases[name]), expected)
    addresses = list(told["runs"][0]["case"]["values"])
    comparison.same(
        "cases: what varies", [each["address"] in suite.cases for each in addresses], [True, True]
    )
    shown = suite.cases["device.NA.voltage_gain_error"]
    comparison.same("cases: values", list(shown), [0, 0, 0.001, 0.001, "1 %", "1 %"])
    comparison.same("the suite", (suite.verdict, suite.passed), (lastmeter.Verdict.FAIL, False))
    comparison.same("its runs", [run.name for run in suite.runs], list(suite.cases.scenario))
    comparison.same(
        "a run's case", suite.runs[4].case, {"device.NA.voltage_gain_error": "1 %", "scenario.seed": 1}
    )
    found = suite.verdicts.query("check == 'voltage'")
    expected = [
        next(
            each
            for each in json.loads((suite.folder / run["folder"] / "verdicts.json").read_text())
            if each["check"] == "voltage"
        )
        for run in told["runs"]
    ]
    comparison.same("verdicts of all runs", list(found.measured), [each["measured"] for each in expected])
    (folder / "beside").mkdir()
    shutil.copy(folder / "short.toml", folder / "beside")
    (folder / "beside" / "broken.toml").write_text("format = 1\n[scenario]\nname = 4\n")
    mixed = lastmeter.run(folder / "beside", folder / "mixed")
    comparison.same(
        "a broken file beside others", (mixed.exit_code, mixed.verdict, len(mixed.runs)), (2, "error", 1)
    )
    comparison.true(
        "its mistakes are in the messages", any("broken.toml" in each.file for each in mixed.messages)
    )
    comparison.same("and it is among the cases", list(mixed.cases.status), ["error", "pass"])


class NothingRaised(Exception):
    """That a call went well which had to raise; no text of an error is in it."""

    exit_code, messages, result = None, (), None


def raised(kind, act, *arguments, **options):
    """What a call raises, if that is of this kind."""
    try:
        act(*arguments, **options)
    except kind as error:
        return error
    return NothingRaised()


def mistakes(comparison, folder):
    """Each misuse has an error of its own that states what is wrong."""
    broken = folder / "broken.toml"
    broken.write_text(SCENARIO.replace("stpm34-3ph", "stpm35").replace('"0.2 %"', '"2 Hz"'))
    error = raised(lastmeter.ScenarioError, lastmeter.run, broken, folder / "none")
    _, out, _ = call("validate", str(broken), "--format", "json")
    expected = [
        (each["file"], each["line"], each["column"], each["code"])
        for each in map(json.loads, out.splitlines())
        if each.get("severity") == "error"
    ]
    found = [(each.file, each.line, each.column, each.code) for each in error.messages]
    comparison.same("mistakes of a scenario, located", found, expected)
    comparison.true("there are two", len(found) == 2, str(error))
    comparison.true("the text has the place", f"broken.toml:{found[0][1]}:" in str(error), str(error))
    comparison.same("and its exit code is", error.exit_code, 2)
    comparison.true("and nothing was run", not (folder / "none").exists())
    short = folder / "short.toml"
    for what, options, word in [
        ("an option that is wrong", {"seeds": (5, 1)}, "seed"),
        ("an address that leads nowhere", {"set": {"device.NB.model": "x"}}, "device.NB"),
        ("an unknown option", {"options": ["--nonsense"]}, "--nonsense"),
        ("nothing that fits", {"filter": "tag:nothing"}, "tag:nothing"),
    ]:
        error = raised(lastmeter.CommandError, lastmeter.run, short, folder / "none", **options)
        comparison.true(f"{what} is an error that names it", word in str(error), str(error))
    error = raised(lastmeter.CommandError, lastmeter.run, folder / "missing.toml", folder / "none")
    comparison.true("a missing scenario is named", "missing.toml" in str(error), str(error))
    error = raised(lastmeter.CommandError, lastmeter.run, short, folder / "frames")
    comparison.true("a folder with results is left alone", "frames" in str(error), str(error))
    error = raised(
        lastmeter.CheckFailed, lastmeter.run, folder / "missing-reading.toml", folder / "checked", check=True
    )
    comparison.true(
        "with check=True a failed check raises", "readings-once (readings-lost)" in str(error), str(error)
    )
    comparison.same("and has the run", error.result and error.result.exit_code, 1)
    for what, act, folder_of, word in [
        ("a missing folder", lastmeter.Run, folder / "nowhere", "there is no such folder"),
        ("a folder without a run", lastmeter.Run, folder, "run.json is not there"),
        ("a suite that is none", lastmeter.Suite, folder / "frames", "read it as a Run"),
        ("a run that is none", lastmeter.Run, folder / "suite", "read it as a Suite"),
    ]:
        error = raised(lastmeter.RecordError, act, folder_of)
        comparison.true(
            f"{what} is reported", word in str(error) and str(folder_of) in str(error), str(error)
        )
    error = raised(lastmeter.RecordError, lambda: lastmeter.Run(folder / "frames").latency)
    comparison.true("a table that is not there", "latency.csv is not there" in str(error), str(error))
    comparison.true(
        "no seeds", isinstance(raised(ValueError, lastmeter.run, short, seeds=range(1, 9, 2)), ValueError)
    )
    comparison.true("no path", isinstance(raised(ValueError, lastmeter.run, []), ValueError))


def program(comparison, folder):
    """Where it is looked for, and that nothing stands in for what was named."""
    kept = dict(os.environ)
    own = folder / "own"
    own.mkdir()
    os.symlink(LASTMETER, own / "lastmeter")
    try:
        os.environ.pop("LASTMETER", None)
        os.environ["PATH"] = f"{folder / 'empty'}"
        error = raised(lastmeter.ProgramNotFound, lastmeter.run, folder / "short.toml")
        places = ["argument", "LASTMETER", str(PACKAGE / "lastmeter" / "bin"), str(folder / "empty")]
        comparison.same("places that it names", [place in str(error) for place in places], [True] * 4)
        (folder / "empty").mkdir()
        script = folder / "empty" / "lastmeter"
        script.write_text("#!/bin/sh\n# from lastmeter.__main__ import main\n")
        script.chmod(0o755)
        comparison.true(
            "its own command is not it",
            isinstance(raised(lastmeter.ProgramNotFound, lastmeter.find_program), Exception),
        )
        os.environ["PATH"] += f":{own}"
        comparison.same("on PATH", lastmeter.find_program(), str(own / "lastmeter"))
        os.environ["LASTMETER"] = LASTMETER
        comparison.same("by the variable", lastmeter.find_program(), LASTMETER)
        comparison.same("by the argument", lastmeter.find_program(own / "lastmeter"), str(own / "lastmeter"))
        for place, act in (
            ("argument", lambda: lastmeter.find_program("/nowhere/x")),
            ("LASTMETER", lastmeter.find_program),
        ):
            os.environ["LASTMETER"] = "/nowhere/y"
            error = raised(lastmeter.ProgramNotFound, act)
            comparison.true(
                f"one that is named by {place} and missing",
                place in str(error) and "/nowhere/" in str(error),
                str(error),
            )
    finally:
        os.environ.clear()
        os.environ.update(kept)


def values(comparison):
    """Values of Python as TOML, read by another reader of it."""
    moment = datetime.datetime(2027, 1, 18, 17, tzinfo=datetime.timezone.utc)
    texts = ["230 V", 'a "quoted" \\ text', "two\nlines\t\x00\x1f\x7f", "µ°Ω – 😀", ""]
    for value in [
        *texts,
        True,
        False,
        0,
        -5,
        10**18,
        0.1,
        1e-320,
        1e300,
        [1, "a", [True]],
        moment,
        moment.date(),
        {"kind": "kill", "at": "3 min", "a b.c": [{"x": 1.5}]},
    ]:
        comparison.same(f"{value!r} as TOML", tomllib.loads(f"it = {toml(value)}")["it"], value)
    comparison.true("nothing is no value", isinstance(raised(TypeError, toml, None), TypeError))


def interrupted(comparison, folder):
    """A run that a signal ended, and one whose process was killed."""
    (folder / "endless.toml").write_text(ENDLESS)
    for word, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        out = folder / word.name
        with subprocess.Popen(
            [LASTMETER, "run", str(folder / "endless.toml"), "--out", str(out)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not rows_of(out):
                time.sleep(0.1)
            process.send_signal(word)
            comparison.same(f"the program ends by {word.name}", process.wait(60), code)
    run = lastmeter.Run(folder / "SIGINT")
    comparison.same("interrupted", (run.state, run.exit_code, run.passed), ("interrupted", 130, False))
    comparison.true("its verdict", run.verdict in ("inconclusive", "fail"), run.verdict)
    comparison.true("its rows", len(run.observations) == rows_of(run.folder))
    killed = lastmeter.Run(folder / "SIGKILL")
    comparison.same("killed", killed.state, "running")
    for what, act in (
        ("verdict", lambda: killed.verdict),
        ("verdicts", lambda: killed.verdicts),
        ("exit code", lambda: killed.exit_code),
    ):
        error = raised(lastmeter.RecordError, act)
        comparison.true(
            f"its {what}: what to do", f"lastmeter report {killed.folder}" in str(error), str(error)
        )
    comparison.true("it can be shown", "not judged" in repr(killed), repr(killed))
    with open(killed.folder / "observations.csv", "r+b") as file:
        text = file.read()
        file.truncate(text.rindex(b"\n") - 4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = killed.observations
    whole = text[: text.rindex(b"\n") - 4].count(b"\n") - 1
    comparison.same("a torn line is left out", len(frame), whole)
    comparison.true("and that is reported", any("left out" in str(each.message) for each in caught), caught)
    code, _, _ = call("report", str(killed.folder))
    again = lastmeter.Run(killed.folder)
    comparison.same("judged again", (again.exit_code, again.passed), (code, False))


def rows_of(folder):
    """How many rows the observations have so far."""
    try:
        with open(folder / "observations.csv", "rb") as file:
            return max(file.read().count(b"\n") - 1, 0)
    except FileNotFoundError:
        return 0


def wheel(comparison, folder):
    """What is in the wheel, and under which tag."""
    made = subprocess.run(
        [sys.executable, PACKAGE / "build-wheel", LASTMETER, folder / "dist", "--no-build-isolation"],
        capture_output=True,
        text=True,
        check=False,
    )
    comparison.same("build-wheel", (made.returncode, made.stderr), (0, ""))
    [path] = made.stdout.split()
    symbols = subprocess.run(["objdump", "-T", LASTMETER], capture_output=True, text=True, check=True).stdout
    newest = max(int(minor) for minor in re.findall(r"GLIBC_2\.(\d+)", symbols))
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    version, machine = workspace["version"], os.uname().machine
    comparison.same(
        "its name", Path(path).name, f"lastmeter-{version}-py3-none-manylinux_2_{newest}_{machine}.whl"
    )
    comparison.same("version of the package", lastmeter.__version__, version)
    with zipfile.ZipFile(path) as archive:
        names = {each.filename: each for each in archive.infolist()}
        info = f"lastmeter-{version}.dist-info"
        record = list(csv.reader(archive.read(f"{info}/RECORD").decode().splitlines()))
        comparison.same("RECORD names all files", sorted(row[0] for row in record), sorted(names))
        wrong = [
            name
            for name, digest, size in record
            if digest and (digest, size) != (hashed(archive.read(name)), str(names[name].file_size))
        ]
        comparison.same("files that are not as RECORD has them", wrong, [])
        metadata = archive.read(f"{info}/METADATA").decode()
        for line in (
            f"Version: {version}",
            "License-Expression: MIT OR Apache-2.0",
            "Requires-Python: >=3.11",
        ):
            comparison.true(f"METADATA: {line}", line in metadata.splitlines())
        licences = [name for name in names if "LICENSE" in name]
        comparison.same("licences", len(licences), 2)
        about = archive.read(f"{info}/WHEEL").decode()
        comparison.true("it is for one platform", "Root-Is-Purelib: false" in about, about)
        binary = names["lastmeter/bin/lastmeter"]
        comparison.true(
            "the program may be run", binary.external_attr >> 16 & 0o111, oct(binary.external_attr >> 16)
        )
        extracted = archive.extract(binary, folder)
    sections = subprocess.run(
        ["readelf", "-S", "-W", extracted], capture_output=True, text=True, check=True
    ).stdout
    comparison.true("the program has no symbols", ".text" in sections and ".symtab" not in sections)
    foreign = subprocess.run(
        [sys.executable, PACKAGE / "build-wheel", "/bin/true", folder / "no"],
        capture_output=True,
        text=True,
        check=False,
    )
    comparison.true(
        "another program is refused", foreign.returncode == 1 and "version" in foreign.stderr, foreign.stderr
    )
    return path


def hashed(data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.decode().rstrip('=')}"


class Fresh:
    """A new environment in an empty folder, in which nothing of this one is known."""

    def __init__(self, folder, wheel_path):
        self.folder = folder
        folder.mkdir()
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        self.done = self.run(
            "pip", "install", "--disable-pip-version-check", "--no-index", "--quiet", wheel_path
        )

    def run(self, name, *arguments, **variables):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **variables}
        return subprocess.run(
            [self.folder / "venv" / "bin" / name, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def python(self, code):
        return self.run("python", "-W", "error", "-c", code)

    def add_peers(self):
        """pandas, pytest and matplotlib as they are in the environment of the tests."""
        [packages] = (self.folder / "venv" / "lib").glob("python*/site-packages")
        import pandas

        (packages / "peers.pth").write_text(os.path.dirname(os.path.dirname(pandas.__file__)) + "\n")


def installed(comparison, folder, wheel_path):
    """The wheel where there is nothing else: the program, pandas, pytest, the examples."""
    fresh = Fresh(folder / "fresh", wheel_path)
    comparison.same("pip takes it", (fresh.done.returncode, fresh.done.stderr), (0, ""))
    (fresh.folder / "short.toml").write_text(SCENARIO)
    (fresh.folder / "missing-reading.toml").write_text(SCENARIO + INJECT)
    shown = fresh.run("lastmeter", "--version")
    comparison.same("the command `lastmeter`", shown.stdout, call("--version")[1])
    code = (
        "import sys, lastmeter; run = lastmeter.run('missing-reading.toml'); print(lastmeter.find_program());"
        "print(run.verdict, run.folder.parent, [v['check'] for v in run.failed], 'pandas' in sys.modules);"
        "run.observations"
    )
    done = fresh.python(code)
    lines = done.stdout.splitlines()
    comparison.true(
        "the program is the one inside", lines and lines[0].startswith(str(fresh.folder / "venv")), done
    )
    comparison.same("a run without pandas", lines[1:], ["fail runs ['readings-once'] False"])
    comparison.true(
        "data frames need it", done.stderr.endswith("not installed: `pip install pandas`\n"), done.stderr
    )
    fresh.add_peers()
    code = "import lastmeter; o = lastmeter.run('missing-reading.toml', 'again').observations; print(len(o), o.reported.isna().sum())"
    done = fresh.python(code)
    rows = table(fresh.folder / "again" / "observations.csv")
    expected = [str(len(rows["reported"])), str(rows["reported"].count(""))]
    comparison.same("pandas in an empty folder", (done.stdout.split(), done.stderr), (expected, ""))
    (fresh.folder / "test_short.py").write_text(TESTS)
    done = fresh.run("python", "-m", "pytest", "-q", "--basetemp", "tmp", "test_short.py")
    comparison.true("pytest: one passes, one fails", "1 failed, 1 passed" in done.stdout, done.stdout[-400:])
    comparison.true(
        "which checks failed",
        re.search(r"^  fail +voltage \(outside-limit\): ", done.stdout, re.M),
        done.stdout[-900:],
    )
    comparison.true("and nothing of what passed", "test_what_passes" not in done.stdout)
    record = fresh.folder / "tmp" / "test_what_fails0" / "run-1" / "verdicts.json"
    why = [each["why"] for each in json.loads(record.read_text()) if each["check"] == "voltage"]
    comparison.true("and why", why and why[0] in done.stdout, why)
    examples(comparison, fresh)


def examples(comparison, fresh):
    """Those of the documentation, as they are."""
    shutil.copytree(ROOT / "docs" / "examples", fresh.folder / "docs" / "examples")
    shutil.copytree(LIBRARY, fresh.folder / "scenarios" / "library")
    done = fresh.run("python", "-m", "pytest", "-q", "docs/examples")
    comparison.true("docs/examples/test_meter.py", "3 passed" in done.stdout, done.stdout[-900:])
    code = (
        "import runpy, json; it = runpy.run_path('docs/examples/error_by_power_factor.py');"
        "print(json.dumps([it['factors'], it['errors']]))"
    )
    done = fresh.run("python", "-c", code, MPLCONFIGDIR=str(fresh.folder))
    comparison.true("docs/examples/error_by_power_factor.py", done.returncode == 0, done.stderr[-500:])
    picture = xml.parse(fresh.folder / "error-by-power-factor.svg").getroot()
    comparison.same("its picture", picture.tag, "{http://www.w3.org/2000/svg}svg")
    factors, errors = json.loads(done.stdout.splitlines()[-1])
    comparison.same("power factors", factors, [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1])
    for factor, error in zip(factors, errors):
        # P of U and I at an angle: cos(phi - d) / cos(phi) - 1.
        angle, shift = math.acos(factor), math.radians(0.1)
        expected = 100 * (math.cos(angle - shift) / math.cos(angle) - 1)
        comparison.close(f"error at a power factor of {factor}", error, expected, 0.001, "%")


def main():
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.path.realpath(name))
        (folder / "short.toml").write_text(SCENARIO)
        (folder / "missing-reading.toml").write_text(SCENARIO + INJECT)
        run = frames(comparison, folder)
        hard_tables(comparison, run, folder)
        suites(comparison, folder)
        mistakes(comparison, folder)
        program(comparison, folder)
        values(comparison)
        interrupted(comparison, folder)
        installed(comparison, folder, wheel(comparison, folder))
    comparison.end()


if __name__ == "__main__":
    main()
