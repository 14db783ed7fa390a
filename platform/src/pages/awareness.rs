//! What somebody should be aware of: each medium beside one's own past, what a group of households
//! takes, what is always on, and what could be done about it, each with what it rests on.

use lastmeter_model::calendar::{Stretch, Width, stretches};
use lastmeter_model::entity::{Bill, Direction, EnergyLine, Line};
use lastmeter_services::{AggregateWidth, HOUSEHOLDS_MIN};
use lastmeter_store::{Page, Range};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use serde_json::{Value, json};

use super::bills::{customers, money};
use super::format::{number, of_quantity};
use super::frame::Answered;
use super::groups;
use super::homes::{self, ENERGY, Known};
use super::now::around;
use super::view::{View, way};
use super::viewer::Viewer;
use crate::ops::{accounts, aggregates, bills};
use crate::problem::Problem;

/// Media in their order, each a register.
const MEDIA: [(&str, &str); 3] =
    [(ENERGY, "Electricity"), ("heating.energy", "Heat"), ("water.volume", "Water")];
const HOUR: SimDuration = SimDuration::from_seconds(3600);
/// The days of which the least hour is what is always on, and the hours of them that have to be
/// known.
const DAYS: i64 = 7;
const HOURS_MIN: usize = 100;
/// Hours of a day in which a group has to be published.
const GROUP_HOURS_MIN: usize = 20;
/// The least power that is worth a look, in kW.
const ALWAYS_ON_KW: f64 = 0.03;
/// Hours of a month of the mean length.
const HOURS_OF_MONTH: f64 = 730.5;

/// `GET /awareness`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let known = homes::known(&viewer).await?;
    let ids: Vec<&HardwareId> = known.iter().map(|one| &one.row.hardware_id).collect();
    let is_behind = |one: &Known| one.parent.as_ref().is_some_and(|parent| ids.contains(&parent));
    let meters: Vec<&Known> = known.iter().filter(|one| !is_behind(one)).collect();
    let mut media = Vec::new();
    for (quantity, name) in MEDIA {
        media.extend(medium(&viewer, &meters, (quantity, name)).await?);
    }
    let always_on = always_on(&viewer, &meters).await?;
    let cost = week(&viewer).await;
    let price = cost.as_ref().and_then(mean_price);
    let mut advice = Vec::new();
    if let Some((power, hours)) = always_on.filter(|(power, _)| *power >= ALWAYS_ON_KW) {
        advice.push(switch_off(power, hours, price.as_ref()));
    }
    advice.extend(cost.as_ref().and_then(move_in_time));
    let (advice, put_away) = sorted_out(&viewer, advice);
    let values = json!({
        "media": media,
        "always_on": always_on.map(|(power, _)| json!({
            "power": number(power, "kW"),
            "month": price.as_ref().map(|(price, currency)| {
                euros(power * HOURS_OF_MONTH * price, currency)
            }),
        })),
        "group": group(&viewer, &meters).await?,
        "least": HOUSEHOLDS_MIN,
        "advice": advice,
        "put_away": put_away,
    });
    Ok(View::new("awareness.html", values).into())
}

/// What meters counted in each of stretches, together; `None` where none of them knows.
async fn sums(
    viewer: &Viewer,
    meters: &[&Known],
    quantity: &str,
    of: &[Stretch],
) -> Result<Vec<Option<f64>>, Problem> {
    let energy = homes::counted_by(viewer, meters, quantity, of).await?;
    Ok(energy.counted.iter().map(|one| one.value).collect())
}

