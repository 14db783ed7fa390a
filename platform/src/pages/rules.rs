//! Rules as sentences: what is done when something begins to hold; made, tried, paused and removed;
//! those that others offer, accepted or refused.
//!
//! | file | purpose |
//! |---|---|
//! | `sentence` | a rule in words |
//! | `form` | what a new one is described by, and what it would have done |

use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::Action;
use lastmeter_model::document::Document;
use lastmeter_model::entity::{
    Body as _, Channel, Notification, NotificationState, OfferState, Rule,
};
use serde_json::{Value, json};

use super::frame::Answered;
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::ops::documents::{self, Request};
use crate::ops::homes;
use crate::ops::rules;
use sentence::Names;

mod form;
mod sentence;

/// Rules of a page.
const SHOWN: usize = 100;
/// Messages of a page.
const MESSAGES: usize = 10;

/// What became of a form that was sent.
#[derive(Default)]
struct Sent {
    error: Option<String>,
    /// What the rule would have done.
    tried: Option<Value>,
}

/// `GET /rules`
pub(super) async fn show(viewer: Viewer) -> Answered {
    page(&viewer, Sent::default()).await
}

async fn page(viewer: &Viewer, sent: Sent) -> Answered {
    let known = homes::known(&viewer.caller).await?;
    let documents = viewer.tenant().documents.all(Rule::kind());
    let mut may = documents;
    may.retain(|document| documents::may(&viewer.caller, Action::Read, document));
    // Those of others are not counted either.
    let more = may.len().saturating_sub(SHOWN);
    let names = Names { viewer, known: &known };
    let rows = may.iter().take(SHOWN).map(|document| row(&names, document));
    let is_wrong = sent.error.is_some();
    let values = json!({
        "rows": rows.collect::<Vec<_>>(),
        "more": more,
        "form": form::values(viewer, &known),
        "tried": sent.tried,
        "told": told(viewer),
        "error": sent.error,
    });
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(View::new("rules.html", values).with_status(status).into())
}

/// The last messages that rules have sent, newest first, with what became of them.
fn told(viewer: &Viewer) -> Vec<Value> {
    let documents = viewer.tenant().documents.all(Notification::kind());
    let may = documents.iter().filter(|one| documents::may(&viewer.caller, Action::Read, one));
    let read = |one: &Arc<Document>| serde_json::from_str::<Notification>(&one.body).ok();
    let mut all: Vec<Notification> = may.filter_map(read).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.at));
    let shown = all.into_iter().take(MESSAGES).map(|one| {
        let why = one.failure.as_ref().map_or("", |why| why.as_str());
        let what = match one.state {
            NotificationState::Sent => "sent".to_owned(),
            NotificationState::Failed => format!("not sent: {why}"),
            NotificationState::Waiting if one.tries > 0 => format!("tried again soon: {why}"),
            NotificationState::Waiting => "waits".to_owned(),
        };
        let how = match one.channel {
            Channel::Email => "by e-mail".to_owned(),
            Channel::Webhook => format!("to {}", one.to.as_ref().map_or("", |to| to.as_str())),
        };
        json!({
            "subject": one.subject, "at": viewer.times.clock(one.at), "how": how, "what": what,
            "failed": one.state == NotificationState::Failed,
        })
    });
    shown.collect()
}

