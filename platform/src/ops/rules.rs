//! Rules that somebody offers to somebody else, and what a rule would have done.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, Principal, PrincipalRef, Role};
use lastmeter_model::document::{Document, Note};
use lastmeter_model::entity::{
    Absence, AlertComes, Body as _, Condition, Feed, FeedLevel, Offer, OfferState, Rule, Tariff,
    TariffPrice, User, read,
};
use lastmeter_services::{Firing, Row, tried};
use lastmeter_store::{Page, Range, Stretch};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use serde_json::{Map, Value, json};

use super::bounds::{check, within_quota};
use super::documents::{edit_with, make_with, readable};
use super::{Caller, Cuts, not_permitted};
use crate::problem::{Problem, wrong};

/// The longest stretch over which a rule is tried.
const TRIED_MAX: SimDuration = SimDuration::from_seconds(31 * 86_400);
/// Rows that are looked at for it at most.
const ROWS_MAX: u32 = 100_000;
/// Alerts that are read at once.
const ALERTS_AT_ONCE: u32 = 1_000;
/// Firings that are listed at most; all are counted.
pub(crate) const FIRINGS_MAX: usize = 1_000;

/// Offers a rule to a user, who may accept it.
///
/// # Errors
/// 401 or 403 for who may not offer any, 422 for what is no rule or nobody.
pub(crate) async fn offer(
    caller: &Caller,
    to: &PrincipalRef,
    mut members: Map<String, Value>,
) -> Result<Arc<Document>, Problem> {
    let by = caller.who.iter().find(|who| may_offer(who));
    let Some(by) = by.map(|who| who.reference.clone()) else {
        // Who has not logged in, or may have no rules, learns that first.
        caller.list(Kind::Rule)?;
        return Err(not_permitted(Action::Write, Kind::Rule));
    };
    let user = match to {
        PrincipalRef::User(name) => caller.tenant.documents.body::<User>(name.as_str()),
        _ => None,
    };
    if user.is_none() {
        return Err(wrong("to", "expected a user of the tenant, such as `user:ann`"));
    }
    let offer = Offer { by, state: OfferState::Offered };
    members.insert("owner".to_owned(), json!(to));
    members.insert("offer".to_owned(), json!(offer));
    let body = Value::Object(members);
    let _alone = caller.tenant.changing.lock().await;
    check(caller, (Rule::kind(), ""), None, &body)?;
    within_quota(caller, Rule::kind(), &body)?;
    make_with(caller, Rule::kind(), (None, body), None, Vec::new()).await
}

/// Those who provide something to users, with the right to write.
fn may_offer(who: &Principal) -> bool {
    let roles = [Role::Utility, Role::Operator, Role::TenantAdmin];
    let provides = match who.reference {
        PrincipalRef::Application(_) | PrincipalRef::Bench => true,
        _ => roles.iter().any(|role| who.roles.contains(role)),
    };
    provides && who.key.as_ref().is_none_or(|key| key.actions.contains(&Action::Write))
}

/// What its owner makes of a rule that is offered; the audit has it.
///
/// # Errors
/// As for any change; 403 for who is not the owner, 409 where there is no such offer.
pub(crate) async fn answer(
    caller: &Caller,
    token: &str,
    state: OfferState,
) -> Result<Arc<Document>, Problem> {
    // Who is not its owner may know of it, and answers nothing in the owner's name.
    let found = readable(caller, Rule::kind(), token);
    let rule = found.and_then(|document| serde_json::from_str::<Rule>(&document.body).ok());
    let is_owner = |owner: &PrincipalRef| owner.to_string() == caller.name();
    if let Some(rule) = &rule
        && !rule.owner.as_ref().is_some_and(is_owner)
    {
        return Err(not_permitted(Action::Write, Kind::Rule));
    }
    let before = rule.and_then(|rule| rule.offer).map(|offer| offer.state);
    let action = match state {
        OfferState::Refused => "refuse",
        OfferState::Revoked => "revoke",
        OfferState::Accepted | OfferState::Offered => "accept",
    };
    let needed = match state {
        OfferState::Refused => Some(OfferState::Offered),
        OfferState::Revoked => Some(OfferState::Accepted),
        OfferState::Accepted | OfferState::Offered => before,
    };
    let note = Note {
        action: action.to_owned(),
        resource: format!("rule:{token}"),
        outcome: "done".to_owned(),
    };
    let changed = edit_with(caller, (Rule::kind(), token), vec![note], |document| {
        let mut rule: Rule = serde_json::from_str(&document.body).ok()?;
        let offer = rule.offer.as_mut().filter(|offer| Some(offer.state) == needed)?;
        offer.state = state;
        serde_json::to_value(rule).ok()
    })
    .await?;
    let now = serde_json::from_str::<Rule>(&changed.body).ok().and_then(|rule| rule.offer);
    if now.is_some_and(|offer| offer.state == state) {
        return Ok(changed);
    }
    let detail = format!(
        "there is no offer to {action}: it is `{}`",
        before.map_or("none", OfferState::word)
    );
    Err(Problem::conflict("not_offered", detail))
}

/// What a rule would have done.
pub(crate) struct Trial {
    /// How often it would have acted.
    pub(crate) count: usize,
    /// The first of these.
    pub(crate) firings: Vec<Firing>,
}

