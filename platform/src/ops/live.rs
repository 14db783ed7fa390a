//! Live values: what is committed, given on in the order of commit to who may have it.
//!
//! Nothing of it is copied on the way in: a subscription reads the store by ranges of sequences,
//! woken by `Progress`, so it can begin anywhere and costs ingest nothing. On a driven clock it
//! sees what is committed at each advance, when the advance is done.

use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_store::{StoreError, StoreResult, Stretch};
use tokio::sync::watch;

use super::permits::{Cuts, Looked};
use crate::config::ClockSource;
use crate::live::Shown;
use crate::shared_places::SharedPlace;

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 16;

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
    /// What may be had, asked anew for each read.
    cuts: Cuts,
    is_driven: bool,
    readings: watch::Receiver<u64>,
    alerts: watch::Receiver<u64>,
    shown: watch::Receiver<Shown>,
    position: Position,
    _place: SharedPlace,
}

impl Subscription {
    /// One that begins behind a position, or now; `None` if there are as many as may be.
    pub(crate) fn begin(cuts: Cuts, after: Option<Position>) -> Option<Self> {
        let tenant = cuts.tenant();
        let (place, shown) = tenant.live.subscribe(cuts.who()?)?;
        let is_driven = tenant.clock.source == ClockSource::Driven;
        let (readings, alerts) = (tenant.progress.readings(), tenant.progress.alerts());
        let position = Position { readings: 0, alerts: 0 };
        let mut begun = Self { cuts, is_driven, readings, alerts, shown, position, _place: place };
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
                let looked = self.cuts.readings(stretch).await;
                let rows = looked.map(|it| given(it, Event::Reading));
                return moved(&mut self.position.readings, rows, Event::DamagedReading);
            }
            if alerts < visible.alerts {
                let stretch = Stretch { after: alerts, limit: ROWS_AT_ONCE, last: visible.alerts };
                let looked = self.cuts.alerts(stretch).await;
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
