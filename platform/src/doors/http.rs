//! `http`: messages by POST, in any format, and commands by asking for them.
//!
//! | request | what |
//! |---|---|
//! | `POST /input` | messages of devices, in the format that `Content-Type` names |
//! | `POST /devices/{hardwareId}/input` | the same, of that device only |
//! | `GET /devices/{hardwareId}/commands?wait_ms=N` | what the device has not answered yet |
//!
//! Every request carries the devices' secret as bearer token, or an MQTT user name with its
//! password (`Authorization: Basic`): then it speaks for whom that is. A POST is answered with 204
//! once it is on disk, with 422 once its refusal is, with 503 if neither is, and then it has to be
//! sent again. A command is given at each request until the device has answered it with an
//! acknowledgement, so it comes at least once; what is not there yet is waited for up to `wait_ms`.
//!
//! With `certificate` and `key` it speaks TLS; without them it is for the loopback, or for a proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use lastmeter_model::access::{Action, Decision, Principal, PrincipalRef};
use lastmeter_model::refusal::{RefusalReason, shortened};
use lastmeter_params::{Entry, Field, Kind};
use lastmeter_units::{HardwareId, TenantName};
use lastmeter_wire::topics;
use serde::Deserialize;
use tokio::sync::broadcast;

use super::{DoorKind, Opening};
use crate::access::NotProved;
use crate::config::{ConfigError, Pem, ServerIdentity, check_reach};
use crate::device_routes::Outbound;
use crate::error::PlatformError;
use crate::format::{self, Format};
use crate::gate::{self, Gate};
use crate::open_doors::Door;
use crate::port::{Arrival, IngestPort, NotDurable, Presented, Verdict};
use crate::rest::{
    Edge, HeaderCredential, Pairs, Parameter, Problem, Server, Settings, Stopping, Visit,
    check_credential, read_whole,
};
use crate::shared_places::SharedPlaces;
use crate::tenant::Tenant;
use crate::tenants::Tenants;

const NAME: &str = "http";
const WAIT_MS: Parameter =
    Parameter::whole("wait_ms", "how long to wait for a first command", 0, (0, 60_000));
/// Devices for which something has come that nobody may have looked at yet.
const NEWS_CAPACITY: usize = 256;

pub(super) const DOOR: DoorKind = DoorKind {
    entry: Entry {
        name: NAME,
        summary: "messages by POST, commands by asking for them",
        description: "HTTP/1.1, with `certificate` and `key` over TLS: `POST /input` and `POST /devices/ID/input` take messages \
            in the format that `Content-Type` names, `GET /devices/ID/commands` gives the commands \
            that the device has not answered. The devices' secret is the bearer token; a device with \
            one of its own sends it with its MQTT user name. Its address is in the ready line, as \
            `http`.",
        fields: &[
            Field::optional("address", Kind::Text, "where it listens, such as `127.0.0.1:8090`"),
            Field::optional(
                "connections",
                Kind::Integer { min: 1, max: 100_000 },
                "connections at a time, 256 unless given",
            ),
            Field::optional("certificate", Kind::Text, "the server's certificate for TLS, PEM"),
            Field::optional("key", Kind::Text, "its private key, PEM"),
        ],
    },
    check: |keys| Keys::of(keys).map(|_| ()),
    connections: |keys| Keys::of(keys).map_or(0, |keys| keys.connections),
    open: |opening| Box::pin(async { open(opening) }),
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_address")]
    address: SocketAddr,
    #[serde(default = "default_connections")]
    connections: usize,
    certificate: Option<Pem>,
    key: Option<Pem>,
}

fn default_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8090))
}

fn default_connections() -> usize {
    256
}

impl Keys {
    fn of(keys: &toml::Table) -> Result<Self, ConfigError> {
        let keys: Self = keys.clone().try_into().map_err(ConfigError::Syntax)?;
        if keys.connections == 0 {
            return Err(ConfigError::value("door.connections", "0", "give at least 1"));
        }
        if keys.certificate.is_some() != keys.key.is_some() {
            let found = "one of certificate and key";
            return Err(ConfigError::value("door.certificate", found, "give both or none"));
        }
        Ok(keys)
    }

    fn identity(&self) -> Option<ServerIdentity<'_>> {
        let names = ["door.certificate", "door.key"];
        let (certificate, key) = (self.certificate.as_ref()?, self.key.as_ref()?);
        Some(ServerIdentity { certificate, key, names })
    }
}

