//! Meters that live on the voltage they measure.

use std::sync::Arc;

use lastmeter_devices::{Device, EventKind, Input, Output, SupplyFacts};
use lastmeter_sim::{Block, Spectrum};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, AlertMessage, MeasurementMessage, Request};
use proptest::prelude::*;

use super::behaviour::{command, events};
use super::support::{START, meter, readings, refused_by, requests, sines, values};

const SUPPLY: &str = "report_every = \"1 s\"\nhold_up = \"1 s\"\n";

fn at(seconds: f64) -> SimTime {
    START + SimDuration::from_seconds_f64(seconds)
}

pub(crate) fn alerts(out: &[Output]) -> Vec<AlertMessage> {
    let alerts = requests(out).into_iter().filter_map(|request| match request {
        Request::Alert(message) => Some(message),
        _ => None,
    });
    alerts.collect()
}

fn types(out: &[Output]) -> Vec<String> {
    alerts(out).into_iter().map(|alert| alert.alert_type).collect()
}

/// When readings were due, in seconds, and whether they are marked.
fn due(out: &[Output]) -> Vec<(f64, bool)> {
    let of = |reading: MeasurementMessage| {
        let at = reading.event_date.expect("dated") - START;
        let mark = reading.metadata.get("interrupted").map(String::as_str);
        assert!(mark.is_none() || mark == Some("true"));
        (at.as_seconds_f64(), mark.is_some())
    };
    readings(out).into_iter().map(of).collect()
}

/// The span of the reading of an instant in seconds, in seconds.
fn span_of(out: &[Output], due_s: f64) -> (f64, f64) {
    let found = out.iter().find_map(|output| match output {
        Output::Reading { at: when, span, .. } if *when == at(due_s) => Some(*span),
        _ => None,
    });
    let span = found.expect("announced");
    (span.from.as_seconds_f64(), span.to.as_seconds_f64())
}

/// Takes over what was sent.
fn acknowledge(device: &mut dyn Device, out: &[Output]) {
    for output in out {
        if let Output::Send { message, .. } = *output {
            device.step(START, Input::Acknowledged { message }, &mut Vec::new());
        }
    }
}

/// A meter on one phase of 230 V and 10 A whose voltage may go away.
pub(crate) struct Single {
    pub(crate) device: Box<dyn Device>,
    until: SimDuration,
    acknowledges: bool,
}

impl Single {
    pub(crate) fn new(toml: &str) -> Self {
        let mut device = meter("ideal-1ph", &format!("fidelity = \"windows\"\n{toml}"), 1);
        device.step(START, Input::Connected, &mut Vec::new());
        Self { device, until: SimDuration::ZERO, acknowledges: true }
    }

    fn spectrum(volts: f64) -> Arc<Spectrum> {
        let amperes = volts / 23.0;
        let terminal = sines(50.0, [(volts, 0.0, amperes, 0.0)]);
        terminal.spectrum_at(SimDuration::ZERO).expect("a spectrum").spectrum
    }

    pub(crate) fn step(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.device.step(START + self.until, input, &mut out);
        if self.acknowledges {
            acknowledge(&mut *self.device, &out);
        }
        out
    }

    /// A voltage up to an instant in seconds.
    pub(crate) fn run(&mut self, volts: f64, until_s: f64) -> Vec<Output> {
        self.until = SimDuration::from_seconds_f64(until_s);
        self.step(Input::Spectrum {
            until: self.until,
            spectrum: Self::spectrum(volts),
            celsius: 23.0,
        })
    }
}

