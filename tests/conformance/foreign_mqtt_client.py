"""A foreign MQTT client (paho) as a meter of `lastmeter serve`, in MQTT 3.1.1 and 5.

What is acknowledged has to come back over REST, also after a kill; what is refused has to be there
with its reason; commands have to arrive and be answered. REST by the standard library.
"""

import collections
import datetime
import json
import os
import queue
import tempfile
import time

from peer.bad_messages import KINDS, NAMELESS
from peer.bench import Comparison
from peer.meter import INPUT, LIMIT_S, VERSIONS, Meter, reading
from peer.platform import Platform

U1 = "electricity.voltage.rms.l1"
PACKET_LIMIT = 256 * 1024
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def instant_ns(text):
    """Nanoseconds since 1970 of a date that ends in Z, with any number of decimals."""
    assert text.endswith("Z"), text
    whole, _, fraction = text[:-1].partition(".")
    moment = datetime.datetime.fromisoformat(whole + "+00:00")
    return (moment - EPOCH) // datetime.timedelta(seconds=1) * 10**9 + int(
        (fraction + "0" * 9)[:9]
    )


def values(number):
    """Values of message `number`, none of which is a round number in binary."""
    return {
        U1: 230.0 + number / 7,
        "electricity.power.active.consumed.total": -number * 1.1e-3 + 0.1,
        "electricity.energy.active.consumed.total": 12345.678901234567 + number,
        "electricity.powerFactor.l1": 1 / (number + 3),
        "electricity.frequency": 50 + number * 1e-12,
    }


def stored_as(row):
    return (row["device"], row["epoch"], row["serial"])


def compare_rows(comparison, what, rows, sent):
    """Readings over REST against what was sent: the same keys once each, the same content."""
    keys = [stored_as(row) for row in rows]
    expected = {
        (m["hardwareId"], int(m["request"]["metadata"]["epoch"]), serial(m)): m for m in sent
    }
    counts = collections.Counter(keys)
    repeated = [key for key, count in counts.items() if count > 1]
    comparison.same(f"{what}: stored more than once", repeated, [])
    comparison.same(f"{what}: missing", sorted(expected.keys() - counts.keys()), [])
    comparison.same(f"{what}: not sent", sorted(counts.keys() - expected.keys()), [])
    off = [
        (stored_as(row), row["values"], expected[stored_as(row)]["request"]["measurements"])
        for row in rows
        if stored_as(row) in expected
        and row["values"] != expected[stored_as(row)]["request"]["measurements"]
    ]
    comparison.same(f"{what}: {len(rows)} readings, with other values", off, [])


def serial(message):
    return int(message["request"]["metadata"]["serial"])


def good_messages(comparison, version, platform):
    """Messages as in the data format come back as they were; the three date forms are one."""
    meter = Meter(platform, version, f"good-{version}")
    device = f"123-TEST-{version[5]}"
    dates = [
        "2016-02-10T19:40:03.391+02:00",
        "2016-02-10T12:40:03.391-0500",
        "2016-02-10T17:40:03.391Z",
    ]
    sent = [reading(device, n, values(n), dates[n % 3]) for n in range(1, 61)]
    before = len(platform.everything("readings"))
    codes = meter.await_acknowledged([meter.send(message) for message in sent])
    comparison.same(f"{version}: PUBACKs", set(codes), {(0, None)})
    rows = platform.await_rows("readings", before + len(sent))[before:]
    compare_rows(comparison, f"{version} good", rows, sent)
    instants = {instant_ns(row["event_time"]) for row in rows}
    # 2016-02-10T17:40:03Z, by `date -u -d @1455126003`.
    comparison.same(f"{version}: three date forms", instants, {1_455_126_003_391_000_000})
    fine = "2016-02-10T17:40:03.391123457Z"
    meter.await_acknowledged([meter.send(reading(device, 61, values(61), fine))])
    row = platform.await_rows("readings", before + 61)[-1]
    comparison.same(f"{version}: nanoseconds", row["event_time"], fine)
    status, _ = platform.ask(f"/sitewhere/api/devices/{device}")
    comparison.same(f"{version}: the device is known", status, 200)
    latest = platform.get(f"/sitewhere/api/devices/{device}/assignment")["state"]
    latest = {entry["name"]: entry["value"] for entry in latest["latestMeasurements"]}
    comparison.same(f"{version}: latest values", latest, values(61))
    meter.close()


