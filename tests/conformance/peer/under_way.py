"""A run in real time that a script does something to while it goes on."""

import datetime
import json
import subprocess
import sys
import threading
import time

from peer.bench import LASTMETER

LIMIT_S = 120


class Run:
    """A scenario under way, or a twin as `SCENARIO/TWIN`; what it says is kept."""

    def __init__(self, folder, name, *options):
        scenario, _, self.twin = name.partition("/")
        of_twin = ["--must-fail", "--controls", "none", "--filter", name] if self.twin else []
        self.process = subprocess.Popen(
            [LASTMETER, "run", f"{folder}/{scenario}.toml", *options, *of_twin],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.err, self.out = [], []
        self.readers = [threading.Thread(target=self.keep, args=of, daemon=True)
                        for of in ((self.process.stderr, self.err), (self.process.stdout, self.out))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def keep(stream, lines):
        lines.extend(stream)

    def schedule(self):
        """When the schedule began, in the scenario's time and by the monotonic clock."""
        while self.process.poll() is None:
            for line in self.out:
                event = json.loads(line)
                if event["event"] == "schedule":
                    return datetime.datetime.fromisoformat(event["start"]), time.monotonic()
            time.sleep(0.005)
        sys.exit("the run ended before its schedule: " + self.end()[1])

    def end(self):
        """Exit code and everything it said."""
        code = self.process.wait(LIMIT_S)
        for reader in self.readers:
            reader.join(LIMIT_S)
        return code, "".join(self.out + self.err)
