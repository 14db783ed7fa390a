"""Writes three months of the demonstrator: its day, with what happens to it nearly every day.

Plugs leave and come back, some without a word, the gateway restarts every third day, the platform is
killed every week, and the heater is switched off and on again each morning. All of it follows from a
seed. Prints the scenario.
"""

import os
import random
import sys

DAYS = int(os.environ.get("DAYS", "90"))
HEAD, _, rest = open("scenarios/library/demonstrator.toml", encoding="utf-8").read().partition(
    "# Loads are switched from the interface.")
CHECKS = rest[rest.index("[[check]]"):rest.index("[[must_fail]]")]
# Whose registers are judged at each reading; of the others the day is.
LOADS = ["fridge", "espresso", "heater"]
# A dozen plugs: one laptop is enough.
LEFT_OUT = 'name = "charger"'
PLUGS = ["fridge", "espresso", "oven", "washer", "dishes", "dryer", "lamp", "television", "laptop"]


def inject(day, minutes, kind, more):
    at = (day * 24 * 60 + minutes) * 60 + 10
    return f'[[inject]]\nat = "{at} s"\nkind = "{kind}"\n{more}\n'


def main():
    draw = random.Random(2014)
    happenings = []
    for day in range(DAYS):
        for minutes, name in ((6 * 60, "off"), (6 * 60 + 30, "on")):
            command = f'device = "plug-flat-heater"\ncommand = {{ name = "{name}" }}\n'
            happenings.append(inject(day, minutes, "command", command))
        if draw.random() < 0.9:
            plug, length = draw.choice(PLUGS), draw.randrange(10, 240)
            silent = str(draw.random() < 0.3).lower()
            more = f'device = "plug-flat-{plug}"\nfor = "{length} min"\nsilent = {silent}\n'
            happenings.append(inject(day, draw.randrange(60, 5 * 60), "node_away", more))
        if day % 3 == 1:
            happenings.append(inject(day, draw.randrange(12 * 60, 23 * 60), "restart", 'gateway = "hub"\n'))
        if day % 7 == 2:
            happenings.append(inject(day, draw.randrange(12 * 60, 23 * 60), "kill", ""))
    head = HEAD.replace('name = "demonstrator"', 'name = "demonstrator-of-three-months"')
    head = head.replace("for a day", f"for {DAYS} days").replace("thirteen plugs", "twelve plugs")
    head = "".join(line for line in head.splitlines(True) if LEFT_OUT not in line)
    head = head.replace('duration = "24 h"', f'duration = "{DAYS} d"')
    rule = next(line for line in head.splitlines() if 'device = "plug-*"' in line)
    head = head.replace(rule, "\n".join(rule.replace("plug-*", f"plug-flat-{load}") for load in LOADS))
    checks = CHECKS.split("[[check]]")
    energy = next(check for check in checks if 'device = "plug-*"' in check)
    of_load = [energy.replace("plug-*", f"plug-flat-{load}").replace('"energy"', f'"energy-{load}"')
               for load in LOADS]
    checks[checks.index(energy):checks.index(energy) + 1] = of_load
    sys.stdout.write(head + "".join(happenings) + "[[check]]".join(checks))


main()