def without_date(comparison, version, platform):
    """Without a date it is the moment at which the platform received it."""
    meter = Meter(platform, version, f"dateless-{version}")
    before = len(platform.everything("readings"))
    begin = time.time_ns()
    meter.await_acknowledged([meter.send(reading(f"dateless-{version[5]}", 1, values(1)))])
    end = time.time_ns()
    row = platform.await_rows("readings", before + 1)[-1]
    found = instant_ns(row["event_time"])
    comparison.true(
        f"{version}: no date is now", begin <= found <= end, f"{row['event_time']}"
    )
    meter.close()


def driven_clock(comparison, folder):
    """Under a driven clock it is where that stands; the call that moves it is a barrier."""
    platform = Platform(os.path.join(folder, "driven"), "--clock", "driven")
    to = "2027-01-18T17:00:05.000000001Z"
    answer = platform.get("/api/v1/clock/advance", {"to": to})
    comparison.same("driven: now", instant_ns(answer["now"]), instant_ns(to))
    for number, version in enumerate(VERSIONS, start=1):
        meter = Meter(platform, version, f"driven-{version}")
        sent = [reading(f"driven-{number}", n, values(n)) for n in range(1, 101)]
        meter.await_acknowledged([meter.send(message) for message in sent])
        answer = platform.get("/api/v1/clock/advance", {"to": to})
        # No waiting here: what was acknowledged before the call is committed after it.
        rows = platform.everything("readings")
        comparison.same(f"driven, {version}: committed", answer["committed"], 100 * number)
        rows = [row for row in rows if row["device"] == f"driven-{number}"]
        compare_rows(comparison, f"driven, {version}", rows, sent)
        instants = {instant_ns(row["event_time"]) for row in rows}
        comparison.same(f"driven, {version}: no date is now", instants, {instant_ns(to)})
        meter.close()
    back = {"to": "2027-01-18T17:00:05Z"}
    status, answer = platform.ask("/api/v1/clock/advance", back)
    comparison.true("driven: time does not go back", 400 <= status < 500, f"{status} {answer}")
    comparison.same("driven: exit code after SIGTERM", platform.stop(), 0)


def same_key(comparison, version, platform):
    """A repetition is taken silently, once; other content under the same key is refused."""
    meter = Meter(platform, version, f"repeats-{version}")
    device = f"repeats-{version[5]}"
    first = reading(device, 1, values(1), "2027-01-18T17:00:00Z")
    other = reading(device, 1, values(2), "2027-01-18T17:00:00Z")
    moved = reading(device, 1, values(1), "2027-01-18T17:00:01Z")
    again = reading(device, 1, values(1), "2027-01-18T19:00:00+02:00")
    next_epoch = reading(device, 1, values(2), "2027-01-18T17:00:00Z", epoch=2)
    before = len(platform.everything("readings"))
    refused = len(platform.everything("refusals"))
    numbers = [meter.send(m) for m in (first, first, again, other, moved, next_epoch, first)]
    meter.await_acknowledged(numbers)
    rows = platform.await_rows("refusals", refused + 2)[refused:]
    found = [(row["reason"], row["device"]) for row in rows]
    expected = [("conflicting_content", device)] * 2
    comparison.same(f"{version}: same key, other content", found, expected)
    rows = platform.await_rows("readings", before + 2)[before:]
    compare_rows(comparison, f"{version} repeated", rows, [first, next_epoch])
    # A meter without serial numbers: nothing tells a repetition, so each is stored.
    bare = reading(device, 1, values(3), "2027-01-18T17:00:02Z")
    del bare["request"]["metadata"]
    meter.await_acknowledged([meter.send(bare), meter.send(bare)])
    rows = platform.await_rows("readings", before + 4)[before + 2 :]
    found = [(row["epoch"], row["serial"], row["values"]) for row in rows]
    comparison.same(f"{version}: without serial", found, [(None, None, values(3))] * 2)
    meter.close()


def bad_between_good(comparison, version, platform):
    """200 bad messages between 200 good ones; gives both, with what the refusals have to say."""
    meter = Meter(platform, version, f"mixed-{version}")
    before = len(platform.everything("readings"))
    refused = len(platform.everything("refusals"))
    numbers, sent, expected = [], [], []
    for n in range(1, 201):
        device = f"mixed-{version[5]}-{n % 10}"
        message = reading(device, n, values(n), "2027-01-18T17:00:00.5Z")
        sent.append(message)
        numbers.append((meter.send(message), None))
        name, reason, payload, topic = KINDS[n % len(KINDS)]
        topic = topic.format(device=device)
        numbers.append((meter.send(payload(device), topic), reason))
        expected.append((reason, None if name in NAMELESS else device, topic))
    answers = meter.await_acknowledged([number for number, _ in numbers])
    wrong = [
        (reason, answer)
        for (_, reason), answer in zip(numbers, answers)
        if not acknowledged_right(meter.is_five, reason, answer)
    ]
    comparison.same(f"{version}: 400 PUBACKs, wrong ones", wrong, [])
    comparison.true(f"{version}: still connected", meter.losses.empty())
    meter.close()
    kinds = len({reason for reason, _, _ in expected})
    comparison.true(f"{version}: kinds of refusals", kinds >= 10, kinds)
    return before, refused, sent, expected