fn open(opening: Opening<'_>) -> Result<Box<dyn Door>, PlatformError> {
    let Opening { config, keys, connections, gate, tenants } = opening;
    let keys = Keys::of(keys)?;
    let (address, shown) = (keys.address, keys.identity());
    check_reach("door.address", address, shown.is_some(), config.behind_proxy)?;
    let edge = Edge::of(config, shown, Arc::clone(tenants) as Arc<dyn IngestPort>)?;
    let settings = Settings::of(&config.limits, gate::Listener::Http, connections, &gate);
    let settings = Settings { edge, ..settings };
    let (news, _) = broadcast::channel(NEWS_CAPACITY);
    let counters = Arc::<Counters>::default();
    let state = AppState {
        tenants: Arc::clone(tenants),
        gate,
        news: news.clone(),
        counters: Arc::clone(&counters),
        body_limit: settings.limit,
        waiters: Arc::new(SharedPlaces::new(settings.waiting())),
    };
    let bytes_max = format::open().map(|format| format.bytes_max).max().unwrap_or_default();
    let router = Router::new()
        .route("/input", post(take))
        .route("/devices/{hardware_id}/input", post(take_of_one))
        .route("/devices/{hardware_id}/commands", get(commands))
        .fallback(async || Problem::not_found("no_such_path", "there is nothing at this path"))
        .layer(from_fn_with_state(state.clone(), authorise))
        // One more, so that what is too large has its record.
        .layer(DefaultBodyLimit::max(bytes_max + 1))
        .with_state(state);
    let server = Server::start(address, router, settings)
        .map_err(|source| PlatformError::Listen { what: "the HTTP door", address, source })?;
    Ok(Box::new(Http { server, news, counters }))
}

struct Http {
    server: Server,
    news: broadcast::Sender<News>,
    counters: Arc<Counters>,
}

/// Something waits for a device, or a tenant with all its devices is not let in any more.
type News = (TenantName, Option<HardwareId>);

#[async_trait]
impl Door for Http {
    fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![(NAME, self.server.address)]
    }

    fn attach(&self, tenant: &Tenant) {
        let (news, counters) = (self.news.clone(), Arc::clone(&self.counters));
        let outbound = HttpOutbound { tenant: tenant.name.clone(), news, counters };
        tenant.dispatcher.routes.open(NAME, Arc::new(outbound));
    }

    /// Each request shows its secret, and those that are being answered are soon over but for those
    /// that wait: they are answered now.
    async fn cut(&self, tenant: &TenantName) -> usize {
        // Nobody may be waiting.
        let _ = self.news.send((tenant.clone(), None));
        0
    }

    /// A device that waits is answered now, which asks anew whether it may have anything.
    fn cut_principal(&self, tenant: &TenantName, who: &PrincipalRef) {
        if let PrincipalRef::Device(device) = who {
            let _ = self.news.send((tenant.clone(), Some(device.clone())));
        }
    }

    async fn close(self: Box<Self>, limit: Duration) -> bool {
        self.server.stop(limit).await
    }
}

#[derive(Default)]
struct Counters {
    stored: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    commands_given: AtomicU64,
}

/// Those who ask for commands; whoever is not waiting will ask again.
struct HttpOutbound {
    tenant: TenantName,
    news: broadcast::Sender<News>,
    counters: Arc<Counters>,
}

#[async_trait]
impl Outbound for HttpOutbound {
    async fn send(&self, device: &HardwareId, _payload: Vec<u8>) -> Result<usize, String> {
        // Whoever waits comes for it; as long as nobody has, it is not sent.
        let _ = self.news.send((self.tenant.clone(), Some(device.clone())));
        Ok(0)
    }

    fn is_polled(&self) -> bool {
        true
    }

    fn counters(&self) -> Vec<(String, u64)> {
        let Counters { stored, refused, failed, commands_given } = &*self.counters;
        [
            ("http_requests_stored", stored),
            ("http_requests_refused", refused),
            ("http_requests_failed", failed),
            ("http_commands_given", commands_given),
        ]
        .map(|(name, counter)| (name.to_owned(), counter.load(Ordering::Relaxed)))
        .to_vec()
    }
}

#[derive(Clone)]
struct AppState {
    tenants: Arc<Tenants>,
    gate: Arc<Gate>,
    news: broadcast::Sender<News>,
    counters: Arc<Counters>,
    body_limit: Duration,
    /// For those who wait for commands.
    waiters: Arc<SharedPlaces>,
}

