//! What changes of documents may not do, and what a document was for whom: how many one user makes,
//! what stays as it is, what may be named, and which former versions are somebody's.

use axum::http::StatusCode;
use lastmeter_model::access::{
    Action, Facts as _, Grant, Kind, PrincipalRef, Resource, Scope, Subject, Target, Visibility,
};
use lastmeter_model::consistency::consistency;
use lastmeter_model::document::{Document, DocumentKind, Edit, KINDS};
use lastmeter_model::entity::About;
use lastmeter_model::entity::{
    Asset, Assignment, Body as _, Credential, Device, DeviceStatus, FieldNetwork, ReportPlan, Rule,
    View,
};
use lastmeter_model::refusal::shortened;
use lastmeter_outgoing::Url;
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::commands as wire;
use serde_json::{Map, Value, json};

use super::{Caller, commands};
use crate::clock::wall_now;
use crate::problem::{Problem, wrong};

/// API keys of one user that are worth something, and grants by one, unless administrators make
/// them.
const OF_USER_MAX: usize = 100;

/// Refuses one more grant by a principal, or one more key of it, than it may have.
pub(super) fn within_quota(
    caller: &Caller,
    kind: &DocumentKind,
    body: &Value,
) -> Result<(), Problem> {
    let documents = &caller.tenant.documents;
    let named = |member: &str| body.get(member).and_then(Value::as_str).unwrap_or_default();
    let (count, what) = match kind.resource {
        Kind::Grant => {
            let now = caller.tenant.clock.now();
            let all = documents.bodies_with::<Grant>("by", named("by")).into_iter();
            let is_left = |one: &Grant| one.revoked.is_none() && now < one.until;
            (all.filter(|(_, one)| is_left(one)).count(), "grants")
        }
        Kind::Credential => {
            let wall = wall_now();
            let all = documents.bodies_with::<Credential>("of", named("of")).into_iter();
            let is_left = |one: &Credential| {
                let is_valid = one.until.is_none_or(|end| wall < end);
                one.scope.is_some() && one.revoked.is_none() && is_valid
            };
            (all.filter(|(_, one)| is_left(one)).count(), "API keys")
        }
        // What others offer takes no room from what somebody makes.
        Kind::Rule => {
            let by = |offer: &Value| offer.get("by").cloned();
            let offers = body.get("offer").and_then(by);
            let all = documents.bodies_with::<Rule>("owner", named("owner")).into_iter();
            let is_same = |one: &Rule| one.offer.as_ref().map(|it| json!(it.by)) == offers;
            (all.filter(|(_, one)| is_same(one)).count(), "rules")
        }
        Kind::ReportPlan => {
            (documents.bodies_with::<ReportPlan>("owner", named("owner")).len(), "plans of reports")
        }
        Kind::FieldNetwork => {
            (documents.bodies_with::<FieldNetwork>("owner", named("owner")).len(), "networks")
        }
        Kind::View => (documents.bodies_with::<View>("owner", named("owner")).len(), "views"),
        _ => return Ok(()),
    };
    if count < OF_USER_MAX || caller.is_administrator() {
        return Ok(());
    }
    let detail = format!("there are {count} {what} already, of at most {OF_USER_MAX}; end some");
    Err(Problem::conflict("too_many", detail))
}

/// Refuses to make something else of a grant or a network: whom it is to and what it is on, its
/// gateway and its type stay.
pub(super) fn fixed(before: &Document, body: &Value) -> Result<(), Problem> {
    let known = before.members();
    let mut fixed = before.kind.fixed_members().iter();
    match fixed.find(|member| body.get(**member) != known.get(**member)) {
        Some(member) => Err(wrong(member, "it stays as it is; end this one and make another")),
        None => Ok(()),
    }
}

/// Whether a change takes rights away and does nothing that fills the tenant: it revokes, or it
/// makes a device private.
pub(super) fn takes_away(before: &Document, body: &Value) -> bool {
    let known: Value = serde_json::from_str(&before.body).unwrap_or_default();
    let is_new = |member: &str| {
        let is_there = |of: &Value| !of.get(member).is_none_or(Value::is_null);
        is_there(body) && !is_there(&known)
    };
    let is_public = |of: &Value| of.get("visibility") == Some(&json!(Visibility::Public));
    is_new("revoked") || (is_public(&known) && !is_public(body))
}

