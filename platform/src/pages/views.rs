//! Views of one's own: a series under a name, found again on the page of history.

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind};
use lastmeter_model::entity::{Body as _, View};
use serde_json::{Map, Value, json};

use super::frame::Answered;
use super::history;
use super::view::way;
use super::viewer::{Viewer, in_address};
use crate::ops::devices;
use crate::ops::documents::{self, Request};
use crate::problem::Problem;

/// Views that are listed.
const SHOWN: usize = 100;

/// Those of who asks, by token.
fn own(viewer: &Viewer) -> Vec<(String, Map<String, Value>)> {
    let mut found = viewer.tenant().documents.all(View::kind());
    found.retain(|document| documents::may(&viewer.caller, Action::Write, document));
    found.iter().take(SHOWN).map(|one| (one.token.clone(), one.members())).collect()
}

/// What the page of history has of them: links, and the one that is looked at.
pub(super) fn listed(viewer: &Viewer) -> (Vec<Value>, Option<Value>) {
    let asked = viewer.field("v");
    let own = own(viewer);
    let text = |of: &Map<String, Value>, name: &str| {
        of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let row = |(token, of): &(String, Map<String, Value>)| {
        let [device, quantity, period] =
            ["device", "quantity", "period"].map(|name| text(of, name));
        let [device, quantity] = [&device, &quantity].map(|part| in_address(part).into_owned());
        let id = in_address(token);
        json!({
            "name": of["name"],
            "path": format!("/history?per={period}&s={device}&q={quantity}&v={id}"),
            "remove": format!("/history/views/{id}/remove"),
            "is_current": token == asked,
        })
    };
    let current = own.iter().find(|(token, _)| token == asked).map(row);
    (own.iter().map(row).collect(), current)
}

/// `POST /history`: keeps what is shown as a view.
pub(super) async fn keep(viewer: Viewer) -> Answered {
    let name = viewer.field("name").trim();
    if name.is_empty() {
        return history::shown(&viewer, Some("Give the view a name")).await;
    }
    // What may not be read is as what is not there.
    devices::find(&viewer.caller, (Kind::Series, Action::Read), viewer.field("s"))
        .map_err(|_| Problem::nothing())?;
    let body = json!({
        "name": name,
        "device": viewer.field("s"),
        "quantity": viewer.field("q"),
        "period": viewer.field("per"),
    });
    let members = body.as_object().cloned();
    let request = Request { token: None, version: None, body: members };
    match documents::make(&viewer.caller, View::kind(), request, None).await {
        Ok(made) => {
            let [device, quantity] = ["s", "q"].map(|name| in_address(viewer.field(name)));
            let (per, id) = (in_address(viewer.field("per")), in_address(&made.token));
            Ok(way(format!("/history?per={per}&s={device}&q={quantity}&v={id}")))
        }
        Err(problem)
            if [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT]
                .contains(&problem.status()) =>
        {
            history::shown(&viewer, Some(problem.detail())).await
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /history/views/{id}/remove`
pub(super) async fn remove(viewer: Viewer) -> Answered {
    let request = Request { token: None, version: None, body: None };
    documents::change(&viewer.caller, View::kind(), &viewer.variable, request).await?;
    Ok(way("/history"))
}
