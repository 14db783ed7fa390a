//! What somebody may have of a tenant's data: permits of lists, of devices and of pages.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use lastmeter_model::access::{
    Action, Cut, Kind, Owner, Permit, Principal, PrincipalRef, Resource, Scope, Span, Subject,
    Target, Visibility,
};
use lastmeter_model::calendar::{Stretch, Width, Zone, whole};
use lastmeter_model::entity::{Device, TenantSettings};
use lastmeter_model::invocation::{InvocationId, StoredInvocation};
use lastmeter_model::message::Number;
use lastmeter_model::row::{AlertRow, BlockRow, DeviceRow, ReadingRow, ResultRow, instant_of_data};
use lastmeter_store::{self as store, Page, StoreResult};
use lastmeter_units::{HardwareId, SimTime};

use super::Caller;
use super::caller::log_in;
use crate::problem::Problem;
use crate::tenant::Tenant;

/// Rows in the order of commit that somebody may have, of those that were looked at.
pub(crate) struct Looked<T> {
    pub(crate) rows: Vec<T>,
    /// The last sequence that was looked at.
    pub(crate) last: u64,
    /// Bytes of content that were read for it.
    pub(crate) bytes: usize,
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

    /// Whose data it is.
    pub(super) fn tenant(&self) -> &Tenant {
        &self.caller.tenant
    }

    /// Who asks.
    pub(super) fn who(&self) -> Option<&Principal> {
        self.caller.who.first()
    }

    /// Whether everything may be had.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Readings in the order of commit.
    pub(crate) async fn readings(
        &mut self,
        stretch: store::Stretch,
    ) -> StoreResult<Looked<ReadingRow>> {
        self.renew();
        let found = self.caller.tenant.readers.permitted().readings(stretch).await?;
        let (rows, is_more) = (found.rows, found.is_more);
        let last = looked_at(stretch, rows.last().map(|row| row.sequence), is_more);
        let left = |row: ReadingRow| self.of_device(&row.device).reading(row);
        Ok(Looked { rows: rows.into_iter().filter_map(left).collect(), last, bytes: 0 })
    }

    /// Alerts in the order of commit.
    pub(crate) async fn alerts(
        &mut self,
        stretch: store::Stretch,
    ) -> StoreResult<Looked<AlertRow>> {
        self.renew();
        let found = self.caller.tenant.readers.permitted().alerts(stretch).await?;
        let (mut rows, is_more) = (found.rows, found.is_more);
        let last = looked_at(stretch, rows.last().map(|row| row.sequence), is_more);
        rows.retain(|row| self.of_device(&row.device).has_alert(row));
        Ok(Looked { rows, last, bytes: 0 })
    }

    /// Results of applications in the order of commit.
    pub(crate) async fn results(
        &mut self,
        stretch: store::Stretch,
    ) -> StoreResult<Looked<ResultRow>> {
        self.renew();
        let found = self.caller.tenant.readers.permitted().results(stretch).await?;
        let (mut rows, is_more) = (found.rows, found.is_more);
        let last = looked_at(stretch, rows.last().map(|row| row.sequence), is_more);
        let bytes = rows.iter().map(|row| row.content.len()).sum();
        rows.retain(|row| self.of_device(&row.device).has(instant_of_data(row.from, row.received)));
        Ok(Looked { rows, last, bytes })
    }

    /// Blocks of samples in the order of commit.
    pub(crate) async fn blocks(
        &mut self,
        stretch: store::Stretch,
    ) -> StoreResult<Looked<BlockRow>> {
        self.renew();
        let found = self.caller.tenant.readers.permitted().blocks(stretch).await?;
        let (mut rows, is_more) = (found.rows, found.is_more);
        let last = looked_at(stretch, rows.last().map(|row| row.sequence), is_more);
        let bytes = rows.iter().map(|row| row.content.len()).sum();
        rows.retain(|row| self.has_block(row));
        Ok(Looked { rows, last, bytes })
    }

    /// The block that a device sent under a number.
    pub(crate) async fn block(
        &mut self,
        device: i64,
        number: Number,
    ) -> StoreResult<Option<BlockRow>> {
        self.renew();
        let found = self.caller.tenant.readers.permitted().block(device, number).await?;
        Ok(found.filter(|row| self.has_block(row)))
    }

