//! What energy costs: the bill of a month as it stands, each amount with its arithmetic.

use lastmeter_model::calendar::LocalTime;
use lastmeter_units::SimTime;
use serde_json::{Value, json};

use super::format::{exact_energy, number};
use super::frame::Answered;
use super::view::View;
use super::viewer::{Viewer, in_address};
use crate::ops::bills::{self, Month};
use crate::problem::Problem;

fn text_of(year: i16, month: i8) -> String {
    format!("{year:04}-{month:02}")
}

/// The month of an address, with the ones before and after it; that of now where it has none.
fn month_of(viewer: &Viewer) -> (LocalTime, [String; 3]) {
    let now = viewer.times.zone.local(viewer.now());
    let given = viewer.field("month").split_once('-');
    let given = given.and_then(|(year, month)| {
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        ((1970..=2200).contains(&year) && (1..=12).contains(&month)).then_some((year, month))
    });
    let (year, month) = given.unwrap_or((now.year, now.month));
    let before = if month == 1 { text_of(year - 1, 12) } else { text_of(year, month - 1) };
    let after = if month == 12 { text_of(year + 1, 1) } else { text_of(year, month + 1) };
    (LocalTime { year, month, ..now }, [before, text_of(year, month), after])
}

/// An amount with its currency; the exact number is the amount itself.
pub(super) fn money(amount: &Value, currency: &str) -> Value {
    let value = amount.as_str().unwrap_or_default();
    let sign = match currency {
        "EUR" => "\u{20ac}",
        "GBP" => "\u{a3}",
        "USD" => "$",
        other => other,
    };
    let text = value.replace('-', "\u{2212}");
    json!({ "value": value, "text": format!("{sign}\u{a0}{text}") })
}

/// `GET /bills`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let customers = bills::customers(&viewer.caller);
    let asked = viewer.field("customer");
    // Somebody else's is as one that is not there.
    let chosen = match customers.iter().find(|token| *token == asked) {
        None if !asked.is_empty() => return Err(Problem::nothing()),
        found => found.or(customers.first()).cloned(),
    };
    let Some(customer) = chosen else {
        let why = "No contract is yours. What its meters count is billed here";
        return Ok(empty(why).into());
    };
    let (local, [before, month, after]) = month_of(&viewer);
    let asked: Month = month.parse().map_err(|()| Problem::nothing())?;
    let rest = if customers.len() > 1 {
        format!("&customer={}", in_address(&customer))
    } else {
        String::new()
    };
    let now = viewer.times.zone.local(viewer.now());
    let is_past = (local.year, local.month) < (now.year, now.month);
    let link = |month: &str| format!("/bills?month={month}{rest}");
    let around = json!({
        "month": month_name(local),
        "before": link(&before),
        "after": is_past.then(|| link(&after)),
        "is_past": is_past,
        "customers": customers.iter().map(|token| json!({
            "token": token, "is_chosen": *token == customer,
        })).collect::<Vec<_>>(),
        "given": month,
        "tariff": format!("/tariff?customer={}", in_address(&customer)),
    });
    let bill = match bills::draft(&viewer.caller, &customer, asked).await {
        Ok(bill) => serde_json::to_value(&bill).unwrap_or_default(),
        Err(problem) if problem.status() == axum::http::StatusCode::CONFLICT => {
            let name = month_name(local);
            let why = match problem.code() {
                "no_register" => format!("No meter of yours was there in {name}"),
                "no_tariff" => format!("No tariff was yours in {name}"),
                _ => problem.detail().to_owned(),
            };
            let values = json!({ "around": around, "why": why, "bill": null });
            return Ok(View::new("bills.html", values).into());
        }
        Err(problem) => return Err(problem),
    };
    let currency = bill["currency"].as_str().unwrap_or_default().to_owned();
    let lines = bill["lines"].as_array().into_iter().flatten();
    let lines: Vec<Value> = lines.filter_map(|line| row(&viewer, line, &currency)).collect();
    let is_missing = |line: &Value| line["amount"].is_null() && line["is_to_come"] == false;
    let values = json!({
        "around": around,
        "why": null,
        "bill": {
            "total": money(&bill["total"], &currency),
            "is_open": bill["isOpen"],
            "until": instant(&viewer, &bill["completeUntil"]),
            "is_missing": lines.iter().any(is_missing),
            "lines": lines,
        },
    });
    Ok(View::new("bills.html", values).into())
}

