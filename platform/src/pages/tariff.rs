//! What energy costs: now, next and over a week, as a picture and as sentences.

use std::slice::from_ref;

use axum::http::StatusCode;
use lastmeter_model::calendar::{Stretch, Width, stretches};
use lastmeter_model::entity::{Asset, Body as _, Direction, Feed, Piece, PriceZone, Tariff};
use lastmeter_model::schedule::Weekday;
use lastmeter_units::{SimDuration, SimTime};
use serde_json::{Value, json};

use super::charts;
use super::frame::Answered;
use super::lists::Listed;
use super::view::View;
use super::viewer::{Viewer, in_address};
use crate::ops::{bills, documents};
use crate::problem::Problem;

/// Days of the picture.
const DAYS: i64 = 7;
/// Changes that are listed.
const LISTED: usize = 8;

/// `GET /tariff`
pub(super) async fn show(viewer: Viewer) -> Answered {
    if !viewer.field("tariff").is_empty() {
        let tariff = bills::with_prices(&viewer.caller, viewer.field("tariff"))?;
        let values =
            json!({ "tariff": described(&viewer, &tariff, from_ref(&tariff)), "why": null });
        return Ok(View::new("tariff.html", values)
            .titled(format!("Tariff {}", tariff.name))
            .into());
    }
    let customers = bills::customers(&viewer.caller);
    let asked = viewer.field("customer");
    // Somebody else's is as one that is not there.
    let chosen = match customers.iter().find(|token| *token == asked) {
        None if !asked.is_empty() => return Err(Problem::nothing()),
        found => found.or(customers.first()),
    };
    let empty = |why: &str| View::new("tariff.html", json!({ "tariff": null, "why": why }));
    let Some(customer) = chosen else {
        return Ok(empty("No contract is yours. What it pays by is shown here").into());
    };
    let tariffs = match bills::paid_by(&viewer.caller, customer) {
        Ok(tariffs) => tariffs,
        Err(problem) if problem.status() == StatusCode::CONFLICT => {
            return Ok(empty(problem.detail()).into());
        }
        Err(problem) => return Err(problem),
    };
    let now = viewer.now();
    let is_valid = |tariff: &&Tariff| {
        let Stretch { from, until } = tariff.validity();
        from <= now && now < until
    };
    let Some(tariff) = tariffs.iter().find(is_valid).or(tariffs.last()) else {
        return Ok(empty("The contract names no tariff").into());
    };
    let values = json!({ "tariff": described(&viewer, tariff, &tariffs), "why": null });
    Ok(View::new("tariff.html", values).titled(format!("Tariff {}", tariff.name)).into())
}

/// `GET /admin/tariffs`
pub(super) async fn list(viewer: Viewer) -> Answered {
    let all = &viewer.tenant().documents;
    let contracts = all.bodies::<Asset>();
    let count = |token: &str| {
        let pays = |asset: &Asset| asset.tariff_tokens.iter().any(|one| one.as_str() == token);
        contracts.iter().filter(|(_, asset)| pays(asset)).count()
    };
    let listed = Listed::of(&viewer, all.bodies::<Tariff>(), |(token, tariff), text| {
        token.contains(text) || tariff.name.to_string().to_lowercase().contains(text)
    });
    let rows = listed.rows.iter().map(|(token, tariff)| {
        json!({
            "name": tariff.name,
            "path": format!("/tariff?tariff={}", in_address(token)),
            "currency": tariff.currency,
            "from": viewer.times.day(tariff.valid_from),
            "until": tariff.valid_until.map(|until| viewer.times.day(until)),
            "feed": tariff.price_feed,
            "contracts": count(token),
        })
    });
    let values = json!({ "rows": rows.collect::<Vec<_>>(), "list": listed.around() });
    Ok(View::new("tariffs.html", values).into())
}

