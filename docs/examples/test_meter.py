"""Tests of a meter by pytest: `pytest docs/examples`, with the package of `python/` installed."""

import pytest

SCENARIO = "../../scenarios/library/voltage-by-power-factor.toml"


def test_the_meter_keeps_its_class_at_all_corners(lastmeter_run):
    suite = lastmeter_run(SCENARIO)
    assert suite.passed


@pytest.mark.parametrize("voltage", ["207 V", "253 V"])
def test_no_reading_is_off_by_more_than_a_fifth_of_a_volt(lastmeter_run, voltage):
    values = {"source.mains.voltage": voltage, "device.meter.voltage_gain_error": "0.05 %"}
    run = lastmeter_run(SCENARIO, set=values, filter="*/power_factor=0.5+seed=1")
    seen = run.observations.query("quantity.str.startswith('electricity.voltage.rms')")
    assert (seen.reported - seen.reference).abs().max() < 0.2
