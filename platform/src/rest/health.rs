//! For whoever runs the platform: is it alive, is it ready, what has it counted.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use lastmeter_model::access::{self, Action};
use schemars::JsonSchema;
use serde::Serialize;

use super::routes::{Access, Gives, Route, Verb};
use super::{Api, Problem};
use crate::metrics::{write_counter, write_gauge};

const METRICS_TYPE: &str = "text/plain; version=0.0.4";

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Get,
        path: "/healthz",
        resource: "operation",
        summary: "The process answers",
        access: Access::Open,
        parameters: &[],
        takes: None,
        gives: Gives::json::<StatusJson>(200),
        refuses: &[],
        run: |verb| on(verb, healthz),
    },
    Route {
        method: Verb::Get,
        path: "/readyz",
        resource: "operation",
        summary: "Messages are taken and committed, and every loss is acknowledged",
        access: Access::Open,
        parameters: &[],
        takes: None,
        gives: Gives::json::<StatusJson>(200),
        refuses: &[503],
        run: |verb| on(verb, readyz),
    },
    Route {
        method: Verb::Get,
        path: "/metrics",
        resource: "operation",
        summary: "Counters and gauges as Prometheus text",
        access: Access::To(access::Kind::Metrics, Action::Read),
        parameters: &[],
        takes: None,
        gives: Gives::text(METRICS_TYPE),
        refuses: &[],
        run: |verb| on(verb, metrics),
    },
];

/// One word.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Status")]
pub(super) struct StatusJson {
    status: &'static str,
}

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> Json<StatusJson> {
    Json(StatusJson { status: "ok" })
}

/// `GET /readyz`: messages are taken and committed, and nothing is known to be lost or damaged that
/// nobody has acknowledged.
pub(super) async fn readyz(api: Api) -> Result<Json<StatusJson>, Problem> {
    if let Some(why) = api.tenant.trouble() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why));
    }
    let (open, Some(first)) = api.tenant.losses.open_ones() else {
        return Ok(Json(StatusJson { status: "ready" }));
    };
    let detail = format!(
        "{open} reports of lost or damaged data have not been acknowledged; the first, {}: {}; see \
         /api/v1/losses, and acknowledge each with POST /api/v1/losses/ID/acknowledge",
        first.kind.word(),
        first.detail
    );
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "data_lost", detail))
}

/// `GET /metrics`: Prometheus text, format 0.0.4.
pub(super) async fn metrics(api: Api) -> Response {
    let tenant = &api.tenant;
    let mut out = String::new();
    tenant.metrics.write(&mut out);
    api.shared.gate.tally.write(&mut out);
    let journal = &tenant.journal.counters;
    let counters = [
        ("journal_bytes", "bytes appended to the journal", &journal.bytes),
        ("journal_syncs", "groups made durable", &journal.syncs),
        ("journal_failures", "groups that could not be made durable", &journal.failures),
    ];
    for (name, help, counter) in counters {
        write_counter(&mut out, name, help, counter.load(Ordering::Relaxed));
    }
    let waiting = (api.shared.waiters_max - api.shared.waiters.available_permits()) as u64;
    let (open, _) = tenant.losses.open_ones();
    let conflicting = tenant.metrics.conflicting_devices();
    let gauges = [
        ("journal_queue", "jobs waiting for the journal", tenant.journal.depth() as u64),
        ("in_flight_bytes", "bytes between arrival and commit", tenant.ingest.in_flight_bytes()),
        ("rest_waiting", "requests that wait for something to be committed", waiting),
        ("live_streams", "live streams that are open", tenant.live.subscriptions() as u64),
        ("losses", "reports of lost or damaged data", tenant.losses.count()),
        ("losses_open", "those that nobody has acknowledged", open),
        ("conflicting_devices", "devices that sent a number again with other content", conflicting),
        ("ready", "1 if messages are taken", u64::from(tenant.is_ready())),
    ];
    for (name, help, value) in gauges {
        write_gauge(&mut out, name, help, value);
    }
    for (name, value) in tenant.dispatcher.routes.counters() {
        write_counter(&mut out, &name, "counted at a door", value);
    }
    ([(CONTENT_TYPE, METRICS_TYPE)], out).into_response()
}
