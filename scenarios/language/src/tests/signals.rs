//! Signals that are recorded: what they mean, and what makes no sense of one or of its checks.

use lastmeter_units::SimDuration;

use super::{VALID, assert_printed, change, load};
use crate::{LoadFailure, Scenario, SignalFrom};

const SIGNALS: &str = r#"
[[signal]]
name = "reported"
of = "home"
quantity = "electricity.voltage.rms.l1"

[[signal]]
name = "plant"
at = "source:g"
quantity = "electricity.voltage.rms.l1"
every = "1 s"

[[check]]
name = "held"
kind = "follows"
signal = "reported"
other = "plant"
tolerance = "1 V"
"#;

fn with(from: &str, to: &str) -> (String, Result<Scenario, LoadFailure>) {
    let text = format!("{VALID}{SIGNALS}");
    assert!(text.contains(from), "{from}");
    (change(from, to), load(&text.replacen(from, to, 1)))
}

#[test]
fn signals_are_read_resolved_and_read_again() {
    let scenario = load(&format!("{VALID}{SIGNALS}")).map_err(|f| f.to_string()).unwrap();
    let from: Vec<_> = scenario.signals.iter().map(|signal| signal.from.clone()).collect();
    let every = SimDuration::from_seconds(1);
    let device = SignalFrom::Device { device: 0, every: None };
    assert_eq!(from, [device, SignalFrom::Plant { source: 0, every }]);
    let again = load(&scenario.resolved_toml()).map_err(|f| f.to_string()).unwrap();
    assert!(scenario.same_meaning(&again));
    assert_eq!(scenario.signals, again.signals);
}

#[test]
fn a_signal_has_one_place_and_there_an_interval() {
    let place = "at = \"source:g\"\nquantity";
    let cases = [
        with(place, &format!("of = \"home\"\n{place}")),
        with("of = \"home\"\nquantity", "quantity"),
        with("every = \"1 s\"", ""),
        // 600 000 are not too many.
        with("every = \"1 s\"", "every = \"1 ms\""),
    ];
    assert_printed("places_of_signals", cases);
}

#[test]
fn what_a_signal_or_a_check_refers_to_is_there() {
    let cases = [
        ("of = \"home\"", "of = \"hime\""),
        ("at = \"source:g\"\nquantity", "at = \"source:h\"\nquantity"),
        ("at = \"source:g\"\nquantity", "at = \"load:h\"\nquantity"),
        ("signal = \"reported\"", "signal = \"reparted\""),
        ("other = \"plant\"", "other = \"plants\""),
    ];
    assert_printed("references_of_signals", cases.map(|(from, to)| with(from, to)));
}

#[test]
fn what_a_signal_records_is_there_to_be_recorded() {
    let of = "of = \"home\"\nquantity = \"electricity.voltage.rms.l1\"";
    let at = "at = \"source:g\"\nquantity = \"electricity.voltage.rms.l1\"";
    let cases = [
        (of, "electricity.volts"),
        (of, "water.volume"),
        (at, "electricity.voltage.rms.*"),
        (at, "water.volume"),
        (at, "electricity.voltage.instant.l1"),
    ];
    let load = |(from, quantity): (&str, &str)| {
        with(from, &from.replace("electricity.voltage.rms.l1", quantity))
    };
    assert_printed("quantities_of_signals", cases.map(load));
}

#[test]
fn levels_and_tolerances_are_of_the_signals_dimension() {
    let plant = "at = \"source:g\"\nquantity = \"electricity.voltage.rms.l1\"";
    let level = "tolerance = \"1 V\"\n[[check]]\nname = \"level\"\nkind = \"constant\"\n\
        signal = \"plant\"\nvalue = \"50 Hz\"\ntolerance = \"1 V\"";
    let cases = [
        with("tolerance = \"1 V\"", "tolerance = \"1 A\""),
        with(plant, &plant.replace("voltage.rms.l1", "frequency")),
        with("tolerance = \"1 V\"", level),
    ];
    assert_printed("dimensions_of_signals", cases);
}
