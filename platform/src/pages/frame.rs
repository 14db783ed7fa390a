//! `PAGES`, the one registry of pages, and what stands between a request and its page: who is
//! signed in, from where a form is sent, and the headers of every answer.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, get, on};
use axum::{Extension, Router};
use lastmeter_model::access::{Action, Kind, Resource, Subject};
use tower_http::compression::CompressionLayer;

use super::view::{self, Answer};
use super::viewer::Viewer;
use super::{
    account, alarms, awareness, bills, connections, devices, grid, groups, health, history, keys,
    live, networks, now, outages, people, public, records, reports, roles, rules, session, sharing,
    tariff, tenants, views,
};
use crate::config::Config;
use crate::ops::Caller;
use crate::problem::Problem;
use crate::process::Process;
use crate::rest::{Settings, Shared, Visit};

/// The longest form.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What somebody is to the pages; a user may be several of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// Nobody who is signed in.
    Nobody,
    /// Has devices, or may have some.
    Household,
    /// Reads groups.
    Utility,
    /// Operates or administers a tenant.
    Operator,
    /// Administers the platform.
    Platform,
}

/// What becomes of a request for a page.
pub(super) type Answered = Result<Answer, Problem>;
type Run = fn(Viewer) -> Pin<Box<dyn Future<Output = Answered> + Send>>;

/// Who may have a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Everybody.
    Nothing,
    /// Who is signed in.
    SignIn,
    /// Who may read something of a kind.
    Some(Kind),
    /// Who may read all of a kind.
    All(Kind),
    /// Who administers the platform.
    Platform,
}

/// One page.
pub(super) struct Page {
    pub(super) path: &'static str,
    /// Its state in the table of states.
    pub(super) state: &'static str,
    pub(super) title: &'static str,
    /// What it is called in the navigation; pages without are reached from others.
    pub(super) entry: Option<&'static str>,
    /// In whose navigation it stands.
    pub(super) seats: &'static [Seat],
    pub(super) needs: Need,
    show: Run,
}

/// What a form does.
struct Form {
    path: &'static str,
    /// The page that it stands on.
    of: &'static str,
    run: Run,
}

use Seat::{Household, Nobody, Operator, Platform, Utility};

macro_rules! pages {
    ($($path:literal $state:literal $title:literal, $entry:expr, $seats:expr, $needs:expr
        => $run:path;)+) => {
        &[$(Page {
            path: $path,
            state: $state,
            title: $title,
            entry: $entry,
            seats: $seats,
            needs: $needs,
            show: |viewer| Box::pin($run(viewer)),
        }),+]
    };
}

macro_rules! forms {
    ($($path:literal on $of:literal => $run:path;)+) => {
        &[$(Form { path: $path, of: $of, run: |viewer| Box::pin($run(viewer)) }),+]
    };
}

