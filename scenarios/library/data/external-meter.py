#!/usr/bin/env python3
"""A meter as a program: voltages, currents, active power and energy of each phase.

The bench asks line by line, in JSON on standard input, and gets one line for each on standard
output. It shows what the terminal carries up to an instant (`spectrum`), and asks for a reading
when one is due (`read`). Values are in SI units: V, A, W, J, Hz. What is printed to standard error
is shown if the program fails.

`settings` of the scenario's [[device]]: `gain`, a factor of every voltage, 1 unless it is given.
"""

import json
import math
import sys


def rms(channel):
    """RMS value of a channel: its tones and its direct component add up as power."""
    return math.sqrt(channel["dc"] ** 2 + sum(tone["rms"] ** 2 for tone in channel["tones"]))


def active_power(voltage, current):
    """Mean of the product of both, which tones of one frequency make together."""
    power = voltage["dc"] * current["dc"]
    for u in voltage["tones"]:
        for i in current["tones"]:
            if u["frequency_hz"] == i["frequency_hz"]:
                power += u["rms"] * i["rms"] * math.cos(u["phase_rad"] - i["phase_rad"])
    return power


class Meter:
    """What the meter knows between two readings."""

    def __init__(self, begin):
        self.phases = begin["phases"]
        self.gain = float(begin["settings"].get("gain", "1"))
        self.energy_j = [0.0] * self.phases
        self.shown_until_s = 0.0
        self.start_anew()

    def start_anew(self):
        """Forgets the means since the last reading; energies go on."""
        self.seconds = 0.0
        self.cycles = 0.0
        self.squares_u = [0.0] * self.phases
        self.squares_i = [0.0] * self.phases
        self.work_j = [0.0] * self.phases

    def spectrum(self, ask):
        """Takes what the terminal has carried since it was shown last."""
        seconds = ask["until_s"] - self.shown_until_s
        self.shown_until_s = ask["until_s"]
        self.seconds += seconds
        self.cycles += seconds * ask["fundamental_hz"]
        for phase in range(self.phases):
            voltage, current = ask["voltages"][phase], ask["currents"][phase]
            self.squares_u[phase] += seconds * (self.gain * rms(voltage)) ** 2
            self.squares_i[phase] += seconds * rms(current) ** 2
            self.work_j[phase] += seconds * self.gain * active_power(voltage, current)

    def read(self):
        """The values of a reading, by their identifiers."""
        values = {"electricity.frequency": self.cycles / self.seconds}
        for phase in range(self.phases):
            of = f"l{phase + 1}"
            self.energy_j[phase] += max(0.0, self.work_j[phase])
            mean = lambda squares: math.sqrt(squares[phase] / self.seconds)
            values[f"electricity.voltage.rms.{of}"] = mean(self.squares_u)
            values[f"electricity.current.rms.{of}"] = mean(self.squares_i)
            power = self.work_j[phase] / self.seconds
            values[f"electricity.power.active.consumed.{of}"] = max(0.0, power)
            energy = self.energy_j[phase]
            values[f"electricity.energy.active.consumed.{of}"] = energy
        self.start_anew()
        return values


def main():
    meter, quantities = None, []
    for line in sys.stdin:
        ask = json.loads(line)
        answer = {}
        if ask["ask"] == "begin":
            meter, quantities = Meter(ask), ask["quantities"]
            answer = {"lastmeter": 1}
        elif ask["ask"] == "spectrum":
            meter.spectrum(ask)
        elif ask["ask"] == "read":
            values = meter.read()
            answer = {"values": {name: values[name] for name in quantities}}
        print(json.dumps(answer), flush=True)


main()