fn empty(why: &str) -> View {
    View::new("bills.html", json!({ "around": null, "why": why, "bill": null }))
}

fn month_name(local: LocalTime) -> String {
    let date = super::format::date(local, local);
    format!("{} {}", date.split(' ').next_back().unwrap_or_default(), local.year)
}

fn instant(viewer: &Viewer, at: &Value) -> Option<super::format::When> {
    let at: SimTime = at.as_str()?.parse().ok()?;
    Some(viewer.times.clock(at))
}

fn energy(watt_hours: &Value) -> Option<super::format::Shown> {
    Some(number(watt_hours.as_f64()? / 1000.0, "kWh"))
}

/// The reading of a register, to the watt-hour.
fn register(watt_hours: &Value) -> Option<super::format::Shown> {
    Some(exact_energy(watt_hours.as_f64()? / 1000.0))
}

/// What a price may stand in, and what it is for.
const PRICES: [(&str, &str); 3] =
    [("price", "for 1 kWh"), ("perMonth", "a month"), ("perKwMonth", "a month for 1 kW")];

/// A line as a row: what it is of, its arithmetic, and its amount or what it may be.
fn row(viewer: &Viewer, line: &Value, currency: &str) -> Option<Value> {
    let (kind, of) = line.as_object()?.iter().next()?;
    let is_export = of["direction"] == "export";
    let way = if is_export { "sent to the grid" } else { "taken from the grid" };
    let amount = of.get("amount").filter(|amount| !amount.is_null());
    let span = |name: &str| of.get(name).filter(|amount| !amount.is_null());
    let bounds = span("lower").zip(span("upper"));
    let what = match kind.as_str() {
        "energy" => format!("{}, {way}", of["name"].as_str().unwrap_or_default()),
        "gap" => format!("Only the total is known, over a change of price, {way}"),
        // What is still to come is no reading that is missing.
        "gapOpen" if ends_later(viewer, of) => format!("Still to come, {way}"),
        "gapOpen" => format!("Not known: {}, {way}", cause(&of["cause"])),
        _ => of["name"].as_str().unwrap_or_default().to_owned(),
    };
    let registers = of["registers"].as_array().into_iter().flatten().map(|span| {
        json!({
            "from": instant(viewer, &span["from"]),
            "until": instant(viewer, &span["until"]),
            "first": register(&span["firstWh"]),
            "last": register(&span["lastWh"]),
            "only_total": span["onlyTotal"],
        })
    });
    let ends = ["from", "until"].map(|name| instant(viewer, &of[name]));
    Some(json!({
        "kind": kind,
        "what": what,
        "from": ends[0],
        "until": ends[1],
        "energy": energy(&of["energyWh"]),
        "price": PRICES.iter().find_map(|(member, unit)| {
            Some(json!({ "text": of.get(*member)?, "unit": format!("{currency} {unit}") }))
        }),
        "days": of.get("days").zip(of.get("daysOfMonth")).map(|(days, all)| format!("{days} of {all} days")),
        "amount": amount.map(|amount| money(amount, currency)),
        "is_to_come": kind == "gapOpen" && ends_later(viewer, of),
        "bounds": bounds.map(|(least, most)| [money(least, currency), money(most, currency)]),
        "registers": registers.take(60).collect::<Vec<_>>(),
    }))
}

/// Whether something goes on beyond now.
fn ends_later(viewer: &Viewer, of: &Value) -> bool {
    let until = of["until"].as_str().and_then(|text| text.parse::<SimTime>().ok());
    until.is_some_and(|until| viewer.now() < until)
}

fn cause(cause: &Value) -> &'static str {
    match cause.as_str() {
        Some("fall") => "the register fell",
        Some("conflict") => "the register has two values at one instant",
        _ => "readings are missing",
    }
}
