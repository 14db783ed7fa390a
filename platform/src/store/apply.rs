//! Applying a batch of jobs in one transaction: the only place that changes the store.
//!
//! A batch is applied whole or not at all, together with the journal position it reaches, so that
//! replaying the journal after any stop has the effect of applying each entry exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::Request;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Quantities, StoreError, StoreResult, content};
use crate::clock::Clock;
use crate::commands::InvocationId;
use crate::pipeline::{Body, Change, Changed, Delivery, Job, Totals};
use crate::refusal::{RefusalReason, RefusalRecord};

/// What a batch did; counted only once it is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Readings stored.
    pub(crate) stored: u64,
    /// Readings stored without a serial.
    pub(crate) without_serial: u64,
    /// Messages stored before, with the same content.
    pub(crate) repetitions: u64,
    /// Alerts stored.
    pub(crate) alerts: u64,
    /// Answers to commands that had ended.
    pub(crate) late_acknowledgements: u64,
    /// What was refused here, at the commit.
    pub(crate) refused: Vec<RefusalReason>,
    /// Answers to the batch's changes, in their order.
    pub(crate) changes: Vec<Changed>,
    /// How far the store has come.
    pub(crate) totals: Totals,
    /// The journal entries up to this one are in the store.
    pub(crate) journal_committed: u64,
}

/// The writing end of the store.
pub(crate) struct Writer {
    connection: Connection,
    quantities: Quantities,
    clock: Arc<Clock>,
    devices_max: usize,
    devices: BTreeMap<HardwareId, i64>,
    totals: Totals,
    journal_committed: u64,
}

/// What a batch has gathered so far; thrown away if the batch fails.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) outcome: Outcome,
    pub(super) new_devices: BTreeMap<HardwareId, i64>,
    touched: BTreeMap<i64, Touched>,
    pub(super) values: Vec<ValueRow>,
    pub(super) content: Vec<u8>,
    pub(super) commit_ns: i64,
}

/// Device, event time, epoch, serial, quantity, value: the primary key first (D-22).
pub(super) type ValueRow = (i64, i64, i64, i64, u16, f64);

/// What a batch changes of a device's state.
#[derive(Default)]
pub(super) struct Touched {
    last_interaction_ns: i64,
    /// Quantities of which there is any value.
    quantities: BTreeSet<u16>,
    /// Last values, of messages that asked for it.
    values: BTreeMap<u16, (i64, f64)>,
}

impl Writer {
    /// Takes over an opened store.
    pub(crate) fn new(
        connection: Connection,
        quantities: Quantities,
        clock: Arc<Clock>,
        devices_max: usize,
    ) -> StoreResult<Self> {
        let mut writer = Self {
            connection,
            quantities,
            clock,
            devices_max,
            devices: BTreeMap::new(),
            totals: Totals::default(),
            journal_committed: 0,
        };
        writer.load().map_err(StoreError::doing("read where the store stands"))?;
        Ok(writer)
    }

    fn load(&mut self) -> rusqlite::Result<()> {
        let last = |table: &str| {
            let query = format!("SELECT coalesce(max(sequence), 0) FROM {table}");
            self.connection.query_row(&query, [], |row| row.get::<_, i64>(0))
        };
        let totals =
            Totals { readings: last("reading")? as u64, refusals: last("refusal")? as u64 };
        let mut statement = self.connection.prepare("SELECT hardware_id, id FROM device")?;
        let rows =
            statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        let mut devices = BTreeMap::new();
        for row in rows {
            let (hardware_id, id) = row?;
            if let Ok(hardware_id) = HardwareId::new(hardware_id) {
                devices.insert(hardware_id, id);
            }
        }
        drop(statement);
        self.journal_committed = meta(&self.connection, "journal_committed")?.unwrap_or(0) as u64;
        self.totals = totals;
        self.devices = devices;
        Ok(())
    }

    /// The journal entries up to this one are in the store.
    pub(crate) fn journal_committed(&self) -> u64 {
        self.journal_committed
    }

    /// How far the store has come.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// The platform's time.
    pub(crate) fn now(&self) -> SimTime {
        self.clock.now()
    }

    /// The driven clock's time when it was last moved, if it ever was.
    pub(crate) fn clock(&self) -> StoreResult<Option<SimTime>> {
        meta(&self.connection, "clock_ns")
            .map(|ns| ns.map(SimTime))
            .map_err(StoreError::doing("read the clock"))
    }

