//! A report as the content of a result of the kind `outage`, read back, and as an alert.
//!
//! ```json
//! { "network": "feeder", "state": "detected", "areas": [{ "element": "line", "name": "A1",
//!   "phases": "abc", "meters": 14, "gasps": 12, "likelihood": 0.999 }], "expected": ["meter-1"],
//!   "reported": [], "contradicted": [], "restored": [], "first_gasp": "...", "last_gasp": "...",
//!   "window_closed": "...", "since": "...", "until": "..." }
//! ```
//!
//! `planned` stands in those of switches that were opened on purpose. Lists that would make a
//! result too long are left out, and counted in `left_out`.

use lastmeter_units::HardwareId;
use lastmeter_wire::flexmeter::AlertLevel;
use serde_json::{Map, Value, json};

use super::report::{FoundArea, OutageState, Report};
use crate::client::Notice;

/// The kind of the results.
pub(super) const KIND: &str = "outage";
/// How the subject of a result begins; the number follows.
const SUBJECT: &str = "outage-";
/// Ids of all lists together, bytes at most: well within what a result may hold.
const IDS_BYTES_MAX: usize = 200 * 1024;

/// The subject of results about an outage.
pub(super) fn subject(number: u32) -> String {
    format!("{SUBJECT}{number}")
}

/// The content of a result.
pub(super) fn content(network: &str, report: &Report) -> Map<String, Value> {
    let mut report = report.clone();
    let lists = [
        ("reported", &mut report.reported),
        ("expected", &mut report.expected),
        ("restored", &mut report.restored),
        ("contradicted", &mut report.contradicted),
    ];
    let bytes = |ids: &[HardwareId]| ids.iter().map(|id| id.as_str().len() + 3).sum::<usize>();
    let mut whole: usize = lists.iter().map(|(_, ids)| bytes(ids)).sum();
    let mut left_out = Map::new();
    for (name, ids) in lists {
        if whole > IDS_BYTES_MAX && !ids.is_empty() {
            whole -= bytes(ids);
            left_out.insert(name.to_owned(), json!(std::mem::take(ids).len()));
        }
    }
    let Ok(Value::Object(mut content)) = serde_json::to_value(report) else { return Map::new() };
    content.insert("network".to_owned(), json!(network));
    if !left_out.is_empty() {
        content.insert("left_out".to_owned(), Value::Object(left_out));
    }
    content
}

/// A result read back; none if it is not one of these.
pub(super) fn report(subject: &str, content: Value) -> Option<Report> {
    let number = subject.strip_prefix(SUBJECT)?.parse().ok()?;
    Some(Report { number, ..serde_json::from_value(content).ok()? })
}

/// The alert of a report, if one is to be raised after what was reported before.
pub(super) fn alert(report: &Report, before: Option<&Report>) -> Option<Notice> {
    let is_changed = before.is_none_or(|it| !it.is_alike(report));
    let area = report.areas.iter().max_by_key(|area| area.meters)?;
    if report.is_planned || !is_changed {
        return None;
    }
    let (kind, level, text) = announcement(report, area, before.is_none());
    let facts = vec![
        ("outage", subject(report.number)),
        ("state", report.state.to_string()),
        ("element", area.kind.to_string()),
        ("name", area.name.clone()),
        ("phases", area.phases.to_string()),
        ("areas", report.areas.len().to_string()),
        ("expected", report.expected.len().to_string()),
        ("reported", report.reported.len().to_string()),
        ("likelihood", format!("{:.6}", area.likelihood)),
    ];
    Some(Notice { kind, level, text, facts })
}

/// Type, level and text of the alert of a report, the first one of its outage or a later one.
fn announcement(
    report: &Report,
    area: &FoundArea,
    is_first: bool,
) -> (&'static str, AlertLevel, String) {
    let place = format!("{} `{}`", area.kind, area.name);
    let (count, gasps) = (report.expected.len(), report.reported.len());
    match report.state {
        OutageState::Restored => {
            ("outage.restored", AlertLevel::Info, format!("supply is back at {place}"))
        }
        OutageState::Withdrawn => {
            ("outage.restored", AlertLevel::Info, format!("no outage of its own at {place}"))
        }
        _ if is_first => {
            let text = format!("no supply at {place}: {gasps} of {count} meters reported");
            ("outage.detected", AlertLevel::Critical, text)
        }
        _ => {
            let text = format!("the outage at {place} has changed: {count} meters");
            ("outage.changed", AlertLevel::Warning, text)
        }
    }
}