def acknowledged_right(is_five, reason, answer):
    """MQTT 5 tells a refusal in the PUBACK, 3.1.1 cannot."""
    if answer is None or not is_five or reason is None:
        return answer == (0, None)
    code = 0x87 if reason == "topic_not_allowed" else 0x83
    return answer == (code, reason)


def judge_mixed(comparison, what, platform, mixed):
    before, refused, sent, expected = mixed
    rows = platform.await_rows("readings", before + len(sent))[before:]
    compare_rows(comparison, f"{what} good between bad", rows, sent)
    rows = platform.await_rows("refusals", refused + len(expected))[refused:]
    found = collections.Counter((row["reason"], row["device"], row["topic"]) for row in rows)
    wanted = collections.Counter(expected)
    comparison.same(f"{what}: refusals missing", dict(wanted - found), {})
    comparison.same(f"{what}: refusals too many", dict(found - wanted), {})
    empty = [row for row in rows if not row["detail"]]
    comparison.same(f"{what}: {len(rows)} refusals, without detail", empty, [])


def killed(comparison, version, folder):
    """SIGKILL right after the last PUBACK: all of it is there, and repetitions change nothing."""
    data = os.path.join(folder, f"killed-{version[5]}")
    platform = Platform(data)
    mixed = bad_between_good(comparison, version, platform)
    platform.kill()
    platform = Platform(data)
    judge_mixed(comparison, f"{version} after SIGKILL", platform, mixed)
    _, _, sent, expected = mixed
    meter = Meter(platform, version, f"mixed-{version}")
    codes = meter.await_acknowledged([meter.send(message) for message in sent])
    comparison.same(f"{version}: repetitions are acknowledged", set(codes), {(0, None)})
    marker = reading("marker", 1, values(1), "2027-01-18T17:00:00Z")
    meter.await_acknowledged([meter.send(marker)])
    rows = platform.await_rows("readings", len(sent) + 1)
    compare_rows(comparison, f"{version} after repetition", rows, sent + [marker])
    refusals = len(platform.everything("refusals"))
    comparison.same(f"{version}: refusals after repetition", refusals, len(expected))
    meter.close()
    platform.kill()
    platform = Platform(data)
    compare_rows(
        comparison, f"{version} after a second SIGKILL", platform.everything("readings"),
        sent + [marker],
    )
    comparison.same(f"{version}: exit code after SIGTERM", platform.stop(), 0)


def killed_under_way(comparison, version, folder):
    """SIGKILL in mid-burst, twice; the client comes back by itself and repeats what it must."""
    data = os.path.join(folder, f"burst-{version[5]}")
    platform = Platform(data)
    meter = Meter(platform, version, f"burst-{version}")
    sent = [reading("burst", n, values(n), "2027-01-18T17:00:00Z") for n in range(1, 601)]
    numbers = []
    for stop_at in (150, 400):
        first = len(numbers)
        numbers += [meter.send(message) for message in sent[first : stop_at + 100]]
        meter.await_acknowledged(numbers[:stop_at])
        platform.kill()
        with meter.changed:
            acknowledged = [n for n, number in enumerate(numbers) if number in meter.acknowledged]
        platform = Platform(data, port=platform.port)
        rows = platform.everything("readings")
        there = {row["serial"] for row in rows}
        lost = [n + 1 for n in acknowledged if n + 1 not in there]
        label = f"{version}: killed with {len(acknowledged)} of {len(numbers)} acknowledged, lost"
        comparison.same(label, lost, [])
    numbers += [meter.send(message) for message in sent[len(numbers) :]]
    codes = meter.await_acknowledged(numbers)
    comparison.same(f"{version}: all are acknowledged in the end", set(codes), {(0, None)})
    rows = platform.await_rows("readings", len(sent))
    compare_rows(comparison, f"{version} through two kills", rows, sent)
    meter.close()
    platform.kill()


