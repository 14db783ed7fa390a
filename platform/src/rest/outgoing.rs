//! What is told to others outside, and read of them: notifications, and connections to sources.

use axum::Json;
use lastmeter_model::entity::Notification;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::devices::List;
use super::documents::{DocumentJson, list_of, one_of};
use super::extract::Call;
use super::openapi::Instant;
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes};
use super::{Answer, Problem};
use crate::config::Becomes;
use crate::outgoing::Connection;

const TOKEN: Parameter =
    Parameter::text("token", "the notification's token, under which it is sent").example("x.a");
const NAME: Parameter =
    Parameter::text("name", "the connection's name in the settings").example("market");

routes! {
    "rules" {
        Get "/api/v1/notifications" => list_of::<Notification>:
            "Notifications that may be read, by token: those that wait, and those of 30 days",
            Within(Notification, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Get "/api/v1/notifications/{token}" => one_of::<Notification>:
            "One of them, with what became of it",
            Within(Notification, Read), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [500];
    }
    "operation" {
        Get "/api/v1/connections" => connections: "Sources outside, and how each stands",
            To(Settings, Read), [], gives Gives::json::<ConnectionsJson>(200), refuses [];
        Post "/api/v1/connections/{name}/read" => read: "Reads a source now",
            To(Settings, Write), [NAME], gives Gives::json::<ConnectionJson>(200), refuses [500];
    }
}

/// Sources of the tenant.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Connections")]
struct ConnectionsJson {
    results: Vec<ConnectionJson>,
}

/// A source outside.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Connection")]
struct ConnectionJson {
    /// Its name, which what comes of it carries as its origin.
    name: String,
    /// The kind of source.
    kind: &'static str,
    /// What its rows become: `feed:TOKEN` or `assets`.
    into: String,
    /// When it was read last since the start.
    #[schemars(with = "Option<Instant>")]
    read: Option<SimTime>,
    /// What was wrong then.
    failure: Option<String>,
    /// Rows that came then.
    rows: u64,
    /// Documents that it has changed since the start.
    changed: u64,
    /// Readings that failed and rows that were refused since the start.
    refused: u64,
}

impl From<&Connection> for ConnectionJson {
    fn from(one: &Connection) -> Self {
        let state = one.state();
        Self {
            name: one.name.clone(),
            kind: one.kind.name,
            into: match &one.into {
                Becomes::Feed { token, .. } => format!("feed:{token}"),
                Becomes::Assets { .. } => "assets".to_owned(),
            },
            read: state.read,
            failure: state.failure,
            rows: state.rows,
            changed: state.changed,
            refused: state.refused,
        }
    }
}

/// `GET /api/v1/connections`
async fn connections(call: Call) -> Answer<ConnectionsJson> {
    let results = call.tenant.outgoing.connections().iter().map(ConnectionJson::from).collect();
    Ok(Json(ConnectionsJson { results }))
}

/// `POST /api/v1/connections/{name}/read`
async fn read(call: Call) -> Answer<ConnectionJson> {
    let outgoing = &call.tenant.outgoing;
    let found = outgoing.connections().iter().find(|one| one.name == call.variable);
    let unknown = || {
        let text = lastmeter_model::refusal::shortened(&call.variable, 80);
        Problem::not_found("unknown_connection", format!("there is no connection `{text}`"))
    };
    let connection = found.ok_or_else(unknown)?;
    outgoing.read(connection).await?;
    Ok(Json(ConnectionJson::from(connection)))
}