    /// Applies a batch in one transaction. On an error nothing has changed.
    pub(crate) fn apply(&mut self, jobs: &[Job]) -> StoreResult<Outcome> {
        let mut batch = Batch { commit_ns: self.clock.now().as_nanoseconds(), ..Batch::default() };
        batch.outcome.totals = self.totals;
        batch.outcome.journal_committed = self.journal_committed;
        let transaction =
            self.connection.transaction().map_err(StoreError::doing("begin a transaction"))?;
        let context = Context {
            transaction: &transaction,
            quantities: &self.quantities,
            devices: &self.devices,
            devices_max: self.devices_max,
        };
        context.apply_all(jobs, &mut batch).map_err(StoreError::doing("store a batch"))?;
        transaction.commit().map_err(StoreError::doing("commit a batch"))?;
        self.devices.append(&mut batch.new_devices);
        self.totals = batch.outcome.totals;
        self.journal_committed = batch.outcome.journal_committed;
        Ok(batch.outcome)
    }
}

fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .optional()
}

fn set_meta(connection: &Connection, key: &str, value: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2")?
        .execute(params![key, value])
        .map(|_| ())
}

/// What applying needs and does not change.
pub(super) struct Context<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) quantities: &'a Quantities,
    pub(super) devices: &'a BTreeMap<HardwareId, i64>,
    pub(super) devices_max: usize,
}

