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
}.items():
    bad = copy.deepcopy(good)
    change(bad)
    comparison.true(f"{what} is refused", not validator.is_valid(bad))
comparison.end()
