//! Reading a tenant's data: the one way to its store for those who ask over REST. Every query is
//! made with what a permit leaves of a device, and what hides behind it is not read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastmeter_model::access::{
    Action, Cut, Kind, Permit, Resource, Scope, Span, Subject, Target, Visibility,
};
use lastmeter_model::audit::AuditRow;
use lastmeter_model::calendar::{Stretch, Width, Zone, whole};
use lastmeter_model::entity::{Device, TenantSettings};
use lastmeter_model::invocation::{InvocationId, StoredInvocation};
use lastmeter_model::row::{AlertRow, DeviceRow, DeviceState, ReadingRow};
use lastmeter_store::{self as store, Page, Range, Series, SeriesQuery, StoreReader, StoreResult};
use lastmeter_units::{HardwareId, MeasurementId, SimTime};

use super::Caller;
use crate::problem::Problem;

/// Queries of one tenant's data.
#[derive(Clone)]
pub(crate) struct Reader(Arc<dyn StoreReader>);

/// Rows in the order of commit that somebody may have, of those that were looked at.
pub(crate) struct Looked<T> {
    pub(crate) rows: Vec<T>,
    /// The last sequence that was looked at.
    pub(crate) last: u64,
}

impl Reader {
    pub(crate) fn new(store: Arc<dyn StoreReader>) -> Self {
        Self(store)
    }

    /// For documents, which are asked for one by one.
    pub(super) fn documents(&self) -> &dyn StoreReader {
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

    /// Readings in the order of commit.
    pub(crate) async fn readings(
        &self,
        stretch: store::Stretch,
        cuts: &mut Cuts,
    ) -> StoreResult<Looked<ReadingRow>> {
        cuts.renew();
        let rows = self.0.readings(stretch).await?.rows;
        let last = rows.last().map_or(stretch.after, |row| row.sequence);
        let left = |row: ReadingRow| cuts.of_device(&row.device).reading(row);
        Ok(Looked { rows: rows.into_iter().filter_map(left).collect(), last })
    }

    /// Rows of the audit by or about who asks, or about data of its windows; and how many were
    /// looked at.
    pub(crate) async fn audit(
        &self,
        permit: &Permit,
        me: &str,
        stretch: store::Stretch,
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
            permit.is_whole() || row.who == me || row.resource == me || is_of_data(row)
        };
        let rows = rows.into_iter().map(|(row, _)| row).filter(is_left);
        Ok((rows.collect(), count))
    }

    /// Alerts in the order of commit.
    pub(crate) async fn alerts(
        &self,
        stretch: store::Stretch,
        cuts: &mut Cuts,
    ) -> StoreResult<Looked<AlertRow>> {
        cuts.renew();
        let mut rows = self.0.alerts(stretch).await?.rows;
        let last = rows.last().map_or(stretch.after, |row| row.sequence);
        rows.retain(|row| cuts.of_device(&row.device).has_alert(row));
        Ok(Looked { rows, last })
    }
}

/// What somebody may have of each device, asked anew for each page.
pub(crate) struct Cuts {
    caller: Caller,
    kind: Kind,
    /// That of everything.
    whole: Option<Permit>,
    of_device: BTreeMap<HardwareId, Cut>,
}

impl Cuts {
    /// Those of a kind of data.
    ///
    /// # Errors
    /// If who asks may have nothing of it, of whatever device.
    pub(crate) fn of(caller: Caller, kind: Kind) -> Result<Self, Problem> {
        let permit = caller.list(kind)?;
        let whole = permit.is_whole().then_some(permit);
        Ok(Self { caller, kind, whole, of_device: BTreeMap::new() })
    }

    /// Whether everything may be had.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    fn renew(&mut self) {
        self.of_device.clear();
        if self.is_whole() {
            let on = Resource::new(self.kind, &self.caller.tenant.name, Subject::List);
            self.whole = self.caller.ask(Action::Read, &on).ok().filter(Permit::is_whole);
        }
    }

    fn of_device(&mut self, device: &HardwareId) -> Cut {
        if let Some(whole) = &self.whole {
            return whole.cut(device);
        }
        if let Some(known) = self.of_device.get(device) {
            return known.clone();
        }
        let target = Target::Device(device.clone());
        let on = Resource::new(self.kind, &self.caller.tenant.name, Subject::One(&target));
        // Nothing is denied here: nobody has asked for this device.
        let cut = self.caller.ask(Action::Read, &on).map_or(Cut::NOTHING, |it| it.cut(device));
        if cut != Cut::NOTHING {
            self.caller.note_reading(device);
        }
        self.of_device.insert(device.clone(), cut.clone());
        cut
    }
}

