//! The kinds of checks: what may stand in a `[[check]]` table, and how the record is judged by it.
//!
//! A check is fed the record in its order and keeps a bounded summary of it; it may be asked for
//! its verdict at any time, so progress can be shown while a run goes on. One file or folder per
//! check, one line in [`CHECKS`]; the section of the report is in the folder.
//!
//! | of | files |
//! |---|---|
//! | readings and values | `no_loss`, `refused`, `display`, `accuracy`, `signal`, `energy_balance`, `suspicion` |
//! | commands, alerts, requests | `command_ack`, `alerts`, `requests` |
//! | a household's aggregator | `household` |
//! | what applications conclude | `applications` |
//! | meters and a network in motion | `motion` (its own map) |
//! | delays | `latency`, `jitter`, `published`, `recovery`, `rate`, `exchange_ratio`; `rows`, `share` |
//! | standards | `test_plan`, `published_table`, `calibration` |
//! | of your own | `external` |
//! | what several need | `read` (makes them from tables), `reading_count` |

pub(crate) mod accuracy;
mod alerts;
mod applications;
mod calibration;
pub(crate) mod command_ack;
mod display;
mod energy_balance;
mod exchange_ratio;
mod external;
mod household;
mod jitter;
mod latency;
mod motion;
mod no_loss;
mod published;
mod published_table;
mod rate;
mod read;
mod reading_count;
mod recovery;
mod refused;
mod requests;
mod rows;
mod share;
mod signal;
mod suspicion;
mod test_plan;

use crate::check::CheckKind;

/// Every kind of check.
pub static CHECKS: &[CheckKind] = &[
    accuracy::KIND,
    no_loss::KIND,
    command_ack::KIND,
    refused::KIND,
    display::KIND,
    requests::KIND,
    external::KIND,
    alerts::KIND,
    motion::event::KIND,
    motion::supply::LAST_GASP,
    motion::supply::RESTORED,
    motion::tamper::KIND,
    motion::protection_operation::KIND,
    motion::reliability::KIND,
    latency::KIND,
    jitter::KIND,
    recovery::KIND,
    rate::KIND,
    exchange_ratio::KIND,
    household::BILL,
    household::DECISIONS,
    applications::OUTAGE_AREA,
    applications::FAULT_DISTANCE,
    published::KIND,
    published_table::KIND,
    test_plan::KIND,
    calibration::KIND,
    energy_balance::KIND,
    suspicion::KIND,
    signal::kinds::STEP,
    signal::kinds::CONSTANT,
    signal::kinds::SETTLES,
    signal::kinds::FOLLOWS,
];

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::testing;
