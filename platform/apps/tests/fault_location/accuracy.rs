//! How far from the true place the first candidate is: a small part of the table that the example
//! `fault-location-table` prints.

use lastmeter_apps::fault_location::{Locator, Recording};

use super::rig::{
    self, CABLE, Errors, FeederKind, LOW_VOLTAGE, OVERHEAD, TrueFault, TruePlace, known,
};

/// Means of the first candidates' errors and the share of listed places, both in percent.
#[derive(Debug, Default)]
struct Accuracy {
    exact: f64,
    each_line: f64,
    all_lines: f64,
    listed: f64,
}

/// Recordings of a fault at some places, main line and branch.
fn recordings(
    of: &FeederKind,
    (name, ohm): (&str, f64),
    places: u64,
) -> Vec<(TruePlace, Recording)> {
    let recording = |at: u64| {
        let on_branch = of.branch > 0 && at % 4 == 3;
        let [from_m, length_m] = if on_branch {
            [f64::from(of.fork), f64::from(of.branch)].map(|it| it * of.section_m)
        } else {
            [0.0, of.length_m()]
        };
        let share = (at as f64 + 0.63) / places as f64;
        let place = TruePlace { on_branch, distance_m: from_m + share * length_m };
        let fault = TrueFault { place, kind: rig::kind_of(name), ohm, cycles: [5, 20] };
        let mut draws = rig::draws(7 * at + ohm as u64);
        let played = rig::play(of, &fault, &mut draws);
        (place, rig::recorded(of, &played, &mut draws))
    };
    (0..places).map(recording).collect()
}

fn accuracy(of: &FeederKind, fault: (&str, f64), places: u64) -> Accuracy {
    let recordings = recordings(of, fault, places);
    let mut accuracy = Accuracy::default();
    let by = 100.0 / recordings.len() as f64;
    for (seed, (place, recording)) in recordings.iter().enumerate() {
        let mut draws = rig::draws(90 + seed as u64);
        let mut located = |errors: Errors| {
            let known = known(&of.network(), errors, &mut draws);
            let locator = Locator::new(&known, rig::STATION, rig::options()).unwrap();
            let found = locator.locate(recording).unwrap();
            let off = (found.candidates[0].distance_m - place.distance_m).abs();
            assert!(found.candidates.len() <= 5);
            assert!(found.kind.to_string().eq_ignore_ascii_case(fault.0), "{:?}", found.kind);
            assert_eq!(found.classified, Some(found.kind));
            (off / of.length_m() * by, found)
        };
        let loads = Errors { loads: 0.2, ..Errors::default() };
        accuracy.each_line += located(Errors { lines: 0.05, ..loads }).0;
        accuracy.all_lines += located(Errors { all_lines: 0.05, ..loads }).0;
        let (off, found) = located(loads);
        accuracy.exact += off;
        let apart = found.candidates.iter().map(|it| of.apart_m(of.place(it), *place));
        if apart.fold(f64::INFINITY, f64::min) <= 0.01 * of.length_m() {
            accuracy.listed += by;
        }
    }
    accuracy
}

#[test]
fn the_first_candidate_is_near_the_true_place_up_to_10_ohm() {
    for of in [&OVERHEAD, &CABLE] {
        for fault in [("AG", 0.0), ("AG", 10.0), ("BC", 2.0), ("ABC", 10.0)] {
            let it = accuracy(of, fault, 8);
            assert!(it.exact <= 0.5, "{} {fault:?}: {it:?}", of.name);
            assert!(it.each_line <= 1.2, "{} {fault:?}: {it:?}", of.name);
            assert!(it.all_lines <= 6.0, "{} {fault:?}: {it:?}", of.name);
            assert!(it.listed >= 98.0, "{} {fault:?}: {it:?}", of.name);
        }
    }
}

#[test]
fn the_first_candidate_is_near_the_true_place_at_40_ohm() {
    for of in [&OVERHEAD, &CABLE] {
        let it = accuracy(of, ("AG", 40.0), 8);
        assert!(it.exact <= 1.5, "{}: {it:?}", of.name);
        assert!(it.each_line <= 2.0, "{}: {it:?}", of.name);
        assert!(it.all_lines <= 6.0, "{}: {it:?}", of.name);
    }
}

/// 5 m of 500 m are one percent.
#[test]
fn bolted_faults_at_low_voltage_are_located_to_5_m() {
    for name in ["AG", "BC", "ABC"] {
        let it = accuracy(&LOW_VOLTAGE, (name, 0.0), 6);
        assert!(it.exact <= 1.0, "{name}: {it:?}");
    }
}
