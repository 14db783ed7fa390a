//! Sources outside that the platform reads: how each stands, and reading one now.

use serde_json::{Value, json};

use super::frame::Answered;
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::config::Becomes;
use crate::outgoing::Connection;
use crate::problem::Problem;

/// `GET /admin/connections`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let all = viewer.tenant().outgoing.connections();
    let rows: Vec<Value> = all.iter().map(|one| row(&viewer, one)).collect();
    Ok(View::new("connections.html", json!({ "rows": rows })).into())
}

fn row(viewer: &Viewer, one: &Connection) -> Value {
    let state = one.state();
    let into = match &one.into {
        Becomes::Feed { token, .. } => format!("feed {token}"),
        Becomes::Assets { .. } => "assets".to_owned(),
    };
    json!({
        "name": one.name,
        "kind": one.kind.doc,
        "into": into,
        "when": state.read.map(|at| viewer.times.clock(at)),
        "failure": state.failure,
        "count": state.rows,
        "changed": state.changed,
        "refused": state.refused,
        "path": format!("/admin/connections/{}/read", in_address(&one.name)),
    })
}

/// `POST /admin/connections/{id}/read`: what came of it stands on the page.
pub(super) async fn read(viewer: Viewer) -> Answered {
    let outgoing = &viewer.tenant().outgoing;
    let found = outgoing.connections().iter().find(|one| one.name == viewer.variable);
    outgoing.read(found.ok_or_else(Problem::nothing)?).await?;
    Ok(way("/admin/connections"))
}