def over_the_limit(comparison, version, platform):
    """A packet above the limit ends the connection; the same client comes back and goes on."""
    meter = Meter(platform, version, f"large-{version}")
    device = f"large-{version[5]}"
    if meter.is_five:
        told = getattr(meter.greeting, "MaximumPacketSize", None)
        comparison.same(f"{version}: the limit is told", told, PACKET_LIMIT)
    before = len(platform.everything("readings"))
    refused = len(platform.everything("refusals"))
    sent = [reading(device, n, values(n), "2027-01-18T17:00:00Z") for n in range(1, 21)]
    codes = meter.await_acknowledged([meter.send(message) for message in sent[:10]])
    large = json.dumps(reading(device, 99, values(99), note="x" * (PACKET_LIMIT + 100)))
    # At QoS 0, because at QoS 1 this client would send it again after each reconnection.
    meter.client.publish(INPUT, large, qos=0)
    try:
        reason = meter.losses.get(timeout=LIMIT_S)
        meter.connections.get(timeout=LIMIT_S)
    except queue.Empty:
        reason = None
    comparison.true(f"{version}: disconnected", reason is not None, reason)
    codes += meter.await_acknowledged([meter.send(message) for message in sent[10:]])
    comparison.same(f"{version}: PUBACKs before and after", set(codes), {(0, None)})
    rows = platform.await_rows("readings", before + 20)[before:]
    compare_rows(comparison, f"{version} around a large packet", rows, sent)
    rows = platform.await_rows("refusals", refused + 1)[refused:]
    found = [row["reason"] for row in rows]
    comparison.same(f"{version}: the large packet", found, ["packet_too_large"])
    meter.close()


def strangers(comparison, version, platform):
    """Who has no right to be here is not let in, and who is in does not get everywhere."""
    for what, user, password in (
        ("a wrong password", "default", "guess"),
        ("an empty password", "default", ""),
        ("another user", "admin", "T0ken-for-the-test"),
        ("nobody", None, None),
    ):
        meter = Meter(platform, version, "stranger", user, password, connect=False)
        # 3.1.1 return codes 4 and 5 are shown by the client as these MQTT 5 codes.
        good = meter.connected.value in (0x86, 0x87)
        comparison.true(f"{version}: {what} is refused", good, meter.connected)
        meter.close()
    meter = Meter(platform, version, "listener")
    for topic in ("#", "+/SiteWhere/commands/x", "other/#", "$share/g/default/#"):
        code = meter.subscribe(topic)
        comparison.true(f"{version}: {topic} is not given", code.is_failure, code)
    meter.close()
    for token, expected in (("guess", 401), (None, 401)):
        status, _ = platform.ask("/api/v1/readings", token=token)
        comparison.same(f"{version}: REST with token {token}", status, expected)


def command(comparison, version, platform):
    """A command over REST arrives at its device alone; its answer ends it."""
    device = f"told-{version[5]}"
    meter = Meter(platform, version, f"told-{version}")
    other = Meter(platform, version, f"other-{version}")
    meter.await_acknowledged([meter.send(reading(device, 1, values(1)))])
    await_device(platform, device)
    codes = [
        meter.subscribe(f"default/SiteWhere/commands/{device}").value,
        other.subscribe("default/SiteWhere/commands/somebody-else").value,
    ]
    comparison.same(f"{version}: SUBACKs", codes, [1, 1])
    token = platform.get(f"/sitewhere/api/devices/{device}/assignment")["token"]
    path = f"/sitewhere/api/assignments/{token}/invocations"
    asked = {"commandToken": "setReportingPeriod", "parameterValues": {"seconds": "2.5"}}
    status, made = platform.ask(path, asked)
    comparison.same(f"{version}: invoked", (status, made.get("state")), (201, "Sent"))
    message = meter.received.get(timeout=LIMIT_S)
    comparison.same(f"{version}: topic", message.topic, f"default/SiteWhere/commands/{device}")
    told = json.loads(message.payload)["command"]
    comparison.same(f"{version}: command", told["command"]["name"], "setReportingPeriod")
    comparison.same(f"{version}: invocation", told["invocation"]["id"], made["id"])
    comparison.same(f"{version}: argument", told["parameters"], {"seconds": 2.5})
    states, thief = [], f"thief-{version[5]}"
    stranger = {"response": "mine", "originatingEventId": made["id"]}
    other.await_acknowledged(
        [other.send({"hardwareId": thief, "type": "Acknowledge", "request": stranger})]
    )
    states.append(platform.get(f"/sitewhere/api/invocations/{made['id']}")["state"])
    answer = {"response": "period is 2.5 s", "originatingEventId": made["id"], "updateState": False}
    meter.await_acknowledged(
        [meter.send({"hardwareId": device, "type": "Acknowledge", "request": answer})]
    )
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        found = platform.get(f"/sitewhere/api/invocations/{made['id']}")
        if found["state"] != "Sent":
            break
        time.sleep(0.05)
    states.append(found["state"])
    comparison.same(f"{version}: states", states, ["Sent", "Acknowledged"])
    comparison.same(f"{version}: status", found["status"], "Responded")
    comparison.same(f"{version}: response", found["response"], "period is 2.5 s")
    comparison.true(f"{version}: nobody else got it", other.received.empty())
    refusals = platform.everything("refusals")
    refusals = [row["reason"] for row in refusals if row["device"] == thief]
    comparison.same(f"{version}: another's answer", refusals, ["unknown_invocation"])
    for body, word in (
        ({"commandToken": "explode"}, "explode"),
        ({"commandToken": "setReportingPeriod"}, "seconds"),
        ({"commandToken": "setReportingPeriod", "parameterValues": {"seconds": "-1"}}, "seconds"),
    ):
        status, answer = platform.ask(path, body)
        good = 400 <= status < 500 and word in str(answer)
        comparison.true(f"{version}: {body} is refused", good, f"{status} {answer}")
    meter.close()
    other.close()


