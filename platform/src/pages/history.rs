//! Series over time: what was used by day, week, month or year, beside the time before, as picture,
//! table and CSV.

use std::borrow::Cow;
use std::fmt::Write as _;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, Permit};
use lastmeter_model::calendar::{Stretch, Width, stretches};
use lastmeter_model::entity::Device;
use lastmeter_model::row::DeviceRow;
use lastmeter_model::series::energy::{Energy, counted};
use lastmeter_store::Page;
use lastmeter_units::{Formation, MeasurementId, Quantity, SimDuration, SimTime};
use serde_json::{Value, json};

use super::charts::{self, Drawing};
use super::format::number;
use super::frame::Answered;
use super::now::around;
use super::view::{Answer, View};
use super::viewer::{Viewer, in_address};
use super::views;
use crate::ops::devices;
use crate::ops::homes::{self, ENERGY, Known};
use crate::ops::transfer::csv_field;
use crate::problem::Problem;

/// Devices that one may choose from.
const DEVICES_MAX: u32 = 200;
/// Points of a line by themselves up to this range, by buckets beyond it.
const SINGLE_MAX: SimDuration = SimDuration::from_seconds(7 * 3600);

/// How long a picture is.
struct Per {
    word: &'static str,
    name: &'static str,
    width: Width,
    /// How long its bars are.
    bars: Width,
    bar: &'static str,
}

const PERS: [Per; 4] = [
    Per { word: "day", name: "Day", width: Width::Day, bars: Width::Hour, bar: "hour" },
    Per { word: "week", name: "Week", width: Width::Week, bars: Width::Day, bar: "day" },
    Per { word: "month", name: "Month", width: Width::Month, bars: Width::Day, bar: "day" },
    Per { word: "year", name: "Year", width: Width::Year, bars: Width::Month, bar: "month" },
];

/// What a picture is of, as its address has it.
pub(super) struct Choice {
    per: &'static Per,
    /// An instant within it.
    at: SimTime,
    pub(super) whole: Stretch,
}

impl Choice {
    /// As the address has it: today's, where it has nothing or what cannot be read.
    pub(super) fn of(viewer: &Viewer) -> Self {
        let per = PERS.iter().find(|per| per.word == viewer.field("per")).unwrap_or(&PERS[0]);
        let at = day_of(viewer, viewer.field("at")).unwrap_or(viewer.now());
        Self { per, at, whole: around(viewer, per.width, at) }
    }

    /// The same of the time before or after.
    fn moved(&self, viewer: &Viewer, is_after: bool) -> Self {
        let at = if is_after { self.whole.until } else { SimTime(self.whole.from.0 - 1) };
        Self { per: self.per, at, whole: around(viewer, self.per.width, at) }
    }

    fn date(&self, viewer: &Viewer) -> String {
        date_of(viewer, self.at)
    }

    /// What leads from a picture to others; `rest` is what else the address has.
    pub(super) fn links(&self, viewer: &Viewer, path: &str, rest: &str) -> Value {
        let link = |per: &str, at: String| format!("{path}?per={per}&at={at}{rest}");
        let pers = PERS.iter().map(|per| {
            let is_current = per.word == self.per.word;
            json!({ "name": per.name, "path": link(per.word, self.date(viewer)), "is_current": is_current })
        });
        let next = self.moved(viewer, true);
        json!({
            "pers": pers.collect::<Vec<_>>(),
            "before": link(self.per.word, self.moved(viewer, false).date(viewer)),
            "after": (next.whole.from <= viewer.now()).then(|| link(self.per.word, next.date(viewer))),
            "name": self.name(viewer),
        })
    }

    /// The time of the picture, for people.
    pub(super) fn name(&self, viewer: &Viewer) -> String {
        let times = &viewer.times;
        let last = SimTime(self.whole.until.0 - 1);
        let local = times.zone.local(self.whole.from);
        match self.per.width {
            Width::Week => format!("{} to {}", times.day(self.whole.from), times.day(last)),
            Width::Month => {
                let date = super::format::date(local, local);
                let month = date.split(' ').next_back().unwrap_or_default();
                format!("{month} {}", local.year)
            }
            Width::Year => local.year.to_string(),
            _ => times.day(self.whole.from),
        }
    }
}

/// A date of the zone, as `2027-01-18`, by its noon.
pub(super) fn day_of(viewer: &Viewer, text: &str) -> Option<SimTime> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok().filter(|year| (1970..=2200).contains(year))?;
    let (month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let midnight = viewer.times.zone.midnight(year, month, day)?;
    Some(midnight + SimDuration::from_seconds(12 * 3600))
}

