//! What the detector makes of single signs, one trap after the other.

use std::fmt::Write as _;

use lastmeter_grid::Network;
use lastmeter_grid::network::{Wire, Wires};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

use super::areas::{Areas, ElementKind};
use super::silence::Silence;
use super::{Detector, Meter, OutageState, Parameters, Report, Sign};

/// `grid -> cb -> bus`, from there lines `left` with the loads a1 to a6 and `right` with b1 to b6,
/// and at the bus itself c1 and c2. The first two of each line are on phase a only.
pub(super) fn network() -> Network {
    let mut text = String::from(
        "format = 1\nname = \"two lines\"\nfrequency = \"50 Hz\"\nvoltage = \"400 V\"\n\
         [[source]]\nname = \"grid\"\nnode = \"in\"\nshort_circuit_power = \"200 MVA\"\n\
         [[switch]]\nname = \"cb\"\nkind = \"breaker\"\nfrom = \"in\"\nto = \"bus\"\n",
    );
    for node in ["in", "bus", "left", "right"] {
        let _ = write!(text, "[[node]]\nname = \"{node}\"\n");
    }
    for line in ["left", "right"] {
        let _ = write!(
            text,
            "[[line]]\nname = \"{line}\"\nfrom = \"bus\"\nto = \"{line}\"\nlength = \"90 m\"\n\
             r1 = \"0.2 ohm/km\"\nx1 = \"0.1 ohm/km\"\nr0 = \"0.8 ohm/km\"\nx0 = \"0.3 ohm/km\"\n"
        );
    }
    for (node, letter, count) in [("left", 'a', 6), ("right", 'b', 6), ("bus", 'c', 2)] {
        for number in 1..=count {
            let wires = if number <= 2 { "a" } else { "abc" };
            let _ = write!(
                text,
                "[[load]]\nname = \"{letter}{number}\"\nnode = \"{node}\"\nwires = \"{wires}\"\n\
                 p = \"1 kW\"\npower_factor = 1.0\n"
            );
        }
    }
    lastmeter_grid::format::toml::read("two-lines.toml", &text).unwrap()
}

fn id(name: &str) -> HardwareId {
    HardwareId::new(format!("meter-{name}")).unwrap()
}

/// An instant, seconds after the beginning of 2027.
fn at(seconds: f64) -> SimTime {
    SimTime(1_798_761_600_000_000_000) + SimDuration::from_seconds_f64(seconds)
}

struct Bench {
    detector: Detector,
    reports: Vec<(f64, Report)>,
}

impl Bench {
    fn new() -> Self {
        Self::with(&[])
    }

    /// Meters of these loads have no last gasp.
    fn with(unequipped: &[&str]) -> Self {
        let network = network();
        let meters = network.loads.iter().map(|load| Meter {
            id: id(&load.name),
            load: load.name.to_string(),
            is_equipped: !unequipped.contains(&&*load.name),
        });
        let meters = meters.collect();
        let detector = Detector::new(Areas::new(&network), meters, Parameters::default());
        Self { detector, reports: Vec::new() }
    }

    fn to(&mut self, seconds: f64) -> &mut Self {
        while let Some(wake) = self.detector.wake_at().filter(|&wake| wake <= at(seconds)) {
            let since = (wake - at(0.0)).as_seconds_f64();
            self.reports.extend(self.detector.advance(wake).into_iter().map(|it| (since, it)));
        }
        self
    }

    /// Signs of some meters at an instant, dated by clocks that go on by so many seconds.
    fn dated(&mut self, seconds: f64, names: &[&str], sign: Sign, date: f64) -> &mut Self {
        self.to(seconds);
        for name in names {
            let meter = self.detector.meters().iter().position(|it| it.load == *name).unwrap();
            self.detector.take(at(seconds), meter, sign, at(date));
        }
        self.to(seconds)
    }

    fn take(&mut self, seconds: f64, names: &[&str], sign: Sign) -> &mut Self {
        self.dated(seconds, names, sign, seconds)
    }

    fn switch(&mut self, seconds: f64, closed: bool) -> &mut Self {
        self.to(seconds);
        let mut network = network();
        network.switches[0].closed = closed;
        self.detector.set_areas(at(seconds), Areas::new(&network), true);
        self.to(seconds)
    }

    /// What was reported since: when, number, state, and the areas' names.
    fn news(&mut self) -> Vec<(f64, u32, OutageState, String)> {
        let news = self.reports.iter().map(|(at, report)| {
            let names: Vec<&str> = report.areas.iter().map(|area| &*area.name).collect();
            (*at, report.number, report.state, names.join(" "))
        });
        let news = news.collect();
        self.reports.clear();
        news
    }

