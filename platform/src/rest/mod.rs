//! REST: the paths of SiteWhere 1.9 that this version serves, and the platform's own.
//!
//! Everything but health, what describes the interface and what is public wants a credential; a
//! wrong one is answered late.
//! Every answer that is not a success is `application/problem+json` (RFC 9457), the framework's own
//! refusals included.
//!
//! | file | purpose |
//! |---|---|
//! | `routes`, `parameter` | `ROUTES`, the one registry, and the router made of it |
//! | `openapi`, `about` | what else is made of it: OpenAPI, `/api-doc` |
//! | `serve`, `visit`, `unread` | the HTTP server: slots, time limits, one connection |
//! | `edge` | TLS, proxies, `Host`, rates of requests |
//! | `bearer`, `extract`, `body` | credentials, queries and bodies in |
//! | `cursor`, `flow` | positions in lists as clients see them; answers sent as they are written |
//! | `devices`, `assignments`, `invocations`, `batches` | SiteWhere's resources |
//! | `series`, `latest`, `live` | time data of many devices: series, last values, a live stream |
//! | `transfer` | export and import |
//! | `outgoing` | notifications, and connections to sources outside |
//! | `changes`, `losses`, `health` | commit-order lists and clock; losses; health, metrics |
//! | `device_changes`, `assignment_changes` | devices registered, assigned and moved |
//! | `networks`, `firmware` | field networks and their nodes; program images for these |
//! | `topology` | electric networks and the states of their switches |
//! | `documents` | documents of every kind |
//! | `accounts`, `keys` | users and one's own account; API keys and credentials of devices |
//! | `audit` | the audit |
//! | `numbered`, `outages` | results of applications, blocks of samples; outages and who has supply |
//! | `alarms` | alarms, and what people do about them |
//! | `bills` | bills, drafts of bills |
//! | `reports`, `aggregates` | what is made of periods; what zones take as a whole |
//! | `awareness` | sums of a home beside its past and a group, and advice |
//! | `rules` | rules that are offered, and what one would have done |
//! | `tenants`, `jobs` | the tenants of the process; jobs of maintenance |

mod about;
mod accounts;
mod aggregates;
mod alarms;
mod assignment_changes;
mod assignments;
mod audit;
mod awareness;
mod batches;
mod bearer;
mod bills;
mod body;
mod changes;
pub(crate) mod cursor;
mod device_changes;
mod devices;
mod documents;
mod edge;
mod extract;
mod firmware;
mod flow;
mod health;
mod invocations;
mod jobs;
mod keys;
mod latest;
mod live;
mod losses;
mod networks;
mod numbered;
mod openapi;
mod outages;
mod outgoing;
mod parameter;
mod reports;
mod routes;
mod rules;
mod series;
mod serve;
mod tenants;
#[cfg(test)]
pub(crate) mod tests;
mod topology;
mod transfer;
mod unread;
mod visit;

use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
pub(crate) use bearer::{HeaderCredential, check_credential};
pub(crate) use body::read_whole;
pub(crate) use edge::Edge;
use edge::{check_rate, check_rate_of};
pub(crate) use extract::Pairs;
use extract::TENANT_IN_QUERY;
pub(crate) use flow::{Outlet, flow};
use lastmeter_model::access::{Permit, Principal, PrincipalRef};
use lastmeter_store::StoreReader;
use lastmeter_units::TenantName;
pub(crate) use networks::Connected;
pub(crate) use parameter::Parameter;
use serve::ALWAYS_ANSWERED;
pub(crate) use serve::{Server, Settings, Stopping};
pub(crate) use tenants::to_the_end;
use tokio::sync::Semaphore;
pub(crate) use visit::Visit;

use crate::access::NotProved;
use crate::config::{Config, TENANT};
use crate::gate::{Gate, Listener};
use crate::identity::{Proof, Visitor};
use crate::ops::Caller;
pub(crate) use crate::problem::Problem;
use crate::process::Process;
use crate::tenant::Tenant;
use crate::tenants::Tenants;

#[derive(Clone)]
pub(crate) struct Shared {
    tenants: Arc<Tenants>,
    process: Weak<Process>,
    command_expiry_s: u32,
    body_limit: Duration,
    gate: Arc<Gate>,
    /// For those who wait for something to be committed.
    waiters: Arc<Semaphore>,
    waiters_max: usize,
}

