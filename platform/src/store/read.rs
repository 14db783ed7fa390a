//! Reading committed snapshots, on a few connections of their own beside the writer's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lastmeter_units::{HardwareId, MeasurementId, SimTime};
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::Semaphore;

use super::{
    AlertRow, DeviceRow, DeviceState, Quantities, ReadingRow, RefusalRow, SeriesPoint, StateValue,
    StoreError, StoreResult, content, schema,
};
use crate::commands::{InvocationId, InvocationState, NewInvocation, StoredInvocation};
use crate::metrics::lock;

/// Connections for reading; more queries wait.
const CONNECTIONS: usize = 4;
/// Alerts shown in a device's state.
const LATEST_ALERTS: u32 = 10;

/// A stretch of event time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// First instant.
    pub(crate) start: SimTime,
    /// Last instant.
    pub(crate) end: SimTime,
}

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Rows to leave out.
    pub(crate) offset: u64,
    /// Rows to give at most.
    pub(crate) limit: u32,
}

/// The readers of a store.
pub(crate) struct Readers {
    path: PathBuf,
    quantities: Arc<Quantities>,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

impl Readers {
    /// Readers of a store that has been opened for writing.
    pub(crate) fn new(path: &Path, quantities: Quantities) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            quantities: Arc::new(quantities),
            idle: Mutex::new(Vec::new()),
            turns: Semaphore::new(CONNECTIONS),
        })
    }

    /// Runs a query on a thread where it may block.
    pub(crate) async fn with<T, Q>(self: &Arc<Self>, query: Q) -> StoreResult<T>
    where
        T: Send + 'static,
        Q: FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    {
        let _turn = self.turns.acquire().await.map_err(|_| StoreError::WorkerGone)?;
        let readers = Arc::clone(self);
        let work = move || readers.run(query);
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::WorkerGone)?
    }

    fn run<T>(&self, query: impl FnOnce(&Reader) -> rusqlite::Result<T>) -> StoreResult<T> {
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_for_reading(&self.path)?,
        };
        let reader = Reader { connection, quantities: Arc::clone(&self.quantities) };
        let result = reader.snapshot(query);
        if !self.turns.is_closed() {
            lock(&self.idle).push(reader.connection);
        }
        result.map_err(StoreError::doing("read the store"))
    }

    /// Answers no more queries and closes the connections.
    pub(crate) fn close(&self) {
        self.turns.close();
        lock(&self.idle).clear();
    }
}

/// One connection while it runs a query.
pub(crate) struct Reader {
    connection: Connection,
    quantities: Arc<Quantities>,
}

const READING: &str = "SELECT r.sequence, d.hardware_id, r.epoch, r.serial, r.event_ns,
    r.received_ns, r.commit_ns, r.content, r.extra FROM reading r JOIN device d ON d.id = r.device";

const INVOCATION: &str = "SELECT i.id, i.device, i.command, i.parameters, i.initiator,
    i.initiator_id, i.metadata, i.created_ns, i.expires_ns, i.state, i.sent_ns, i.ended_ns,
    i.response, d.hardware_id, a.token FROM invocation i JOIN device d ON d.id = i.device
    JOIN assignment a ON a.device = i.device";

const DEVICE: &str = "SELECT d.id, d.hardware_id, d.created_ns, a.token, a.status
    FROM device d JOIN assignment a ON a.device = d.id";

impl Reader {
    /// Everything a query reads is of one moment.
    fn snapshot<T>(&self, query: impl FnOnce(&Self) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.connection.execute_batch("BEGIN")?;
        let result = query(self);
        let ended = self.connection.execute_batch("COMMIT");
        let value = result?;
        ended.map(|()| value)
    }

