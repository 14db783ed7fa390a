//! What the aggregator of a household leaves in the record of a run, in fields.

use lastmeter_household::{Amount, Energy};
use lastmeter_units::SimTime;

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The load or unit that it is about; none: the household as a whole.
    pub about: Option<String>,
    /// What is done, such as `open`, `close`, `start`, `run`.
    pub action: &'static str,
    /// Why, in a word of its rule, such as `limit`, `price`, `window`, `customer`.
    pub reason: &'static str,
    /// By which strategy.
    pub strategy: &'static str,
    /// Net power in W at that instant.
    pub net_w: Option<i64>,
    /// The limit in W that held.
    pub limit_w: Option<i64>,
    /// For when it is planned.
    pub planned_for: Option<SimTime>,
    /// The same in a sentence.
    pub detail: String,
}

/// The bill so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billed {
    /// The reading it begins with.
    pub from: SimTime,
    /// The last reading in it.
    pub until: SimTime,
    /// Energy taken that is charged.
    pub import: Energy,
    /// Energy fed in that is paid for.
    pub export: Energy,
    /// What is to be paid.
    pub total: Amount,
    /// Its currency.
    pub currency: String,
    /// Steps that are left open.
    pub open_steps: usize,
}