def await_device(platform, device):
    """A device is known once its first message is committed."""
    deadline = time.monotonic() + LIMIT_S
    while platform.ask(f"/sitewhere/api/devices/{device}")[0] != 200:
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)


def late_subscriber(comparison, version, platform):
    """A command for a device that is away waits for it."""
    device = f"away-{version[5]}"
    meter = Meter(platform, version, f"away-{version}")
    meter.await_acknowledged([meter.send(reading(device, 1, values(1)))])
    await_device(platform, device)
    token = platform.get(f"/sitewhere/api/devices/{device}/assignment")["token"]
    made = platform.get(
        f"/sitewhere/api/assignments/{token}/invocations",
        {"commandToken": "setReportingPeriod", "parameterValues": {"seconds": 5}},
    )
    comparison.same(f"{version}: nobody is there yet", made["state"], "Pending")
    meter.subscribe(f"default/SiteWhere/commands/{device}")
    told = json.loads(meter.received.get(timeout=LIMIT_S).payload)["command"]
    comparison.same(f"{version}: it waited", told["invocation"]["id"], made["id"])
    meter.close()


def live_topics(comparison, version, platform):
    """What is committed comes on the topics of live values, as it is over REST, and nothing else."""
    listener = Meter(platform, version, f"listener-{version}")
    code = listener.subscribe("default/live/#")
    comparison.same(f"{version}: live topics are open", code.value, 1)
    meter = Meter(platform, version, f"live-{version}")
    device = f"live-{version[5]}"
    sent = [reading(device, n, values(n), "2027-01-18T17:00:00Z") for n in range(1, 21)]
    before = len(platform.everything("readings"))
    meter.await_acknowledged([meter.send(message) for message in [*sent, sent[3]]])
    stored = platform.await_rows("readings", before + len(sent))[before:]
    heard = [listener.received.get(timeout=LIMIT_S) for _ in sent]
    topics = {message.topic for message in heard}
    comparison.same(f"{version}: live topic", topics, {f"default/live/device/{device}"})
    fields = ("device", "epoch", "serial", "event_time", "values")
    shown = [[json.loads(message.payload)[field] for field in fields] for message in heard]
    comparison.same(
        f"{version}: live values", shown, [[row[field] for field in fields] for row in stored]
    )
    comparison.true(f"{version}: a repetition is not shown", listener.received.empty())
    meter.close()
    listener.close()


if __name__ == "__main__":
    outcome = Comparison()
    with tempfile.TemporaryDirectory() as scratch:
        common = Platform(os.path.join(scratch, "common"))
        for mqtt_version in VERSIONS:
            good_messages(outcome, mqtt_version, common)
            without_date(outcome, mqtt_version, common)
            same_key(outcome, mqtt_version, common)
            judge_mixed(
                outcome, mqtt_version, common, bad_between_good(outcome, mqtt_version, common)
            )
            over_the_limit(outcome, mqtt_version, common)
            strangers(outcome, mqtt_version, common)
            command(outcome, mqtt_version, common)
            late_subscriber(outcome, mqtt_version, common)
            live_topics(outcome, mqtt_version, common)
            killed(outcome, mqtt_version, scratch)
            killed_under_way(outcome, mqtt_version, scratch)
        outcome.same("exit code after SIGTERM", common.stop(), 0)
        driven_clock(outcome, scratch)
    outcome.end()
