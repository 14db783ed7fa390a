//! What is known of the devices of a home: names, last values and how old these are, what registers
//! counted, and the calendar of whoever asks.

use lastmeter_model::access::{Action, Kind, Permit, Resource, Subject, Target};
use lastmeter_model::calendar::{Stretch, Width, Zone, stretches};
use lastmeter_model::entity::{Device, Specification, TenantSettings, User};
use lastmeter_model::row::{DeviceRow, DeviceState};
use lastmeter_model::series::energy::{Energy, Reading, counted, readings};
use lastmeter_model::series::rollup::Summary;
use lastmeter_store::{Page, Range, SummaryQuery};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use serde::Serialize;

use super::{Caller, devices};
use crate::problem::Problem;

/// Devices of a page at most.
const DEVICES_MAX: u32 = 200;
/// How often a device reports of which nothing is declared.
const PERIOD: SimDuration = SimDuration::from_seconds(900);
/// Values that are older than so many periods are out of date.
const PERIODS: i64 = 3;
/// Summaries that are read at once, and how often at most for a series.
const SUMMARIES_AT_ONCE: usize = 16_384;
const LOOKS_MAX: usize = 8;
/// How long before a range its first reading may be.
const BEFORE: SimDuration = SimDuration::from_seconds(14 * 86_400);
/// How far it is looked for first, and by how many times further each time after.
const BEFORE_FIRST: SimDuration = SimDuration::from_seconds(3600);
const LONGER: i64 = 8;

pub(crate) const POWER: &str = "electricity.power.active.consumed.total";
pub(crate) const SENT_POWER: &str = "electricity.power.active.injected.total";
pub(crate) const ENERGY: &str = "electricity.energy.active.consumed.total";
pub(crate) const SENT_ENERGY: &str = "electricity.energy.active.injected.total";
pub(crate) const BREAKER: &str = "x.electricity.breaker.closed";

/// How old the last value of a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Age {
    Fresh,
    /// Older than some reporting periods.
    Stale,
    /// Nothing for so long that nothing is known, or nothing ever.
    Missing,
}

/// A device of which somebody may have last values.
pub(crate) struct Known {
    pub(crate) row: DeviceRow,
    pub(crate) permit: Permit,
    pub(crate) name: String,
    pub(crate) room: Option<String>,
    pub(crate) parent: Option<HardwareId>,
    pub(crate) period: SimDuration,
    pub(crate) heard: Option<SimTime>,
    pub(crate) age: Age,
    /// When it will be another one, if nothing comes until then.
    pub(crate) ages_at: Option<SimTime>,
    pub(crate) state: DeviceState,
}

impl Known {
    pub(crate) fn id(&self) -> &str {
        self.row.hardware_id.as_str()
    }

    /// The last value of a quantity.
    pub(crate) fn value(&self, quantity: &str) -> Option<(SimTime, f64)> {
        let found = self.state.values.iter().find(|value| value.name == quantity)?;
        Some((found.event, found.value))
    }
}

/// The devices of which last values may be had, by hardware id.
pub(crate) async fn known(caller: &Caller) -> Result<Vec<Known>, Problem> {
    let page = Page { offset: 0, limit: DEVICES_MAX };
    let (_, rows) = caller.devices(Kind::Latest, page)?;
    let mut all = Vec::new();
    for row in rows {
        let needed = (Kind::Latest, Action::Read);
        if let Ok((row, permit)) = devices::find(caller, needed, row.hardware_id.as_str()) {
            all.push(one(caller, row, permit).await?);
        }
    }
    Ok(all)
}

