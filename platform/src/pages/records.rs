//! What was done and what was refused, newest first: the audit and the rejected messages.

use lastmeter_model::access::Kind;
use lastmeter_model::row::RefusalRow;
use lastmeter_store::Stretch;
use lastmeter_units::HardwareId;
use serde_json::{Value, json};

use super::frame::Answered;
use super::view::View;
use super::viewer::{Viewer, in_address};

/// Rows of a page, those that are read at once, and those that one request looks at.
const SHOWN: usize = 50;
const AT_ONCE: u64 = 500;
const LOOKED_AT_MAX: u64 = 10_000;
/// Characters of a content that are shown.
const CONTENT_SHOWN: usize = 2_000;

/// Rows before a number, newest first, and the number at which the next page begins.
struct Back {
    rows: Vec<Value>,
    next: u64,
}

/// The number before which the address wants rows; all rows if it has none.
fn before(viewer: &Viewer, last: u64) -> u64 {
    let given = viewer.field("before").parse::<u64>().ok();
    given.unwrap_or(u64::MAX).min(last.saturating_add(1))
}

fn link(viewer: &Viewer, fields: &[&str], next: u64) -> Option<String> {
    let mut path = format!("{}?before={next}", viewer.page.path);
    for field in fields {
        let value = in_address(viewer.field(field));
        lastmeter_text::append(&mut path, format_args!("&{field}={value}"));
    }
    (next > 1).then_some(path)
}

/// `GET /admin/audit`
pub(super) async fn audit(viewer: Viewer) -> Answered {
    let tenant = viewer.tenant();
    let permit = viewer.caller.list(Kind::Audit)?;
    let last = tenant.progress.audited();
    let wanted = ["who", "action", "on"].map(|name| viewer.field(name).trim().to_lowercase());
    let mut back = Back { rows: Vec::new(), next: before(&viewer, last) };
    let floor = back.next.saturating_sub(LOOKED_AT_MAX);
    while back.next > 1 && back.next > floor && back.rows.len() < SHOWN {
        let after = (back.next - 1).saturating_sub(AT_ONCE);
        let stretch = Stretch { after, limit: AT_ONCE as u32, last: back.next - 1 };
        let (rows, _) = tenant.readers.audit(&permit, None, stretch).await?;
        back.next = after + 1;
        for row in rows.into_iter().rev() {
            let of_row = [&row.who, &row.action, &row.resource];
            let mut both = wanted.iter().zip(of_row);
            if !both.all(|(text, of)| text.is_empty() || of.to_lowercase().contains(text)) {
                continue;
            }
            if back.rows.len() == SHOWN {
                back.next = row.number + 1;
                break;
            }
            back.rows.push(json!({
                "number": row.number,
                "when": viewer.times.clock(row.at),
                "who": row.who,
                "action": row.action,
                "on": row.resource,
                "outcome": row.outcome,
            }));
        }
    }
    let values = json!({
        "rows": back.rows,
        "count": last,
        "who": viewer.field("who"),
        "action": viewer.field("action"),
        "on": viewer.field("on"),
        "next": link(&viewer, &["who", "action", "on"], back.next),
    });
    Ok(View::new("audit.html", values).into())
}

