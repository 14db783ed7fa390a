"""tshark's reading of a capture with one relayed ZigBee frame of each kind, field by field.

The example `capture` of lastmeter-zigbee writes the capture and prints what it was given, before anything was
encoded. What tshark has to show for it is worked out here: codes of types, patterns for no value, bytes of the
manufacturer's own commands. The names that tshark has for attributes and status codes are held to our tables, and
frames with a changed bit have to be seen as damaged.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

from peer.bench import Comparison, example

# Types as ZCL codes them: code, field of tshark, value that stands for none.
TYPES = {
    "Bool": (0x10, "boolean", 0xFF),
    "Map8": (0x18, "bitmap8", None),
    "Map16": (0x19, "bitmap16", None),
    "Map32": (0x1B, "bitmap32", None),
    "U8": (0x20, "uint8", 0xFF),
    "U16": (0x21, "uint16", 0xFFFF),
    "U24": (0x22, "uint24", 0xFFFFFF),
    "U32": (0x23, "uint32", 0xFFFFFFFF),
    "U48": (0x25, "uint48", 0xFFFFFFFFFFFF),
    "I8": (0x28, "int8", -0x80),
    "I16": (0x29, "int16", -0x8000),
    "I24": (0x2A, "int24", -0x800000),
    "I32": (0x2B, "int32", -0x80000000),
    "Enum8": (0x30, "uint8", 0xFF),
    "Enum16": (0x31, "uint16", 0xFFFF),
    "Octets": (0x41, "ostr", None),
    "Text": (0x42, "str", None),
    "Utc": (0xE2, "utc", 0xFFFFFFFF),
}
# Clusters: the field with the identifiers of their attributes.
CLUSTERS = {
    0x0000: "zbee_zcl_general.basic.attr_id",
    0x0001: "zbee_zcl_general.power_config.attr_id",
    0x0006: "zbee_zcl_general.onoff.attr_id",
    0x0019: "zbee_zcl_general.ota.attr_id",
    0x0402: "zbee_zcl_meas_sensing.tempmeas.attr_idd",  # So spelled there.
    0x0500: "zbee_zcl_ias.zone.attr_id",
    0x0702: "zbee_zcl_se.met.attr_id",
    0x0B04: "zbee_zcl_meas_sensing.elecmes.attr_id",
}
# Attributes with a field of their own.
OWN = {
    (0x0000, 0x0007): "zbee_zcl_general.basic.attr.pwr_src",
    (0x0006, 0x0000): "zbee_zcl_general.onoff.attr.onoff",
    (0x0006, 0x4003): "zbee_zcl_general.onoff.attr.startuponoff",
    (0x0402, 0x0000): "zbee_zcl_meas_sensing.tempmeas.attr.value",
    (0x0500, 0x0002): "zbee_zcl_ias.zone.status",
}
OTA = "zbee_zcl_general.ota."
BROADCAST, LISTENING = 0xFFFF, 0xFFFD
FILE_HEADER, RECORD_HEADER = 24, 16


def crc16(data):
    """The frame check sequence of IEEE 802.15.4, bit by bit."""
    crc = 0
    for byte in data:
        for bit in range(8):
            carry = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (0x8408 if carry else 0)
    return crc


class Fields(dict):
    """Fields of a frame, each with its values in order."""

    def add(self, field, *values):
        self.setdefault(field, []).extend(values)


def outer(fields, row, number, has_check):
    """Medium access, network and application support."""
    relay = row["relay"]
    node, up, announces = relay["node"], relay["up"], row["kind"] == "announce"
    source = node if up else 0
    to = LISTENING if announces else 0 if up else node
    fields.add("wpan.frame_type", 1)
    fields.add("wpan.dst_pan", relay["pan"])
    fields.add("wpan.seq_no", number)
    fields.add("wpan.src16", source)
    fields.add("wpan.dst16", BROADCAST if announces else to)
    fields.add("wpan.ack_request", int(not announces))
    # Without a check sequence tshark takes it for good, and shows none.
    fields.add(*(("wpan.fcs_ok", 1) if has_check else ("wpan.fcs",)))
    fields.add("zbee_nwk.frame_type", 0)
    fields.add("zbee_nwk.proto_version", 2)
    fields.add("zbee_nwk.security", 0)
    fields.add("zbee_nwk.src", source)
    fields.add("zbee_nwk.dst", to)
    fields.add("zbee_nwk.seqno", number)
    fields.add("zbee_nwk.src64", *([relay["eui64"]] if up else []))
    fields.add("zbee_nwk.dst64", *([] if up else [relay["eui64"]]))
    fields.add("zbee_aps.type", 0)
    fields.add("zbee_aps.delivery", 2 if announces else 0)
    fields.add("zbee_aps.security", 0)
    fields.add("zbee_aps.src", relay["source_endpoint"])
    fields.add("zbee_aps.dst", relay["destination_endpoint"])
    fields.add("zbee_aps.profile", relay["profile"])
    fields.add("zbee_aps.zdp_cluster" if relay["profile"] == 0 else "zbee_aps.cluster", relay["cluster"])
    fields.add("zbee_aps.counter", relay["aps_counter"])
    fields.add("frame.time_epoch", relay["time_ms"] / 1000)
    fields.add("_ws.malformed")
    fields.add("_ws.expert.message")


def attributes(fields, cluster, rows):
    """Records of attributes, with or without status, value and reporting."""
    for row in rows:
        fields.add(CLUSTERS[cluster], row["id"])
        if "status" in row:
            fields.add("zbee_zcl.attr.status", row["status"])
        if "min_s" in row:
            fields.add("zbee_zcl.attr.minint", row["min_s"])
            fields.add("zbee_zcl.attr.maxint", row["max_s"])
            fields.add("zbee_zcl.attr.dir", 0)
        if "type" not in row:
            continue
        code, name, none = TYPES[row["type"]]
        fields.add("zbee_zcl.attr.data.type", code)
        value = row.get("change", row.get("value"))
        if "value" in row or "change" in row:
            fields.add(OWN.get((cluster, row["id"]), f"zbee_zcl.attr.{name}"), none if value is None else value)
            if (cluster, row["id"]) == (0x0500, 0x0002):
                zone_bits(fields, value)


def zone_bits(fields, status):
    """Bits of a zone's status that a door contact has."""
    fields.add("zbee_zcl_ias.zone.status.alarm_1", status & 1)
    fields.add("zbee_zcl_ias.zone.status.battery", status >> 3 & 1)