    /// Readings after a commit sequence.
    pub(crate) fn readings(&self, after: i64, limit: u32) -> rusqlite::Result<Vec<ReadingRow>> {
        let query = format!("{READING} WHERE r.sequence > ?1 ORDER BY r.sequence LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&query)?;
        let rows = statement.query_map(params![after, limit], |row| self.reading(row))?;
        rows.collect()
    }

    /// Readings of a device in a range of event time, newest first, and how many there are.
    pub(crate) fn readings_of(
        &self,
        device: i64,
        range: Range,
        page: Page,
    ) -> rusqlite::Result<(u64, Vec<ReadingRow>)> {
        let (start, end) = (range.start.as_nanoseconds(), range.end.as_nanoseconds());
        let count: i64 = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM reading WHERE device = ?1 AND event_ns BETWEEN ?2 AND ?3",
            )?
            .query_row([device, start, end], |row| row.get(0))?;
        let query = format!(
            "{READING} WHERE r.device = ?1 AND r.event_ns BETWEEN ?2 AND ?3
             ORDER BY r.event_ns DESC, r.sequence DESC LIMIT ?4 OFFSET ?5"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let parameters = params![device, start, end, page.limit, page.offset.cast_signed()];
        let rows = statement.query_map(parameters, |row| self.reading(row))?;
        Ok((count.cast_unsigned(), rows.collect::<rusqlite::Result<_>>()?))
    }

    fn reading(&self, row: &Row<'_>) -> rusqlite::Result<ReadingRow> {
        let number = match (row.get::<_, Option<i64>>(2)?, row.get::<_, Option<i64>>(3)?) {
            (Some(epoch), Some(serial)) => Some((epoch.cast_unsigned(), serial.cast_unsigned())),
            _ => None,
        };
        let values = content::decode_values(row.get_ref(7)?.as_blob()?);
        let named = |(quantity, value)| (self.quantities.name(quantity).to_owned(), value);
        Ok(ReadingRow {
            sequence: row.get::<_, i64>(0)?.cast_unsigned(),
            device: row.get(1)?,
            number,
            event: SimTime(row.get(4)?),
            received: SimTime(row.get(5)?),
            commit: SimTime(row.get(6)?),
            values: values.into_iter().map(named).collect(),
            metadata: extra_metadata(row.get(8)?),
        })
    }

    /// Refusals after a sequence.
    pub(crate) fn refusals(&self, after: i64, limit: u32) -> rusqlite::Result<Vec<RefusalRow>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, reason, device, topic, detail, event_ns FROM refusal
             WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
        )?;
        let rows = statement.query_map(params![after, limit], |row| {
            Ok(RefusalRow {
                sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                reason: row.get(1)?,
                device: row.get(2)?,
                topic: row.get(3)?,
                detail: row.get(4)?,
                event: SimTime(row.get(5)?),
            })
        })?;
        rows.collect()
    }

    /// Devices by hardware id, and how many there are.
    pub(crate) fn devices(&self, page: Page) -> rusqlite::Result<(u64, Vec<DeviceRow>)> {
        let count: i64 =
            self.connection.query_row("SELECT count(*) FROM device", [], |row| row.get(0))?;
        let query = format!("{DEVICE} ORDER BY d.hardware_id LIMIT ?1 OFFSET ?2");
        let mut statement = self.connection.prepare_cached(&query)?;
        let rows = statement.query_map(params![page.limit, page.offset.cast_signed()], device)?;
        Ok((count.cast_unsigned(), rows.collect::<rusqlite::Result<_>>()?))
    }

    /// The device of a hardware id.
    pub(crate) fn device(&self, hardware_id: &str) -> rusqlite::Result<Option<DeviceRow>> {
        self.one_device("d.hardware_id = ?1", hardware_id)
    }

    /// The device of an assignment.
    pub(crate) fn assigned(&self, token: &str) -> rusqlite::Result<Option<DeviceRow>> {
        self.one_device("a.token = ?1", token)
    }

    fn one_device(&self, condition: &str, key: &str) -> rusqlite::Result<Option<DeviceRow>> {
        let query = format!("{DEVICE} WHERE {condition}");
        self.connection.prepare_cached(&query)?.query_row([key], device).optional()
    }

    /// What is known last of a device.
    pub(crate) fn state(&self, device: i64) -> rusqlite::Result<DeviceState> {
        let stored: Option<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached("SELECT last_interaction_ns, content FROM state WHERE device = ?1")?
            .query_row([device], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((last_ns, stored)) = stored else { return Ok(DeviceState::default()) };
        let named = |(quantity, event_ns, value)| StateValue {
            name: self.quantities.name(quantity).to_owned(),
            event: SimTime(event_ns),
            value,
        };
        Ok(DeviceState {
            last_interaction: Some(SimTime(last_ns)),
            values: content::decode_state(&stored).into_iter().map(named).collect(),
            alerts: self.latest_alerts(device)?,
        })
    }

    fn latest_alerts(&self, device: i64) -> rusqlite::Result<Vec<AlertRow>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, event_ns, received_ns, level, type, message, extra FROM alert
             WHERE device = ?1 AND update_state ORDER BY sequence DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![device, LATEST_ALERTS], |row| {
            Ok(AlertRow {
                sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                event: SimTime(row.get(1)?),
                received: SimTime(row.get(2)?),
                level: row.get(3)?,
                kind: row.get(4)?,
                message: row.get(5)?,
                metadata: extra_metadata(row.get(6)?),
            })
        })?;
        rows.collect()
    }

    /// A page of a series in a range, oldest first.
    pub(crate) fn series(
        &self,
        device: i64,
        quantity: MeasurementId,
        range: Range,
        page: Page,
    ) -> rusqlite::Result<Vec<SeriesPoint>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT event_ns, epoch, serial, value FROM value
             WHERE device = ?1 AND event_ns BETWEEN ?2 AND ?3 AND quantity = ?6
             ORDER BY event_ns, epoch, serial LIMIT ?4 OFFSET ?5",
        )?;
        let parameters = params![
            device,
            range.start.as_nanoseconds(),
            range.end.as_nanoseconds(),
            page.limit,
            page.offset.cast_signed(),
            self.quantities.number(quantity),
        ];
        let rows = statement.query_map(parameters, point)?;
        rows.collect()
    }

    /// The points of a series in a range that come after a given one (or from its start).
    pub(crate) fn series_after(
        &self,
        device: i64,
        quantity: MeasurementId,
        range: Range,
        after: Option<(SimTime, i64, i64)>,
        limit: u32,
    ) -> rusqlite::Result<Vec<SeriesPoint>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT event_ns, epoch, serial, value FROM value
             WHERE device = ?1 AND event_ns BETWEEN ?2 AND ?3 AND quantity = ?8
             AND (event_ns, epoch, serial) > (?4, ?5, ?6)
             ORDER BY event_ns, epoch, serial LIMIT ?7",
        )?;
        let (event, epoch, serial) = after.unwrap_or((SimTime(i64::MIN), i64::MIN, i64::MIN));
        let parameters = params![
            device,
            range.start.max(event).as_nanoseconds(),
            range.end.as_nanoseconds(),
            event.as_nanoseconds(),
            epoch,
            serial,
            limit,
            self.quantities.number(quantity),
        ];
        let rows = statement.query_map(parameters, point)?;
        rows.collect()
    }

    /// The quantities of which a device has any value.
    pub(crate) fn quantities_of(&self, device: i64) -> rusqlite::Result<Vec<MeasurementId>> {
        let stored: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT quantities FROM state WHERE device = ?1")?
            .query_row([device], |row| row.get(0))
            .optional()?;
        let known = content::decode_quantities(&stored.unwrap_or_default());
        Ok(MeasurementId::all().filter(|id| known.contains(&self.quantities.number(*id))).collect())
    }

    /// One invocation.
    pub(crate) fn invocation(
        &self,
        id: InvocationId,
    ) -> rusqlite::Result<Option<StoredInvocation>> {
        let query = format!("{INVOCATION} WHERE i.id = ?1");
        self.connection.prepare_cached(&query)?.query_row([id.0], invocation).optional()
    }

    /// Invocations of a device, newest first, and how many there are.
    pub(crate) fn invocations_of(
        &self,
        device: i64,
        page: Page,
    ) -> rusqlite::Result<(u64, Vec<StoredInvocation>)> {
        let count: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM invocation WHERE device = ?1")?
            .query_row([device], |row| row.get(0))?;
        let query =
            format!("{INVOCATION} WHERE i.device = ?1 ORDER BY i.id DESC LIMIT ?2 OFFSET ?3");
        let mut statement = self.connection.prepare_cached(&query)?;
        let parameters = params![device, page.limit, page.offset.cast_signed()];
        let rows = statement.query_map(parameters, invocation)?;
        Ok((count.cast_unsigned(), rows.collect::<rusqlite::Result<_>>()?))
    }

    /// Invocations that are to be sent, by (device, id) and after a given one: those that are
    /// pending, with `resend` also those that were sent and not answered.
    pub(crate) fn outstanding(
        &self,
        hardware_id: Option<&HardwareId>,
        resend: bool,
        after: Option<&(HardwareId, InvocationId)>,
        limit: u32,
    ) -> rusqlite::Result<Vec<StoredInvocation>> {
        let query = format!(
            "{INVOCATION} WHERE (i.state = 'Pending' OR (?1 AND i.state = 'Sent'))
             AND i.state IN ('Pending', 'Sent') AND (?2 IS NULL OR d.hardware_id = ?2)
             AND (d.hardware_id, i.id) > (?3, ?4) ORDER BY d.hardware_id, i.id LIMIT ?5"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let (device, id) = after.map_or(("", 0), |(device, id)| (device.as_str(), id.0));
        let hardware_id = hardware_id.map(HardwareId::as_str);
        let rows =
            statement.query_map(params![resend, hardware_id, device, id, limit], invocation)?;
        rows.collect()
    }

    /// Ids and expiry of everything that can still expire.
    pub(crate) fn expiries(&self) -> rusqlite::Result<Vec<(InvocationId, SimTime)>> {
        let mut statement = self
            .connection
            .prepare("SELECT id, expires_ns FROM invocation WHERE state IN ('Pending', 'Sent')")?;
        let rows =
            statement.query_map([], |row| Ok((InvocationId(row.get(0)?), SimTime(row.get(1)?))))?;
        rows.collect()
    }
}