/// What is known of a device.
pub(crate) async fn one(caller: &Caller, row: DeviceRow, permit: Permit) -> Result<Known, Problem> {
    let tenant = &caller.tenant;
    let (heard, state) = tenant.readers.state(&permit, &row).await?;
    let device = described(caller, &row.hardware_id);
    let specification = device.as_ref().and_then(|device| device.specification_token.as_ref());
    let specification =
        specification.and_then(|token| tenant.documents.body::<Specification>(token.as_str()));
    let seconds = |seconds: Option<u32>| {
        seconds.map(|seconds| SimDuration::from_seconds(i64::from(seconds.max(1))))
    };
    let period = specification.as_ref().and_then(|it| seconds(it.reporting_period));
    let period = period.unwrap_or(PERIOD);
    let limit = specification.as_ref().and_then(|it| seconds(it.presence_after));
    let limit = limit.unwrap_or(SimDuration(period.0.saturating_mul(32)));
    let stale = SimDuration(period.0.saturating_mul(PERIODS));
    let silence = heard.map(|heard| tenant.clock.now().since(heard));
    let age = match silence {
        Some(silence) if silence <= stale => Age::Fresh,
        Some(silence) if silence <= limit => Age::Stale,
        _ => Age::Missing,
    };
    let lasts = match age {
        Age::Fresh => Some(stale.min(limit)),
        Age::Stale => Some(limit),
        Age::Missing => None,
    };
    let ages_at =
        heard.zip(lasts).map(|(heard, lasts)| SimTime(heard.0.saturating_add(lasts.0 + 1)));
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    let name = name_of(caller, &row.hardware_id);
    let room = text(device.as_ref().and_then(|it| it.room.as_ref().map(ToString::to_string)));
    let parent = device.and_then(|device| device.parent_hardware_id.clone());
    Ok(Known { row, permit, name, room, parent, period, heard, age, ages_at, state })
}

/// What a device is called, as far as that may be read.
pub(crate) fn name_of(caller: &Caller, id: &HardwareId) -> String {
    let device = described(caller, id);
    let name = device.and_then(|it| it.name.as_ref().map(ToString::to_string));
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string())
}

/// The document of a device, if it may be read.
pub(crate) fn described(caller: &Caller, id: &HardwareId) -> Option<std::sync::Arc<Device>> {
    let target = Target::Device(id.clone());
    let on = Resource::new(Kind::Device, &caller.tenant.name, Subject::One(&target));
    if !caller.may(Action::Read, &on) {
        return None;
    }
    caller.tenant.documents.body::<Device>(id.as_str())
}

/// What was measured in a stretch: least, mean and greatest of each bucket with values.
pub(crate) struct Bucket {
    pub(crate) first: Reading,
    pub(crate) last: Reading,
    pub(crate) min: f64,
    pub(crate) mean: f64,
    pub(crate) max: f64,
    pub(crate) n: u64,
}

/// The values of a quantity of a device between two instants, in buckets of a quarter of an hour
/// and shorter ones; `is_single` gives each value by itself.
pub(crate) async fn buckets(
    caller: &Caller,
    of: (&DeviceRow, &Permit),
    quantity: MeasurementId,
    ends: (SimTime, SimTime),
    is_single: bool,
) -> Result<Vec<Bucket>, Problem> {
    let found = summaries(caller, of, quantity, ends, is_single).await?;
    let bucket = |summary: Summary| Bucket {
        first: summary.first,
        last: summary.last,
        min: summary.min,
        mean: summary.mean(),
        max: summary.max,
        n: summary.n,
    };
    Ok(found.into_iter().map(bucket).collect())
}

async fn summaries(
    caller: &Caller,
    (row, permit): (&DeviceRow, &Permit),
    quantity: MeasurementId,
    (from, until): (SimTime, SimTime),
    is_single: bool,
) -> Result<Vec<Summary>, Problem> {
    let mut range = Range { start: from, end: SimTime(until.0.saturating_sub(1)) };
    let mut all = Vec::new();
    for _ in 0..LOOKS_MAX {
        let query = SummaryQuery {
            device: row.id,
            ids: vec![quantity],
            range,
            rows_from: if is_single { SimTime(i64::MAX) } else { SimTime(i64::MIN) },
            limit: SUMMARIES_AT_ONCE,
            cut: permit.cut(&row.hardware_id),
        };
        let found = caller.tenant.readers.summaries(query).await?;
        all.extend(found.summaries.into_iter().map(|(_, summary)| summary));
        match found.next {
            Some(next) => range.start = next,
            None => break,
        }
    }
    Ok(all)
}

