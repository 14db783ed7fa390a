//! The platform of a run in virtual time: its clock, what it has sent, and kills.

use std::collections::BTreeMap;

use lastmeter_units::SimTime;

use crate::run::error::BenchError;
use crate::run::run_platform::UnderTest;
use crate::run::tenants::RestOfAll;

/// How far the devices' messages were when the platform was killed: wall-clock chance.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Kill {
    /// Readings due between the kill's sync point and the next.
    pub(crate) expected: u64,
    /// How many of them had been acknowledged.
    pub(crate) acknowledged: u64,
}

/// The platform under test, as the bench drives it.
pub(crate) struct DrivenPlatform {
    pub(crate) under_test: UnderTest,
    pub(crate) rest: RestOfAll,
    /// Messages it reports as sent to each device since the run began.
    sent: BTreeMap<String, u64>,
    /// Kills that have been ordered and have not taken place.
    pub(crate) kills_ordered: u32,
    pub(crate) kills: Vec<Kill>,
}

impl DrivenPlatform {
    pub(crate) fn new(under_test: UnderTest, rest: RestOfAll) -> Self {
        Self { under_test, rest, sent: BTreeMap::new(), kills_ordered: 0, kills: Vec::new() }
    }

    /// Advances its tenants' clocks; everything before has been committed then.
    /// How many live values went to each party since the last time.
    pub(crate) async fn advance(
        &mut self,
        to: SimTime,
    ) -> Result<BTreeMap<String, u64>, BenchError> {
        let advanced = self.rest.advance(to).await?;
        for (device, count) in advanced.sent {
            *self.sent.entry(device).or_default() += count;
        }
        Ok(advanced.parties)
    }

    /// Messages it has sent to a device.
    pub(crate) fn sent_to(&self, device: &str) -> u64 {
        self.sent.get(device).copied().unwrap_or(0)
    }
}
