//! What is injected into the network, as far as the network has to know of it. The kinds themselves
//! are with the other injections.

use lastmeter_params::{Code, Diagnostics, Entry, Span, Values};
use lastmeter_sim::grid::GridInput;
use lastmeter_units::SimDuration;

use super::inputs::Elements;
use super::motion::MotionBuilder;
use super::pieces::find;
use crate::draft::Row;

/// What other sections want of the network.
pub(crate) struct Injected<'a> {
    /// All injections.
    pub(crate) rows: &'a [Row<'a>],
    /// Which injection into the network a table has.
    pub(crate) kind_of: fn(&Row<'_>) -> Option<&'static NetworkKind>,
    /// Whether a simulator plays it.
    pub(crate) by_simulator: bool,
}

/// A kind of injection into the network. What has a mistake is reported, and ends in `None`.
pub(crate) struct NetworkKind {
    pub(crate) entry: Entry,
    /// Whether it is a fault, which `restore` mends by its name.
    pub(crate) is_fault: bool,
    /// Whether it interrupts currents, by which an arc may end.
    pub(crate) opens: bool,
    /// What it changes in a network that only steps; `None`: it happens between steps.
    pub(crate) step: Option<StepInput>,
    /// Asks for nodes along lines before anything is played, and returns how it goes on with them;
    /// `None`: it needs none, or has a mistake.
    pub(crate) prepare:
        fn(&mut MotionBuilder<'_, '_>, &NetworkInjection<'_>) -> Option<DeferredBuild>,
    /// Makes it happen in a network in motion, unless that was prepared.
    pub(crate) play: fn(&mut MotionBuilder<'_, '_>, &NetworkInjection<'_>) -> Option<()>,
}

type StepInput = fn(&Values, &Elements<'_>, &mut Diagnostics) -> Option<GridInput>;

/// What happens once lines are divided.
pub(crate) type DeferredBuild =
    Box<dyn FnOnce(&mut MotionBuilder<'_, '_>, &NetworkInjection<'_>) -> Option<()>>;

pub(crate) struct NetworkInjection<'a> {
    /// Its place among all injections.
    pub(crate) number: usize,
    /// When, since the start.
    pub(crate) at: SimDuration,
    pub(crate) values: &'a Values,
}

impl<'a> NetworkInjection<'a> {
    /// What it is about, and where that is written.
    pub(crate) fn into(&self) -> (&'a str, Span) {
        (self.values.text("into"), self.values.span_of("into"))
    }

    /// Its name, or else its number from 1.
    pub(crate) fn name(&self) -> String {
        let name = self.values.text_opt("name");
        name.map_or_else(|| (self.number + 1).to_string(), str::to_owned)
    }

    /// The place of the element that it is about, which is one of this kind.
    pub(crate) fn find<'n>(
        &self,
        what: &str,
        names: impl Iterator<Item = &'n str> + Clone,
        out: &mut Diagnostics,
    ) -> Option<usize> {
        let (into, span) = self.into();
        let Some((_, name)) = into.split_once(':').filter(|(prefix, _)| *prefix == what) else {
            let (message, label) =
                (format!("`{into}` is not a {what}"), format!("expected `{what}:NAME`"));
            out.report(Code::BAD_NAME, span, message, label);
            return None;
        };
        find(names, (what, name), span, out)
    }
}