fn device(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    Ok(DeviceRow {
        id: row.get(0)?,
        hardware_id: row.get(1)?,
        created: SimTime(row.get(2)?),
        assignment: row.get(3)?,
        status: row.get(4)?,
    })
}

fn point(row: &Row<'_>) -> rusqlite::Result<SeriesPoint> {
    Ok(SeriesPoint {
        event: SimTime(row.get(0)?),
        epoch: row.get(1)?,
        serial: row.get(2)?,
        value: row.get(3)?,
    })
}

fn invocation(row: &Row<'_>) -> rusqlite::Result<StoredInvocation> {
    let unreadable = |column: usize, what: &str| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(column, kind, what.into())
    };
    let state: String = row.get(9)?;
    let hardware_id: String = row.get(13)?;
    let optional_time = |column| {
        let ns: rusqlite::Result<Option<i64>> = row.get(column);
        ns.map(|ns| ns.map(SimTime))
    };
    Ok(StoredInvocation {
        id: InvocationId(row.get(0)?),
        hardware_id: HardwareId::new(hardware_id)
            .map_err(|_| unreadable(13, "expected a hardware id"))?,
        assignment: row.get(14)?,
        asked: NewInvocation {
            device: row.get(1)?,
            command: row.get(2)?,
            parameters: texts(&row.get::<_, String>(3)?),
            initiator: row.get(4)?,
            initiator_id: row.get(5)?,
            metadata: texts(&row.get::<_, String>(6)?),
            created: SimTime(row.get(7)?),
            expires: SimTime(row.get(8)?),
        },
        state: InvocationState::from_word(&state)
            .ok_or_else(|| unreadable(9, "expected a state of D-23"))?,
        sent: optional_time(10)?,
        ended: optional_time(11)?,
        response: row.get(12)?,
    })
}

fn texts(json: &str) -> BTreeMap<String, String> {
    serde_json::from_str(json).unwrap_or_default()
}

fn extra_metadata(extra: Option<String>) -> BTreeMap<String, String> {
    #[derive(serde::Deserialize)]
    struct Extra {
        metadata: BTreeMap<String, String>,
    }
    let extra = extra.and_then(|text| serde_json::from_str::<Extra>(&text).ok());
    extra.map(|extra| extra.metadata).unwrap_or_default()
}
