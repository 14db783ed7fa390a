"""Messages a platform has to refuse, each with the reason it has to give.

Every kind breaks one rule of the data format (or of the topics) and no other.
"""

import json

from peer.meter import INPUT, reading

U1 = "electricity.voltage.rms.l1"
GOOD = {U1: 230.1, "electricity.frequency": 50.01}
DATE = "2027-01-18T17:00:00.000Z"


def text(device, change):
    """A good message with one thing changed."""
    message = reading(device, 1, dict(GOOD), DATE)
    change(message)
    return json.dumps(message)


def at(path, value):
    """Puts a value at a path of keys; the key goes away if the value is `...`."""

    def change(message):
        *outer, last = path
        for key in outer:
            message = message[key]
        if value is ...:
            del message[last]
        else:
            message[last] = value

    return change


def alert(level):
    request = {"type": "cover.open", "level": level, "message": "open", "eventDate": DATE}
    return lambda device: json.dumps(
        {"hardwareId": device, "type": "DeviceAlert", "request": request}
    )


def changed(*path, value):
    return lambda device: text(device, at(path, value))


def good(device):
    return text(device, lambda message: None)


def answer(device):
    request = {"response": "ok", "originatingEventId": "0" * 24}
    return json.dumps({"hardwareId": device, "type": "Acknowledge", "request": request})


def nested(levels):
    value = "x"
    for _ in range(levels):
        value = [value]
    return value


def twice(device):
    return good(device).replace('"type"', '"type": "DeviceMeasurements", "type"', 1)


def twice_measured(device):
    return good(device).replace(f'"{U1}"', f'"{U1}": 230.1, "{U1}"', 1)


def raw_number(number):
    return lambda device: good(device).replace("230.1", number, 1)


# Name, reason, payload of a device, topic of a device (INPUT unless told).
FORMAT = [
    ("cut off", "not_json", lambda d: good(d)[:-1]),
    ("a comma too many", "not_json", lambda d: good(d).replace("}", ",}", 1)),
    ("nothing at all", "not_json", lambda d: ""),
    ("NaN, which is no JSON", "not_json", raw_number("NaN")),
    ("bytes that are no UTF-8", "not_utf8", lambda d: good(d).encode() + b"\xff\xfe"),
    ("something behind the message", "trailing_data", lambda d: good(d) + " {}"),
    ("a list", "not_an_object", lambda d: f"[{good(d)}]"),
    ("a number", "not_an_object", lambda d: "42"),
    ("deep nesting", "too_deep", changed("request", "x", value=nested(30))),
    ("a key twice", "duplicate_key", twice),
    ("an identifier twice", "duplicate_key", twice_measured),
    ("no hardwareId", "missing_field", changed("hardwareId", value=...)),
    ("an empty hardwareId", "missing_field", changed("hardwareId", value="")),
    ("no type", "missing_field", changed("type", value=...)),
    ("no request", "missing_field", changed("request", value=...)),
    ("no measurements", "missing_field", changed("request", "measurements", value=...)),
    ("a request that is text", "wrong_type", changed("request", value="x")),
    ("a hardwareId that is a number", "wrong_type", changed("hardwareId", value=7)),
    ("measurements as a list", "wrong_type", changed("request", "measurements", value=[1])),
    ("updateState as text", "wrong_type", changed("request", "updateState", value="true")),
    ("a date that is a number", "wrong_type", changed("request", "eventDate", value=1455126003)),
    ("a hardwareId with a slash", "bad_hardware_id", changed("hardwareId", value="a/b")),
    ("a hardwareId with a wildcard", "bad_hardware_id", changed("hardwareId", value="a+")),
    ("an unknown type", "unknown_type", changed("type", value="DeviceMeasurement")),
    ("empty measurements", "no_measurements", changed("request", "measurements", value={})),
    (
        "an identifier that is not in Table 2",
        "unknown_identifier",
        changed("request", "measurements", "electricity.voltage.rms.l4", value=230.0),
    ),
    (
        "an identifier in capitals",
        "unknown_identifier",
        changed("request", "measurements", U1.upper(), value=230.0),
    ),
    ("a value that is text", "not_a_number", changed("request", "measurements", U1, value="230")),
    ("a value that is null", "not_a_number", changed("request", "measurements", U1, value=None)),
    ("a value that is true", "not_a_number", changed("request", "measurements", U1, value=True)),
    ("a value beyond all numbers", "not_a_number", raw_number("1e999")),
    ("a value beyond all voltages", "implausible_value", raw_number("-2.3e30")),
    ("a date in words", "bad_date", changed("request", "eventDate", value="yesterday")),
    ("a date without offset", "bad_date", changed("request", "eventDate", value=DATE[:-1])),
    ("no such day", "bad_date", changed("request", "eventDate", value="2027-02-29T00:00:00Z")),
    ("an alert of a strange level", "bad_alert_level", alert("Fatal")),
    ("an alert level in small letters", "bad_alert_level", alert("warning")),
    ("metadata as text", "bad_metadata", changed("request", "metadata", value="x")),
    ("a number as serial", "bad_metadata", changed("request", "metadata", "serial", value=5)),
    ("a serial in words", "bad_metadata", changed("request", "metadata", "serial", value="five")),
    ("serial 0", "bad_metadata", changed("request", "metadata", "serial", value="0")),
    ("a negative epoch", "bad_metadata", changed("request", "metadata", "epoch", value="-1")),
    ("70 KiB", "too_large", changed("request", "metadata", "note", value="x" * 70 * 1024)),
]

OTHERS = [
    ("an answer to no command", "unknown_invocation", answer, INPUT),
    # A message of its own is no batch.
    ("a message as a batch", "unknown_type", good, "default/SiteWhere/input/jsonbatch"),
    ("a topic of another device", "hardware_id_mismatch", good, "default/device/other/input/json"),
    ("a topic for commands", "topic_not_allowed", good, "default/SiteWhere/commands/{device}"),
    ("a topic of another tenant", "topic_not_allowed", good, "other/SiteWhere/input/json"),
    ("a topic of nobody", "topic_not_allowed", good, "default/SiteWhere/input/xml"),
]

KINDS = [(name, reason, payload, INPUT) for name, reason, payload in FORMAT] + OTHERS

# From these no device can be read, or it is not believed.
NAMELESS = {
    "bytes that are no UTF-8",
    "nothing at all",
    "a list",
    "a number",
    "no hardwareId",
    "an empty hardwareId",
    "a hardwareId that is a number",
    "a hardwareId with a slash",
    "a hardwareId with a wildcard",
    "70 KiB",
    "a batch",
    "a topic for commands",
    "a topic of another tenant",
    "a topic of nobody",
}