    fn last(&self) -> &Report {
        &self.reports.last().unwrap().1
    }
}

const GASP: Sign = Sign::Gasp(None);
const LEFT: [&str; 6] = ["a1", "a2", "a3", "a4", "a5", "a6"];
const RIGHT: [&str; 6] = ["b1", "b2", "b3", "b4", "b5", "b6"];

use OutageState::{Detected, PartlyRestored, Restored, Withdrawn};

#[test]
fn the_tree_has_every_element_below_what_supplies_it() {
    let areas = Areas::new(&network());
    let path = |load: &str| -> Vec<String> {
        let name = |at: u32| areas.elements()[at as usize].name.to_string();
        areas.upstream(areas.load(load).unwrap()).map(name).collect()
    };
    assert_eq!(path("a1"), ["a1", "left", "cb", "grid"]);
    assert_eq!(path("c2"), ["c2", "cb", "grid"]);
    let element = &areas.elements()[areas.load("b2").unwrap() as usize];
    assert_eq!((element.kind, element.phases.to_string()), (ElementKind::Load, "a".into()));
    let mut network = network();
    network.switches[0].closed = false;
    assert_eq!(Areas::new(&network).load("a1"), None);
}

#[test]
fn single_false_gasps_are_no_outage_at_whatever_distance_in_time() {
    let mut bench = Bench::new();
    bench.take(0.0, &["a1"], GASP).take(60.0, &["a1", "a2"], Sign::Reading);
    bench.take(600.0, &["a2"], GASP).take(700.0, &["b1"], GASP).to(9000.0);
    assert!(bench.news().is_empty());
    // Not even together with those of hours ago.
    bench.take(9500.0, &["a1"], GASP).to(20_000.0);
    assert!(bench.news().is_empty());
}

#[test]
fn one_meter_is_an_outage_once_it_is_silent_too() {
    let mut bench = Bench::new();
    bench.take(0.0, &["a3"], GASP).to(100.0);
    assert!(bench.news().is_empty());
    assert_eq!(bench.detector.unsure(), [2]);
    bench.take(900.0, &["a3"], Sign::Missing).to(910.0);
    assert_eq!(bench.news(), [(905.0, 1, Detected, "a3".into())]);
    bench.take(1500.0, &["a3"], Sign::PowerUp).to(1510.0);
    assert_eq!(bench.news(), [(1505.0, 1, Restored, "a3".into())]);
    // By an answer to a poll that stays away as well.
    bench.take(5000.0, &["b3"], GASP).take(5050.0, &["b3"], Sign::Unanswered).to(5100.0);
    assert_eq!(bench.news(), [(5055.0, 2, Detected, "b3".into())]);
}

#[test]
fn lost_gasps_are_expected_and_an_answer_contradicts() {
    let mut bench = Bench::with(&["a6"]);
    bench.take(10.0, &LEFT[..4], GASP).to(40.0);
    let report = bench.last();
    assert_eq!((report.expected.len(), report.reported.len()), (6, 4));
    assert!(report.areas[0].likelihood > 0.99 && report.areas[0].gasps == 4, "{report:?}");
    assert_eq!((report.since, report.window_closed), (at(10.0), at(40.0)));
    assert_eq!(bench.news(), [(40.0, 1, Detected, "left".into())]);
    assert_eq!(bench.detector.unsure(), [4, 5]);
    bench.take(60.0, &["a6"], Sign::Reading).to(100.0);
    assert_eq!(bench.last().contradicted, [id("a6")]);
    assert_eq!(bench.news().len(), 1);
    // Who comes back without a gasp, when others do, is back; four of five are not all.
    bench.take(200.0, &LEFT[..3], Sign::PowerUp).take(201.0, &["a4"], Sign::Reading).to(210.0);
    assert_eq!(bench.last().restored.len(), 4);
    assert_eq!(bench.news(), [(205.0, 1, PartlyRestored, "left".into())]);
    bench.take(300.0, &["a5"], Sign::Reading).to(310.0);
    assert_eq!(bench.last().until, Some(at(300.0)));
    assert_eq!(bench.news(), [(305.0, 1, Restored, "left".into())]);
}