/// A reason of refusals: its word, what it is, and what to do.
type Reason = (&'static str, &'static str, &'static str);

/// Reasons that people can do something about; others are of the format, or of a door.
const REASONS: [Reason; 14] = [
    (
        "conflicting_content",
        "a number came again with other content; most often a meter restarted its count",
        "Set a new epoch on the meter, then what it sends is accepted again",
    ),
    (
        "repetition_beyond_retention",
        "a number came that is no higher than one that is kept no longer",
        "If the meter restarted its count, set a new epoch; else it is an old repetition",
    ),
    (
        "packet_too_large",
        "the packet was larger than the platform takes",
        "Send fewer values in one message, or raise `limits.packet_bytes`",
    ),
    (
        "topic_not_allowed",
        "the topic is none that this sender may publish on",
        "Publish on `TENANT/input/json`, or on the device's own topic",
    ),
    (
        "unsupported_encoding",
        "the message is in no format that is spoken here",
        "Send one of the formats that the documentation of the platform lists",
    ),
    (
        "hardware_id_mismatch",
        "the message names another device than its topic",
        "Publish it on the topic of the device that it is of",
    ),
    (
        "unknown_invocation",
        "an answer names no command that its device was given",
        "Answer with the `originator` that the command came with",
    ),
    (
        "too_many_devices",
        "there are as many devices as the tenant may have",
        "Remove devices that are not used, or raise `limits.devices`",
    ),
    (
        "device_has_credential",
        "the shared secret came for a device with one of its own",
        "Use the device's own secret or certificate",
    ),
    (
        "reserved_id",
        "names that begin with `$` are the platform's own",
        "Give the device another name",
    ),
    (
        "unknown_device",
        "nobody has registered the device, and the tenant takes no others",
        "Register the device, then send its messages in again",
    ),
    (
        "blocked_device",
        "the device is blocked, or is no longer in use",
        "Unblock the device if that was a mistake",
    ),
    (
        "undeclared_alert",
        "the device's specification is strict and has no such type of alert",
        "Add the type to the specification",
    ),
    ("not_json", "the message is no JSON", "Look at the place that the detail names"),
];

/// What a reason is and what to do.
fn explained(reason: &str) -> (&'static str, &'static str) {
    let found = REASONS.iter().find(|(word, ..)| *word == reason);
    found.map_or(
        (
            "the message breaks its format, or the connection the rules of its door",
            "The detail names the place and what was expected there",
        ),
        |(_, what, todo)| (*what, *todo),
    )
}

/// `GET /admin/rejected`: to who may have all of them, and to owners those of their devices.
pub(super) async fn rejected(viewer: Viewer) -> Answered {
    let tenant = viewer.tenant();
    let permit = viewer.caller.list(Kind::Refusal)?;
    let last = tenant.progress.totals().refusals;
    let wanted = ["reason", "device"].map(|name| viewer.field(name).trim().to_lowercase());
    let mut back = Back { rows: Vec::new(), next: before(&viewer, last) };
    let floor = back.next.saturating_sub(LOOKED_AT_MAX);
    while back.next > 1 && back.next > floor && back.rows.len() < SHOWN {
        let after = (back.next - 1).saturating_sub(AT_ONCE);
        let stretch = Stretch { after, limit: AT_ONCE as u32, last: back.next - 1 };
        let rows = tenant.readers.refusals(&permit, stretch).await?;
        back.next = after + 1;
        for row in rows.into_iter().rev() {
            let device = row.device.clone().unwrap_or_default();
            let fits =
                |text: &String, of: &str| text.is_empty() || of.to_lowercase().contains(text);
            if !fits(&wanted[0], &row.reason) || !fits(&wanted[1], &device) {
                continue;
            }
            if back.rows.len() == SHOWN {
                back.next = row.sequence + 1;
                break;
            }
            back.rows.push(refusal(&viewer, &row));
        }
    }
    let counts = tenant.metrics.refused().into_iter().filter(|(_, count)| *count > 0);
    let counts: Vec<Value> = counts
        .filter(|_| permit.is_whole())
        .map(|(reason, count)| {
            let (what, todo) = explained(&reason);
            let path = format!("/admin/rejected?reason={}", in_address(&reason));
            json!({ "reason": reason.replace('_', " "), "count": count, "what": what, "todo": todo, "path": path })
        })
        .collect();
    let values = json!({
        "rows": back.rows,
        "counts": counts,
        "reason": viewer.field("reason"),
        "device": viewer.field("device"),
        "next": link(&viewer, &["reason", "device"], back.next),
    });
    Ok(View::new("rejected.html", values).into())
}

/// A refusal, with its content for who may read what the device measures. Others have its detail
/// without the digits: they may be of a value.
fn refusal(viewer: &Viewer, row: &RefusalRow) -> Value {
    let device = row.device.as_ref().and_then(|id| HardwareId::new(id.clone()).ok());
    let may_content = device.is_some_and(|id| viewer.caller.may_read_refused(&id, row.event));
    let content = row.content.as_ref().filter(|_| may_content);
    let (what, todo) = explained(&row.reason);
    json!({
        "when": viewer.times.clock(row.event),
        "device": row.device,
        "reason": row.reason.replace('_', " "),
        "topic": row.topic,
        "what": what,
        "todo": todo,
        "detail": if may_content { row.detail.clone() } else { without_digits(&row.detail) },
        "bytes": row.content_bytes,
        "content": content.map(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            text.chars().take(CONTENT_SHOWN).collect::<String>()
        }),
    })
}

fn without_digits(text: &str) -> String {
    text.chars().map(|one| if one.is_numeric() { '\u{b7}' } else { one }).collect()
}