pub(super) fn date_of(viewer: &Viewer, at: SimTime) -> String {
    let local = viewer.times.zone.local(at);
    format!("{:04}-{:02}-{:02}", local.year, local.month, local.day)
}

/// A quantity for people.
pub(super) fn name_of(id: MeasurementId) -> String {
    let row = id.row();
    let phase = match row.name.rsplit('.').next() {
        Some(phase @ ("l1" | "l2" | "l3")) => format!(", phase {}", phase.to_uppercase()),
        _ => String::new(),
    };
    let name = match row.quantity {
        Quantity::ActiveEnergy(_) if row.name.contains("injected") => "Sent to the grid",
        Quantity::ActiveEnergy(_) => "Energy",
        Quantity::ActivePower(_) if row.name.contains("injected") => "Power sent",
        Quantity::ActivePower(_) => "Power",
        Quantity::HeatEnergy => "Heat",
        Quantity::HeatPower => "Heat power",
        Quantity::VoltageRms => "Voltage",
        Quantity::CurrentRms => "Current",
        Quantity::Frequency => "Frequency",
        Quantity::BreakerClosed => "Switch (1 on, 0 off)",
        Quantity::RoomTemperature => "Room temperature",
        Quantity::ProfilePower => "Mean power by interval",
        Quantity::ProfileInterval => "Number of the interval",
        Quantity::ContactOpen => "Door or window (1 open, 0 closed)",
        _ => return row.name.trim_start_matches("x.").replace('.', " "),
    };
    format!("{name}{phase}")
}

/// Whether a quantity is a register, of which differences are shown.
pub(super) fn is_register(id: MeasurementId) -> bool {
    matches!(
        id.row().quantity,
        Quantity::ActiveEnergy(_)
            | Quantity::ReactiveEnergy(_)
            | Quantity::ApparentEnergy
            | Quantity::HeatEnergy
    )
}

/// A picture of a quantity of a device.
pub(super) async fn drawing(
    viewer: &Viewer,
    known: (&DeviceRow, &Permit, SimDuration),
    id: MeasurementId,
    choice: &Choice,
) -> Result<(Drawing, Option<Energy>), Problem> {
    let (row, permit, period) = known;
    let whole = choice.whole;
    let name = format!("{}, {}", name_of(id), choice.name(viewer));
    let unit = id.row().unit;
    if is_register(id) {
        let energy = energy_of(viewer, known, id, choice).await?;
        let drawing = charts::bars(&viewer.times, &energy, (whole, &name), unit);
        return Ok((drawing, Some(energy)));
    }
    let is_single = whole.until.since(whole.from) <= SINGLE_MAX;
    let ends = (whole.from, whole.until);
    let found = homes::buckets(&viewer.caller, (row, permit), id, ends, is_single).await?;
    let found = thinned(found, &viewer.times.zone, choice);
    let gap_s = (2.5 * period.as_seconds_f64()).max(spacing(choice)).max(interval_s(id, &found));
    let is_from_zero = matches!(id.row().quantity, Quantity::ActivePower(_));
    let drawing = charts::line(&viewer.times, &found, (whole, &name), (unit, gap_s), is_from_zero);
    Ok((drawing, None))
}

/// Seconds between points of a picture that are no gap.
fn spacing(choice: &Choice) -> f64 {
    match choice.per.width {
        Width::Month => 2.0 * 3600.0,
        Width::Year => 2.0 * 86_400.0,
        _ => 0.0,
    }
}

/// Seconds between intervals of a power profile that are no gap: such a value is not in every
/// reading, so the two nearest ones show how long an interval is. Zero of other quantities.
fn interval_s(id: MeasurementId, found: &[homes::Bucket]) -> f64 {
    if id.row().quantity.formation() != Some(Formation::Interval) {
        return 0.0;
    }
    let between = found.windows(2).map(|two| two[1].first.0.since(two[0].last.0).as_seconds_f64());
    between.min_by(f64::total_cmp).map_or(0.0, |least| 1.5 * least)
}

