//! What somebody should be aware of: each medium beside one's own past, what a group of households
//! takes, what is always on, what two days cost, and what could be done about it, each with what it
//! rests on.

use lastmeter_model::calendar::{Stretch, Width, Zone, stretches};
use lastmeter_model::entity::{Bill, Direction, EnergyLine, Line};
use lastmeter_services::AggregateWidth;
use lastmeter_store::{Page, Range};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use schemars::JsonSchema;
use serde::Serialize;

use super::Caller;
use super::aggregates;
use super::bills;
use super::homes::{self, ENERGY, Known, SENT_ENERGY, around};
use crate::problem::Problem;

/// Media in their order, each a register.
pub(crate) const MEDIA: [&str; 3] = [ENERGY, "heating.energy", "water.volume"];
const HOUR: SimDuration = SimDuration::from_seconds(3600);
/// The days of which the least hour is what is always on, and the hours of them that have to be
/// known.
pub(crate) const DAYS: i64 = 7;
const HOURS_MIN: usize = 100;
/// Hours of a day in which a group has to be published.
const GROUP_HOURS_MIN: usize = 20;
/// The least power that is worth a look, in kW.
const ALWAYS_ON_KW: f64 = 0.03;
/// Hours of a month of the mean length.
const HOURS_OF_MONTH: f64 = 730.5;
/// The part of all energy that is worth moving if it was taken at the highest price.
const DEAR_PART_MIN: f64 = 0.3;

/// What somebody should be aware of.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Awareness {
    /// Media of which a meter has a register: electricity, heat, water.
    pub(crate) media: Vec<Medium>,
    /// What is always on; none where too few hours of the last seven days are known, or where the
    /// home makes energy itself.
    pub(crate) always_on: Option<AlwaysOn>,
    /// What the households of a zone took yesterday; none where nothing is published.
    pub(crate) group: Option<GroupDay>,
    /// What today and yesterday cost; none where there is no contract.
    pub(crate) days: Vec<DayCost>,
    /// What could be done.
    pub(crate) advice: Vec<Advice>,
}

/// The whole days of a month so far, beside as many of the month before.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Medium {
    /// The register, in whose unit the sums are.
    pub(crate) quantity: &'static str,
    /// How many days these are.
    pub(crate) days: usize,
    /// Of how many the energy is known.
    pub(crate) known: usize,
    /// Their sum.
    pub(crate) sum: Option<f64>,
    /// That of as many days of the month before, where all are known.
    pub(crate) past: Option<f64>,
    /// Whether it is no more than then, where all days of both are known.
    pub(crate) is_less: Option<bool>,
}

/// The mean power of the least hour of the last seven days.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlwaysOn {
    pub(crate) power_kw: f64,
    /// How many hours are known.
    pub(crate) known_hours: usize,
    /// What it costs in a month, at the mean price of the last seven days.
    pub(crate) month: Option<Money>,
}

/// An amount, with two decimals.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct Money {
    pub(crate) amount: String,
    pub(crate) currency: String,
}

impl Money {
    fn of(amount: f64, currency: &str) -> Self {
        Self { amount: format!("{amount:.2}"), currency: currency.to_owned() }
    }
}

/// What the households of a zone took yesterday on the mean, beside one's own home.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupDay {
    pub(crate) zone: String,
    pub(crate) name: String,
    /// The fewest households of its hours.
    pub(crate) households: u64,
    pub(crate) mean_kwh: f64,
    pub(crate) own_kwh: f64,
}

/// What the energy of a day costs that was taken from the grid, without fixed terms.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DayCost {
    /// Whether it goes on.
    pub(crate) is_today: bool,
    pub(crate) amount: String,
    pub(crate) currency: String,
    /// What was taken, of the lines that have an amount.
    pub(crate) energy_kwh: f64,
    /// What was sent to the grid, and what that brought.
    pub(crate) sent: Option<Sent>,
    /// What is left of the amount once what was sent is taken off.
    pub(crate) net: Option<String>,
    /// Whether all of it is known, up to now.
    pub(crate) is_whole: bool,
}

