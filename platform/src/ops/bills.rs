//! Bills: what the registers and tariffs of a customer come to in a month, and bills that are kept.
//! The arithmetic is that of `lastmeter_model::bill`.
//!
//! A customer is a person asset. Its registers are those of the devices that are assigned to it,
//! each for as long as it is; readings of other times are somebody else's and are not looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::successors;
use std::str::FromStr;
use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, Owner, Permit, PrincipalRef, Resource, Span, Subject};
use lastmeter_model::bill::{self, Account, Reading, Register};
use lastmeter_model::calendar::{Stretch, Zone};
use lastmeter_model::document::{Document, Edit, Expect, Transaction};
use lastmeter_model::entity::{
    Asset, AssetCategory, Assignment, Bill, Body as _, Device, Direction, Feed, Line, PriceFeed,
    Specification, Tariff, Token,
};
use lastmeter_model::refusal::shortened;
use lastmeter_model::row::{DeviceRow, SeriesPoint};
use lastmeter_store::{Page, Range, SeriesQuery};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use serde_json::json;

use super::Caller;
use super::bounds::check;
use super::documents::{check_token, edited, newest, readable, unknown};
use crate::problem::{Problem, wrong};
use crate::tenant::Tenant;

/// The registers that are billed, in kWh.
const REGISTERS: [(Direction, &str); 2] = [
    (Direction::Import, "electricity.energy.active.consumed.total"),
    (Direction::Export, "electricity.energy.active.injected.total"),
];
/// How often a meter is read of which nothing is declared.
const PERIOD: SimDuration = SimDuration::from_seconds(900);
/// Readings that are asked for at once, and those of a register at most.
const READINGS_AT_ONCE: u32 = 8192;
const READINGS_MAX: usize = 1 << 20;
/// By how much each look for an earlier reading is longer than the one before.
const LONGER: i64 = 8;
/// Devices above a device at most; they make no circle.
const PARENTS_MAX: usize = 64;

/// A month of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// What a text of one is, for people.
    pub(crate) const EXPECTED: &str = "a month from 1678-01 to 2261-12, such as `2027-01`";
}

