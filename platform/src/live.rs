//! What all who follow what a tenant commits share: how far they may see, and as what they show it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use lastmeter_model::access::{Principal, PrincipalRef};
use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_model::standing::Totals;
use lastmeter_store::{Progress, Rows, StoreError, StoreResult, lock};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::shared_places::{SharedPlace, SharedPlaces};

/// Subscriptions of a tenant at a time.
const SUBSCRIPTIONS_MAX: usize = 256;

pub(crate) struct Live {
    places: SharedPlaces,
    shown: watch::Sender<Shown>,
    /// How far live topics have come, while there are any.
    published: watch::Sender<Option<Position>>,
    /// What was published on them since that was asked last: to how many connections of whom.
    parties: Mutex<BTreeMap<String, u64>>,
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
        let places = SharedPlaces::new(SUBSCRIPTIONS_MAX);
        let (shown, published) = (watch::Sender::new(Shown::default()), watch::Sender::new(None));
        Self { places, shown, published, parties: Mutex::default() }
    }
}

impl Live {
    /// On a driven clock subscriptions see so far from now on.
    pub(crate) fn show(&self, totals: Totals) {
        self.shown.send_modify(|shown| shown.totals = totals);
    }

    /// A place for one more; `None` if there are as many as may be, of all or of this principal.
    pub(crate) fn place(&self, who: &Principal) -> Option<SharedPlace> {
        self.places.take(who)
    }

    /// A watch on what is committed.
    pub(crate) fn watch(&self, progress: &Progress, is_driven: bool) -> Watch {
        let (readings, alerts) = (progress.readings(), progress.alerts());
        Watch { is_driven, readings, alerts, shown: self.shown.subscribe() }
    }

    /// Live topics have come so far; `None`: they are closed.
    pub(crate) fn published(&self, at: Option<Position>) {
        self.published.send_replace(at);
    }

    /// A message has gone to these.
    pub(crate) fn went_to(&self, parties: Vec<PrincipalRef>) {
        let mut counts = lock(&self.parties);
        for party in parties {
            *counts.entry(party.to_string()).or_default() += 1;
        }
    }

    /// Waits until all that is shown is on the live topics, where there are any: how many messages
    /// went to whom since this was asked last.
    pub(crate) async fn take_parties(&self, totals: Totals) -> BTreeMap<String, u64> {
        let to = Position { readings: totals.readings, alerts: totals.alerts };
        let is_there = |at: &Option<Position>| {
            at.is_none_or(|at| at.readings >= to.readings && at.alerts >= to.alerts)
        };
        // It is here as long as its sender, so waiting has no other end.
        let _ = self.published.subscribe().wait_for(is_there).await;
        std::mem::take(&mut *lock(&self.parties))
    }

    /// How many there are.
    pub(crate) fn subscriptions(&self) -> usize {
        self.places.taken()
    }

    /// Ends all subscriptions.
    pub(crate) fn end(&self) {
        self.shown.send_modify(|shown| shown.is_over = true);
    }
}

/// Up to which reading and which alert something has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) readings: u64,
    pub(crate) alerts: u64,
}

/// Sees what is committed, on a driven clock at each advance, when that is done.
pub(crate) struct Watch {
    is_driven: bool,
    readings: watch::Receiver<u64>,
    alerts: watch::Receiver<u64>,
    shown: watch::Receiver<Shown>,
}

impl Watch {
    /// What may be seen by now.
    pub(crate) fn visible(&mut self) -> Position {
        let shown = self.shown.borrow_and_update().totals;
        let readings = *self.readings.borrow_and_update();
        let alerts = *self.alerts.borrow_and_update();
        if self.is_driven {
            Position { readings: shown.readings, alerts: shown.alerts }
        } else {
            Position { readings, alerts }
        }
    }

    /// All that is committed by now, whether it is shown or not.
    pub(crate) fn committed(&mut self) -> Position {
        let readings = *self.readings.borrow_and_update();
        let alerts = *self.alerts.borrow_and_update();
        Position { readings, alerts }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.shown.borrow().is_over
    }

    /// Waits for more, or for the end.
    pub(crate) async fn news(&mut self) {
        let is_wall = !self.is_driven;
        // A sender that is gone went with the tenant, which ends all of this before.
        tokio::select! {
            _ = self.shown.changed() => {}
            _ = self.readings.changed(), if is_wall => {}
            _ = self.alerts.changed(), if is_wall => {}
        }
    }
}

/// The rows that were found; the place moves behind them, or behind one that is damaged, which is
/// reported where it is found.
///
/// # Errors
/// If the store could not be read; the place stays.
pub(crate) fn sound<T>(
    found: StoreResult<Rows<T>>,
    (at, last): (&mut u64, u64),
    sequence: impl Fn(&T) -> u64,
) -> StoreResult<Vec<T>> {
    match found {
        Ok(found) => {
            let end = found.rows.last().map(sequence).filter(|_| found.is_more);
            *at = end.unwrap_or(last);
            Ok(found.rows)
        }
        Err(StoreError::DamagedPart(_)) => {
            *at += 1;
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// A reading as it is shown live, with the values that are asked for; `None` if it has none.
pub(crate) fn reading_json(row: &ReadingRow, is_asked: impl Fn(&str) -> bool) -> Option<Value> {
    let values = row.values.iter().map(|(name, value)| (&**name, *value));
    let values: BTreeMap<&str, f64> = values.filter(|(name, _)| is_asked(name)).collect();
    (!values.is_empty()).then(|| {
        json!({
            "device": row.device,
            "epoch": row.number.map(|(epoch, _)| epoch),
            "serial": row.number.map(|(_, serial)| serial),
            "event_time": row.event,
            "values": values,
        })
    })
}

/// An alert as it is shown live.
pub(crate) fn alert_json(row: &AlertRow) -> Value {
    json!({
        "device": row.device,
        "type": row.kind,
        "level": row.level,
        "message": row.message,
        "event_time": row.event,
        "metadata": row.metadata,
    })
}

#[cfg(test)]
mod tests {
    use lastmeter_units::TenantName;

    use super::*;

    #[test]
    fn one_user_takes_a_quarter_of_the_streams_and_the_bench_finds_a_place() {
        let of = |text: &str| Principal::of(text.parse().unwrap(), TenantName::default());
        let (live, ann) = (Live::default(), of("user:ann"));
        let held: Vec<_> = std::iter::from_fn(|| live.place(&ann)).collect();
        assert_eq!(held.len(), 64);
        assert!(live.place(&of("user:bob")).is_some());
        assert!(live.place(&of("bench")).is_some());
    }
}
