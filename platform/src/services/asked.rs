//! Answers to what services ask of what is stored: as much of it as whoever wants it may read, from
//! what is committed, and never more rows than are looked at.

use std::collections::BTreeMap;

use lastmeter_model::access::Subject as On;
use lastmeter_model::access::{
    Action, Cut, Facts as _, Kind, Permit, Principal, PrincipalRef, Resource, Span, Target,
};
use lastmeter_model::calendar::Stretch;
use lastmeter_model::entity::{Device, Specification};
use lastmeter_model::facts::DocumentFacts;
use lastmeter_model::row::{AlertRow, DeviceRow, RefusalRow};
use lastmeter_services::{Asker, DeviceRows, Query, Rows, Subject, Unanswered};
use lastmeter_store::{Page, Range, StoreError, StoreReader, Stretch as Numbers, SummaryQuery};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

use super::{Core, ROWS_AT_ONCE};
use crate::access::{administrators, require};

/// Rows that are looked at for one question, and devices that it is about.
const ROWS_MAX: usize = 500_000;
const DEVICES_MAX: usize = 20_000;
/// Commands that are read at once.
const COMMANDS_AT_ONCE: u32 = 256;
/// How long after its instant an alert is still looked for.
const LATE: SimDuration = SimDuration::from_seconds(86_400);

/// Why there is no answer.
enum Ended {
    Unanswered(Unanswered),
    Store(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooSlow { .. } => Self::Unanswered(Unanswered::TooSlow),
            StoreError::DamagedPart(_) => Self::Unanswered(Unanswered::Damaged),
            other => Self::Store(other),
        }
    }
}

/// What a question asks for.
///
/// # Errors
/// The store cannot be read now.
pub(super) async fn rows(
    core: &Core,
    query: &Query,
) -> Result<Result<Rows, Unanswered>, StoreError> {
    match (Reading { core, query, left: ROWS_MAX }).all().await {
        Ok(rows) => Ok(Ok(rows)),
        Err(Ended::Unanswered(why)) => Ok(Err(why)),
        Err(Ended::Store(error)) => Err(error),
    }
}

/// A device with when it belongs to the subject, and what may be read of it.
struct Meant {
    rows: DeviceRows,
    row: Option<DeviceRow>,
    spans: Vec<Span>,
    cut: Cut,
}

impl Meant {
    fn has(&self, at: SimTime) -> bool {
        self.spans.iter().any(|span| span.contains(at))
    }
}

/// An answer as it comes about.
struct Reading<'a> {
    core: &'a Core,
    query: &'a Query,
    /// Rows that may still be looked at.
    left: usize,
}