/// What was sent to the grid.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) amount: String,
    pub(crate) energy_kwh: f64,
}

/// What could be done, and what it would save in a month.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "key")]
pub(crate) enum Advice {
    /// To switch off a third to two thirds of what is always on.
    #[serde(rename = "switch-off")]
    SwitchOff { power_kw: f64, known_hours: usize, least: Option<Money>, most: Option<Money> },
    /// To move a tenth to three tenths of what was taken at the highest price to the lowest.
    #[serde(rename = "move-in-time")]
    MoveInTime {
        dear: String,
        cheap: String,
        energy_kwh: f64,
        /// Its part of all energy.
        percent: f64,
        /// Whether readings of these days are missing.
        is_open: bool,
        least: Money,
        most: Money,
    },
}

impl Advice {
    /// Every kind of it.
    pub(crate) const KEYS: [&str; 2] = ["switch-off", "move-in-time"];

    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::SwitchOff { .. } => Self::KEYS[0],
            Self::MoveInTime { .. } => Self::KEYS[1],
        }
    }
}

/// Who asks, when, and in which zone.
#[derive(Clone, Copy)]
struct Asked<'a> {
    caller: &'a Caller,
    zone: &'a Zone,
    now: SimTime,
}

impl Asked<'_> {
    /// The last days, up to the last whole hour.
    fn last_days(&self) -> Stretch {
        let until = around(self.zone, Width::Hour, self.now).from;
        let length = SimDuration::from_seconds(DAYS * 86_400);
        Stretch { from: SimTime(until.0.saturating_sub(length.0)), until }
    }

    fn day_before(&self, day: Stretch) -> Stretch {
        around(self.zone, Width::Day, SimTime(day.from.0.saturating_sub(1)))
    }
}

/// What who asks should be aware of, of the devices whose values they may have.
///
/// # Errors
/// If the store could not be read.
pub(crate) async fn of(caller: &Caller) -> Result<Awareness, Problem> {
    let zone = homes::zone(caller);
    let asked = Asked { caller, zone: &zone, now: caller.tenant.clock.now() };
    let known = homes::known(caller).await?;
    let ids: Vec<&HardwareId> = known.iter().map(|one| &one.row.hardware_id).collect();
    let is_behind = |one: &Known| one.parent.as_ref().is_some_and(|parent| ids.contains(&parent));
    let meters: Vec<&Known> = known.iter().filter(|one| !is_behind(one)).collect();
    let mut media = Vec::new();
    for quantity in MEDIA {
        media.extend(medium(asked, &meters, quantity).await?);
    }
    let week = match bills::customers(caller).first() {
        Some(customer) => bills::cost(caller, customer, asked.last_days()).await.ok(),
        None => None,
    };
    let price = week.as_ref().and_then(mean_price);
    let always_on = always_on(asked, &meters, price.as_ref()).await?;
    let switch_off = always_on.as_ref().and_then(|of| switch_off(of, price.as_ref()));
    let advice = switch_off.into_iter().chain(week.as_ref().and_then(move_in_time)).collect();
    let group = group(asked, &meters).await?;
    Ok(Awareness { media, always_on, group, days: days(caller).await, advice })
}

/// What meters counted in each of stretches, together; `None` where none of them knows.
async fn sums(
    asked: Asked<'_>,
    meters: &[&Known],
    quantity: &str,
    of: &[Stretch],
) -> Result<Vec<Option<f64>>, Problem> {
    let energy = homes::counted_by(asked.caller, meters, quantity, of).await?;
    Ok(energy.counted.iter().map(|one| one.value).collect())
}

