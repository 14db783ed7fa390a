//! The one registry of the REST interface: the router, the OpenAPI description and `/api-doc` are
//! made from `ROUTES`.
//!
//! A route is one row in the slice of its file. What a row declares is held in debug builds: a
//! handler reads every parameter of its row and no other, and answers with no other status.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use lastmeter_model::access::{
    self, Action, Decision, NoFacts, Permit, Principal, PrincipalRef, Resource, Scope, Subject, may,
};
use lastmeter_units::{SimTime, TenantName};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::parameter::Parameter;
use super::{Caller, Problem, Shared, no_such_path};
use super::{
    about, accounts, aggregates, alarms, assignment_changes, assignments, audit, awareness,
    batches, bills, changes, device_changes, devices, documents, firmware, health, invocations,
    jobs, keys, latest, live, losses, networks, numbered, outages, outgoing, reports, rules,
    series, tenants, topology, transfer,
};
use crate::ops::not_permitted;

/// The rows of a file, under the headings in which documentation lists them: method, path, handler
/// and summary; who may ask, and the parameters; what it takes, what it gives, and statuses of
/// problems beside those that follow from the rest.
macro_rules! routes {
    (@takes) => { None };
    (@takes $takes:expr) => { Some($takes) };
    ($($resource:literal {$(
        $method:ident $path:expr => $run:path: $summary:expr,
        $access:ident $(($kind:ident, $action:ident))?, [$($parameter:expr),*],
        $(takes $takes:expr,)? gives $gives:expr, refuses [$($status:literal),*];
    )+})+) => {
        /// The routes of this file.
        pub(super) const ROUTES: &[$crate::rest::routes::Route] = &[$($(
            $crate::rest::routes::Route {
                method: $crate::rest::routes::Verb::$method,
                path: $path,
                resource: $resource,
                summary: $summary,
                access: $crate::rest::routes::Access::$access $((
                    ::lastmeter_model::access::Kind::$kind,
                    ::lastmeter_model::access::Action::$action,
                ))?,
                parameters: &[$(&$parameter),*],
                takes: $crate::rest::routes::routes!(@takes $($takes)?),
                gives: $gives,
                refuses: &[$($status),*],
                run: |method| ::axum::routing::on(method, $run),
            },
        )+)+];
    };
}
pub(super) use routes;

/// All routes, one slice per file of handlers.
pub(crate) static ROUTES: &[&[Route]] = &[
    devices::ROUTES,
    assignments::ROUTES,
    series::ROUTES,
    latest::ROUTES,
    live::ROUTES,
    transfer::ROUTES,
    invocations::ROUTES,
    changes::ROUTES,
    numbered::ROUTES,
    losses::ROUTES,
    outgoing::ROUTES,
    jobs::ROUTES,
    alarms::ROUTES,
    rules::ROUTES,
    documents::ROUTES,
    bills::ROUTES,
    reports::ROUTES,
    aggregates::ROUTES,
    awareness::ROUTES,
    device_changes::ROUTES,
    assignment_changes::ROUTES,
    networks::ROUTES,
    firmware::ROUTES,
    topology::ROUTES,
    outages::ROUTES,
    batches::ROUTES,
    accounts::ROUTES,
    keys::ROUTES,
    audit::ROUTES,
    tenants::ROUTES,
    health::ROUTES,
    about::ROUTES,
];

/// One method of one path.
pub(crate) struct Route {
    pub(super) method: Verb,
    /// With its variables in braces; there are three at most.
    pub(super) path: &'static str,
    /// The group in which documentation lists it.
    pub(super) resource: &'static str,
    /// One line for people.
    pub(super) summary: &'static str,
    pub(super) access: Access,
    /// The variables of the path and all parameters of the query.
    pub(super) parameters: &'static [&'static Parameter],
    /// The body, JSON.
    pub(super) takes: Option<SchemaOf>,
    /// The answer if nothing is wrong.
    pub(super) gives: Gives,
    /// Statuses of problems beside those that follow from the other fields.
    pub(super) refuses: &'static [u16],
    /// The handler, at this method.
    pub(super) run: fn(MethodFilter) -> MethodRouter<Shared>,
}