/// Runs a rule over what is stored of a stretch, as if it had been made at its beginning.
///
/// # Errors
/// 401, 403 or 404 for devices that may not be read; 422 for what is no rule, or beyond the bounds.
pub(crate) async fn trial(
    caller: &Caller,
    mut members: Map<String, Value>,
    (from, until): (SimTime, SimTime),
) -> Result<Trial, Problem> {
    caller.list(Kind::Rule)?;
    let until = until.min(caller.tenant.clock.now());
    if until <= from || until.0.saturating_sub(from.0) > TRIED_MAX.0 {
        return Err(wrong("until", "expected an instant after `from`, at most 31 days"));
    }
    // It is tried as if it were one's own and acted.
    for name in ["owner", "offer", "disabled"] {
        members.remove(name);
    }
    if caller.user().is_some() {
        members.insert("owner".to_owned(), caller.name().into());
    }
    let body = Value::Object(members);
    let rule = read::<Rule>(&body)?;
    let leaves = rule.when.leaves();
    let mut rows = Vec::new();
    let devices: BTreeSet<&HardwareId> = leaves.iter().filter_map(|leaf| leaf.device()).collect();
    for device in devices {
        readings(caller, device, (from, until), &mut rows).await?;
    }
    let needs_alerts = leaves.iter().any(|leaf| {
        matches!(leaf, Condition::Alert(_) | Condition::Absence(Absence { quantity: None, .. }))
    });
    if needs_alerts {
        alerts(caller, &leaves, (from, until), &mut rows).await?;
    }
    let mut documents = vec![Document {
        kind: Rule::kind(),
        token: "tried".to_owned(),
        version: 1,
        created: from,
        changed: from,
        by: caller.name(),
        is_deleted: false,
        body: body.to_string(),
    }];
    documents.extend(given(caller, &leaves));
    let mut trial = Trial { count: 0, firings: Vec::new() };
    tried(&documents, rows, (from, until), |firing| {
        trial.count += 1;
        if trial.firings.len() < FIRINGS_MAX {
            trial.firings.push(firing);
        }
    });
    Ok(trial)
}

fn too_many() -> Problem {
    let detail = format!("more than {ROWS_MAX} rows; try it over a shorter stretch");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_rows", detail)
}

/// The readings of a device in a stretch, as far as who asks may have them.
async fn readings(
    caller: &Caller,
    device: &HardwareId,
    (from, until): (SimTime, SimTime),
    rows: &mut Vec<Row>,
) -> Result<(), Problem> {
    let row = caller.tenant.devices.find(device.as_str());
    let known = row.as_ref().map(|row| &row.hardware_id);
    let unknown = || {
        let detail = format!("there is no device `{device}` that you may read");
        Problem::not_found("unknown_device", detail)
    };
    let permit = caller.of_device((Kind::Series, Action::Read), known, unknown)?;
    let Some(row) = row else { return Ok(()) };
    let range = Range { start: from, end: SimTime(until.0 - 1) };
    let page = Page { offset: 0, limit: ROWS_MAX };
    let (count, found) = caller.tenant.readers.events(&permit, &row, range, page).await?;
    if count + rows.len() as u64 > u64::from(ROWS_MAX) {
        return Err(too_many());
    }
    rows.extend(found.into_iter().map(|row| Row::Reading(Box::new(row))));
    Ok(())
}

/// The alerts that conditions look at, as far as who asks may have them.
async fn alerts(
    caller: &Caller,
    leaves: &[&Condition],
    (from, until): (SimTime, SimTime),
    rows: &mut Vec<Row>,
) -> Result<(), Problem> {
    let is_asked = |leaf: &&Condition, of: &HardwareId| match leaf {
        Condition::Alert(AlertComes { device, .. }) => device.as_ref().is_none_or(|it| it == of),
        Condition::Absence(Absence { device, .. }) => device == of,
        _ => false,
    };
    let mut cuts = Cuts::of(caller.clone(), Kind::Alert)?;
    let last = caller.tenant.progress.totals().alerts;
    let first = last.saturating_sub(ROWS_MAX.into());
    let mut after = first;
    while after < last {
        let stretch = Stretch { after, limit: ALERTS_AT_ONCE, last };
        let found = cuts.alerts(stretch).await?;
        let mut found_rows = found.rows;
        // Alerts come about in the order of their instants: what is before them is not looked at.
        let is_before = |event: SimTime| after == first && first > 0 && from <= event;
        if found_rows.first().is_some_and(|row| is_before(row.event)) {
            return Err(too_many());
        }
        found_rows.retain(|row| {
            let is_within = from <= row.event && row.event < until;
            is_within && leaves.iter().any(|leaf| is_asked(leaf, &row.device))
        });
        rows.extend(found_rows.into_iter().map(|row| Row::Alert(Box::new(row))));
        if found.last <= after {
            break;
        }
        after = found.last;
    }
    if rows.len() > ROWS_MAX as usize { Err(too_many()) } else { Ok(()) }
}

/// The tariffs and feeds that conditions look at, as far as who asks may read them.
fn given(caller: &Caller, leaves: &[&Condition]) -> Vec<Document> {
    let mut all = Vec::new();
    let mut take = |kind, token: &str| {
        let found = readable(caller, kind, token)?;
        all.push(Document::clone(&found));
        Some(found)
    };
    for leaf in leaves {
        match leaf {
            Condition::Weather(FeedLevel { feed, .. }) => drop(take(Feed::kind(), feed.as_str())),
            Condition::Tariff(TariffPrice { tariff, .. }) => {
                let found = take(Tariff::kind(), tariff.as_str());
                let read = found.and_then(|it| serde_json::from_str::<Tariff>(&it.body).ok());
                if let Some(feed) = read.and_then(|tariff| tariff.price_feed) {
                    take(Feed::kind(), feed.as_str());
                }
            }
            _ => {}
        }
    }
    all
}
