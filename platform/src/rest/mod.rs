//! REST: the paths of SiteWhere 1.9 that this version serves, and the platform's own.
//!
//! Everything but health and what describes the interface wants the bearer token; a wrong one is
//! answered late.
//! Every answer that is not a success is `application/problem+json` (RFC 9457), the framework's own
//! refusals included.
//!
//! | file | purpose |
//! |---|---|
//! | `routes`, `parameter` | `ROUTES`, the one registry, and the router made of it |
//! | `openapi`, `about` | what else is made of it: OpenAPI, `/api-doc`; the page at `/` |
//! | `serve`, `visit`, `unread` | the HTTP server: slots, time limits, one connection |
//! | `edge` | TLS, proxies, `Host`, rates of requests |
//! | `bearer`, `extract`, `body` | token, queries and bodies in |
//! | `cursor`, `flow` | positions in lists as clients see them; answers sent as they are written |
//! | `devices`, `assignments`, `invocations` | SiteWhere's resources |
//! | `series`, `latest`, `live` | time data of many devices: series, last values, a live stream |
//! | `transfer` | export and import |
//! | `changes`, `losses`, `health` | commit-order lists and clock; losses; health, metrics |
//! | `documents` | documents of every kind |
//! | `tenants` | the tenants of the process |

mod about;
mod assignments;
mod bearer;
mod body;
mod changes;
pub(crate) mod cursor;
mod devices;
mod documents;
mod edge;
mod extract;
mod flow;
mod health;
mod invocations;
mod latest;
mod live;
mod losses;
mod openapi;
mod parameter;
mod routes;
mod series;
mod serve;
mod tenants;
#[cfg(test)]
mod tests;
mod transfer;
mod unread;
mod visit;

use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
pub(crate) use bearer::check_bearer;
use bearer::has_bearer;
pub(crate) use body::read_whole;
pub(crate) use edge::Edge;
use edge::{check_rate, check_rate_of};
pub(crate) use extract::Pairs;
use lastmeter_model::access::{Permit, Principal};
use lastmeter_store::StoreReader;
pub(crate) use parameter::Parameter;
use serve::ALWAYS_ANSWERED;
pub(crate) use serve::{Server, Settings, Stopping};
use tokio::sync::Semaphore;
pub(crate) use visit::Visit;

use crate::access::administrators;
use crate::config::Config;
use crate::gate::{Gate, Listener};
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
        store.ok_or_else(|| Problem::not_found("no_such_path", "there is nothing here"))
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

impl Shared {
    fn of(process: &Arc<Process>, config: &Config, settings: &Settings) -> Self {
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

/// Lets a request pass that carries the token. What lies behind is not shown to others: they get
/// 401 for paths that do not exist, too.
async fn authorise(
    State(shared): State<Shared>,
    Extension(visit): Extension<Visit>,
    request: Request,
    next: Next,
) -> Response {
    let owner = |given: &[u8]| shared.tenants.of_administrator(given);
    // A wrong token is slowed down as a guess, and a right one is seen behind that alone.
    if !has_bearer(request.headers())
        && let Err(problem) = check_rates(&shared, None, &visit, &request)
    {
        return problem.into_response();
    }
    let headers = request.headers();
    let owned = check_bearer(&shared.gate, Listener::Rest, &visit, headers, owner).await;
    let tenant = match owned {
        Ok(tenant) => tenant,
        Err(answer) => return answer,
    };
    if let Err(problem) = check_rates(&shared, Some(&tenant), &visit, &request) {
        return problem.into_response();
    }
    // Who asks for another tenant's data must not be answered with this one's.
    match headers.get("X-SiteWhere-Tenant") {
        Some(other) if other.as_bytes() != tenant.name.as_str().as_bytes() => {
            let detail = "the token is not of the tenant that `X-SiteWhere-Tenant` names";
            Problem::new(StatusCode::FORBIDDEN, "no_such_tenant", detail).into_response()
        }
        // Only now: whoever has no token is not waited for.
        _ => match read_whole(request, shared.body_limit).await {
            Ok(mut request) => {
                let who = administrators(&tenant.name).into();
                request.extensions_mut().insert(Caller { tenant, who });
                next.run(request).await
            }
            Err(answer) => answer,
        },
    }
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

/// Refuses a request beyond the rate of its address, or of the token of a tenant. The token in the
/// settings, which a bench has, is that of the first one, and has no rate.
fn check_rates(
    shared: &Shared,
    tenant: Option<&Arc<Tenant>>,
    visit: &Visit,
    request: &Request,
) -> Result<(), Problem> {
    let is_bench = tenant.is_some_and(|tenant| Arc::ptr_eq(tenant, shared.tenants.first()));
    if is_bench || ALWAYS_ANSWERED.contains(&request.uri().path()) {
        return Ok(());
    }
    check_rate(&shared.gate, visit.from())?;
    tenant.map_or(Ok(()), |tenant| check_rate_of(&shared.gate, &tenant.name, visit.from()))
}

fn no_such_path(uri: &Uri) -> Problem {
    let detail = format!("there is nothing at {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail)
}
