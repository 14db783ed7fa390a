//! What all live subscriptions of a tenant share.

use std::sync::Arc;

use lastmeter_model::standing::Totals;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Subscriptions of a tenant at a time.
const SUBSCRIPTIONS_MAX: usize = 256;

pub(crate) struct Live {
    places: Arc<Semaphore>,
    shown: watch::Sender<Shown>,
}

/// What subscriptions may see.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// How far they see on a driven clock.
    pub(crate) totals: Totals,
    pub(crate) is_over: bool,
}

impl Default for Live {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(SUBSCRIPTIONS_MAX));
        Self { places, shown: watch::Sender::new(Shown::default()) }
    }
}

impl Live {
    /// On a driven clock subscriptions see so far from now on.
    pub(crate) fn show(&self, totals: Totals) {
        self.shown.send_modify(|shown| shown.totals = totals);
    }

    /// A place for one more, and what it may see; `None` if there are as many as may be.
    pub(crate) fn subscribe(&self) -> Option<(OwnedSemaphorePermit, watch::Receiver<Shown>)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some((place, self.shown.subscribe()))
    }

    /// How many there are.
    pub(crate) fn subscriptions(&self) -> usize {
        SUBSCRIPTIONS_MAX - self.places.available_permits()
    }

    /// Ends all subscriptions.
    pub(crate) fn end(&self) {
        self.shown.send_modify(|shown| shown.is_over = true);
    }
}