    /// Whether all of a block may be had: a part of it is given to nobody.
    fn has_block(&mut self, row: &BlockRow) -> bool {
        let cut = self.of_device(&row.device);
        let has = |name: &String| cut.has_value(row.event, row.received, name);
        cut.windows().is_none() || !row.channels.is_empty() && row.channels.iter().all(has)
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
        // What an application concludes is its own.
        let own = device.as_str().parse().ok().map(PrincipalRef::Application);
        let own = own.filter(|_| self.kind == Kind::Result);
        let on = on.owned(own.as_ref().map_or(Owner::Absent, Owner::Of));
        // Nothing is denied here: nobody has asked for this device.
        let cut = self.caller.ask(Action::Read, &on).map_or(Cut::NOTHING, |it| it.cut(device));
        if cut != Cut::NOTHING {
            self.caller.note_reading(device);
        }
        self.of_device.insert(device.clone(), cut.clone());
        cut
    }
}

/// The last sequence that was looked at: rows that are not kept any more were, too.
fn looked_at(stretch: store::Stretch, found: Option<u64>, is_more: bool) -> u64 {
    let end = if is_more { stretch.after } else { stretch.last.max(stretch.after) };
    found.unwrap_or(end)
}

impl Caller {
    /// The permit of a list of a kind.
    ///
    /// # Errors
    /// 401, 403 or 404, if who asks may have nothing of it, of whatever device.
    pub(crate) fn list(&self, kind: Kind) -> Result<Permit, Problem> {
        let on = Resource::new(kind, &self.tenant.name, Subject::List);
        let permit = self.require(Action::Read, &on, Problem::nothing)?;
        // Where nothing is public there is nothing for who has not logged in.
        if *permit.scope() == Scope::Public && self.is_nobody() && self.public().next().is_none() {
            return Err(log_in());
        }
        Ok(permit)
    }

    fn is_nobody(&self) -> bool {
        self.who.iter().all(|who| who.reference == PrincipalRef::Anonymous)
    }

    /// The devices that everybody may see.
    fn public(&self) -> impl Iterator<Item = HardwareId> {
        let documents = self.tenant.documents.bodies::<Device>().into_iter();
        let public = documents.filter(|(_, one)| one.visibility == Visibility::Public);
        public.filter_map(|(id, _)| HardwareId::new(id).ok())
    }

    /// Whether what was refused of a device at an instant may be read as a whole: who may read what
    /// it measured then. It is no look.
    pub(crate) fn may_read_refused(&self, device: &HardwareId, at: SimTime) -> bool {
        let target = Target::Device(device.clone());
        let on = |kind| Resource::new(kind, &self.tenant.name, Subject::One(&target));
        let series = self.ask(Action::Read, &on(Kind::Series));
        self.may(Action::Content, &on(Kind::Refusal))
            && series.is_ok_and(|permit| permit.cut(device).has(at))
    }

    /// The permit to do something with a kind of data of a device.
    ///
    /// # Errors
    /// 401, 403, or the same for one that is hidden and one that is not there.
    pub(crate) fn of_device(
        &self,
        (kind, action): (Kind, Action),
        device: Option<&HardwareId>,
        unknown: impl Fn() -> Problem,
    ) -> Result<Permit, Problem> {
        // Nobody's id: what is not there is asked for as what is.
        let id = device.cloned().or_else(|| HardwareId::new("$").ok()).ok_or_else(&unknown)?;
        let target = Target::Device(id);
        let on = Resource::new(kind, &self.tenant.name, Subject::One(&target));
        match (device, self.require(action, &on, &unknown)) {
            (Some(_), permit) => permit,
            // Nobody learns without a log-in what there is.
            (None, Err(problem)) if problem.status() == StatusCode::UNAUTHORIZED => Err(problem),
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
        let (permit, needed) = (self.list(kind)?, (kind, Action::Read));
        let ids: BTreeSet<HardwareId> = match permit.scope() {
            Scope::All => return Ok(directory.page(page.offset, page.limit)),
            Scope::Windows(windows) => windows.iter().map(|one| one.device.clone()).collect(),
            Scope::Public => {
                let of = |id: &HardwareId| self.of_device(needed, Some(id), Problem::nothing);
                self.public().filter(|id| of(id).is_ok()).collect()
            }
        };
        let rows = ids.iter().filter_map(|id| directory.find(id.as_str()));
        Ok(page.of(rows.collect()))
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
        let found = self.tenant.readers.permitted().invocation(id).await?;
        let device = found.as_ref().map(|found| &found.hardware_id);
        let permit = self.of_device((Kind::Invocation, Action::Read), device, &unknown)?;
        let is_left =
            |found: &StoredInvocation| permit.cut(&found.hardware_id).has(found.row.asked.created);
        found.filter(is_left).ok_or_else(unknown)
    }
}
