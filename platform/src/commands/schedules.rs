//! Schedules: invocations are made when they are due, in the commit that keeps for which instant.
//!
//! When one is due next follows from its documents, at the start and at each change, and is stored
//! nowhere. A change begins anew from its own instant; what was missed while the platform was away
//! is made good once.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_model::access::{Action, Kind, Principal, PrincipalRef, Resource, Subject, Target};
use lastmeter_model::document::{Document, Edit, Note, Transaction};
use lastmeter_model::entity::{Body as _, CommandCall, ScheduledCommand, Targets};
use lastmeter_model::invocation::NewInvocation;
use lastmeter_services::Read;
use lastmeter_units::{HardwareId, SimDuration, SimTime};

use super::{Dispatcher, InvokeError, batches};
use crate::access::{administrators, require};
use crate::clock::Timer;

/// How long a schedule waits that could not be served, as for lack of room.
const PAUSE: SimDuration = SimDuration(60_000_000_000);

/// A schedule, and since when it has not been looked at.
fn all(at: &Dispatcher) -> Vec<(Arc<Document>, ScheduledCommand, SimTime)> {
    let one = |document: Arc<Document>| {
        let body = at.definitions.0.body::<ScheduledCommand>(&document.token)?;
        let since = body.last_due.map_or(document.changed, |due| due.max(document.changed));
        (!body.disabled).then(|| (document, (*body).clone(), since))
    };
    at.definitions.0.all(ScheduledCommand::kind()).into_iter().filter_map(one).collect()
}

/// Has the clock serve the schedule that is due next, not before an instant.
pub(crate) fn plan(at: &Dispatcher, not_before: SimTime) {
    let next = |(_, body, since): (_, ScheduledCommand, _)| body.schedule.next_after(since);
    if let Some(due) = all(at).into_iter().filter_map(next).min() {
        at.clock.schedule(due.max(not_before), Timer::Schedules);
    }
}

/// Makes what is due by now.
pub(crate) async fn serve(at: &Dispatcher, now: SimTime) -> Result<(), InvokeError> {
    let mut not_before = SimTime(i64::MIN);
    for (document, body, since) in all(at) {
        let Some(due) = body.schedule.due(since, now) else { continue };
        if !make(at, &document, body, due).await? {
            not_before = now + PAUSE;
        }
    }
    plan(at, not_before);
    Ok(())
}

/// Makes what a schedule wants for an instant; whether that was done.
async fn make(
    at: &Dispatcher,
    document: &Document,
    mut body: ScheduledCommand,
    due: SimTime,
) -> Result<bool, InvokeError> {
    let by = document.by.parse().unwrap_or(PrincipalRef::Anonymous);
    let origin = ("Scheduler", document.token.as_str());
    let (mut invocations, mut notes, mut batch) = (Vec::new(), Vec::new(), None);
    if let Targets::Device(device) = &body.target {
        match invocation(at, &by, device, &body.command, origin) {
            Ok(asked) => invocations.push(asked),
            Err(outcome) => notes.push(Note {
                action: "command".to_owned(),
                resource: format!("schedule:{}", document.token),
                outcome,
            }),
        }
    } else {
        let devices = batches::devices(at, &body.target);
        let of = Some(document.token.clone());
        let call = (by, body.command.clone());
        batch = Some(batches::edit(at, call, devices, (&body.target, of)).await?);
    }
    body.last_due = Some(due);
    let edit = Edit::of(document, serde_json::to_value(&body).ok());
    let edits = std::iter::once(edit).chain(batch).collect();
    let change = Transaction::of(document.by.clone(), edits);
    let made = invocations.clone();
    let changed = at.apply(Transaction { invocations: made, notes, ..change }).await?;
    for (asked, id) in invocations.iter().zip(&changed.invocations) {
        if let Some(device) = at.devices.hardware_id(asked.device) {
            at.made(&device, *id, asked.expires);
        }
    }
    if let Some(limit) = changed.limit {
        let schedule = &document.token;
        tracing::warn!(schedule, limit, "a schedule is not served; the tenant is at its limit");
    }
    // Somebody else's change is planned by itself.
    Ok(changed.limit.is_none())
}

/// An invocation in somebody's name; otherwise why it may not be.
pub(super) fn invocation(
    at: &Dispatcher,
    by: &PrincipalRef,
    device: &HardwareId,
    call: &CommandCall,
    origin: (&str, &str),
) -> Result<NewInvocation, String> {
    let (name, parameters) = (call.command_token.as_str(), &call.parameter_values.0);
    let expiry_s = call.expires_after_seconds.map_or(at.expiry_s, Into::into);
    in_the_name_of(at, by, device, (name, parameters, expiry_s), origin)
}

/// An invocation of a command with arguments, that expires after so many seconds.
pub(crate) fn in_the_name_of(
    at: &Dispatcher,
    by: &PrincipalRef,
    device: &HardwareId,
    (name, parameters, expiry_s): (&str, &BTreeMap<String, String>, u32),
    (initiator, id): (&str, &str),
) -> Result<NewInvocation, String> {
    let row = at.devices.row(device).ok_or_else(|| "unknown_device".to_owned())?;
    if !may_command(at, by, device) {
        return Err("denied".to_owned());
    }
    let (created, expires) = at.lifetime(expiry_s.into());
    let command = at.check(device, name, parameters).map_err(|error| error.to_string())?;
    Ok(NewInvocation {
        device: row,
        command,
        parameters: parameters.clone(),
        initiator: initiator.to_owned(),
        initiator_id: id.to_owned(),
        metadata: [("by".to_owned(), by.to_string())].into(),
        created,
        expires,
    })
}

/// Whether somebody may command a device now.
fn may_command(at: &Dispatcher, by: &PrincipalRef, device: &HardwareId) -> bool {
    may(at, by, (Action::Command, Kind::Invocation), device)
}

/// Whether somebody is there, and may read now what effects rest on.
pub(crate) fn may_act(at: &Dispatcher, by: &PrincipalRef, reads: &[Read]) -> bool {
    let may_read = |read: &Read| match read {
        Read::Device(device) => may(at, by, (Action::Read, Kind::Series), device),
        Read::Feed(token) => {
            let feed = Target::Feed(token.clone());
            may_with(at, by, (Action::Read, Kind::Feed), Subject::One(&feed))
        }
        Read::Tariff(_) => may_with(at, by, (Action::Read, Kind::Tariff), Subject::Nothing),
    };
    !who(at, by).is_empty() && reads.iter().all(may_read)
}

/// What somebody is, as long as that is so.
fn who(at: &Dispatcher, by: &PrincipalRef) -> Vec<Principal> {
    match by {
        PrincipalRef::Bench => administrators(&at.tenant),
        _ => at.facts().principal(&at.tenant, by).into_iter().collect(),
    }
}

fn may(
    at: &Dispatcher,
    by: &PrincipalRef,
    (action, kind): (Action, Kind),
    device: &HardwareId,
) -> bool {
    let target = Target::Device(device.clone());
    may_with(at, by, (action, kind), Subject::One(&target))
}

fn may_with(
    at: &Dispatcher,
    by: &PrincipalRef,
    (action, kind): (Action, Kind),
    subject: Subject<'_>,
) -> bool {
    let who = who(at, by);
    let on = Resource::new(kind, &at.tenant, subject);
    require(&who, action, &on, &at.facts(), at.clock.now()).is_ok()
}
