//! The shell of `lastmeter-services`: feeds a tenant's services with what is committed, in the
//! order of instants, and commits their effects together with how far they have come. So after any
//! stop they go on from the last commit, and what they give then is what they would have given.
//!
//! On a driven clock they take part in moving it, an instant at a time; on the wall's they follow
//! what is committed, a little behind it. Where no document gives any of them something to do,
//! nothing is read.

mod asked;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::document::{Cursor, Edit, Expect, Note, Transaction};
use lastmeter_model::documents::Documents;
use lastmeter_model::entity::{Alarm, Body as _};
use lastmeter_model::invocation::{CAUSE, NewInvocation};
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::standing::Totals;
use lastmeter_services::{
    Input, Output, Query, Reorder, Row, SERVICES, Service, ServiceKind, Task,
};
use lastmeter_store::{Progress, StoreError, StoreReader, Stretch};
use lastmeter_units::{SimDuration, SimTime, TenantName};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::commands::{Dispatcher, InvokeError, schedules};
use crate::config::ClockSource;
use crate::live::{self, Watch};
use crate::metrics::Metrics;
use crate::reader::Reader;

/// How far behind the wall's clock rows are taken: devices of which rows come a little apart are in
/// the order of instants all the same.
const LATENESS: SimDuration = SimDuration(250_000_000);
/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 1_000;
/// Rows after which the place is kept, whatever they gave.
const ROWS_UNKEPT_MAX: usize = 1_000;
/// How often within an hour a service may fail before it is left out.
const FAILURES_MAX: usize = 3;
const HOUR: SimDuration = SimDuration(3_600_000_000_000);
/// How long to wait after an error.
const PAUSE: Duration = Duration::from_secs(1);
/// The name of the cursor of the place; those of snapshots follow it.
const PLACE: &str = "services";

/// What services work on, of a tenant.
#[derive(Clone)]
pub(crate) struct Core {
    pub(crate) name: TenantName,
    pub(crate) clock: Arc<Clock>,
    pub(crate) documents: Arc<Documents>,
    pub(crate) devices: Arc<DeviceDirectory>,
    pub(crate) readers: Reader,
    pub(crate) progress: Arc<Progress>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) metrics: Arc<Metrics>,
    /// Held by who changes documents.
    pub(crate) changing: Arc<tokio::sync::Mutex<()>>,
}

/// The services of a tenant.
pub(crate) struct Services {
    core: Core,
    running: tokio::sync::Mutex<Running>,
}

#[derive(Default)]
struct Running {
    /// None until they are built.
    machines: Vec<Machine>,
    is_built: bool,
    /// Whether any has something to do; else rows pass by.
    is_active: bool,
    /// Up to where rows have been read, or have passed by.
    place: Totals,
    reorder: Reorder,
    /// The instant of the last step.
    at: Option<SimTime>,
    /// Rows since the place was kept.
    unkept: usize,
    /// When services failed, by name.
    failures: BTreeMap<&'static str, Vec<SimTime>>,
}

struct Machine {
    kind: &'static ServiceKind,
    service: Box<dyn Service>,
    /// What it asks, by number.
    asks: Vec<(u64, Query)>,
    /// It has taken something since its snapshot was kept.
    is_dirty: bool,
}

/// How far they have come, as it is kept.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    is_active: bool,
    readings: u64,
    alerts: u64,
    /// Rows that were read and have not been given.
    waiting_readings: Vec<u64>,
    waiting_alerts: Vec<u64>,
    /// The instant of the last row that was given, and of the last step.
    given: Option<SimTime>,
    at: Option<SimTime>,
}

