//! How the platform is: a sentence first, then what it has counted.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::frame::Answered;
use super::view::View;
use super::viewer::Viewer;

/// `GET /admin/health`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let tenant = viewer.tenant();
    // What needs somebody comes first, each with its remedy.
    let mut needs = Vec::new();
    if let Some(why) = tenant.trouble() {
        needs.push(json!({
            "what": format!("Messages are not taken: {why}"),
            "do": "Free what the sentence names; messages are taken again by themselves",
        }));
    }
    let (open, first) = tenant.losses.open_ones();
    if let Some(first) = first {
        needs.push(json!({
            "what": format!("{open} reports of lost or damaged data; the first: {}: {}", first.kind.word(), first.detail),
            "do": "Read them under /api/v1/losses, then acknowledge each",
        }));
    }
    let conflicting = tenant.metrics.conflicting_devices();
    if conflicting > 0 {
        needs.push(json!({
            "what": format!("{conflicting} devices sent a number again with other content"),
            "do": "Give each a new epoch; until then what it sends twice is refused",
        }));
    }
    let count =
        |name: &str, value: u64, unit: &str| json!({ "name": name, "value": value, "unit": unit });
    let journal = &tenant.journal.counters;
    let rows = [
        count("Devices", tenant.devices.page(0, 1).0, ""),
        count("Messages that wait for the journal", tenant.journal.depth() as u64, ""),
        count("Bytes between arrival and commit", tenant.ingest.in_flight_bytes(), "B"),
        count("Live streams that are open", tenant.live.subscriptions() as u64, ""),
        count("Groups made durable", journal.syncs.load(Ordering::Relaxed), ""),
        count(
            "Groups that could not be made durable",
            journal.failures.load(Ordering::Relaxed),
            "",
        ),
    ];
    let refused: Vec<Value> = tenant
        .metrics
        .refused()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| json!({ "reason": reason.replace('_', " "), "count": count }))
        .collect();
    let sources = tenant.outgoing.connections().iter().map(|one| {
        let state = one.state();
        json!({
            "name": one.name,
            "kind": one.kind.doc,
            "read": state.read.map(|at| viewer.times.clock(at)),
            "failure": state.failure,
            "rows": state.rows,
            "refused": state.refused,
        })
    });
    let values = json!({
        "sources": sources.collect::<Vec<_>>(),
        "needs": needs,
        "rows": rows,
        "refused": refused,
        "is_ready": tenant.is_ready(),
        "alarms": super::alarms::open(&viewer).len(),
    });
    Ok(View::new("health.html", values).into())
}
