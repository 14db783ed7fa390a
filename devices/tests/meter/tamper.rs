//! Meters that report tampering.

use lastmeter_devices::{DeviceFault, EventKind, Input, Output, TamperFacts, TamperKind};
use lastmeter_units::SimDuration;
use lastmeter_wire::flexmeter::AlertLevel;

use super::behaviour::events;
use super::supply::{Single, alerts};
use super::support::{Bench, START, balanced, refused_by};

fn tampered(what: TamperKind, until_s: f64) -> Input {
    let until = Some(START + SimDuration::from_seconds_f64(until_s));
    Input::Fault(DeviceFault::Tamper { what, until })
}

/// Type and time in seconds of what was reported.
fn reported(out: &[Output]) -> Vec<(String, f64)> {
    let of_tampering = alerts(out).into_iter().filter(|it| it.alert_type.starts_with("tamper."));
    let of = |it: lastmeter_wire::flexmeter::AlertMessage| {
        assert_eq!(it.level, AlertLevel::Warning);
        assert_eq!(it.alert_type, format!("tamper.{}", it.metadata["kind"]));
        (it.alert_type, (it.event_date.expect("dated") - START).as_seconds_f64())
    };
    of_tampering.map(of).collect()
}

fn due(of: &[(&str, f64)]) -> Vec<(String, f64)> {
    of.iter().map(|(word, at_s)| (format!("tamper.{word}"), *at_s)).collect()
}

#[test]
fn a_dark_meter_is_silent_and_reports_what_it_latched_after_its_start() {
    let latched = [("cover_opened", 5.5), ("cover_closed", 6.5), ("terminal_cover_opened", 7.5)];
    for (battery, found) in
        [("true", due(&latched)), ("false", due(&[("terminal_cover_opened", 12.505)]))]
    {
        let fields = format!(
            "report_every = \"1 s\"\nhold_up = \"1 s\"\ntamper = [\"cover\", \"terminal-cover\"]\n\
             tamper_battery = {battery}"
        );
        let mut single = Single::new(&fields);
        single.run(230.0, 2.0);
        assert_eq!(reported(&single.run(0.0, 5.0)), []);
        assert_eq!(events(&single.step(tampered(TamperKind::Cover, 6.0))), [EventKind::FaultBegun]);
        single.run(0.0, 7.0);
        single.step(tampered(TamperKind::TerminalCover, 90.0));
        // Back at 10 s, a quarter of a period later with half of the voltage; then it boots.
        assert_eq!(single.run(0.0, 10.0), []);
        assert_eq!(single.run(230.0, 11.9), []);
        let out = single.run(230.0, 20.0);
        assert_eq!(reported(&out), found, "{battery}");
        assert_eq!(alerts(&out)[0].alert_type, "supply.returned");
        assert_eq!(reported(&single.run(230.0, 60.0)), []);
    }
}

#[test]
fn what_is_latched_survives_a_frozen_application() {
    let fields = "report_every = \"10 s\"\nsample_rate = \"2 kHz\"\nquantities = [\"voltage\"]\n\
                  tamper = [\"magnetic-field\"]\ntamper_debounce = \"1 s\"";
    let run = |piece_s: f64| {
        let mut bench = Bench::new(fields, balanced());
        bench.run(3.0);
        let until = Some(START + SimDuration::from_seconds(20));
        bench.step(Input::Fault(DeviceFault::Freeze { until }));
        bench.step(tampered(TamperKind::MagneticField, 8.0));
        assert_eq!(reported(&bench.run_in_pieces(16.0, piece_s)), []);
        bench.run_in_pieces(6.0, piece_s)
    };
    assert_eq!(reported(&run(1.0)), due(&[("field_began", 4.0), ("field_ended", 9.0)]));
    assert_eq!(run(0.3), run(1.7));
    let facts = Bench::new(fields, balanced()).device.watched_tamper();
    let kinds = vec![TamperKind::MagneticField];
    let debounce = SimDuration::from_seconds(1);
    assert_eq!(facts, Some(TamperFacts { kinds, debounce, has_battery: true }));
    // Without a sensor nothing is reported.
    let mut bench = Bench::new("quantities = [\"voltage\"]", balanced());
    assert_eq!(events(&bench.step(tampered(TamperKind::Cover, 2.0))), [EventKind::FaultBegun]);
    assert_eq!(reported(&bench.run(5.0)), []);
}

#[test]
fn fields_of_tampering_that_make_no_sense_are_refused_where_they_stand() {
    for (model, toml, place, expected) in [
        ("ideal-1ph", "tamper_debounce = \"3 s\"", "\"3 s\"", "no effect without `tamper`"),
        ("ideal-1ph", "tamper = [\"cover\", \"cover\"]", "[\"cover\", \"cover\"]", "twice"),
        (
            "ideal-1ph",
            "tamper = [\"cover\"]\ntamper_battery = false",
            "false",
            "no effect without `hold_up`",
        ),
        ("m-bus-electricity-meter", "tamper = [\"cover\"]", "[\"cover\"]", "sends no alerts"),
    ] {
        let found = refused_by(model, toml, 1, true);
        assert_eq!(found.len(), 1, "{toml}: {found:?}");
        assert!(found[0].message.contains(expected), "{toml}: {}", found[0].message);
        assert_eq!(&toml[found[0].span.start..found[0].span.end], place, "{toml}");
    }
}
