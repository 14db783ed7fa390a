//! Groups: what was published of the households of a zone, by the hour, and which zones nothing is
//! published of.

use std::fmt::Write as _;

use lastmeter_services::{AggregateWidth, HOUSEHOLDS_MIN};
use lastmeter_store::{Page, Range};
use lastmeter_units::SimTime;
use serde_json::{Value, json};

use super::charts;
use super::frame::Answered;
use super::history::Choice;
use super::view::{Answer, View};
use super::viewer::{Viewer, in_address};
use crate::ops::aggregates::{self, Aggregate};
use crate::ops::homes::Bucket;
use crate::ops::reports;
use crate::ops::transfer::csv_field;
use crate::problem::Problem;

/// Hours of a picture at most: a month with a change of the clocks.
const HOURS_MAX: u32 = 745;
/// Seconds between hours that are published one after the other, and some.
const GAP_S: f64 = 5400.0;

/// Why nothing was published, for people.
fn reason(state: &str) -> String {
    match state {
        "too-few" => format!("fewer than {HOUSEHOLDS_MIN} households were there throughout"),
        "dominated" => "one household takes more than a quarter".to_owned(),
        "beside-withheld" => "it would show what is withheld beside it".to_owned(),
        "no-members" => "no household is in it since the first of the month".to_owned(),
        "not-answered" => "the last hour could not be read".to_owned(),
        _ => "nothing is published before the first of the next month".to_owned(),
    }
}

/// The zones of which nothing was published in the last hour, with why.
async fn withheld(viewer: &Viewer, zones: &[(String, String)]) -> Result<Vec<Value>, Problem> {
    let tasks = reports::tasks(&viewer.caller).await?;
    let state = |token: &str| {
        let found = tasks.iter().find(|(_, task)| task.of.1 == token);
        found.map(|(_, task)| task.state).filter(|state| *state != "published")
    };
    let all = zones.iter().filter_map(|(token, name)| Some((name, state(token)?)));
    Ok(all.map(|(name, state)| json!({ "name": name, "why": reason(state) })).collect())
}

/// `GET /groups`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let zones = aggregates::zones(&viewer.caller);
    let asked = viewer.field("z");
    // What is hidden is as what is not there.
    let chosen = match zones.iter().find(|(token, _)| *token == asked) {
        None if !asked.is_empty() => return Err(Problem::nothing()),
        found => found.or(zones.first()),
    };
    let withheld = withheld(&viewer, &zones).await?;
    let Some((token, name)) = chosen else {
        return Ok(View::new("groups.html", json!({ "zones": [], "withheld": [] })).into());
    };
    let choice = Choice::of(&viewer);
    let range = Range { start: choice.whole.from, end: SimTime(choice.whole.until.0 - 1) };
    let page = Page { offset: 0, limit: HOURS_MAX };
    let hour = AggregateWidth::Hour;
    let (_, mut found) = aggregates::of_zone(&viewer.caller, token, hour, (range, page)).await?;
    found.reverse();
    if viewer.field("as") == "csv" {
        return Ok(csv(token, &found));
    }
    let title = format!("Mean of a household of {name}, {}", choice.name(&viewer));
    let buckets: Vec<Bucket> = found.iter().map(bucket).collect();
    let whole = (choice.whole, title.as_str());
    let drawing = charts::line(&viewer.times, &buckets, whole, ("kW", GAP_S), true);
    let over = choice.whole.until.min(viewer.now()).since(choice.whole.from).as_seconds_f64();
    let hours = (over / 3600.0).floor().max(0.0);
    let rest = format!("&z={}", in_address(token));
    let option = |(one, name): &(String, String)| json!({ "id": one, "name": name, "is_chosen": one == token });
    let path = choice.links(&viewer, "/groups", &format!("{rest}&as=csv"));
    let values = json!({
        "zones": zones.iter().map(option).collect::<Vec<_>>(),
        "name": name,
        "links": choice.links(&viewer, "/groups", &rest),
        "households": found.last().map(|one| one.households),
        "published": found.len(),
        "hours": hours,
        "drawing": (!found.is_empty()).then_some(drawing),
        "csv": current(&path),
        "withheld": withheld,
    });
    Ok(View::new("groups.html", values).into())
}

/// The link of the picture itself.
fn current(links: &Value) -> Value {
    let pers = links["pers"].as_array().into_iter().flatten();
    let mut current = pers.filter(|per| per["is_current"] == json!(true));
    current.next().map_or(Value::Null, |per| per["path"].clone())
}

/// An hour with the mean of a household.
fn bucket(one: &Aggregate) -> Bucket {
    let mean = one.power_kw / (one.households.max(1) as f64);
    let at = (one.from, mean);
    Bucket { first: at, last: at, min: mean, mean, max: mean, n: one.households }
}

fn csv(zone: &str, found: &[Aggregate]) -> Answer {
    let mut text = String::from("zone,time,households,mean_kw,sum_kw\n");
    let zone = csv_field(zone);
    for one in found {
        let mean = one.power_kw / (one.households.max(1) as f64);
        // Writing into memory does not fail.
        let _ =
            writeln!(text, "{zone},{},{},{mean:?},{:?}", one.from, one.households, one.power_kw);
    }
    Answer::Text("text/csv; charset=utf-8", text)
}