#[test]
fn a_meter_goes_dark_and_measures_again_after_its_boot() {
    let mut single = Single::new(SUPPLY);
    let mut out = single.run(230.0, 5.3);
    out.extend(single.run(0.0, 10.1));
    out.extend(single.run(230.0, 15.05));
    let dues = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 13.0, 14.0, 15.0];
    assert_eq!(due(&out), dues.map(|due_s| (due_s, due_s == 6.0 || due_s == 13.0)));
    let sent = alerts(&out);
    assert_eq!(types(&out), ["supply.failed", "supply.returned"]);
    assert_eq!(sent[0].message, "home: the supply failed");
    assert_eq!((sent[0].level, sent[0].event_date), (AlertLevel::Critical, Some(at(5.315))));
    assert_eq!(sent[1].message, "home: the supply is back after 4.790 s");
    assert_eq!((sent[1].level, sent[1].event_date), (AlertLevel::Info, Some(at(12.105))));
    // Numbered apart from readings, and with the facts of the outage.
    let numbers = |it: &AlertMessage| (it.epoch.unwrap().0, it.serial.unwrap().0);
    assert_eq!([numbers(&sent[0]), numbers(&sent[1])], [(1, 1), (1, 2)]);
    assert_eq!([&sent[0], &sent[1]].map(|it| &*it.metadata["kind"]), ["last_gasp", "power_up"]);
    assert_eq!(sent[1].metadata["duration_s"], "4.79");
    assert_eq!(events(&out), [EventKind::Dark, EventKind::WorksAgain]);
    // From when it works again on, to the last window that is complete.
    assert_eq!(span_of(&out, 13.0), (12.105, 12.905));
    assert_eq!(span_of(&out, 14.0), (12.905, 13.905));
    let sent = readings(&out);
    let energy = |n: usize| 3.6e6 * values(&sent[n])["electricity.energy.active.consumed.total"];
    // Registers keep what they had at 5.3 s: 26.5 windows of 460 J.
    assert!((energy(5) - 2300.0 * 5.3).abs() < 1e-6, "{}", energy(5));
    assert!((energy(6) - 2300.0 * (5.3 + 0.8)).abs() < 1e-6, "{}", energy(6));
    assert!((values(&sent[6])["electricity.voltage.rms.l1"] - 230.0).abs() < 1e-6);
}

#[test]
fn nothing_is_sent_in_the_dark_and_what_is_open_follows_the_boot() {
    let mut single = Single::new(SUPPLY);
    single.acknowledges = false;
    assert_eq!(due(&single.run(230.0, 1.5)).len(), 1);
    // The voltage of the last period is below half of it after 15 ms: the gasp goes out, and it
    // is dark a second later.
    assert_eq!(types(&single.run(0.0, 2.4)), ["supply.failed"]);
    assert_eq!(events(&single.run(0.0, 2.51)), []);
    assert_eq!(events(&single.run(0.0, 2.515)), [EventKind::Dark]);
    for input in [Input::Disconnected, Input::Connected] {
        assert_eq!(single.step(input), []);
    }
    let order = || command("i-1", "readRegister", None);
    assert_eq!(events(&single.step(order())), [EventKind::CommandIgnored]);
    assert_eq!(single.run(0.0, 60.0), []);
    assert_eq!(single.run(230.0, 61.9), []);
    assert_eq!(events(&single.step(order())), [EventKind::CommandIgnored]);
    // Two readings and the gasp are open; the power-up message comes behind them.
    assert_eq!(single.device.unacknowledged(), 3);
    let out = single.run(230.0, 62.1);
    assert_eq!(types(&out), ["supply.failed", "supply.returned"]);
    assert_eq!(due(&out), [(1.0, false), (2.0, true)]);
    assert_eq!(requests(&out).len(), 4);
    let mut is_last = matches!(requests(&out).last(), Some(Request::Alert(_)));
    is_last &= events(&out).first() == Some(&EventKind::WorksAgain);
    assert!(is_last, "{out:?}");
    assert_ne!(events(&single.step(order())), [EventKind::CommandIgnored]);
}

#[test]
fn a_hold_up_that_lasts_keeps_it_measuring() {
    let mut single = Single::new(SUPPLY);
    let mut out = single.run(230.0, 5.3);
    out.extend(single.run(0.0, 6.25));
    out.extend(single.run(230.0, 9.0));
    assert_eq!(types(&out), ["supply.failed", "supply.returned"]);
    assert_eq!(alerts(&out)[1].message, "home: the supply is back after 0.940 s");
    assert_eq!(alerts(&out)[1].event_date, Some(at(6.255)));
    assert_eq!(events(&out), []);
    let marked: Vec<f64> = due(&out).iter().filter(|(_, is)| *is).map(|(s, _)| *s).collect();
    assert_eq!((due(&out).len(), marked), (9, vec![6.0, 7.0]));
    assert_eq!(span_of(&out, 7.0), (6.0, 7.0));
}

