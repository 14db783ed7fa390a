//! Looking at everything that is stored, in the background: every row against its seal, every
//! index against its table, soon after the start and then once a day.
//!
//! It works a few milliseconds at a time and rests nine times as long, so that it takes a tenth of
//! one core at most. What it finds is reported as a loss (`losses`), as what any query finds.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lastmeter_model::access::Permit;
use lastmeter_model::row::{BlockRow, ReadingRow, ResultRow};
use lastmeter_model::series::rollup::Rollup;
use lastmeter_model::standing::{Standing, Totals};
use lastmeter_units::SimTime;
use rusqlite::Connection;

use super::read::{ReadContext, Reader};
use super::seal::{ReadError, ReadResult};
use super::walk::Walk;
use super::{read, rollups, schema};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::progress::Progress;
use crate::seam::{Page, Range, Rows, Stretch};

/// Between the end of one round and the begin of the next.
const INSPECTION_PAUSE: Duration = Duration::from_hours(24);
/// How long it works at a time.
const SLICE: Duration = Duration::from_millis(20);
/// How much longer it rests than it works.
const REST_FACTOR: u32 = 9;
/// Rows in one go.
const ROWS_AT_A_TIME: u32 = 200;
/// All of event time.
const ALL_TIME: Range = Range { start: SimTime(i64::MIN), end: SimTime(i64::MAX) };

/// The thread that looks at a store.
pub struct Inspection {
    /// Closed to end it.
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Inspection {
    /// Starts looking at a file.
    pub fn start(
        path: PathBuf,
        context: ReadContext,
        progress: Arc<Progress>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let inspector = Inspector { path, context, progress, stopped };
        let thread =
            std::thread::Builder::new().name("inspection".into()).spawn(move || inspector.run())?;
        Ok(Self { stop, thread })
    }

    /// Ends it; the thread is to be waited for.
    pub fn end(self) -> JoinHandle<()> {
        drop(self.stop);
        self.thread
    }
}

/// Looks at everything that is stored, at once, up to where the store stands.
pub(crate) fn inspect(
    connection: Connection,
    context: ReadContext,
    standing: &Standing,
) -> StoreResult<()> {
    let mut look = Look::new(standing.totals(), context.devices.count(), standing);
    let reader = Reader::new(connection, context, far());
    while !look.is_done() {
        reader.snapshot(|reader| look.step(reader)).map_err(|error| match error {
            ReadError::Damaged(damage) => StoreError::DamagedPart(damage),
            ReadError::Sqlite(error) => StoreError::doing("look at the store")(error),
        })?;
    }
    Ok(())
}

/// No end of a slice.
#[expect(clippy::disallowed_methods, reason = "a slice is the machine's time")]
fn far() -> Instant {
    Instant::now() + INSPECTION_PAUSE * 365
}

struct Inspector {
    path: PathBuf,
    context: ReadContext,
    progress: Arc<Progress>,
    stopped: Receiver<()>,
}

struct Stopped;

impl Inspector {
    fn run(self) {
        loop {
            match self.round() {
                Ok(Ok(())) => {}
                Ok(Err(Stopped)) => return,
                Err(error) => tracing::warn!(%error, "the store could not be looked at"),
            }
            if self.rests(INSPECTION_PAUSE) {
                return;
            }
        }
    }

    /// Rests; whether the platform stops.
    fn rests(&self, time: Duration) -> bool {
        self.stopped.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }

    fn round(&self) -> StoreResult<Result<(), Stopped>> {
        let connection = schema::open_for_reading(&self.path)?;
        let standing = schema::read_standing(&connection, &self.path)?;
        let mut look = Look::new(self.progress.totals(), self.context.devices.count(), &standing);
        let mut connection = Some(connection);
        while let Some(open) = connection.take() {
            let (worked, back, is_done) = self.slice(open, &mut look);
            if is_done {
                let looked = !look.has_failed;
                if looked {
                    self.context.observer.inspected();
                }
                return Ok(Ok(()));
            }
            connection = Some(back);
            if self.rests(worked * REST_FACTOR) {
                return Ok(Err(Stopped));
            }
        }
        Ok(Ok(()))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how much of a core it takes is the machine's time"
    )]
    fn slice(&self, connection: Connection, look: &mut Look) -> (Duration, Connection, bool) {
        let start = Instant::now();
        let reader = Reader::new(connection, self.context.clone(), start + SLICE);
        while !look.is_done() && !reader.is_over() {
            // Each step sees what is committed by then, which is at least what the device directory
            // holds.
            if let Err(error) = reader.snapshot(|reader| look.step(reader)) {
                tracing::warn!(%error, "the store could not be looked at");
                look.has_failed = true;
            }
        }
        (start.elapsed(), reader.into_connection(), look.is_done())
    }
}

