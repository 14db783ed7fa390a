//! Templates, whole pages and parts of them, and what pages load.
//!
//! A part is an element with an `id` that is a block of its page's template, its name
//! behind `part_`: the same address with the header `X-Part` answers that element alone.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use lastmeter_chart::{STYLE as STYLE_OF_ALL, tokens_css};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::frame::{Page, page};
use crate::problem::Problem;

/// Entries of the navigation that are always seen; the rest stand under "More".
const ENTRIES_MAX: usize = 5;
const HTML: &str = "text/html; charset=utf-8";

macro_rules! templates {
    ($($name:literal)+) => {
        [$(($name, include_str!(concat!("templates/", $name)))),+]
    };
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let texts = templates!(
        "shell.html" "parts.html" "problem.html" "sign_in.html" "new_password.html" "public.html"
        "now.html" "devices.html" "device.html" "history.html" "alarms.html" "rules.html"
        "account.html" "bills.html" "tariff.html" "health.html" "sharing.html" "shared.html"
        "people.html" "person.html" "keys.html" "audit.html" "rejected.html" "tenants.html"
        "reports.html" "report.html" "groups.html" "awareness.html" "roles.html" "tariffs.html"
        "connections.html" "networks.html" "network_new.html" "network_key.html" "network.html"
        "node.html" "grid.html" "outages.html" "outage.html"
    );
    for (name, text) in texts {
        // They are compiled in, and each is rendered by a test.
        environment.add_template(name, text).expect("a template that can be read");
    }
    environment
});

/// What pages load: a name that changes with the content, its media type, the content.
struct Asset {
    name: String,
    media_type: &'static str,
    text: String,
}

impl Asset {
    fn of(stem: &str, extension: &str, media_type: &'static str, text: String) -> Self {
        let sum = Sha256::digest(&text);
        let mark = sum.iter().take(6).fold(0_u64, |mark, byte| mark << 8 | u64::from(*byte));
        Self { name: format!("{stem}-{mark:012x}.{extension}"), media_type, text }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let text = tokens_css() + STYLE_OF_ALL + include_str!("pages.css");
    Asset::of("pages", "css", "text/css; charset=utf-8", text)
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("pages.js").to_owned();
    Asset::of("pages", "js", "text/javascript; charset=utf-8", text)
});

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let colour = lastmeter_chart::DATA;
    let text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><path d=\"M2 14V9h3v5zM6.5 \
         14V2h3v12zM11 14V6h3v8z\" fill=\"{colour}\"/></svg>"
    );
    Asset::of("icon", "svg", "image/svg+xml", text)
});

/// `GET /assets/{name}`
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.name == name) else {
        return nowhere();
    };
    let cached = "public, max-age=31536000, immutable";
    ([(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, cached)], asset.text.as_str())
        .into_response()
}

/// An entry of the navigation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) is_current: bool,
}

/// What stands around a page.
pub(super) struct Frame {
    pub(super) page: &'static Page,
    pub(super) entries: Vec<Entry>,
    pub(super) user: Option<String>,
    pub(super) part: Option<String>,
}

/// What a page or a form is answered with.
pub(super) enum Answer {
    View(View),
    /// A way to somewhere else, with a cookie.
    Way(String, Option<String>),
    /// A text for programs, of a media type.
    Text(&'static str, String),
}

/// A page to be rendered.
pub(super) struct View {
    template: &'static str,
    values: Value,
    title: Option<String>,
    state: Option<&'static str>,
    status: StatusCode,
    wait_s: Option<u64>,
}

impl View {
    pub(super) fn new(template: &'static str, values: Value) -> Self {
        Self { template, values, title: None, state: None, status: StatusCode::OK, wait_s: None }
    }

