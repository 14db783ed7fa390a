//! What a check demands of a bench, so that a scenario can be held against it before
//! anything starts.
//!
//! It states what has to be there, never whether it is: that is for whoever knows the bench.

use lastmeter_params::Pattern;
use lastmeter_units::SimDuration;

use crate::latency::{Claim, Span};

/// The meters whose energies a check adds up.
#[derive(Clone, Debug)]
pub struct BalancedMeters {
    /// Those at the infeeds.
    pub substation: Pattern,
    /// Of those at loads, the ones that count.
    pub homes: Pattern,
    /// How long the intervals are that are judged by themselves; `None`: the whole run.
    pub every: Option<SimDuration>,
}

/// What a check on latency needs to be able to end in a verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// The measuring points it is about.
    pub span: Span,
    /// Whether it is about commands, and not about readings.
    pub of_commands: bool,
    /// The messages without which it can never pass; at least one.
    pub messages_min: u64,
    /// The share and the stall that give rise to that number: so many times as many are needed as
    /// are due within a stall. `None` if it is about no share.
    pub claim: Option<Claim>,
    /// Messages due earlier are not judged, in ns; `None`: the default of the run.
    pub warm_up_ns: Option<i64>,
    /// Whether it is judged in virtual time too, as the model's.
    pub in_virtual_time: bool,
    /// Whether it is about breakages and kills, and means nothing without.
    pub needs_breakage: bool,
}
