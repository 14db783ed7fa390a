//! One's own account: profile, password, and where one is signed in.

use axum::http::StatusCode;
use lastmeter_store::lock;
use serde_json::{Map, Value, json};

use super::frame::Answered;
use super::view::{Answer, View, way};
use super::viewer::Viewer;
use crate::identity::Proof;
use crate::ops::accounts;
use crate::problem::Problem;

/// The members of a profile, with what they are called and how a browser fills them in.
const PROFILE: [(&str, &str, &str); 6] = [
    ("fullName", "Name", "name"),
    ("email", "E-mail", "email"),
    ("phone", "Telephone", "tel"),
    (
        "timeZone",
        "Time zone of the pages, such as Europe/Rome; empty for that of the premises",
        "off",
    ),
    ("quietFrom", "Messages wait from, such as 22:00 (what is critical comes at once)", "off"),
    ("quietUntil", "until, such as 07:00", "off"),
];

/// `GET /account`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let done = match viewer.field("done") {
        "profile" => Some("Your profile is changed"),
        "password" => Some("Your password is changed, and you are signed in here alone"),
        "elsewhere" => Some("You are signed in here alone"),
        _ => None,
    };
    page(&viewer, None, done).map(Answer::from)
}

fn page(
    viewer: &Viewer,
    error: Option<(&str, String)>,
    done: Option<&str>,
) -> Result<View, Problem> {
    let account = accounts::account(&viewer.caller)?;
    let fields = PROFILE.map(|(member, label, autocomplete)| {
        let given = viewer.field(member);
        let known = account[member].as_str().unwrap_or_default();
        let value = if error.is_some() && viewer.is_form() { given } else { known };
        json!({ "name": member, "label": label, "autocomplete": autocomplete, "value": value })
    });
    let roles: Vec<&str> =
        account["roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let (field, text) = error.map_or((None, None), |(field, text)| (Some(field), Some(text)));
    let values = json!({
        "name": account["username"],
        "roles": roles,
        "fields": fields,
        "error": { "field": field, "text": text },
        "done": done,
    });
    Ok(View::new("account.html", values).with_status(status))
}

/// `POST /account`
pub(super) async fn change(viewer: Viewer) -> Answered {
    let mut members = match accounts::account(&viewer.caller)? {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (member, ..) in PROFILE.iter().filter(|(member, ..)| viewer.has(member)) {
        let text = viewer.field(member).trim();
        let value = if text.is_empty() { Value::Null } else { json!(text) };
        members.insert((*member).to_owned(), value);
    }
    match accounts::change_account(&viewer.caller, members).await {
        Ok(_) => Ok(way("/account?done=profile")),
        Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            let detail = match problem.field() {
                Some("timeZone") => {
                    "There is no such time zone; write it as Europe/Rome".to_owned()
                }
                Some("quietFrom" | "quietUntil") => {
                    "Enter both times, such as 22:00 and 07:00, or neither".to_owned()
                }
                _ => problem.detail().to_owned(),
            };
            let field = PROFILE.iter().find(|(member, ..)| problem.field() == Some(*member));
            let field = field.map_or("fullName", |(member, ..)| member);
            page(&viewer, Some((field, detail)), None).map(Answer::from)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /account/password`
pub(super) async fn password(viewer: Viewer) -> Answered {
    let (old, new) = (viewer.field("password"), viewer.field("new-password"));
    let tenants = viewer.web.shared.tenants();
    let tenant = viewer.tenant().name.clone();
    let name = viewer.caller.user().map(ToString::to_string).unwrap_or_default();
    let from = viewer.visit.from();
    let proved = tenants.by_password(tenant.clone(), (&name, old.as_bytes()), from).await;
    if !matches!(proved.as_ref().map(|visitor| &visitor.proof), Ok(Proof::Password(_))) {
        let text = "This is not your password; nothing was changed".to_owned();
        return page(&viewer, Some(("password", text)), None).map(Answer::from);
    }
    let (passwords, new_one) = (&tenants.access.passwords, json!(new));
    match accounts::change_password(&viewer.caller, passwords, &new_one).await {
        Ok(_) => viewer.web.shared.cut(&tenant, &name).await,
        Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            let text = "Choose 8 to 128 characters that are not your name".to_owned();
            return page(&viewer, Some(("new-password", text)), None).map(Answer::from);
        }
        Err(problem) => return Err(problem),
    }
    // The log-in is of the password before, and ends with it: this one begins anew.
    let proved = tenants.by_password(tenant.clone(), (&name, new.as_bytes()), from).await;
    let Ok(Proof::Password(hash)) = proved.map(|visitor| visitor.proof) else {
        return Ok(way("/sign-in"));
    };
    let (access, log_in) = (&tenants.access, super::session::log_in_of(&viewer.caller, false));
    let made = lock(&access.tokens).make((tenant, name), (hash, log_in), access.now());
    let token = made.map_err(|error| Problem::unavailable("no_random", &error))?.print();
    let cookie = super::session::cookie(viewer.web.is_secure, &token, None);
    Ok(Answer::Way("/account?done=password".to_owned(), Some(cookie)))
}

/// `POST /account/sign-out-elsewhere`
pub(super) async fn sign_out_elsewhere(viewer: Viewer) -> Answered {
    if let (Proof::AccessToken(id), Some(name)) = (&viewer.visitor.proof, viewer.caller.user()) {
        let of = (viewer.tenant().name.clone(), name.to_string());
        let access = &viewer.web.shared.tenants().access;
        lock(&access.tokens).end_others(&of, *id);
    }
    Ok(way("/account?done=elsewhere"))
}
