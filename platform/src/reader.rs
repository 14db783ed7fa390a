//! Reading a tenant's data: the one way to its store for those who ask over REST. Every query is
//! made with what a permit leaves of a device, and what hides behind it is not read.

use std::collections::BTreeSet;
use std::sync::Arc;

use lastmeter_model::access::{Cut, Permit};
use lastmeter_model::audit::AuditRow;
use lastmeter_model::invocation::StoredInvocation;
use lastmeter_model::row::{DeviceRow, DeviceState, ReadingRow, RefusalRow};
use lastmeter_store::{
    Page, Range, Series, SeriesQuery, StoreReader, StoreResult, Stretch, Summaries, SummaryQuery,
};
use lastmeter_units::{HardwareId, MeasurementId, SimTime};

/// Queries of one tenant's data.
#[derive(Clone)]
pub(crate) struct Reader(Arc<dyn StoreReader>);

impl Reader {
    pub(crate) fn new(store: Arc<dyn StoreReader>) -> Self {
        Self(store)
    }

    /// The store itself, for use cases that ask for their rights by themselves.
    pub(crate) fn permitted(&self) -> &dyn StoreReader {
        &*self.0
    }

    /// For tests of what is stored.
    #[cfg(test)]
    pub(crate) fn store(&self) -> &dyn StoreReader {
        &*self.0
    }

    /// For tests that look on.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> Arc<dyn StoreReader> {
        Arc::clone(&self.0)
    }

    /// The whole store, for who may have everything in it.
    pub(crate) fn whole(&self, permit: &Permit) -> Option<&dyn StoreReader> {
        permit.is_whole().then_some(&*self.0)
    }

    pub(crate) fn close(&self) {
        self.0.close();
    }

    /// What is known last of a device, and when it was heard last. A value of a clock that is fast
    /// belongs to when it came, which stands in its reading.
    pub(crate) async fn state(
        &self,
        permit: &Permit,
        device: &DeviceRow,
    ) -> StoreResult<(Option<SimTime>, DeviceState)> {
        let mut state = self.0.state(device.id).await?;
        let cut = permit.cut(&device.hardware_id);
        if cut.windows().is_none() {
            return Ok((Some(state.last_interaction), state));
        }
        state.alerts.retain(|alert| cut.has_alert(alert));
        let instants: BTreeSet<SimTime> = state.values.iter().map(|value| value.event).collect();
        let mut left = BTreeSet::new();
        for at in instants {
            let (range, page) = (Range { start: at, end: at }, Page { offset: 0, limit: 1000 });
            for row in self.0.events(device.id, range, page, cut.clone()).await?.1 {
                let values = row.values.into_iter();
                left.extend(values.map(|(name, value)| (at, name.to_string(), value.to_bits())));
            }
        }
        let key = |event, name: &String, value: f64| (event, name.clone(), value.to_bits());
        state.values.retain(|one| left.contains(&key(one.event, &one.name, one.value)));
        let heard = Some(state.last_interaction).filter(|at| cut.has(*at));
        Ok((heard, state))
    }

    /// The quantities of which a device may have values that a cut leaves.
    pub(crate) async fn quantities_of(
        &self,
        device: i64,
        cut: &Cut,
    ) -> StoreResult<Vec<MeasurementId>> {
        if *cut == Cut::NOTHING {
            return Ok(Vec::new());
        }
        self.0.quantities_of(device).await
    }

    /// Points of series, within the cut of the query.
    pub(crate) async fn series(&self, query: SeriesQuery) -> StoreResult<Vec<Series>> {
        self.0.series(query).await
    }

    /// Summaries of series by buckets, within the cut of the query.
    pub(crate) async fn summaries(&self, query: SummaryQuery) -> StoreResult<Summaries> {
        self.0.summaries(query).await
    }

    /// Readings of a device, newest first, and how many there are.
    pub(crate) async fn events(
        &self,
        permit: &Permit,
        device: &DeviceRow,
        range: Range,
        page: Page,
    ) -> StoreResult<(u64, Vec<ReadingRow>)> {
        self.0.events(device.id, range, page, permit.cut(&device.hardware_id)).await
    }

    /// Commands of a device, newest first, and how many there are.
    pub(crate) async fn invocations_of(
        &self,
        permit: &Permit,
        device: &DeviceRow,
        page: Page,
    ) -> StoreResult<(u64, Vec<StoredInvocation>)> {
        self.0.invocations_of(device.id, page, permit.cut(&device.hardware_id)).await
    }

    /// Refusals of devices as far as who asks may have what they measured then; all of them for who
    /// may have all.
    pub(crate) async fn refusals(
        &self,
        permit: &Permit,
        stretch: Stretch,
    ) -> StoreResult<Vec<RefusalRow>> {
        let mut rows = self.0.refusals(stretch).await?.rows;
        rows.retain(|row| {
            let device = row.device.as_ref().and_then(|id| HardwareId::new(id.clone()).ok());
            permit.is_whole() || device.is_some_and(|id| permit.cut(&id).has(row.event))
        });
        Ok(rows)
    }

    /// Rows of the audit by or about `me`, or about data of the windows of who asks; and how many
    /// were looked at.
    pub(crate) async fn audit(
        &self,
        permit: &Permit,
        me: Option<&str>,
        stretch: Stretch,
    ) -> StoreResult<(Vec<AuditRow>, u64)> {
        let rows = self.0.audit(stretch).await?.rows;
        let count = rows.len() as u64;
        let is_of_data = |row: &AuditRow| {
            let device =
                row.resource.split(' ').next_back().and_then(|it| it.strip_prefix("device:"));
            let device = device.and_then(|id| HardwareId::new(id).ok());
            device.is_some_and(|device| permit.cut(&device).has(row.at))
        };
        let is_left = |row: &AuditRow| {
            let is_own = me.is_some_and(|me| row.who == me || row.resource == me);
            permit.is_whole() || is_own || is_of_data(row)
        };
        let rows = rows.into_iter().map(|(row, _)| row).filter(is_left);
        Ok((rows.collect(), count))
    }
}
