//! What a rule would have done: the machine itself over rows that are past, without effects.

use lastmeter_model::document::Document;
use lastmeter_units::SimTime;

use super::Rules;
use crate::border::{Input, Output, Service as _};
use crate::reorder::{Reorder, Row};

/// What a rule would have done at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// When.
    pub at: SimTime,
    /// What.
    pub effects: Vec<Output>,
}

/// Runs the machine of rules from an instant up to another over documents, one of which is a rule,
/// and rows; gives each firing.
pub fn tried(
    documents: &[Document],
    rows: impl IntoIterator<Item = Row>,
    (from, until): (SimTime, SimTime),
    mut fired: impl FnMut(Firing),
) {
    let (mut rules, mut waiting) = (Rules::default(), Reorder::default());
    for row in rows {
        waiting.put(row, None);
    }
    let mut out = Vec::new();
    for document in documents {
        rules.step(from, Input::Document(document), &mut out);
    }
    let mut now = from;
    loop {
        for output in out.drain(..) {
            if let Output::InTheNameOf { effects, .. } = output {
                fired(Firing { at: now, effects });
            }
        }
        let due = waiting.due(SimTime(i64::MAX));
        let next = rules.wake_at().into_iter().chain(due).min();
        let Some(at) = next.filter(|at| *at < until) else { return };
        now = now.max(at);
        rules.step(now, Input::Wake, &mut out);
        while waiting.due(now).is_some() {
            let Some((row, is_late)) = waiting.take() else { break };
            rules.step(now, row.input(is_late), &mut out);
        }
    }
}