/// Buckets of an hour or a day, where a picture is longer than a week.
fn thinned(
    found: Vec<homes::Bucket>,
    zone: &lastmeter_model::calendar::Zone,
    choice: &Choice,
) -> Vec<homes::Bucket> {
    let width = match choice.per.width {
        Width::Month => Width::Hour,
        Width::Year => Width::Day,
        _ => return found,
    };
    let mut all: Vec<homes::Bucket> = Vec::new();
    let mut until = SimTime(i64::MIN);
    for bucket in found {
        if bucket.first.0 >= until {
            let next = SimTime(bucket.first.0.0.saturating_add(1));
            until = stretches(zone, width, bucket.first.0, next)
                .next()
                .map_or(next, |stretch| stretch.until);
            all.push(bucket);
        } else if let Some(of) = all.last_mut() {
            let n = of.n + bucket.n;
            of.mean = (of.mean * of.n as f64 + bucket.mean * bucket.n as f64) / n as f64;
            (of.n, of.last) = (n, bucket.last);
            (of.min, of.max) = (of.min.min(bucket.min), of.max.max(bucket.max));
        }
    }
    all
}

async fn energy_of(
    viewer: &Viewer,
    (row, permit, period): (&DeviceRow, &Permit, SimDuration),
    id: MeasurementId,
    choice: &Choice,
) -> Result<Energy, Problem> {
    let Stretch { from, until } = choice.whole;
    let parts: Vec<Stretch> = stretches(&viewer.times.zone, choice.per.bars, from, until).collect();
    let readings =
        homes::register(&viewer.caller, (row, permit), id.row().name, (from, until)).await?;
    Ok(counted(&readings, &parts, period))
}

/// The devices whose series may be had, with their permits.
fn series_of(viewer: &Viewer) -> Result<Vec<(DeviceRow, Permit)>, Problem> {
    let page = Page { offset: 0, limit: DEVICES_MAX };
    let (_, rows) = viewer.caller.devices(Kind::Series, page)?;
    let found = rows.into_iter().filter_map(|row| {
        let id = row.hardware_id.to_string();
        devices::find(&viewer.caller, (Kind::Series, Action::Read), &id).ok()
    });
    Ok(found.collect())
}

/// What is shown unless something is chosen: the meter of the home, rather than what is behind it.
fn first<'a>(
    viewer: &Viewer,
    series: &'a [(DeviceRow, Permit)],
) -> Option<&'a (DeviceRow, Permit)> {
    series.iter().find(|(row, _)| !is_behind(viewer, row)).or(series.first())
}

/// Whether a device is behind another one.
fn is_behind(viewer: &Viewer, row: &DeviceRow) -> bool {
    let body = viewer.tenant().documents.body::<Device>(row.hardware_id.as_str());
    body.is_some_and(|body| body.parent_hardware_id.is_some())
}

/// What may be chosen.
fn options(
    viewer: &Viewer,
    series: &[(DeviceRow, Permit)],
    chosen: Option<&DeviceRow>,
) -> Vec<Value> {
    let option = |(row, _): &(DeviceRow, Permit)| {
        let is_chosen = chosen.is_some_and(|chosen| chosen.id == row.id);
        let name = homes::name_of(&viewer.caller, &row.hardware_id);
        json!({ "id": row.hardware_id, "name": name, "is_chosen": is_chosen })
    };
    series.iter().map(option).collect()
}

/// `GET /history`
pub(super) async fn show(viewer: Viewer) -> Answered {
    shown(&viewer, None).await
}

/// The page, with what was wrong with a form of it.
pub(super) async fn shown(viewer: &Viewer, error: Option<&str>) -> Answered {
    let series = series_of(viewer)?;
    let choice = Choice::of(viewer);
    let (views, view) = views::listed(viewer);
    let asked = viewer.field("s");
    // What is hidden is as what is not there.
    let chosen = match series.iter().find(|(row, _)| row.hardware_id.as_str() == asked) {
        Some(found) => Some(found),
        None if asked.is_empty() => first(viewer, &series),
        None => return Err(Problem::nothing()),
    };
    let options = options(viewer, &series, chosen.map(|(row, _)| row));
    let Some((row, permit)) = chosen else {
        return Ok(View::new(
            "history.html",
            json!({ "options": options, "views": views, "error": error }),
        )
        .into());
    };
    let known = homes::one(&viewer.caller, row.clone(), permit.clone()).await?;
    let ids = quantities(viewer, &known).await?;
    let default = MeasurementId::lookup(ENERGY).filter(|id| ids.contains(id));
    let id = MeasurementId::lookup(viewer.field("q")).filter(|id| ids.contains(id));
    let Some(id) = id.or(default).or(ids.first().copied()) else {
        return Ok(View::new(
            "history.html",
            json!({
                "options": options, "name": known.name, "views": views, "error": error,
            }),
        )
        .into());
    };
    let of = (&known.row, &known.permit, known.period);
    let (drawn, energy) = drawing(viewer, of, id, &choice).await?;
    if viewer.field("as") == "csv" {
        return Ok(csv(&known, id, &drawn));
    }
    let rest = format!("&s={}&q={}", in_address(known.id()), in_address(id.name()));
    let before = match &energy {
        Some(energy) => compared(viewer, of, id, &choice, energy).await?,
        None => None,
    };
    let quantities = ids
        .iter()
        .map(|one| json!({ "id": one.name(), "name": name_of(*one), "is_chosen": *one == id }));
    let values = json!({
        "views": views,
        "view": view,
        "error": error,
        "device_id": known.id(),
        "quantity_id": id.name(),
        "options": options,
        "quantities": quantities.collect::<Vec<_>>(),
        "name": known.name,
        "quantity": name_of(id),
        "links": choice.links(viewer, "/history", &rest),
        "per": choice.per.word,
        "bar": choice.per.bar,
        "at": choice.date(viewer),
        "total": energy.as_ref().and_then(|energy| energy.total).map(|it| number(it, id.row().unit)),
        "before": before,
        "drawing": drawn,
        "csv": format!("/history?per={}&at={}{rest}&as=csv", choice.per.word, choice.date(viewer)),
    });
    let is_view = values["view"].is_object();
    let page = View::new("history.html", values);
    let page = if is_view { page.in_state("V5") } else { page };
    let wrong = error.map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY);
    Ok(page.with_status(wrong).into())
}

