//! Reports that are asked for, and what the services do again and again. What a report is made of
//! is the services' (`lastmeter_services`).

use std::sync::Arc;

use lastmeter_model::access::{Action, Kind, Resource, Subject};
use lastmeter_model::calendar::Zone;
use lastmeter_model::document::Document;
use lastmeter_model::entity::{Body as _, ReportPlan, TenantSettings, report_token};
use lastmeter_services::Task;
use lastmeter_units::SimTime;

use super::Caller;
use super::documents;
use crate::problem::{Problem, wrong};
use crate::tenant::Tenant;

/// What a report that somebody asks for counts of what they may write in a day.
const REPORT_BYTES: u64 = 64 << 10;

/// The calendar of a tenant.
pub(crate) fn calendar(tenant: &Tenant) -> Zone {
    let settings = tenant.documents.bodies::<TenantSettings>().into_iter().next();
    settings.map_or_else(Zone::utc, |(_, settings)| settings.time_zone.clone())
}

/// Asks for the report of the period that an instant lies in: the plan, and the token of what will
/// be made.
///
/// # Errors
/// 401, 403 or 404 as for any document; 422 for a period that is not over.
pub(crate) async fn run(
    caller: &Caller,
    token: &str,
    at: SimTime,
) -> Result<(Arc<Document>, String), Problem> {
    let kind = ReportPlan::kind();
    let zone = calendar(&caller.tenant);
    let period = |document: &Document| {
        let plan: ReportPlan = serde_json::from_str(&document.body).ok()?;
        let period = plan.period.around(&zone, at)?;
        (period.until <= caller.tenant.clock.now()).then_some((plan, period))
    };
    caller.count_written(REPORT_BYTES)?;
    // Another version is one more run, even of the same period.
    let plan = documents::edit(caller, kind, token, |document| {
        let (mut plan, _) = period(document)?;
        plan.ask(document.version + 1, at);
        serde_json::to_value(plan).ok()
    })
    .await?;
    match period(&plan) {
        Some((_, period)) => {
            let report = report_token(&plan.token, &zone, period.from);
            Ok((plan, report))
        }
        None => Err(wrong("at", "expected an instant of a period that is over")),
    }
}

/// What services do again and again, as far as it may be known: what is done for plans by who may
/// read them, what is done for zones by who reads aggregates.
///
/// # Errors
/// 401 for nobody.
pub(crate) async fn tasks(caller: &Caller) -> Result<Vec<(&'static str, Task)>, Problem> {
    let on = |kind| Resource::new(kind, &caller.tenant.name, Subject::List);
    caller.require(Action::Read, &on(Kind::Account), Problem::nothing)?;
    let reads_all = caller.may_all(Action::Read, &on(Kind::Aggregate));
    let is_known = |task: &Task| {
        let (kind, token) = &task.of;
        match kind.code {
            ReportPlan::CODE => documents::readable(caller, kind, token).is_some(),
            _ => reads_all,
        }
    };
    let mut tasks = caller.tenant.services.tasks().await;
    tasks.retain(|(_, task)| is_known(task));
    Ok(tasks)
}
