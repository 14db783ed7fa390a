//! Commands to a device, and to many: batches made, shown and cancelled.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, PrincipalRef, Resource, Subject, Target};
use lastmeter_model::document::{Document, DocumentKind};
use lastmeter_model::entity::{
    Batch, Body as _, CommandCall, ELEMENTS_MAX, Group, Metadata, ScheduledCommand, Targets, Zone,
    read,
};
use lastmeter_model::invocation::{NewInvocation, StoredInvocation};
use lastmeter_model::row::DeviceRow;
use lastmeter_units::HardwareId;
use serde_json::{Value, json};

use super::documents::{self, Repeatable, Request};
use super::{Caller, not_permitted};
use crate::commands::batches;
use crate::problem::Problem;

/// The longest time a command may stay open, seconds: a year.
pub(crate) const EXPIRY_S_MAX: f64 = 366.0 * 86_400.0;

/// A command as it is asked for.
pub(crate) struct Asked {
    /// Its token or name.
    pub(crate) command: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) metadata: BTreeMap<String, String>,
    /// Who or what asks, and which exactly, where that is not who sends the request.
    pub(crate) initiators: (Option<String>, Option<String>),
    /// After how many seconds it expires.
    pub(crate) expiry_s: f64,
}

/// Whether who asks, and sees commands of a device, may make and call off some.
///
/// # Errors
/// 401 or 403.
pub(crate) fn may_command(caller: &Caller, device: &HardwareId) -> Result<(), Problem> {
    let target = Target::Device(device.clone());
    let on = Resource::new(Kind::Invocation, &caller.tenant.name, Subject::One(&target));
    let hidden = || not_permitted(Action::Command, Kind::Invocation);
    caller.require(Action::Command, &on, hidden).map(drop)
}

/// Makes a command of a device that is seen: durable when this returns, and sent if the device is
/// there.
pub(crate) async fn invoke(
    caller: &Caller,
    device: &DeviceRow,
    asked: Asked,
) -> Result<StoredInvocation, Problem> {
    may_command(caller, &device.hardware_id)?;
    let expiry_s = asked.expiry_s;
    if !(expiry_s > 0.0 && expiry_s <= EXPIRY_S_MAX) {
        let detail = format!(
            "`expiresAfterSeconds` is {expiry_s}, expected more than 0 and at most {EXPIRY_S_MAX}"
        );
        return Err(Problem::bad_request("wrong_parameter", detail));
    }
    let dispatcher = &caller.tenant.dispatcher;
    let (created, expires) = dispatcher.lifetime(expiry_s);
    let mut metadata = asked.metadata;
    let (initiator, initiator_id) =
        caller.initiator(asked.initiators.0, asked.initiators.1, &mut metadata);
    let new = NewInvocation {
        device: device.id,
        command: asked.command,
        parameters: bounded("parameterValues", asked.parameters)?,
        initiator,
        initiator_id,
        metadata: bounded("metadata", metadata)?,
        created,
        expires,
    };
    Ok(dispatcher.invoke(&device.hardware_id, new).await?)
}

