//! Batches: one command to many devices, so many at a time.
//!
//! The devices are frozen in a document of their own when a batch is made. How far it is stands in
//! its document, which changes in the commit that makes the next invocations: each device is
//! commanded once, whenever the platform is killed. What is under way is found again from there,
//! and from the commands of the devices that came last.

use std::collections::BTreeMap;

use lastmeter_model::access::{Facts as _, Permit, PrincipalRef, Target};
use lastmeter_model::document::{Document, Edit, Expect, Transaction};
use lastmeter_model::entity::{
    Batch, BatchElements, Body as _, CommandCall, ELEMENTS_MAX, Targets, UNDER_WAY_MAX,
};
use lastmeter_model::invocation::{InvocationId, InvocationState};
use lastmeter_store::Page;
use lastmeter_units::{HardwareId, SimTime};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::schedules::invocation;
use super::{Dispatcher, InvokeError};

/// What initiates the invocations of a batch.
const INITIATOR: &str = "BatchOperation";
/// Invocations that are read in one go.
const ROUND_MAX: usize = 100;

/// A batch that is not done, in memory.
struct Running {
    elements: Vec<HardwareId>,
    /// Invocations that have not been counted.
    under_way: Vec<(HardwareId, InvocationId)>,
}

/// The batches that are not done.
#[derive(Default)]
pub(crate) struct Batches(tokio::sync::Mutex<BTreeMap<String, Running>>);

/// The devices that are in a group or zone now, or the listed ones, in their order and each once.
pub(crate) fn devices(at: &Dispatcher, target: &Targets) -> Vec<HardwareId> {
    let now = at.clock.now();
    let members = |of: Target| {
        let members = at.facts().members(&of).into_iter();
        members.filter(|(_, span)| span.contains(now)).map(|(device, _)| device).collect()
    };
    let mut devices: Vec<HardwareId> = match target {
        Targets::Device(device) => vec![device.clone()],
        Targets::Group(token) => members(Target::Group(token.to_string())),
        Targets::Zone(token) => members(Target::Zone(token.to_string())),
        Targets::Devices(devices) => devices.clone(),
    };
    devices.sort_unstable();
    devices.dedup();
    devices.truncate(ELEMENTS_MAX + 1);
    devices
}

/// Keeps the devices of a batch; returns the token of their document.
pub(crate) async fn keep(at: &Dispatcher, devices: &[HardwareId]) -> Result<String, InvokeError> {
    let body = json!({ "elements": devices });
    // The same devices are the same document.
    let hash = Sha256::digest(body.to_string());
    let half = hash.first_chunk().copied().unwrap_or_default();
    let token = format!("{:032x}", u128::from_be_bytes(half));
    let (kind, expect) = (BatchElements::kind(), Expect::Anything);
    let edit = Edit { kind, token: Some(token.clone()), expect, body: Some(body) };
    let kept = at.apply(Transaction::of("batches".to_owned(), vec![edit])).await?;
    kept.limit.map_or(Ok(token), |limit| Err(InvokeError::NoRoom(limit)))
}

/// The body of a new batch.
pub(crate) fn body(
    (by, call): (&PrincipalRef, &CommandCall),
    (target, schedule): (Option<&Targets>, Option<&str>),
    (elements, size): (&str, usize),
) -> Value {
    let mut body = json!({
        "command": call, "elementsToken": elements, "size": size, "by": by.to_string(),
    });
    // A list is in the elements.
    if let Some(target) = target.filter(|target| !matches!(target, Targets::Devices(_))) {
        body["target"] = json!(target);
    }
    if let Some(schedule) = schedule {
        body["scheduleToken"] = json!(schedule);
    }
    body
}

/// The edit that makes a batch of a schedule.
pub(super) async fn edit(
    at: &Dispatcher,
    (by, call): (PrincipalRef, CommandCall),
    mut devices: Vec<HardwareId>,
    (target, schedule): (&Targets, Option<String>),
) -> Result<Edit, InvokeError> {
    devices.retain(|device| at.devices.row(device).is_some());
    devices.truncate(ELEMENTS_MAX);
    let elements = keep(at, &devices).await?;
    let of = (Some(target), schedule.as_deref());
    let body = body((&by, &call), of, (&elements, devices.len()));
    Ok(Edit { kind: Batch::kind(), token: None, expect: Expect::New, body: Some(body) })
}

/// Has all batches go on as far as they may.
pub(crate) async fn go_on(at: &Dispatcher) -> Result<(), InvokeError> {
    let open = at.definitions.0.bodies_with::<Batch>("state", "open");
    if open.is_empty() {
        return Ok(());
    }
    let mut running = at.batches.0.lock().await;
    for (token, _) in open {
        let Some(document) = at.definitions.0.find(Batch::kind(), &token) else { continue };
        if step(at, &document, &mut running).await? {
            running.remove(&token);
        }
    }
    Ok(())
}

