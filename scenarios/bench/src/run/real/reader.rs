//! Reads back what the platform has stored, as soon as it can be read.
//!
//! One question is always open: the platform answers it when something new is committed, so that
//! the instant of the answer is when a reading became readable to a client, and not when somebody
//! happened to ask. A platform that does not know the long question answers at once, and is then
//! asked every [`POLL`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lastmeter_link::clock::monotonic_ns;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::report::Report;
use crate::run::alarm::Alarm;
use crate::run::error::BenchError;
use crate::run::rest::Rest;

/// How long one question stays open.
const WAIT: Duration = Duration::from_secs(2);

/// How often a platform is asked that answers every question at once.
pub(crate) const POLL: Duration = Duration::from_millis(1);

/// How long the platform may be silent before the bench is broken: a restart takes its time.
const SILENCE_LIMIT: Duration = Duration::from_mins(1);

/// How long it may answer with errors of its own.
const ERROR_LIMIT: Duration = Duration::from_secs(10);

/// Reads until it is asked to end. `polls` turns true where the platform has to be asked again and
/// again.
pub(crate) async fn read(
    mut rest: Rest,
    alarm: Alarm,
    polls: Arc<AtomicBool>,
    reports: UnboundedSender<Report>,
    mut closing: watch::Receiver<bool>,
) -> Result<(), BenchError> {
    let mut last_answer = monotonic_ns();
    loop {
        let asked = monotonic_ns();
        let answer = tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return Ok(()),
            answer = rest.readings_once(WAIT) => answer,
        };
        let at_ns = monotonic_ns();
        let elapsed = |since: i64| Duration::from_nanos((at_ns - since).max(0).unsigned_abs());
        for detail in rest.take_wrong() {
            let _ = reports.send(Report::WrongAnswer { detail });
        }
        match answer {
            Ok(page) => {
                last_answer = at_ns;
                if page.is_empty() && elapsed(asked) < WAIT / 2 {
                    polls.store(true, Ordering::Relaxed);
                    alarm.until(at_ns + POLL.as_nanos() as i64).await;
                }
                if !page.is_empty() && reports.send(Report::Stored { page, at_ns }).is_err() {
                    return Ok(());
                }
            }
            Err(error @ BenchError::WrongAnswer(_)) => return Err(error),
            // It may be starting again after a kill.
            Err(error @ BenchError::ServerError(_)) if elapsed(last_answer) > ERROR_LIMIT => {
                return Err(error);
            }
            Err(error) if elapsed(last_answer) > SILENCE_LIMIT => return Err(error),
            Err(_) => alarm.until(at_ns + 20_000_000).await,
        }
    }
}