/// Readings of a register up to an instant: the last one before the range, then the first and last
/// of each bucket.
pub(crate) async fn register(
    caller: &Caller,
    of: (&DeviceRow, &Permit),
    quantity: &str,
    (from, until): (SimTime, SimTime),
) -> Result<Vec<Reading>, Problem> {
    let Some(id) = MeasurementId::lookup(quantity) else { return Ok(Vec::new()) };
    // The end of the last stretch belongs to it.
    let end = SimTime(until.0.saturating_add(1));
    let mut readings = readings(&summaries(caller, of, id, (from, end), false).await?);
    let within = readings.partition_point(|(at, _)| *at <= from);
    readings.drain(..within.saturating_sub(1));
    if within == 0
        && let Some(before) = last_before(caller, of, id, from).await?
    {
        readings.insert(0, before);
    }
    Ok(readings)
}

/// The last reading of a register before an instant, looked for further and further back.
async fn last_before(
    caller: &Caller,
    of: (&DeviceRow, &Permit),
    id: MeasurementId,
    at: SimTime,
) -> Result<Option<Reading>, Problem> {
    let earliest = SimTime(at.0.saturating_sub(BEFORE.0));
    let (mut until, mut length) = (at, BEFORE_FIRST.0);
    while earliest < until {
        let from = SimTime(until.0.saturating_sub(length)).max(earliest);
        let found = summaries(caller, of, id, (from, until), false).await?;
        if let Some(last) = readings(&found).pop() {
            return Ok(Some(last));
        }
        (until, length) = (from, length.saturating_mul(LONGER));
    }
    Ok(None)
}

/// What meters counted of a quantity in each of stretches, together.
pub(crate) async fn counted_by(
    caller: &Caller,
    meters: &[&Known],
    quantity: &str,
    of: &[Stretch],
) -> Result<Energy, Problem> {
    let mut all = counted(&[], of, meters.first().map_or(SimDuration::ZERO, |it| it.period));
    let (Some(first), Some(last)) = (of.first(), of.last()) else { return Ok(all) };
    for meter in meters.iter().filter(|meter| meter.value(quantity).is_some()) {
        let who = (&meter.row, &meter.permit);
        let readings = register(caller, who, quantity, (first.from, last.until)).await?;
        let one = counted(&readings, of, meter.period);
        for (sum, own) in all.counted.iter_mut().zip(&one.counted) {
            if let Some(value) = own.value {
                sum.value = Some(sum.value.unwrap_or_default() + value);
            }
        }
        all.gaps.extend(one.gaps.iter().filter(|gap| gap.until > first.from));
        if let Some(total) = one.total {
            all.total = Some(all.total.unwrap_or_default() + total);
        }
    }
    Ok(all)
}

/// The time zone of who asks, else of the premises.
pub(crate) fn zone(caller: &Caller) -> Zone {
    let documents = &caller.tenant.documents;
    let own = caller.user().and_then(|name| documents.body::<User>(name.as_str()));
    let own = own.and_then(|user| user.time_zone.clone());
    let settings = || documents.bodies::<TenantSettings>().into_iter().next();
    own.or_else(|| settings().map(|(_, settings)| settings.time_zone.clone()))
        .unwrap_or_else(Zone::utc)
}

/// The stretch of a width in which an instant lies.
pub(crate) fn around(zone: &Zone, width: Width, at: SimTime) -> Stretch {
    let next = SimTime(at.0.saturating_add(1));
    stretches(zone, width, at, next).next().unwrap_or(Stretch { from: at, until: next })
}