#[test]
fn meters_without_last_gasp_are_no_evidence() {
    let mut bench = Bench::with(&["a3", "a4", "a5", "a6"]);
    bench.take(0.0, &["a1", "a2"], GASP).to(50.0);
    assert_eq!(bench.last().expected.len(), 6);
    assert_eq!(bench.news(), [(30.0, 1, Detected, "left".into())]);
    // Where all are equipped two of six are not the line, and on their phase they are.
    let mut bench = Bench::new();
    bench.take(0.0, &["a1", "a2"], GASP).to(50.0);
    assert_eq!(bench.last().areas[0].phases, Wires::NONE.with(Wire::A));
    assert_eq!(bench.news(), [(30.0, 1, Detected, "left".into())]);
}

#[test]
fn clocks_that_are_wrong_order_their_own_messages_only() {
    let mut bench = Bench::new();
    // Two hours ahead and behind; a reading that was under way when the supply failed.
    bench.dated(0.0, &LEFT[..3], GASP, 7200.0).dated(1.0, &LEFT[3..], GASP, -7200.0);
    bench.dated(20.0, &["a1"], Sign::Reading, 7190.0).to(40.0);
    assert_eq!((bench.last().first_gasp, bench.last().contradicted.len()), (Some(at(0.0)), 0));
    assert_eq!(bench.news(), [(30.0, 1, Detected, "left".into())]);
    bench.dated(60.0, &["a1"], Sign::Reading, 7255.0).to(70.0);
    assert_eq!(bench.last().contradicted, [id("a1")]);
    // A clock that is known to be behind; and a reading of before that comes late.
    let mut bench = Bench::new();
    bench.dated(0.0, &["a6"], Sign::Reading, -7200.0);
    bench.take(900.0, &LEFT[..5], GASP).dated(950.0, &["a5"], Sign::Reading, 850.0);
    bench.dated(960.0, &["a6"], Sign::Reading, 960.0 - 7200.0).to(990.0);
    assert_eq!(bench.last().contradicted, [id("a6")]);
    // Dates from any time.
    bench.detector.take(at(1000.0), 3, Sign::Reading, SimTime(i64::MIN));
    bench.detector.take(at(1000.0), 3, GASP, SimTime(i64::MAX));
}

#[test]
fn what_a_meter_sends_on_its_store_does_not_contradict_its_gasp() {
    // As in real time: readings of a second after the fault come later than the gasps.
    let mut bench = Bench::new();
    bench.take(5.0, &LEFT[2..], GASP).dated(6.2, &LEFT[3..], Sign::Reading, 6.0).to(60.0);
    assert_eq!((bench.last().contradicted.len(), bench.last().reported.len()), (0, 4));
    assert_eq!(bench.news(), [(35.0, 1, Detected, "left".into())]);
    // Nor does it bring back whom a person has switched off, nor help who did not gasp.
    let mut bench = Bench::new();
    bench.switch(10.0, false).dated(11.1, &LEFT, Sign::Reading, 11.0).to(60.0);
    assert_eq!((bench.last().restored.len(), bench.last().expected.len()), (0, 14));
    let mut bench = Bench::new();
    bench.take(5.0, &LEFT[..5], GASP).dated(6.2, &["a6"], Sign::Reading, 6.0).to(60.0);
    assert_eq!((bench.last().contradicted.len(), bench.last().expected.len()), (0, 6));
    // Two neighbours alone: without the gasps their silence would be no sign at all.
    let mut bench = Bench::new();
    bench.take(5.0, &["b4"], GASP).dated(6.4, &["b4"], Sign::Reading, 6.0);
    bench.take(65.0, &["b4"], Sign::Missing).to(100.0);
    assert_eq!(bench.news(), [(70.0, 1, Detected, "b4".into())]);
    // What comes of it longer after the gasp than it can live on that does contradict it.
    bench.take(200.0, &["b5"], GASP).dated(203.0, &["b5"], Sign::Reading, 203.0);
    bench.take(265.0, &["b5"], Sign::Missing).to(300.0);
    assert!(bench.news().is_empty());
}

#[test]
fn gasps_that_come_late_or_twice_change_no_more_than_they_have_to() {
    let mut bench = Bench::new();
    bench.take(0.0, &LEFT[..4], GASP).dated(1.0, &LEFT[..4], GASP, 0.0).to(31.0);
    assert_eq!(bench.news().len(), 1);
    bench.dated(50.0, &LEFT[..4], GASP, 0.0).to(100.0);
    assert!(bench.news().is_empty());
    bench.dated(120.0, &["a5"], GASP, 0.5).to(130.0);
    assert_eq!((bench.last().reported.len(), bench.last().number), (5, 1));
    assert_eq!(bench.news().len(), 1);
    // One that comes after its power-up message is over.
    bench.take(200.0, &["a6"], Sign::PowerUp).dated(201.0, &["a6"], GASP, 2.0).to(210.0);
    assert_eq!((bench.last().reported.len(), bench.last().restored.len()), (6, 1));
}

