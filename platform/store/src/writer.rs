//! The one writer of a store: batches of work, each in a transaction.

use lastmeter_model::decide::{Decider, Outcome};
use lastmeter_model::standing::Standing;
use lastmeter_model::work::Work;
use lastmeter_units::SimTime;
use rusqlite::Connection;

use crate::error::{StoreError, StoreResult};
use crate::sqlite::{Opened, ReadContext, SqliteBatch};

/// The writing end of a store.
pub struct Writer {
    connection: Connection,
    context: ReadContext,
    decider: Decider,
}

impl Writer {
    /// Takes over an opened store of a tenant, with room for so many bytes of refused content.
    pub fn new(tenant: &str, opened: Opened, context: ReadContext, refused_bytes_max: u64) -> Self {
        let Opened { connection, standing, .. } = opened;
        let devices = std::sync::Arc::clone(&context.devices);
        let decider = Decider::new(tenant, devices, standing, refused_bytes_max);
        Self { connection, context, decider }
    }

    /// Where the store stands.
    pub fn standing(&self) -> &Standing {
        self.decider.standing()
    }

    /// Applies a batch in one transaction at an instant.
    ///
    /// # Errors
    /// If the store cannot be read or written; nothing has changed then.
    pub fn apply<'w>(
        &mut self,
        work: impl IntoIterator<Item = Work<'w>>,
        now: SimTime,
    ) -> StoreResult<Outcome> {
        let transaction =
            self.connection.transaction().map_err(StoreError::doing("begin a transaction"))?;
        let mut batch = SqliteBatch::new(transaction, &self.context);
        let decided = self.decider.decide(work, &mut batch, now)?;
        let outcome = decided.outcome();
        if outcome.content_not_kept > 0 {
            self.context.observer.content_not_kept();
        }
        batch.commit(&outcome.standing)?;
        Ok(self.decider.accept(decided))
    }
}
