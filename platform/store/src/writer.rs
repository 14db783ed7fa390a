//! The one writer of a store: batches of work, each in a transaction.

use std::sync::Arc;

use lastmeter_model::decide::{Decided, Decider, Outcome, Retention};
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
    /// What was decided of the batch whose commit failed, and whether that was of works of the
    /// store's own.
    in_doubt: Option<(Decided, bool)>,
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

    /// Moves the driven clock without a transaction: the next one has it. Not while a batch is in
    /// doubt; `false` then.
    pub fn move_clock(&mut self, now: SimTime) -> bool {
        if self.in_doubt.is_none() {
            self.decider.move_clock(now);
        }
        self.in_doubt.is_none()
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
        if let Some((decided, is_own)) = self.doubtless()? {
            let outcome = self.decider.accept(decided);
            if !is_own {
                return Ok(outcome);
            }
        }
        let mut batch = self.store.begin()?;
        let decided = self.decider.decide(work, &mut *batch, now)?;
        let outcome = decided.outcome();
        if outcome.content_not_kept > outcome.beyond_share {
            self.observer.content_not_kept();
        }
        if let Err(error) = batch.commit(&outcome.standing) {
            self.in_doubt = Some((decided, false));
            return Err(error);
        }
        Ok(self.decider.accept(decided))
    }

    /// The batch whose commit failed, if it has been committed all the same.
    fn doubtless(&mut self) -> StoreResult<Option<(Decided, bool)>> {
        let Some((decided, is_own)) = self.in_doubt.take() else { return Ok(None) };
        match self.store.has_committed(&decided.outcome().standing) {
            Ok(has_committed) => Ok(has_committed.then_some((decided, is_own))),
            Err(error) => {
                self.in_doubt = Some((decided, is_own));
                Err(error)
            }
        }
    }

    /// Does a part of what is to be done without being asked for, in a transaction at an instant:
    /// removes what is kept no longer, and writes roll-ups that earlier versions have not. Whether
    /// there may be more to do.
    ///
    /// # Errors
    /// If the store cannot be read or written; nothing has changed then.
    pub fn tend(&mut self, limits: Retention, now: SimTime) -> StoreResult<bool> {
        // A batch that is in doubt comes again, and before anything else.
        if self.in_doubt.as_ref().is_some_and(|(_, is_own)| !is_own) {
            return Ok(false);
        }
        if let Some((decided, _)) = self.doubtless()? {
            self.decider.accept(decided);
        }
        if !self.decider.is_to_tend(limits, now) {
            return Ok(false);
        }
        let mut batch = self.store.begin()?;
        let decided = self.decider.tend(&mut *batch, limits, now)?;
        if let Err(error) = batch.commit(&decided.outcome().standing) {
            self.in_doubt = Some((decided, true));
            return Err(error);
        }
        self.decider.accept(decided);
        Ok(self.decider.is_to_tend(limits, now))
    }
}