/// How far a round has come: one part after the other.
struct Look {
    totals: Totals,
    devices: i64,
    /// Where each part begins, and the last version and row of the audit.
    standing: Standing,
    at: At,
    /// It could not be gone through with.
    has_failed: bool,
}

enum At {
    /// Readings after this sequence.
    Readings(u64),
    /// Refusals after this sequence.
    Refusals(u64),
    /// Alerts after this sequence.
    Alerts(u64),
    /// Results after this sequence.
    Results(u64),
    /// Blocks after this sequence.
    Blocks(u64),
    /// A device by its row: its state, its commands, and then its times.
    Device(i64, Option<Walk>),
    /// Roll-ups of a device by its row, from a bucket on.
    Rollups(i64, SimTime),
    /// Versions of documents after this number.
    Versions(u64),
    /// Current documents after this number.
    Documents(i64),
    /// Rows of the audit after this number.
    Audit(u64),
    Done,
}

impl Look {
    fn new(totals: Totals, devices: usize, standing: &Standing) -> Self {
        let (devices, at) = (devices as i64, At::Readings(standing.reading_floor));
        Self { totals, devices, standing: *standing, at, has_failed: false }
    }

    fn is_done(&self) -> bool {
        self.has_failed || matches!(self.at, At::Done)
    }

    /// Looks at a few rows. An error that is no damage ends the round.
    fn step(&mut self, reader: &Reader) -> ReadResult<()> {
        let (Totals { readings: last, refusals, alerts, results, blocks }, standing) =
            (self.totals, &self.standing);
        self.at = match std::mem::replace(&mut self.at, At::Done) {
            At::Readings(after) if after < last => At::Readings(readings(reader, after, last)?),
            At::Readings(_) => At::Refusals(standing.refusal_floor),
            At::Refusals(after) if after < refusals => {
                let found = reader.refusals(stretch(after, refusals));
                At::Refusals(page(reader, found, "refusal", after)?)
            }
            At::Refusals(_) => At::Alerts(standing.alert_floor),
            At::Alerts(after) if after < alerts => {
                let found = reader.alerts(stretch(after, alerts));
                At::Alerts(page(reader, found, "alert", after)?)
            }
            At::Alerts(_) => At::Results(standing.result_floor),
            At::Results(after) if after < results => {
                let found = reader.indexed::<ResultRow>(stretch(after, results));
                At::Results(page(reader, found, "result", after)?)
            }
            At::Results(_) => At::Blocks(standing.block_floor),
            At::Blocks(after) if after < blocks => {
                let found = reader.indexed::<BlockRow>(stretch(after, blocks));
                At::Blocks(page(reader, found, "block", after)?)
            }
            At::Blocks(_) => At::Device(1, None),
            At::Device(row, _) if row > self.devices => At::Versions(0),
            At::Device(row, None) => {
                note(reader, device(reader, row), "device", row)?;
                At::Device(row, Some(Walk::new(row, ALL_TIME, false)))
            }
            At::Device(row, Some(mut walk)) => {
                let looked = walk.places(reader).map(drop);
                let is_sound = note(reader, looked, "reading_time", row)?;
                if walk.is_done() || !is_sound {
                    At::Rollups(row, ALL_TIME.start)
                } else {
                    At::Device(row, Some(walk))
                }
            }
            // Whatever stops here goes on with the next device, so that no row keeps others back.
            At::Rollups(row, from) => match rollups(reader, row, from)? {
                Some(next) => At::Rollups(row, next),
                None => At::Device(row + 1, None),
            },
            At::Versions(after) if after < standing.versions => {
                let found = reader.versions(stretch(after, standing.versions));
                At::Versions(page(reader, found, "document_version", after)?)
            }
            At::Versions(_) => At::Documents(0),
            At::Documents(after) => match reader.look_at_documents(after, ROWS_AT_A_TIME) {
                Ok(Some(number)) => At::Documents(number),
                Ok(None) => At::Audit(0),
                Err(error) => {
                    note(reader, Err(error), "document", after)?;
                    At::Audit(0)
                }
            },
            At::Audit(after) if after < standing.chain.count => {
                let found = reader.audit(stretch(after, standing.chain.count));
                At::Audit(page(reader, found, "audit", after)?)
            }
            At::Audit(_) | At::Done => At::Done,
        };
        Ok(())
    }
}

