//! `storm`: faults at random places and instants.

use lastmeter_grid::motion::{FaultAt, NetworkAction};
use lastmeter_grid::network::{Wire, Wires};
use lastmeter_grid::transient::FaultKind;
use lastmeter_params::{Code, Dimension, Entry, Field, Kind, Pattern};
use lastmeter_units::SimDuration;
use rand::Rng as _;

use super::{LENGTH, NetworkInjection, NetworkKind};
use crate::section::grid::{FAULT_PREFIX, LinePlace, MotionBuilder};

/// The least resistance is so much of the largest.
const LEAST_SHARE: f64 = 0.005;

/// A temporary fault is gone after so long without current.
const EXTINGUISHES_S: f64 = 0.1;

pub(super) static STORM: NetworkKind = NetworkKind {
    entry: Entry {
        name: "storm",
        summary: "faults at random places and instants, each mended after a while",
        description: "Within `for` from `at` on, `faults` of them at instants that are drawn \
            evenly, each on a line of `into` (the longer, the likelier), anywhere along it: 70 % \
            one conductor to earth, 15 % two with each other, 10 % two to earth, 5 % all three; \
            resistances from 0.5 % of `resistance` up to it, evenly on a logarithmic axis; \
            inception at any angle. A share of `temporary` is gone after 0.1 s without current. \
            All others are mended after `repair`, and what protective devices have opened is \
            closed again. Drawn from the random stream `grid.storm.NUMBER` of the scenario's seed.",
        fields: &[
            Field::default("into", Kind::Text, "\"line:*\"", "which lines, as a pattern"),
            Field::required("faults", Kind::Integer { min: 1, max: 10_000 }, "how many"),
            Field::required("for", LENGTH, "within which time"),
            Field::default(
                "resistance",
                Kind::Quantity { dimension: Dimension::Resistance, min: 1e-3, max: 1e6 },
                "\"20 ohm\"",
                "the largest of a fault",
            ),
            Field::default(
                "temporary",
                Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 },
                "\"50 %\"",
                "the share that is gone once its current is interrupted",
            ),
            Field::default("repair", LENGTH, "\"1 h\"", "how long a crew takes"),
        ],
    },
    prepare: |motion, it| {
        let drawn = drawn(motion, it);
        for one in &drawn {
            motion.divide_at(one.place);
        }
        Some(Box::new(move |motion, it| play(motion, it, drawn)))
    },
    ..NetworkKind::PLAIN
};

#[derive(Clone, Copy, Debug, PartialEq)]
struct DrawnFault {
    at: SimDuration,
    place: LinePlace,
    kind: FaultKind,
    resistance_ohm: f64,
    is_temporary: bool,
}

/// What was drawn, as events.
fn play(
    motion: &mut MotionBuilder<'_, '_>,
    it: &NetworkInjection<'_>,
    drawn: Vec<DrawnFault>,
) -> Option<()> {
    let (repair, name): (SimDuration, String) = (it.values.duration("repair"), it.name());
    for (place, drawn) in drawn.into_iter().enumerate() {
        let node = motion.node_at(drawn.place)?;
        // Behind the numbers of all injections.
        let id = u32::try_from((it.number + 1) * 100_000 + place).ok()?;
        let fault = FaultAt {
            id,
            name: format!("{FAULT_PREFIX}{name}.{}", place + 1).into(),
            node,
            kind: drawn.kind,
            resistance_ohm: drawn.resistance_ohm,
            arc: None,
            angle_rad: None,
            extinguishes_s: drawn.is_temporary.then_some(EXTINGUISHES_S),
        };
        motion.event(drawn.at, NetworkAction::Fault(fault));
        motion.event(drawn.at + repair, NetworkAction::Repair { id });
    }
    Some(())
}

/// The faults of a storm, in order of time.
fn drawn(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Vec<DrawnFault> {
    let (values, network) = (it.values, &*motion.network);
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
        motion.out.report(Code::BAD_NAME, values.span_of("into"), message, label);
        return Vec::new();
    }
    let mut random = motion.streams.stream(&format!("grid.storm.{}", it.number + 1));
    let mut even = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let (at, length): (SimDuration, SimDuration) = (it.at, values.duration("for"));
    let faults = usize::try_from(values.integer("faults")).unwrap_or(0);
    let temporary = values.si("temporary");
    let mut all: Vec<DrawnFault> = (0..faults)
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
            let (place, is_temporary) = (LinePlace { line, share }, even() < temporary);
            DrawnFault { at: when, place, kind, resistance_ohm, is_temporary }
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
        count if count == 1 || kind < 0.70 => FaultKind::Ground(take(1)),
        _ if kind < 0.85 => FaultKind::Between(take(2)),
        count if kind < 0.95 || count < 3 => FaultKind::Ground(take(2)),
        _ => FaultKind::Between(take(3)),
    }
}
