"""Validates every shipped scenario with a foreign JSON Schema validator and our own schema.

Also breaks scenarios on purpose: the schema has to refuse what the program refuses.
"""

import copy
import datetime
import glob
import json
import tomllib

import jsonschema

from peer.bench import Comparison, run


def plain(value):
    """TOML dates as the text JSON has for them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


comparison = Comparison()
schema = json.loads(run("schema"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
paths = sorted(glob.glob("scenarios/library/**/*.toml", recursive=True))
for path in paths:
    with open(path, "rb") as file:
        scenario = plain(tomllib.load(file))
    errors = [error.message for error in validator.iter_errors(scenario)]
    comparison.true(f"{path} is valid", not errors, "; ".join(errors)[:400])

with open("scenarios/library/first-light.toml", "rb") as file:
    good = plain(tomllib.load(file))
for what, change in {
    "an unknown section": lambda s: s.update(plant={}),
    "an unknown key of a device": lambda s: s["device"][0].update(reports_every="1 s"),
    "a missing name": lambda s: s["scenario"].pop("name"),
    "a bare number for a time": lambda s: s["scenario"].update(duration=600),
    "an unknown source": lambda s: s["source"][0].update(kind="spectre"),
    "a seed that is text": lambda s: s["scenario"].update(seed="7"),
    "an unknown key of a link": lambda s: s.update(link=[{"name": "wan", "delays": "1 s"}]),
    "a preset that there is not": lambda s: s.update(link=[{"name": "wan", "preset": "fibre"}]),
    "a jitter without a law": lambda s: s.update(link=[{"name": "wan", "jitter": {"scale": "1 s"}}]),
    "an observer without a name": lambda s: s.update(observer=[{"via": "wan"}]),
    "a floor of few messages": lambda s: s.update(floor={"messages": 99}),
    "more devices than may be": lambda s: s["device"][0].update(count=20_001),
    "a breakage that there is not": lambda s: s.update(
        inject=[{"at": "1 s", "kind": "disconnect", "link": "wan", "how": "snap"}]
    ),
    "a TLS that there is not": lambda s: s["platform"].update(tls="client"),
    "a twin without a check": lambda s: s.update(must_fail=[{"name": "x", "set": {}}]),
    "an expectation to pass": lambda s: s.update(
        expect={"verdict": "pass", "check": "voltage", "twin_of": "a/b"}
    ),
}.items():
    bad = copy.deepcopy(good)
    change(bad)
    comparison.true(f"{what} is refused", not validator.is_valid(bad))

linked = copy.deepcopy(good)
linked["scenario"]["time"] = "real"
linked["platform"]["tls"] = "mutual"
linked["floor"] = {"messages": 500, "period": "1 ms", "via": "wan"}
linked["link"] = [
    {"name": "wan", "preset": "flexmeter-wan", "loss": "1 %", "down": {"delay": "20 ms"}},
    {"name": "slow", "jitter": {"law": "gamma", "shape": 2, "scale": "5 ms"}, "nodelay": False},
]
linked["device"][0].update(count=50, via="wan", keep_alive="0 s", input_topic="bound")
linked["observer"] = [{"name": "head-end", "via": "wan", "connections": "per-device"}]
linked["inject"] = [
    {"at": "1 min", "kind": "impair", "link": "wan", "delay": "200 ms", "for": "2 min"},
    {"at": "4 min", "kind": "disconnect", "link": "wan", "how": "half-open", "for": "30 s"},
]
linked["expect"] = {"verdict": "inconclusive", "check": "voltage", "twin_of": "a/b"}
errors = [error.message for error in validator.iter_errors(linked)]
comparison.true("links, observers, a floor and many devices are valid", not errors, str(errors)[:400])
comparison.end()
