//! Keys of programs: made for somebody with what they may do and until when, shown once, ended.

use axum::http::StatusCode;
use lastmeter_model::access::Action;
use lastmeter_store::Page;
use lastmeter_units::SimTime;
use serde_json::{Value, json};

use super::frame::Answered;
use super::history::{date_of, day_of};
use super::lists::Listed;
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::ops::credentials;

/// Keys that are looked at.
const LOOKED_AT: u32 = 1_000;
const ACTIONS: [(Action, &str); 3] =
    [(Action::Read, "read"), (Action::Write, "write"), (Action::Command, "command")];

/// `GET /admin/keys`
pub(super) async fn list(viewer: Viewer) -> Answered {
    page(&viewer, None, None)
}

fn page(viewer: &Viewer, secret: Option<&Value>, error: Option<&str>) -> Answered {
    let (_, mut all) =
        credentials::list(&viewer.caller, true, Page { offset: 0, limit: LOOKED_AT })?;
    all.retain(|key| key["revoked"].is_null());
    let of = |key: &Value| key["of"].as_str().unwrap_or_default().to_owned();
    let listed = Listed::of(viewer, all, |key, text| of(key).to_lowercase().contains(text));
    let rows = listed.rows.iter().map(|key| {
        let token = key["token"].as_str().unwrap_or_default();
        let until = key["scope"]["until"].as_str().and_then(|at| at.parse::<SimTime>().ok());
        json!({
            "of": of(key).trim_start_matches("user:"),
            "name": key["name"],
            "actions": key["scope"]["actions"],
            "on": key["scope"]["on"],
            "until": until.map(|at| viewer.times.clock(at)),
            "token": token,
            "end": format!("/admin/keys/{}/end", in_address(token)),
        })
    });
    let rows: Vec<Value> = rows.collect();
    let is_error = error.is_some();
    let given = |name: &str| if is_error { viewer.field(name) } else { "" };
    let values = json!({
        "rows": rows,
        "list": listed.around(),
        "actions": ACTIONS.map(|(_, word)| word),
        "given": json!({ "of": given("of"), "until": given("until") }),
        "today": date_of(viewer, viewer.now()),
        "secret": secret,
        "error": error,
    });
    let status = if is_error { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(View::new("keys.html", values).with_status(status).into())
}

/// `POST /admin/keys`
pub(super) async fn make(viewer: Viewer) -> Answered {
    let ticked = ACTIONS.iter().filter(|(_, word)| viewer.field(word) == "yes");
    let actions: Vec<Action> = ticked.map(|(action, _)| *action).collect();
    let Some(until) = day_of(&viewer, viewer.field("until").trim()) else {
        return page(&viewer, None, Some("Enter the last day as a date, such as 2027-03-31"));
    };
    let of = format!("user:{}", viewer.field("of").trim());
    let body = json!({ "of": of, "actions": actions, "until": until });
    let members = body.as_object().cloned().unwrap_or_default();
    match credentials::make_key(&viewer.caller, members, None).await {
        Ok(made) => {
            let secret = json!({ "of": viewer.field("of").trim(), "key": made.secret });
            page(&viewer, Some(&secret), None)
        }
        Err(problem)
            if matches!(
                problem.status(),
                StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT
            ) =>
        {
            page(&viewer, None, Some(problem.detail()))
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /admin/keys/{id}/end`: who is connected by it is cut off.
pub(super) async fn end(viewer: Viewer) -> Answered {
    let (of, _) = credentials::revoke(&viewer.caller, true, &viewer.variable).await?;
    let name = of.to_string();
    if let Some(name) = name.strip_prefix("user:") {
        viewer.web.shared.disconnect(&viewer.tenant().name, name).await;
    }
    Ok(way("/admin/keys"))
}