#[test]
fn messages_are_sent_where_the_fields_ask_for_them() {
    let outage = |fields: &str, back_s: f64| {
        let mut single = Single::new(&format!("{SUPPLY}{fields}"));
        let mut out = single.run(230.0, 2.0);
        out.extend(single.run(0.0, back_s));
        out.extend(single.run(230.0, 8.0));
        let lost = [EventKind::LastGaspLost, EventKind::PowerUpLost];
        (types(&out), lost.map(|kind| events(&out).contains(&kind)))
    };
    let (failed, returned) = ("supply.failed".to_owned(), "supply.returned".to_owned());
    for (fields, long, short) in [
        ("", vec![&failed, &returned], vec![&failed, &returned]),
        ("last_gasp = false", vec![&returned], vec![]),
        ("power_up = false", vec![&failed], vec![&failed]),
        ("last_gasp_lost = \"100 %\"", vec![&returned], vec![&returned]),
        ("power_up_lost = \"100 %\"", vec![&failed], vec![&failed]),
    ] {
        let is_lost = ["last_gasp_lost", "power_up_lost"].map(|it| fields.starts_with(it));
        for (back_s, due) in [(4.0, long), (2.5, short)] {
            let (found, lost) = outage(fields, back_s);
            assert_eq!(found.iter().collect::<Vec<_>>(), due, "{fields}, back at {back_s} s");
            assert_eq!(lost, is_lost);
        }
    }
}

#[test]
fn half_of_all_messages_are_lost_and_the_same_ones_again() {
    let run = |fields: &str| {
        let mut single = Single::new(&format!("hold_up = \"50 ms\"\nboot = \"0.1 s\"\n{fields}"));
        let mut out = Vec::new();
        for k in 0..400 {
            out.extend(single.run(230.0, f64::from(k) + 0.5));
            out.extend(single.run(0.0, f64::from(k) + 1.0));
        }
        out
    };
    for (fields, kind) in [
        ("last_gasp_lost = \"50 %\"\npower_up = false", EventKind::LastGaspLost),
        ("power_up_lost = \"50 %\"\nlast_gasp = false", EventKind::PowerUpLost),
    ] {
        let out = run(fields);
        let sent = types(&out).len();
        // Four standard deviations of 400 draws are 40.
        assert!((160..=240).contains(&sent), "{sent}");
        // The last return is after the end.
        let lost = events(&out).iter().filter(|it| **it == kind).count();
        let all = if kind == EventKind::LastGaspLost { 400 } else { 399 };
        assert_eq!(sent + lost, all);
        assert_eq!(run(fields), out);
    }
}

#[test]
fn facts_are_those_of_the_fields() {
    let fields = "hold_up = \"3 s\"\nboot = \"4 s\"\nvoltage_ratio = 2\nsupply_minimum = \"60 %\"\n\
                  power_up = false";
    let facts = Single::new(fields).device.supply();
    let due = SupplyFacts {
        hold_up: SimDuration::from_seconds(3),
        boot: SimDuration::from_seconds(4),
        minimum_v: 0.6 * 230.0 * 2.0,
        gasps: true,
        reports: false,
    };
    assert_eq!(facts, Some(due));
    let none = Single::new("");
    assert_eq!((none.device.supply(), none.device.watched_events()), (None, None));
}

#[test]
fn fields_that_make_no_sense_together_are_refused_where_they_stand() {
    let samples = "events = [\"dip\"]\n";
    for (model, toml, place, expected) in [
        ("ideal-1ph", "boot = \"3 s\"", "\"3 s\"", "`boot` has no effect without `hold_up`"),
        ("ideal-1ph", "last_gasp = false", "false", "no effect without `hold_up`"),
        ("ideal-1ph", "dip_threshold = \"85 %\"", "\"85 %\"", "without `events`"),
        (
            "ideal-1ph",
            "hold_up = \"1 s\"\nlast_gasp = false\nlast_gasp_lost = \"5 %\"",
            "\"5 %\"",
            "needs a last gasp",
        ),
        (
            "ideal-1ph",
            "hold_up = \"1 s\"\npower_up = false\npower_up_lost = \"5 %\"",
            "\"5 %\"",
            "needs a power-up message",
        ),
        (
            "ideal-1ph",
            "fidelity = \"windows\"\nevents = [\"dip\"]",
            "[\"dip\"]",
            "no half-cycle values",
        ),
        ("ideal-1ph", "events = [\"dip\", \"dip\"]", "[\"dip\", \"dip\"]", "twice"),
        (
            "ideal-1ph",
            &format!("{samples}interruption_threshold = \"40 %\"\ndip_threshold = \"41 %\""),
            "\"40 %\"",
            "above the dip",
        ),
        (
            "ideal-1ph",
            &format!("{samples}dip_threshold = \"100 %\"\nevent_hysteresis = \"6 %\""),
            "\"6 %\"",
            "a dip would end at 106.0000 %",
        ),
        ("m-bus-electricity-meter", "hold_up = \"1 s\"", "\"1 s\"", "sends no alerts"),
        (
            "m-bus-electricity-meter",
            "fidelity = \"samples\"\nevents = [\"swell\"]",
            "[\"swell\"]",
            "sends no alerts",
        ),
    ] {
        let found = refused_by(model, toml, 1, true);
        assert_eq!(found.len(), 1, "{toml}: {found:?}");
        assert!(found[0].message.contains(expected), "{toml}: {}", found[0].message);
        assert_eq!(&toml[found[0].span.start..found[0].span.end], place, "{toml}");
    }
}