impl Context<'_> {
    fn apply_all(&self, jobs: &[Job], batch: &mut Batch) -> rusqlite::Result<()> {
        for job in jobs {
            match job {
                Job::Delivery(delivery) => self.deliver(delivery, batch)?,
                Job::Change(change, _) => {
                    let changed = self.change(change)?;
                    batch.outcome.changes.push(changed);
                }
                Job::Barrier(_) => {}
            }
        }
        self.insert_values(batch)?;
        self.update_states(batch)?;
        set_meta(
            self.transaction,
            "journal_committed",
            batch.outcome.journal_committed.cast_signed(),
        )
    }

    fn deliver(&self, delivery: &Delivery, batch: &mut Batch) -> rusqlite::Result<()> {
        if delivery.sequence <= batch.outcome.journal_committed {
            return Ok(());
        }
        batch.outcome.journal_committed = delivery.sequence;
        let refused = match &delivery.body {
            Body::Refusal(record) => {
                return self.insert_refusal(record, delivery.received, batch);
            }
            Body::Request(request) => match request.as_ref() {
                Request::Measurements(message) => self.measurements(message, delivery, batch)?,
                Request::Alert(message) => self.alert(message, delivery, batch)?,
                Request::Acknowledge(message) => self.acknowledge(message, delivery, batch)?,
            },
        };
        let Err((reason, detail)) = refused else { return Ok(()) };
        let Body::Request(request) = &delivery.body else { return Ok(()) };
        let record = RefusalRecord {
            reason: reason.word().to_owned(),
            device: Some(request.hardware_id().clone()),
            topic: delivery.topic.clone(),
            detail,
        };
        batch.outcome.refused.push(reason);
        self.insert_refusal(&record, delivery.received, batch)
    }

    fn insert_refusal(
        &self,
        record: &RefusalRecord,
        received: SimTime,
        batch: &mut Batch,
    ) -> rusqlite::Result<()> {
        batch.outcome.totals.refusals += 1;
        self.transaction
            .prepare_cached("INSERT INTO refusal VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![
                batch.outcome.totals.refusals.cast_signed(),
                record.reason,
                record.device.as_ref().map(HardwareId::as_str),
                record.topic,
                record.detail,
                received.as_nanoseconds(),
            ])
            .map(|_| ())
    }

    fn change(&self, change: &Change) -> rusqlite::Result<Changed> {
        let updated = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| {
            let rows = self.transaction.prepare_cached(sql)?.execute(parameters)?;
            Ok(Changed { invocation: None, changed: rows > 0 })
        };
        match change {
            Change::Invoke(asked) => {
                self.transaction
                    .prepare_cached(
                        "INSERT INTO invocation (device, command, parameters, initiator,
                         initiator_id, metadata, created_ns, expires_ns, state)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'Pending')",
                    )?
                    .execute(params![
                        asked.device,
                        asked.command,
                        json(&asked.parameters),
                        asked.initiator,
                        asked.initiator_id,
                        json(&asked.metadata),
                        asked.created.as_nanoseconds(),
                        asked.expires.as_nanoseconds(),
                    ])?;
                let id = InvocationId(self.transaction.last_insert_rowid());
                Ok(Changed { invocation: Some(id), changed: true })
            }
            // The device's answer may have been faster than this note.
            Change::Sent(id, at) => updated(
                "UPDATE invocation SET sent_ns = coalesce(sent_ns, ?2),
                 state = CASE state WHEN 'Pending' THEN 'Sent' ELSE state END WHERE id = ?1",
                &[&id.0, &at.as_nanoseconds()],
            ),
            Change::Failed(id, at, detail) => updated(
                "UPDATE invocation SET state = 'Failed', ended_ns = ?2,
                 metadata = json_set(metadata, '$.failure', ?3)
                 WHERE id = ?1 AND state IN ('Pending', 'Sent')",
                &[&id.0, &at.as_nanoseconds(), detail],
            ),
            Change::Expire(id, at) => updated(
                "UPDATE invocation SET state = 'Expired', ended_ns = ?2
                 WHERE id = ?1 AND state IN ('Pending', 'Sent')",
                &[&id.0, &at.as_nanoseconds()],
            ),
            Change::Clock(now) => {
                set_meta(self.transaction, "clock_ns", now.as_nanoseconds())?;
                Ok(Changed { invocation: None, changed: true })
            }
        }
    }

    /// In the order of the key: neighbours share a page of the tree.
    fn insert_values(&self, batch: &mut Batch) -> rusqlite::Result<()> {
        batch.values.sort_unstable_by_key(|row| (row.0, row.1, row.2, row.3, row.4));
        let mut statement =
            self.transaction.prepare_cached("INSERT INTO value VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for row in &batch.values {
            statement.execute(*row)?;
        }
        Ok(())
    }

    fn update_states(&self, batch: &Batch) -> rusqlite::Result<()> {
        let mut read = self.transaction.prepare_cached(
            "SELECT last_interaction_ns, quantities, content FROM state WHERE device = ?1",
        )?;
        let mut write = self
            .transaction
            .prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3, ?4)")?;
        for (device, touched) in &batch.touched {
            let stored: Option<(i64, Vec<u8>, Vec<u8>)> = read
                .query_row([device], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let (last_ns, quantities, stored) = stored.unwrap_or_default();
            let mut merged = Touched {
                last_interaction_ns: last_ns.max(touched.last_interaction_ns),
                quantities: content::decode_quantities(&quantities),
                ..Touched::default()
            };
            merged.quantities.extend(&touched.quantities);
            for (quantity, event_ns, value) in content::decode_state(&stored) {
                merged.offer(quantity, event_ns, value);
            }
            for (quantity, (event_ns, value)) in &touched.values {
                merged.offer(*quantity, *event_ns, *value);
            }
            let quantities = content::encode_quantities(&merged.quantities);
            let content =
                content::encode_state(merged.values.iter().map(|(q, (ns, v))| (*q, *ns, *v)));
            write.execute(params![device, merged.last_interaction_ns, quantities, content])?;
        }
        Ok(())
    }
}

impl Batch {
    pub(super) fn touch(&mut self, device: i64, received: SimTime) -> &mut Touched {
        let touched = self.touched.entry(device).or_default();
        touched.last_interaction_ns = touched.last_interaction_ns.max(received.as_nanoseconds());
        touched
    }
}

impl Touched {
    /// Notes that there is a value of a quantity.
    pub(super) fn know(&mut self, quantity: u16) {
        self.quantities.insert(quantity);
    }

    /// Takes a value over unless a later one is known: a repetition that comes late does not turn
    /// the state back.
    pub(super) fn offer(&mut self, quantity: u16, event_ns: i64, value: f64) {
        let known = self.values.get(&quantity);
        if known.is_none_or(|(known_ns, _)| *known_ns <= event_ns) {
            self.values.insert(quantity, (event_ns, value));
        }
    }
}

fn json(texts: &BTreeMap<String, String>) -> String {
    serde_json::json!(texts).to_string()
}
