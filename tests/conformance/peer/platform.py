"""The platform under test as a process, and its REST interface, with the standard library alone."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from peer.bench import LASTMETER

TOKEN = "T0ken-for-the-test"
# How long anything may take on a busy machine before it is taken for lost.
LIMIT_S = 30.0


class Platform:
    """`lastmeter serve` on a data folder, until it is killed or stopped."""

    def __init__(self, data, *options, port=0):
        arguments = ["serve", "--data", data, "--mqtt", f"127.0.0.1:{port}"]
        arguments += ["--rest", "127.0.0.1:0", "--token", TOKEN, *options]
        # However the script ends, its end of the pipe closes and the platform ends with it.
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [LASTMETER, *arguments, "--until-stdin-closes"],
            stdin=pipe, stdout=pipe, stderr=pipe, text=True,
        )
        self.errors = []
        threading.Thread(target=self._drain, daemon=True).start()
        ready = json.loads(self._first_line())
        self.ready, self.rest = ready, ready["rest"]
        self.host, self.port = self._address("mqtt")
        host, self.tls_port = self._address("mqtts")
        self.host = self.host or host

    def _address(self, key):
        host, _, port = self.ready.get(key, ":0").rpartition(":")
        return host, int(port)

    def _drain(self):
        for line in self.process.stderr:
            self.errors.append(line.rstrip())

    def _first_line(self):
        lines = queue.Queue()
        reader = lambda: lines.put(self.process.stdout.readline())
        threading.Thread(target=reader, daemon=True).start()
        try:
            line = lines.get(timeout=LIMIT_S)
        except queue.Empty:
            line = ""
        if not line:
            self.process.kill()
            sys.exit("the platform did not get ready: " + "; ".join(self.errors))
        return line

    def kill(self):
        """SIGKILL: nothing can be put in order any more."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(LIMIT_S)

    def stop(self):
        """SIGTERM; gives the exit code."""
        self.process.terminate()
        return self.process.wait(LIMIT_S)

    def ask(self, path, body=None, token=TOKEN):
        """A REST request; gives the status and the answer."""
        request = urllib.request.Request(self.rest + path)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text.decode(errors="replace")

    def metrics(self):
        """The counters as Prometheus text."""
        request = urllib.request.Request(self.rest + "/metrics")
        request.add_header("Authorization", f"Bearer {TOKEN}")
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return answer.read().decode()

    def get(self, path, body=None):
        """A REST request that has to succeed."""
        status, answer = self.ask(path, body)
        if status not in (200, 201):
            sys.exit(f"{path}: {status} {answer}")
        return answer

    def everything(self, kind, page=97):
        """All `readings` or `refusals`, page by page, checking that the pages fit together."""
        found, after = [], 0
        while True:
            rows = self.get(f"/api/v1/{kind}?after={after}&limit={page}")
            sequences = [row["sequence"] for row in rows["results"]]
            if sequences != sorted(set(sequences)) or any(s <= after for s in sequences):
                sys.exit(f"/api/v1/{kind}: sequences after {after} are {sequences}")
            found += rows["results"]
            if sequences and rows["last"] != sequences[-1]:
                sys.exit(f"/api/v1/{kind}: last is {rows['last']}, not {sequences[-1]}")
            if not rows["more"]:
                return found
            after = rows["last"]

    def await_rows(self, kind, count):
        """All rows, once there are as many; else what there is when the time is up."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            rows = self.everything(kind)
            if len(rows) >= count or time.monotonic() > deadline:
                return rows
            time.sleep(0.05)