/// Adds a type to a set of schemas and returns the reference to it.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type, as a row holds it.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A method of HTTP that routes have. HEAD is answered where GET is, OPTIONS everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    /// Whether its requests have to declare their content, also without a body. Those of DELETE
    /// no page from elsewhere can send without asking first.
    pub(super) fn is_declared(self) -> bool {
        matches!(self, Self::Post | Self::Put)
    }

    /// As a request has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// Who may send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody.
    Open,
    /// Who may do this with all resources of this kind.
    To(access::Kind, Action),
    /// Who may do this with resources of this kind, of which the handler asks.
    Within(access::Kind, Action),
    /// Who administers the platform: the token in the settings, administrators of the first tenant.
    Platform,
}

impl Access {
    /// Whether it is for anybody.
    pub(super) fn is_open(self) -> bool {
        self == Self::Open
    }
}

/// An answer that is a success.
pub(super) struct Gives {
    pub(super) status: u16,
    pub(super) media_type: &'static str,
    pub(super) schema: SchemaOf,
    /// Media type of the text that is answered instead where it is asked for.
    pub(super) or_text: Option<&'static str>,
}

impl Gives {
    /// JSON of a type.
    pub(super) const fn json<T: JsonSchema>(status: u16) -> Self {
        Self { status, media_type: "application/json", schema: schema::<T>, or_text: None }
    }

    /// Text of a media type.
    pub(super) const fn text(media_type: &'static str) -> Self {
        Self { status: 200, media_type, schema: schema::<String>, or_text: None }
    }

    /// Also as CSV (RFC 4180).
    pub(super) const fn or_csv(self) -> Self {
        Self { or_text: Some("text/csv"), ..self }
    }
}

/// Problems of every route that is not open: of the body, which is read before the handler runs,
/// of the query, of the token, of rights and the tenant's header, of what is hidden, and of a
/// platform without a free slot.
const GUARDED: [u16; 8] = [400, 401, 403, 404, 408, 413, 429, 503];
/// Problems of every route: of `Host`, where the server listens on the loopback.
const EVERYWHERE: [u16; 2] = [400, 421];
/// Problems of what changes something and is not declared as JSON.
const WRITES: [u16; 1] = [415];
/// Problems of a body that is not the JSON that is wanted.
const WITH_BODY: [u16; 2] = [415, 422];
/// Problems of a variable in the path.
const WITH_VARIABLE: [u16; 2] = [400, 404];

impl Route {
    /// Every status of a problem that it may answer with, in order.
    pub(super) fn problems(&self) -> Vec<u16> {
        let mut statuses = self.refuses.to_vec();
        statuses.extend(EVERYWHERE);
        if self.method.is_declared() {
            statuses.extend(WRITES);
        }
        if !self.access.is_open() {
            statuses.extend(GUARDED);
        }
        if self.takes.is_some() {
            statuses.extend(WITH_BODY);
        }
        if self.parameters.iter().any(|parameter| self.has_in_path(parameter)) {
            statuses.extend(WITH_VARIABLE);
        }
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// Whether all of what it is about may be had without a log-in, as prices may.
    pub(super) fn is_for_everybody(&self) -> bool {
        let Access::Within(kind, action) = self.access else { return false };
        let tenant = TenantName::default();
        let nobody = Principal::of(PrincipalRef::Anonymous, tenant.clone());
        let on = Resource::new(kind, &tenant, Subject::List);
        may(&nobody, action, &on, &NoFacts, SimTime(0)) == Decision::Yes(Scope::All)
    }

    /// Whether a parameter is a variable of the path.
    pub(super) fn has_in_path(&self, parameter: &Parameter) -> bool {
        self.variables().any(|name| name == parameter.name)
    }

    /// The variables of the path, in its order.
    pub(super) fn variables(&self) -> impl Iterator<Item = &'static str> {
        let behind = self.path.split('{').skip(1);
        behind.filter_map(|behind| Some(behind.split_once('}')?.0))
    }