/// A rule with what may be done with it.
fn row(names: &Names<'_>, document: &Document) -> Value {
    let body = document.members();
    let id = in_address(&document.token);
    let offer = body.get("offer").filter(|offer| offer.is_object());
    let state = offer.map_or("", |offer| offer["state"].as_str().unwrap_or_default());
    let ways: &[(&str, &str)] = match state {
        "offered" => &[("accept", "Accept"), ("refuse", "Refuse")],
        "accepted" => &[("revoke", "Accept no longer")],
        "" => &[],
        _ => &[("accept", "Accept")],
    };
    let is_paused = body.get("disabled") == Some(&json!(true));
    // What is not accepted does nothing that could be paused.
    let pause = if is_paused { "Go on" } else { "Pause" };
    let pause = ["", "accepted"].contains(&state).then_some(("pause", pause));
    let ways = ways.iter().copied().chain(pause).chain([("remove", "Remove")]);
    let may = documents::may(&names.viewer.caller, Action::Write, document);
    json!({
        "name": body["name"],
        "when": names.condition(&body["when"]),
        "then": names.actions(&body["then"]),
        "is_paused": is_paused,
        "offer": offer.map(|offer| json!({
            "by": offer["by"].as_str().map(of_principal),
            "state": state,
        })),
        "ways": ways.filter(|_| may).map(|(way, name)| json!({
            "path": format!("/rules/{id}/{way}"), "name": name,
        })).collect::<Vec<_>>(),
    })
}

/// The name of a principal, for people.
fn of_principal(reference: &str) -> &str {
    reference.split_once(':').map_or(reference, |(_, name)| name)
}

/// `POST /rules`
pub(super) async fn make(viewer: Viewer) -> Answered {
    let members = match form::described(&viewer) {
        Ok(members) => members,
        Err(error) => return again(&viewer, error).await,
    };
    let request = Request { token: None, version: None, body: Some(members) };
    match documents::make(&viewer.caller, Rule::kind(), request, None).await {
        Ok(_) => Ok(way("/rules")),
        Err(problem) if form::is_about_form(&problem) => again(&viewer, problem.detail()).await,
        Err(problem) => Err(problem),
    }
}

/// `POST /rules/try`: what the rule of the form would have done; it is not kept.
pub(super) async fn attempt(viewer: Viewer) -> Answered {
    let members = match form::described(&viewer) {
        Ok(members) => members,
        Err(error) => return again(&viewer, error).await,
    };
    match form::tried(&viewer, &members).await {
        Ok(tried) => page(&viewer, Sent { error: None, tried: Some(tried) }).await,
        Err(problem) if form::is_about_form(&problem) => again(&viewer, problem.detail()).await,
        Err(problem) => Err(problem),
    }
}

/// The page once more, with what was entered and what is wrong with it.
async fn again(viewer: &Viewer, error: &str) -> Answered {
    page(viewer, Sent { error: Some(error.to_owned()), tried: None }).await
}

/// `POST /rules/{id}/accept`
pub(super) async fn accept(viewer: Viewer) -> Answered {
    answer(&viewer, OfferState::Accepted).await
}

/// `POST /rules/{id}/refuse`
pub(super) async fn refuse(viewer: Viewer) -> Answered {
    answer(&viewer, OfferState::Refused).await
}

/// `POST /rules/{id}/revoke`
pub(super) async fn revoke(viewer: Viewer) -> Answered {
    answer(&viewer, OfferState::Revoked).await
}

async fn answer(viewer: &Viewer, state: OfferState) -> Answered {
    match rules::answer(&viewer.caller, &viewer.variable, state).await {
        Ok(_) => Ok(way("/rules")),
        // Another window was faster: the page shows what is.
        Err(problem) if problem.status() == StatusCode::CONFLICT => Ok(way("/rules")),
        Err(problem) => Err(problem),
    }
}

/// `POST /rules/{id}/pause`: or goes on, if it is paused.
pub(super) async fn pause(viewer: Viewer) -> Answered {
    documents::edit(&viewer.caller, Rule::kind(), &viewer.variable, |document| {
        let mut body = document.members();
        let is_paused = body.get("disabled") == Some(&json!(true));
        body.insert("disabled".to_owned(), json!(!is_paused));
        Some(Value::Object(body))
    })
    .await?;
    Ok(way("/rules"))
}

/// `POST /rules/{id}/remove`
pub(super) async fn remove(viewer: Viewer) -> Answered {
    let request = Request { token: None, version: None, body: None };
    documents::change(&viewer.caller, Rule::kind(), &viewer.variable, request).await?;
    Ok(way("/rules"))
}