/// A few rows after a sequence.
fn stretch(after: u64, last: u64) -> Stretch {
    Stretch { after, limit: ROWS_AT_A_TIME, last }
}

/// Reports damage; whether there was none.
fn note(reader: &Reader, looked: ReadResult<()>, part: &'static str, key: i64) -> ReadResult<bool> {
    let Err(error) = looked else { return Ok(true) };
    match error.as_damage(part, key) {
        Some(damage) => reader.context.report(&damage),
        None => return Err(error),
    }
    Ok(false)
}

/// Looks at readings and at both of their index entries; returns where to go on.
fn readings(reader: &Reader, after: u64, last: u64) -> ReadResult<u64> {
    let rows = match reader.readings(stretch(after, last)) {
        Ok(rows) => rows.rows,
        Err(error) => {
            note(reader, Err(error), "reading", after.cast_signed() + 1)?;
            return Ok(after + 1);
        }
    };
    for row in &rows {
        let sequence = row.sequence.cast_signed();
        note(reader, is_indexed(reader, row), "reading", sequence)?;
    }
    Ok(after + (rows.len() as u64).max(1))
}

/// Looks at roll-ups of a device; returns where to go on, if there are more.
fn rollups(reader: &Reader, device: i64, from: SimTime) -> ReadResult<Option<SimTime>> {
    let (range, limit) = ((from, ALL_TIME.end), ROWS_AT_A_TIME as usize);
    let rows = rollups::within(&reader.connection, device, range, limit, |error| {
        note(reader, Err(error), "rollup", device).map(drop)
    });
    Ok(rows?.last().map(Rollup::end))
}

fn is_indexed(reader: &Reader, row: &ReadingRow) -> ReadResult<()> {
    let (connection, sequence) = (&reader.connection, row.sequence.cast_signed());
    let missing = |part| Err(ReadError::from(Damage::new(part, sequence, "the entry is missing")));
    if let Some(number) = row.number
        && read::sequence_of(connection, row.device_row, number)? != Some(sequence)
    {
        return missing("reading_identity");
    }
    if !read::is_at(connection, row.device_row, row.event, sequence)? {
        return missing("reading_time");
    }
    Ok(())
}

/// Looks at a page of rows after a sequence; returns where to go on.
fn page<T>(
    reader: &Reader,
    found: ReadResult<Rows<T>>,
    part: &'static str,
    after: u64,
) -> ReadResult<u64> {
    match found {
        Ok(rows) => Ok(after + (rows.rows.len() as u64).max(1)),
        Err(error) => {
            note(reader, Err(error), part, after.cast_signed() + 1)?;
            Ok(after + 1)
        }
    }
}

/// Looks at the state of a device and at all its commands.
fn device(reader: &Reader, row: i64) -> ReadResult<()> {
    // Before anything is read of the store: what stands in the directory by now is in there.
    let Some(known) = reader.devices().device(row) else { return Ok(()) };
    let open = reader.devices().open(Some(&known.hardware_id));
    reader.state(row)?;
    let cut = Permit::whole_tenant().cut(&known.hardware_id);
    reader.invocations_of(row, Page { offset: known.commands, limit: 1 }, &cut)?;
    reader.invocations(&open)?;
    Ok(())
}
