//! Heat circuits, water pipes and rooms: what is drawn, against what is claimed to be true of it.

use super::*;
use lastmeter_params::{Diagnostics, read_text};
use lastmeter_sim::{MeteringPoint, PipeState, SOURCES, SourceContext};
use lastmeter_units::SimTime;

const HOURS_4: SimDuration = SimDuration::from_seconds(4 * 3600);

/// What a source makes of the text of its table, from 06:00 on for four hours.
fn made(kind: &str, text: &str, name: &str) -> Result<MeteringPoint, Vec<String>> {
    let source = SOURCES.iter().find(|source| source.entry.name == kind).expect("registered");
    let messages = |list: Vec<lastmeter_params::Diagnostic>| {
        list.into_iter().map(|it| format!("{}: {}", it.message, it.label)).collect::<Vec<_>>()
    };
    let values = read_text(text, &[source.entry.fields]).map_err(messages)?;
    let streams = Streams::new(7);
    let context = SourceContext {
        name,
        streams: &streams,
        start: "2027-01-18T06:00:00Z".parse::<SimTime>().expect("as written"),
        duration: HOURS_4,
        read_file: &|_| Err("no files".to_owned()),
    };
    let mut diagnostics = Diagnostics::new();
    let signal = (source.build)(&values, &context, &mut diagnostics);
    let point = signal.map(|signal| signal.metering_point(name, &streams).expect("a pipe"));
    point.ok_or_else(|| messages(diagnostics.into_sorted()))
}

/// The states from zero to the end, each with its beginning and its length in seconds.
fn stretches(point: &MeteringPoint) -> Vec<(f64, f64, PipeState)> {
    let (mut at, mut found) = (SimDuration::ZERO, Vec::new());
    while at < HOURS_4 {
        let stretch = point.pipe(at).expect("a pipe");
        let until = stretch.until.map_or(HOURS_4, |until| until.min(HOURS_4));
        assert!(until > at);
        found.push((at.as_seconds_f64(), (until - at).as_seconds_f64(), stretch.state));
        at = until;
    }
    found
}

fn truth(point: &MeteringPoint, name: &str, span: ReferenceSpan) -> Option<f64> {
    point.truth(span, None).value(MeasurementId::lookup(name).expect("registered"))
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} for {expected}");
}

#[test]
fn registers_are_what_the_stretches_add_up_to() {
    let text = "off = [{ at = \"7 h 10 min 5 s\", for = \"90 s\" }]";
    let heat = made("heat-circuit", text, "h").expect("as written");
    let (mut volume, mut seconds, mut off) = (0.0, 0.0, 0.0);
    for (_, length, state) in stretches(&heat) {
        let PipeState::Heat(state) = state else { panic!("{state:?}") };
        volume += length * state.volume_flow_m3_per_s;
        seconds += length;
        off += if state.volume_flow_m3_per_s == 0.0 { length } else { 0.0 };
        // 75 degrees Celsius, at most 8 K of setback, 1 K of variation.
        assert!((66.0..=76.0).contains(&state.flow_celsius), "{state:?}");
        assert!((44.0..=46.0).contains(&state.return_celsius), "{state:?}");
    }
    assert_eq!((seconds, off), (4.0 * 3600.0, 90.0));
    let whole = span(0.0, 4.0 * 3600.0);
    close(truth(&heat, "heating.volume", whole).expect("as written"), volume);
    close(truth(&heat, "heating.flowrate", whole).expect("as written"), volume / seconds);
    // Two spans that follow each other make the whole.
    let energy = |to_s| truth(&heat, "heating.energy", span(0.0, to_s)).expect("as written");
    let later = ReferenceSpan { registers_from: SimDuration::from_seconds(5000), ..whole };
    close(
        energy(5000.0) + truth(&heat, "heating.energy", later).expect("as written"),
        energy(14400.0),
    );
    close(truth(&heat, "heating.power", whole).expect("as written") * 14400.0, energy(14400.0));
    assert_eq!(truth(&heat, "water.volume", whole), None);
    assert_eq!(truth(&heat, "heating.temp.external", whole), None);
}

