"""The run folder read with the standard library: what the bench recorded, without its own code."""

import csv
import fnmatch
import json
import os
import tomllib

COLUMNS = [
    "device", "epoch", "serial", "quantity", "unit", "event_time", "reference", "reported",
]


def is_named(name, patterns):
    """Whether a check's patterns name something; a list of them is written as one text."""
    return any(fnmatch.fnmatchcase(name, pattern.strip()) for pattern in patterns.split(","))


class Run:
    """One run folder."""

    def __init__(self, folder):
        self.folder = folder
        self.facts = self.json("run.json")
        self.verdicts = self.json("verdicts.json")
        with open(self.path("scenario.toml"), "rb") as file:
            self.scenario = tomllib.load(file)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def json(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return json.load(file)

    def events(self):
        """The lines of events.jsonl."""
        with open(self.path("events.jsonl"), encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def observations(self):
        """The rows of observations.csv as lists of text, without the header."""
        with open(self.path("observations.csv"), newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows)
            if header != COLUMNS:
                raise ValueError(f"the columns are {header}, expected {COLUMNS}")
            yield from rows


def run_folders(root):
    """All run folders below a folder: those with a run.json."""
    found = [path for path, _, names in os.walk(root) if "run.json" in names]
    return sorted(found)


def suite_run_folders(root):
    """The run folders of the library and of its twins: other scripts write theirs beside them meanwhile."""
    return [path for part in ("library", "twins") for path in run_folders(os.path.join(root, part))]
