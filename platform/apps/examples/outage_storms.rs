//! Writes fifty storms and what the outage detector reported of them, one JSON line each, for a
//! recount by another program: networks, faults, what meters sent, reports; seconds throughout.

use std::io::Write as _;

use lastmeter_apps::outage::{Report, Sign};
use lastmeter_units::SimTime;
use serde_json::{Value, json};

#[path = "../tests/outage/storms.rs"]
mod storms;

use storms::{Storm, at, storm};

fn seconds(instant: SimTime) -> f64 {
    (instant - at(0.0)).as_seconds_f64()
}

fn line(number: u64, storm: &Storm) -> Value {
    let nodes = storm.network.sources.iter().map(|it| it.node.0);
    let branches = storm
        .branches
        .iter()
        .map(|it| json!([it.kind, it.name, it.from, it.to, it.phases.to_string()]));
    let loads = storm
        .network
        .loads
        .iter()
        .map(|it| json!([it.name, it.connection.node.0, it.connection.wires.to_string()]));
    let meters = storm.meters.iter().map(|it| json!([it.id, it.load, it.is_equipped]));
    let faults = storm.faults.iter().map(|it| {
        let branch = &storm.branches[it.place];
        json!([branch.kind, branch.name, it.phases.to_string(), it.from, it.until])
    });
    let signs = storm.signs.iter().map(|(at, meter, sign, date)| {
        let sign = match sign {
            Sign::Gasp(_) => "gasp",
            Sign::PowerUp => "power-up",
            Sign::Reading => "reading",
            Sign::Missing => "missing",
            Sign::Answer => "answer",
            Sign::Unanswered => "unanswered",
        };
        json!([seconds(*at), storm.meters[*meter].id, sign, seconds(*date)])
    });
    let report = |(at, it): &(SimTime, Report)| {
        let area = |area: &lastmeter_apps::outage::FoundArea| {
            json!([area.kind.word(), area.name, area.phases.to_string()])
        };
        json!({
            "at": seconds(*at), "number": it.number, "state": it.state.word(),
            "areas": it.areas.iter().map(area).collect::<Vec<_>>(), "expected": it.expected,
            "contradicted": it.contradicted, "restored": it.restored,
        })
    };
    json!({
        "storm": number, "sources": nodes.collect::<Vec<_>>(),
        "branches": branches.collect::<Vec<_>>(),
        "loads": loads.collect::<Vec<_>>(), "meters": meters.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(), "signs": signs.collect::<Vec<_>>(),
        "reports": storm.run().iter().map(report).collect::<Vec<_>>(),
    })
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for number in 0..50 {
        writeln!(out, "{}", line(number, &storm(number)))?;
    }
    Ok(())
}
