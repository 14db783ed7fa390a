//! Heat and water meters: what they report of drawn states, by closed formulas.

use std::collections::BTreeMap;

use lastmeter_devices::{Device, DeviceFault, Input, Output};
use lastmeter_sim::{HeatState, PipeState, ReferenceSpan, WaterState};
use lastmeter_units::{SimDuration, SimTime};

use super::support::{START, meter, readings, values};

fn s(seconds: i64) -> SimDuration {
    SimDuration::from_seconds(seconds)
}

fn heat(flow: f64, back: f64, litres_per_hour: f64) -> PipeState {
    PipeState::Heat(HeatState {
        flow_celsius: flow,
        return_celsius: back,
        volume_flow_m3_per_s: litres_per_hour / 3.6e6,
    })
}

fn water(litres_per_hour: f64) -> PipeState {
    PipeState::Water(WaterState { volume_flow_m3_per_s: litres_per_hour / 3.6e6 })
}

/// A connected meter.
fn connected(model: &str, toml: &str) -> Box<dyn Device> {
    let mut device = meter(model, toml, 0);
    device.step(START, Input::Connected, &mut Vec::new());
    device
}

/// Lets states pass one after another, each up to an instant, in pieces of at most so many seconds.
fn run(device: &mut dyn Device, states: &[(i64, PipeState)], piece_s: i64) -> Vec<Output> {
    let (mut at, mut out) = (0, Vec::new());
    for &(end, state) in states {
        while at < end {
            at = end.min(at + piece_s);
            let until = s(at);
            device.step(START + until, Input::Pipe { until, state }, &mut out);
        }
    }
    out
}

/// The last reading's values after these states.
fn last(model: &str, toml: &str, states: &[(i64, PipeState)]) -> BTreeMap<&'static str, f64> {
    let out = run(connected(model, toml).as_mut(), states, 3600);
    values(readings(&out).last().expect("a reading"))
}

fn near(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} for {expected}");
}

/// k = 1.152 370 534 kWh/(m3 K) at 16 bar between 70 and 40 degrees Celsius (iapws 1.5.5): 600 l/h
/// for an hour across 30 K are 20.742 670 kWh.
const HOUR_KWH: f64 = 1.152_370_534_426 * 0.6 * 30.0;
const FINE: &str = "energy_resolution = \"0 J\"\nvolume_resolution = \"0 l\"\n\
                    temperature_resolution = \"0 K\"\nreport_every = \"30 min\"\n";

#[test]
fn without_errors_a_heat_meter_reports_what_flowed() {
    let states = [(1800, heat(70.0, 40.0, 300.0)), (3600, heat(70.0, 40.0, 900.0))];
    let found = last("heat-meter", FINE, &states);
    let names: Vec<&str> = found.keys().copied().collect();
    assert_eq!(
        names,
        [
            "heating.energy",
            "heating.flowrate",
            "heating.power",
            "heating.temp.primary.inlet",
            "heating.temp.primary.outlet",
            "heating.volume",
        ]
    );
    // The units of messages are MWh, MW, m3 and m3/h.
    near(found["heating.energy"], HOUR_KWH / 1e3, 1e-7);
    near(found["heating.power"], 1.5 * HOUR_KWH / 1e3, 1e-7);
    near(found["heating.volume"], 0.6, 1e-12);
    near(found["heating.flowrate"], 0.9, 1e-12);
    assert_eq!(found["heating.temp.primary.inlet"], 70.0);
    assert_eq!(found["heating.temp.primary.outlet"], 40.0);
}

#[test]
fn each_planted_error_acts_where_it_belongs() {
    let states = [(3600, heat(70.0, 40.0, 600.0))];
    let with = |text: &str| last("heat-meter", &format!("{FINE}{text}"), &states);
    let flow = with("flow_error = \"3 %\"");
    near(flow["heating.energy"], 1.03 * HOUR_KWH / 1e3, 1e-7);
    near(flow["heating.volume"], 1.03 * 0.6, 1e-12);
    let calculator = with("calculator_error = \"-1 %\"");
    near(calculator["heating.energy"], 0.99 * HOUR_KWH / 1e3, 1e-7);
    near(calculator["heating.volume"], 0.6, 1e-12);
    // Half a kelvin of thirty, and the specific volume at 40.5: within 0.1 % of the energy.
    let back = with("return_temperature_offset = \"0.5 K\"");
    assert_eq!(back["heating.temp.primary.outlet"], 40.5);
    near(back["heating.energy"], HOUR_KWH / 1e3 * 29.5 / 30.0, 1e-3);
    // k = 1.135 609 507 with the sensor in the flow pipe.
    let swapped = with("flow_sensor = \"flow\"");
    near(swapped["heating.energy"], 1.135_609_506_739 * 18.0 / 1e3, 1e-7);
    // What cools is not counted.
    let cooling = [(3600, heat(20.0, 25.0, 600.0))];
    assert_eq!(last("heat-meter", FINE, &cooling)["heating.energy"], 0.0);
}

