"""A meter on the desk that lies: it answers the requests of docs/boards.md over a pseudo-terminal.

Board file and scenario are those of that page, with this line in place of the one there. The honest way answers
what the scenario's source gives, with the noise of a meter.
"""

import os
import pty
import random
import re
import select
import threading
import tomllib
import tty

from peer.under_way import Run

PAGE = "docs/boards.md"
# A whole number of readings, so few that a script of some seconds has them.
DURATION = "12 s"
NOISE = 2e-4


def blocks():
    """The board file and the scenario of the page."""
    with open(PAGE, encoding="utf-8") as file:
        found = re.findall(r"^   ```toml\n(.*?)^   ```$", file.read(), flags=re.DOTALL | re.MULTILINE)
    of = {key: next(re.sub(r"^   ", "", text, flags=re.MULTILINE) for text in found if f"\n   [{key}]" in text)
          for key in ("board", "scenario")}
    return of["board"], of["scenario"]


class Board:
    """Answers each request; each lie changes what it measures, or the line that it answers with."""

    def __init__(self, source):
        given = lambda key: float(source[key].split()[0]) if isinstance(source[key], str) else source[key]
        u, i = given("voltage"), given("current")
        self.truth = {"u": u, "i": i, "p": u * i * given("power_factor")}
        self.number, self.kept, self.noise = 0, None, random.Random(7)
        # What an honest one would have answered, and how often this one did not.
        self.honest, self.changed = None, 0

    def measured(self):
        """Values and number of the next reading."""
        self.number += 1
        values = {name: value * (1 + NOISE * self.noise.uniform(-1, 1)) for name, value in self.truth.items()}
        values["number"] = self.number
        self.honest = Board.line(self, values)
        return values

    def change(self, values):
        return values

    def line(self, values):
        return "U={u:.2f} V I={i:.4f} A P={p:.2f} W #{number}".format(**values)

    def answer(self):
        """What it answers; None: nothing."""
        return self.line(self.change(self.measured()))


def changed(change):
    class Changed(Board):
        def change(self, values):
            return {**values, **change(values)}
    return Changed


class SensorFault(Board):
    """Goes on as if nothing was, and reports behind the number that its sensor is broken."""

    def answer(self):
        return super().answer() + " ERROR SENSOR FAULT"


class Stale(Board):
    """The second answer again and again, number and all."""

    def change(self, values):
        self.kept = values if self.kept is None or self.number <= 2 else self.kept
        return self.kept


class CountsAgain(Board):
    def change(self, values):
        return {**values, "number": values["number"] if values["number"] <= 3 else values["number"] - 3}


class OtherUnit(Board):
    def line(self, values):
        return "U={u:.5f} V I={i:.4f} A P={p:.5f} W #{number}".format(**{**values, "p": values["p"] / 1000})


class AnswersEverySecond(Board):
    def answer(self):
        found = super().answer()
        return found if self.number % 4 < 2 else None


class AnswersTheOneBefore(Board):
    def answer(self):
        before, self.kept = self.kept, super().answer()
        return before or self.kept


HONEST = {"answers what it measures": Board}
LIES = {
    "reports ten times the current": changed(lambda values: {"i": 10 * values["i"]}),
    "reports P -9999 W": changed(lambda values: {"p": -9999.0}),
    "reports a fault behind the number": SensorFault,
    "repeats an answer, number and all": Stale,
    "counts from 1 again": CountsAgain,
    "gives the power in kW": OtherUnit,
    "turns the sign of the power": changed(lambda values: {"p": -values["p"]}),
    "exchanges voltage and current": changed(lambda values: {"u": values["i"], "i": values["u"]}),
    "leaves every second reading out": AnswersEverySecond,
    "answers the request before": AnswersTheOneBefore,
    "reports no current and no power": changed(lambda values: {"i": 0.0, "p": 0.0}),
}
DRAWN = ["reports ten times the current", "reports a fault behind the number"]


def serve(board, port, is_over):
    """Answers each line that arrives."""
    buffer = b""
    while not is_over.is_set():
        if not select.select([port], [], [], 0.05)[0]:
            continue
        try:
            buffer += os.read(port, 512)
        except OSError:  # the bench has closed its end
            continue
        while b"\n" in buffer:
            _, _, buffer = buffer.partition(b"\n")
            answer = board.answer()
            board.changed += answer != board.honest
            if answer is not None:
                os.write(port, answer.encode() + b"\r\n")


def play(kind, folder):
    """A run of the page's scenario with this board; gives exit code, what was printed, and how often it lied."""
    board_file, scenario = blocks()
    port, end = pty.openpty()
    tty.setraw(end)
    board_file = re.sub(r'\nline = ".*?"', f'\nline = "tty:{os.ttyname(end)}"', board_file)
    # A lock by its name: several stand beside each other.
    board_file = re.sub(r'\nname = ".*?"', f'\nname = "desk-meter-{os.path.basename(folder)}"', board_file, count=1)
    name = tomllib.loads(scenario)["device"][0]["board"]
    for file_name, text in ((name, board_file), ("desk.toml", scenario)):
        with open(os.path.join(folder, file_name), "w", encoding="utf-8") as file:
            file.write(text)
    is_over = threading.Event()
    board = kind(tomllib.loads(scenario)["source"][0])
    thread = threading.Thread(target=serve, args=(board, port, is_over), daemon=True)
    thread.start()
    run = Run(folder, "desk", "--out", os.path.join(folder, "run"), "--set", f"scenario.duration={DURATION}")
    found = run.end()
    is_over.set()
    thread.join()
    os.close(port)
    os.close(end)
    return *found, board.changed