/// Checks a body, that what it names is there and known to who asks unless it named that before,
/// and that it goes with the other documents.
pub(super) fn check(
    caller: &Caller,
    (kind, token): (&'static DocumentKind, &str),
    before: Option<&Document>,
    body: &Value,
) -> Result<(), Problem> {
    let tenant = &caller.tenant;
    let known = before.and_then(|before| serde_json::from_str(&before.body).ok());
    let known = known.and_then(|known| (kind.check)(&known).ok()).unwrap_or_default();
    let about = (kind.about)(token, &body.to_string());
    for key in (kind.check)(body)? {
        let is_built_in = key.name == "command" && wire::find(&key.value).is_some();
        if let Some(named) = kind.named_by(key.name).filter(|named| named.is_resident)
            && !is_built_in
            && !known.contains(&key)
            && !is_known(caller, (named, &key.value), about.subject.as_ref())
        {
            let (what, token) = (named.name.replace('_', " "), shortened(&key.value, 128));
            return Err(wrong(key.name, &format!("there is no {what} `{token}`")));
        }
    }
    if let Some(found) = consistency(kind, token, body, &tenant.documents)? {
        let problem = Problem::conflict(found.code, found.to_string());
        return Err(problem.with("field", json!(found.field)));
    }
    reachable(caller, kind, body)?;
    commands::check_schedule(caller, kind, body)
}

/// Refuses webhooks of a rule that are at hosts which this platform does not send to.
fn reachable(caller: &Caller, kind: &DocumentKind, body: &Value) -> Result<(), Problem> {
    let actions = body.get("then").filter(|_| kind.resource == Kind::Rule);
    let actions = actions.and_then(Value::as_array).into_iter().flatten();
    for (index, action) in actions.enumerate() {
        let Some(text) = action.pointer("/message/url").and_then(Value::as_str) else { continue };
        let field = format!("then[{index}].message.url");
        let url: Url = text
            .parse()
            .map_err(|expected: String| wrong(&field, &format!("expected {expected}")))?;
        if !caller.tenant.outgoing.may_reach(&url) {
            let host = shortened(url.host(), 128);
            let detail = format!(
                "this platform does not send to {host}:{}; who runs it can name that host in \
                 `outgoing.hosts`",
                url.port()
            );
            return Err(wrong(&field, &detail));
        }
    }
    Ok(())
}

/// Refuses to remove what other documents name.
pub(super) fn refuse_if_used(
    caller: &Caller,
    kind: &DocumentKind,
    token: &str,
) -> Result<(), Problem> {
    for other in KINDS.iter().copied().flatten() {
        for key in [
            "specification",
            "site",
            "zone",
            "asset",
            "customer",
            "group",
            "parent",
            "tariff",
            "feed",
            "field_network",
        ] {
            if other.named_by(key).is_some_and(|named| named == kind)
                && let Some(user) = caller.tenant.documents.with_key(other, key, token).first()
            {
                let (name, of) = (other.name.replace('_', " "), &user.token);
                let detail = format!("the {name} `{of}` names it; change that one first");
                return Err(Problem::conflict("document_is_used", detail));
            }
        }
    }
    Ok(())
}

/// Whether who asks may know of a thing that a document names. What the document is about is known
/// to whoever may have the document.
fn is_known(
    caller: &Caller,
    (kind, token): (&DocumentKind, &str),
    subject: Option<&Target>,
) -> bool {
    let found = caller.tenant.documents.find(kind, token);
    let body = found.as_ref().map_or("", |document| document.body.as_str());
    // A device is there without a document, too.
    let row = caller.tenant.devices.find(token).filter(|_| kind.resource == Kind::Device);
    let about = match &row {
        Some(row) => {
            let subject = Some(Target::Device(row.hardware_id.clone()));
            About { subject, ..About::default() }
        }
        None => (kind.about)(token, body),
    };
    let on = about.resource(kind.resource, &caller.tenant.name);
    let may = [Action::Read, Action::Outline].into_iter().any(|action| caller.may(action, &on));
    let is_subject =
        subject.is_some_and(|of| of.to_string() == format!("{}:{token}", kind.resource));
    (found.is_some() || row.is_some()) && (may || is_subject)
}

/// Takes out of a device's new members what who asks may not change, or refuses it: who sees the
/// device is its owner's and administrators' to choose, and how far it is registered the latter's.
pub(super) fn device_members(
    caller: &Caller,
    id: &HardwareId,
    members: &mut Map<String, Value>,
) -> Result<(), Problem> {
    let there = caller.tenant.documents.body::<Device>(id.as_str());
    let (status, visibility) =
        there.as_ref().map_or((DeviceStatus::Registered, Visibility::Private), |device| {
            (device.status, device.visibility)
        });
    let (status, visibility) = (json!(status), json!(visibility));
    let is_administrator = caller.is_administrator();
    let denied = |field: &str, who: &str| {
        let detail = format!("{field}: {who} change that");
        let problem = Problem::new(StatusCode::FORBIDDEN, "not_permitted", detail);
        problem.with("field", json!(field))
    };
    let asked = members.entry("status").or_insert_with(|| status.clone());
    if *asked != status && !is_administrator {
        return Err(denied("status", "administrators"));
    }
    for of_network in ["fieldNetworkToken", "nodeAddress"] {
        let kept = there.as_ref().map(|device| json!(**device)[of_network].clone());
        let kept = kept.unwrap_or_default();
        let asked = members.entry(of_network).or_insert_with(|| kept.clone());
        if *asked != kept && !is_administrator {
            return Err(denied(of_network, "administrators"));
        }
    }
    let now = caller.tenant.clock.now();
    let tenures = caller.tenant.facts().tenures(&Target::Device(id.clone()));
    let me = caller.who.first().map(|who| &who.reference);
    let owner = tenures.iter().find(|tenure| tenure.span.contains(now));
    let owner = owner.and_then(|tenure| tenure.owner.as_ref());
    let may_choose = is_administrator || (owner.is_some() && owner == me);
    if !may_choose || caller.require_no_key().is_err() {
        members.entry("visibility").or_insert_with(|| visibility.clone());
    }
    let private = json!(Visibility::Private);
    let asked = members.get("visibility").unwrap_or(&private);
    if *asked == visibility {
        return Ok(());
    }
    if !may_choose {
        return Err(denied("visibility", "its owner and administrators"));
    }
    // It would outlive the key.
    caller.require_no_key()?;
    let is_next = |one: &Option<PrincipalRef>| one.is_some() && one.as_ref() != owner;
    let mut later = tenures.iter().filter(|tenure| now < tenure.span.from);
    if *asked != private && later.any(|tenure| is_next(&tenure.owner)) {
        let detail = "the device is assigned to somebody else from later on, who has not chosen it";
        return Err(Problem::conflict("owner_changes", detail));
    }
    Ok(())
}

/// What makes devices private again that somebody else owns after a change of a document, now or
/// later: what the former owner chose does not hold for the next.
pub(super) fn made_private(
    caller: &Caller,
    of: &DocumentKind,
    (token, before, after): (&str, Option<&str>, Option<&Value>),
) -> Vec<Edit> {
    let now = caller.tenant.clock.now();
    let mut devices: Vec<HardwareId> = match of.code {
        Assignment::CODE => {
            let before = before.and_then(|body| serde_json::from_str::<Assignment>(body).ok());
            let after = after.and_then(|body| serde_json::from_value(body.clone()).ok());
            let owned = |one: &Assignment| {
                (one.device_hardware_id.clone(), one.owner().cloned(), one.span())
            };
            let both: [Option<Assignment>; 2] = [before, after];
            let [was, is] = both.map(|one| one.as_ref().map(owned));
            if was == is {
                Vec::new()
            } else {
                // What has ended changes nobody's rights of now.
                let all = was.into_iter().chain(is).filter(|(_, _, span)| now < span.until);
                all.map(|(device, ..)| device).collect()
            }
        }
        Asset::CODE => {
            let before = before.and_then(|body| serde_json::from_str::<Asset>(body).ok());
            let after = after.and_then(|body| serde_json::from_value::<Asset>(body.clone()).ok());
            let [was, is] = [before, after].map(|one| one.and_then(|asset| asset.user));
            if was == is {
                Vec::new()
            } else {
                let members = caller.tenant.facts().members(&Target::Asset(token.to_owned()));
                let left = members.into_iter().filter(|(_, span)| now < span.until);
                left.map(|(device, _)| device).collect()
            }
        }
        _ => return Vec::new(),
    };
    devices.sort_unstable();
    devices.dedup();
    let edit = |device: HardwareId| {
        let found = caller.tenant.documents.find(Device::kind(), device.as_str())?;
        let mut body = found.members();
        let seen = body.get_mut("visibility")?;
        if *seen == json!(Visibility::Private) {
            return None;
        }
        *seen = json!(Visibility::Private);
        Some(Edit::of(&found, Some(body.into())))
    };
    devices.into_iter().filter_map(edit).collect()
}

/// Whether all documents of a kind may be read.
fn reads_all(caller: &Caller, kind: &DocumentKind) -> bool {
    let list = Resource::new(kind.resource, &caller.tenant.name, Subject::List);
    caller.ask(Action::Read, &list).is_ok_and(|permit| permit.is_whole())
}

/// Whether a version may be read by who may read the newest: it could be at an instant at which the
/// version held, when the document was no other person's.
pub(super) fn may_read_version(
    caller: &Caller,
    version: &Document,
    newest: &Document,
    at: SimTime,
) -> bool {
    let kind = version.kind;
    if version.version == newest.version || reads_all(caller, kind) {
        return true;
    }
    let about = |document: &Document| (kind.about)(&document.token, &document.body);
    let (then, now) = (about(version), about(newest));
    let on = then.resource(kind.resource, &caller.tenant.name);
    let is_public = || {
        let device = serde_json::from_str::<Device>(&version.body);
        device.is_ok_and(|device| device.visibility == Visibility::Public)
    };
    let permit = caller.ask_at(Action::Read, &on, at).ok();
    then == now && permit.is_some_and(|it| *it.scope() != Scope::Public || is_public())
}

/// Whether an assignment, if a document is one, may be read by who may read those of its device: it
/// is of who owned the device in it.
pub(super) fn is_of_its_time(caller: &Caller, document: &Document, on: &Resource<'_>) -> bool {
    if document.kind.code != Assignment::CODE || reads_all(caller, document.kind) {
        return true;
    }
    let Ok(own) = serde_json::from_str::<Assignment>(&document.body) else { return false };
    let (span, now) = (own.span(), caller.tenant.clock.now());
    let at = now.min(SimTime(span.until.0.saturating_sub(1))).max(span.from);
    span.contains(at) && caller.ask_at(Action::Read, on, at).is_ok()
}
