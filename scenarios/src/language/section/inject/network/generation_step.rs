//! `generation-step`: a generator delivers more or less.

use lastmeter_grid::Complex64;
use lastmeter_params::{Entry, Field, Kind};
use lastmeter_sim::grid::GridInput;

use super::{ACTIVE, NetworkKind, refuse_kind};
use crate::language::names::LOAD_PREFIX;

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "generation-step",
        summary: "a generator of the network delivers more or less than its profile gives",
        description: "A generator is a load with a negative power. It holds until another one, or \
            a `load-step`, into the same element; `0 W` ends it.",
        fields: &[
            Field::required("into", Kind::Text, "`load:NAME`, as generators are called too"),
            Field::required("active_power", ACTIVE, "what it delivers more; negative: less"),
        ],
    },
    play: |motion, it| {
        let Some(name) = it.into().0.strip_prefix(LOAD_PREFIX) else {
            let kind = ("load or generator", "expected `load:NAME`");
            return refuse_kind(it.into(), kind, motion.out);
        };
        let load = motion.loads.find(name, it.into().1, motion.out)?;
        let change_va = Complex64::new(-it.values.si("active_power"), 0.0);
        motion.change((it.at, it.at), GridInput::LoadStep { load, change_va }, it.values);
        Some(())
    },
    ..NetworkKind::PLAIN
};
