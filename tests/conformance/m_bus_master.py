"""A foreign M-Bus master (pyMeterBus) on a pseudo-terminal with simulated meters.

It reads each meter by its primary and by its secondary address, one with two telegrams, and finds twenty of
them, five of which have addresses that collide, by wildcards. What they answer has to be what a circuit
without variation gives: temperatures and flow as typed in, and energy as flow times time times the heat of
IF97, computed here.
"""

import contextlib
import json
import os
import subprocess
import time

import meterbus
import serial

from peer import water
from peer.bench import Comparison

FLOW_C, RETURN_C, FLOW_M3_PER_H, PRESSURE_MPA = 70.0, 40.0, 0.6, 1.6
PLANT = [
    'profile="steady"', f'flow_temperature="{FLOW_C} °C"', f'return_temperature="{RETURN_C} °C"', 'setback="0 K"',
    'temperature_variation="0 K"', f'peak_flow="{FLOW_M3_PER_H} m3/h"', 'flow_variation="0 %"',
]
SEARCH_LIMIT_S = 60
# What is not answered by then is not answered: there is no pace on this line.
PATIENCE_S = 0.03


@contextlib.contextmanager
def meters(model, count, *more):
    """Meters on a pseudo-terminal: their names and addresses, and an open line to them."""
    command = [os.environ["LASTMETER"], "device", model, "--on", "pty", "--count", str(count), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            ready = json.loads(process.stdout.readline())
            place = ready["lines"][0].split()[-1]
            with serial.Serial(place, 2400, timeout=PATIENCE_S) as line:
                yield ready["meters"], line
        finally:
            process.terminate()


def records(frame):
    """Unit and value of each record of a telegram."""
    return [(record["unit"], record["value"]) for record in (json.loads(one.to_JSON()) for one in frame.records)]


def received(line):
    data = meterbus.recv_frame(line, meterbus.FRAME_DATA_LENGTH)
    return meterbus.load(data) if data else data


def text_of(address):
    """The sixteen digits by which pyMeterBus selects `12345678-LMT-01-04`: manufacturer low byte first."""
    identification, letters, version, medium = address.split("-")
    code = 0
    for letter in letters:
        code = code * 32 + ord(letter) - 64
    return f"{identification}{code & 0xFF:02X}{code >> 8:02X}{version}{medium}"


def toggled(bit):
    """A request of class 2 to address 1 with this frame count bit."""
    frame = meterbus.TelegramShort()
    frame.header.cField.parts = [0x7B if bit else 0x5B]
    frame.header.aField.parts = [1]
    return frame


def select(line, mask):
    """Whether somebody, nobody (None) or several (False) acknowledge a selection."""
    line.reset_input_buffer()
    meterbus.send_select_frame(line, mask)
    answer = received(line)
    return isinstance(answer, meterbus.TelegramACK) if answer else answer


def asked(line):
    """The telegram of who is selected; False if it is garbled, None without any."""
    meterbus.send_request_frame(line, meterbus.ADDRESS_NETWORK_LAYER)
    return received(line)


def search(line, mask, place, found):
    """The search of pyMeterBus' own scan: one more digit wherever an answer is garbled."""
    for digit in "0123456789":
        trial = mask[:place] + digit + mask[place + 1:]
        answer = select(line, trial)
        if answer is None:
            continue
        telegram = asked(line) if answer else False
        if telegram:
            found.add(telegram.secondary_address)
        elif place < 7:
            search(line, trial, place + 1, found)


def compare_values(comparison, name, telegram, age_s):
    """Energy in Wh, temperatures, flow and power of a meter that has run for at most so long."""
    values = records(telegram)
    heat_wh = water.heat(FLOW_M3_PER_H, FLOW_C, RETURN_C, RETURN_C, PRESSURE_MPA) / 3600
    comparison.same(f"{name}: records", len(values), 6)
    by_unit = {}
    for unit, value in values:
        by_unit.setdefault(unit.rpartition(".")[2], []).append(float(value))
    comparison.same(f"{name}: temperatures", sorted(by_unit.get("C", [])), [RETURN_C, FLOW_C])
    energy, limit = by_unit["WH"][0], heat_wh * age_s / 3600
    comparison.true(f"{name}: energy", 0 <= energy <= limit + 100, f"{energy} Wh, at most {limit:.1f} Wh")
    power = by_unit["W"][0]
    comparison.true(f"{name}: power", abs(power - heat_wh) <= max(1, 2e-3 * heat_wh), f"{power} W, {heat_wh:.1f} W")
    flow = by_unit["M3_H"][0]
    comparison.true(f"{name}: flow", abs(flow - FLOW_M3_PER_H) <= 1e-4, f"{flow} m3/h")


def main():
    comparison = Comparison()
    plant = [word for key in PLANT for word in ("--plant", key)]
    measure = ["--set", 'measure_every="1 s"']
    begun = time.monotonic()
    with meters("m-bus-heat-meter", 20, "--collide", "5", *plant, *measure) as (listed, line):
        time.sleep(1.2)  # Nobody has measured anything before.
        for number, meter in enumerate(listed, 1):
            line.reset_input_buffer()
            meterbus.send_ping_frame(line, number)
            comparison.true(f"{meter['name']}: answers", bool(received(line)), "SND_NKE")
            meterbus.send_request_frame(line, number)
            telegram = received(line)
            comparison.true(f"{meter['name']}: primary address", bool(telegram), repr(telegram))
            compare_values(comparison, meter["name"], telegram, time.monotonic() - begun)
            comparison.true(f"{meter['name']}: selected", select(line, text_of(meter["address"])), meter["address"])
            telegram = asked(line)
            comparison.true(f"{meter['name']}: secondary address", bool(telegram), repr(telegram))
            comparison.same(f"{meter['name']}: address", telegram.secondary_address, text_of(meter["address"]))
        searched, found = time.monotonic(), set()
        search(line, "F" * 16, 0, found)
        took = time.monotonic() - searched
        comparison.same("search: found", sorted(found), sorted(text_of(meter["address"]) for meter in listed))
        comparison.true("search: in time", took < SEARCH_LIMIT_S, f"{took:.1f} s of {SEARCH_LIMIT_S} s")
    with meters("m-bus-heat-meter", 1, *plant, *measure, "--set", "multi_telegram=true") as (listed, line):
        time.sleep(1.2)
        meterbus.send_request_frame_multi(line, 1)
        telegram = received(line)
        comparison.true("first telegram", bool(telegram), repr(telegram))
        comparison.same("more records follow", telegram.more_records_follow, True)
        meterbus.send_request_frame_multi(line, 1, req=toggled(False))
        again = received(line)
        comparison.same("second telegram: the last one", again.more_records_follow, False)
        comparison.same("second telegram: records", len(records(again)), 6)
        comparison.true("next request: another access number", again.body.bodyHeader.acc_nr_field.parts !=
                        telegram.body.bodyHeader.acc_nr_field.parts, "frame count bit toggled")
        meterbus.send_request_frame_multi(line, 1, req=toggled(False))
        repeated = received(line)
        comparison.same("repeated request: the same access number", repeated.body.bodyHeader.acc_nr_field.parts,
                        again.body.bodyHeader.acc_nr_field.parts)
    with meters("m-bus-water-meter", 1, *measure) as (listed, line):
        time.sleep(1.2)
        meterbus.send_request_frame(line, 1)
        telegram = received(line)
        comparison.true("water meter: read", bool(telegram), repr(telegram))
        comparison.same("water meter: records", len(records(telegram)), 2)
    comparison.end()


if __name__ == "__main__":
    main()
