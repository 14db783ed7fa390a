//! Outage detection: which part of a network is without supply, by what its meters send and do not.
//!
//! A meter whose supply fails sends a *last gasp*; some are lost, some are false. The first one
//! opens a window; when it closes, the areas are searched that explain best who gasped and who did
//! not ([`score`]). Each area is an *outage*, reported once with the meters that are expected in
//! it. Later, readings that come or stay away, and answers to polls, correct it; power-up messages
//! and readings restore it meter by meter.
//!
//! ```text
//! areas        the tree of the network as its switches stand
//!   -> score     the search on it; meters: what is known of each, and what that weighs
//!     -> detector  the machine over time: signs in, reports out; finding: what they amount to
//!       -> content   a report as a result's content and an alert, and read back
//!         -> application  what it hears and sends; reading: what it reads of the platform first,
//!                         silence: when meters owe their next readings; polls: who is asked
//! ```

mod application;
pub mod areas;
mod content;
mod detector;
mod finding;
mod meters;
mod polls;
mod reading;
mod report;
pub mod score;
mod silence;

#[cfg(test)]
mod application_tests;
#[cfg(test)]
mod tests;

use lastmeter_units::SimDuration;

pub(crate) use application::OUTAGE;
pub use detector::{Detector, Sign};
pub use meters::Meter;
pub use report::{FoundArea, OutageState, Report};

/// What the detector takes for likely, and how long it waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// From the first last gasp to the first report.
    pub window: SimDuration,
    /// From a later sign to the report of what it changes.
    pub update: SimDuration,
    /// How long a last gasp that is in no area waits for more signs.
    pub patience: SimDuration,
    /// How long a meter works on without supply: what it sends shows that it had its supply so
    /// long before.
    pub hold_up: SimDuration,
    /// Probability that a last gasp arrives.
    pub gasp: f64,
    /// Probability of a false one of a lit meter in a window.
    pub false_gasp: f64,
    /// Probability that a reading of a lit meter stays away.
    pub missed: f64,
    /// Probability that a lit meter does not answer a poll.
    pub unanswered: f64,
    /// Probability that a reading or an answer comes of a meter that should be in the dark: that it
    /// is connected elsewhere than it is documented to be.
    pub answer_in_dark: f64,
    /// Probability that there is an outage at an element when gasps come.
    pub prior: f64,
    /// How much less likely one of fewer than three phases is.
    pub partial: f64,
    /// An outage ends when this share of its meters is back.
    pub restored_share: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            window: SimDuration::from_seconds(30),
            update: SimDuration::from_seconds(5),
            patience: SimDuration::from_seconds(3600),
            hold_up: SimDuration::from_seconds(2),
            gasp: 0.9,
            false_gasp: 0.01,
            missed: 0.02,
            unanswered: 0.05,
            answer_in_dark: 0.01,
            prior: 1e-3,
            partial: 0.5,
            restored_share: 0.9,
        }
    }
}