/// What a request is answered from: its tenant, which is the first one where nobody has to show a
/// token.
pub(crate) struct Api {
    tenant: Arc<Tenant>,
    who: Arc<[Principal]>,
    /// Of a route for those who may have all of what it is about.
    permit: Option<Permit>,
    shared: Shared,
}

impl Api {
    fn caller(&self) -> Caller {
        Caller { tenant: Arc::clone(&self.tenant), who: Arc::clone(&self.who) }
    }

    /// The whole store, on a route for those who may have everything.
    fn store(&self) -> Result<&dyn StoreReader, Problem> {
        let store = self.permit.as_ref().and_then(|permit| self.tenant.readers.whole(permit));
        store.ok_or_else(Problem::nothing)
    }
}

impl FromRequestParts<Shared> for Api {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Infallible> {
        let (tenant, who) = match parts.extensions.get::<Caller>().cloned() {
            Some(Caller { tenant, who }) => (tenant, who),
            None => (Arc::clone(shared.tenants.first()), Arc::default()),
        };
        let permit = parts.extensions.get::<Permit>().cloned();
        Ok(Self { tenant, who, permit, shared: shared.clone() })
    }
}

type Answer<T> = Result<Json<T>, Problem>;
/// What was made.
type Made<T> = Result<(StatusCode, Json<T>), Problem>;

impl Shared {
    pub(crate) fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    /// The process, unless it is about to end.
    pub(crate) fn process(&self) -> Result<Arc<Process>, Problem> {
        let detail = "the platform is stopping";
        let stopping = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail);
        self.process.upgrade().ok_or_else(stopping)
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Ends what a user is connected as.
    pub(crate) async fn disconnect(&self, tenant: &TenantName, name: &str) {
        if let (Ok(name), Some(process)) = (name.parse(), self.process.upgrade()) {
            process.cut(tenant, &PrincipalRef::User(name)).await;
        }
    }

    /// The same, and where they are signed in: their rights may be other ones now.
    pub(crate) async fn cut(&self, tenant: &TenantName, name: &str) {
        let account = (tenant.clone(), name.to_owned());
        lastmeter_store::lock(&self.tenants.access.tokens).end_all(&account);
        self.disconnect(tenant, name).await;
    }

    /// How long the body of a request may take.
    pub(crate) fn body_limit(&self) -> Duration {
        self.body_limit
    }

    /// What requests are answered from, of a server with these settings.
    pub(crate) fn of(process: &Arc<Process>, config: &Config, settings: &Settings) -> Self {
        let waiters_max = settings.waiting();
        Self {
            tenants: Arc::clone(&process.tenants),
            process: Arc::downgrade(process),
            command_expiry_s: config.limits.command_expiry_s,
            body_limit: Duration::from_secs(config.limits.rest_header_s),
            gate: Arc::clone(&settings.gate),
            waiters: Arc::new(Semaphore::new(waiters_max)),
            waiters_max,
        }
    }
}

/// All routes, of a server with these settings.
pub(crate) fn router(process: &Arc<Process>, config: &Config, settings: &Settings) -> Router {
    let shared = Shared::of(process, config, settings);
    let guarded = routes::router(false)
        .fallback(async |uri: Uri| no_such_path(&uri))
        .layer(from_fn_with_state(shared.clone(), authorise));
    let open = routes::router(true).layer(from_fn_with_state(shared.clone(), limit_rate));
    open.merge(guarded)
        .layer(DefaultBodyLimit::max(config.limits.rest_body_bytes))
        .with_state(shared)
}

/// Lets a request pass of whoever proves who it is, and one that reads of whoever does not. What
/// lies behind is not shown to the latter: what they may not read, and paths that do not exist, are
/// 401 to them.
async fn authorise(
    State(shared): State<Shared>,
    Extension(visit): Extension<Visit>,
    request: Request,
    next: Next,
) -> Response {
    let named = named_tenant(&request);
    // What is wrong is slowed down as a guess, and what is right is seen behind that alone.
    if bearer::given(request.headers()).is_none() {
        return match check_rates(&shared, None, &visit, &request) {
            Ok(()) => answer_anonymous(&shared, named, request, next).await,
            Err(problem) => problem.into_response(),
        };
    }
    let of_password = named.clone().unwrap_or_default();
    let identify = async |given| match given {
        HeaderCredential::Bearer(token) => shared.tenants.by_bearer(&token).ok_or(NotProved::Wrong),
        HeaderCredential::Basic(user, password) => {
            let tenant = TenantName::new(&of_password).ok().unwrap_or_default();
            shared.tenants.by_password(tenant, (&user, &password), visit.from()).await
        }
    };
    let headers = request.headers();
    let found = check_credential(&shared.gate, Listener::Rest, &visit, headers, identify).await;
    let visitor = match found {
        Ok(visitor) => visitor,
        Err(answer) => return answer,
    };
    let checked = check_rates(&shared, Some(&visitor), &visit, &request)
        .and_then(|()| check_visitor(&visitor, named.as_deref(), &request));
    if let Err(problem) = checked {
        return problem.into_response();
    }
    // Only now: whoever has proved nothing is not waited for.
    match read_whole(request, shared.body_limit).await {
        Ok(request) => next.run(with(visitor, request)).await,
        Err(answer) => answer,
    }
}

