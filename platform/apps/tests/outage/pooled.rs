//! Fifty storms: who is reported, when, and how that compares with who was in the dark.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_apps::outage::{Report, Sign};
use lastmeter_units::SimTime;

use super::storms::{Fault, GASP_S, GRACE_S, PERIOD_S, Storm, at, storm};

/// Counts of meters: rightly reported, wrongly reported, not reported.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    right: usize,
    wrong: usize,
    left_out: usize,
}

impl Counts {
    fn add(&mut self, truth: &BTreeSet<String>, reported: &BTreeSet<String>) {
        self.right += truth.intersection(reported).count();
        self.wrong += reported.difference(truth).count();
        self.left_out += truth.difference(reported).count();
    }

    /// The harmonic mean of precision and recall.
    fn f1(self) -> f64 {
        let Self { right, wrong, left_out } = self;
        2.0 * right as f64 / (2 * right + wrong + left_out) as f64
    }
}

/// Who is in the dark by the last report of each outage until an instant.
fn reported(reports: &[(SimTime, Report)], until: SimTime) -> BTreeSet<String> {
    let mut last: BTreeMap<u32, &Report> = BTreeMap::new();
    for (_, report) in reports.iter().take_while(|(at, _)| *at <= until) {
        last.insert(report.number, report);
    }
    let open = last.values().filter(|report| !report.state.is_final());
    let dark = open.flat_map(|report| {
        let is_lit = |id: &_| report.contradicted.contains(id) || report.restored.contains(id);
        report.expected.iter().filter(move |id| !is_lit(id))
    });
    dark.map(ToString::to_string).collect()
}

/// How long after the window the first report of a fault came, seconds; none where fewer than three
/// gasps came of it, or of fewer than three of four meters, or others just before.
fn wait_s(storm: &Storm, fault: &Fault, reports: &[(SimTime, Report)]) -> Option<f64> {
    let (before, after) = (storm.dark_at(fault.from - 0.001), storm.dark_at(fault.from));
    let is_gasp = |it: &&(SimTime, usize, Sign, SimTime)| matches!(it.2, Sign::Gasp(_));
    let of_fault = storm.signs.iter().filter(is_gasp).filter(|it| {
        let is_new = after[it.1] && !before[it.1];
        is_new && it.0 >= at(fault.from) && it.0 <= at(fault.from + GASP_S)
    });
    let of_fault: Vec<_> = of_fault.collect();
    let first = of_fault.first()?.0;
    let is_near = |it: &(SimTime, usize, Sign, SimTime)| {
        it.0 < first && (first - it.0).as_seconds_f64() <= 30.0
    };
    let count = after.iter().zip(&before).filter(|(after, before)| **after && !**before).count();
    if of_fault.len() < 3
        || 4 * of_fault.len() < 3 * count
        || storm.signs.iter().filter(is_gasp).any(is_near)
    {
        return None;
    }
    let ids: Vec<_> = of_fault.iter().map(|it| &storm.meters[it.1].id).collect();
    let is_of_fault =
        |it: &&(SimTime, Report)| it.0 >= first && it.1.expected.iter().any(|id| ids.contains(&id));
    let report = reports.iter().find(is_of_fault);
    Some(report.map_or(f64::MAX, |it| (it.0 - first).as_seconds_f64() - 30.0))
}

#[test]
fn fifty_storms_are_found_when_the_window_closes_and_better_after_a_period() {
    let (mut early, mut late) = (Counts::default(), Counts::default());
    let mut waits_s = Vec::new();
    for seed in 0..50 {
        let storm = storm(seed);
        let reports = storm.run();
        let dark_at = |seconds: f64| -> BTreeSet<String> {
            let dark = storm.dark_at(seconds);
            let dark = storm.meters.iter().zip(dark).filter(|it| it.1);
            dark.map(|it| it.0.id.to_string()).collect()
        };
        for fault in &storm.faults {
            let seconds = fault.from + GASP_S + 30.0;
            early.add(&dark_at(seconds), &reported(&reports, at(seconds)));
            // If another fault has just happened, when the window of that has closed too.
            let due = fault.from + PERIOD_S + GRACE_S + 6.0;
            let mut froms: Vec<f64> = storm.faults.iter().map(|fault| fault.from).collect();
            froms.sort_by(f64::total_cmp);
            let closed = |due: f64, from: &f64| {
                let end = from + GASP_S + 30.0;
                if *from < due && due < end { end } else { due }
            };
            let seconds = froms.iter().fold(due, closed);
            late.add(&dark_at(seconds), &reported(&reports, at(seconds)));
        }
        waits_s.extend(storm.faults.iter().filter_map(|fault| wait_s(&storm, fault, &reports)));
        let mut areas: BTreeMap<u32, Vec<Vec<&str>>> = BTreeMap::new();
        for (_, report) in &reports {
            let names = report.areas.iter().map(|area| &*area.name).collect();
            areas.entry(report.number).or_default().push(names);
        }
        // An area is corrected, not changed to and fro.
        let changes = areas.values().map(|of| of.windows(2).filter(|it| it[0] != it[1]).count());
        assert!(changes.max() <= Some(5), "storm {seed}");
        // All of them are over in the end.
        let left = reported(&reports, at(storm.end + PERIOD_S));
        assert!(left.is_empty(), "storm {seed}: {left:?}");
    }
    println!("early {early:?} F1 {:.4}; late {late:?} F1 {:.4}", early.f1(), late.f1());
    let latest_s = waits_s.iter().copied().fold(f64::MIN, f64::max);
    println!("{} first reports, at most {latest_s:.1} s after the window", waits_s.len());
    assert!(early.f1() >= 0.95, "{early:?}");
    assert!(late.f1() >= 0.98, "{late:?}");
    assert!(waits_s.len() >= 40 && latest_s <= 5.0);
}
