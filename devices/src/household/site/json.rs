//! `/view.json`: what the pages show, for programs. Powers are in W, energies in Wh, amounts in
//! cents of the currency, prices in the currency for 1 kWh, instants in RFC 3339.

use lastmeter_household::{Amount, Energy};
use lastmeter_units::SimTime;
use serde_json::{Value, json};

use super::format::per_kwh;
use crate::household::view::{BillView, CoGeneratorView, LoadView, Statistics, View};

fn cents(amount: Amount) -> i64 {
    let cents = amount.cents();
    i64::try_from(cents).unwrap_or(if cents < 0 { i64::MIN } else { i64::MAX })
}

fn wh(energy: Energy) -> f64 {
    energy.as_watt_hours_f64()
}

fn powers(of: &[(SimTime, i64)]) -> Vec<Value> {
    of.iter().map(|(at, watts)| json!({ "from": at, "w": watts })).collect()
}

fn statistics(of: &Statistics) -> Value {
    json!({
        "register_wh": wh(of.register), "day_wh": wh(of.day), "month_wh": wh(of.month),
        "year_wh": wh(of.year), "peak_w": of.peak_w,
    })
}

fn bill(of: &BillView) -> Value {
    json!({
        "from": of.from, "currency": of.currency, "import_wh": wh(of.import),
        "export_wh": wh(of.export), "total_cents": cents(of.total), "open_steps": of.open_steps,
    })
}

fn co_generator(of: &CoGeneratorView) -> Value {
    json!({
        "is_running": of.is_running, "reason": of.reason, "output_w": of.output_w,
        "heat_w": of.heat_w, "stored_wh": wh(of.stored), "unmet_wh": wh(of.unmet),
    })
}

fn load(of: &LoadView) -> Value {
    let window = of.window.map(|(from, until)| [from, until].map(super::format::time_of_day));
    json!({
        "name": of.name, "power_w": of.power_w, "is_closed": of.is_closed, "is_shed": of.is_shed,
        "priority": of.priority, "window": window, "start": of.start,
        "statistics": statistics(&of.statistics), "profile": powers(&of.profile),
    })
}

/// The view as a document.
pub(super) fn document(view: &View) -> String {
    let prices = view
        .prices
        .iter()
        .map(|(from, rate)| json!({ "from": from, "price_per_kwh": rate.map(per_kwh) }));
    let decisions = view.decisions.iter().map(
        |one| json!({ "at": one.at, "about": one.about, "action": one.action, "why": one.why }),
    );
    json!({
        "name": view.name,
        "now": view.now,
        "local_offset_s": view.local_offset.as_seconds_f64(),
        "strategy": view.strategy.word(),
        "net_w": view.net_w,
        "production_w": view.production_w,
        "limit_w": view.limit_w,
        "profile": powers(&view.profile),
        "renewable_w": powers(&view.renewable_w),
        "prices": prices.collect::<Vec<_>>(),
        "temperature_c": view.temperature_c,
        "co_generator": view.co_generator.as_ref().map(co_generator),
        "bill": bill(&view.bill),
        "loads": view.loads.iter().map(load).collect::<Vec<_>>(),
        "whole": statistics(&view.whole),
        "decisions": decisions.collect::<Vec<_>>(),
        "tasks": view.tasks,
        "screen": view.screen.word(),
    })
    .to_string()
}