/// One step of a batch; whether it is done.
async fn step(
    at: &Dispatcher,
    document: &Document,
    all: &mut BTreeMap<String, Running>,
) -> Result<bool, InvokeError> {
    let Some(batch) = at.definitions.0.body::<Batch>(&document.token) else { return Ok(true) };
    let running = load(at, (&document.token, &batch), all).await?;
    if batch.cancelled {
        let ids: Vec<_> = running.under_way.iter().map(|(_, id)| *id).collect();
        at.cancel(&ids).await?;
    }
    // What has ended makes room for as many more, once half of it has.
    let (open, ended): (Vec<_>, Vec<_>) = running
        .under_way
        .iter()
        .cloned()
        .partition(|(device, id)| at.devices.is_open(device, Some(*id)));
    let left = if batch.cancelled { 0 } else { (batch.size - batch.cursor) as usize };
    let is_room = open.len() * 2 <= UNDER_WAY_MAX;
    let count = if is_room { left.min(UNDER_WAY_MAX - open.len()) } else { 0 };
    if count == 0 && !(left == 0 && open.is_empty()) {
        return Ok(false);
    }
    let mut after = (*batch).clone();
    for state in states(at, &ended).await? {
        after.count(state);
    }
    let first = batch.cursor as usize;
    let (mut devices, mut invocations) = (Vec::new(), Vec::new());
    for device in running.elements.iter().skip(first).take(count) {
        let origin = (INITIATOR, document.token.as_str());
        match invocation(at, &batch.by, device, &batch.command, origin) {
            Ok(asked) => {
                devices.push(device.clone());
                invocations.push(asked);
            }
            Err(_) => after.count(InvocationState::Failed),
        }
    }
    after.cursor += count as u32;
    after.last = count as u32;
    after.under_way = open.iter().map(|(_, id)| id.0).collect();
    let expires: Vec<SimTime> = invocations.iter().map(|asked| asked.expires).collect();
    let is_done = after.is_done();
    let edits = vec![Edit::of(document, serde_json::to_value(&after).ok())];
    let change = Transaction::of(document.by.clone(), edits);
    let changed = at.apply(Transaction { invocations, ..change }).await?;
    if changed.conflict.is_some() || changed.limit.is_some() {
        return Ok(false);
    }
    running.under_way = open;
    for ((device, id), expires) in devices.into_iter().zip(changed.invocations).zip(expires) {
        at.made(&device, id, expires);
        running.under_way.push((device, id));
    }
    Ok(is_done)
}

/// A batch in memory, found again after a start.
async fn load<'a>(
    at: &Dispatcher,
    (token, batch): (&str, &Batch),
    all: &'a mut BTreeMap<String, Running>,
) -> Result<&'a mut Running, InvokeError> {
    if !all.contains_key(token) {
        let of = batch.elements_token.to_string();
        let kept = at.readers.document(BatchElements::kind(), of, None).await?;
        let read = kept.and_then(|kept| serde_json::from_str::<BatchElements>(&kept.body).ok());
        let elements = read.map(|read| read.elements).unwrap_or_default();
        let mut under_way = Vec::new();
        for ids in batch.under_way.chunks(ROUND_MAX) {
            let ids = ids.iter().copied().map(InvocationId).collect();
            let rows = at.readers.invocations(ids).await?.into_iter();
            under_way.extend(rows.map(|one| (one.hardware_id, one.row.id)));
        }
        let (first, last) = (batch.cursor - batch.last, batch.last);
        for device in elements.iter().skip(first as usize).take(last as usize) {
            if let Some(id) = find(at, device, token).await? {
                under_way.push((device.clone(), id));
            }
        }
        all.insert(token.to_owned(), Running { elements, under_way });
    }
    let unknown = || Running { elements: Vec::new(), under_way: Vec::new() };
    Ok(all.entry(token.to_owned()).or_insert_with(unknown))
}

/// The invocation of a batch that a device has.
async fn find(
    at: &Dispatcher,
    device: &HardwareId,
    token: &str,
) -> Result<Option<InvocationId>, InvokeError> {
    let Some(row) = at.devices.row(device) else { return Ok(None) };
    let all = Permit::whole_tenant().cut(device);
    let mut page = Page { offset: 0, limit: ROUND_MAX as u32 };
    loop {
        let (count, rows) = at.readers.invocations_of(row, page, all.clone()).await?;
        let found = rows.iter().find(|one| {
            let asked = &one.row.asked;
            asked.initiator == INITIATOR && asked.initiator_id == token
        });
        if let Some(found) = found {
            return Ok(Some(found.row.id));
        }
        page.offset += u64::from(page.limit);
        if page.offset >= count {
            return Ok(None);
        }
    }
}

async fn states(
    at: &Dispatcher,
    of: &[(HardwareId, InvocationId)],
) -> Result<Vec<InvocationState>, InvokeError> {
    let mut states = Vec::new();
    for round in of.chunks(ROUND_MAX) {
        let ids = round.iter().map(|(_, id)| *id).collect();
        let rows = at.readers.invocations(ids).await?;
        states.extend(rows.into_iter().map(|one| one.row.state));
    }
    Ok(states)
}

/// The batch of a document with all of its invocations counted, those under way included.
pub(crate) async fn counted(at: &Dispatcher, document: &Document) -> Result<Batch, InvokeError> {
    let unreadable = |_| InvokeError::Door(format!("the batch `{}` is unreadable", document.token));
    let mut batch: Batch = serde_json::from_str(&document.body).map_err(unreadable)?;
    if !batch.is_done() {
        let mut all = at.batches.0.lock().await;
        // Those that are done meanwhile are counted in a later version.
        let newest = at.definitions.0.body::<Batch>(&document.token);
        if let Some(newest) = newest {
            batch = (*newest).clone();
        }
        if !batch.is_done() {
            let running = load(at, (&document.token, &batch), &mut all).await?;
            for state in states(at, &running.under_way).await? {
                batch.count(state);
            }
        }
    }
    Ok(batch)
}