impl Reading<'_> {
    fn facts(&self) -> DocumentFacts<'_> {
        DocumentFacts { documents: &self.core.documents, devices: &self.core.devices }
    }

    fn store(&self) -> &dyn StoreReader {
        self.core.readers.permitted()
    }

    /// Notes that rows were looked at.
    fn looked_at(&mut self, rows: usize) -> Result<(), Ended> {
        let left = self.left.checked_sub(rows);
        self.left = left.ok_or(Ended::Unanswered(Unanswered::TooMuch))?;
        Ok(())
    }

    async fn all(mut self) -> Result<Rows, Ended> {
        let mut meant = self.meant()?;
        for one in &mut meant {
            self.summaries(one).await?;
            if self.query.also.commands {
                self.commands(one).await?;
            }
        }
        if self.query.also.refusals {
            self.refusals(&mut meant).await?;
        }
        let alerts = if self.query.also.alerts { self.alerts(&meant).await? } else { Vec::new() };
        let refused = if self.query.also.refused { self.refused().await? } else { 0 };
        let devices = meant.into_iter().map(|one| one.rows).collect();
        Ok(Rows { devices, alerts, refused })
    }

    /// The devices of the subject and the loads behind them, each for as long as it belongs to it.
    fn spans(&self) -> BTreeMap<HardwareId, Vec<Span>> {
        let mut spans: BTreeMap<HardwareId, Vec<Span>> = BTreeMap::new();
        match &self.query.of {
            Subject::Devices(devices) => {
                spans.extend(devices.iter().map(|one| (one.clone(), vec![Span::ALWAYS])));
            }
            Subject::Of(target) => {
                let Stretch { from, until } = self.query.within;
                let within = |span: Span| span.intersection(Span { from, until });
                let members = self.facts().members(target).into_iter();
                for (device, span) in members.filter_map(|(id, span)| Some((id, within(span)?))) {
                    let behind =
                        self.core.documents.bodies_with::<Device>("parent", device.as_str());
                    let loads = behind.into_iter().filter_map(|(id, _)| HardwareId::new(id).ok());
                    for one in loads.chain([device]) {
                        let known = spans.entry(one).or_default();
                        if !known.contains(&span) {
                            known.push(span);
                        }
                    }
                }
            }
        }
        spans
    }

    fn meant(&self) -> Result<Vec<Meant>, Ended> {
        let spans = self.spans();
        if spans.len() > DEVICES_MAX {
            return Err(Ended::Unanswered(Unanswered::TooMuch));
        }
        let who = self.who();
        let one = |(device, spans): (HardwareId, Vec<Span>)| {
            let cut = self.permit(who.as_deref(), &device)?.cut(&device);
            if !self.leaves_any(&cut) {
                return None;
            }
            let row = self.core.devices.find(device.as_str());
            Some(Meant { rows: self.described(device), row, spans, cut })
        };
        Ok(spans.into_iter().filter_map(one).collect())
    }

    /// Who asks; nobody is the platform itself.
    fn who(&self) -> Option<Vec<Principal>> {
        let tenant = &self.core.name;
        match &self.query.by {
            Asker::Platform => None,
            Asker::Administrators => {
                let named = administrators(tenant).into_iter();
                Some(named.filter(|who| who.reference != PrincipalRef::Bench).collect())
            }
            Asker::Principal(of) => Some(self.facts().principal(tenant, of).into_iter().collect()),
        }
    }

    fn permit(&self, who: Option<&[Principal]>, device: &HardwareId) -> Option<Permit> {
        let Some(who) = who else { return Some(Permit::whole_tenant()) };
        let target = Target::Device(device.clone());
        let on = Resource::new(Kind::Series, &self.core.name, On::One(&target));
        require(who, Action::Read, &on, &self.facts(), self.core.clock.now()).ok()
    }

    /// Whether a cut leaves anything of the time that is asked for.
    fn leaves_any(&self, cut: &Cut) -> bool {
        let Stretch { from, until } = self.query.within;
        let within = Span { from, until };
        let windows = cut.windows();
        windows.is_none_or(|all| all.iter().any(|one| one.span().intersection(within).is_some()))
    }

    /// A device without its rows.
    fn described(&self, device: HardwareId) -> DeviceRows {
        let documents = &self.core.documents;
        let body = documents.body::<Device>(device.as_str());
        let specification = body.as_ref().and_then(|body| body.specification_token.as_ref());
        let specification =
            specification.and_then(|token| documents.body::<Specification>(token.as_str()));
        let seconds = specification.and_then(|body| body.reporting_period);
        let period = seconds.map(|seconds| SimDuration::from_seconds(seconds.max(1).into()));
        DeviceRows {
            device,
            parent: body.and_then(|body| body.parent_hardware_id.clone()),
            reporting_period: period,
            summaries: BTreeMap::new(),
            commands: Vec::new(),
            refusals: BTreeMap::new(),
        }
    }

    async fn summaries(&mut self, of: &mut Meant) -> Result<(), Ended> {
        let Some(row) = &of.row else { return Ok(()) };
        let ids = match &self.query.quantities[..] {
            [] => self.core.readers.quantities_of(row.id, &of.cut).await?,
            named => named.to_vec(),
        };
        let Stretch { from, until } = self.query.within;
        for span in &of.spans {
            let Some(span) = span.intersection(Span { from, until }) else { continue };
            let mut range = Range { start: span.from, end: SimTime(span.until.0 - 1) };
            loop {
                let query = SummaryQuery {
                    device: row.id,
                    ids: ids.clone(),
                    range,
                    rows_from: SimTime(i64::MIN),
                    limit: ROWS_AT_ONCE as usize,
                    cut: of.cut.clone(),
                };
                let found = self.core.readers.summaries(query).await?;
                self.looked_at(found.summaries.len())?;
                for (id, summary) in found.summaries {
                    of.rows.summaries.entry(id).or_default().push(summary);
                }
                match found.next {
                    Some(next) => range.start = next,
                    None => break,
                }
            }
        }
        Ok(())
    }

    async fn commands(&mut self, of: &mut Meant) -> Result<(), Ended> {
        let Some(row) = &of.row else { return Ok(()) };
        let Stretch { from, until } = self.query.within;
        let mut page = Page { offset: 0, limit: COMMANDS_AT_ONCE };
        loop {
            let (count, found) = self.store().invocations_of(row.id, page, of.cut.clone()).await?;
            self.looked_at(found.len())?;
            let is_over = found.last().is_none_or(|last| last.row.asked.created < from);
            page.offset += found.len() as u64;
            let meant = found.into_iter().map(|one| one.row).filter(|one| {
                let at = one.asked.created;
                from <= at && at < until && of.spans.iter().any(|span| span.contains(at))
            });
            of.rows.commands.extend(meant);
            if is_over || page.offset >= count {
                break;
            }
        }
        of.rows.commands.reverse();
        Ok(())
    }

    async fn alerts(&mut self, meant: &[Meant]) -> Result<Vec<AlertRow>, Ended> {
        let Stretch { from, until } = self.query.within;
        let last = self.core.progress.totals().alerts;
        let mut after = self.first_after(from, last, Of::Alerts).await?;
        let mut all: Vec<AlertRow> = Vec::new();
        while after < last {
            let numbers = Numbers { after, limit: ROWS_AT_ONCE, last };
            let found = self.store().alerts(numbers).await?.rows;
            let Some(end) = found.last() else { break };
            let is_over = end.received > until + LATE;
            after = end.sequence;
            self.looked_at(found.len())?;
            all.extend(found.into_iter().filter(|alert| {
                let about = alert.metadata.get("device").map_or("", String::as_str);
                let is_of = |one: &&Meant| {
                    let id = one.rows.device.as_str();
                    alert.device.as_str() == id || about == id
                };
                let is_given = |one: &Meant| one.has(alert.event) && one.cut.has_alert(alert);
                let is_within = from <= alert.event && alert.event < until;
                is_within && meant.iter().find(is_of).is_some_and(is_given)
            }));
            if is_over {
                break;
            }
        }
        all.sort_by(|one, other| {
            (one.event, &one.device, one.sequence).cmp(&(
                other.event,
                &other.device,
                other.sequence,
            ))
        });
        Ok(all)
    }

    async fn refusals(&mut self, meant: &mut [Meant]) -> Result<(), Ended> {
        let Stretch { from, until } = self.query.within;
        let last = self.core.progress.totals().refusals;
        let mut after = self.first_after(from, last, Of::Refusals).await?;
        while after < last {
            let numbers = Numbers { after, limit: ROWS_AT_ONCE, last };
            let found = self.store().refusals(numbers).await?.rows;
            let Some(end) = found.last() else { break };
            let is_over = end.event >= until;
            after = end.sequence;
            self.looked_at(found.len())?;
            for RefusalRow { device, reason, event, .. } in found {
                let is_of = |one: &&mut Meant| Some(one.rows.device.as_str()) == device.as_deref();
                if from <= event
                    && event < until
                    && let Some(one) = meant.iter_mut().find(is_of)
                    && one.has(event)
                    && one.cut.has(event)
                {
                    *one.rows.refusals.entry(reason).or_default() += 1;
                }
            }
            if is_over {
                break;
            }
        }
        Ok(())
    }

    /// How many messages were refused in all.
    async fn refused(&mut self) -> Result<u64, Ended> {
        let Stretch { from, until } = self.query.within;
        let last = self.core.progress.totals().refusals;
        let before = self.first_after(from, last, Of::Refusals).await?;
        Ok(self.first_after(until, last, Of::Refusals).await?.saturating_sub(before))
    }

    /// The number after which the rows come that arrived at an instant or later.
    async fn first_after(&mut self, at: SimTime, last: u64, of: Of) -> Result<u64, Ended> {
        let (mut low, mut high) = (0, last);
        while low < high {
            let middle = low + (high - low) / 2;
            let numbers = Numbers { after: middle, limit: 1, last };
            let arrived = match of {
                Of::Alerts => {
                    self.store().alerts(numbers).await?.rows.first().map(|it| it.received)
                }
                Of::Refusals => {
                    self.store().refusals(numbers).await?.rows.first().map(|it| it.event)
                }
            };
            if arrived.is_some_and(|arrived| arrived < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

/// Lists in the order in which rows arrived.
#[derive(Clone, Copy)]
enum Of {
    Alerts,
    Refusals,
}
