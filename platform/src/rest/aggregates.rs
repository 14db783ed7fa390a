//! Aggregates: what the households of a zone took together.

use axum::Json;
use lastmeter_services::AggregateWidth;
use lastmeter_store::Range;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::Answer;
use super::extract::Call;
use super::openapi::Instant;
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes};
use crate::ops::aggregates::{self, Aggregate};
use crate::problem::Problem;

const ZONE: Parameter =
    Parameter::text("zone", "the token of a statistical zone").example("x.a").required();
const WIDTH: Parameter =
    Parameter::word("width", "over how long a value is a mean; `1h`", AggregateWidth::WORDS);
const FROM: Parameter = Parameter::instant("from", "the first instant of the range");
const UNTIL: Parameter = Parameter::instant("until", "the first instant after the range");

routes! {
    "aggregates" {
        Get "/api/v1/aggregates" => aggregates:
            "Power of the households of a zone, newest first; what too few of them share is not \
             published",
            Within(Aggregate, Read), [ZONE, WIDTH, FROM, UNTIL, PAGE, PAGE_SIZE],
            gives Gives::json::<AggregatesJson>(200), refuses [404, 500];
    }
}

/// What was published of a zone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Aggregates")]
#[serde(rename_all = "camelCase")]
struct AggregatesJson {
    zone: String,
    width: &'static str,
    num_results: u64,
    results: Vec<AggregateJson>,
}

/// What the households of a zone took together.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Aggregate")]
#[serde(rename_all = "camelCase")]
struct AggregateJson {
    #[schemars(with = "Instant")]
    from: SimTime,
    /// How many households there are in it.
    households: u64,
    /// The sum of their mean powers.
    power_kw: f64,
    /// The mean of a household.
    mean_kw: f64,
    /// The sum of their energies.
    energy_kwh: f64,
}

/// `GET /api/v1/aggregates?zone=&width=&from=&until=`
async fn aggregates(mut call: Call) -> Answer<AggregatesJson> {
    let (zone, word) = (call.pairs.one(&ZONE)?, call.pairs.word(&WIDTH)?);
    let start = call.pairs.instant(&FROM)?.unwrap_or(SimTime(i64::MIN));
    let until = call.pairs.instant(&UNTIL)?.unwrap_or(SimTime(i64::MAX));
    let page = call.pairs.page()?;
    call.pairs.finish()?;
    let Some(zone) = zone else {
        return Err(Problem::bad_request("missing_parameter", "give `zone`"));
    };
    let width = word.and_then(AggregateWidth::from_word).unwrap_or(AggregateWidth::Hour);
    let range = Range { start, end: SimTime(until.0.saturating_sub(1)) };
    let found = aggregates::of_zone(&call.caller(), &zone, width, (range, page)).await?;
    let results = found.1.into_iter().map(|one| json(width, &one)).collect();
    Ok(Json(AggregatesJson { zone, width: width.word(), num_results: found.0, results }))
}

fn json(width: AggregateWidth, one: &Aggregate) -> AggregateJson {
    let hours = match width {
        AggregateWidth::Hour => 1.0,
        AggregateWidth::Quarter => 0.25,
    };
    AggregateJson {
        from: one.from,
        households: one.households,
        power_kw: one.power_kw,
        mean_kw: one.power_kw / (one.households.max(1) as f64),
        energy_kwh: one.power_kw * hours,
    }
}