/// What a device may have values of, of which pictures are made.
pub(super) async fn quantities(
    viewer: &Viewer,
    known: &Known,
) -> Result<Vec<MeasurementId>, Problem> {
    let cut = known.permit.cut(&known.row.hardware_id);
    Ok(viewer.tenant().readers.quantities_of(known.row.id, &cut).await?)
}

/// How much more or less it was than in the time before, as far as that has come.
async fn compared(
    viewer: &Viewer,
    of: (&DeviceRow, &Permit, SimDuration),
    id: MeasurementId,
    choice: &Choice,
    energy: &Energy,
) -> Result<Option<Value>, Problem> {
    let before = energy_of(viewer, of, id, &choice.moved(viewer, false)).await?;
    let done = energy.counted.iter().filter(|one| one.stretch.until <= viewer.now()).count();
    // With a part of the time before alone nothing is compared.
    if before.counted.iter().take(done).any(|one| one.value.is_none()) {
        return Ok(None);
    }
    let sum = |of: &Energy| -> Option<f64> {
        let values: Vec<f64> = of.counted.iter().take(done).filter_map(|one| one.value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    };
    let (Some(now), Some(then)) = (sum(energy), sum(&before)) else { return Ok(None) };
    let difference = number((now - then).abs(), id.row().unit);
    let word = if now < then { "less" } else { "more" };
    let name = choice.per.word;
    Ok(Some(json!({ "difference": difference, "word": word, "name": name })))
}

/// A text that tables take for a text, and never for a formula.
fn as_text(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// What is shown, for programs.
fn csv(known: &Known, id: MeasurementId, drawing: &Drawing) -> Answer {
    let mut text = String::from("device,quantity,unit,time,value,kind\n");
    let device = csv_field(&as_text(known.id()));
    for row in &drawing.rows {
        let value = row.value.as_ref().map_or("", |value| value.value.as_str());
        // Writing into memory does not fail.
        let _ = writeln!(
            text,
            "{device},{},{},{},{value},{}",
            id.name(),
            id.row().unit,
            row.datetime,
            row.kind
        );
    }
    Answer::Text("text/csv; charset=utf-8", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_of_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert!(as_text(text).starts_with('\''), "{text}");
        }
        assert_eq!(as_text("meter-1"), "meter-1");
    }

    #[test]
    fn intervals_of_a_profile_are_one_line_and_a_missing_one_is_a_gap() {
        let [power, volts] = ["x.electricity.profile.power", "electricity.voltage.rms.l1"]
            .map(|name| MeasurementId::lookup(name).unwrap());
        assert_eq!((name_of(power), power.row().unit), ("Mean power by interval".to_owned(), "kW"));
        let bucket = |minutes: i64| {
            let reading = (SimTime(minutes * 60_000_000_000), 1.0);
            let (first, last) = (reading, reading);
            homes::Bucket { first, last, min: 1.0, mean: 1.0, max: 1.0, n: 1 }
        };
        let found = [0, 15, 45, 60].map(bucket);
        assert_eq!(interval_s(power, &found), 1.5 * 900.0);
        assert_eq!((interval_s(volts, &found), interval_s(power, &found[..1])), (0.0, 0.0));
    }
}
