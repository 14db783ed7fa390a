"""Scenarios whose M-Bus line is real, with somebody else at its other end.

A master by pyMeterBus opens the bench's pseudo-terminal, reads the simulated meters and sends what it reads to
the platform; slaves that answer captured telegrams stand behind a TCP port and are read by the concentrator.
The bench has to find each scenario passed, each twin failed by its check, and a line that nobody is at wrong.
"""

import datetime
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time

import meterbus
import serial

from peer.bench import Comparison
from peer.meter import Meter, reading
from peer.platform import TOKEN, Platform
from peer.under_way import Run

FOLDER = "scenarios/foreign"
FRAMES = os.path.join(os.environ.get("LASTMETER_FRAMES", ""), "mbus")
SLAVES = ["kamstrup_multical_601", "sen_pollucom_e"]
POLL_S, DURATION_S, METERS = 4.0, 16.0, 3
# pyMeterBus takes an answer for whole when nothing more has come for so long.
PATIENCE_S = 0.1


def verdicts(folder):
    """Verdict by check."""
    with open(os.path.join(folder, "verdicts.json"), encoding="utf-8") as file:
        return {row["check"]: row["status"] for row in json.load(file)}


def judged(comparison, run, folder, failed, open_ones=()):
    """All checks pass but those that are to fail, or to stay open."""
    code, said = run.end()
    name = os.path.basename(folder)
    if not os.path.exists(os.path.join(folder, "verdicts.json")):
        comparison.true(f"{name}: a verdict", False, said[-800:])
        return
    found = verdicts(folder)
    words = dict.fromkeys(failed, "fail") | dict.fromkeys(open_ones, "inconclusive")
    expected = {check: words.get(check, "pass") for check in found}
    comparison.same(f"{name}: verdicts", found, expected)
    # A twin that fails as it must is a pass.
    comparison.same(f"{name}: exit code", code, 1 if failed and not run.twin else 0)


# --- a foreign master -------------------------------------------------------------------------------------------

# What the platform calls what a record is, and how many of the record's units are one of the platform's.
KINDS = {
    "ENERGY_WH": ("heating.energy", 1e6), "POWER_W": ("heating.power", 1e6), "VOLUME": ("heating.volume", 1.0),
    "VOLUME_FLOW": ("heating.flowrate", 1.0), "FLOW_TEMPERATURE": ("heating.temp.primary.inlet", 1.0),
    "RETURN_TEMPERATURE": ("heating.temp.primary.outlet", 1.0),
}


def telegram_values(telegram):
    """The values of a telegram, by the identifiers of the platform."""
    records = [json.loads(record.to_JSON()) for record in telegram.records]
    of = [(*KINDS[record["type"].removeprefix("VIFUnit.")], float(record["value"])) for record in records]
    return {name: value / units for name, units, value in of}


def master(comparison, name, failed, stops=None):
    """Reads the meters each four seconds from the start that it sets on; `stops`: after so many polls."""
    with tempfile.TemporaryDirectory() as folder:
        path = lambda part: os.path.join(folder, part)
        platform = Platform(path("data"))
        with open(path("profile.toml"), "w", encoding="utf-8") as file:
            file.write(f'mqtt = "{platform.ready["mqtt"]}"\nrest = "{platform.rest}"\ntoken = "{TOKEN}"\n')
        out = path(os.path.basename(name))
        run = Run(FOLDER, name, "--platform", path("profile.toml"), "--out", out, "--format", "json",
                  "--set", f"network.line.line=pty:{path('line')}")
        while not os.path.exists(path("line")) and run.process.poll() is None:
            time.sleep(0.01)
        meter = Meter(platform, "MQTT 5", "foreign-master")
        # The bench waits for somebody to open the line, and says when it begins.
        with serial.Serial(path("line"), 2400, timeout=PATIENCE_S) as line:
            start, begin = run.schedule()
            for poll in range(1, int(DURATION_S / POLL_S)):
                if stops is not None and poll > stops:
                    break
                time.sleep(max(0.0, begin + poll * POLL_S + 0.2 - time.monotonic()))
                for number in range(1, METERS + 1):
                    line.reset_input_buffer()
                    # It does not turn the frame count bit: without a reset its meters would answer as before.
                    meterbus.send_ping_frame(line, number)
                    meterbus.recv_frame(line, 1)
                    meterbus.send_request_frame(line, number)
                    data = meterbus.recv_frame(line, meterbus.FRAME_DATA_LENGTH)
                    if not data:
                        continue
                    now = start + datetime.timedelta(seconds=time.monotonic() - begin)
                    date = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
                    meter.send(reading(f"heat-{number}", poll, telegram_values(meterbus.load(data)), date))
            judged(comparison, run, out, failed)
        meter.close()
        platform.stop()


