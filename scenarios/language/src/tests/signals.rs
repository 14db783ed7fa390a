//! Signals that are recorded: what they mean, and what makes no sense of one or of its checks.

use lastmeter_units::SimDuration;

use super::{VALID, load, mistakes};
use crate::SignalFrom;

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

fn with(from: &str, to: &str) -> Vec<String> {
    let text = format!("{VALID}{SIGNALS}");
    assert!(text.contains(from), "{from}");
    let told = mistakes(&text.replacen(from, to, 1));
    // Without the column, and the line is that of the section.
    told.into_iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
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
    let both = with(place, &format!("of = \"home\"\n{place}"));
    let message = "<\"source:g\"> signal `plant` has both a device and a place in the plant";
    assert!(both.len() == 1 && both[0].ends_with(message), "{both:?}");
    let neither = with("of = \"home\"\nquantity", "quantity");
    let message = "<\"reported\"> signal `reported` has neither a device nor a place in the plant";
    assert!(neither.len() == 1 && neither[0].ends_with(message), "{neither:?}");
    let without = with("every = \"1 s\"", "");
    let message = "signal `plant` has no interval over which to take the truth";
    assert!(without.len() == 1 && without[0].ends_with(message), "{without:?}");
    let often = with("every = \"1 s\"", "every = \"1 ms\"");
    assert!(often.is_empty(), "600 000 are not too many: {often:?}");
}

#[test]
fn what_a_signal_or_a_check_refers_to_is_there() {
    for (from, to, message) in [
        ("of = \"home\"", "of = \"hime\"", "there is no device named `hime`"),
        ("at = \"source:g\"\nquantity", "at = \"source:h\"\nquantity", "no source named `h`"),
        ("at = \"source:g\"\nquantity", "at = \"load:h\"\nquantity", "a load of a network"),
        ("signal = \"reported\"", "signal = \"reparted\"", "there is no signal named `reparted`"),
        ("other = \"plant\"", "other = \"plants\"", "there is no signal named `plants`"),
    ] {
        let told = with(from, to);
        assert!(told.len() == 1 && told[0].contains(message), "{message}: {told:?}");
    }
}

#[test]
fn what_a_signal_records_is_there_to_be_recorded() {
    let of = "of = \"home\"\nquantity = \"electricity.voltage.rms.l1\"";
    let at = "at = \"source:g\"\nquantity = \"electricity.voltage.rms.l1\"";
    for (from, quantity, message) in [
        (of, "electricity.volts", "unknown measurement identifier `electricity.volts`"),
        (of, "water.volume", "`home` does not report `water.volume`"),
        (at, "electricity.voltage.rms.*", "unknown measurement identifier"),
        (at, "water.volume", "`source:g` is electricity, which has no `water.volume`"),
        (at, "electricity.voltage.instant.l1", "has no truth over an interval of the plant"),
    ] {
        let to = from.replace("electricity.voltage.rms.l1", quantity);
        let told = with(from, &to);
        assert!(told.iter().any(|told| told.contains(message)), "{message}: {told:?}");
    }
}

#[test]
fn levels_and_tolerances_are_of_the_signals_dimension() {
    let told = with("tolerance = \"1 V\"", "tolerance = \"1 A\"");
    let message = "`tolerance` is of dimension current, which electricity.voltage.rms.l1 is not";
    assert!(told.len() == 1 && told[0].ends_with(message), "{told:?}");
    let plant = "at = \"source:g\"\nquantity = \"electricity.voltage.rms.l1\"";
    let told = with(plant, &plant.replace("voltage.rms.l1", "frequency"));
    let message = "electricity.voltage.rms.l1 cannot follow electricity.frequency";
    assert!(told.len() == 1 && told[0].ends_with(message), "{told:?}");
    let level = "tolerance = \"1 V\"\n[[check]]\nname = \"level\"\nkind = \"constant\"\n\
        signal = \"plant\"\nvalue = \"50 Hz\"\ntolerance = \"1 V\"";
    let told = with("tolerance = \"1 V\"", level);
    assert!(told.len() == 1 && told[0].contains("`value` is of dimension frequency"), "{told:?}");
}
