//! What meters report of their supply after a fault, on its candidates.
//!
//! Protection cuts off a part of the feeder with the fault in it. So no meter behind the true place
//! is lit; and one that is dark belongs to that part, which begins somewhere between the last node
//! of the way to the place from which a lit meter is fed, and the place. A meter that contradicts a
//! candidate makes it less likely by the probability that such a report is false. Where no meter
//! lost its supply the fault went out by itself, and those behind it are as lit as all others: then
//! dips show nothing.

use std::collections::BTreeMap;

use lastmeter_grid::fault_search::{Candidate, Feeder};

/// How a load is supplied after the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Its meter reports an interruption, by a last gasp or later.
    Lost,
    /// Its meter reports a dip and no more.
    Kept,
}

/// What is known of loads, by their indices in the network.
pub type Evidence = BTreeMap<usize, Supply>;

/// The probability that a report is false.
const FALSE: f64 = 0.01;

/// Weighs candidates by what meters report, and sorts them.
pub fn rank(feeder: &Feeder, candidates: &mut [Candidate], evidence: &Evidence) {
    for candidate in candidates.iter_mut() {
        let contradictions = contradictions(feeder, candidate.line, evidence);
        candidate.likelihood *= FALSE.powi(i32::try_from(contradictions.min(50)).unwrap_or(50));
    }
    let sum: f64 = candidates.iter().map(|it| it.likelihood).sum();
    if sum > 0.0 {
        for it in candidates.iter_mut() {
            it.likelihood /= sum;
        }
    }
    candidates.sort_by(|a, b| b.likelihood.total_cmp(&a.likelihood));
}

/// How many reports a fault on a line does not explain.
fn contradictions(feeder: &Feeder, line: u32, evidence: &Evidence) -> usize {
    let of = |supply: Supply| {
        let those = evidence.iter().filter(move |it| *it.1 == supply);
        those.filter_map(|(load, _)| feeder.ways(line, *load)).collect::<Vec<_>>()
    };
    let (kept, lost) = (of(Supply::Kept), of(Supply::Lost));
    if lost.is_empty() {
        return 0;
    }
    let lit_behind = kept.iter().filter(|it| it.is_behind).count();
    let fed = kept.iter().filter(|it| !it.is_behind).map(|it| it.common).max().unwrap_or(0);
    let elsewhere = lost.iter().filter(|it| it.common <= fed).count();
    lit_behind + elsewhere
}
