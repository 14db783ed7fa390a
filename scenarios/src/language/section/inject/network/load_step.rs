//! `load-step`: a load draws more or less.

use lastmeter_grid::Complex64;
use lastmeter_params::{Diagnostics, Entry, Field, Kind, Values};
use lastmeter_sim::grid::GridInput;

use super::{ACTIVE, NetworkKind, REACTIVE, refuse_target};
use crate::language::names::LOAD_PREFIX;
use crate::language::section::grid::Elements;

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "load-step",
        summary: "a load of the network draws more or less than its profile gives",
        description: "What is given is added to what the profile, or a set-point, gives in each \
            step, at rated voltage. It holds from the first step of `[grid]` that begins at `at` \
            or after it, until another `load-step` of the same load; one of `0 W` ends it.",
        fields: &[
            Field::required("into", Kind::Text, "`load:NAME`, a load of the network"),
            Field::required("active_power", ACTIVE, "what is added; negative: taken off"),
            Field::default(
                "reactive_power",
                REACTIVE,
                "\"0 var\"",
                "what is added to it, likewise",
            ),
        ],
    },
    step: Some(input),
    play: |motion, it| motion.change_by(input, it),
    ..NetworkKind::PLAIN
};

fn input(values: &Values, elements: &Elements<'_>, out: &mut Diagnostics) -> Option<GridInput> {
    let (into, span) = (values.text("into"), values.span_of("into"));
    let Some(name) = into.strip_prefix(LOAD_PREFIX) else {
        return refuse_target((into, span), "`load:NAME`", out);
    };
    let load = elements.loads.find(name, span, out)?;
    let change_va = Complex64::new(values.si("active_power"), values.si("reactive_power"));
    Some(GridInput::LoadStep { load, change_va })
}