/// The whole days of the month so far, beside as many of the month before.
async fn medium(
    viewer: &Viewer,
    meters: &[&Known],
    (quantity, name): (&str, &str),
) -> Result<Option<Value>, Problem> {
    let Some(id) = MeasurementId::lookup(quantity) else { return Ok(None) };
    if meters.iter().all(|meter| meter.value(quantity).is_none()) {
        return Ok(None);
    }
    let zone = &viewer.times.zone;
    let today = around(viewer, Width::Day, viewer.now());
    let month = around(viewer, Width::Month, viewer.now());
    let before = around(viewer, Width::Month, SimTime(month.from.0.saturating_sub(1)));
    let days: Vec<Stretch> = stretches(zone, Width::Day, month.from, today.from).collect();
    let past: Vec<Stretch> =
        stretches(zone, Width::Day, before.from, before.until).take(days.len()).collect();
    let now = sums(viewer, meters, quantity, &days).await?;
    let then = sums(viewer, meters, quantity, &past).await?;
    let whole = |of: &[Option<f64>]| -> Option<f64> {
        let known: Vec<f64> = of.iter().flatten().copied().collect();
        (known.len() == of.len() && !known.is_empty()).then(|| known.iter().sum())
    };
    let known = |of: &[Option<f64>]| of.iter().flatten().count();
    let sum: f64 = now.iter().flatten().sum();
    Ok(Some(json!({
        "name": name,
        "days": days.len(),
        "known": known(&now),
        "sum": (known(&now) > 0).then(|| of_quantity(id, sum)),
        "past": whole(&then).map(|sum| of_quantity(id, sum)),
        "is_less": whole(&now).zip(whole(&then)).map(|(now, then)| now <= then),
    })))
}

/// The mean power of the least hour of the last days in kW, and how many hours of them are known.
async fn always_on(viewer: &Viewer, meters: &[&Known]) -> Result<Option<(f64, usize)>, Problem> {
    let until = around(viewer, Width::Hour, viewer.now()).from;
    let from = SimTime(until.0 - SimDuration::from_seconds(DAYS * 86_400).0);
    let hours: Vec<Stretch> = stretches(&viewer.times.zone, Width::Hour, from, until).collect();
    let found = sums(viewer, meters, ENERGY, &hours).await?;
    // An hour whose clock is changed may be longer or shorter.
    let power = |(sum, hour): (&Option<f64>, &Stretch)| {
        Some(sum.as_ref()? * HOUR.0 as f64 / hour.until.since(hour.from).0 as f64)
    };
    let known: Vec<f64> = found.iter().zip(&hours).filter_map(power).collect();
    let least = known.iter().copied().min_by(f64::total_cmp);
    Ok(least.filter(|_| known.len() >= HOURS_MIN).map(|least| (least.max(0.0), known.len())))
}