/// What a platform takes over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledge {
    AtOnce,
    Never,
}

/// Sample blocks of voltages in V by time in seconds, with a tenth of it as current.
pub(crate) fn feed(
    device: &mut dyn Device,
    (until_s, piece): (f64, usize),
    acknowledges: Acknowledge,
    volts: impl Fn(usize, f64) -> f64,
    phases: usize,
) -> Vec<Output> {
    let lastmeter_devices::Feed::Samples { rate_hz } = device.feed() else { panic!("no samples") };
    let (mut out, mut first) = (Vec::new(), 0);
    device.step(START, Input::Connected, &mut out);
    let end = (until_s * rate_hz).ceil() as usize;
    while first < end {
        let to = end.min(first + piece);
        let channel = |phase: usize, scale: f64| {
            (first..to).map(|k| scale * volts(phase, k as f64 / rate_hz)).collect()
        };
        let block = Block {
            voltages: (0..phases).map(|phase| channel(phase, 1.0)).collect(),
            currents: (0..phases).map(|phase| channel(phase, 0.1)).collect(),
            ..Block::default()
        };
        let now = START + SimDuration::from_seconds_f64(to as f64 / rate_hz);
        let before = out.len();
        device.step(now, Input::Samples { first_sample: first as u64, rate_hz, block }, &mut out);
        if acknowledges == Acknowledge::AtOnce {
            acknowledge(device, &out[before..]);
        }
        first = to;
    }
    out
}

/// A sine of an RMS voltage at 50 Hz.
pub(crate) fn sine(phase: usize, t_s: f64, rms: f64) -> f64 {
    let turns = 50.0 * t_s - phase as f64 / 3.0;
    std::f64::consts::SQRT_2 * rms * (std::f64::consts::TAU * turns).sin()
}

#[test]
fn samples_darken_it_too_however_they_are_cut() {
    let fields = "report_every = \"0.5 s\"\nhold_up = \"0.4 s\"\nboot = \"0.6 s\"\n\
                  sample_rate = \"6.4 kHz\"\nquantities = [\"voltage\", \"active_energy\"]";
    let volts = |_, t_s: f64| sine(0, t_s, if (2.137..4.213).contains(&t_s) { 1.0 } else { 230.0 });
    let run = |piece| {
        let device = &mut *meter("ideal-1ph", fields, 1);
        feed(device, (7.0, piece), Acknowledge::AtOnce, volts, 1)
    };
    let out = run(6400);
    assert_eq!(types(&out), ["supply.failed", "supply.returned"]);
    let (failed, returned) = (&alerts(&out)[0], &alerts(&out)[1]);
    let since = |alert: &AlertMessage| (alert.event_date.expect("a date") - START).as_seconds_f64();
    assert!((2.137..2.137 + 0.04).contains(&since(failed)), "{}", since(failed));
    let works_s = since(returned);
    assert!((4.813..4.813 + 0.04).contains(&works_s), "{works_s}");
    let dues: Vec<f64> = due(&out).iter().map(|(due_s, _)| *due_s).collect();
    assert_eq!(dues, [0.5, 1.0, 1.5, 2.0, 2.5, 5.5, 6.0, 6.5, 7.0]);
    assert!(
        events(&out).contains(&EventKind::ReadingWithoutWindow)
            || dues.contains(&5.0)
            || works_s > 4.7
    );
    let marked: Vec<f64> = due(&out).iter().filter(|(_, is)| *is).map(|(s, _)| *s).collect();
    assert_eq!(marked, [2.5, 5.5]);
    let (from_s, _) = span_of(&out, 5.5);
    assert!((works_s..works_s + 0.21).contains(&from_s), "{from_s} after {works_s}");
    let sent = readings(&out);
    let first = sent.iter().find(|reading| reading.event_date == Some(at(5.5))).expect("a reading");
    assert!((values(first)["electricity.voltage.rms.l1"] - 230.0).abs() < 0.01);
    for piece in [61, 977, 12_800] {
        assert_eq!(run(piece), out, "in pieces of {piece}");
    }
}