/// Who sends a request.
#[derive(Clone)]
struct Sender {
    tenant: Arc<Tenant>,
    who: Principal,
}

impl Sender {
    /// Whoever presents this.
    async fn of(tenants: &Tenants, given: &HeaderCredential, from: IpAddr) -> Option<Self> {
        match given {
            HeaderCredential::Bearer(secret) => Self::by_shared_secret(tenants, secret),
            HeaderCredential::Basic(user, password) => {
                Self::by_user_name(tenants, (user, password), from).await
            }
        }
    }

    /// Whoever has the secret that devices share; where that is the administrators' as well, it is
    /// the bench.
    fn by_shared_secret(tenants: &Tenants, given: &[u8]) -> Option<Self> {
        let tenant = tenants.of_device(given)?;
        let is_bench = tenant.is_administrators(given);
        let shared = PrincipalRef::SharedDevices;
        let reference = if is_bench { PrincipalRef::Bench } else { shared };
        Some(Self { who: Principal::of(reference, tenant.name.clone()), tenant })
    }

    async fn by_user_name(
        tenants: &Tenants,
        (user_name, password): (&str, &[u8]),
        from: IpAddr,
    ) -> Option<Self> {
        let presented = Presented { user_name, password, certificate: None, from };
        let who = tenants.identify(presented).await?;
        let tenant = tenants.find(who.tenant.as_ref()?)?;
        Some(Self { tenant, who })
    }
}

/// Lets a request pass of a device, or of who may speak for devices.
async fn authorise(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    request: Request,
    next: Next,
) -> Response {
    let identify = async |given| {
        let found = Sender::of(&state.tenants, &given, visit.from()).await;
        found.map(|sender| (sender, given)).ok_or(NotProved::Wrong)
    };
    let listener = gate::Listener::Http;
    match check_credential(&state.gate, listener, &visit, request.headers(), identify).await {
        Err(answer) => answer,
        Ok((sender, given)) => match read_whole(request, state.body_limit).await {
            Ok(mut request) => {
                request.extensions_mut().insert(sender);
                request.extensions_mut().insert(given);
                next.run(request).await
            }
            Err(answer) => answer,
        },
    }
}

