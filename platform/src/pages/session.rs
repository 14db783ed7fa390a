//! Signing in and out: a cookie that stands for a log-in, which ends by itself.

use axum::http::StatusCode;
use lastmeter_store::lock;
use lastmeter_units::TenantName;
use serde_json::json;

use super::frame::{Answered, PAGES, Seat, is_for};
use super::view::{Answer, View, way};
use super::viewer::{Viewer, in_address, seats};
use crate::access::{LogIn, NotProved};
use crate::gate::Listener;
use crate::identity::{Proof, Visitor};
use crate::ops::{Caller, accounts};
use crate::problem::Problem;

/// The name of the cookie. Where browsers come by way of TLS it is one that nobody else can set.
pub(super) fn cookie_name(is_secure: bool) -> &'static str {
    if is_secure { "__Host-lm" } else { "lm" }
}

pub(super) fn cookie(is_secure: bool, value: &str, seconds: Option<u64>) -> String {
    let name = cookie_name(is_secure);
    let secure = if is_secure { "; Secure" } else { "" };
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")
}

/// Where somebody begins.
fn home_of(caller: &Caller) -> &'static str {
    let seats = seats(caller);
    let has = |seat: Seat| seats.contains(&seat);
    let preferred = match () {
        () if has(Seat::Nobody) => "/public",
        () if has(Seat::Household) && !has(Seat::Operator) => "/now",
        () if has(Seat::Operator) || has(Seat::Platform) => "/admin/health",
        () if has(Seat::Utility) => "/groups",
        () => "/account",
    };
    let page = PAGES.iter().find(|page| page.path == preferred);
    if page.is_some_and(|page| is_for(caller, page)) { preferred } else { "/account" }
}

/// The way back to an own address; what else is given is none.
fn way_back(given: &str) -> Option<&str> {
    let is_plain = given.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (given.starts_with('/') && !given.starts_with("//") && is_plain).then_some(given)
}

/// `GET /`: the way to where somebody begins.
pub(super) async fn home(viewer: Viewer) -> Answered {
    Ok(way(home_of(&viewer.caller)))
}

/// The way to the sign-in of who asks for a page that is not for everybody, and back.
pub(super) fn first_sign_in(viewer: &Viewer) -> Answer {
    let back = if viewer.is_form() { viewer.page.path } else { &viewer.address };
    let back = if back.contains('{') { "/" } else { back };
    way(format!("/sign-in?back={}", in_address(back)))
}

/// `GET /sign-in`
pub(super) async fn sign_in(viewer: Viewer) -> Answered {
    if viewer.caller.user().is_some() {
        return Ok(way(home_of(&viewer.caller)));
    }
    let back = way_back(viewer.field("back")).unwrap_or_default();
    let values = json!({ "back": back, "name": "", "error": null });
    Ok(View::new("sign_in.html", values).into())
}

/// The form again, with what was wrong; the name is kept, the password is not.
fn again(viewer: &Viewer, error: &str) -> View {
    let (name, back) = (viewer.field("name"), way_back(viewer.field("back")).unwrap_or_default());
    let values = json!({ "back": back, "name": name, "error": error });
    View::new("sign_in.html", values).with_status(StatusCode::UNPROCESSABLE_ENTITY)
}

/// `POST /sign-in`
pub(super) async fn enter(viewer: Viewer) -> Answered {
    let password = viewer.field("password").to_owned();
    let visitor = match proved(&viewer, &password).await {
        Ok(visitor) => visitor,
        Err(NotProved::Wrong) => {
            let text = "Name or password is wrong. Check both, or choose \"Forgotten password\"";
            return Ok(again(&viewer, text).into());
        }
        Err(NotProved::Locked(wait)) => {
            let seconds = wait.as_secs_f64().ceil() as u64;
            let text = format!("Too many tries. Wait {seconds} s, then try again");
            let view = again(&viewer, &text).with_status(StatusCode::TOO_MANY_REQUESTS);
            return Ok(view.after(seconds).into());
        }
    };
    if visitor.proof != Proof::Code {
        return begin(&viewer, visitor);
    }
    // A code opens nothing but a new password.
    let new = viewer.field("new-password");
    let mut error = None;
    if !new.is_empty() {
        let caller = Caller { tenant: visitor.tenant.clone(), who: visitor.who.clone() };
        let passwords = &viewer.web.shared.tenants().access.passwords;
        match accounts::change_password(&caller, passwords, &json!(new)).await {
            Ok(name) => {
                viewer.web.shared.cut(&caller.tenant.name, &name).await;
                return match proved(&viewer, new).await {
                    Ok(visitor) => begin(&viewer, visitor),
                    Err(_) => Ok(way("/sign-in")),
                };
            }
            Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => {
                error = Some("Choose 8 to 128 characters that are not your name");
            }
            Err(problem) => return Err(problem),
        }
    }
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let values = json!({
        "name": viewer.field("name"),
        "password": password,
        "own": viewer.field("own"),
        "back": way_back(viewer.field("back")).unwrap_or_default(),
        "error": error,
    });
    Ok(View::new("new_password.html", values).titled("New password").with_status(status).into())
}