/// Of the drawn steps about as many have a draw as the profile requires: 30 % times 0.85, 1.0, 0.75
/// and 0.5 in four hours of 120 steps each.
#[test]
fn water_is_drawn_as_often_as_the_profile_requires() {
    let water = made("water", "leak = \"3.6 l/h\"", "w").expect("as written");
    let mut drawn = 0.0;
    for (_, length, state) in stretches(&water) {
        let PipeState::Water(state) = state else { panic!("{state:?}") };
        let flow = state.volume_flow_m3_per_s - 1e-6;
        if flow > 1e-12 {
            assert!((0.05 * 1.2 / 3600.0..=1.2 / 3600.0).contains(&flow), "{flow}");
            drawn += length / 30.0;
        }
    }
    let expected: f64 = [0.85, 1.0, 0.75, 0.5].iter().map(|share| 120.0 * 0.3 * share).sum();
    // Binomial, with a deviation below the square root.
    assert!((drawn - expected).abs() < 4.0 * expected.sqrt(), "{drawn} for {expected}");
}

/// From 06:00 on the shares of a dwelling are 0.70, 0.90, 0.90 and 0.80.
#[test]
fn room_is_as_warm_as_its_profile_requires_and_open_at_its_times() {
    let text = "temperature = \"20 °C\"\nsetback = \"10 K\"\ntemperature_variation = \"1 K\"\n\
                open = [{ at = \"7 h 2 min 3 s\", for = \"90 s\" }, { at = \"23 h\", for = \"8 h\" }]";
    let room = made("room", text, "r").expect("as written");
    let (mut open, mut sums) = (Vec::new(), [0.0; 4]);
    for (at, length, state) in stretches(&room) {
        let PipeState::Room(state) = state else { panic!("{state:?}") };
        let hour = (at / 3600.0) as usize;
        let expected = [17.0, 19.0, 19.0, 18.0][hour];
        assert!((state.celsius - expected).abs() <= 1.0, "{at}: {state:?}");
        sums[hour] += (state.celsius - expected) * length / 3600.0;
        if state.is_open {
            open.push((at, at + length));
        }
        let last = span(at, at + length);
        assert_eq!(truth(&room, "x.room.temperature", last), Some(state.celsius));
        let is_open = truth(&room, "x.contact.open", last).expect("as written");
        assert_eq!(is_open > 0.5, state.is_open);
    }
    // Twelve draws an hour, evenly within 1 K: a deviation of 1/6 K.
    assert!(sums.iter().all(|sum| sum.abs() < 4.0 / 6.0 && *sum != 0.0), "{sums:?}");
    // Through the night until 07:00, in steps of 5 min, and once more for 90 s.
    assert_eq!((open[0].0, open[11].1, open.len()), (0.0, 3600.0, 13));
    assert_eq!(open[12], (3723.0, 3813.0));
    assert_eq!(truth(&room, "water.volume", span(0.0, 10.0)), None);
}

#[test]
fn a_course_follows_from_seed_and_name() {
    let states = |name: &str| stretches(&made("water", "", name).expect("as written"));
    assert_eq!(states("a"), states("a"));
    assert_ne!(states("a"), states("b"));
}

/// Without anything drawn the truth is a closed formula: 1.152 370 534 kWh/(m3 K) by iapws 1.5.5.
#[test]
fn a_steady_circuit_gives_off_volume_times_difference_times_coefficient() {
    let text = "profile = \"steady\"\nflow_temperature = \"70 °C\"\nreturn_temperature = \"40 °C\"\n\
                temperature_variation = \"0 K\"\nflow_variation = 0\npeak_flow = \"1 m3/h\"";
    let heat = made("heat-circuit", text, "h").expect("as written");
    assert_eq!(stretches(&heat).len(), 1);
    let energy = truth(&heat, "heating.energy", span(0.0, 7200.0)).expect("as written");
    assert!((energy / (3.6e6 * 2.0 * 30.0 * 1.152_370_534_426) - 1.0).abs() < 1e-10);
}

#[test]
fn what_is_no_heat_circuit_is_refused() {
    for (text, expected) in [
        (
            "flow_temperature = \"50 °C\"",
            "the flow can be as cold as 41 °C, the return as warm as 46 °C: expected a warmer flow, \
             or less `setback` and `temperature_variation`",
        ),
        (
            "flow_temperature = \"120 °C\"\npressure = \"2 bar\"",
            "at 121 °C water boils: expected more than 2.05 bar",
        ),
        (
            "return_temperature = \"1 °C\"",
            "the return can be as cold as 0 °C: expected water that does not freeze",
        ),
        (
            "flow_temperature = \"70 K\"",
            "`K` is a unit of temperature difference, not of temperature: expected a temperature \
             with its unit, as text",
        ),
    ] {
        let found = made("heat-circuit", text, "h").map(|_| ()).expect_err("a mistake");
        assert_eq!(found, [expected]);
    }
}
