//! The pages that the aggregator of a household serves itself, as a pure function: what a browser
//! asks and what there is to show in, the answer and the customer's change out.
//!
//! | file | purpose |
//! |---|---|
//! | `pages`, `templates` | what stands on each page, and where |
//! | `picture` | charts |
//! | `json` | the same for programs |
//! | `change` | what forms change |
//! | `session` | who is signed in, form tokens, the lock after wrong passwords |
//! | `fields`, `format` | addresses and forms; numbers and instants |
//!
//! Pages are those of the low-cost ARM meter paper ("Real-time smart meters network for energy
//! management"), section 6.2: *Power Profile*, *Load Power Profile* and *Power Graph*, each a
//! header with the site's title and links, and a body. They need no script and no other host.
//!
//! The paper's web page has no access control ([`Access::None`]): whoever reaches it switches
//! loads. With [`Access::Password`] a form changes something only in a session, from a page of the
//! same origin, and with the session's own token (OWASP, "Cross-Site Request Forgery Prevention").

mod change;
mod fields;
mod format;
mod json;
mod pages;
mod picture;
mod session;
#[cfg(test)]
mod tests;

use lastmeter_units::SimTime;

use self::change::Asked;
use self::fields::Fields;
pub(crate) use self::format::Clock;
use self::pages::Viewer;
use self::session::Sessions;
use super::Access;
use super::view::{Change, PageRefusal, View};
use crate::border::{PageAnswer, PageMethod, PageRequest};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JSON: &str = "application/json";
/// The longest form in bytes.
const FORM_MAX: usize = 4096;

/// The pages, with who is signed in to them.
#[derive(Clone, Debug)]
pub struct Site {
    /// None: everybody is let in.
    sessions: Option<Sessions>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// What the browser gets.
    pub answer: PageAnswer,
    /// What the customer changes, to take effect at once.
    pub change: Option<Change>,
    /// Why a form was refused, to be counted and alarmed.
    pub refused: Option<PageRefusal>,
}

impl Served {
    fn text(status: u16, media_type: &'static str, text: impl Into<String>) -> Self {
        let body = text.into().into_bytes();
        let answer = PageAnswer { status, media_type, location: None, set_cookie: None, body };
        Self { answer, change: None, refused: None }
    }

    fn way(to: impl Into<String>) -> Self {
        let mut served = Self::text(303, HTML, "");
        served.answer.location = Some(to.into());
        served
    }

    fn with_cookie(mut self, cookie: String) -> Self {
        self.answer.set_cookie = Some(cookie);
        self
    }

    fn refused(mut self, why: PageRefusal) -> Self {
        self.refused = Some(why);
        self
    }
}

/// Whether a form may be from a page of ours: browsers send where it is from, programs need not.
fn is_own(request: &PageRequest) -> bool {
    let Some(origin) = &request.origin else { return true };
    let from = origin.split_once("://").map(|(_, authority)| authority);
    from.zip(request.host.as_deref()).is_some_and(|(from, host)| from.eq_ignore_ascii_case(host))
}

impl Site {
    /// Pages to which nobody is signed in.
    pub fn new(access: &Access) -> Self {
        let sessions = match access {
            Access::None => None,
            Access::Password { user, password } => Some(Sessions::new(user, password)),
        };
        Self { sessions }
    }

    /// The answer to a request at an instant; `draw` gives 64 random bits, of which sessions are
    /// made.
    pub fn answer(
        &mut self,
        now: SimTime,
        request: &PageRequest,
        view: &View,
        draw: &mut dyn FnMut() -> u64,
    ) -> Served {
        let (path, query) = fields::address(&request.path);
        if path == "/style.css" && request.method == PageMethod::Get {
            return Served::text(200, CSS, pages::sheet());
        }
        let Some(sessions) = &mut self.sessions else {
            let viewer = Viewer { token: None, is_inside: true };
            return match request.method {
                _ if path == "/sign-in" => Served::way("/"),
                PageMethod::Get => shown(path, &query, view, &viewer),
                PageMethod::Post => changed(path, request, view, &viewer),
            };
        };
        if path == "/sign-in" {
            return match request.method {
                PageMethod::Get => {
                    let back = query.get("back").unwrap_or("/");
                    Served::text(200, HTML, pages::sign_in(None, back, view))
                }
                PageMethod::Post => entered(sessions, now, request, view, draw),
            };
        }
        match (request.method, sessions.token(now, request.cookie.as_deref())) {
            (PageMethod::Get, None) => Served::way(format!("/sign-in?back={}", back_to(path))),
            (PageMethod::Post, None) => {
                let why = "Nobody is signed in. Sign in, then send the form again.";
                Served::text(401, HTML, pages::sign_in(Some(why), "/", view))
                    .refused(PageRefusal::NotSignedIn)
            }
            (PageMethod::Get, Some(token)) => {
                let viewer = Viewer { token: Some(&token), is_inside: true };
                shown(path, &query, view, &viewer)
            }
            (PageMethod::Post, Some(token)) => sent(sessions, &token, (path, request), view),
        }
    }
}

