//! Reports: what was made of periods, asking for one, and what is done again and again. Plans are
//! documents like others.

use axum::Json;
use axum::http::StatusCode;
use lastmeter_model::entity::Report;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::devices::List;
use super::documents::{DocumentJson, history_of, list_of, one_of};
use super::extract::{Body, Call};
use super::openapi::Instant;
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes, schema};
use super::{Answer, Made};
use crate::ops::reports;

const TOKEN: Parameter = Parameter::text(
    "token",
    "the report's token: that of its plan, and the first date of its period",
)
.example("plan-1-2027-01-17");
const PLAN: Parameter = Parameter::text("token", "the plan's token").example("plan-1");

routes! {
    "reports" {
        Get "/api/v1/reports" => list_of::<Report>: "Reports that may be read, by token",
            Within(Report, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Get "/api/v1/reports/{token}" => one_of::<Report>: "A report in its last version",
            Within(Report, Read), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [500];
        Get "/api/v1/reports/{token}/history" => history_of::<Report>:
            "Its versions, newest first",
            Within(Report, Read), [TOKEN, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/report-plans/{token}/run" => run:
            "Has the report of a period that is over made now, in a new version if there is one",
            Within(ReportPlan, Write), [PLAN], takes schema::<RunJson>,
            gives Gives::json::<RunningJson>(202), refuses [409, 500, 507];
        Get "/api/v1/tasks" => tasks: "What is done again and again, and how it stands",
            Within(Account, Read), [], gives Gives::json::<TasksJson>(200), refuses [500];
    }
}

/// Of which period.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RunReport", extend("examples" = [{ "at": "2027-01-17T12:00:00Z" }]))]
struct RunJson {
    /// An instant of the period.
    #[schemars(with = "Instant")]
    at: SimTime,
}

/// What will be made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReportAsked")]
struct RunningJson {
    /// The token of the report.
    report: String,
}

/// Tasks of the tenant.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tasks")]
struct TasksJson {
    results: Vec<TaskJson>,
}

/// Something that is done again and again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Task")]
struct TaskJson {
    /// The service that does it.
    service: &'static str,
    /// The kind of the document that it is done for.
    kind: &'static str,
    /// The document's token.
    token: String,
    name: String,
    /// How often.
    period: &'static str,
    #[schemars(with = "Option<Instant>")]
    last: Option<SimTime>,
    #[schemars(with = "Option<Instant>")]
    next: Option<SimTime>,
    /// `waiting`, `asking`, or how the last one ended.
    state: &'static str,
}

/// `POST /api/v1/report-plans/{token}/run`
async fn run(call: Call, Body(asked): Body<RunJson>) -> Made<RunningJson> {
    let (_, report) = reports::run(&call.caller(), &call.variable, asked.at).await?;
    Ok((StatusCode::ACCEPTED, Json(RunningJson { report })))
}

/// `GET /api/v1/tasks`
async fn tasks(call: Call) -> Answer<TasksJson> {
    let tasks = reports::tasks(&call.caller()).await?;
    let one = |(service, task): (&'static str, lastmeter_services::Task)| {
        let (kind, token) = task.of;
        let lastmeter_services::Task { name, period, last, next, state, .. } = task;
        TaskJson { service, kind: kind.name, token, name, period, last, next, state }
    };
    Ok(Json(TasksJson { results: tasks.into_iter().map(one).collect() }))
}
