//! Outages: those that applications report, what became of them, and the operator's word on them.

use serde_json::{Value, json};

use super::format::number;
use super::frame::Answered;
use super::grid::{areas, path_of, person, picture_of, title};
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::ops::outages::{self, Candidate, Outage, OutageState};
use lastmeter_model::access::{Action, Kind, Resource, Subject};
use lastmeter_model::entity::OutageVerdict;
use lastmeter_text::{grouped, plural};

/// Outages that are over and still listed.
const OVER_SHOWN: usize = 50;

/// `GET /grid/outages`
pub(super) async fn list(viewer: Viewer) -> Answered {
    let outages::Outages { all, unreadable } = outages::all(&viewer.caller, None).await?;
    let now = all.iter().filter(|outage| outage.needs_somebody()).count();
    let open = all.iter().filter(|outage| outage.is_open()).map(|outage| row(&viewer, outage));
    let over = all.iter().filter(|outage| !outage.is_open());
    let more = over.clone().count().saturating_sub(OVER_SHOWN);
    let over = over.take(OVER_SHOWN).map(|outage| row(&viewer, outage));
    let values = json!({
        "now": now,
        "open": open.collect::<Vec<_>>(),
        "over": over.collect::<Vec<_>>(),
        "more": more,
        "unreadable": unreadable,
    });
    Ok(View::new("outages.html", values).into())
}

/// `GET /grid/outages/{id}`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let found = outages::one(&viewer.caller, &viewer.variable).await?;
    let outage = &found.outage;
    let happenings = found.timeline.iter().map(|one| {
        json!({
            "at": viewer.times.second(one.at),
            "text": one.text,
            "by": one.by.as_deref().map(person),
        })
    });
    let fault = |fault: &outages::Fault| {
        let candidates = fault.candidates.iter().map(candidate);
        json!({
            "at": viewer.times.second(fault.at),
            "station": fault.station,
            "phases": fault.phases,
            "candidates": candidates.collect::<Vec<_>>(),
        })
    };
    let picture = if viewer.wants("picture") { picture_of(&viewer, outage).await } else { None };
    let values = json!({
        "outage": row(&viewer, outage),
        "timeline": happenings.collect::<Vec<_>>(),
        "faults": outage.faults.iter().map(fault).collect::<Vec<_>>(),
        "minutes": number(found.minutes_lost, "min"),
        "interrupted": found.interrupted,
        "picture": picture,
    });
    Ok(View::new("outage.html", values).titled(areas(outage)).into())
}

/// `1 310 m ± 40 m from the station, on L7`
fn candidate(candidate: &Candidate) -> Value {
    json!({
        "value": format!("{:?}", candidate.distance_m),
        "distance": grouped(candidate.distance_m, 0),
        "spread": candidate.spread_m.map(|spread| grouped(spread, 0)),
        "line": candidate.line,
        "resistance": candidate.resistance_ohm.map(|ohm| number(ohm, "\u{3a9}")),
        "percent": candidate.likelihood.map(|likelihood| (likelihood * 100.0).round()),
    })
}

fn row(viewer: &Viewer, outage: &Outage) -> Value {
    let candidates: usize = outage.faults.iter().map(|fault| fault.candidates.len()).sum();
    let [expected, restored, contradicted] = outage.meters;
    let content = &outage.content;
    let likelihood = content.areas.iter().filter_map(|area| area.likelihood).reduce(f64::min);
    json!({
        "path": path_of(outage),
        "name": areas(outage),
        "grid": format!("/grid?network={}", in_address(&content.network)),
        "state": outage.state.word(),
        "mark": if outage.needs_somebody() { "error" } else { "info" },
        "expected": expected,
        "heard": outage.heard,
        "unheard": expected - outage.heard,
        "contradicted": contradicted,
        "restored": restored,
        "since": viewer.times.second(content.since),
        "until": content.until.map(|at| viewer.times.second(at)),
        "cause": (candidates > 0)
            .then(|| format!("line fault, {}", plural(candidates as u64, "place"))),
        "percent": likelihood.map(|likelihood| (likelihood * 100.0).round()),
        "planned": outage.planned.as_ref().map(|planned| json!({
            "by": person(&planned.by), "cause": planned.cause, "version": planned.version,
        })),
        "review": outage.review.as_ref().map(|review| json!({
            "title": title(review.verdict.word()),
            "by": person(&review.by),
            "at": viewer.times.second(review.at),
        })),
        "may": outage.state == OutageState::Proposed && may_review(viewer),
    })
}

fn may_review(viewer: &Viewer) -> bool {
    let on = Resource::new(Kind::NetworkAlarm, &viewer.tenant().name, Subject::Nothing);
    viewer.caller.may(Action::Acknowledge, &on)
}

/// `POST /grid/outages/{id}/confirm`
pub(super) async fn confirm(viewer: Viewer) -> Answered {
    review(viewer, OutageVerdict::Confirmed).await
}

/// `POST /grid/outages/{id}/reject`
pub(super) async fn reject(viewer: Viewer) -> Answered {
    review(viewer, OutageVerdict::Rejected).await
}

async fn review(viewer: Viewer, verdict: OutageVerdict) -> Answered {
    let found = outages::review(&viewer.caller, &viewer.variable, verdict).await?;
    Ok(way(path_of(&found.outage)))
}