def global_command(fields, row):
    """Reading, writing, reporting and their answers."""
    kind, content, cluster = row["kind"], row["content"], row["relay"]["cluster"]
    fields.add("zbee_zcl.cmd.id", row["command"])
    if kind == "default response":
        fields.add("zbee_zcl.cmd.id.rsp", content["command"])
        fields.add("zbee_zcl.attr.status", content["status"])
    elif kind == "read":
        fields.add(CLUSTERS[cluster], *content)
    else:
        attributes(fields, cluster, content)
        if kind == "configure reporting response":
            fields.add("zbee_zcl.attr.dir", *[0 for _ in content])


def image(fields, row):
    """Commands of OTA Upgrade."""
    content = dict(row["content"])
    fields.add(OTA + ("cmd.srv_tx.id" if row["to_client"] else "cmd.srv_rx.id"), row["command"])
    of_image = content.pop("image", {})
    names = {
        "manufacturer": "manufacturer_code", "image_type": "image.type", "version": "file.version", "hardware": "hw_ver",
        "status": "status", "size": "image.size", "offset": "file.offset", "size_max": "max_data_size",
        "min_block_period": "min_block_period", "now_s": "current_time", "upgrade_at_s": "upgrade_time",
    }
    if "data" in content:
        data = bytes(content.pop("data"))
        fields.add(OTA + "data_size", len(data))
        fields.add(OTA + "image.data", data.hex())
    if "node" in content:
        fields.add(OTA + "ieee_addr", int(content.pop("node").replace(":", ""), 16))
    for key, value in {**of_image, **content}.items():
        fields.add(OTA + names[key], value)


def own_bytes(row):
    """The payload of a manufacturer's command."""
    content = row["content"]
    if row["kind"] == "waveform":
        samples = content["samples"]
        head = struct.pack("<HHHB", content["capture"], content["rate_hz"], content["offset"], len(samples))
        return head + struct.pack(f"<{len(samples)}h", *samples)
    data = struct.pack("<BIi", content["channel"], content["gain"], content["offset"])
    return data + struct.pack("<H", crc16(data))


def announcement(fields, row):
    """Frames of profile 0."""
    fields.add("zbee_zdp.seqno", row["sequence"])
    if row["kind"] == "leave response":
        fields.add("zbee_zdp.status", row["status"])
        return
    fields.add("zbee_zdp.ext_addr", row["eui64"])
    if row["kind"] == "leave":
        fields.add("zbee_zdp.leave.rejoin", int(row["rejoin"]))
        fields.add("zbee_zdp.leave.children", int(row["children"]))
        return
    fields.add("zbee_zdp.nwk_addr", row["short"])
    for field, key in (("ffd", "router"), ("power", "mains"), ("idle_rx", "listens")):
        fields.add(f"zbee_zdp.cinfo.{field}", int(row[key]))


