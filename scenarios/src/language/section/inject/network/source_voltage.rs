//! `source-voltage`: the voltage of a source goes to another value.

use lastmeter_params::{Entry, Field, Kind};
use lastmeter_sim::grid::GridInput;
use lastmeter_units::SimDuration;

use super::{NetworkInjection, NetworkKind, TIME, VOLTAGE, refuse_kind};
use crate::language::section::grid::{MotionBuilder, SOURCE_PREFIX, find};

/// A ramp goes in steps of this length.
const RAMP_STEP: SimDuration = SimDuration::from_milliseconds(100);

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "source-voltage",
        summary: "the voltage of a source goes to another value, at once or along a ramp",
        description: "Behind its impedance. A ramp goes in steps of 0.1 s. It holds until another \
            one or a `set-point` of the same source.",
        fields: &[
            Field::required("into", Kind::Text, "`source:NAME`"),
            Field::required("to", VOLTAGE, "relative to the rated voltage of its node"),
            Field::default("over", TIME, "\"0 s\"", "how long the ramp takes"),
        ],
    },
    play,
    ..NetworkKind::PLAIN
};

fn play(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<()> {
    let Some(name) = it.into().0.strip_prefix(SOURCE_PREFIX) else {
        return refuse_kind(it.into(), ("source", "expected `source:NAME`"), motion.out);
    };
    let names = motion.network.sources.iter().map(|it| &*it.name);
    let source = find(names, ("source", name), it.into().1, motion.out)?;
    let at = it.at;
    let before = motion.setup.changes.iter().filter(|(when, _)| *when <= at);
    let before = before.filter_map(|(when, input)| match input {
        GridInput::SourceVoltage { source: own, voltage_pu } if *own == source => {
            Some((*when, *voltage_pu))
        }
        _ => None,
    });
    let declared = &motion.network.sources[source];
    let rated_v = motion.network.nodes[declared.node.index()].rated_voltage_v;
    let from = before.max_by_key(|(when, _)| *when);
    let from = from.map_or(declared.voltage_v / rated_v, |(_, voltage_pu)| voltage_pu);
    let (to, over): (f64, SimDuration) = (it.values.si("to"), it.values.duration("over"));
    let steps = (over.0 / RAMP_STEP.0).max(0);
    for step in 1..=steps {
        let share = step as f64 * RAMP_STEP.0 as f64 / over.0 as f64;
        let voltage_pu = from + (to - from) * share.min(1.0);
        let when = SimDuration(at.0 + step * RAMP_STEP.0);
        motion.setup.changes.push((when, GridInput::SourceVoltage { source, voltage_pu }));
    }
    let last = GridInput::SourceVoltage { source, voltage_pu: to };
    motion.change((at, at + over), last, it.values);
    Some(())
}
