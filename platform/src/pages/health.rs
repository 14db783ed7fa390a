//! How the platform is: a sentence first, then what it has counted.

use std::sync::atomic::Ordering;

use lastmeter_model::access::{Action, Kind, Resource, Subject};
use serde_json::{Value, json};

use super::frame::Answered;
use super::view::{View, way};
use super::viewer::Viewer;
use crate::losses::Loss;
use crate::ops::losses;

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
    let (open, _) = tenant.losses.open_ones();
    if open > 0 {
        needs.push(json!({
            "what": format!("{open} reports of lost or damaged data that nobody has acknowledged"),
            "do": "Read them below; restore what can be restored, then acknowledge each",
        }));
    }
    for one in tenant.outgoing.connections() {
        if let Some(failure) = one.state().failure {
            needs.push(json!({
                "what": format!("The source {} could not be read: {failure}", one.name),
                "do": "Look at it under Connections; it is read again by itself",
            }));
        }
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
    let values = json!({
        "losses": losses(&viewer),
        "may_acknowledge": may_acknowledge(&viewer),
        "needs": needs,
        "rows": rows,
        "refused": refused,
        "is_ready": tenant.is_ready(),
        "alarms": super::alarms::open(&viewer).len(),
    });
    Ok(View::new("health.html", values).into())
}

/// Reports of losses that are shown, those first that nobody has acknowledged.
const LOSSES_SHOWN: usize = 50;

fn losses(viewer: &Viewer) -> Vec<Value> {
    let (mut losses, _) = viewer.tenant().losses.list();
    losses.sort_by_key(|loss| (loss.acknowledged.is_some(), loss.id));
    let row = |loss: &Loss| {
        json!({
            "id": loss.id,
            "kind": loss.kind.word().replace('_', " "),
            "place": loss.place,
            "detail": loss.detail,
            "found": viewer.times.clock(loss.found),
            "acknowledged": loss.acknowledged.as_ref().map(|by| {
                json!({ "at": viewer.times.clock(by.at), "note": by.note })
            }),
        })
    };
    losses.iter().take(LOSSES_SHOWN).map(row).collect()
}

fn may_acknowledge(viewer: &Viewer) -> bool {
    let on = Resource::new(Kind::Losses, &viewer.tenant().name, Subject::List);
    viewer.caller.may(Action::Acknowledge, &on)
}

/// `POST /admin/losses/{id}/acknowledge`: the note names who did.
pub(super) async fn acknowledge(viewer: Viewer) -> Answered {
    let note = format!("{}: {}", viewer.caller.name(), viewer.field("note").trim());
    losses::acknowledge(&viewer.caller, &viewer.variable, note).await?;
    Ok(way("/admin/health"))
}