/// Who has the name and a password.
async fn proved(viewer: &Viewer, password: &str) -> Result<Visitor, NotProved> {
    let shared = &viewer.web.shared;
    let (gate, from) = (shared.gate(), viewer.visit.from());
    if gate.is_shut_for(Listener::Rest, from) {
        return Err(NotProved::Locked(std::time::Duration::from_secs(1)));
    }
    let name = viewer.field("name").trim();
    let (tenant, name) = name.split_once('/').map_or((None, name), |(t, n)| (Some(t), n));
    let tenant = tenant.map_or(Ok(TenantName::default()), TenantName::new);
    let tenant = tenant.unwrap_or_default();
    let proved = shared.tenants().by_password(tenant, (name, password.as_bytes()), from).await;
    match &proved {
        Ok(_) => viewer.visit.mark_authenticated(),
        Err(NotProved::Wrong) => {
            let wait = gate.wrong_secret(Listener::Rest, from, "");
            viewer.visit.wait(wait).await;
        }
        Err(NotProved::Locked(_)) => {}
    }
    proved
}

/// The log-in of somebody, who marks the device as an own one or does not.
pub(super) fn log_in_of(caller: &Caller, is_own: bool) -> LogIn {
    let is_office = |seat: &Seat| matches!(seat, Seat::Operator | Seat::Platform);
    match is_own {
        _ if seats(caller).iter().any(is_office) => LogIn::Office,
        true => LogIn::OwnDevice,
        false => LogIn::Pages,
    }
}

/// Begins a log-in, under a new cookie.
fn begin(viewer: &Viewer, visitor: Visitor) -> Answered {
    let Proof::Password(hash) = visitor.proof else { return Ok(way("/sign-in")) };
    let caller = Caller { tenant: visitor.tenant, who: visitor.who };
    let Some(name) = caller.user().map(ToString::to_string) else { return Ok(way("/sign-in")) };
    let log_in = log_in_of(&caller, viewer.field("own") == "yes");
    let access = &viewer.web.shared.tenants().access;
    // What was signed in before is so no longer: nobody else's cookie becomes this one's.
    if let Proof::AccessToken(id) = viewer.visitor.proof {
        lock(&access.tokens).end(id);
    }
    let of = (caller.tenant.name.clone(), name);
    let made = lock(&access.tokens).make(of, (hash, log_in), access.now());
    let token = made.map_err(|error| Problem::unavailable("no_random", &error))?.print();
    let seconds = (log_in == LogIn::OwnDevice).then(|| log_in.age_max().as_secs());
    let to = way_back(viewer.field("back")).unwrap_or_else(|| home_of(&caller)).to_owned();
    Ok(Answer::Way(to, Some(cookie(viewer.web.is_secure, &token, seconds))))
}

/// `POST /sign-out`
pub(super) async fn leave(viewer: Viewer) -> Answered {
    if let Proof::AccessToken(id) = viewer.visitor.proof {
        lock(&viewer.web.shared.tenants().access.tokens).end(id);
    }
    Ok(Answer::Way("/sign-in".to_owned(), Some(cookie(viewer.web.is_secure, "", Some(0)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_back_are_own_addresses() {
        for own in ["/", "/history?s=a&per=day", "/devices/a%2Fb"] {
            assert_eq!(way_back(own), Some(own));
        }
        for other in ["", "//host", "/\\host", "\\\\host", "https://host/", "/a b", "/a\r\nb", "a"]
        {
            assert_eq!(way_back(other), None, "{other}");
        }
    }

    #[test]
    fn a_cookie_is_for_this_server_and_its_pages_alone() {
        assert_eq!(cookie(false, "v", None), "lm=v; Path=/; HttpOnly; SameSite=Lax");
        let secure = "__Host-lm=v; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60";
        assert_eq!(cookie(true, "v", Some(60)), secure);
    }
}