/// What the energy of the last days cost, where there is a contract.
async fn week(viewer: &Viewer) -> Option<Bill> {
    let customer = customers(viewer).into_iter().next()?;
    let until = around(viewer, Width::Hour, viewer.now()).from;
    let from = SimTime(until.0 - SimDuration::from_seconds(DAYS * 86_400).0);
    bills::cost(&viewer.caller, &customer, Stretch { from, until }).await.ok()
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

fn euros(amount: f64, currency: &str) -> Value {
    money(&json!(format!("{amount:.2}")), currency)
}

/// To switch off some of what is always on.
fn switch_off(power: f64, hours: usize, price: Option<&(f64, String)>) -> Value {
    let month = price.map(|(price, currency)| {
        let whole = power * HOURS_OF_MONTH * price;
        json!({ "least": euros(whole / 3.0, currency), "most": euros(whole * 2.0 / 3.0, currency) })
    });
    json!({
        "key": "switch-off",
        "what": "Find what is always on, and switch off what nobody needs",
        "why": "At the least hour of the last seven days the home took",
        "value": number(power, "kW"),
        "saving": month,
        "if": "if a third to two thirds of it can be switched off",
        "sure": format!("{hours} of {} hours are known", DAYS * 24),
    })
}

/// To move something from where energy is dear to where it is cheap.
fn move_in_time(bill: &Bill) -> Option<Value> {
    let mut lines = imports(bill);
    lines.sort_by(|one, other| price(one).total_cmp(&price(other)));
    let (cheap, dear) = (lines.first()?, lines.last()?);
    let all: f64 = lines.iter().map(|line| kwh(line)).sum();
    let difference = price(dear) - price(cheap);
    if difference <= 0.0 || all <= 0.0 || kwh(dear) / all < 0.3 {
        return None;
    }
    let month = kwh(dear) * difference * 30.0 / DAYS as f64;
    let currency = bill.currency.to_string();
    Some(json!({
        "key": "move-in-time",
        "what": format!("Move what can wait from \u{201c}{}\u{201d} to \u{201c}{}\u{201d}", dear.name, cheap.name),
        "why": format!("In the last seven days {:.0} % was taken at the highest price:", 100.0 * kwh(dear) / all),
        "value": number(kwh(dear), "kWh"),
        "saving": json!({
            "least": euros(month * 0.1, &currency), "most": euros(month * 0.3, &currency),
        }),
        "if": "if a tenth to three tenths of it can be moved",
        "sure": if bill.is_open { "some readings of these days are missing" } else { "all readings of these days are known" },
    }))
}

/// What the households of a zone took yesterday on the mean, beside one's own home.
async fn group(viewer: &Viewer, meters: &[&Known]) -> Result<Option<Value>, Problem> {
    let Some((token, name)) = groups::zones(viewer).into_iter().next() else { return Ok(None) };
    let today = around(viewer, Width::Day, viewer.now());
    let day = around(viewer, Width::Day, SimTime(today.from.0.saturating_sub(1)));
    let range = Range { start: day.from, end: SimTime(day.until.0 - 1) };
    let page = (range, Page { offset: 0, limit: 30 });
    let (_, hours) =
        aggregates::of_zone(&viewer.caller, &token, AggregateWidth::Hour, page).await?;
    let own = sums(viewer, meters, ENERGY, &[day]).await?;
    let Some(own) = own.first().copied().flatten().filter(|_| hours.len() >= GROUP_HOURS_MIN)
    else {
        return Ok(None);
    };
    let of_one = |hour: &aggregates::Aggregate| hour.power_kw / hour.households.max(1) as f64;
    let length = day.until.since(day.from).0 as f64 / HOUR.0 as f64;
    let mean = hours.iter().map(of_one).sum::<f64>() / hours.len() as f64 * length;
    let place = match own / mean {
        part if part < 0.8 => "less than the mean: well done",
        part if part > 1.25 => "more than the mean",
        _ => "about the mean",
    };
    Ok(Some(json!({
        "name": name,
        "households": hours.iter().map(|hour| hour.households).min(),
        "mean": number(mean, "kWh"),
        "own": number(own, "kWh"),
        "place": place,
    })))
}

/// What somebody makes of an advice, with what it is called.
const ANSWERS: [(&str, &str); 2] = [("done", "done"), ("not-for-me", "not for me")];
/// Every advice that there may be.
const ADVICE: [&str; 2] = ["switch-off", "move-in-time"];

/// The member of the account's metadata that an answer to an advice stands in.
fn member(key: &str) -> String {
    format!("advice.{key}")
}

/// Advice that is open, and what has been answered.
fn sorted_out(viewer: &Viewer, advice: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    let account = accounts::account(&viewer.caller).unwrap_or_default();
    let answered = |one: &Value| {
        let given = account["metadata"][member(one["key"].as_str()?)].as_str()?;
        ANSWERS.iter().find(|(word, _)| *word == given).map(|(_, name)| *name)
    };
    let (mut open, mut put_away) = (Vec::new(), Vec::new());
    for one in advice {
        match answered(&one) {
            None => open.push(one),
            Some(name) => {
                put_away.push(json!({ "key": one["key"], "what": one["what"], "answer": name }));
            }
        }
    }
    (open, put_away)
}

/// `POST /awareness/{id}`: an advice is done, not for somebody, or wanted again.
pub(super) async fn answer(viewer: Viewer) -> Answered {
    if !ADVICE.contains(&viewer.variable.as_str()) {
        return Err(Problem::nothing());
    }
    let account = accounts::account(&viewer.caller)?;
    let mut account = account.as_object().cloned().unwrap_or_default();
    let kept = account.get("metadata").and_then(Value::as_object);
    let mut metadata = kept.cloned().unwrap_or_default();
    match ANSWERS.iter().find(|(word, _)| *word == viewer.field("answer")) {
        Some((word, _)) => metadata.insert(member(&viewer.variable), json!(word)),
        None => metadata.remove(&member(&viewer.variable)),
    };
    account.insert("metadata".to_owned(), Value::Object(metadata));
    accounts::change_account(&viewer.caller, account).await?;
    Ok(way("/awareness"))
}
