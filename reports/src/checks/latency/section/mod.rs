//! The part of the report about latency: pictures, tables, and what they rest on.
//!
//! The statistics are those of [`crate::latency`]; here is only how they are shown. Every picture
//! has its data beside it, and three tables (classes, quantiles, legs) have the figures of all
//! paths, so that each can be computed again from `latency.csv`.
//!
//! It never judges, and calls nothing that a model injected a measurement.
//!
//! ```text
//! declared, words                         what the checks declare; times and shares for people
//! ecdf, percentile, scatter, tukey, legs  the pictures
//! classes, floor                          the tables
//!   -> paths                              a block for each path
//! ```

mod classes;
mod declared;
mod ecdf;
mod floor;
mod legs;
mod paths;
mod percentile;
mod scatter;
mod tukey;
mod words;

pub(super) use paths::section;
