//! What a check is: its row of the registry, the check at work, what both are given, and what a
//! check demands of the bench before anything runs.
//!
//! | file | purpose |
//! |---|---|
//! | `kind` | row of the registry, section of the report, the trait, the context of a verdict |
//! | `demand`, `planned` | what a check needs of a bench; the bench that a scenario plans |
//! | `selection` | keys that all checks of delays have in common |
//! | `causes` | why a reading may be missing, by what was injected |
//!
//! The kinds themselves are in `checks`.

pub(crate) mod causes;
pub(crate) mod demand;
pub(crate) mod kind;
pub(crate) mod planned;
pub(crate) mod selection;

pub use causes::CAUSES;
pub use demand::{BalancedMeters, Demand};
pub use kind::{CHECK_FIELDS, Check, CheckContext, CheckKind, JudgedAlerts, Needs, RecordTable};
pub use planned::{PlannedBench, PlannedNetwork, PlannedReports};
