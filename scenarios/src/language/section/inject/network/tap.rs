//! `tap`: the taps of a transformer move.

use lastmeter_params::{Code, Entry, Field, Kind};
use lastmeter_sim::grid::GridInput;

use super::{NetworkInjection, NetworkKind, refuse_kind};
use crate::language::section::grid::{MotionBuilder, find};

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "tap",
        summary: "the taps of a transformer move",
        description: "To a position of the winding that has taps. A regulator of the network moves \
            on from there.",
        fields: &[
            Field::required("into", Kind::Text, "`transformer:NAME`"),
            Field::required("position", Kind::Integer { min: -1000, max: 1000 }, "where to"),
        ],
    },
    play,
    ..NetworkKind::PLAIN
};

fn play(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<()> {
    let Some(name) = it.into().0.strip_prefix("transformer:") else {
        let kind = ("transformer", "expected `transformer:NAME`");
        return refuse_kind(it.into(), kind, motion.out);
    };
    let names = motion.network.transformers.iter().map(|it| &*it.name);
    let transformer = find(names, ("transformer", name), it.into().1, motion.out)?;
    let windings = &motion.network.transformers[transformer].windings;
    let winding = windings.iter().position(|it| it.tap.is_some()).unwrap_or(0);
    let position = i32::try_from(it.values.integer("position")).ok()?;
    let change = GridInput::Tap { transformer, winding, position };
    if let Err(why) = change.check(motion.network) {
        let label = "this tap changer cannot stand there";
        let span = it.values.span_of("position");
        motion.out.report(Code::DOES_NOT_FIT, span, why.to_string(), label);
        return None;
    }
    motion.change((it.at, it.at), change, it.values);
    Some(())
}