/// What a form comes to that is sent in the session with this token.
fn sent(
    sessions: &mut Sessions,
    token: &str,
    (path, request): (&str, &PageRequest),
    view: &View,
) -> Served {
    let viewer = Viewer { token: Some(token), is_inside: true };
    if !is_own(request) || form_of(request).get("token") != Some(token) {
        let why = "This form is not from a page of the aggregator. Nothing was changed.";
        return Served::text(403, HTML, pages::problem(why, view, &viewer))
            .refused(PageRefusal::ForeignForm);
    }
    if path == "/sign-out" {
        sessions.leave(request.cookie.as_deref());
        return Served::way("/sign-in").with_cookie(session::without_cookie());
    }
    changed(path, request, view, &viewer)
}

/// The page to go on with after signing in: one of ours, never an address of others.
fn back_to(path: &str) -> &str {
    if pages::is_page(path) { path } else { "/" }
}

/// The fields of a form; one that is too long has none.
fn form_of(request: &PageRequest) -> Fields {
    let body = if request.body.len() > FORM_MAX { &[][..] } else { &request.body };
    Fields::of(body)
}

/// Signs in, or states why not.
fn entered(
    sessions: &mut Sessions,
    now: SimTime,
    request: &PageRequest,
    view: &View,
    draw: &mut dyn FnMut() -> u64,
) -> Served {
    let form = form_of(request);
    let back = back_to(form.get("back").unwrap_or("/"));
    let (user, password) = (form.get("name").unwrap_or(""), form.get("password").unwrap_or(""));
    let cookie = request.cookie.as_deref();
    let entered = if is_own(request) {
        sessions.enter(now, (user, password), cookie, draw)
    } else {
        Err(PageRefusal::ForeignForm)
    };
    let refusal = match entered {
        Ok(cookie) => return Served::way(back).with_cookie(cookie),
        Err(refusal) => refusal,
    };
    let (status, why) = match refusal {
        PageRefusal::LockedOut => {
            let left = sessions.locked_s(now);
            (429, format!("Too many tries. Wait {left} s, then try again."))
        }
        PageRefusal::ForeignForm => {
            (403, "This form is not from a page of the aggregator.".to_owned())
        }
        _ => (401, "Name or password is wrong. Check both.".to_owned()),
    };
    Served::text(status, HTML, pages::sign_in(Some(&why), back, view)).refused(refusal)
}

fn shown(path: &str, query: &Fields, view: &View, viewer: &Viewer<'_>) -> Served {
    if path == "/view.json" {
        return Served::text(200, JSON, json::document(view));
    }
    pages::page(path, query, view, viewer).map_or_else(
        || Served::text(404, HTML, pages::problem("This page does not exist.", view, viewer)),
        |page| Served::text(200, HTML, page),
    )
}

/// What a form that may change something comes to.
fn changed(path: &str, request: &PageRequest, view: &View, viewer: &Viewer<'_>) -> Served {
    match change::asked(path, &form_of(request), view) {
        Asked::Change(change, page) => {
            let mut served = Served::way(page);
            served.change = Some(change);
            served
        }
        Asked::NotValid(why) => Served::text(422, HTML, pages::problem(why, view, viewer))
            .refused(PageRefusal::NotValid),
        Asked::Nothing => {
            Served::text(404, HTML, pages::problem("This page does not exist.", view, viewer))
        }
    }
}