#[test]
fn what_happens_upstream_later_extends_an_outage() {
    let mut bench = Bench::new();
    bench.take(0.0, &LEFT, GASP).to(60.0);
    bench.take(300.0, &RIGHT, Sign::Reading).take(600.0, &RIGHT, GASP);
    bench.take(601.0, &["c1", "c2"], GASP).to(700.0);
    // Everybody has gasped by then, so that nothing can change any more.
    assert_eq!(bench.last().expected.len(), 14);
    assert_eq!(
        bench.news(),
        [(30.0, 1, Detected, "left".into()), (601.0, 1, Detected, "grid".into())]
    );
}

#[test]
fn separate_outages_have_separate_numbers_until_they_are_one() {
    let mut bench = Bench::new();
    bench.take(200.0, &LEFT[1..], GASP).take(205.0, &["c1", "c2"], Sign::Reading);
    bench.take(210.0, &RIGHT[..5], GASP).to(300.0);
    let both = [(230.0, 1, Detected, "left".into()), (230.0, 2, Detected, "right".into())];
    assert_eq!(bench.news(), both);
    // One gets its supply back, and loses it again while the other one is still out.
    bench.take(400.0, &LEFT, Sign::PowerUp).to(410.0);
    assert_eq!(bench.news(), [(405.0, 1, Restored, "left".into())]);
    bench.take(500.0, &LEFT, GASP).take(503.0, &["c1", "c2"], Sign::Reading).to(600.0);
    assert_eq!(bench.news(), [(503.0, 3, Detected, "left".into())]);
    let mut bench = Bench::with(&["c1", "c2"]);
    bench.take(200.0, &LEFT, GASP).take(205.0, &["c1", "c2"], Sign::Reading).to(300.0);
    bench.take(310.0, &["c1", "c2", "b1", "b2"], Sign::Reading);
    bench.take(320.0, &RIGHT[2..], GASP).to(400.0);
    bench.take(420.0, &["b1", "b2"], GASP).take(421.0, &["c1", "c2"], Sign::Missing).to(500.0);
    let news = bench.news();
    assert_eq!(news.last().unwrap().3, "grid", "{news:?}");
}

#[test]
fn a_switch_that_is_opened_first_is_a_planned_outage() {
    let mut bench = Bench::new();
    bench.switch(10.0, false);
    assert!(bench.last().is_planned);
    assert_eq!(bench.news(), [(10.0, 1, Detected, "cb".into())]);
    bench.take(11.0, &LEFT, GASP).to(60.0);
    assert_eq!((bench.last().is_planned, bench.last().reported.len()), (true, 6));
    assert_eq!(bench.news(), [(16.0, 1, Detected, "cb".into())]);
    bench.switch(900.0, true);
    assert_eq!(bench.news(), [(900.0, 1, Restored, "cb".into())]);
    bench.take(910.0, &LEFT, Sign::PowerUp).take(1000.0, &LEFT, Sign::Reading).to(5000.0);
    assert!(bench.news().is_empty());
    // One that trips is seen to be open when most have gasped.
    bench.take(6000.0, &LEFT, GASP).take(6000.0, &RIGHT, GASP).switch(6005.0, false).to(6100.0);
    assert!(!bench.last().is_planned);
    assert_eq!(bench.news(), [(6030.0, 2, Detected, "cb".into())]);
}

#[test]
fn false_gasps_of_neighbours_are_withdrawn_and_short_interruptions_are_over_at_once() {
    let mut bench = Bench::new();
    bench.take(0.0, &["a1", "a2"], GASP).to(40.0);
    assert_eq!(bench.news().len(), 1);
    bench.take(100.0, &["a1", "a2"], Sign::Reading).to(200.0);
    assert_eq!(bench.news(), [(105.0, 1, Withdrawn, "left".into())]);
    bench.take(1000.0, &LEFT, GASP).take(1003.0, &LEFT, Sign::PowerUp).to(1100.0);
    assert_eq!(bench.news(), [(1030.0, 2, Restored, "left".into())]);
    assert!(bench.detector.unsure().is_empty());
}