/// The request of a visitor, for its handler.
fn with(visitor: Visitor, mut request: Request) -> Request {
    let caller = Caller { tenant: Arc::clone(&visitor.tenant), who: Arc::clone(&visitor.who) };
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(visitor);
    request
}

/// The tenant that a request names beside what it presents.
fn named_tenant(request: &Request) -> Option<String> {
    let header = request.headers().get("X-SiteWhere-Tenant").map(HeaderValue::as_bytes);
    let header = header.map(|name| String::from_utf8_lossy(name).into_owned());
    let query = || {
        let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).ok()?.0;
        query.into_iter().find(|(name, _)| name == TENANT_IN_QUERY).map(|(_, name)| name)
    };
    header.or_else(query)
}

/// Refuses who names another tenant than its own, and who has to replace a password first.
fn check_visitor(visitor: &Visitor, named: Option<&str>, request: &Request) -> Result<(), Problem> {
    // Who asks for another tenant's data must not be answered with this one's.
    if named.is_some_and(|named| named != visitor.tenant.name.as_str()) {
        let detail = "the token is not of the tenant that `X-SiteWhere-Tenant` names";
        return Err(Problem::new(StatusCode::FORBIDDEN, "no_such_tenant", detail));
    }
    if visitor.proof == Proof::Code && request.uri().path() != accounts::PASSWORD {
        let detail = "the code is for a new password alone: PUT /api/v1/account/password";
        return Err(Problem::new(StatusCode::FORBIDDEN, "password_must_be_replaced", detail));
    }
    Ok(())
}

/// Answers somebody who has proved nothing: what is read and open to everybody, else 401.
async fn answer_anonymous(
    shared: &Shared,
    named: Option<String>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers().clone();
    let refused = || bearer::unauthorised(&headers, false);
    let name = TenantName::new(named.unwrap_or_else(|| TENANT.to_owned())).ok();
    let tenant = name.and_then(|name| shared.tenants.find(&name));
    let Some(tenant) = tenant.filter(|_| matches!(*request.method(), Method::GET | Method::HEAD))
    else {
        return refused();
    };
    let response = next.run(with(Visitor::anonymous(tenant), request)).await;
    let status = response.status();
    let is_refused = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
    if is_refused { refused() } else { response }
}

/// Lets a request pass for which no token is wanted.
async fn limit_rate(
    State(shared): State<Shared>,
    Extension(visit): Extension<Visit>,
    request: Request,
    next: Next,
) -> Response {
    match check_rates(&shared, None, &visit, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Refuses a request beyond the rate of its address, or of who sends it. The token in the settings,
/// which a bench has, is that of the first tenant, and has no rate.
pub(crate) fn check_rates(
    shared: &Shared,
    visitor: Option<&Visitor>,
    visit: &Visit,
    request: &Request,
) -> Result<(), Problem> {
    let is_bench = visitor
        .is_some_and(|visitor| visitor.tenant.is_first() && visitor.proof == Proof::Settings);
    if is_bench || ALWAYS_ANSWERED.contains(&request.uri().path()) {
        return Ok(());
    }
    check_rate(&shared.gate, visit.from())?;
    let first = visitor.and_then(|visitor| Some((visitor, visitor.who.first()?)));
    first.map_or(Ok(()), |(visitor, who)| {
        let name = format!("{} {}", visitor.tenant.name, who.reference);
        check_rate_of(&shared.gate, name, visit.from())
    })
}

fn no_such_path(uri: &Uri) -> Problem {
    let detail = format!("there is nothing at {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail)
}
