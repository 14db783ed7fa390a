//! For whoever runs the platform: is it alive, is it ready, what has it counted.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Api, Problem};
use crate::metrics::{write_counter, write_gauge};

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: messages are taken and committed, and none that was acknowledged is known to be
/// lost. Damage the recovery found stays until the next start, so that somebody looks at it.
pub(super) async fn readyz(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let damaged = api.core.metrics.journal_damaged.load(Ordering::Relaxed);
    if damaged > 0 {
        let detail = format!(
            "{damaged} stretches of acknowledged records in the journal cannot be read; the log \
             says where, send those messages again and restart"
        );
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "damaged_journal", detail));
    }
    match api.core.trouble() {
        None => Ok(Json(json!({ "status": "ready" }))),
        Some(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why)),
    }
}

/// `GET /metrics`: Prometheus text, format 0.0.4.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let core = &api.core;
    let mut out = String::new();
    core.metrics.write(&mut out);
    api.gate.tally.write(&mut out);
    let journal = core.journal.counters();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    write_counter(&mut out, "journal_bytes", "bytes appended to the journal", load(&journal.bytes));
    write_counter(&mut out, "journal_syncs", "groups made durable", load(&journal.syncs));
    write_counter(
        &mut out,
        "journal_failures",
        "groups that could not be made durable",
        load(&journal.failures),
    );
    write_gauge(
        &mut out,
        "journal_queue",
        "jobs waiting for the journal",
        core.journal.depth() as u64,
    );
    write_gauge(
        &mut out,
        "in_flight_bytes",
        "bytes between arrival and commit",
        core.ingest.in_flight_bytes(),
    );
    write_gauge(
        &mut out,
        "rest_waiting",
        "requests that wait for something to be committed",
        (api.seats_total - api.seats.available_permits()) as u64,
    );
    write_gauge(&mut out, "ready", "1 if messages are taken", u64::from(core.is_ready()));
    let broker = core.dispatcher.outbound().map(|outbound| outbound.counters());
    for (name, value) in broker.unwrap_or_default() {
        write_counter(&mut out, &format!("broker_{name}"), "counted by the broker", value);
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], out).into_response()
}
