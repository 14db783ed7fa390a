//! Everything that is wrong with a description, each thing with its element and its place, in time
//! that grows with the network and no faster.
//!
//! Solvers report the first fault that stops them. This reports all, and what stops none as well.

mod doubts;
mod figures;
mod structure;
#[cfg(test)]
mod tests;

use crate::network::{Fault, Network, references};
use crate::topology::loops;

/// How many faults are listed one by one.
pub const MOST_LISTED: usize = 1000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What has to be mended, at most [`MOST_LISTED`] things: elements in the order of the
    /// network's lists, references first, then figures, then names, then loops.
    pub faults: Vec<Fault>,
    /// How many more there are.
    pub left_out: usize,
    /// What is solved all the same, but is hardly meant: loads that no source reaches.
    pub remarks: Vec<Fault>,
    /// Rated voltages that do not belong together, which is solved all the same: the first ones of
    /// each kind of element, and how many more there are.
    pub doubts: Vec<Fault>,
}

impl Report {
    /// Whether there is nothing to mend.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    fn add(&mut self, fault: Fault) {
        if self.faults.len() < MOST_LISTED {
            self.faults.push(fault);
        } else {
            self.left_out += 1;
        }
    }
}

/// Looks at everything.
pub fn check(network: &Network) -> Report {
    let mut report = Report::default();
    references(network, |fault| report.add(fault));
    let followed = report.is_sound();
    figures::check(network, &mut |fault| report.add(fault));
    structure::names(network, &mut |fault| report.add(fault));
    // Where references lead nowhere it is unknown what hangs together.
    if followed {
        report.doubts = doubts::doubts(network);
        structure::ends(network, &mut |fault| report.add(fault));
        let mut is_looped = false;
        loops(network, &mut |fault| {
            is_looped = true;
            report.add(fault);
        });
        if !is_looped {
            match structure::reach(network, &mut |fault| report.add(fault)) {
                Ok(remarks) => report.remarks = remarks,
                Err(fault) => report.add(fault),
            }
        }
    }
    report
}