fn described(viewer: &Viewer, tariff: &Tariff, all: &[Tariff]) -> Value {
    let now = viewer.now();
    let unit = format!("{} for 1 kWh", tariff.currency);
    // From the last midnight on.
    let today = stretches(&viewer.times.zone, Width::Day, now, SimTime(now.0.saturating_add(1)));
    let from = today.map(|day| day.from).next().unwrap_or(now);
    let until = SimTime(from.0.saturating_add(SimDuration::from_seconds(DAYS * 86_400).0));
    let pieces = |direction| -> Vec<Piece> {
        all.iter().flat_map(|tariff| tariff.pieces(direction, from, until)).collect()
    };
    let (imports, exports) = (pieces(Direction::Import), pieces(Direction::Export));
    let at = imports.iter().find(|piece| piece.from <= now && now < piece.until);
    let row = |piece: &Piece| {
        json!({
            "price": piece.price,
            "name": piece.name,
            "from": viewer.times.clock(piece.from),
            // Where the picture ends nothing changes.
            "until": (piece.until < until).then(|| viewer.times.clock(piece.until)),
        })
    };
    let next = imports.iter().filter(|piece| now < piece.from).take(LISTED);
    let whole = Stretch { from, until };
    let name = "Price of energy taken";
    let feed = tariff.price_feed.as_ref().map(|token| {
        let found = documents::readable(&viewer.caller, Feed::kind(), token.as_str());
        let name = found.map(|feed| feed.members()["name"].clone());
        name.unwrap_or_else(|| json!(token))
    });
    json!({
        "name": tariff.name,
        "unit": unit,
        "from": viewer.times.clock(tariff.valid_from),
        "until": tariff.valid_until.map(|until| viewer.times.clock(until)),
        "now": at.map(row),
        "next": next.map(row).collect::<Vec<_>>(),
        "drawing": (!imports.is_empty())
            .then(|| charts::prices(&viewer.times, &imports, (whole, name), &unit)),
        "feed": feed,
        "imports": zones(&tariff.imports),
        "exports": zones(&tariff.exports),
        "sells": exports.iter().find(|piece| piece.from <= now && now < piece.until).map(row),
        "fixed": tariff.fixed.iter().map(|term| {
            json!({ "name": term.name, "amount": term.per_month })
        }).collect::<Vec<_>>(),
        "peak": tariff.peak.as_ref().map(|term| {
            json!({ "name": term.name, "amount": term.per_kw_month })
        }),
        "currency": tariff.currency,
    })
}

/// Prices of the week, the one for all other times last.
fn zones(zones: &[PriceZone]) -> Vec<Value> {
    let time = |time: Option<lastmeter_model::schedule::TimeOfDay>| {
        // Seconds are shown where there are any.
        let text = time.map_or_else(|| "00:00:00".to_owned(), String::from);
        text.strip_suffix(":00").map_or(text.clone(), str::to_owned)
    };
    let when = |zone: &PriceZone| {
        if zone.weekdays.is_empty() && zone.from.is_none() && zone.until.is_none() {
            return if zones.len() == 1 { "always" } else { "at other times" }.to_owned();
        }
        let days = days(&zone.weekdays);
        match (zone.from, zone.until) {
            (None, None) => days,
            (from, until) => format!("{days} {} to {}", time(from), time(until)),
        }
    };
    let row =
        |zone: &PriceZone| json!({ "name": zone.name, "when": when(zone), "price": zone.price });
    zones.iter().skip(1).chain(zones.first()).map(row).collect()
}

/// Days of the week in words.
fn days(weekdays: &[Weekday]) -> String {
    const WORK: &[&str] = &["mon", "tue", "wed", "thu", "fri"];
    let mut words: Vec<&str> = weekdays.iter().map(|day| day.word()).collect();
    words.sort_by_key(|word| Weekday::ALL.iter().position(|day| day.word() == *word));
    match &words[..] {
        [] => "every day".to_owned(),
        words if words == WORK => "Monday to Friday".to_owned(),
        words => words.join(", "),
    }
}