fn nothing() -> Problem {
    Problem::not_found("no_such_path", "there is nothing here")
}

impl Caller {
    /// The permit of a list of a kind.
    ///
    /// # Errors
    /// 401, 403 or 404, if who asks may have nothing of it, of whatever device.
    pub(crate) fn list(&self, kind: Kind) -> Result<Permit, Problem> {
        let on = Resource::new(kind, &self.tenant.name, Subject::List);
        self.require(Action::Read, &on, nothing)
    }

    /// The permit of a kind of data of a device.
    ///
    /// # Errors
    /// 401, 403, or the same for one that is hidden and one that is not there.
    pub(crate) fn of_device(
        &self,
        kind: Kind,
        device: Option<&HardwareId>,
        unknown: impl Fn() -> Problem,
    ) -> Result<Permit, Problem> {
        // Nobody's id: what is not there is asked for as what is.
        let id = device.cloned().or_else(|| HardwareId::new("$").ok()).ok_or_else(&unknown)?;
        let target = Target::Device(id);
        let on = Resource::new(kind, &self.tenant.name, Subject::One(&target));
        match (device, self.require(Action::Read, &on, &unknown)) {
            (Some(_), permit) => permit,
            // Nobody learns without a log-in what there is.
            (None, Err(problem)) if problem.status() == axum::http::StatusCode::UNAUTHORIZED => {
                Err(problem)
            }
            (None, _) => Err(unknown()),
        }
    }

    /// What a permit leaves of a device for roll-ups of a width in a time zone: where it has a
    /// finest width, the closed ones of that width. These are those of the tenant's own zone, so
    /// that others, which begin at other instants, do not uncover what is between.
    pub(crate) fn summed(
        &self,
        permit: &Permit,
        device: &HardwareId,
        (width, zone): (Width, &Zone),
    ) -> Cut {
        let settings = self.tenant.documents.bodies::<TenantSettings>().into_iter().next();
        let own = settings.map_or_else(Zone::utc, |(_, settings)| settings.time_zone.clone());
        let now = self.tenant.clock.now();
        permit.cut_with(device, |finest, span| {
            let is_given = *zone == own && Width::of_length(finest) == Some(width);
            let closed = whole(zone, width, span.from, span.until.min(now));
            closed.filter(|_| is_given).map(|Stretch { from, until }| Span { from, until })
        })
    }

    /// A page of the devices of which a kind of data may be had, by hardware id, and how many they
    /// are.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub(crate) fn devices(&self, kind: Kind, page: Page) -> Result<(u64, Vec<DeviceRow>), Problem> {
        let directory = &self.tenant.devices;
        let permit = self.list(kind)?;
        let ids: BTreeSet<HardwareId> = match permit.scope() {
            Scope::All => return Ok(directory.page(page.offset, page.limit)),
            Scope::Windows(windows) => windows.iter().map(|one| one.device.clone()).collect(),
            Scope::Public => {
                let documents = self.tenant.documents.bodies::<Device>().into_iter();
                let public = documents.filter(|(_, one)| one.visibility == Visibility::Public);
                let ids = public.filter_map(|(id, _)| HardwareId::new(id).ok());
                ids.filter(|id| self.of_device(kind, Some(id), nothing).is_ok()).collect()
            }
        };
        let rows = ids.iter().filter_map(|id| directory.find(id.as_str()));
        let rows: Vec<_> = rows.collect();
        let count = rows.len() as u64;
        let skipped = usize::try_from(page.offset).unwrap_or(usize::MAX);
        Ok((count, rows.into_iter().skip(skipped).take(page.limit as usize).collect()))
    }

    /// A command, if that is the id of one.
    ///
    /// # Errors
    /// 401, 403, or the same for one that is hidden and one that is not there.
    pub(crate) async fn invocation(
        &self,
        id: InvocationId,
        unknown: impl Fn() -> Problem,
    ) -> Result<StoredInvocation, Problem> {
        let found = self.tenant.readers.0.invocation(id).await?;
        let device = found.as_ref().map(|found| &found.hardware_id);
        let permit = self.of_device(Kind::Invocation, device, &unknown)?;
        let is_left =
            |found: &StoredInvocation| permit.cut(&found.hardware_id).has(found.row.asked.created);
        found.filter(is_left).ok_or_else(unknown)
    }
}
