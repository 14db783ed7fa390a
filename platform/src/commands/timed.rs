//! Commands that nobody waits for: those of schedules when they are due, and those of batches a
//! part after another.
//!
//! Both are documents. What is made of one and how far it has come are one transaction, so that a
//! crash in between makes nothing twice; when something is due follows from the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastmeter_model::access::{
    Action, Decision, Facts as _, Kind, PrincipalRef, Resource, Subject, Target, may,
};
use lastmeter_model::document::{Document, DocumentKind, Edit, Expect, Transaction, kind_of_code};
use lastmeter_model::entity::{Batch, Body, CommandCall, ScheduledCommand, Targets};
use lastmeter_model::facts::DocumentFacts;
use lastmeter_model::invocation::NewInvocation;
use lastmeter_model::work::Change;
use lastmeter_units::{HardwareId, SimTime};
use serde_json::{Value, json};

use super::dispatcher::{Dispatcher, InvokeError, Outstanding};

/// Commands of a batch that one transaction makes.
pub(crate) const PART_MAX: usize = 256;
/// The devices of one batch at most.
pub(crate) const ELEMENTS_MAX: usize = 100_000;

impl Dispatcher {
    fn facts(&self) -> DocumentFacts<'_> {
        DocumentFacts { documents: &self.definitions.0, devices: &self.devices }
    }

    /// The devices of a target, at an instant.
    pub(crate) fn devices_of(&self, target: &Targets, at: SimTime) -> BTreeSet<HardwareId> {
        let members = |target: Target| {
            let members = self.facts().members(&target).into_iter();
            members.filter(|(_, span)| span.contains(at)).map(|(device, _)| device).collect()
        };
        match target {
            Targets::Device(id) => [id.clone()].into(),
            Targets::Devices(ids) => ids.iter().cloned().collect(),
            Targets::Group(token) => members(Target::Group(token.to_string())),
            Targets::Zone(token) => members(Target::Zone(token.to_string())),
        }
    }

    /// The schedules, with the instant at which each is due next.
    fn schedules(&self) -> Vec<(SimTime, Document, ScheduledCommand)> {
        let Some(kind) = kind_of::<ScheduledCommand>() else { return Vec::new() };
        let one = |(token, body): (String, Arc<ScheduledCommand>)| {
            let document = self.definitions.0.find(kind, &token)?;
            let since = body.last_due.unwrap_or(document.created);
            let next = body.schedule.next_after(since).filter(|_| !body.disabled)?;
            Some((next, (*document).clone(), (*body).clone()))
        };
        self.definitions.0.bodies::<ScheduledCommand>().into_iter().filter_map(one).collect()
    }

    /// The next instant at which a schedule is due, if it is by `until`.
    pub(crate) fn next_due(&self, until: SimTime) -> Option<SimTime> {
        let next = self.schedules().into_iter().map(|(next, ..)| next).min();
        next.filter(|next| *next <= until)
    }

    /// Makes the commands of schedules that are due, and the parts of batches. Returns whether
    /// anything was done.
    pub(crate) async fn make_due(&self, now: SimTime) -> Result<bool, InvokeError> {
        let mut is_any = false;
        let due = self.schedules().into_iter().filter(|(next, ..)| *next <= now);
        for (_, document, body) in due {
            let since = body.last_due.unwrap_or(document.created);
            let Some(at) = body.schedule.due(since, now) else { continue };
            let devices: Vec<_> = self.devices_of(&body.target, at).into_iter().collect();
            let mut edited = value_of(&document);
            edited["lastDue"] = json!(at);
            let mut edits = vec![edit(&document, edited)];
            let mut invocations = Vec::new();
            if devices.len() <= PART_MAX {
                invocations = self.invocations(&document, &body.command, &devices);
            } else {
                let devices = &devices[..devices.len().min(ELEMENTS_MAX)];
                edits.extend(batch_of(&body, devices, &document.token));
            }
            is_any |= self.carry_out(&document.by, edits, invocations).await?;
        }
        while self.make_parts().await? {
            is_any = true;
        }
        Ok(is_any)
    }

    /// Makes the next part of each batch that is not at its end; whether there was any.
    async fn make_parts(&self) -> Result<bool, InvokeError> {
        let Some(kind) = kind_of::<Batch>() else { return Ok(false) };
        let mut is_any = false;
        for (token, body) in self.definitions.0.bodies::<Batch>() {
            let left = body.elements.get(body.cursor as usize..).unwrap_or_default();
            let Some(document) = self.definitions.0.find(kind, &token) else { continue };
            if left.is_empty() {
                continue;
            }
            let part = &left[..left.len().min(PART_MAX)];
            let invocations = self.invocations(&document, &body.command, part);
            let mut edited = value_of(&document);
            edited["cursor"] = json!(body.cursor as usize + part.len());
            let edits = vec![edit(&document, edited)];
            is_any |= self.carry_out(&document.by, edits, invocations).await?;
        }
        Ok(is_any)
    }

    /// The commands of a schedule or a batch to those devices to which who made it may give them,
    /// and which have such a command.
    fn invocations(
        &self,
        of: &Document,
        call: &CommandCall,
        devices: &[HardwareId],
    ) -> Vec<NewInvocation> {
        let (created, expires) = self.lifetime(self.expiry_s);
        let name = call.command_token.as_str();
        let parameters = &call.parameter_values.0;
        let one = |device: &HardwareId| {
            let row = self.devices.row(device)?;
            let command = self.definitions.find(device, name)?;
            command.arguments(parameters).ok()?;
            self.may_command(&of.by, device).then(|| NewInvocation {
                device: row,
                command: name.to_owned(),
                parameters: parameters.clone(),
                initiator: if of.kind.code == Batch::CODE { "BatchOperation" } else { "Scheduler" }
                    .to_owned(),
                initiator_id: of.by.clone(),
                metadata: BTreeMap::from([(of.kind.name.to_owned(), of.token.clone())]),
                created,
                expires,
            })
        };
        devices.iter().filter_map(one).collect()
    }

    fn may_command(&self, by: &str, device: &HardwareId) -> bool {
        let Ok(by) = by.parse::<PrincipalRef>() else { return false };
        if by == PrincipalRef::Bench {
            return true;
        }
        let Some(who) = self.facts().principal(&self.tenant, &by) else { return false };
        let target = Target::Device(device.clone());
        let on = Resource::new(Kind::Invocation, &self.tenant, Subject::One(&target));
        let now = self.clock.now();
        matches!(may(&who, Action::Command, &on, &self.facts(), now), Decision::Yes(_))
    }

    /// Stores commands with what they come from, and sends them; whether that could be done.
    async fn carry_out(
        &self,
        by: &str,
        edits: Vec<Edit>,
        invocations: Vec<NewInvocation>,
    ) -> Result<bool, InvokeError> {
        let expires = invocations.first().map(|one| one.expires);
        let to: BTreeSet<_> =
            invocations.iter().filter_map(|one| self.devices.hardware_id(one.device)).collect();
        let by = by.to_owned();
        let transaction = Transaction { by, edits, invocations, ..Transaction::default() };
        // Where somebody changed it meanwhile it is looked at again.
        let changed = self.change(Change::Apply(Box::new(transaction))).await?;
        for (id, expires) in changed.invocations.into_iter().zip(expires.into_iter().cycle()) {
            self.clock.schedule(expires, id);
        }
        for device in to {
            self.send(Some(&device), Outstanding::Pending).await?;
        }
        Ok(changed.changed)
    }
}

fn kind_of<T: Body>() -> Option<&'static DocumentKind> {
    kind_of_code(T::CODE)
}

fn value_of(document: &Document) -> Value {
    serde_json::from_str(&document.body).unwrap_or_default()
}

fn edit(document: &Document, body: Value) -> Edit {
    let (token, expect) = (Some(document.token.clone()), Expect::Version(document.version));
    Edit { kind: document.kind, token, expect, body: Some(body) }
}

/// The batch that a schedule with many devices makes.
fn batch_of(schedule: &ScheduledCommand, devices: &[HardwareId], token: &str) -> Option<Edit> {
    let body = json!({
        "command": schedule.command,
        "target": schedule.target,
        "elements": devices,
        "scheduleToken": token,
    });
    let kind = kind_of::<Batch>()?;
    Some(Edit { kind, token: None, expect: Expect::New, body: Some(body) })
}
