//! The checks, their verdicts, and the rendering of all of it.
//!
//! The run folder ([`lastmeter_record`]) is the border between doing and judging: the runner
//! appends to it as it goes, and everything here is computed from the folder alone, so a run can be
//! judged and rendered again without running it. Each room uses those above it:
//!
//! | room | purpose |
//! |---|---|
//! | `verdict`, `exit`, `evaluation`, `console` | what a run comes to, on a terminal too |
//! | `by_device`, `delivery`, `error_limit` | readings that came, and limits of errors |
//! | `latency`, `standard`, `calibration` | statistics of delays and errors |
//! | `render` | parts of a page: texts, tables and pictures |
//! | `check` | what a check is: registry row, trait, context, section of the report |
//! | `checks` | the kinds of checks, one folder or file each |
//! | `accounts` | readings, alerts and answers that no check judges |
//! | `evaluate`, `kept` | record in, verdicts out; what stays of a record that was removed |
//! | `report`, `error` | `report.html` with its figures; why there is none |
//! | `junit`, `suite` | JUnit XML; several runs as one |
//! | `gate` | statistics of a comparison of runs in real time |
//! | `compare` | which checks and values of runs got worse; baselines |
//!
//! Terms: an *observation* is one value of one reading, reference beside reported; an *event* is
//! one thing that happened; a *check* turns the record into a *verdict*; a *suite* is several runs.
//!
//! It never talks to a platform, never reads a clock, and never asks the plant.

mod accounts;
mod by_device;
pub mod calibration;
pub mod check;
mod checks;
pub mod compare;
pub mod console;
mod delivery;
mod error;
mod error_limit;
mod evaluate;
mod evaluation;
pub mod exit;
pub mod gate;
pub mod junit;
mod kept;
pub mod latency;
mod render;
mod report;
pub mod standard;
pub mod suite;
pub mod verdict;

pub use check::{CHECK_FIELDS, CheckContext, CheckKind};
pub use checks::CHECKS;
pub use console::{format_summary, format_verdicts};
pub use error::{EvaluateError, RenderError};
pub use error_limit::resolution;
pub use evaluate::{IMPLICIT_CHECKS, Judge, evaluate, verdicts_json};
pub use evaluation::Evaluation;
pub use exit::ExitCode;
pub use kept::remove_record;
pub use report::{complete, render, render_evaluated};
pub use verdict::{At, Because, Reason, Verdict, VerdictText};
