//! Outage detection held against storms whose truth is known, and against a search by force.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it has to be")]

mod brute_force;
mod pooled;
mod storms;
