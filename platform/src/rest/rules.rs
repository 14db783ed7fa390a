//! Rules beyond documents: offered ones, and what one would have done.

use axum::Json;
use axum::http::StatusCode;
use lastmeter_model::access::PrincipalRef;
use lastmeter_model::entity::OfferState;
use lastmeter_services::Output;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::documents::{DocumentJson, Members, TOKEN};
use super::extract::{Body, Call};
use super::openapi::Instant;
use super::routes::{Gives, routes, schema};
use super::{Answer, Made};
use crate::ops::documents::shown;
use crate::ops::rules;
use crate::problem::wrong;

routes! {
    "rules" {
        Post "/api/v1/rules/offer" => offer:
            "Offers a rule to a user; it does nothing before that one accepts it",
            Within(Rule, Write), [], takes schema::<OfferJson>,
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Post "/api/v1/rules/try" => trial:
            "What a rule would have done over what is stored of a stretch, without doing it",
            Within(Rule, Read), [], takes schema::<TryJson>,
            gives Gives::json::<TriedJson>(200), refuses [500];
        Post "/api/v1/rules/{token}/accept" => accept:
            "Accepts a rule that is offered: from now on it acts in the name of who accepts it",
            Within(Rule, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Post "/api/v1/rules/{token}/refuse" => refuse: "Refuses a rule that is offered",
            Within(Rule, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Post "/api/v1/rules/{token}/revoke" => revoke: "Takes back that a rule was accepted",
            Within(Rule, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
    }
}

/// A rule for somebody else.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "OfferRule",
    extend("examples" = [{ "to": "user:ann", "rule": {
        "name": "Dear hours", "when": { "tariff": { "tariff": "x.a", "above": "0.4" } },
        "then": [{ "alarm": { "type": "price", "level": "Info", "text": "above 0.40" } }],
    } }])
)]
struct OfferJson {
    /// The user, as `user:ann`.
    to: String,
    /// The rule, without an owner.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    rule: Members,
}

/// A rule and a stretch.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "TryRule",
    extend("examples" = [{
        "rule": {
            "name": "Dear hours", "when": { "tariff": { "tariff": "x.a", "above": "0.4" } },
            "then": [{ "alarm": { "type": "price", "level": "Info", "text": "above 0.40" } }],
        },
        "from": "2027-01-01T00:00:00Z", "until": "2027-01-31T00:00:00Z",
    }])
)]
struct TryJson {
    /// The rule.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    rule: Members,
    /// The first instant.
    #[schemars(with = "Instant")]
    from: SimTime,
    /// The first instant after it, at most 31 days later; now where it is later than that.
    #[schemars(with = "Instant")]
    until: SimTime,
}

/// What a rule would have done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tried")]
struct TriedJson {
    /// How often it would have acted.
    count: usize,
    /// The first of these, at most 1,000.
    firings: Vec<FiringJson>,
}

/// What a rule would have done at an instant.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Firing")]
struct FiringJson {
    /// When.
    #[schemars(with = "Instant")]
    at: SimTime,
    /// What: `alert`, `alarm` or `command`, in order.
    actions: Vec<&'static str>,
}

/// `POST /api/v1/rules/offer`
async fn offer(call: Call, Body(asked): Body<OfferJson>) -> Made<DocumentJson> {
    let to: PrincipalRef =
        asked.to.parse().map_err(|_| wrong("to", "expected a user, such as `user:ann`"))?;
    let made = rules::offer(&call.caller(), &to, asked.rule).await?;
    Ok((StatusCode::CREATED, Json(shown(&made).into())))
}

/// `POST /api/v1/rules/try`
async fn trial(call: Call, Body(asked): Body<TryJson>) -> Answer<TriedJson> {
    let found = rules::trial(&call.caller(), asked.rule, (asked.from, asked.until)).await?;
    let firings = found.firings.iter().map(|firing| FiringJson {
        at: firing.at,
        actions: firing.effects.iter().filter_map(action).collect(),
    });
    Ok(Json(TriedJson { count: found.count, firings: firings.collect() }))
}

fn action(effect: &Output) -> Option<&'static str> {
    Some(match effect {
        Output::Alert { .. } => "alert",
        Output::Alarm { .. } => "alarm",
        Output::Command { .. } => "command",
        _ => return None,
    })
}

/// `POST /api/v1/rules/{token}/accept`
async fn accept(call: Call) -> Answer<DocumentJson> {
    answer(&call, OfferState::Accepted).await
}

/// `POST /api/v1/rules/{token}/refuse`
async fn refuse(call: Call) -> Answer<DocumentJson> {
    answer(&call, OfferState::Refused).await
}

/// `POST /api/v1/rules/{token}/revoke`
async fn revoke(call: Call) -> Answer<DocumentJson> {
    answer(&call, OfferState::Revoked).await
}

async fn answer(call: &Call, state: OfferState) -> Answer<DocumentJson> {
    let rule = rules::answer(&call.caller(), &call.variable, state).await?;
    Ok(Json(shown(&rule).into()))
}
