#!/usr/bin/env python3
"""Runs Eclipse's interoperability cases of MQTT against the platform's broker and mosquitto.

    mqtt_conformance.py --suite paho.mqtt.testing/interoperability [--program target/release/lastmeter]
                        [--only test_basic] [--five] [--verbose]

Wants mosquitto and the suite, https://github.com/eclipse/paho.mqtt.testing, whose folder
`interoperability` has `client_test.py` (3.1.1) and `client_test5.py` (5). Nothing of it is changed: each
case runs in a process of its own, as a client with the device's secret, on topics that the platform passes
on and does not store (`default/rts/NAME/frames`), with the same topics on mosquitto.

The cases of MQTT 5 are run with `--five` and shown, not judged: the suite's client takes no SUBACK with 0x87
and no PUBACK with a reason, which MQTT 5 has (3.9.3, 3.4.2), so most of them fail on both.

Prints how each case ends on both. Exit 1 if one ends otherwise on the platform than on mosquitto and is
not among the differences that are meant, or is among them and ends alike.
"""

import argparse
import concurrent.futures
import functools
import importlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

USER, SECRET = "default", "meters"
MODULES = {"client_test": "mqtt.clients.V311", "client_test5": "mqtt.clients.V5"}
# What the suite calls TopicA, TopicA/B, Topic/C, TopicA/C, /TopicA, and its filters. No case relies on
# what a filter leaves out.
TOPICS = [f"default/rts/{name}/frames" for name in "abcde"]
ALL, ANY = "default/#", "default/rts/+/frames"
FILTERS = [ANY, ANY, ALL, ALL, ANY, ANY, "default/rts/#"]
CASE_S = 120

RETAINED = "nothing is retained"
SESSION = "no session outlives its connection"
WILL = "a last will goes to an input topic and is stored"
# Cases that end otherwise on the platform than on mosquitto, and shall.
MEANT = {
    "client_test.test_retained_messages": RETAINED,
    "client_test.test_offline_message_queueing": SESSION,
    "client_test.test_redelivery_on_reconnect": SESSION,
    "client_test.test_keepalive": WILL,
    "client_test.test_overlapping_subscriptions": "mosquitto 2.0 sends the lower quality of service",
    "client_test.test_subscribe_failure": "mosquitto 2.0 grants what its rights do not deliver",
}


def module_of(suite, name):
    """A file of the suite, with the platform's user, secret and topics."""
    sys.path.insert(0, suite)
    client = importlib.import_module(MODULES[name]).Client
    secret = {"username": USER, "password": SECRET.encode()}
    client.connect = functools.partialmethod(client.connect, **secret)
    subscribe = client.subscribe

    def subscribe_below(self, filters, *options, **more):
        # The suite looks for retained messages under any topic.
        return subscribe(self, [ALL if one == "#" else one for one in filters], *options, **more)

    client.subscribe = subscribe_below
    module = importlib.import_module(name)
    module.topics, module.wildtopics = TOPICS, FILTERS
    module.nosubscribe_topics, module.topic_prefix = ("test/nosubscribe",), "default/rts/"
    return module


def cases_of(suite, name):
    """The names of the cases of a file, in their order."""
    command = [sys.executable, os.path.abspath(__file__), "--suite", suite, "--inner", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{name} of the suite cannot be read:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def run_inside(suite, name, case, port):
    """One case, in this process; without one, the names of all."""
    module = module_of(suite, name)
    loader = unittest.TestLoader()
    if not case:
        print(json.dumps(loader.getTestCaseNames(module.Test)))
        return 0
    module.host, module.port = "127.0.0.1", port
    suite_of_one = unittest.TestSuite([module.Test(case)])
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite_of_one)
    # A thread of the suite's client may never end.
    sys.stderr.flush()
    os._exit(0 if result.wasSuccessful() else 1)


def outcome(suite, name, case, port):
    """`passed`, `failed` or `timeout`, and what was written."""
    command = [sys.executable, os.path.abspath(__file__), "--suite", suite, "--inner", name]
    command += ["--case", case, "--port", str(port)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=CASE_S, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return "timeout", f"no end within {CASE_S} s"
    return ("passed" if done.returncode == 0 else "failed"), done.stdout + done.stderr


def start_mosquitto(folder):
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if not found:
        sys.exit("mosquitto is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = pathlib.Path(folder)
    rights, settings = folder / "rights", folder / "mosquitto.conf"
    # So that there is something which nobody may subscribe to.
    rights.write_text("pattern readwrite default/#\n", encoding="utf-8")
    # As root it would give up the right to read its own files.
    text = f"listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {rights}\nuser root\n"
    settings.write_text(text, encoding="utf-8")
    process = subprocess.Popen([found, "-c", str(settings)], stderr=subprocess.DEVNULL)
    time.sleep(1)
    if process.poll() is not None:
        sys.exit(f"mosquitto ended with {process.returncode} before it was ready")
    return process, port


def start_platform(program, folder):
    command = [program, "serve", "--token", "secret", "--device-token", SECRET]
    command += ["--mqtt", "127.0.0.1:0", "--rest", "127.0.0.1:0"]
    command += ["--data", os.path.join(folder, "platform")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    line = process.stdout.readline()
    if not line:
        sys.exit("the platform ended before it was ready")
    return process, int(json.loads(line)["mqtt"].rsplit(":", 1)[1])


def compare(asked, ports):
    """Runs all cases, the two brokers at a time; returns the number of unexpected ends."""
    unexpected, shown = 0, "{:52} {:9} {:9} {}".format
    print(shown("case", "platform", "mosquitto", ""))
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for name in MODULES if asked.five else ["client_test"]:
            for case in cases_of(asked.suite, name):
                if asked.only and asked.only != case:
                    continue
                run = functools.partial(outcome, asked.suite, name, case)
                (here, text), (there, other) = pool.map(run, ports)
                reason, differs = MEANT.get(f"{name}.{case}"), (here == "passed") != (there == "passed")
                note = reason or ""
                if name == "client_test" and differs != (reason is not None):
                    unexpected += 1
                    note = "UNEXPECTED" if differs else f"ends alike, but is listed: {reason}"
                print(shown(f"{name}.{case}", here, there, note), flush=True)
                for who, how, written in (("platform", here, text), ("mosquitto", there, other)):
                    if asked.verbose and how != "passed":
                        print(f"{who}:\n{written}")
    return unexpected


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", required=True)
    parser.add_argument("--program", default="target/release/lastmeter")
    parser.add_argument("--only", help="one case by its name")
    parser.add_argument("--five", action="store_true", help="the cases of MQTT 5 as well")
    parser.add_argument("--verbose", action="store_true", help="what failing cases wrote")
    for inner in ("--inner", "--case", "--port"):
        parser.add_argument(inner, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.suite = os.path.abspath(asked.suite)
    if asked.inner:
        return run_inside(asked.suite, asked.inner, asked.case, int(asked.port or 0))
    processes = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for start in (functools.partial(start_platform, asked.program), start_mosquitto):
                processes.append(start(folder))
            unexpected = compare(asked, [port for _, port in processes])
        finally:
            for process, _ in processes:
                process.terminate()
                process.wait(20)
    print(f"{unexpected} unexpected")
    return int(unexpected > 0)


if __name__ == "__main__":
    sys.exit(main())
