//! Commands of people and programs: called off, and given to many devices at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, Resource, Subject, Target};
use lastmeter_model::document::{Document, DocumentKind, kind_of_code};
use lastmeter_model::entity::{Batch, Body, CommandCall, ScheduledCommand, Targets, read};
use lastmeter_model::invocation::{InvocationId, StoredInvocation};
use lastmeter_store::Page;
use lastmeter_units::HardwareId;
use serde_json::{Value, json};

use super::documents::Repeatable;
use super::{Caller, documents};
use crate::commands::{ELEMENTS_MAX, PART_MAX};
use crate::problem::Problem;

/// The last commands of a device among which the one of a batch is looked for.
const LOOKED_AT: Page = Page { offset: 0, limit: 100 };

/// Calls off a command that nobody has answered yet.
pub(crate) async fn cancel(
    caller: &Caller,
    stored: StoredInvocation,
) -> Result<StoredInvocation, Problem> {
    let target = Target::Device(stored.hardware_id.clone());
    let on = Resource::new(Kind::Invocation, &caller.tenant.name, Subject::One(&target));
    let id = stored.row.id;
    caller.require(Action::Command, &on, || unknown(id))?;
    match caller.tenant.dispatcher.cancel(id).await? {
        Some((ended, true)) => Ok(ended),
        Some((ended, false)) => {
            let detail = format!("the command has ended: `{}`", ended.row.state);
            Err(Problem::new(StatusCode::CONFLICT, "command_has_ended", detail))
        }
        None => Err(unknown(id)),
    }
}

/// The answer to an invocation that there is not.
fn unknown(id: InvocationId) -> Problem {
    Problem::not_found("unknown_invocation", format!("there is no invocation `{id}`"))
}

/// Makes a batch: the devices of its target are those of now.
pub(crate) async fn make_batch(
    caller: &Caller,
    token: Option<String>,
    (call, target): (&CommandCall, &Targets),
    repeatable: Option<Repeatable>,
) -> Result<Arc<Document>, Problem> {
    let tenant = &caller.tenant;
    let devices = tenant.dispatcher.devices_of(target, tenant.clock.now());
    if devices.is_empty() || devices.len() > ELEMENTS_MAX {
        let detail = format!(
            "the batch is for {} devices, expected 1 to {ELEMENTS_MAX}; what it names may be empty",
            devices.len()
        );
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_body", detail));
    }
    for device in &devices {
        let asked = Target::Device(device.clone());
        let on = Resource::new(Kind::Batch, &tenant.name, Subject::One(&asked));
        let hidden = || {
            let detail = format!("there is no device `{device}`");
            Problem::not_found("unknown_device", detail)
        };
        caller.require(Action::Command, &on, hidden)?;
        if tenant.devices.row(device).is_none() {
            return Err(hidden());
        }
        let parameters = &call.parameter_values.0;
        tenant.dispatcher.check(device, call.command_token.as_str(), parameters)?;
    }
    let body = json!({ "command": call, "target": target, "elements": devices });
    let hidden = || Problem::not_found("no_such_path", "there are no batches");
    let kind = kind_of_code(Batch::CODE).ok_or_else(hidden)?;
    let made = documents::make_permitted(caller, kind, (token, body), repeatable).await?;
    // Its commands are on their way when this is answered.
    tenant.dispatcher.make_due(tenant.clock.now()).await?;
    Ok(made)
}

/// Checks that the devices of a schedule, if that is what a body is of, have its command.
pub(super) fn check_schedule(
    caller: &Caller,
    kind: &DocumentKind,
    body: &Value,
) -> Result<(), Problem> {
    if kind.code != ScheduledCommand::CODE {
        return Ok(());
    }
    let schedule: ScheduledCommand = read(body)?;
    let dispatcher = &caller.tenant.dispatcher;
    let (name, given) = (&schedule.command.command_token, &schedule.command.parameter_values.0);
    for device in dispatcher.devices_of(&schedule.target, caller.tenant.clock.now()) {
        dispatcher.check(&device, name.as_str(), given)?;
    }
    Ok(())
}

/// How the commands of a batch stand: how many there are in each state, those that are not made yet
/// as `Waiting`.
pub(crate) async fn counts(
    caller: &Caller,
    token: &str,
    batch: &Batch,
) -> Result<BTreeMap<String, u64>, Problem> {
    let made = batch.elements.get(..batch.cursor as usize).unwrap_or_default();
    let mut counts = BTreeMap::new();
    let mut count = |state: String, n: u64| *counts.entry(state).or_insert(0) += n;
    for part in made.chunks(PART_MAX) {
        // The commands of a part are numbered one after the other.
        let mut first = None;
        for device in part {
            first = invocation_of(caller, token, device).await?;
            if first.is_some() {
                break;
            }
        }
        let Some(InvocationId(first)) = first else { continue };
        for id in (first..).take(part.len()).map(InvocationId) {
            // Behind the last one there may be none.
            let Ok(one) = caller.invocation(id, || unknown(id)).await else { break };
            if is_of(&one, token) {
                count(one.row.state.to_string(), 1);
            }
        }
    }
    let waiting = batch.elements.len() - made.len();
    if waiting > 0 {
        count("Waiting".to_owned(), waiting as u64);
    }
    Ok(counts)
}

/// The command of a batch to a device.
async fn invocation_of(
    caller: &Caller,
    token: &str,
    device: &HardwareId,
) -> Result<Option<InvocationId>, Problem> {
    let Some(row) = caller.tenant.devices.find(device.as_str()) else { return Ok(None) };
    let permit = caller.of_device(Kind::Invocation, Some(device), || unknown(InvocationId(0)))?;
    let (_, last) = caller.tenant.readers.invocations_of(&permit, &row, LOOKED_AT).await?;
    Ok(last.iter().find(|one| is_of(one, token)).map(|one| one.row.id))
}

fn is_of(one: &StoredInvocation, batch: &str) -> bool {
    one.row.asked.metadata.get("batch").is_some_and(|of| of == batch)
}

/// A batch as clients see it.
pub(crate) async fn shown(caller: &Caller, document: &Document) -> Result<Value, Problem> {
    let mut shown = documents::shown(document);
    if let Ok(batch) = serde_json::from_str::<Batch>(&document.body) {
        shown["counts"] = json!(counts(caller, &document.token, &batch).await?);
    }
    Ok(shown)
}
