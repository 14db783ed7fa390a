//! Reports of runs and suites, from outside.
//!
//! One program, since each more is linked by itself.

#[expect(clippy::unwrap_used, reason = "a picture that cannot be read fails its test")]
#[path = "../../base/chart/tests/boxes/mod.rs"]
mod boxes;
mod changed;
mod contract;
#[path = "latency_compare/main.rs"]
mod latency_compare;
mod latency_model;
mod latency_rates;
mod latency_record;
mod latency_report;
mod latency_sample;
mod missing_clauses;
mod pictures;
mod record;
mod report;
mod sample;
mod signals;
mod spans;
mod suite_report;
mod suites;
mod text_boxes;