#[test]
fn registers_count_in_steps_and_temperatures_are_rounded() {
    let states = [(3600, heat(70.006, 39.994, 600.0))];
    let text = "energy_resolution = \"1 kWh\"\nvolume_resolution = \"100 l\"\n\
                report_every = \"1 h\"\ntemperature_resolution = \"0.01 K\"";
    let found = last("heat-meter", text, &states);
    // 20.75 kWh and 0.6 m3.
    near(found["heating.energy"], 0.020, 1e-12);
    assert!((found["heating.volume"] - 0.6).abs() <= 0.1 + 1e-12);
    near(found["heating.temp.primary.inlet"], 70.01, 1e-12);
    near(found["heating.temp.primary.outlet"], 39.99, 1e-12);
}

#[test]
fn a_water_meter_has_an_error_for_each_flow() {
    let text = "flow_error = \"2 %\"\nlow_flow_error = \"-5 %\"\ntransitional_flow = \"100 l/h\"\n\
                starting_flow = \"20 l/h\"\nvolume_resolution = \"0 l\"\nreport_every = \"1 h\"";
    for (litres_per_hour, factor) in
        [(19.9, 0.0), (20.0, 0.95), (99.0, 0.95), (100.0, 1.02), (500.0, 1.02)]
    {
        let found = last("water-meter", text, &[(3600, water(litres_per_hour))]);
        near(found["water.volume"], factor * litres_per_hour / 1e3, 1e-12);
        near(found["water.flowrate"], factor * litres_per_hour / 1e3, 1e-12);
    }
}

#[test]
fn spans_follow_each_other_and_no_cut_changes_a_byte() {
    let states = [
        (700, heat(70.1, 40.3, 333.3)),
        (1000, heat(69.7, 41.1, 0.0)),
        (3000, heat(71.3, 39.9, 777.7)),
    ];
    let text = "report_every = \"300 s\"";
    let whole = run(connected("heat-meter", text).as_mut(), &states, 3600);
    for piece_s in [1, 7, 60, 299] {
        assert_eq!(run(connected("heat-meter", text).as_mut(), &states, piece_s), whole);
    }
    let spans = whole.iter().filter_map(|output| match output {
        Output::Reading { span, at, serial, .. } => Some((*span, *at, serial.0)),
        _ => None,
    });
    for (index, (span, at, serial)) in spans.enumerate() {
        let index = index as i64;
        let registers_from = SimDuration::ZERO;
        let expected =
            ReferenceSpan { from: s(300 * index), to: s(300 * (index + 1)), registers_from };
        assert_eq!((span, at, serial), (expected, START + expected.to, 1 + index as u64));
    }
    assert_eq!(readings(&whole).len(), 10);
}

#[test]
fn a_frozen_meter_counts_on_and_its_next_reading_spans_the_time_between() {
    let mut device =
        connected("water-meter", "report_every = \"1 h\"\nvolume_resolution = \"0 l\"");
    let until: Option<SimTime> = Some(START + s(2 * 3600));
    let mut out = Vec::new();
    device.step(START, Input::Fault(DeviceFault::Freeze { until }), &mut out);
    let out = run(device.as_mut(), &[(7200, water(100.0))], 3600);
    let found = readings(&out);
    assert_eq!(found.len(), 1);
    near(values(&found[0])["water.volume"], 0.2, 1e-12);
    let Some(Output::Reading { span, .. }) = out.first() else { panic!("{out:?}") };
    assert_eq!((span.from, span.to), (s(0), s(7200)));
}

#[test]
fn what_is_of_another_domain_is_not_used() {
    let out = run(connected("water-meter", "").as_mut(), &[(600, heat(70.0, 40.0, 600.0))], 600);
    assert!(matches!(&out[..], [Output::Event { detail, .. }]
        if detail == "a pipe of another domain than water"));
    assert!(connected("heat-meter", "").electricity().is_none());
}