async fn medium(
    asked: Asked<'_>,
    meters: &[&Known],
    quantity: &'static str,
) -> Result<Option<Medium>, Problem> {
    if meters.iter().all(|meter| meter.value(quantity).is_none()) {
        return Ok(None);
    }
    let Asked { zone, now, .. } = asked;
    let today = around(zone, Width::Day, now);
    let month = around(zone, Width::Month, now);
    let before = around(zone, Width::Month, SimTime(month.from.0.saturating_sub(1)));
    let days: Vec<Stretch> = stretches(zone, Width::Day, month.from, today.from).collect();
    let past: Vec<Stretch> =
        stretches(zone, Width::Day, before.from, before.until).take(days.len()).collect();
    let now = sums(asked, meters, quantity, &days).await?;
    let then = sums(asked, meters, quantity, &past).await?;
    let whole = |of: &[Option<f64>]| -> Option<f64> {
        let known: Vec<f64> = of.iter().flatten().copied().collect();
        (known.len() == of.len() && !known.is_empty()).then(|| known.iter().sum())
    };
    let known = now.iter().flatten().count();
    Ok(Some(Medium {
        quantity,
        days: days.len(),
        known,
        sum: (known > 0).then(|| now.iter().flatten().sum()),
        past: whole(&then),
        is_less: whole(&now).zip(whole(&then)).map(|(now, then)| now <= then),
    }))
}

async fn always_on(
    asked: Asked<'_>,
    meters: &[&Known],
    price: Option<&(f64, String)>,
) -> Result<Option<AlwaysOn>, Problem> {
    // Where something is made at home, what the grid gives is not all that is on.
    if meters.iter().any(|meter| meter.value(SENT_ENERGY).is_some_and(|(_, sent)| sent > 0.0)) {
        return Ok(None);
    }
    let Stretch { from, until } = asked.last_days();
    let hours: Vec<Stretch> = stretches(asked.zone, Width::Hour, from, until).collect();
    let found = sums(asked, meters, ENERGY, &hours).await?;
    // An hour whose clock is changed may be longer or shorter.
    let power = |(sum, hour): (&Option<f64>, &Stretch)| {
        Some(sum.as_ref()? * HOUR.0 as f64 / hour.until.since(hour.from).0 as f64)
    };
    let known: Vec<f64> = found.iter().zip(&hours).filter_map(power).collect();
    let least = known.iter().copied().min_by(f64::total_cmp);
    Ok(least.filter(|_| known.len() >= HOURS_MIN).map(|least| {
        let power_kw = least.max(0.0);
        let month =
            price.map(|(price, currency)| Money::of(power_kw * HOURS_OF_MONTH * price, currency));
        AlwaysOn { power_kw, known_hours: known.len(), month }
    }))
}

/// What the energy of today and of the day before costs, where there is a contract and it is known.
pub(crate) async fn days(caller: &Caller) -> Vec<DayCost> {
    let zone = homes::zone(caller);
    let now = caller.tenant.clock.now();
    let asked = Asked { caller, zone: &zone, now };
    let Some(customer) = bills::customers(caller).into_iter().next() else { return Vec::new() };
    let today = around(&zone, Width::Day, now);
    let so_far = Stretch { from: today.from, until: now };
    let mut days = Vec::new();
    for (is_today, period) in [(true, so_far), (false, asked.day_before(today))] {
        let Ok(bill) = bills::cost(caller, &customer, period).await else { continue };
        // What is missing is not zero.
        let Some((amount, energy_kwh)) = of_direction(&bill, Direction::Import) else { continue };
        let sent = of_direction(&bill, Direction::Export);
        let lines = bill.lines.iter().filter(|line| matches!(line, Line::Energy(_))).cloned();
        let net = Bill::sum(&lines.collect::<Vec<_>>(), &bill.currency).filter(|_| sent.is_some());
        days.push(DayCost {
            is_today,
            amount,
            currency: bill.currency.to_string(),
            energy_kwh,
            sent: sent.map(|(amount, energy_kwh)| Sent {
                amount: amount.trim_start_matches('-').to_owned(),
                energy_kwh,
            }),
            net: net.map(|net| net.to_string()),
            is_whole: is_today || !bill.is_open,
        });
    }
    days
}

/// What lines of energy of a direction come to, and the energy, where there is one.
fn of_direction(bill: &Bill, direction: Direction) -> Option<(String, f64)> {
    let is_meant = |line: &&Line| matches!(line, Line::Energy(line) if line.direction == direction);
    let lines: Vec<Line> = bill.lines.iter().filter(is_meant).cloned().collect();
    let energy = lines.iter().filter_map(|line| match line {
        Line::Energy(line) => Some(kwh(line)),
        _ => None,
    });
    let energy = energy.sum();
    let amount = Bill::sum(&lines, &bill.currency)?;
    (!lines.is_empty()).then(|| (amount.to_string(), energy))
}

