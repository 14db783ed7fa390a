//! The one writer of a store: batches of work, each in a transaction.

use std::sync::Arc;

use lastmeter_model::decide::{Decider, Outcome};
use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::standing::Standing;
use lastmeter_model::work::Work;
use lastmeter_units::{SimTime, TenantName};

use crate::error::StoreResult;
use crate::seam::{Observer, StoreWriter};
use crate::sqlite::{Opened, ReadContext, SqliteWriter};

/// The writing end of a store, with the rules of what is written.
pub struct Writer {
    store: Box<dyn StoreWriter>,
    observer: Arc<dyn Observer>,
    decider: Decider,
}

impl Writer {
    /// Writes a tenant's store that stands there, with room for so many bytes of refused content.
    /// `devices` holds all that the store has.
    pub fn new(
        tenant: &TenantName,
        (store, standing): (Box<dyn StoreWriter>, Standing),
        (devices, observer): (Arc<DeviceDirectory>, Arc<dyn Observer>),
        refused_bytes_max: u64,
    ) -> Self {
        let decider = Decider::new(tenant.as_str(), devices, standing, refused_bytes_max);
        Self { store, observer, decider }
    }

    /// Writes a file that has been opened.
    ///
    /// # Errors
    /// If it is not there any more.
    pub fn sqlite(
        tenant: &TenantName,
        opened: Opened,
        context: ReadContext,
        refused_bytes_max: u64,
    ) -> StoreResult<Self> {
        let Opened { connection, standing, .. } = opened;
        let around = (Arc::clone(&context.devices), Arc::clone(&context.observer));
        let store = Box::new(SqliteWriter::new(connection, context)?);
        Ok(Self::new(tenant, (store, standing), around, refused_bytes_max))
    }

    /// Where the store stands.
    pub fn standing(&self) -> &Standing {
        self.decider.standing()
    }

    /// Why the next start would not find what is committed now, if that is so.
    pub fn trouble(&self) -> Option<String> {
        self.store.trouble()
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
        let mut batch = self.store.begin()?;
        let decided = self.decider.decide(work, &mut *batch, now)?;
        let outcome = decided.outcome();
        if outcome.content_not_kept > 0 {
            self.observer.content_not_kept();
        }
        batch.commit(&outcome.standing)?;
        Ok(self.decider.accept(decided))
    }
}
