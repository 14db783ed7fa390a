//! The checks at work while a run goes on: where they stand, for whoever watches.
//!
//! They get what those get that judge the record in the end: the run's facts first, then the steps
//! of its network, then its values and events as they come. The last word is the record's.

use std::time::{Duration, Instant};

use lastmeter_record::{Counts, GridRow, RunFacts, RunState};
use lastmeter_reports::{EvaluateError, Judge};

use crate::host::monotonic;

/// Of the time that passes at most one part in so many goes into asking the checks.
const SHARE: u32 = 100;

/// The checks of a run, and where they stood when they were asked last.
pub(super) struct Live {
    /// Takes values and events.
    pub(super) judge: Judge,
    counts: Counts,
    ask_from: Option<Instant>,
}

impl Live {
    /// Checks that know of the run, and of what its network does.
    pub(super) fn new<'a>(
        facts: &RunFacts,
        scenario_toml: &str,
        steps: impl IntoIterator<Item = &'a GridRow>,
    ) -> Result<Self, EvaluateError> {
        let mut judge = Judge::of_run(facts, scenario_toml)?;
        steps.into_iter().for_each(|row| judge.grid(row));
        Ok(Self { judge, counts: Counts::default(), ask_from: None })
    }

    /// How many checks stand at each status, were the run to end here.
    pub(super) fn now(&self, facts: &RunFacts) -> Counts {
        let facts = RunFacts { state: RunState::Finished, ..facts.clone() };
        Counts::of(self.judge.verdicts(&facts).iter().map(|verdict| verdict.status))
    }

    /// The same, as it was not long ago: it takes the longer the more there is, so the checks are
    /// asked at most so often, and the less often the longer they take.
    pub(super) fn now_and_then(&mut self, facts: &RunFacts, at_most_every: Duration) -> Counts {
        let began = monotonic();
        if self.ask_from.is_none_or(|from| began >= from) {
            self.counts = self.now(facts);
            let ended = monotonic();
            let pause = ended.duration_since(began).saturating_mul(SHARE).max(at_most_every);
            self.ask_from = ended.checked_add(pause);
        }
        self.counts
    }
}
