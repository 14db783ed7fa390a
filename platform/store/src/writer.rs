//! The one writer of a store: batches of work, each in a transaction.

use std::sync::Arc;

use lastmeter_model::decide::{Decided, Decider, Outcome};
use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::documents::Documents;
use lastmeter_model::standing::Standing;
use lastmeter_model::work::Work;
use lastmeter_units::{SimTime, TenantName};

use crate::error::StoreResult;
use crate::seam::{Observer, StoreWriter};

/// The writing end of a store, with the rules of what is written.
pub struct Writer {
    store: Box<dyn StoreWriter>,
    observer: Arc<dyn Observer>,
    decider: Decider,
    /// What was decided of the batch whose commit failed.
    in_doubt: Option<Decided>,
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
        Self { store, observer, decider, in_doubt: None }
    }

    /// The same with the directory that holds all resident documents of the store.
    #[must_use]
    pub fn with_documents(self, documents: Arc<Documents>) -> Self {
        Self { decider: self.decider.with_documents(documents), ..self }
    }

    /// Where the store stands.
    pub fn standing(&self) -> &Standing {
        self.decider.standing()
    }

    /// Why the next start would not find what is committed now, if that is so.
    pub fn trouble(&self) -> Option<String> {
        self.store.trouble()
    }

    /// Applies a batch in one transaction at an instant. After an error the same batch is to be
    /// applied again.
    ///
    /// # Errors
    /// If the store cannot be read or written; nothing has changed then.
    pub fn apply<'w>(
        &mut self,
        work: impl IntoIterator<Item = Work<'w>>,
        now: SimTime,
    ) -> StoreResult<Outcome> {
        if let Some(decided) = self.in_doubt.take() {
            match self.store.has_committed(&decided.outcome().standing) {
                Ok(true) => return Ok(self.decider.accept(decided)),
                Ok(false) => {}
                Err(error) => {
                    self.in_doubt = Some(decided);
                    return Err(error);
                }
            }
        }
        let mut batch = self.store.begin()?;
        let decided = self.decider.decide(work, &mut *batch, now)?;
        let outcome = decided.outcome();
        if outcome.content_not_kept > 0 {
            self.observer.content_not_kept();
        }
        if let Err(error) = batch.commit(&outcome.standing) {
            self.in_doubt = Some(decided);
            return Err(error);
        }
        Ok(self.decider.accept(decided))
    }
}
