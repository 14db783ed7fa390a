//! Runs in real time, end to end: what an honest bench reports when it could not keep its own time.
//!
//! One at a time, and in a program of their own, so that nothing else competes for the processor.
//! Debug builds are slow, so there are few devices here; the library's own scenarios run in full
//! in the test command, with the release build.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]
#![expect(clippy::print_stdout, reason = "why a test was skipped is for the log")]

#[path = "../e2e/bench.rs"]
#[expect(dead_code, reason = "shared with the tests in virtual time, which use all of it")]
mod bench;

mod disturbed;
mod foreign;
mod modelled;
mod outcome;
#[path = "../../platform/store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "other tests do more with it")]
mod postgres_server;