/// A service failed: its name.
struct Failed(&'static str);

impl Machine {
    /// Has the service take an input; a fault in it stops nothing else.
    fn step(
        &mut self,
        now: SimTime,
        input: Input<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Failed> {
        self.is_dirty = true;
        let known = out.len();
        let step = AssertUnwindSafe(|| self.service.step(now, input, out));
        catch_unwind(step).map_err(|_| Failed(self.kind.name))?;
        let asks = out.extract_if(known.., |output| matches!(output, Output::Ask { .. }));
        self.asks.extend(asks.filter_map(|output| match output {
            Output::Ask { ask, query } => Some((ask, query)),
            _ => None,
        }));
        Ok(())
    }
}

impl Running {
    /// Gives an input to those that take it.
    fn give(
        &mut self,
        now: SimTime,
        input: Input<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Failed> {
        for machine in &mut self.machines {
            let is_for = match input {
                Input::Document(document) => machine.kind.kinds.contains(&document.kind.code),
                Input::Reading { .. } | Input::Alert { .. } => machine.service.takes_rows(),
                Input::Started => true,
                Input::Wake => machine.service.wake_at().is_some_and(|at| at <= now),
                // It is for who asked.
                Input::Answer { .. } => false,
            };
            if is_for {
                machine.step(now, input, out)?;
            }
        }
        Ok(())
    }

    /// The next instant at which there is something to do, not after one.
    fn next(&self, until: SimTime) -> Option<SimTime> {
        let wakes = self.machines.iter().filter_map(|one| one.service.wake_at());
        let wake = wakes.min().filter(|at| *at <= until);
        wake.into_iter().chain(self.reorder.due(until)).min()
    }

    /// Gives what is due at an instant: wakes, then rows in their order.
    fn step(&mut self, at: SimTime, out: &mut Vec<Output>) -> Result<(), Failed> {
        let now = self.at.map_or(at, |before| before.max(at));
        self.at = Some(now);
        self.give(now, Input::Wake, out)?;
        while self.unkept < ROWS_UNKEPT_MAX && self.reorder.due(at).is_some() {
            let Some((row, is_late)) = self.reorder.take() else { break };
            self.unkept += 1;
            self.give(now, row.input(is_late), out)?;
        }
        Ok(())
    }

    /// How far they have come.
    fn cursors(&self) -> Vec<Cursor> {
        let snapshots = self.machines.iter().filter(|one| one.is_dirty);
        let snapshots = snapshots
            .map(|one| Cursor { name: snapshot_of(one.kind), value: one.service.snapshot() });
        let mut kept = Kept {
            is_active: self.is_active,
            readings: self.place.readings,
            alerts: self.place.alerts,
            given: self.reorder.given(),
            at: self.at,
            ..Kept::default()
        };
        for row in self.reorder.waiting() {
            match row {
                Row::Reading(row) => kept.waiting_readings.push(row.sequence),
                Row::Alert(row) => kept.waiting_alerts.push(row.sequence),
            }
        }
        let value = serde_json::to_vec(&kept).unwrap_or_default();
        snapshots.chain([Cursor { name: PLACE.to_owned(), value }]).collect()
    }

    /// Notes a failure; they are built again, without it if it has failed too often.
    fn failed(&mut self, Failed(name): Failed, core: &Core) {
        let now = core.clock.now();
        let failures = self.failures.entry(name).or_default();
        failures.retain(|at| now.since(*at) < HOUR);
        failures.push(now);
        let is_left_out = failures.len() >= FAILURES_MAX;
        tracing::error!(service = name, is_left_out, "a service failed");
        core.metrics.service_failures.fetch_add(1, Ordering::Relaxed);
        core.metrics.services_left_out.fetch_add(is_left_out.into(), Ordering::Relaxed);
        self.is_built = false;
    }

    fn is_left_out(&self, name: &str) -> bool {
        self.failures.get(name).is_some_and(|failures| failures.len() >= FAILURES_MAX)
    }
}

/// The name of the cursor that is a service's snapshot.
fn snapshot_of(kind: &ServiceKind) -> String {
    format!("{PLACE}/{}", kind.name)
}

impl Services {
    /// Those of a tenant whose store stands where it does now.
    pub(crate) fn new(core: Core) -> Self {
        let place = core.progress.totals();
        let running = tokio::sync::Mutex::new(Running { place, ..Running::default() });
        Self { core, running }
    }

    /// The next instant, not after one, at which services have something to do with what is
    /// committed by now; documents that have changed are given to them first.
    pub(crate) async fn next(&self, until: SimTime) -> Result<Option<SimTime>, InvokeError> {
        let mut running = self.running.lock().await;
        let now = self.core.clock.now();
        let (mut out, mut is_new) = (Vec::new(), false);
        let given = if running.is_built {
            let changed = self.core.documents.take_changed();
            is_new = !changed.is_empty();
            changed.iter().try_for_each(|one| running.give(now, Input::Document(one), &mut out))
        } else {
            build(&mut running, &self.core, &mut out).await?
        };
        if let Err(failed) = given {
            running.failed(failed, &self.core);
            return Ok(Some(now.min(until)));
        }
        let is_active = running.machines.iter().any(|one| !one.service.is_idle());
        let takes_rows = running.machines.iter().any(|one| one.service.takes_rows());
        if !takes_rows {
            // What passes by is not looked at, then or later.
            running.place = self.core.progress.totals();
            running.reorder = Reorder::default();
        }
        let is_due = is_active != running.is_active || (is_active && is_new);
        running.is_active = is_active;
        settle(&mut running, &self.core, now, (out, is_due)).await?;
        if takes_rows {
            let is_driven = self.core.clock.source == ClockSource::Driven;
            read(&mut running, &self.core, is_driven.then_some(until)).await?;
        }
        Ok(running.next(until))
    }

    /// Has a service fail.
    #[cfg(test)]
    pub(crate) async fn fail(&self, name: &'static str) {
        self.running.lock().await.failed(Failed(name), &self.core);
    }

    /// Does what is to be done at an instant.
    pub(crate) async fn step(&self, at: SimTime) -> Result<(), InvokeError> {
        let mut running = self.running.lock().await;
        if !running.is_built {
            // One has failed: all are built again first.
            return Ok(());
        }
        let mut out = Vec::new();
        if let Err(failed) = running.step(at, &mut out) {
            running.failed(failed, &self.core);
            return Ok(());
        }
        let (now, is_due) = (running.at.unwrap_or(at), running.unkept >= ROWS_UNKEPT_MAX);
        settle(&mut running, &self.core, now, (out, is_due)).await
    }

    /// What they do again and again, with the name of the service, as it stood at the last step.
    pub(crate) async fn tasks(&self) -> Vec<(&'static str, Task)> {
        let running = self.running.lock().await;
        let of = |machine: &Machine| {
            machine.service.tasks().into_iter().map(|task| (machine.kind.name, task)).collect()
        };
        running.machines.iter().flat_map(|machine| -> Vec<_> { of(machine) }).collect()
    }

    /// Follows what is committed on the wall's clock; on a driven one it never does anything.
    pub(crate) async fn follow(&self, mut watch: Watch) {
        if self.core.clock.source == ClockSource::Driven {
            return std::future::pending().await;
        }
        loop {
            watch.visible();
            let pause = match self.catch_up().await {
                Ok(pause) => pause,
                Err(InvokeError::Stopped(_)) => return,
                Err(error) => {
                    tracing::warn!(%error, "services could not go on");
                    Some(PAUSE)
                }
            };
            let news = async {
                tokio::select! {
                    () = watch.news() => {}
                    () = self.core.dispatcher.attention.documents.notified() => {}
                }
            };
            match pause {
                // Either there is news, or something is due: both are looked at.
                Some(pause) => drop(tokio::time::timeout(pause, news).await),
                None => news.await,
            }
            if watch.is_over() {
                return;
            }
        }
    }

    /// Does what is due on the wall's clock; how long it is until more is, as far as that is known.
    async fn catch_up(&self) -> Result<Option<Duration>, InvokeError> {
        loop {
            let until = SimTime(self.core.clock.now().0.saturating_sub(LATENESS.0));
            match self.next(until).await? {
                Some(at) => self.step(at).await?,
                None => break,
            }
        }
        let running = self.running.lock().await;
        let next = running.next(SimTime(i64::MAX)).map(|at| {
            let wait = (at + LATENESS).since(self.core.clock.now()).0.max(1_000_000);
            Duration::from_nanos(wait.unsigned_abs())
        });
        Ok(next)
    }
}

/// Builds the services from what was kept, and gives them the documents that there are.
async fn build(
    running: &mut Running,
    core: &Core,
    out: &mut Vec<Output>,
) -> Result<Result<(), Failed>, InvokeError> {
    let store = core.readers.permitted();
    let kept = cursor(store, PLACE.to_owned()).await?;
    let kept: Option<Kept> = kept.and_then(|value| serde_json::from_slice(&value).ok());
    let kept = kept.filter(|kept| kept.is_active).unwrap_or_default();
    let mut machines = Vec::new();
    let kinds: Vec<_> = SERVICES.iter().filter(|one| !running.is_left_out(one.name)).collect();
    for kind in kinds {
        let snapshot = if kept.is_active { cursor(store, snapshot_of(kind)).await? } else { None };
        let service = (kind.build)(snapshot.as_deref());
        machines.push(Machine { kind, service, asks: Vec::new(), is_dirty: false });
    }
    let failures = std::mem::take(&mut running.failures);
    let kept_place = Totals { readings: kept.readings, alerts: kept.alerts, ..Totals::default() };
    *running = Running {
        machines,
        is_built: true,
        is_active: kept.is_active,
        place: if kept.is_active { kept_place } else { running.place },
        at: kept.at,
        failures,
        ..Running::default()
    };
    running.reorder.go_on_after(kept.given);
    for row in waiting(store, &kept).await? {
        running.reorder.put(row, None);
    }
    let now = core.clock.now();
    let documents = core.documents.follow(SERVICES.iter().flat_map(|kind| kind.kinds).copied());
    let mut given =
        documents.iter().try_for_each(|one| running.give(now, Input::Document(one), out));
    if given.is_ok() {
        given = running.give(now, Input::Started, out);
    }
    Ok(given)
}

/// What is kept under a name; what is damaged is as if nothing were.
async fn cursor(store: &dyn StoreReader, name: String) -> Result<Option<Vec<u8>>, StoreError> {
    match store.cursor(name).await {
        Err(StoreError::DamagedPart(damage)) => {
            tracing::error!(%damage, "services begin again from here");
            Ok(None)
        }
        found => found,
    }
}

/// The rows that had been read and not given.
async fn waiting(store: &dyn StoreReader, kept: &Kept) -> Result<Vec<Row>, StoreError> {
    let one = |sequence: u64, last| Stretch { after: sequence.saturating_sub(1), limit: 1, last };
    let mut rows = Vec::new();
    for sequence in &kept.waiting_readings {
        let found = store.readings(one(*sequence, kept.readings)).await?;
        rows.extend(found.rows.into_iter().map(|row| Row::Reading(Box::new(row))));
    }
    for sequence in &kept.waiting_alerts {
        let found = store.alerts(one(*sequence, kept.alerts)).await?;
        rows.extend(found.rows.into_iter().map(|row| Row::Alert(Box::new(row))));
    }
    Ok(rows)
}

/// Reads on, as far as there is room for rows that wait.
async fn read(
    running: &mut Running,
    core: &Core,
    latest: Option<SimTime>,
) -> Result<(), StoreError> {
    let (store, totals) = (core.readers.permitted(), core.progress.totals());
    while running.place.readings < totals.readings && !running.reorder.is_full() {
        let (after, last) = (running.place.readings, totals.readings);
        let found = store.readings(Stretch { after, limit: ROWS_AT_ONCE, last }).await;
        let found = live::sound(found, (&mut running.place.readings, last), |row| row.sequence)?;
        for row in found {
            running.reorder.put(Row::Reading(Box::new(row)), latest);
        }
    }
    while running.place.alerts < totals.alerts && !running.reorder.is_full() {
        let (after, last) = (running.place.alerts, totals.alerts);
        let found = store.alerts(Stretch { after, limit: ROWS_AT_ONCE, last }).await;
        let found = live::sound(found, (&mut running.place.alerts, last), |row| row.sequence)?;
        for row in found {
            running.reorder.put(Row::Alert(Box::new(row)), latest);
        }
    }
    Ok(())
}

/// Commits effects together with how far the services have come; after an error they are built
/// again from what is kept.
async fn commit(
    running: &mut Running,
    core: &Core,
    outputs: Vec<Output>,
) -> Result<(), InvokeError> {
    let done = try_commit(running, core, outputs).await;
    running.is_built = done.is_ok();
    done
}

/// Commits effects, or how far they have come if that is due, and answers what is asked, until
/// nothing more is.
async fn settle(
    running: &mut Running,
    core: &Core,
    now: SimTime,
    (mut out, mut is_due): (Vec<Output>, bool),
) -> Result<(), InvokeError> {
    loop {
        if is_due || !out.is_empty() {
            commit(running, core, std::mem::take(&mut out)).await?;
        }
        let machines = running.machines.iter_mut().enumerate();
        let asks = machines.flat_map(|(index, one)| {
            std::mem::take(&mut one.asks).into_iter().map(move |(ask, query)| (index, ask, query))
        });
        let asks: Vec<_> = asks.collect();
        if asks.is_empty() {
            return Ok(());
        }
        for (index, ask, query) in asks {
            let rows = match asked::rows(core, &query).await {
                Ok(rows) => rows,
                Err(error) => {
                    // What is not answered is asked again by those that are built again.
                    running.is_built = false;
                    return Err(error.into());
                }
            };
            let input = Input::Answer { ask, rows: rows.as_ref().map_err(|why| *why) };
            if let Err(failed) = running.machines[index].step(now, input, &mut out) {
                running.failed(failed, core);
                return Ok(());
            }
        }
        is_due = true;
    }
}

async fn try_commit(
    running: &mut Running,
    core: &Core,
    outputs: Vec<Output>,
) -> Result<(), InvokeError> {
    // Nobody changes an alarm between what is read of it and the commit.
    let _changing = core.changing.lock().await;
    let mut effects = Effects::default();
    for output in outputs {
        effects.add(core, output);
    }
    let Effects { invocations, messages, notes, alarms, mut edits } = effects;
    edits.extend(alarms.into_iter().map(|(token, alarm)| {
        let body = serde_json::to_value(&alarm).ok();
        Edit { kind: Alarm::kind(), token: Some(token), expect: Expect::Anything, body }
    }));
    let transaction = Transaction {
        invocations: invocations.clone(),
        messages,
        notes,
        cursors: running.cursors(),
        reserve: true,
        ..Transaction::of(PLACE.to_owned(), edits)
    };
    let mut changed = core.dispatcher.apply(transaction.clone()).await?;
    if let Some(limit) = changed.limit {
        tracing::warn!(limit, "alarms and reports are not kept; the tenant is at its limit");
        changed = core.dispatcher.apply(Transaction { edits: Vec::new(), ..transaction }).await?;
    }
    for (asked, id) in invocations.iter().zip(&changed.invocations) {
        if let Some(device) = core.devices.hardware_id(asked.device) {
            core.dispatcher.made(&device, *id, asked.expires);
        }
    }
    running.unkept = 0;
    for machine in &mut running.machines {
        machine.is_dirty = false;
    }
    Ok(())
}

/// Effects of an instant as what a transaction has.
#[derive(Default)]
struct Effects {
    invocations: Vec<NewInvocation>,
    messages: Vec<Message>,
    notes: Vec<Note>,
    /// Alarms as they are afterwards, by token.
    alarms: BTreeMap<String, Alarm>,
    /// Documents that are put.
    edits: Vec<Edit>,
}

impl Effects {
    fn add(&mut self, core: &Core, output: Output) {
        match output {
            Output::Alert { source, kind, level, text, at, metadata } => {
                let body = MessageBody::Alert { kind, level: level.word(), text };
                let message = Message::new(source, body);
                self.messages.push(Message {
                    event: Some(at),
                    updates_state: true,
                    metadata,
                    ..message
                });
            }
            Output::Put { kind, token, body } => {
                let expect = Expect::Anything;
                self.edits.push(Edit { kind, token: Some(token), expect, body: Some(body) });
            }
            Output::Reading { source, at, values, metadata } => {
                let message = Message::new(source, MessageBody::Measurements(values));
                self.messages.push(Message { event: Some(at), metadata, ..message });
            }
            // Questions were taken out where they were asked.
            Output::Ask { .. } => {}
            Output::Command { device, name, parameters, by, cause } => {
                let dispatcher = &core.dispatcher;
                let resource = cause.first().cloned().unwrap_or_default();
                let origin = ("Rule", resource.as_str());
                let call = (name.as_str(), &parameters, dispatcher.expiry_s);
                match schedules::in_the_name_of(dispatcher, &by, &device, call, origin) {
                    Ok(mut asked) => {
                        asked.metadata.insert(CAUSE.to_owned(), cause.join(","));
                        self.invocations.push(asked);
                    }
                    Err(outcome) => {
                        self.notes.push(Note { action: "command".to_owned(), resource, outcome });
                    }
                }
            }
            Output::InTheNameOf { by, reads, cause, effects } => {
                let dispatcher = &core.dispatcher;
                if schedules::may_act(dispatcher, &by, &reads) {
                    for effect in effects {
                        self.add(core, effect);
                    }
                } else {
                    let (action, outcome) = ("act".to_owned(), "denied".to_owned());
                    self.notes.push(Note { action, resource: cause, outcome });
                }
            }
            Output::Alarm { key, level, text, at, owner } => {
                // Of one alarm each effect goes on where the one before it was.
                let token = key.token(core.name.as_str());
                let before = match self.alarms.get(&token) {
                    Some(alarm) => Some(alarm.clone()),
                    None => core.documents.body::<Alarm>(&token).map(|body| (*body).clone()),
                };
                let now = match level {
                    Some(level) => Alarm::raised(before.as_ref(), &key, (level, &text), owner, at),
                    None => before.and_then(|before| before.cleared(at)),
                };
                if let Some(now) = now {
                    self.alarms.insert(token, now);
                }
            }
        }
    }
}