# --- foreign slaves ---------------------------------------------------------------------------------------------

class Slave:
    """A meter that answers its captured telegram, with a new access number each time."""

    def __init__(self, name):
        with open(os.path.join(FRAMES, f"{name}.hex"), encoding="ascii") as file:
            self.frame = bytearray.fromhex(re.sub(r"\s+", "", file.read()))
        # Where more telegrams follow, only the first one was captured: it is the last one here.
        self.frame[-3] = {0x1F: 0x0F}.get(self.frame[-3], self.frame[-3])
        self.address = bytes(self.frame[7:15])
        self.selected, self.bit, self.count = False, None, self.frame[15]

    def answer(self, control, address, data):
        if control in (0x53, 0x73) and data[:1] in (b"\x52", b"\x56"):
            wanted, own = data[1:9].hex(), self.address.hex()
            self.selected = all(a in ("f", b) for a, b in zip(wanted, own))
            self.bit = None
            return b"\xe5" if self.selected else b""
        if control == 0x40:
            self.selected = self.selected and address != 0xFD
            return b""
        if control in (0x5B, 0x7B) and address == 0xFD and self.selected:
            if self.bit != control:
                self.bit, self.count = control, (self.count + 1) % 256
            telegram = self.frame.copy()
            telegram[15] = self.count
            telegram[-2] = sum(telegram[4:-2]) % 256
            return bytes(telegram)
        return b""


def requests(buffer):
    """Takes whole requests out of what has arrived: control, address and data of each."""
    while buffer:
        if buffer[0] == 0x10 and len(buffer) >= 5:
            yield buffer[1], buffer[2], b""
            del buffer[:5]
        elif buffer[0] == 0x68 and len(buffer) >= 2 and len(buffer) >= buffer[1] + 6:
            length = buffer[1]
            yield buffer[4], buffer[5], bytes(buffer[6:4 + length])
            del buffer[:length + 6]
        elif buffer[0] in (0x10, 0x68):
            return
        else:
            del buffer[0]


def play(listener, slaves):
    """Answers whoever connects."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = bytearray()
        while data := connection.recv(512):
            buffer += data
            for control, address, content in requests(buffer):
                answer = b"".join(slave.answer(control, address, content) for slave in slaves)
                if answer:
                    connection.sendall(answer)


def slaves(comparison, name, failed, answering=SLAVES, open_ones=()):
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=play, args=(listener, [Slave(name) for name in answering]), daemon=True).start()
        out = os.path.join(folder, os.path.basename(name))
        line = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        run = Run(FOLDER, name, "--out", out, "--set", f"network.line.line={line}")
        judged(comparison, run, out, failed, open_ones)


def main():
    if not os.path.isdir(FRAMES):
        print("LASTMETER_FRAMES names no folder with captured frames")
        sys.exit(77)
    comparison = Comparison()
    slaves(comparison, "m-bus-foreign-slaves", [])
    slaves(comparison, "m-bus-foreign-slaves/m-bus-foreign-slaves-wrong", ["temperatures"])
    slaves(comparison, "m-bus-foreign-slaves", ["readings-once"], SLAVES[:1], ["temperatures", "unjudged-alerts"])
    master(comparison, "m-bus-foreign-master", [])
    master(comparison, "m-bus-foreign-master/m-bus-foreign-master-sensor", ["temperatures"])
    master(comparison, "m-bus-foreign-master", ["readings-once"], stops=2)
    comparison.end()


if __name__ == "__main__":
    main()