    /// Under a title of its own.
    pub(super) fn titled(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// In another state than the page's.
    pub(super) fn in_state(self, state: &'static str) -> Self {
        Self { state: Some(state), ..self }
    }

    /// With another status than 200.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// To be asked for again after so many seconds.
    pub(super) fn after(self, seconds: u64) -> Self {
        Self { wait_s: Some(seconds), ..self }
    }
}

impl From<View> for Answer {
    fn from(view: View) -> Self {
        Self::View(view)
    }
}

/// The way to an address.
pub(super) fn way(to: impl Into<String>) -> Answer {
    Answer::Way(to.into(), None)
}

/// The answer as it is sent.
pub(super) fn respond(frame: &Frame, answered: Result<Answer, Problem>) -> Response {
    match answered {
        Ok(Answer::View(view)) => rendered(frame, view),
        Ok(Answer::Text(media_type, text)) => ([(CONTENT_TYPE, media_type)], text).into_response(),
        Ok(Answer::Way(to, cookie)) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            let headers = response.headers_mut();
            let location = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/"));
            headers.insert(LOCATION, location);
            if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
                headers.insert(SET_COOKIE, cookie);
            }
            response
        }
        Err(problem) => with_wait(rendered(frame, problem_view(&problem)), &problem),
    }
}

/// The page about a problem. What is hidden and what is not there have one text.
fn problem_view(problem: &Problem) -> View {
    let status = problem.status();
    let (title, text) = if status == StatusCode::NOT_FOUND {
        ("Not here", "This page does not exist, or is not shared with you")
    } else {
        ("That did not work", problem.detail())
    };
    View::new("problem.html", json!({ "heading": title, "text": text }))
        .titled(title)
        .with_status(status)
}

fn rendered(frame: &Frame, view: View) -> Response {
    // As many as fit a telephone stand beside each other.
    let beside = if frame.entries.len() > ENTRIES_MAX { ENTRIES_MAX - 1 } else { ENTRIES_MAX };
    let (entries, more) = frame.entries.split_at(beside.min(frame.entries.len()));
    let around = json!({
        "title": view.title.as_deref().unwrap_or(frame.page.title),
        "state": view.state.unwrap_or(frame.page.state),
        "entries": entries,
        "more_entries": more,
        "user": frame.user,
        "style": STYLE.name,
        "script": SCRIPT.name,
        "icon": ICON.name,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut values = view.values;
    if let (Value::Object(values), Value::Object(around)) = (&mut values, around) {
        for (name, value) in around {
            values.insert(name, value);
        }
    }
    let template = TEMPLATES.get_template(view.template);
    let text = template.and_then(|template| match &frame.part {
        None => template.render(Serde(values)),
        Some(part) => {
            let block = format!("part_{part}");
            template
                .render_captured(Serde(values))?
                .with_state_mut(|state| state.render_block(&block))
        }
    });
    let text = match text {
        Ok(text) => text,
        Err(error) if error.kind() == minijinja::ErrorKind::UnknownBlock => {
            return Problem::nothing().into_response();
        }
        Err(error) => {
            assert_in_tests!(false, "{}: {error:#}", view.template);
            return Problem::unavailable("page_not_rendered", &error).into_response();
        }
    };
    let mut response = (view.status, [(CONTENT_TYPE, HTML)], text).into_response();
    if let Some(seconds) = view.wait_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Whether an answer is a page already.
pub(super) fn is_page(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == HTML)
}

/// The page of what is nowhere, for whoever asks.
pub(super) fn nowhere() -> Response {
    alone(&Problem::nothing())
}

/// The page about a problem of whoever asks.
pub(super) fn alone(problem: &Problem) -> Response {
    let (page, entries, user, part) = (page("/public"), Vec::new(), None, None);
    let response = rendered(&Frame { page, entries, user, part }, problem_view(problem));
    with_wait(response, problem)
}

/// An answer with when it is worth asking again.
fn with_wait(mut response: Response, problem: &Problem) -> Response {
    if let Some(wait) = problem.clone().into_response().headers().get(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    response
}
