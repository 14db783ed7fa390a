//! People of a tenant, for its administrators: a list, and a page of each with its roles.

use axum::http::StatusCode;
use lastmeter_model::access::Role;
use lastmeter_model::entity::{Body as _, User};
use serde_json::{Map, Value, json};

use super::frame::Answered;
use super::lists::Listed;
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::access::Passwords;
use crate::ops::accounts;
use crate::problem::Problem;

fn path(name: &str) -> String {
    format!("/admin/people/{}", in_address(name))
}

fn passwords(viewer: &Viewer) -> &Passwords {
    &viewer.web.shared.tenants().access.passwords
}

fn state(user: &User) -> &'static str {
    if user.disabled {
        "disabled"
    } else if user.password_hash.is_none() {
        "without a password yet"
    } else {
        "active"
    }
}

fn words(user: &User) -> Vec<&'static str> {
    user.roles.iter().map(|role| role.word()).collect()
}

/// `GET /admin/people`
pub(super) async fn list(viewer: Viewer) -> Answered {
    Ok(page(&viewer, None, None).into())
}

/// The list, with a code that is shown this once, or with what is wrong in the form.
fn page(viewer: &Viewer, code: Option<&Value>, error: Option<&str>) -> View {
    let role = if viewer.is_form() { "" } else { viewer.field("role") };
    let mut all = viewer.tenant().documents.bodies::<User>();
    all.retain(|(_, user)| role.is_empty() || words(user).contains(&role));
    let name = |name: &str, user: &User| {
        let full = user.full_name.as_ref().map(ToString::to_string).unwrap_or_default();
        (name.to_owned(), full)
    };
    let listed = Listed::of(viewer, all, |(token, user), text| {
        let (token, full) = name(token, user);
        token.to_lowercase().contains(text) || full.to_lowercase().contains(text)
    });
    let rows = listed.rows.iter().map(|(token, user)| {
        let (token, full) = name(token, user);
        json!({
            "path": path(&token),
            "name": token,
            "full": full,
            "roles": words(user),
            "state": state(user),
        })
    });
    let rows: Vec<Value> = rows.collect();
    let values = json!({
        "rows": rows,
        "list": listed.around(),
        "roles": Role::ALL.iter().map(|role| role.word()).collect::<Vec<_>>(),
        "role": role,
        "given": if error.is_some() { viewer.field("name") } else { "" },
        "code": code,
        "error": error,
    });
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    View::new("people.html", values).with_status(status)
}

/// The roles that a form has ticked.
fn ticked(viewer: &Viewer) -> Vec<&'static str> {
    let words = Role::ALL.iter().map(|role| role.word());
    words.filter(|word| viewer.field(word) == "yes").collect()
}

/// A code for somebody, which this answer alone has.
async fn code_of(viewer: &Viewer, name: &str) -> Result<Value, Problem> {
    let (code, until) = accounts::reset(&viewer.caller, name, None).await?;
    let groups: Vec<String> =
        code.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let until = viewer.times.clock(until);
    Ok(json!({ "name": name, "code": code, "groups": groups, "until": until }))
}

/// `POST /admin/people`: they sign in with a code, and choose their password then.
pub(super) async fn make(viewer: Viewer) -> Answered {
    let name = viewer.field("name").trim().to_owned();
    let members = json!({ "username": name, "roles": ticked(&viewer) });
    let members = members.as_object().cloned().unwrap_or_default();
    match accounts::make(&viewer.caller, passwords(&viewer), members, None).await {
        Ok(_) => {
            let code = code_of(&viewer, &name).await?;
            Ok(page(&viewer, Some(&code), None).into())
        }
        Err(problem) if is_of_the_form(&problem) => {
            let detail = problem.detail().to_owned();
            Ok(page(&viewer, None, Some(&detail)).into())
        }
        Err(problem) => Err(problem),
    }
}

fn is_of_the_form(problem: &Problem) -> bool {
    matches!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT)
}

/// `GET /admin/people/{id}`
pub(super) async fn show(viewer: Viewer) -> Answered {
    one(&viewer, None, None)
}

fn one(viewer: &Viewer, code: Option<&Value>, error: Option<&str>) -> Answered {
    let name = &viewer.variable;
    let user = viewer.tenant().documents.body::<User>(name).ok_or_else(Problem::nothing)?;
    let known = words(&user);
    let roles = Role::ALL.iter().map(|role| role.word());
    let roles = roles.map(|word| json!({ "word": word, "has": known.contains(&word) }));
    let text = |text: Option<String>| text.unwrap_or_default();
    let values = json!({
        "name": name,
        "full": text(user.full_name.as_ref().map(ToString::to_string)),
        "email": text(user.email.as_ref().map(ToString::to_string)),
        "phone": text(user.phone.as_ref().map(ToString::to_string)),
        "standing": state(&user),
        "disabled": user.disabled,
        "roles": roles.collect::<Vec<_>>(),
        "path": path(name),
        "code": code,
        "error": error,
    });
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(View::new("person.html", values).titled(name.clone()).with_status(status).into())
}

/// `POST /admin/people/{id}`: other roles, or shut out.
pub(super) async fn change(viewer: Viewer) -> Answered {
    let name = viewer.variable.clone();
    let found = viewer.tenant().documents.find(User::kind(), &name).ok_or_else(Problem::nothing)?;
    let mut members: Map<String, Value> = found.members();
    for secret in found.kind.secrets() {
        members.remove(*secret);
    }
    members.insert("roles".to_owned(), json!(ticked(&viewer)));
    members.insert("disabled".to_owned(), json!(viewer.field("disabled") == "yes"));
    match accounts::change(&viewer.caller, passwords(&viewer), &name, members).await {
        Ok(_) => {
            viewer.web.shared.cut(&viewer.tenant().name, &name).await;
            Ok(way(path(&name)))
        }
        Err(problem) if is_of_the_form(&problem) => one(&viewer, None, Some(problem.detail())),
        Err(problem) => Err(problem),
    }
}

/// `POST /admin/people/{id}/code`
pub(super) async fn code(viewer: Viewer) -> Answered {
    let name = viewer.variable.clone();
    let code = code_of(&viewer, &name).await?;
    one(&viewer, Some(&code), None)
}

/// `POST /admin/people/{id}/remove`: with the name typed once more.
pub(super) async fn remove(viewer: Viewer) -> Answered {
    let name = viewer.variable.clone();
    if viewer.field("name") != name {
        let text = "Enter the name once more, exactly as it stands above; nothing was removed";
        return one(&viewer, None, Some(text));
    }
    match accounts::erase(&viewer.caller, &name).await {
        Ok(_) => {
            viewer.web.shared.cut(&viewer.tenant().name, &name).await;
            Ok(way("/admin/people"))
        }
        Err(problem) if is_of_the_form(&problem) => one(&viewer, None, Some(problem.detail())),
        Err(problem) => Err(problem),
    }
}