/// Every page; a new one is a file and a row.
pub(super) static PAGES: &[Page] = pages! {
    "/" "V0" "lastmeter", None, &[], Need::Nothing => session::home;
    "/sign-in" "V0" "Sign in", Some("Sign in"), &[Nobody], Need::Nothing => session::sign_in;
    "/public" "V1" "Public sensors", Some("Public sensors"), &[Nobody], Need::Nothing => public::show;
    "/grid" "O1" "Grid", Some("Grid"), &[Operator], Need::All(Kind::Result) => grid::show;
    "/grid/outages" "O2" "Outages", Some("Outages"), &[Operator], Need::All(Kind::Result)
        => outages::list;
    "/grid/outages/{id}" "O2" "Outage", None, &[], Need::All(Kind::Result) => outages::show;
    "/now" "V2" "Now", Some("Now"), &[Household], Need::Some(Kind::Latest) => now::show;
    "/history" "V4" "History", Some("History"), &[Household], Need::Some(Kind::Series)
        => history::show;
    "/devices" "V3" "Devices", Some("Devices"), &[Household], Need::Some(Kind::Latest)
        => devices::list;
    "/devices/{id}" "V3" "Device", None, &[], Need::Some(Kind::Latest) => devices::show;
    "/bills" "V8" "Bills", Some("Bills"), &[Household], Need::Some(Kind::Bill) => bills::show;
    "/tariff" "V8" "Tariff", None, &[], Need::Some(Kind::Bill) => tariff::show;
    "/alarms" "V7" "Alarms", Some("Alarms"), &[Household, Operator],
        Need::Some(Kind::Alarm) => alarms::show;
    "/rules" "V6" "Rules", Some("Rules"), &[Household], Need::Some(Kind::Rule) => rules::show;
    "/awareness" "V10" "Your energy", Some("Awareness"), &[Household], Need::Some(Kind::Series)
        => awareness::show;
    "/reports" "V9" "Reports", Some("Reports"), &[Household, Operator], Need::Some(Kind::Report)
        => reports::show;
    "/reports/{id}" "V9" "Report", None, &[], Need::Some(Kind::Report) => reports::one;
    "/networks" "A1" "Networks", Some("Networks"), &[Household, Operator],
        Need::Some(Kind::FieldNetwork) => networks::list;
    "/networks/new" "A2" "Add a network", None, &[], Need::Some(Kind::FieldNetwork)
        => networks::new;
    "/networks/{id}" "A5" "Network", None, &[], Need::Some(Kind::FieldNetwork) => networks::show;
    "/nodes/{id}" "A7" "Device of a network", None, &[], Need::Some(Kind::FieldNetwork)
        => networks::node;
    "/groups" "O6" "Groups", Some("Groups"), &[Utility, Operator], Need::Some(Kind::Aggregate)
        => groups::show;
    "/sharing" "A8" "Who sees what", Some("Sharing"), &[Household], Need::Some(Kind::Grant)
        => sharing::show;
    "/sharing/{id}" "V12" "As they see it", None, &[], Need::Some(Kind::Grant)
        => sharing::preview;
    "/shared" "V12" "Shared with me", Some("Shared with me"), &[Household],
        Need::Some(Kind::Grant) => sharing::shared;
    "/admin/health" "P5" "Health", Some("Health"), &[Operator, Platform],
        Need::All(Kind::Metrics) => health::show;
    "/admin/people" "P2" "People", Some("People"), &[Operator, Platform], Need::All(Kind::User)
        => people::list;
    "/admin/people/{id}" "P2" "Person", None, &[], Need::All(Kind::User) => people::show;
    "/admin/roles" "P2" "Roles", Some("Roles"), &[Operator], Need::All(Kind::User) => roles::show;
    "/admin/keys" "P3" "Keys", Some("Keys"), &[Operator, Platform], Need::All(Kind::Credential)
        => keys::list;
    "/admin/tariffs" "V8" "Tariffs", Some("Tariffs"), &[Operator], Need::All(Kind::Settings)
        => tariff::list;
    "/admin/connections" "P5" "Connections", Some("Connections"), &[Operator, Platform],
        Need::All(Kind::Settings) => connections::show;
    "/admin/tenants" "P1" "Tenants", Some("Tenants"), &[Platform], Need::Platform
        => tenants::list;
    "/admin/rejected" "P6" "Rejected messages", Some("Rejected"), &[Operator, Platform],
        Need::Some(Kind::Refusal) => records::rejected;
    "/admin/audit" "P4" "Audit", Some("Audit"), &[Operator, Platform], Need::All(Kind::Audit)
        => records::audit;
    "/account" "A9" "Account", None, &[], Need::SignIn
        => account::show;
};

/// Every form.
static FORMS: &[Form] = forms! {
    "/sign-in" on "/sign-in" => session::enter;
    "/sign-out" on "/account" => session::leave;
    "/devices/{id}/command" on "/devices/{id}" => devices::command;
    "/devices/{id}/cancel" on "/devices/{id}" => devices::cancel;
    "/alarms/{id}/acknowledge" on "/alarms" => alarms::acknowledge;
    "/alarms/{id}/shelve" on "/alarms" => alarms::shelve;
    "/history" on "/history" => views::keep;
    "/history/views/{id}/remove" on "/history" => views::remove;
    "/awareness/{id}" on "/awareness" => awareness::answer;
    "/rules" on "/rules" => rules::make;
    "/rules/try" on "/rules" => rules::attempt;
    "/rules/{id}/accept" on "/rules" => rules::accept;
    "/rules/{id}/refuse" on "/rules" => rules::refuse;
    "/rules/{id}/revoke" on "/rules" => rules::revoke;
    "/rules/{id}/pause" on "/rules" => rules::pause;
    "/rules/{id}/remove" on "/rules" => rules::remove;
    "/grid/outages/{id}/confirm" on "/grid/outages/{id}" => outages::confirm;
    "/grid/outages/{id}/reject" on "/grid/outages/{id}" => outages::reject;
    "/networks/new" on "/networks/new" => networks::make;
    "/networks/{id}/key" on "/networks/{id}" => networks::make_key;
    "/nodes/{id}/register" on "/nodes/{id}" => networks::register;
    "/nodes/{id}/scales" on "/nodes/{id}" => networks::accept_scales;
    "/nodes/{id}/ignore" on "/nodes/{id}" => networks::ignore;
    "/sharing" on "/sharing" => sharing::share;
    "/sharing/{id}/end" on "/sharing" => sharing::end;
    "/admin/people" on "/admin/people" => people::make;
    "/admin/people/{id}" on "/admin/people/{id}" => people::change;
    "/admin/people/{id}/code" on "/admin/people/{id}" => people::code;
    "/admin/people/{id}/remove" on "/admin/people/{id}" => people::remove;
    "/admin/losses/{id}/acknowledge" on "/admin/health" => health::acknowledge;
    "/admin/connections/{id}/read" on "/admin/connections" => connections::read;
    "/admin/keys" on "/admin/keys" => keys::make;
    "/admin/keys/{id}/end" on "/admin/keys" => keys::end;
    "/admin/tenants" on "/admin/tenants" => tenants::make;
    "/admin/tenants/{id}/remove" on "/admin/tenants" => tenants::remove;
    "/account" on "/account" => account::change;
    "/account/password" on "/account" => account::password;
    "/account/sign-out-elsewhere" on "/account" => account::sign_out_elsewhere;
};

