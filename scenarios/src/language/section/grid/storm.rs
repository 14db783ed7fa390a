//! Faults at random places and instants.

use lastmeter_grid::Network;
use lastmeter_grid::network::{Wire, Wires};
use lastmeter_grid::transient::FaultKind;
use lastmeter_params::{Code, Diagnostics, Pattern, Values};
use lastmeter_sim::Streams;
use lastmeter_units::SimDuration;
use rand::Rng as _;

/// The least resistance is so much of the largest.
const LEAST_SHARE: f64 = 0.005;

/// A temporary fault is gone after so long without current.
pub(super) const EXTINGUISHES_S: f64 = 0.1;

/// A fault that was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drawn {
    pub(super) at: SimDuration,
    pub(super) line: usize,
    pub(super) share: f64,
    pub(super) kind: FaultKind,
    pub(super) resistance_ohm: f64,
    pub(super) is_temporary: bool,
}

/// The faults of a storm, in order of time.
pub(super) fn drawn(
    number: usize,
    values: &Values,
    (network, streams): (&Network, Streams),
    out: &mut Diagnostics,
) -> Vec<Drawn> {
    let pattern = values.text("into");
    let name = pattern.strip_prefix("line:").map(Pattern::new);
    let weights: Vec<f64> = network
        .lines
        .iter()
        .map(|line| {
            let fits = name.as_ref().is_some_and(|name| name.matches(&line.name));
            let is_fed = line.from_closed && line.to_closed;
            if fits && is_fed { line.length_m.unwrap_or(100.0).max(1e-3) } else { 0.0 }
        })
        .collect();
    let whole: f64 = weights.iter().sum();
    if whole <= 0.0 {
        let message = format!("no line of the network fits `{pattern}`");
        let label = "expected `line:` and a name or a pattern with *";
        out.report(Code::BAD_NAME, values.span_of("into"), message, label);
        return Vec::new();
    }
    let mut random = streams.stream(&format!("grid.storm.{}", number + 1));
    let mut even = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let (at, length): (SimDuration, SimDuration) = (values.duration("at"), values.duration("for"));
    let faults = usize::try_from(values.integer("faults")).unwrap_or(0);
    let temporary = values.si("temporary");
    let mut all: Vec<Drawn> = (0..faults)
        .map(|_| {
            let when = SimDuration(at.0 + (even() * length.0 as f64) as i64);
            let mut left = even() * whole;
            let mut line = weights.len() - 1;
            for (place, weight) in weights.iter().enumerate() {
                if left < *weight {
                    line = place;
                    break;
                }
                left -= weight;
            }
            // Two faults of one line have two places.
            let share = 0.001 + 0.998 * even();
            let kind = kind_of(network.lines[line].from.wires.set(), even(), even());
            let most = values.si("resistance");
            let least = LEAST_SHARE * most;
            let resistance_ohm = least * libm::pow(most / least, even());
            Drawn { at: when, line, share, kind, resistance_ohm, is_temporary: even() < temporary }
        })
        .collect();
    all.sort_by_key(|one| one.at);
    all
}

/// Which conductors, of those that there are.
fn kind_of(wires: Wires, kind: f64, which: f64) -> FaultKind {
    let phases: Vec<Wire> = Wire::PHASES.into_iter().filter(|it| wires.contains(*it)).collect();
    let first = ((which * phases.len() as f64) as usize).min(phases.len().saturating_sub(1));
    let take = |count: usize| -> Wires {
        (0..count).map(|next| phases[(first + next) % phases.len()]).collect()
    };
    match phases.len() {
        0 => FaultKind::Ground(wires),
        1 => FaultKind::Ground(take(1)),
        count if kind < 0.70 => FaultKind::Ground(take(count.min(1))),
        _ if kind < 0.85 => FaultKind::Between(take(2)),
        count if kind < 0.95 || count < 3 => FaultKind::Ground(take(2)),
        _ => FaultKind::Between(take(3)),
    }
}
