"""The templates of applications, by REST alone, by MQTT alone and by both, in Rust and in Python, against a platform.

Each is started before a meter whose voltage is in order, does nothing, and acts once it is beyond the limit: a command
that waits for the meter, or a reading of the application's own. None has more than sixty lines.
"""

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

from peer.bench import Comparison, example
from peer.meter import Meter
from peer.platform import LIMIT_S, TOKEN, Platform

FOLDER = "platform/examples"
NAMES = ["app_rest", "app_mqtt", "app_both"]
VOLTAGE = "electricity.voltage.rms.l1"
LIMIT_V, LOW_V, HIGH_V = 240.0, 230.0, 250.0
LINES_MAX = 60


def reading(device, serial, volts):
    request = {"measurements": {VOLTAGE: volts}, "updateState": True, "eventSerialNumber": serial, "eventEpoch": 1}
    return {"hardwareId": device, "type": "DeviceMeasurements", "request": request}


def key_of_application(platform, device):
    """The key of an application that may read one device and ask it for something."""
    name = f"of-{device}"
    platform.get("/api/v1/applications", {"token": name})
    span = {"from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    platform.get("/api/v1/grants", {"to": f"app:{name}", "on": f"device:{device}", "actions": ["read", "command"],
                                    "quantities": ["*"], "purpose": "watch", "by": "user:bench", **span})
    key = {"of": f"app:{name}", "actions": ["read", "command"], "until": "2100-01-01T00:00:00Z"}
    return platform.get("/api/v1/keys", key)["key"]


def lines_of(process):
    """Its lines as they come."""
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True).start()
    return lines


def commands(platform, device):
    token = platform.get(f"/sitewhere/api/devices/{device}/assignment")["token"]
    return platform.get(f"/sitewhere/api/assignments/{token}/invocations")["results"]


def distances(platform, device):
    rows = platform.everything("readings")
    return [row["values"][VOLTAGE] for row in rows if row["device"] == f"{device}-distance"]


def template(comparison, platform, name, arguments, language):
    what, device = f"{name} in {language}", f"{name}-{language.lower()}"
    meter = Meter(platform, "MQTT 3.1.1", f"meter-of-{device}")
    meter.await_acknowledged([meter.send(reading(device, 1, LOW_V))])
    limit = time.monotonic() + LIMIT_S
    while not any(row["device"] == device for row in platform.everything("readings")):
        if time.monotonic() > limit:
            sys.exit(f"{device}: the reading was not stored")
        time.sleep(0.1)
    settings = {"REST": platform.rest, "MQTT": f"{platform.host}:{platform.port}", "DEVICE": device,
                "TOKEN": key_of_application(platform, device) if name == "app_rest" else TOKEN,
                "LIMIT": str(LIMIT_V), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(arguments, env={**os.environ, **settings}, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        first = lines_of(process).get(timeout=LIMIT_S)
        comparison.true(f"{what}: it begins", first, first.strip())
        if name != "app_mqtt":
            meter.await_acknowledged([meter.send(reading(device, 2, LOW_V))])
            time.sleep(1.5)
            comparison.same(f"{what}: nothing is done below the limit", commands(platform, device), [])
            comparison.same(f"{what}: it goes on", process.poll(), None)
        meter.await_acknowledged([meter.send(reading(device, 3, HIGH_V))])
        code = process.wait(LIMIT_S)
        comparison.true(f"{what}: it has done its work", code == 0, (code, process.stderr.read()[-300:]))
    finally:
        process.kill()
    if name == "app_mqtt":
        limit = time.monotonic() + LIMIT_S
        while not distances(platform, device) and time.monotonic() < limit:
            time.sleep(0.1)
        comparison.same(f"{what}: its reading", distances(platform, device), [LIMIT_V - HIGH_V])
    else:
        asked = [(one["commandToken"], one["parameterValues"]) for one in commands(platform, device)]
        comparison.same(f"{what}: its command", asked, [("setReportingPeriod", {"seconds": "5"})])
    meter.close()


def main():
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(os.path.join(folder, "data"))
        for name in NAMES:
            of = {"Rust": ([example(name)], f"{FOLDER}/{name}.rs"),
                  "Python": ([sys.executable, f"{FOLDER}/python/{name}.py"], f"{FOLDER}/python/{name}.py")}
            for language, (arguments, file) in of.items():
                with open(file, encoding="utf-8") as text:
                    count = len(text.readlines())
                comparison.true(f"{file} is short", count <= LINES_MAX, count)
                template(comparison, platform, name, arguments, language)
        comparison.same("exit code after SIGTERM", platform.stop(), 0)
    comparison.end()


if __name__ == "__main__":
    main()
