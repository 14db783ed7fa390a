"""Asks the platform's REST interface what its OpenAPI description permits and what it does not, by schemathesis.

No server error, no status, type or member that the description lacks, no answer without the token. Must-fail
runs take something out of the description and have to be reported.

    rest_schemathesis.py            examples and coverage, in deterministic mode
    rest_schemathesis.py --whole    also fuzzing and sequences of requests, for FUZZING_S
"""

import copy
import json
import os
import subprocess
import sys
import tempfile

from peer.bench import Comparison
from peer.meter import Meter
from peer.platform import TOKEN, Platform

EXAMPLES, LIMIT_S, FUZZING_S = 10, 60, 600
# A request may ask to wait for 10 s.
ANSWER_S = 15
# Not asked for: what the description cannot state. Dates are only those of 1677 to 2262, identifiers only those of
# the registry, and parameters of a command those of its definition. A device that is decommissioned stays, marked as
# deleted, as its data does.
NOT_STATED = "positive_data_acceptance,use_after_free"
# An answer that does not end.
ENDLESS = "/api/v1/live"
# Open to everybody; a change of this list is a change of what strangers see.
OPEN = ["/api-doc", "/healthz", "/openapi.json", "/readyz", "/style.css"]
# What may be asked for with or without a log-in; so is a change of this one.
PUBLIC = [f"/api/v1/{kind}{rest}" for kind in ("feeds", "tariffs") for rest in ("", "/{token}", "/{token}/history")]


def fill(platform):
    """What the examples of the description name: a device with a reading, an alert and a command. Each list has
    a row, so that a request which may wait for one seldom does."""
    meter = Meter(platform, "MQTT 5", "filler")
    request = {"measurements": {"electricity.voltage.rms.l1": 230.0}, "updateState": True}
    message = {"hardwareId": "meter-1", "type": "DeviceMeasurements", "request": request}
    alert = {"type": "maximum.power", "level": "Warning", "message": "close"}
    alert = {"hardwareId": "meter-1", "type": "DeviceAlert", "request": alert}
    refused = {"hardwareId": "meter-1"}
    meter.await_acknowledged([meter.send(sent) for sent in (message, alert, refused)])
    for rows in ("readings", "alerts", "refusals"):
        platform.await_rows(rows, 1)
    meter.close()
    device = platform.get("/sitewhere/api/devices/meter-1")
    path = f"/sitewhere/api/assignments/{device['assignmentToken']}/invocations"
    body = {"commandToken": "setReportingPeriod", "parameterValues": {"seconds": "5"}}
    return platform.ask(path, body)[0]


def schemathesis(platform, folder, document, *options, phases="examples,coverage"):
    """One run over a description; gives the exit code and what it printed."""
    file = os.path.join(folder, "openapi.json")
    with open(file, "w", encoding="utf-8") as out:
        json.dump(document, out)
    program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    command = [program, "--no-color", "run", file, "--url", platform.rest, "--phases", phases]
    command += ["--header", f"Authorization: Bearer {TOKEN}"]
    command += ["--max-examples", str(EXAMPLES), "--continue-on-failure"]
    command += ["--max-response-time", str(ANSWER_S), "--request-timeout", str(ANSWER_S)]
    command += ["--exclude-path", ENDLESS]
    command += ["--checks", "all", "--exclude-checks", NOT_STATED, "--warnings", "off", *options]
    if "fuzzing" not in phases:
        command.append("--generation-deterministic")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def strangers(comparison, platform, document):
    """Without the token only what is meant to be open is answered."""
    found, public = [], []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if not operation["security"]:
                found.append(path)
                continue
            if {} in operation["security"]:
                public.append(path)
            for token in ("guess",) if {} in operation["security"] else (None, "guess"):
                body = {} if method == "post" else None
                status, _ = platform.ask(path.replace("{", "").replace("}", ""), body, token)
                comparison.same(f"{method} {path} with token {token}", status, 401)
    comparison.same("open to everybody", sorted(found), OPEN)
    comparison.same("without a log-in too", sorted(public), PUBLIC)


def by_token(document):
    """The description without passwords: who guesses them is locked out, and answered with 429 rather than 401."""
    document = copy.deepcopy(document)
    for operation in (one for methods in document["paths"].values() for one in methods.values()):
        operation["security"] = [one for one in operation["security"] if not one or "administrator" in one]
    return document


def without(document, path, method, status):
    """The description without one status."""
    document = copy.deepcopy(document)
    del document["paths"][path][method]["responses"][status]
    return document


def with_member(document, schema, member):
    """The description with a member that no answer has."""
    document = copy.deepcopy(document)
    document["components"]["schemas"][schema]["required"].append(member)
    return document


def main():
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        settings = os.path.join(folder, "platform.toml")
        with open(settings, "w", encoding="utf-8") as out:
            # The wrong tokens of the tests come from the machine itself and are answered at once.
            out.write("[limits]\nwrong_secrets = 1000000\n")
        platform = Platform(os.path.join(folder, "data"), "--config", settings)
        comparison.same("a command of the examples", fill(platform), 201)
        document = platform.get("/openapi.json")
        strangers(comparison, platform, document)
        document = by_token(document)
        code, printed = schemathesis(platform, folder, document, "--max-time", str(LIMIT_S))
        comparison.true("examples and coverage", code == 0, f"exit {code}\n{printed}")
        for what, changed, path in (
            ("a status", without(document, "/sitewhere/api/devices/{hardwareId}", "get", "404"), "devices/"),
            ("a member", with_member(document, "Clock", "zone"), "clock$"),
        ):
            code, _ = schemathesis(platform, folder, changed, "--include-path-regex", path)
            comparison.same(f"{what} that is not as described is reported: exit code", code, 1)
        if "--whole" in sys.argv[1:]:
            options = ("--max-time", str(FUZZING_S), "--seed", "1")
            code, printed = schemathesis(platform, folder, document, *options, phases="fuzzing,stateful")
            comparison.true("fuzzing and sequences", code == 0, f"exit {code}\n{printed}")
        comparison.same("exit code after SIGTERM", platform.stop(), 0)
    comparison.end()


if __name__ == "__main__":
    main()
