//! How far a store has come: how many rows of each kind it has, and up to where it has the journal.
//!
//! Written with every batch. Only the counts show that the last row of a table is gone, as nothing
//! in the table does.

use crate::audit::Chain;

/// The counts of a store, as of its last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The journal entries up to this one are in the store.
    pub journal_committed: u64,
    /// The driven clock when it was last moved, ns since 1970 UTC.
    pub clock_ns: Option<i64>,
    /// The last reading's sequence, which is also their number.
    pub readings: u64,
    /// The same of refusals.
    pub refusals: u64,
    /// The same of alerts.
    pub alerts: u64,
    /// The same of devices.
    pub devices: u64,
    /// The same of quantities.
    pub quantities: u64,
    /// The same of invocations.
    pub invocations: u64,
    /// Invocations that nobody has answered and that have not expired.
    pub open: u64,
    /// Changes the platform itself made (commands, clock); they are in no journal.
    pub changes: u64,
    /// Bytes of content kept with refusals.
    pub refused_bytes: u64,
    /// A head file has been kept beside this store.
    pub is_guarded: bool,
    /// Documents there ever were, removed ones included: a token is not given again.
    pub documents: u64,
    /// Bytes of their bodies in all versions.
    pub document_bytes: u64,
    /// The number of the last version of a document, of all documents together.
    pub versions: u64,
    /// Tokens that were made here.
    pub tokens: u64,
    /// Answers there ever were.
    pub answers: u64,
    /// The audit chain.
    pub chain: Chain,
    /// The last result's sequence.
    pub results: u64,
    /// The same of configurations.
    pub configurations: u64,
    /// The same of blocks.
    pub blocks: u64,
    /// The last reading that retention has removed.
    pub reading_floor: u64,
    /// The same of alerts.
    pub alert_floor: u64,
    /// The same of refusals.
    pub refusal_floor: u64,
    /// Devices whose buckets all have the roll-ups that they are to have; those of later rows may
    /// lack some of earlier versions.
    pub rolled_up: u64,
    /// The last result that retention has removed.
    pub result_floor: u64,
    /// The same of blocks.
    pub block_floor: u64,
}

/// How far queries see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The highest commit sequence of a reading, which is also their number.
    pub readings: u64,
    /// The highest sequence of a refusal, which is also their number.
    pub refusals: u64,
    /// The highest sequence of an alert, which is also their number.
    pub alerts: u64,
    /// The highest sequence of a result, which is also their number.
    pub results: u64,
    /// The highest sequence of a block, which is also their number.
    pub blocks: u64,
}

impl Standing {
    /// Whether roll-ups that are there may be those of a version that did not write all of them:
    /// they are to be made again from the readings, which are all there.
    pub fn has_earlier_rollups(&self) -> bool {
        self.rolled_up == 0 && self.devices > 0 && self.reading_floor == 0
    }

    /// How far queries see.
    pub fn totals(&self) -> Totals {
        let Self { readings, refusals, alerts, results, blocks, .. } = *self;
        Totals { readings, refusals, alerts, results, blocks }
    }
}