/// The lines of energy that was taken.
fn imports(bill: &Bill) -> Vec<&EnergyLine> {
    let lines = bill.lines.iter();
    let lines = lines.filter_map(|line| match line {
        Line::Energy(line) if line.direction == Direction::Import => Some(line),
        _ => None,
    });
    lines.collect()
}

fn kwh(line: &EnergyLine) -> f64 {
    line.energy_wh as f64 / 1000.0
}

fn price(line: &EnergyLine) -> f64 {
    line.price.to_string().parse().unwrap_or_default()
}

/// What 1 kWh cost on the mean, and the currency.
fn mean_price(bill: &Bill) -> Option<(f64, String)> {
    let lines = imports(bill);
    let energy: f64 = lines.iter().map(|line| kwh(line)).sum();
    let cost: f64 = lines.iter().map(|line| kwh(line) * price(line)).sum();
    (energy > 0.0).then(|| (cost / energy, bill.currency.to_string()))
}

/// To switch off some of what is always on.
fn switch_off(of: &AlwaysOn, price: Option<&(f64, String)>) -> Option<Advice> {
    let AlwaysOn { power_kw, known_hours, .. } = *of;
    let part = |part: f64| {
        price.map(|(price, currency)| {
            Money::of(power_kw * HOURS_OF_MONTH * price * part / 3.0, currency)
        })
    };
    let (least, most) = (part(1.0), part(2.0));
    (power_kw >= ALWAYS_ON_KW).then_some(Advice::SwitchOff { power_kw, known_hours, least, most })
}

/// To move something from where energy is dear to where it is cheap.
fn move_in_time(bill: &Bill) -> Option<Advice> {
    let mut lines = imports(bill);
    lines.sort_by(|one, other| price(one).total_cmp(&price(other)));
    let (cheap, dear) = (lines.first()?, lines.last()?);
    let all: f64 = lines.iter().map(|line| kwh(line)).sum();
    let difference = price(dear) - price(cheap);
    if difference <= 0.0 || all <= 0.0 || kwh(dear) / all < DEAR_PART_MIN {
        return None;
    }
    let month = kwh(dear) * difference * 30.0 / DAYS as f64;
    let currency = bill.currency.to_string();
    Some(Advice::MoveInTime {
        dear: dear.name.to_string(),
        cheap: cheap.name.to_string(),
        energy_kwh: kwh(dear),
        percent: 100.0 * kwh(dear) / all,
        is_open: bill.is_open,
        least: Money::of(month * 0.1, &currency),
        most: Money::of(month * 0.3, &currency),
    })
}

async fn group(asked: Asked<'_>, meters: &[&Known]) -> Result<Option<GroupDay>, Problem> {
    let Some((zone, name)) = aggregates::zones(asked.caller).into_iter().next() else {
        return Ok(None);
    };
    let day = asked.day_before(around(asked.zone, Width::Day, asked.now));
    let range = Range { start: day.from, end: SimTime(day.until.0 - 1) };
    let page = (range, Page { offset: 0, limit: 30 });
    let (_, hours) = aggregates::of_zone(asked.caller, &zone, AggregateWidth::Hour, page).await?;
    let own = sums(asked, meters, ENERGY, &[day]).await?;
    let own = own.first().copied().flatten().filter(|_| hours.len() >= GROUP_HOURS_MIN);
    let Some(own_kwh) = own else { return Ok(None) };
    let of_one = |hour: &aggregates::Aggregate| hour.power_kw / hour.households.max(1) as f64;
    let length = day.until.since(day.from).0 as f64 / HOUR.0 as f64;
    let mean_kwh = hours.iter().map(of_one).sum::<f64>() / hours.len() as f64 * length;
    let households = hours.iter().map(|hour| hour.households).min().unwrap_or_default();
    Ok(Some(GroupDay { zone, name, households, mean_kwh, own_kwh }))
}