/// Texts of a command, of which there are no more than of a document: its device has to take them.
fn bounded(
    name: &str,
    texts: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Problem> {
    let wrong = |why: &str| {
        let detail = format!("`{name}`: {why}");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_body", detail)
    };
    Metadata::try_from(texts).map(|Metadata(texts)| texts).map_err(wrong)
}

/// How often a batch is cancelled that goes on meanwhile.
const ATTEMPTS: usize = 5;

/// A batch as it is asked for.
pub(crate) struct NewBatch {
    pub(crate) token: Option<String>,
    pub(crate) call: CommandCall,
    pub(crate) target: Targets,
    pub(crate) metadata: Value,
}

/// Makes a batch: the devices are those of now, each may be commanded and has the command.
pub(crate) async fn make(
    caller: &Caller,
    asked: NewBatch,
    repeatable: Option<Repeatable>,
) -> Result<Value, Problem> {
    let NewBatch { token, call, target, metadata } = asked;
    let tenant = &caller.tenant;
    let named = match &target {
        Targets::Group(token) => Some((Group::kind(), token)),
        Targets::Zone(token) => Some((Zone::kind(), token)),
        Targets::Device(_) | Targets::Devices(_) => None,
    };
    if let Some((kind, token)) = named {
        documents::one(caller, kind, token.as_str(), None).await?;
    }
    let mut devices = batches::devices(&tenant.dispatcher, &target);
    if !matches!(target, Targets::Devices(_)) {
        devices.retain(|device| tenant.devices.row(device).is_some());
    }
    if devices.len() > ELEMENTS_MAX {
        let detail = format!("more than {ELEMENTS_MAX} devices; make several batches");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_elements", detail));
    }
    for device in &devices {
        let unknown =
            || Problem::not_found("unknown_device", format!("there is no device `{device}`"));
        let of = Target::Device(device.clone());
        let on = Resource::new(Kind::Invocation, &tenant.name, Subject::One(&of));
        if tenant.devices.row(device).is_none() {
            return Err(unknown());
        }
        if !caller.may(Action::Command, &on) {
            let is_seen = caller.may(Action::Read, &on);
            let denied = || not_permitted(Action::Command, Kind::Invocation);
            return Err(if is_seen { denied() } else { unknown() });
        }
        let parameters = &call.parameter_values.0;
        tenant.dispatcher.check(device, call.command_token.as_str(), parameters)?;
    }
    let elements = batches::keep(&tenant.dispatcher, &devices).await?;
    let by = caller.who.first().map_or(PrincipalRef::Anonymous, |who| who.reference.clone());
    let size = (elements.as_str(), devices.len());
    let mut body = batches::body((&by, &call), (Some(&target), None), size);
    body["metadata"] = metadata;
    if let Some(token) = &token {
        documents::check_token(Batch::kind(), token)?;
    }
    let (kind, document) = (Batch::kind(), (token, body));
    let made = documents::make_with(caller, kind, document, repeatable, Vec::new()).await?;
    shown(caller, &made).await
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
    let (name, given) = (&schedule.command.command_token, &schedule.command.parameter_values.0);
    for device in batches::devices(&caller.tenant.dispatcher, &schedule.target) {
        caller.tenant.dispatcher.check(&device, name.as_str(), given)?;
    }
    Ok(())
}

/// A batch, with how many of its commands are in which state.
pub(crate) async fn one(caller: &Caller, token: &str) -> Result<Value, Problem> {
    let found = documents::one(caller, Batch::kind(), token, None).await?;
    shown(caller, &found).await
}

/// Makes no more commands of a batch, and ends those that are under way.
pub(crate) async fn cancel(caller: &Caller, token: &str) -> Result<Value, Problem> {
    for _ in 0..ATTEMPTS {
        let found = documents::one(caller, Batch::kind(), token, None).await?;
        let mut body = found.members();
        body.insert("cancelled".to_owned(), json!(true));
        let request = Request { token: None, version: Some(found.version), body: Some(body) };
        match documents::change(caller, Batch::kind(), token, request).await {
            Ok(changed) => return shown(caller, &changed).await,
            Err(problem) if problem.status() == StatusCode::CONFLICT => {}
            Err(problem) => return Err(problem),
        }
    }
    let detail = format!("it went on {ATTEMPTS} times meanwhile; send it again");
    Err(Problem::conflict("version_conflict", detail))
}

async fn shown(caller: &Caller, document: &Arc<Document>) -> Result<Value, Problem> {
    let batch = batches::counted(&caller.tenant.dispatcher, document).await?;
    let mut shown = documents::shown(document);
    shown["cursor"] = json!(batch.cursor);
    shown["counts"] = json!(batch.counts);
    shown["done"] = json!(batch.is_done());
    if let Value::Object(members) = &mut shown {
        for own in ["elementsToken", "underWay", "last"] {
            members.remove(own);
        }
    }
    Ok(shown)
}
