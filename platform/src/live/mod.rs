//! Live values: what is committed, given on in the order of commit.
//!
//! Nothing of it is copied on the way in: a subscription reads the store by ranges of sequences,
//! woken by `Progress`, so it can begin anywhere and costs ingest nothing. On a driven clock it
//! sees what is committed at each advance, when the advance is done.

use std::sync::Arc;

use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_model::standing::Totals;
use lastmeter_store::{Progress, StoreError, StoreResult, Stretch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::ops::{Cuts, Looked, Reader};

/// Subscriptions of a tenant at a time.
const SUBSCRIPTIONS_MAX: usize = 256;
/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 16;

/// What all subscriptions of a tenant share.
pub(crate) struct Live {
    places: Arc<Semaphore>,
    shown: watch::Sender<Shown>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    /// How far subscriptions see on a driven clock.
    totals: Totals,
    is_over: bool,
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

    /// How many there are.
    pub(crate) fn subscriptions(&self) -> usize {
        SUBSCRIPTIONS_MAX - self.places.available_permits()
    }

    /// Ends all subscriptions.
    pub(crate) fn end(&self) {
        self.shown.send_modify(|shown| shown.is_over = true);
    }
}

/// Where a subscription stands: the last reading and the last alert that it has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) readings: u64,
    pub(crate) alerts: u64,
}

/// Something that was committed, or a row of the store that is damaged and cannot be given.
#[derive(Debug)]
pub(crate) enum Event {
    Reading(ReadingRow),
    Alert(AlertRow),
    DamagedReading,
    DamagedAlert,
}

/// One reader of what is committed.
pub(crate) struct Subscription {
    reader: Reader,
    /// What may be had, asked anew for each read.
    cuts: Cuts,
    is_driven: bool,
    readings: watch::Receiver<u64>,
    alerts: watch::Receiver<u64>,
    shown: watch::Receiver<Shown>,
    position: Position,
    _place: OwnedSemaphorePermit,
}

impl Subscription {
    /// One that begins behind a position, or now, of a tenant whose clock is driven or not; `None`
    /// if there are as many as may be.
    pub(crate) fn begin(
        live: &Live,
        (reader, progress): (Reader, &Progress),
        cuts: Cuts,
        is_driven: bool,
        after: Option<Position>,
    ) -> Option<Self> {
        let place = Arc::clone(&live.places).try_acquire_owned().ok()?;
        let (readings, alerts) = (progress.readings(), progress.alerts());
        let shown = live.shown.subscribe();
        let position = Position { readings: 0, alerts: 0 };
        let mut begun =
            Self { reader, cuts, is_driven, readings, alerts, shown, position, _place: place };
        let now = begun.visible();
        begun.position = after.unwrap_or(now);
        Some(begun)
    }

    /// Behind what has been given.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Whether everything that is committed is given.
    pub(crate) fn is_whole(&self) -> bool {
        self.cuts.is_whole()
    }

    /// The next events, none if others may have them; `None` once the tenant is closed.
    ///
    /// # Errors
    /// If the store cannot be read. Dropped before it is done, it has given nothing.
    pub(crate) async fn next(&mut self) -> StoreResult<Option<Vec<Event>>> {
        loop {
            let visible = self.visible();
            if self.shown.borrow().is_over {
                return Ok(None);
            }
            let Position { readings, alerts } = self.position;
            if readings < visible.readings {
                let stretch =
                    Stretch { after: readings, limit: ROWS_AT_ONCE, last: visible.readings };
                let looked = self.reader.readings(stretch, &mut self.cuts).await;
                let rows = looked.map(|it| given(it, Event::Reading));
                return moved(&mut self.position.readings, rows, Event::DamagedReading);
            }
            if alerts < visible.alerts {
                let stretch = Stretch { after: alerts, limit: ROWS_AT_ONCE, last: visible.alerts };
                let looked = self.reader.alerts(stretch, &mut self.cuts).await;
                let rows = looked.map(|it| given(it, Event::Alert));
                return moved(&mut self.position.alerts, rows, Event::DamagedAlert);
            }
            self.news().await;
        }
    }

    fn visible(&mut self) -> Position {
        let shown = self.shown.borrow_and_update().totals;
        let readings = *self.readings.borrow_and_update();
        let alerts = *self.alerts.borrow_and_update();
        if self.is_driven {
            Position { readings: shown.readings, alerts: shown.alerts }
        } else {
            Position { readings, alerts }
        }
    }

    async fn news(&mut self) {
        let is_wall = !self.is_driven;
        // A sender that is gone went with the tenant, which ends the subscription before.
        tokio::select! {
            _ = self.shown.changed() => {}
            _ = self.readings.changed(), if is_wall => {}
            _ = self.alerts.changed(), if is_wall => {}
        }
    }
}

/// Events, and the last sequence that was looked at.
fn given<T>(looked: Looked<T>, event: impl Fn(T) -> Event) -> (Vec<Event>, u64) {
    (looked.rows.into_iter().map(event).collect(), looked.last)
}

/// Moves a position behind what was read.
fn moved(
    position: &mut u64,
    read: StoreResult<(Vec<Event>, u64)>,
    damaged: Event,
) -> StoreResult<Option<Vec<Event>>> {
    let (events, last) = match read {
        Err(StoreError::DamagedPart(_)) => (vec![damaged], *position + 1),
        other => other?,
    };
    *position = last;
    Ok(Some(events))
}