#[test]
fn no_short_term_severity_is_of_ten_minutes_that_were_not_all_measured() {
    let fields = "report_every = \"30 s\"\nhold_up = \"0.2 s\"\nboot = \"0.5 s\"\n\
                  sample_rate = \"1 kHz\"\nquantities = [\"voltage\", \"flicker\"]";
    let volts =
        |_, t_s: f64| sine(0, t_s, if (1300.0..1302.0).contains(&t_s) { 0.0 } else { 230.0 });
    let device = &mut *meter("ideal-1ph", fields, 1);
    let out = feed(device, (2430.0, 20_000), Acknowledge::AtOnce, volts, 1);
    let with = readings(&out)
        .into_iter()
        .filter(|reading| values(reading).keys().any(|name| name.contains("licker")));
    let at_s =
        |reading: MeasurementMessage| (reading.event_date.expect("dated") - START).as_seconds_f64();
    // The flickermeter settles in the first ten minutes. Those from 1200 s on were interrupted.
    assert_eq!(
        with.map(at_s).collect::<Vec<_>>(),
        [1200.0, 1230.0, 1260.0, 1290.0, 2400.0, 2430.0]
    );
}

/// The instant in the detail `from INSTANT on`, since the start.
fn noted(detail: &str) -> SimDuration {
    let instant = detail.split(' ').nth(1).expect("an instant");
    instant.parse::<SimTime>().expect("an instant") - START
}

/// Between `dark` and `works_again` nothing is sent or measured, failures and returns alternate,
/// and no reading spans a part of the darkness.
fn check(out: &[Output]) -> Result<(), TestCaseError> {
    let (mut dark_from, mut works_from) = (None, SimDuration::ZERO);
    for output in out {
        match output {
            Output::Event { kind: EventKind::Dark, detail } => {
                prop_assert!(dark_from.is_none());
                dark_from = Some(noted(detail));
            }
            Output::Event { kind: EventKind::WorksAgain, detail } => {
                prop_assert!(dark_from.take().is_some_and(|from| from < noted(detail)));
                works_from = noted(detail);
            }
            Output::Reading { span, at, .. } => {
                prop_assert!(dark_from.is_none() && span.from >= works_from);
                prop_assert!(span.from < span.to && START + span.to <= *at);
            }
            other => prop_assert!(dark_from.is_none(), "{other:?} in the dark"),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_output_in_the_dark_whatever_the_voltage_does(
        steps in prop::collection::vec((10..3000_i32, prop::bool::ANY), 1..30),
        hold_up in 50..1500_i32,
        boot in 100..3000_i32,
    ) {
        let fields = format!(
            "report_every = \"0.7 s\"\nhold_up = \"{hold_up} ms\"\nboot = \"{boot} ms\""
        );
        let (mut single, mut out, mut at) = (Single::new(&fields), Vec::new(), 0);
        for (gap, is_there) in steps {
            at += gap;
            out.extend(single.run(if is_there { 230.0 } else { 20.0 }, f64::from(at) / 1e3));
        }
        check(&out)?;
        let sent = types(&out);
        let due = ["supply.failed", "supply.returned"].iter().cycle().take(sent.len());
        prop_assert!(sent.iter().eq(due), "{:?}", sent);
    }

    #[test]
    fn how_samples_are_cut_changes_nothing(
        changes in prop::collection::vec(0.0..1.5_f64, 1..6),
        hold_up in 50..600_i32,
        boot in 100..900_i32,
        piece in 7..3000_usize,
    ) {
        let fields = format!(
            "report_every = \"0.5 s\"\nhold_up = \"{hold_up} ms\"\nboot = \"{boot} ms\"\n\
             sample_rate = \"2 kHz\"\nquantities = [\"voltage\", \"active_energy\"]\n\
             events = [\"dip\", \"interruption\"]"
        );
        let volts = |phase, t_s: f64| {
            let mut left_s = t_s;
            let over = changes.iter().take_while(|length| {
                left_s -= **length;
                left_s >= 0.0
            });
            sine(phase, t_s, if over.count() % 2 == 1 { 3.0 } else { 230.0 })
        };
        let run = |piece| {
            let device = &mut *meter("ideal-3ph", &fields, 3);
            feed(device, (5.0, piece), Acknowledge::Never, volts, 3)
        };
        let whole = run(10_000);
        check(&whole)?;
        prop_assert_eq!(run(piece), whole);
    }
}
