//! How far from the true place faults are located, by formula and by the search:
//! `cargo run --release -p lastmeter-apps --example fault-location-table [PLACES]`.
//!
//! Feeders, recorder and errors are those of `tests/fault_location/rig.rs`. Of each row 20 places,
//! unless a number is given, on the main line; errors of the distance in percent of the line's
//! length, mean / largest.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a table of its own rig")]

#[path = "../tests/fault_location/rig.rs"]
mod rig;

use lastmeter_apps::fault_location::{Finding, Locator};
use rig::{CABLE, Errors, FeederKind, LOW_VOLTAGE, OVERHEAD, TrueFault, TruePlace};

/// What is measured of a row.
#[derive(Default)]
struct Row {
    errors: [Vec<f64>; 4],
    searches: [Vec<f64>; 3],
    listed: usize,
    wrong_kind: usize,
    wrong_class: usize,
    within: usize,
    count: usize,
}

fn main() {
    let places = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(20);
    println!(
        "| fault | ohm | line | reactance | Takagi | modified Takagi | search, exact lines | \
              lines 5 % each | all lines 5 % | in the list | kind | class | in 2 spreads |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for of in [&OVERHEAD, &CABLE] {
        for (name, ohm) in [
            ("AG", 0.0),
            ("AG", 2.0),
            ("AG", 10.0),
            ("AG", 40.0),
            ("BC", 2.0),
            ("BC", 10.0),
            ("CAG", 2.0),
            ("CAG", 10.0),
            ("ABC", 2.0),
            ("ABC", 10.0),
            ("ABC", 40.0),
        ] {
            show(of, name, ohm, &row(of, name, ohm, places));
        }
    }
    for name in ["AG", "BC", "CAG", "ABC"] {
        show(&LOW_VOLTAGE, name, 0.0, &row(&LOW_VOLTAGE, name, 0.0, places));
    }
}

fn show(of: &FeederKind, name: &str, ohm: f64, row: &Row) {
    let share = |errors: &Vec<f64>| {
        let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
        let largest = errors.iter().copied().fold(0.0, f64::max);
        format!("{:.2} / {:.2}", 100.0 * mean / of.length_m(), 100.0 * largest / of.length_m())
    };
    let formulas: Vec<String> = row.errors[..3].iter().map(share).collect();
    let searches: Vec<String> = row.searches.iter().map(share).collect();
    let (listed, within) = (
        100.0 * row.listed as f64 / row.count as f64,
        100.0 * row.within as f64 / row.count as f64,
    );
    println!(
        "| {name} | {ohm} | {} | {} | {} | {listed:.0} % | {} | {} | {within:.0} % |",
        of.name,
        formulas.join(" | "),
        searches.join(" | "),
        row.wrong_kind,
        row.wrong_class,
    );
}

fn row(of: &FeederKind, name: &str, ohm: f64, places: u32) -> Row {
    let mut row = Row::default();
    for place in 0..places {
        let mut draws = rig::draws(1000 * u64::from(place) + ohm as u64);
        let distance_m = (f64::from(place) + 0.37) / f64::from(places) * of.length_m();
        let place = TruePlace { on_branch: false, distance_m };
        let fault = TrueFault { place, kind: rig::kind_of(name), ohm, cycles: [5, 20] };
        let played = rig::play(of, &fault, &mut draws);
        let recording = rig::recorded(of, &played, &mut draws);
        let loads = Errors { loads: 0.2, ..Errors::default() };
        let kinds = [loads, Errors { lines: 0.05, ..loads }, Errors { all_lines: 0.05, ..loads }];
        for (at, errors) in kinds.into_iter().enumerate() {
            let known = rig::known(&of.network(), errors, &mut draws);
            let locator = Locator::new(&known, rig::STATION, rig::options()).unwrap();
            let found = locator.locate(&recording).unwrap();
            row.searches[at].push((found.candidates[0].distance_m - distance_m).abs());
            if at == 0 {
                row.take(of, name, place, &found);
            }
        }
    }
    row
}

impl Row {
    fn take(&mut self, of: &FeederKind, name: &str, place: TruePlace, found: &Finding) {
        let formulas = &found.formulas;
        let all = [formulas.reactance_m, formulas.takagi_m, formulas.modified_takagi_m];
        for (errors, metres) in self.errors.iter_mut().zip(all) {
            errors.push((metres.unwrap() - place.distance_m).abs());
        }
        self.count += 1;
        let nearest = found.candidates.iter().map(|it| of.apart_m(of.place(it), place));
        let nearest = nearest.fold(f64::INFINITY, f64::min);
        self.listed += usize::from(nearest <= 0.01 * of.length_m());
        let first = &found.candidates[0];
        let is_within = (first.distance_m - place.distance_m).abs() <= 2.0 * first.spread_m;
        self.within += usize::from(is_within);
        let is = |kind: String| kind.to_uppercase() == name || (name == "CAG" && kind == "acg");
        self.wrong_kind += usize::from(!is(found.kind.to_string()));
        self.wrong_class += usize::from(!found.classified.is_some_and(|it| is(it.to_string())));
    }
}
