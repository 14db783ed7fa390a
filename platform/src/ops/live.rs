//! Live values: what is committed, given on in the order of commit to who may have it.
//!
//! Nothing of it is copied on the way in: a subscription reads the store by ranges of sequences,
//! woken by `Progress`, so it can begin anywhere and costs ingest nothing. On a driven clock it
//! sees what is committed at each advance, when the advance is done.

use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_store::{StoreError, StoreResult, Stretch};

use super::permits::{Cuts, Looked};
use crate::live::{Position, Watch};
use crate::shared_places::SharedPlace;

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 16;

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
    watch: Watch,
    /// The last reading and the last alert that it has given.
    position: Position,
    _place: SharedPlace,
}

impl Subscription {
    /// One that begins behind a position, or now; `None` if there are as many as may be.
    pub(crate) fn begin(cuts: Cuts, after: Option<Position>) -> Option<Self> {
        let tenant = cuts.tenant();
        let place = tenant.live.place(cuts.who()?)?;
        let mut watch = tenant.watch();
        let position = after.unwrap_or(watch.visible());
        Some(Self { cuts, watch, position, _place: place })
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
            let visible = self.watch.visible();
            if self.watch.is_over() {
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
            self.watch.news().await;
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