async fn take(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(from): Extension<Sender>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response {
    let topic = |format: &Format| topics::input_of(from.tenant.name.as_str(), None, format.name);
    state.take(&from, ("/input", topic), (&visit, &headers), payload).await
}

async fn take_of_one(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(from): Extension<Sender>,
    Path(device): Path<String>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response {
    let device = match hardware_id(&device) {
        Ok(device) => device,
        Err(problem) => return problem.into_response(),
    };
    let path = format!("/devices/{device}/input");
    let topic =
        |format: &Format| topics::input_of(from.tenant.name.as_str(), Some(&device), format.name);
    state.take(&from, (&path, topic), (&visit, &headers), payload).await
}

impl AppState {
    async fn take(
        &self,
        Sender { tenant, who }: &Sender,
        (path, topic): (&str, impl Fn(&Format) -> String),
        (visit, headers): (&Visit, &HeaderMap),
        payload: Bytes,
    ) -> Response {
        let sender = visit.from().to_string();
        let given = headers.get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap_or(""));
        let Some(format) = format::by_content_type(given) else {
            let known: Vec<&str> = format::open().map(|format| format.content_type).collect();
            let detail = format!(
                "`Content-Type` is `{}`, expected {}",
                shortened(given, 80),
                known.join(" or ")
            );
            let reason = RefusalReason::UnsupportedEncoding;
            let recorded = tenant.ingest.refuse(reason, &sender, path, &detail).await;
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return self.answer(recorded.map(|()| Verdict::Refused { reason, detail }), status);
        };
        let topic = topic(format);
        if !matches!(self.tenants.decide(who, Action::Write, &topic), Decision::Yes(_)) {
            let reason = self.tenants.refusal(who, &topic);
            let detail = format!("`{}` may not send there", who.reference);
            let recorded = tenant.ingest.refuse(reason, &sender, &topic, &detail).await;
            let refused = recorded.map(|()| Verdict::Refused { reason, detail });
            return self.answer(refused, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let is_shared = who.reference == PrincipalRef::SharedDevices;
        let arrival = Arrival { door: NAME, sender, topic, payload, is_shared };
        let accepted = tenant.ingest.accept(arrival).await.map_err(NotDurable::from);
        self.answer(accepted, StatusCode::UNPROCESSABLE_ENTITY)
    }

    fn answer(&self, outcome: Result<Verdict, NotDurable>, refused: StatusCode) -> Response {
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(Verdict::Stored) => {
                count(&self.counters.stored);
                StatusCode::NO_CONTENT.into_response()
            }
            Ok(Verdict::Refused { reason, detail }) => {
                count(&self.counters.refused);
                Problem::new(refused, reason.word(), detail).into_response()
            }
            Err(error) => {
                count(&self.counters.failed);
                let detail = format!("{error}; send it again");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let mut response = Problem::new(status, "not_durable", detail).into_response();
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
        }
    }
}

fn hardware_id(text: &str) -> Result<HardwareId, Problem> {
    // As in a topic, which is what the journal has of it.
    let device = HardwareId::new(text).map_err(|error| error.to_string());
    let found = device.and_then(|device| {
        let is_topic = topics::input_name(&topics::device_input(topics::TENANT, &device)).is_some();
        is_topic.then_some(device).ok_or_else(|| "it cannot stand in a topic".to_owned())
    });
    found.map_err(|why| Problem::bad_request("bad_hardware_id", why))
}

/// Refuses who may not have the commands of a device.
fn require(
    state: &AppState,
    Sender { tenant, who }: &Sender,
    device: &HardwareId,
) -> Result<(), Problem> {
    let topic = topics::commands(tenant.name.as_str(), device);
    if matches!(state.tenants.decide(who, Action::Read, &topic), Decision::Yes(_)) {
        return Ok(());
    }
    let detail = format!("the commands of `{device}` are not for `{}`", who.reference);
    Err(Problem::new(StatusCode::FORBIDDEN, "not_permitted", detail))
}

/// Gives a device what it has not answered, or waits for something.
async fn commands(
    State(state): State<AppState>,
    Extension(mut stopping): Extension<Stopping>,
    Extension(sender): Extension<Sender>,
    Extension(credential): Extension<HeaderCredential>,
    Extension(visit): Extension<Visit>,
    Path(device): Path<String>,
    mut pairs: Pairs,
) -> Result<Response, Problem> {
    let wait_ms = pairs.number(&WAIT_MS)?;
    pairs.finish()?;
    let device = hardware_id(&device)?;
    require(&state, &sender, &device)?;
    let Sender { tenant, who } = sender;
    if tenant.devices.row(&device).is_none() {
        let detail = format!("`{device}` has not sent anything yet; a registration is enough");
        return Err(Problem::not_found("no_such_device", detail));
    }
    tenant.dispatcher.routes.record_arrival(&device, NAME);
    // From here on nothing that comes goes unnoticed.
    let mut news = state.news.subscribe();
    let is_closed = || state.tenants.find(&tenant.name).is_none();
    let mut given = tenant.dispatcher.collect(&device).await?;
    if given.is_empty() && wait_ms > 0 && !is_closed() {
        let _waiter = state.waiters.take(&who).ok_or_else(|| {
            let detail = "as many requests wait for commands as may, of all or of yours; ask \
                          without `wait_ms`";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_waiting", detail)
        })?;
        let something_comes = async {
            loop {
                match news.recv().await {
                    Ok((of, to))
                        if of != tenant.name || to.as_ref().is_some_and(|to| *to != device) => {}
                    // Some of the news was missed, and may have been of this device.
                    Ok(_) | Err(_) => return,
                }
            }
        };
        let limit = Duration::from_millis(wait_ms);
        tokio::select! {
            _ = tokio::time::timeout(limit, something_comes) => {}
            () = stopping.wait() => {}
        }
        if !is_closed() {
            // Its credential may have been revoked meanwhile, or its right may have ended.
            let again = Sender::of(&state.tenants, &credential, visit.from()).await;
            let again = again.filter(|again| again.who.reference == who.reference);
            let revoked = || {
                let detail = "what was sent to log in with is not valid any more";
                Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            };
            require(&state, &again.ok_or_else(revoked)?, &device)?;
            given = tenant.dispatcher.collect(&device).await?;
        }
    }
    if is_closed() {
        let detail = format!("the tenant `{}` has been closed", tenant.name);
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "tenant_closed", detail));
    }
    state.counters.commands_given.fetch_add(given.len() as u64, Ordering::Relaxed);
    let mut body = b"{\"commands\":[".to_vec();
    body.extend(given.join(&b","[..]));
    body.extend_from_slice(b"]}");
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
