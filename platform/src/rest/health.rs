//! For whoever runs the platform: is it alive, is it ready, what has it counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use lastmeter_units::TenantName;
use schemars::JsonSchema;
use serde::Serialize;

use super::routes::{Gives, routes};
use super::{Api, Problem};
use crate::metrics::{write_counter, write_gauge};
use crate::tenant::Tenant;

const METRICS_TYPE: &str = "text/plain; version=0.0.4";

routes! {
    "operation" {
        Get "/healthz" => healthz: "The process answers",
            Open, [], gives Gives::json::<StatusJson>(200), refuses [];
        Get "/readyz" => readyz: "Messages are taken and committed, and every loss is acknowledged",
            Open, [], gives Gives::json::<StatusJson>(200), refuses [503];
        Get "/metrics" => metrics: "Counters and gauges as Prometheus text",
            To(Metrics, Read), [], gives Gives::text(METRICS_TYPE), refuses [];
    }
}

/// One word.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Status")]
pub(super) struct StatusJson {
    status: &'static str,
}

/// `GET /healthz`: the process answers.
async fn healthz() -> Json<StatusJson> {
    Json(StatusJson { status: "ok" })
}

/// `GET /readyz`: messages are taken and committed, and nothing is known to be lost or damaged that
/// nobody has acknowledged.
async fn readyz(api: Api) -> Result<Json<StatusJson>, Problem> {
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

/// `GET /metrics`: Prometheus text, format 0.0.4. The first tenant's lines have no label of it;
/// with them are those of the process and, for administrators of the platform, of all other
/// tenants. Each of the others sees its own.
async fn metrics(api: Api) -> Response {
    let of_process = |out: &mut String| {
        api.shared.gate.tally.write(out);
        let waiting = (api.shared.waiters_max - api.shared.waiters.available_permits()) as u64;
        let help = "requests that wait for something to be committed";
        write_gauge(out, "rest_waiting", help, waiting);
        for (name, value) in api.tenant.dispatcher.routes.counters() {
            write_counter(out, &name, "counted at a door", value);
        }
    };
    let others = |tenants: Vec<Arc<Tenant>>| -> Vec<(TenantName, String)> {
        let others = tenants.into_iter().filter(|tenant| !tenant.is_first());
        others.map(|tenant| (tenant.name.clone(), text_of(&tenant))).collect()
    };
    let own = text_of(&api.tenant);
    let text = if api.tenant.is_first() {
        let is_platforms = api.caller().is_platforms();
        let all = if is_platforms { api.shared.tenants.all() } else { Vec::new() };
        let mut text = labelled(&own, &others(all));
        of_process(&mut text);
        if is_platforms {
            write_readiness(&mut text, &api);
        }
        text
    } else {
        labelled(&heads(&own), &[(api.tenant.name.clone(), own)])
    };
    ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}

/// Whether each tenant but the first takes messages, if there is one.
fn write_readiness(out: &mut String, api: &Api) {
    let records = api.shared.process.upgrade().map(|process| process.records());
    let records = records.unwrap_or_default();
    if !records.is_empty() {
        out.push_str("# HELP lastmeter_tenant_ready 1 if the tenant takes messages\n");
        out.push_str("# TYPE lastmeter_tenant_ready gauge\n");
    }
    for record in records {
        let tenant = api.shared.tenants.find(&record.name);
        let ready = u64::from(tenant.is_some_and(|tenant| tenant.is_ready()));
        // Writing into memory does not fail.
        let _ = writeln!(out, "lastmeter_tenant_ready{{tenant=\"{}\"}} {ready}", record.name);
    }
}

/// A text without its values.
fn heads(text: &str) -> String {
    let heads = text.lines().filter(|line| line.starts_with('#'));
    heads.fold(String::new(), |out, line| out + line + "\n")
}

/// A text with the lines of others in it, each within its family and with its tenant as a label.
fn labelled(first: &str, others: &[(TenantName, String)]) -> String {
    let family = |line: &str| {
        let end = line.find(['{', ' ']).unwrap_or(line.len());
        line[..end].to_owned()
    };
    let mut of_family: BTreeMap<String, String> = BTreeMap::new();
    for (tenant, text) in others {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, rest) = line.split_at(family(line).len());
            let rest =
                rest.strip_prefix('{').map_or(format!("}}{rest}"), |more| format!(",{more}"));
            let lines = of_family.entry(name.to_owned()).or_default();
            // Writing into memory does not fail.
            let _ = writeln!(lines, "{name}{{tenant=\"{tenant}\"{rest}");
        }
    }
    let mut out = String::with_capacity(first.len());
    for block in first.split("# HELP ") {
        let Some((name, _)) = block.split_once(' ') else { continue };
        let block = ["# HELP ", block].concat();
        out.push_str(&block);
        out.push_str(of_family.get(name).map_or("", String::as_str));
    }
    out
}

/// What one tenant has counted.
fn text_of(tenant: &Tenant) -> String {
    let mut out = String::new();
    tenant.metrics.write(&mut out);
    let journal = &tenant.journal.counters;
    let counters = [
        ("journal_bytes", "bytes appended to the journal", &journal.bytes),
        ("journal_syncs", "groups made durable", &journal.syncs),
        ("journal_failures", "groups that could not be made durable", &journal.failures),
    ];
    for (name, help, counter) in counters {
        write_counter(&mut out, name, help, counter.load(Ordering::Relaxed));
    }
    let (open, _) = tenant.losses.open_ones();
    let conflicting = tenant.metrics.conflicting_devices();
    let gauges = [
        ("journal_queue", "jobs waiting for the journal", tenant.journal.depth() as u64),
        ("in_flight_bytes", "bytes between arrival and commit", tenant.ingest.in_flight_bytes()),
        ("live_streams", "live streams that are open", tenant.live.subscriptions() as u64),
        ("losses", "reports of lost or damaged data", tenant.losses.count()),
        ("losses_open", "those that nobody has acknowledged", open),
        ("conflicting_devices", "devices that sent a number again with other content", conflicting),
        ("ready", "1 if messages are taken", u64::from(tenant.is_ready())),
    ];
    for (name, help, value) in gauges {
        write_gauge(&mut out, name, help, value);
    }
    out
}