#[test]
fn a_phase_that_a_meter_of_three_names_is_out_alone() {
    let mut bench = Bench::new();
    let phase = Wires::NONE.with(Wire::C);
    bench.take(0.0, &LEFT[2..], Sign::Gasp(Some(phase))).to(40.0);
    assert_eq!(bench.last().areas[0].phases, phase);
    assert_eq!(bench.last().expected.len(), 4);
    // Four gasps against a prior of 1 : 1000, halved as it is not all phases.
    let odds = (0.9_f64 / 0.01).powi(4) * 1e-3 * 0.5;
    let unlikely = (1.0 - bench.last().areas[0].likelihood) * (1.0 + odds);
    assert!((unlikely - 1.0).abs() < 1e-4, "{unlikely}");
}

#[test]
fn who_is_not_back_when_an_outage_ends_has_one_of_his_own() {
    let mut bench = Bench::new();
    bench.take(0.0, &LEFT, GASP).take(0.0, &RIGHT, GASP).take(1.0, &["c1", "c2"], GASP).to(60.0);
    bench.take(600.0, &LEFT, Sign::PowerUp).take(600.0, &RIGHT[..5], Sign::PowerUp);
    bench.take(601.0, &["c1", "c2"], Sign::PowerUp).to(700.0);
    let last = bench.news().pop().unwrap();
    assert_eq!((last.1, last.2), (1, Restored));
    bench.take(1500.0, &["b6"], Sign::Missing).to(1600.0);
    assert_eq!(bench.news(), [(1505.0, 2, Detected, "b6".into())]);
}

#[test]
fn after_a_restart_nothing_is_reported_twice_and_the_rest_goes_on() {
    let mut first = Bench::new();
    first.take(0.0, &["a3"], GASP).take(100.0, &["a3"], Sign::Missing).to(200.0);
    first.take(300.0, &RIGHT[..5], GASP).to(340.0);
    first.take(350.0, &["b6"], Sign::Reading).to(360.0);
    first.take(400.0, &["a3"], Sign::PowerUp).to(410.0);
    let last =
        |number| first.reports.iter().rev().find(|it| it.1.number == number).unwrap().1.clone();
    let mut second = Bench::new();
    second.detector.resume(vec![last(1), last(2)]);
    // The alerts of the hour before come again.
    second.take(0.0, &["a3"], GASP).take(300.0, &RIGHT[..5], GASP);
    second.take(400.0, &["a3"], Sign::PowerUp).to(900.0);
    assert_eq!(second.news(), []);
    second.take(1000.0, &["b6"], Sign::Reading).take(1001.0, &RIGHT[..5], Sign::Missing).to(1100.0);
    assert_eq!(second.news(), []);
    second.take(1200.0, &RIGHT[..5], Sign::PowerUp).to(1210.0);
    assert_eq!(second.last().contradicted, [id("b6")]);
    assert_eq!(second.news(), [(1205.0, 2, Restored, "right".into())]);
    // A window that was open when it stopped: the gasps come again with what follows them.
    let mut third = Bench::new();
    third.detector.resume(vec![last(1), last(2)]);
    third.take(0.0, &["a3"], GASP).take(405.0, &LEFT[3..], GASP);
    third.take(407.0, &["a1", "a2"], GASP);
    third.take(408.0, &["c1", "c2"], Sign::Reading).to(500.0);
    assert_eq!(third.news(), [(435.0, 3, Detected, "left".into())]);
}

#[test]
fn readings_close_together_do_not_make_many_missing() {
    let (period, grace) = (SimDuration::from_seconds(900), SimDuration::from_seconds(60));
    let mut silence = Silence::new(period, grace);
    silence.forget(1);
    for nanosecond in 0..4 {
        let now = at(0.0) + SimDuration(nanosecond);
        silence.heard(now, 0, now);
    }
    let missing = (0..1000).take_while(|_| silence.missing(at(3600.0)).is_some()).count();
    assert!((3..=60).contains(&missing), "{missing}");
}

#[test]
fn a_reading_is_due_after_the_longer_of_two_gaps_and_the_grace() {
    let mut silence = Silence::new(SimDuration::from_seconds(900), SimDuration::from_seconds(60));
    silence.forget(1);
    // By the period at first, then by its own rhythm, which one reading between does not change.
    for (heard, due) in [(0.0, 960.0), (100.0, 1060.0), (200.0, 360.0), (250.0, 410.0)] {
        silence.heard(at(heard), 0, at(heard));
        assert_eq!(silence.wake_at(), Some(at(due)), "{heard}");
    }
    // Each one that stays away is followed by the next one, which is owed as late.
    assert_eq!((silence.missing(at(409.0)), silence.missing(at(410.0))), (None, Some(0)));
    assert_eq!(silence.wake_at(), Some(at(510.0)));
}
