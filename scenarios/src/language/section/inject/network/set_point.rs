//! `set-point`: a load draws what is given, or a source has another voltage.

use lastmeter_grid::Complex64;
use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Values};
use lastmeter_sim::grid::GridInput;

use super::{ACTIVE, NetworkKind, REACTIVE, VOLTAGE, refuse_target};
use crate::language::names::LOAD_PREFIX;
use crate::language::section::grid::{Elements, SOURCE_PREFIX};

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "set-point",
        summary: "a load of the network draws what is given, or a source has another voltage",
        description: "Of a load, `active_power` and `reactive_power` stand in place of its \
            profile, at rated voltage; of a source, `voltage` is that behind its impedance. It \
            holds from the first step of `[grid]` that begins at `at` or after it, until another \
            `set-point` of the same load or source.",
        fields: &[
            Field::required("into", Kind::Text, "`load:NAME` or `source:NAME` of the network"),
            Field::optional("active_power", ACTIVE, "what the load draws; negative: it delivers"),
            Field::optional("reactive_power", REACTIVE, "the same; `0 var` if left out"),
            Field::optional(
                "voltage",
                VOLTAGE,
                "of the source, relative to the rated voltage of its node",
            ),
        ],
    },
    step: Some(input),
    play: |motion, it| motion.change_by(input, it),
    ..NetworkKind::PLAIN
};

fn input(values: &Values, elements: &Elements<'_>, out: &mut Diagnostics) -> Option<GridInput> {
    let (into, span) = (values.text("into"), values.span_of("into"));
    if let Some(name) = into.strip_prefix(LOAD_PREFIX) {
        let load = elements.loads.find(name, span, out)?;
        has_its_keys(values, "load", ("active_power", &["voltage"]), out)?;
        let reactive_var = values.si_opt("reactive_power").unwrap_or(0.0);
        let power_va = Some(Complex64::new(values.si("active_power"), reactive_var));
        Some(GridInput::LoadSetPoint { load, power_va })
    } else if let Some(name) = into.strip_prefix(SOURCE_PREFIX) {
        let source = elements.sources.find(name, span, out)?;
        let others = ("voltage", &["active_power", "reactive_power"][..]);
        has_its_keys(values, "source", others, out)?;
        Some(GridInput::SourceVoltage { source, voltage_pu: values.si("voltage") })
    } else {
        refuse_target((into, span), "`load:NAME` or `source:NAME`", out)
    }
}

/// A set-point has the key of what it is about, and none of the other's.
fn has_its_keys(
    values: &Values,
    what: &str,
    (needed, others): (&str, &[&str]),
    out: &mut Diagnostics,
) -> Option<()> {
    if let Some(other) = others.iter().find(|key| values.get(key).is_some()) {
        let message = format!("a {what} has no `{other}` to be set");
        let label = format!("expected `{needed}`");
        out.report(Code::DOES_NOT_FIT, values.span_of(other), message, label);
        return None;
    }
    if values.get(needed).is_none() {
        let message = format!("a set-point of a {what} needs `{needed}`");
        out.report(Code::MISSING_KEY, values.span_of("into"), message, "what is it set to?");
        return None;
    }
    Some(())
}