/// The path of every form.
#[cfg(test)]
pub(super) fn forms() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|form| form.path)
}

/// What pages are answered from.
#[derive(Clone)]
pub(super) struct Web {
    pub(super) shared: Shared,
    /// Whether browsers come by way of TLS.
    pub(super) is_secure: bool,
}

/// All pages, of a server with these settings.
pub(crate) fn router(process: &Arc<Process>, config: &Config, settings: &Settings) -> Router {
    let is_secure = config.rest_tls.is_some() || config.behind_proxy;
    let web = Web { shared: Shared::of(process, config, settings), is_secure };
    let mut paths: BTreeMap<&'static str, MethodRouter<Web>> = BTreeMap::new();
    let mut add = |path, filter, page, run: Run| {
        let answer = move |State(web): State<Web>, Extension(visit): Extension<Visit>, request| {
            answer((page, run), web, visit, request)
        };
        let methods = paths.remove(path).unwrap_or_default();
        paths.insert(path, methods.merge(on(filter, answer)));
    };
    for page in PAGES {
        add(page.path, MethodFilter::GET, page, page.show);
    }
    for form in FORMS {
        add(form.path, MethodFilter::POST, page(form.of), form.run);
    }
    let pages = paths.into_iter().fold(Router::new(), |router, (path, methods)| {
        router.route(path, methods.fallback(async || StatusCode::METHOD_NOT_ALLOWED))
    });
    pages
        .route("/live", get(live::stream))
        .route("/assets/{name}", get(view::asset))
        .layer(CompressionLayer::new())
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(web.clone(), with_headers))
        .with_state(web)
}

/// The page of a path of [`PAGES`].
pub(super) fn page(path: &str) -> &'static Page {
    PAGES.iter().find(|page| page.path == path).unwrap_or(&PAGES[0])
}

/// Whether a page is for somebody.
pub(super) fn is_for(caller: &Caller, page: &Page) -> bool {
    let is_user = caller.user().is_some();
    let on = |kind| Resource::new(kind, &caller.tenant.name, Subject::List);
    match page.needs {
        Need::Nothing => true,
        Need::SignIn => is_user,
        Need::Some(kind) => is_user && caller.may(Action::Read, &on(kind)),
        Need::All(kind) => is_user && caller.may_all(Action::Read, &on(kind)),
        Need::Platform => is_user && caller.is_platforms(),
    }
}

async fn answer(
    (page, run): (&'static Page, Run),
    web: Web,
    visit: Visit,
    request: Request,
) -> Response {
    if request.method() == Method::POST && !is_own(request.headers()) {
        let detail = "the form came from another site";
        return view::alone(&Problem::new(StatusCode::FORBIDDEN, "foreign_form", detail));
    }
    let viewer = match Viewer::read(page, web, visit, request).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let frame = viewer.frame();
    if page.needs != Need::Nothing && viewer.caller.user().is_none() {
        return view::respond(&frame, Ok(session::first_sign_in(&viewer)));
    }
    if !is_for(&viewer.caller, page) {
        return view::respond(&frame, Err(Problem::nothing()));
    }
    view::respond(&frame, run(viewer).await)
}

/// Whether a form was sent from one of our own pages.
fn is_own(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("Sec-Fetch-Site") {
        return site == "same-origin";
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, host)| text(HOST) == Some(host))
}

/// What may be loaded and embedded: our own style, script and pictures.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types part";

async fn with_headers(State(web): State<Web>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut put = |name, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    put(CONTENT_SECURITY_POLICY, POLICY);
    put(X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(REFERRER_POLICY, "same-origin");
    put(CACHE_CONTROL, "no-store");
    if web.is_secure {
        put(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

/// Answers browsers that ask for what is nowhere with a page.
pub(crate) fn with_missing_page(router: Router) -> Router {
    router.layer(from_fn(|request: Request, next: Next| {
        let has = |name: HeaderName, word: &str| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.contains(word))
        };
        let path = request.uri().path();
        let is_program = path.starts_with("/api/") || path.starts_with("/sitewhere/");
        let is_browser = *request.method() == Method::GET
            && has(ACCEPT, "text/html")
            && !request.headers().contains_key(AUTHORIZATION)
            && !is_program;
        async move {
            let response = next.run(request).await;
            let is_nowhere =
                matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED);
            if is_browser && is_nowhere && !view::is_page(&response) {
                return view::nowhere();
            }
            response
        }
    }))
}