impl FromStr for Month {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_digit = |(at, byte): (usize, u8)| byte.is_ascii_digit() || (at == 4 && byte == b'-');
        if text.len() != 7 || !text.bytes().enumerate().all(is_digit) {
            return Err(());
        }
        let (year, month) = text.split_once('-').ok_or(())?;
        let found = Self { year: year.parse().map_err(drop)?, month: month.parse().map_err(drop)? };
        let is_there = (1678..=2261).contains(&found.year) && (1..=12).contains(&found.month);
        is_there.then_some(found).ok_or(())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// The person assets of who asks, which are customers.
pub(crate) fn customers(caller: &Caller) -> Vec<String> {
    let Some(name) = caller.user() else { return Vec::new() };
    let own = caller.tenant.documents.bodies_with::<Asset>("user", name.as_str());
    let is_person = |asset: &Asset| asset.category == AssetCategory::Person;
    own.into_iter().filter(|(_, asset)| is_person(asset)).map(|(token, _)| token).collect()
}

/// The bill of a month as it stands; nothing of it is kept.
///
/// # Errors
/// 401, 403, or 404 for a customer that is hidden or not there; 409 where no bill can be made.
pub(crate) async fn draft(caller: &Caller, customer: &str, month: Month) -> Result<Bill, Problem> {
    let person = person(caller, Action::Read, customer)?;
    made(&caller.tenant, (customer, &person), month).await
}

/// What the energy of a stretch comes to, without fixed terms and peaks; nothing of it is kept.
///
/// # Errors
/// As [`draft`].
pub(crate) async fn cost(
    caller: &Caller,
    customer: &str,
    period: Stretch,
) -> Result<Bill, Problem> {
    let person = person(caller, Action::Read, customer)?;
    let mut tariffs = tariffs(&caller.tenant, (customer, &person))?;
    for tariff in &mut tariffs {
        (tariff.fixed, tariff.peak) = (Vec::new(), None);
    }
    of_period(&caller.tenant, (customer, &person), (period, tariffs), "this time").await
}

/// Keeps the bill of a month: in a new version if it differs from the one that is kept.
///
/// # Errors
/// As [`draft`], and 409 for a bill that is open.
pub(crate) async fn keep(
    caller: &Caller,
    customer: &str,
    month: Month,
) -> Result<Arc<Document>, Problem> {
    let person = person(caller, Action::Write, customer)?;
    let (kind, token) = (Bill::kind(), format!("{customer}-{month}"));
    check_token(kind, &token)?;
    let before = newest(caller, kind, &token).await?;
    let mut bill = made(&caller.tenant, (customer, &person), month).await?;
    if bill.is_open {
        return Err(open(&bill));
    }
    let known = before.as_ref();
    let known = known.and_then(|before| serde_json::from_str::<Bill>(&before.body).ok());
    if let (Some(before), Some(known)) = (&before, &known) {
        // What it was made of is named as it is where nothing else has changed.
        let Bill { price_feeds, prices_changed, .. } = known.clone();
        if *known == (Bill { price_feeds, prices_changed, ..bill.clone() }) {
            return Ok(Arc::clone(before));
        }
        bill.prices_changed = have_prices_changed(&caller.tenant, known, &bill).await?;
    }
    let body = serde_json::to_value(&bill);
    let body = body.map_err(|error| Problem::unavailable("unwritable_bill", &error))?;
    // What is checked holds until the bill is there.
    let _alone = caller.tenant.changing.lock().await;
    check(caller, (kind, &token), before.as_deref(), &body)?;
    let expect = before.map_or(Expect::New, |before| Expect::Version(before.version));
    let edits = vec![Edit { kind, token: Some(token), expect, body: Some(body) }];
    let changed = caller.apply(Transaction::of(caller.name(), edits)).await?;
    if changed.conflict.is_some() {
        let detail = "somebody else kept this bill meanwhile; send it again";
        return Err(Problem::conflict("version_conflict", detail));
    }
    edited(caller, kind, changed.documents.first()).await
}

/// Whether a feed that a bill was made of has other prices for its period in the version that
/// another one is made of.
async fn have_prices_changed(tenant: &Tenant, known: &Bill, now: &Bill) -> Result<bool, Problem> {
    let within = |feed: &Feed| {
        let ends = feed.points.iter().skip(1).map(|point| point.0).chain([feed.valid_until]);
        let points = feed.points.iter().zip(ends).map(|(point, until)| (*point, until));
        let points = points.filter(|(point, until)| point.0 < now.until && now.from < *until);
        points.collect::<Vec<_>>()
    };
    for feed in &now.price_feeds {
        let before = known.price_feeds.iter().find(|before| before.feed == feed.feed);
        let Some(before) = before.filter(|before| before.version != feed.version) else { continue };
        let [was, is] = [
            price_feed(tenant, &feed.feed, before.version).await?,
            price_feed(tenant, &feed.feed, feed.version).await?,
        ];
        if was.as_ref().map(within) != is.as_ref().map(within) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A feed in a version.
async fn price_feed(tenant: &Tenant, token: &Token, version: u64) -> Result<Option<Feed>, Problem> {
    let readers = tenant.readers.permitted();
    let found = readers.document(Feed::kind(), token.to_string(), Some(version)).await?;
    Ok(found.and_then(|document| serde_json::from_str(&document.body).ok()))
}

/// What a customer of who asks pays by: tariffs that it names, or the only one that there is, with
/// the prices of their feeds.
///
/// # Errors
/// 404 for a customer of nobody or of somebody else, 409 where it has no tariff.
pub(crate) fn paid_by(caller: &Caller, customer: &str) -> Result<Vec<Tariff>, Problem> {
    let person = person(caller, Action::Read, customer)?;
    let tariffs = tariffs(&caller.tenant, (customer, &person))?;
    Ok(priced(&caller.tenant, &tariffs).0)
}

/// A tariff with the prices of its feed.
///
/// # Errors
/// 404 for one that is not there, or that who asks may not read.
pub(crate) fn with_prices(caller: &Caller, token: &str) -> Result<Tariff, Problem> {
    let found = readable(caller, Tariff::kind(), token);
    let tariff = found.and_then(|document| serde_json::from_str::<Tariff>(&document.body).ok());
    let tariff = tariff.ok_or_else(|| unknown(Tariff::kind(), token))?;
    Ok(priced(&caller.tenant, std::slice::from_ref(&tariff)).0.pop().unwrap_or(tariff))
}

/// Tariffs with the prices of their feeds, and the versions of these.
fn priced(tenant: &Tenant, tariffs: &[Tariff]) -> (Vec<Tariff>, Vec<PriceFeed>) {
    let mut feeds = Vec::new();
    let mut one = |tariff: &Tariff| {
        let token = tariff.price_feed.as_ref()?;
        let found = tenant.documents.find(Feed::kind(), token.as_str())?;
        let feed: Feed = serde_json::from_str(&found.body).ok()?;
        let used = PriceFeed { feed: token.clone(), version: found.version };
        if !feeds.contains(&used) {
            feeds.push(used);
        }
        Some(tariff.with_feed(&feed))
    };
    let tariffs = tariffs.iter().map(|tariff| one(tariff).unwrap_or_else(|| tariff.clone()));
    let tariffs = tariffs.collect();
    (tariffs, feeds)
}

/// The refusal of a bill of which something is not known, with the lines of it.
fn open(bill: &Bill) -> Problem {
    let lines: Vec<&Line> = bill.lines.iter().filter(|line| line.amount().is_none()).collect();
    let detail = format!(
        "{} of its lines have no amount, since readings are missing or contradict each other; \
         import those of `lines`, and send it again",
        lines.len()
    );
    let problem = Problem::conflict("bill_is_open", detail).with("lines", json!(lines));
    problem.with("completeUntil", json!(bill.complete_until))
}

/// The person asset of a token, of whose bills this may be done: by its own user, or by who may do
/// it with all bills. Hidden and absent ones are answered alike.
fn person(caller: &Caller, action: Action, token: &str) -> Result<Arc<Asset>, Problem> {
    let found = caller.tenant.documents.body::<Asset>(token);
    let found = found.filter(|asset| asset.category == AssetCategory::Person);
    let owner = found.as_ref().and_then(|asset| owner(asset));
    let on = Resource::new(Kind::Bill, &caller.tenant.name, Subject::Nothing);
    let on = on.owned(owner.as_ref().map_or(Owner::Tenant, Owner::Of));
    let unknown = || {
        let detail = format!("there is no person asset `{}`", shortened(token, 128));
        Problem::not_found("unknown_customer", detail)
    };
    match (found, caller.require(action, &on, unknown)) {
        (Some(asset), Ok(_)) => Ok(asset),
        (Some(_), Err(problem)) => Err(problem),
        // Nobody learns without a log-in what there is.
        (None, Err(problem)) if problem.status() == StatusCode::UNAUTHORIZED => Err(problem),
        (None, _) => Err(unknown()),
    }
}

fn owner(person: &Asset) -> Option<PrincipalRef> {
    person.user.clone().map(PrincipalRef::User)
}

/// Makes the bill of a month.
async fn made(
    tenant: &Tenant,
    (customer, person): (&str, &Asset),
    month: Month,
) -> Result<Bill, Problem> {
    let tariffs = tariffs(tenant, (customer, person))?;
    let period =
        bill::month(&zone(&tariffs)?, month.year, month.month).map_err(|it| no_bill(&it))?;
    of_period(tenant, (customer, person), (period, tariffs), &month.to_string()).await
}

fn no_bill(error: &bill::BillError) -> Problem {
    Problem::conflict("no_bill", error.to_string())
}

/// Makes the bill of a period, which has a name.
async fn of_period(
    tenant: &Tenant,
    (customer, person): (&str, &Asset),
    (period, mut tariffs): (Stretch, Vec<Tariff>),
    name: &str,
) -> Result<Bill, Problem> {
    tariffs.retain(|tariff| intersection(tariff.validity(), period).is_some());
    if tariffs.is_empty() {
        let detail = format!("none of the tariffs of `{customer}` is valid in {name}");
        return Err(Problem::conflict("no_tariff", detail));
    }
    let registers = registers(tenant, customer, period).await?;
    if registers.is_empty() {
        let detail = format!(
            "no device with a register of energy is assigned to `{customer}` in {name}; assign \
             its meter"
        );
        return Err(Problem::conflict("no_register", detail));
    }
    let customer = Token::try_from(customer.to_owned());
    let customer = customer.map_err(|expected| wrong("customer", expected))?;
    let (tariffs, price_feeds) = priced(tenant, &tariffs);
    let (tariffs, registers) = (&tariffs[..], &registers[..]);
    let account = Account { customer, owner: owner(person), period, tariffs, registers };
    let bill = bill::bill(&account).map_err(|error| no_bill(&error))?;
    Ok(Bill { price_feeds, ..bill })
}

/// The tariffs that a customer names, or the only one that there is.
fn tariffs(tenant: &Tenant, (customer, person): (&str, &Asset)) -> Result<Vec<Tariff>, Problem> {
    let refused = |detail: String| Problem::conflict("no_tariff", detail);
    if person.tariff_tokens.is_empty() {
        return match &tenant.documents.bodies::<Tariff>()[..] {
            [(_, only)] => Ok(vec![Tariff::clone(only)]),
            all => Err(refused(format!(
                "there are {} tariffs, and `{customer}` names none of them; name those that it has \
                 in `tariffTokens` of the asset",
                all.len()
            ))),
        };
    }
    let one = |token: &Token| {
        let tariff = tenant.documents.body::<Tariff>(token.as_str());
        let unknown = || refused(format!("`{customer}` names `{token}`, which is no tariff"));
        tariff.map(|tariff| Tariff::clone(&tariff)).ok_or_else(unknown)
    };
    person.tariff_tokens.iter().map(one).collect()
}

/// The zone by whose calendar a month is meant.
fn zone(tariffs: &[Tariff]) -> Result<Zone, Problem> {
    let zone = tariffs.first().map_or_else(Zone::utc, |tariff| tariff.zone.clone());
    match tariffs.iter().find(|tariff| tariff.zone != zone) {
        None => Ok(zone),
        Some(other) => {
            let (one, other) = (zone.name(), other.zone.name());
            let detail = format!("the tariffs go by `{one}` and `{other}`; give them one zone");
            Err(Problem::conflict("several_zones", detail))
        }
    }
}

fn intersection(one: Stretch, other: Stretch) -> Option<Stretch> {
    let (from, until) = (one.from.max(other.from), one.until.min(other.until));
    (from < until).then_some(Stretch { from, until })
}

/// The devices that are assigned to a customer in a period, with how long they are, by device. What
/// goes on by another assignment is one stretch.
fn services(tenant: &Tenant, customer: &str, period: Stretch) -> Vec<(HardwareId, Stretch)> {
    let by = |key| tenant.documents.bodies_with::<Assignment>(key, customer).into_iter();
    let all: BTreeMap<String, Arc<Assignment>> = by("customer").chain(by("asset")).collect();
    // Where somebody else is the customer, the asset is not.
    let own = all.into_values().filter(|one| one.owner().is_some_and(|it| it.as_str() == customer));
    let mut own: Vec<_> = own.map(|one| (one.device_hardware_id.clone(), one.span())).collect();
    own.sort_by(|one, other| (&one.0, one.1.from).cmp(&(&other.0, other.1.from)));
    let mut services: Vec<(HardwareId, Stretch)> = Vec::new();
    for (device, Span { from, until }) in own {
        match services.last_mut() {
            Some((last, service)) if *last == device && from <= service.until => {
                service.until = service.until.max(until);
            }
            _ => services.push((device, Stretch { from, until })),
        }
    }
    services.retain(|(_, service)| intersection(*service, period).is_some());
    services
}

/// The registers of a customer. What lies behind another device of it is counted there.
async fn registers(
    tenant: &Tenant,
    customer: &str,
    period: Stretch,
) -> Result<Vec<Register>, Problem> {
    let services = services(tenant, customer, period);
    let parent =
        |id: &HardwareId| tenant.documents.body::<Device>(id.as_str())?.parent_hardware_id.clone();
    let is_behind = |id: &HardwareId| {
        let mut above = successors(parent(id), parent).take(PARENTS_MAX);
        above.any(|above| services.iter().any(|(other, _)| *other == above))
    };
    let mut registers = Vec::new();
    for (meter, service) in services.iter().filter(|(meter, _)| !is_behind(meter)) {
        registers.extend(registers_of(tenant, meter, (*service, period)).await?);
    }
    Ok(registers)
}

/// The registers that a device has sent, or has by its specification.
async fn registers_of(
    tenant: &Tenant,
    meter: &HardwareId,
    (service, period): (Stretch, Stretch),
) -> Result<Vec<Register>, Problem> {
    let document = tenant.documents.body::<Device>(meter.as_str());
    let token = document.as_ref().and_then(|device| device.specification_token.as_ref());
    let specification = token.and_then(|it| tenant.documents.body::<Specification>(it.as_str()));
    let row = tenant.devices.find(meter.as_str());
    let sent = match &row {
        Some(row) => {
            let cut = Permit::whole_tenant().cut(meter);
            tenant.readers.quantities_of(row.id, &cut).await?
        }
        None => Vec::new(),
    };
    let seconds = specification.as_ref().and_then(|it| it.reporting_period);
    let reading_period =
        seconds.map_or(PERIOD, |seconds| SimDuration::from_seconds(seconds.max(1).into()));
    let is_declared = |name: &str| {
        let declared = specification.as_ref().map_or(&[][..], |it| &it.quantities[..]);
        declared.iter().any(|quantity| quantity.id.as_str() == name)
    };
    let mut registers = Vec::new();
    for (direction, name) in REGISTERS {
        let Some(id) = MeasurementId::lookup(name) else { continue };
        if !is_declared(name) && !sent.contains(&id) {
            continue;
        }
        let readings = match &row {
            Some(row) => {
                Meter { tenant, row, id, reading_period }.readings(service, period).await?
            }
            None => Vec::new(),
        };
        let meter = meter.clone();
        registers.push(Register { meter, direction, service, reading_period, readings });
    }
    Ok(registers)
}

/// A register of a device in the store.
struct Meter<'a> {
    tenant: &'a Tenant,
    row: &'a DeviceRow,
    id: MeasurementId,
    reading_period: SimDuration,
}

impl Meter<'_> {
    /// What it showed within a period and, as far as its service goes, next to it.
    async fn readings(&self, service: Stretch, period: Stretch) -> Result<Vec<Reading>, Problem> {
        let Some(Stretch { from, until }) = intersection(service, period) else {
            return Ok(Vec::new());
        };
        let within = self.between(from, until, usize::MAX).await?;
        let mut readings = Vec::new();
        if within.first().is_none_or(|first| from < first.at) {
            readings.extend(self.before(from, service.from).await?);
        }
        readings.extend(within);
        if readings.last().is_none_or(|last| last.at < until) {
            readings.extend(self.between(until, service.until, 1).await?);
        }
        Ok(readings)
    }

    /// The last reading before an instant, not before another. It is looked for further and further
    /// back.
    async fn before(&self, at: SimTime, earliest: SimTime) -> Result<Option<Reading>, Problem> {
        let (mut until, mut length) = (at, self.reading_period.0.saturating_mul(2));
        while earliest < until {
            let from = SimTime(until.0.saturating_sub(length)).max(earliest);
            let last = SimTime(until.0.saturating_sub(1));
            if let Some(found) = self.between(from, last, usize::MAX).await?.pop() {
                return Ok(Some(found));
            }
            (until, length) = (from, length.saturating_mul(LONGER));
        }
        Ok(None)
    }

    /// The readings between two instants, both included, the first so many.
    async fn between(
        &self,
        start: SimTime,
        end: SimTime,
        count: usize,
    ) -> Result<Vec<Reading>, Problem> {
        let limit = READINGS_AT_ONCE.min(u32::try_from(count).unwrap_or(u32::MAX));
        let mut query = SeriesQuery {
            device: self.row.id,
            ids: vec![self.id],
            range: Range { start, end },
            page: Page { offset: 0, limit },
            after: None,
            // A bill is the tenant's to make; who may have it has been asked.
            cut: Permit::whole_tenant().cut(&self.row.hardware_id),
        };
        let mut readings = Vec::new();
        loop {
            let series = self.tenant.readers.series(query.clone()).await?;
            let points = series.into_iter().next().map(|(_, points)| points).unwrap_or_default();
            readings.extend(points.iter().map(reading));
            let is_full = points.len() >= limit as usize && readings.len() < count;
            let Some(last) = points.last().filter(|_| is_full) else { return Ok(readings) };
            query.after = Some((last.event.0, last.sequence.cast_signed()));
            if readings.len() > READINGS_MAX {
                let detail = format!(
                    "`{}` has more than {READINGS_MAX} readings of a register in the period",
                    self.row.hardware_id
                );
                return Err(Problem::conflict("no_bill", detail));
            }
        }
    }
}

/// A value in kWh as a reading in Wh, to the nearest one.
fn reading(point: &SeriesPoint) -> Reading {
    Reading { at: point.event, register_wh: (point.value * 1000.0).round() as i64 }
}
