//! The statistics of latency: what may be concluded about a run's delays, and what not.
//!
//! | file | purpose |
//! |---|---|
//! | `message`, `requirement` | a message with its delay; limits of standards |
//! | `expected_rows` | rows that the record has to have |
//! | `hold_up`, `validity` | what load and clock of the machine did to it |
//! | `population`, `stream`, `due`, `blocks`, `values` | what is counted, in one pass |
//! | `quantile`, `binomial` | quantiles, exact bounds |
//! | `judge` | counts and bounds in, a judgement out |
//! | `analysis` | all paths, legs and classes of a run, for the report |
//!
//! Terms: a *delay* is the time a message took between two measuring points; the *population* is
//! every message that was due in the judged time, lost ones with an infinite delay; a *claim* is
//! that at least a share of them, the *coverage*, is within a limit, if no *stall* of the whole
//! bench lasts longer than declared. A verdict has three values and rests on an exact binomial
//! bound at 95 % confidence, in which the messages that one stall may hit count as one
//! ([`judge()`]).
//!
//! What a pass may be called: *timing consistent with TT3 at p99.9, 95 % confidence, this run, if
//! no stall lasts longer than 1.4 s*. It is never compliance with a standard: IEC 61850-5 gives
//! limits and no percentile.
//!
//! Nothing here reads a clock, removes an outlier, or subtracts the floor.

mod analysis;
mod binomial;
mod blocks;
mod due;
mod expected_rows;
mod hold_up;
mod judge;
mod message;
mod population;
mod quantile;
mod requirement;
mod stream;
mod validity;
mod values;

pub(crate) use analysis::points_of;
pub use analysis::{Analysis, Analyst, COVERAGES, ClassRow, LegFigures, analyse};
pub use binomial::{
    CONFIDENCE, deciding_rank, lower_bound, needed_sample_size, sample_size_with, upper_bound,
};
pub use blocks::{BLOCK_NS, BLOCKS_MIN, Blocks, DesignEffect, design_effect};
pub use due::{Due, Late};
pub(crate) use expected_rows::{ExpectedRows, MissingRows};
pub use hold_up::HoldUps;
pub use judge::{Claim, DEFAULT_STALL_NS, Grounds, Judgement, LimitEvidence, Tally, judge};
pub use message::{
    Limit, Message, NamedMessage, Span, Window, default_warm_up_ns, describe, grace_ns,
};
pub use population::{InOrder, MovedBy, Population};
pub use quantile::{Delay, INFINITE, TukeyBox, nearest_rank, rank, tukey_box, type_7};
pub use requirement::{
    Provenance, Requirement, RequirementTable, find_class, find_profile, requirement_tables,
    transfer_time_classes,
};
pub use validity::{FloorBound, Validity};
pub use values::{Distribution, EXACT_MAX, Values};