    /// The parameters of the query.
    pub(super) fn query(&self) -> impl Iterator<Item = &'static Parameter> {
        self.parameters.iter().copied().filter(|parameter| !self.has_in_path(parameter))
    }

    fn has_status(&self, status: StatusCode) -> bool {
        status.as_u16() == self.gives.status || self.problems().contains(&status.as_u16())
    }
}

/// Every row.
pub(super) fn all() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().copied().flatten()
}

/// The router of the rows that are open, or of all others.
pub(super) fn router(is_open: bool) -> Router<Shared> {
    let mut paths: BTreeMap<&'static str, MethodRouter<Shared>> = BTreeMap::new();
    for route in all().filter(|route| route.access.is_open() == is_open) {
        let handler = (route.run)(route.method.filter())
            .route_layer(from_fn(move |request, next| run(route, request, next)));
        let methods = paths.remove(route.path).unwrap_or_default().merge(handler);
        paths.insert(route.path, methods);
    }
    paths.into_iter().fold(Router::new(), |router, (path, methods)| {
        let other = move |method, uri| async move { no_such_method(path, &method, &uri) };
        router.route(path, methods.fallback(other))
    })
}

/// Runs the handler of a row, which learns from the request what its row declares.
async fn run(route: &'static Route, mut request: Request, next: Next) -> Response {
    // A page from elsewhere can send every other type without asking first (Fetch, 4.1).
    if route.method.is_declared() && !has_asked(request.headers()) {
        let detail = "a request that changes something needs `Content-Type: application/json`, \
                      also without a body";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Problem::new(status, "not_json_content", detail).into_response();
    }
    let caller = request.extensions().get::<Caller>();
    if route.access == Access::Platform && caller.is_none_or(|caller| !caller.is_platforms()) {
        let detail = "the token is of one tenant; this is for the platform's administrator";
        return Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).into_response();
    }
    if let Access::To(kind, action) = route.access {
        match permitted(&request, kind, action) {
            Ok(permit) => drop(request.extensions_mut().insert(permit)),
            Err(problem) => return problem.into_response(),
        }
    }
    request.extensions_mut().insert(route);
    let response = next.run(request).await;
    assert_in_tests!(
        route.has_status(response.status()),
        "{} {} answered {}, which its row does not declare",
        route.method.word(),
        route.path,
        response.status()
    );
    response
}

/// The permit of who may have all of what a route is about. What is hidden is answered as a path
/// that does not exist.
fn permitted(request: &Request, kind: access::Kind, action: Action) -> Result<Permit, Problem> {
    let hidden = || no_such_path(request.uri());
    let caller = request.extensions().get::<Caller>().ok_or_else(hidden)?;
    let on = Resource::new(kind, &caller.tenant.name, Subject::List);
    let permit = caller.require(action, &on, hidden)?;
    if permit.is_whole() { Ok(permit) } else { Err(not_permitted(action, kind)) }
}

/// What imports are written in.
pub(super) const TEXTS: [&str; 2] = ["application/x-ndjson", "text/csv"];

/// Whether a request is declared as JSON, or as what else no page sends without asking.
fn has_asked(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok());
    let media_type = given.and_then(|given| given.split(';').next()).unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    let subtype = media_type.strip_prefix("application/");
    TEXTS.contains(&&*media_type)
        || subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// The answer to a method that a path has no row for: 204 to OPTIONS, 405 to others, and both with
/// the methods that it has (RFC 9110, 9.3.7 and 15.5.6).
fn no_such_method(path: &'static str, method: &Method, uri: &Uri) -> Response {
    let mut response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let detail = format!("{method} is not for {}", uri.path());
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", detail).into_response()
    };
    if let Ok(allowed) = HeaderValue::try_from(allowed(path)) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// The methods of a path, as `Allow` lists them.
pub(super) fn allowed(path: &str) -> String {
    let mut words = Vec::new();
    for route in all().filter(|route| route.path == path) {
        words.push(route.method.word());
        if route.method == Verb::Get {
            words.push("HEAD");
        }
    }
    words.push("OPTIONS");
    words.join(", ")
}