def expected(row, number, has_check):
    """What tshark has to show of a frame."""
    fields = Fields()
    outer(fields, row, number, has_check)
    if row["relay"]["profile"] == 0:
        announcement(fields, row)
        return fields
    kind = row["kind"]
    is_cluster = kind in ("on/off", "zone status", "waveform", "calibration", "image")
    fields.add("zbee_zcl.type", int(is_cluster))
    fields.add("zbee_zcl.dir", int(row["to_client"]))
    fields.add("zbee_zcl.ddr", int(row["disable_default_response"]))
    fields.add("zbee_zcl.cmd.tsn", row["sequence"])
    fields.add("zbee_zcl.cmd.mc", *([] if row["manufacturer"] is None else [row["manufacturer"]]))
    if not is_cluster:
        global_command(fields, row)
    elif kind == "on/off":
        fields.add("zbee_zcl_general.onoff.cmd.srv_rx.id", row["command"])
    elif kind == "zone status":
        fields.add("zbee_zcl_ias.zone.cmd.srv_tx.id", row["command"])
        fields.add("zbee_zcl_ias.zone.status", row["content"]["status"])
        zone_bits(fields, row["content"]["status"])
        fields.add("zbee_zcl_ias.zone.zone_id", row["content"]["zone"])
        fields.add("zbee_zcl_ias.zone.delay", row["content"]["delay_quarter_s"])
    elif kind == "image":
        image(fields, row)
    else:
        fields.add("zbee_zcl.cs.cmd.id", row["command"])
        fields.add("data.data", own_bytes(row).hex())
    return fields


def tshark(path, fields):
    """The values of these fields, of each frame."""
    options = ["-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|"]
    command = ["tshark", "-n", "-r", path, "-T", "fields", *options]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"tshark: exit {done.returncode}\n{done.stderr}")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return [{name: [one for one in cell.split("|") if one] for name, cell in zip(fields, line)} for line in lines]


def as_given(text, value):
    """A text of tshark as the type of what is expected."""
    if isinstance(value, str):
        return text.replace(":", "") if re.fullmatch(r"[0-9a-f]{16,}", value) else text
    if isinstance(value, float):
        return float(text)
    if text in ("True", "False"):
        return int(text == "True")
    try:
        return int(text, 0)
    except ValueError:
        return text


def compare(comparison, folder, program, has_check):
    """One capture, all frames, all fields; its path and the rows that describe it."""
    path = os.path.join(folder, "checked.pcap" if has_check else "unchecked.pcap")
    command = [program, path, *([] if has_check else ["no-check"])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    table, *rows = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = [expected(row, number, has_check) for number, row in enumerate(rows)]
    fields = sorted({field for one in wanted for field in one})
    shown = tshark(path, fields)
    comparison.same(f"{os.path.basename(path)}: frames", len(shown), len(rows))
    for number, (row, want, found) in enumerate(zip(rows, wanted, shown), 1):
        for field in fields:
            values = want.get(field, [])
            read = [as_given(text, values[min(at, len(values) - 1)] if values else 0)
                    for at, text in enumerate(found[field])]
            # A field that is neither expected nor there is no comparison, but where it must not be.
            if field in want or read:
                comparison.same(f"{number} {row['kind']}: {field}", read, values)
    return path, table, rows


def plain(name):
    """A name without what tables write differently."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("software", "sw").removeprefix("ota "))


def tables(comparison, table):
    """Names and codes of ours beside those of tshark."""
    done = subprocess.run(["tshark", "-G", "values"], capture_output=True, text=True, check=True)
    names = {}
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        if cells[0] == "V" and cells[1].startswith("zbee_"):
            names.setdefault(cells[1], {})[int(cells[2], 0)] = cells[3]
    for row in table["attributes"]:
        there = names[CLUSTERS[row["cluster"]]].get(row["id"], "")
        comparison.same(f"attribute {row['cluster']:04X}/{row['id']:04X}", plain(row["name"]), plain(there))
    for code, name in table["statuses"]:
        there = names["zbee_zcl.attr.status"].get(code, "")
        comparison.same(f"status {code:02X}", plain(name), plain(there))
    kinds = names["zbee_zcl.attr.data.type"]
    for name, code in table["types"]:
        comparison.same(f"type {name}: code", code, TYPES[name][0])
        comparison.true(f"type {name}: there", code in kinds, kinds.get(code, "absent"))
    comparison.same("types that are listed", {name for name, _ in table["types"]}, set(TYPES))


def damaged(comparison, path):
    """A changed bit in each frame is seen by tshark: its judgement of checks is one."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    at, count = FILE_HEADER, 0
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        data[at + RECORD_HEADER + length // 2] ^= 1 << count % 8
        at, count = at + RECORD_HEADER + length, count + 1
    changed = path + ".damaged"
    with open(changed, "wb") as file:
        file.write(data)
    shown = tshark(changed, ["wpan.fcs_ok"])
    seen = sum(as_given((one["wpan.fcs_ok"] or ["1"])[0], 0) == 0 for one in shown)
    comparison.same("damaged frames that are seen", seen, count)


def main():
    if not shutil.which("tshark"):
        print("tshark is not installed (tests/setup tshark)")
        sys.exit(77)
    program = example("capture")
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        path, table, rows = compare(comparison, folder, program, True)
        compare(comparison, folder, program, False)
        tables(comparison, table)
        damaged(comparison, path)
        comparison.true("kinds of frames", len({row["kind"] for row in rows}) >= 16, len({row["kind"] for row in rows}))
    comparison.end()


if __name__ == "__main__":
    main()
