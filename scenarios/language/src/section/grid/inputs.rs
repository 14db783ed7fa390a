//! Injections into the network: which element each is about, and from which step on it holds.

use lastmeter_grid::Network;
use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_sim::grid::{BreakerAt, GridChange, GridInput, Raster};
use lastmeter_units::SimDuration;

use super::injected::Injected;
use crate::draft::Row;
use crate::names::Names;

/// What the name of a source of the plant begins with.
pub(crate) const SOURCE_PREFIX: &str = "source:";

/// What the name of a fault begins with.
pub(crate) const FAULT_PREFIX: &str = "fault:";

/// Names of all that an injection may be about.
pub(crate) struct Elements<'a> {
    pub(crate) network: &'a Network,
    pub(crate) breakers: Names,
    pub(crate) loads: &'a Names,
    pub(crate) sources: Names,
}

impl<'a> Elements<'a> {
    pub(super) fn new(network: &'a Network, loads: &'a Names) -> Self {
        let switches = network.switches.iter().map(|switch| &switch.name);
        let breakers = switches.chain(network.lines.iter().map(|line| &line.name));
        let sources = network.sources.iter().map(|source| source.name.to_string());
        Self {
            network,
            breakers: Names::given("breaker", breakers.map(ToString::to_string), true),
            loads,
            sources: Names::given("source", sources, true),
        }
    }
}

/// By injection, what it changes in the network; none of the others, and after a mistake.
pub(super) fn inputs(
    injected: &Injected<'_>,
    network: &Network,
    loads: &Names,
    raster: &Raster,
    out: &mut Diagnostics,
) -> Vec<Option<GridChange>> {
    let rows = injected.rows;
    let elements = Elements::new(network, loads);
    let change = |row: &Row<'_>| {
        // What happens between steps was refused before.
        let (input, values) = ((injected.kind_of)(row)?.step?, row.values.as_ref()?);
        let input = input(values, &elements, out)?;
        let step = first_step(values, raster, out)?;
        Some(GridChange { step, input })
    };
    let changes: Vec<_> = rows.iter().map(change).collect();
    report_conflicting_inputs(rows, &changes, out);
    report_ineffective_inputs(rows, &changes, network, out);
    changes
}

/// The first step that begins at an injection's instant or after it.
fn first_step(values: &Values, raster: &Raster, out: &mut Diagnostics) -> Option<usize> {
    let at: SimDuration = values.duration("at");
    let step_ns = raster.step.0.max(1);
    let step = usize::try_from(at.0.div_euclid(step_ns) + i64::from(at.0 % step_ns != 0)).ok()?;
    if step < raster.steps {
        return Some(step);
    }
    let message = format!("no step of the network begins at {at} or after it");
    let label = format!("the last one begins at {}", raster.begin(raster.steps - 1));
    let help = "inject it earlier, or take a shorter `step` under `[grid]`";
    let code = Code::OUTSIDE_SCENARIO;
    out.report_with_help(code, values.span_of("at"), message, label, Some(help.to_owned()));
    None
}

/// Whether two inputs are about the same thing, so that the later one ends the earlier one.
pub(super) fn is_same_thing(one: &GridInput, other: &GridInput) -> bool {
    use GridInput::{Breaker, LoadSetPoint, LoadStep, SourceVoltage, Tap};
    match (*one, *other) {
        (Breaker { at, .. }, Breaker { at: other, .. }) => at == other,
        (LoadStep { load: one, .. }, LoadStep { load: other, .. })
        | (LoadSetPoint { load: one, .. }, LoadSetPoint { load: other, .. })
        | (SourceVoltage { source: one, .. }, SourceVoltage { source: other, .. }) => one == other,
        (
            Tap { transformer, winding, .. },
            Tap { transformer: other, winding: other_winding, .. },
        ) => (transformer, winding) == (other, other_winding),
        _ => false,
    }
}

/// Of two about the same thing that hold from one step on, one would never hold.
fn report_conflicting_inputs(
    rows: &[Row<'_>],
    changes: &[Option<GridChange>],
    out: &mut Diagnostics,
) {
    for (index, (row, change)) in rows.iter().zip(changes).enumerate() {
        let Some(change) = change else { continue };
        let meets = |other: &GridChange| {
            other.step == change.step && is_same_thing(&other.input, &change.input)
        };
        if changes[..index].iter().flatten().any(meets) {
            let (text, span) = row.text("into").unwrap_or(("", row.span));
            let message = format!("two injections of one kind into `{text}` hold from one step on");
            let label = "one of them would never hold";
            let help = "let them be a `step` of `[grid]` apart, which is when the network changes";
            out.report_with_help(Code::OVERLAP, span, message, label, Some(help.to_owned()));
        }
    }
}

/// A breaker is not put into the position that it has.
fn report_ineffective_inputs(
    rows: &[Row<'_>],
    changes: &[Option<GridChange>],
    network: &Network,
    out: &mut Diagnostics,
) {
    for (row, change) in rows.iter().zip(changes) {
        let Some(GridChange { step, input: GridInput::Breaker { at, is_closed } }) = change else {
            continue;
        };
        let before = changes.iter().flatten().filter_map(|other| match other.input {
            GridInput::Breaker { at: of, is_closed } if of == *at && other.step < *step => {
                Some((other.step, is_closed))
            }
            _ => None,
        });
        let was_closed = before
            .max_by_key(|(step, _)| *step)
            .map_or_else(|| at.is_closed(network), |(_, was_closed)| was_closed);
        if was_closed == *is_closed && !is_half_open(*at, network) {
            let (word, span) = row.text("state").unwrap_or(("", row.span));
            let message = format!("this breaker is {word} already");
            out.report(Code::DOES_NOT_FIT, span, message, "changes nothing");
        }
    }
}

/// A line that is open at one end is neither open nor closed.
fn is_half_open(at: BreakerAt, network: &Network) -> bool {
    match at {
        BreakerAt::Switch(_) => false,
        BreakerAt::Line(line) => {
            network.lines.get(line).is_some_and(|line| line.from_closed != line.to_closed)
        }
    }
}
