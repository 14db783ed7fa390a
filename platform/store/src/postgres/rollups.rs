//! Roll-ups as rows, what they are made of, and what retention removes.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use lastmeter_model::decide::{Found, List, Old, OldContent, RefusedBytes};
use lastmeter_model::series::rollup::{BUCKET, Rollup, bucket};
use lastmeter_units::SimTime;
use tokio_postgres::{Error, Row};

use super::error::{ReadResult, querying};
use super::readers::Query;
use super::rows::quantities;
use super::session::{Parameter, Session};
use super::writer::PostgresWriter;
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::rows::Columns;
use crate::seam::{Range, Summaries, SummaryQuery};
use crate::summaries::{Need, ROWS_AT_ONCE, SummaryWalk};

const READINGS: &str = r#"SELECT event_ns, received_ns, quantities, "values", sequence FROM reading
    WHERE device = $1 AND event_ns BETWEEN $2 AND $3 ORDER BY event_ns, sequence"#;

/// Roll-ups to be written, as bytes.
pub(super) type Rollups = BTreeMap<(i64, SimTime), Vec<u8>>;

fn decoded(device: i64, start: SimTime, content: &[u8]) -> ReadResult<Rollup> {
    Rollup::decode(start, content).map_err(|error| {
        Damage::new("rollup", format!("device {device}, from {start}"), error.to_string()).into()
    })
}

/// When a reading was measured and when it arrived.
type Times = (SimTime, SimTime);

fn values(row: &Row) -> ReadResult<(Times, Vec<(u16, f64)>)> {
    let (quantities, values) = (quantities(row, 2)?, row.try_get::<_, Vec<f64>>(3)?);
    if quantities.len() != values.len() {
        let found = "it has another number of values than of quantities";
        return Err(Damage::new("reading", row.count(4)?, found).into());
    }
    Ok(((row.time(0)?, row.time(1)?), quantities.into_iter().zip(values).collect()))
}

/// Writes roll-ups in place of those that there are.
pub(super) async fn write(session: &Session, rollups: &Rollups) -> Result<(), Error> {
    if rollups.is_empty() {
        return Ok(());
    }
    let (devices, starts): (Vec<_>, Vec<_>) =
        rollups.keys().map(|(device, start)| (*device, start.as_nanoseconds())).unzip();
    let contents: Vec<&[u8]> = rollups.values().map(Vec::as_slice).collect();
    let insert = "INSERT INTO rollup SELECT * FROM unnest($1::int8[], $2::int8[], $3::bytea[])
                  ON CONFLICT (device, bucket) DO UPDATE SET content = EXCLUDED.content";
    session.run(insert, &[&devices, &starts, &contents]).await.map(drop)
}

/// Writes up to which serials readings were removed.
pub(super) async fn write_removed(
    session: &Session,
    removed: &BTreeMap<(i64, u64), u64>,
) -> Result<(), Error> {
    if removed.is_empty() {
        return Ok(());
    }
    let (mut devices, mut epochs, mut serials) = (Vec::new(), Vec::new(), Vec::new());
    for ((device, epoch), serial) in removed {
        devices.push(*device);
        epochs.push(epoch.cast_signed());
        serials.push(serial.cast_signed());
    }
    // How far serials come without a gap is not counted here. Serials are compared without sign.
    let insert = "INSERT INTO contiguous
                  SELECT d, e, 0, s FROM unnest($1::int8[], $2::int8[], $3::int8[]) AS r (d, e, s)
                  ON CONFLICT (device, epoch)
                  DO UPDATE SET removed = CASE
                    WHEN (contiguous.removed # (-9223372036854775807 - 1))
                       > (EXCLUDED.removed # (-9223372036854775807 - 1))
                    THEN contiguous.removed ELSE EXCLUDED.removed END";
    session.run(insert, &[&devices, &epochs, &serials]).await.map(drop)
}

impl PostgresWriter {
    pub(super) fn rollup(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        let query = "SELECT content FROM rollup WHERE device = $1 AND bucket = $2";
        let keys: [Parameter<'_>; 2] = [&device, &start.as_nanoseconds()];
        let key = ("rollup", format!("device {device}, from {start}"));
        self.find(key, (query, &keys), |_, row| decoded(device, start, row.try_get(0)?))
    }

    pub(super) fn summed_up(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        let last = start.as_nanoseconds().saturating_add(BUCKET.0 - 1);
        let rows = self.rows(READINGS, &[&device, &start.as_nanoseconds(), &last])?;
        let mut rollup = Rollup::new(start);
        for row in &rows {
            match values(row) {
                Ok((times, values)) => rollup.add(times, values),
                Err(error) => {
                    self.judge(("reading", format!("device {device}, from {start}")), error);
                    return Ok(Found::Damaged);
                }
            }
        }
        Ok(if rows.is_empty() { Found::Absent } else { Found::Sound(rollup) })
    }

    /// A number that may not be there.
    fn number(&mut self, sql: &'static str, keys: &[Parameter<'_>]) -> StoreResult<Option<i64>> {
        let rows = self.rows(sql, keys)?;
        let number = rows.first().map(|row| row.try_get(0)).transpose();
        Ok(number.map_err(querying("look up"))?.flatten())
    }

    pub(super) fn last_bucket(&mut self, device: i64) -> StoreResult<Option<SimTime>> {
        let query = "SELECT GREATEST((SELECT max(event_ns) FROM reading WHERE device = $1),
                                     (SELECT max(bucket) FROM rollup WHERE device = $1))";
        Ok(self.number(query, &[&device])?.map(|at| bucket(SimTime(at))))
    }

    pub(super) fn event_from(
        &mut self,
        device: i64,
        from: SimTime,
    ) -> StoreResult<Option<SimTime>> {
        let query = "SELECT min(event_ns) FROM reading WHERE device = $1 AND event_ns >= $2";
        Ok(self.number(query, &[&device, &from.as_nanoseconds()])?.map(SimTime))
    }

    pub(super) fn removed(&mut self, device: i64, epoch: u64) -> StoreResult<Found<u64>> {
        let query = "SELECT removed FROM contiguous WHERE device = $1 AND epoch = $2";
        let found = self.number(query, &[&device, &epoch.cast_signed()])?;
        Ok(found.map_or(Found::Absent, |serial| Found::Sound(serial.cast_unsigned())))
    }

    pub(super) fn refused_bytes(&mut self) -> StoreResult<RefusedBytes> {
        let query = "SELECT device, sum(length(content))::int8 FROM refusal
                     WHERE content IS NOT NULL GROUP BY device";
        let rows = self.rows(query, &[])?;
        let one = |row: &Row| Ok((row.text_or_none(0)?, row.count(1)?));
        let found: ReadResult<_> = rows.iter().map(one).collect();
        found.map_err(|error| self.judge(("refusal", "content".to_owned()), error))
    }

    pub(super) fn oldest(&mut self, list: List, after: u64, limit: u32) -> StoreResult<Vec<Old>> {
        let query = match list {
            List::Readings => {
                "SELECT sequence, received_ns, device, epoch, serial, event_ns
                 FROM reading WHERE sequence > $1 ORDER BY sequence LIMIT $2"
            }
            List::Alerts => {
                "SELECT sequence, received_ns
                 FROM alert WHERE sequence > $1 ORDER BY sequence LIMIT $2"
            }
            List::Refusals => {
                "SELECT sequence, event_ns, coalesce(length(content), 0)::int8
                 FROM refusal WHERE sequence > $1 ORDER BY sequence LIMIT $2"
            }
            List::Results => {
                "SELECT sequence, received_ns
                 FROM result WHERE sequence > $1 ORDER BY sequence LIMIT $2"
            }
            List::Blocks => {
                "SELECT sequence, received_ns
                 FROM block WHERE sequence > $1 ORDER BY sequence LIMIT $2"
            }
        };
        let rows = self.rows(query, &[&after.cast_signed(), &i64::from(limit)])?;
        let old = |row: &Row| {
            let (mut reading, mut kept_bytes) = (None, 0);
            match list {
                List::Readings => {
                    reading = Some((row.try_get(2)?, row.number(3)?, row.time(5)?));
                }
                List::Alerts | List::Results | List::Blocks => {}
                List::Refusals => kept_bytes = row.count(2)?,
            }
            let content = Some(OldContent { received: row.time(1)?, reading, kept_bytes });
            Ok(Old { sequence: row.count(0)?, content })
        };
        let found: ReadResult<_> = rows.iter().map(old).collect();
        found.map_err(|error| self.judge(("reading", after.to_string()), error))
    }

    /// Has rows removed, behind what has been written.
    fn run(&mut self, sql: &'static str, keys: &[Parameter<'_>]) -> StoreResult<()> {
        let run = self.ask("store a batch", async |session| {
            session.run(sql, keys).await.map_err(querying("store a batch"))
        });
        Ok(run.map(drop)?)
    }

    pub(super) fn remove(&mut self, (first, last): (i64, i64), before: SimTime) -> StoreResult<()> {
        let delete = "DELETE FROM rollup WHERE device BETWEEN $1 AND $2 AND bucket < $3";
        self.run(delete, &[&first, &last, &before.as_nanoseconds()])
    }

    pub(super) fn remove_through(&mut self, list: List, through: u64) -> StoreResult<()> {
        let delete = match list {
            List::Readings => "DELETE FROM reading WHERE sequence <= $1",
            List::Alerts => "DELETE FROM alert WHERE sequence <= $1",
            List::Refusals => "DELETE FROM refusal WHERE sequence <= $1",
            List::Results => "DELETE FROM result WHERE sequence <= $1",
            List::Blocks => "DELETE FROM block WHERE sequence <= $1",
        };
        self.run(delete, &[&through.cast_signed()])
    }

    /// Reports damage; what is wrong.
    fn judge(
        &mut self,
        (part, key): (&'static str, String),
        error: super::error::ReadError,
    ) -> StoreError {
        let damage = match error {
            super::error::ReadError::Damaged(damage) => damage,
            super::error::ReadError::Postgres(error) => Damage::new(part, key, error.to_string()),
        };
        self.context().observer.damaged(&damage);
        StoreError::DamagedPart(damage)
    }
}

impl Query<'_> {
    /// Summaries of a device: everything that a query reads is of one moment.
    pub(super) async fn summaries(&self, asked: &SummaryQuery) -> ReadResult<Summaries> {
        // A device is made together with its state.
        self.state_row(asked.device).await?;
        let quantities = &self.context.quantities;
        let mut walk = SummaryWalk::new(asked.clone(), |id| quantities.number(id));
        loop {
            match walk.need() {
                Need::Nothing => return Ok(walk.end()),
                Need::Rows(range) => walk.rows(self.rollups(asked.device, range).await?),
                Need::Readings(range) => {
                    let (start, end) = (range.start.as_nanoseconds(), range.end.as_nanoseconds());
                    let keys: [Parameter<'_>; 3] = [&asked.device, &start, &end];
                    let mut rows = pin!(self.session.stream(READINGS, &keys).await?);
                    let mut is_over = false;
                    while !is_over && let Some(row) = rows.try_next().await? {
                        let (times, values) = values(&row)?;
                        is_over = walk.reading(times, values).is_break();
                    }
                    walk.readings_end(range);
                }
            }
        }
    }

    async fn rollups(&self, device: i64, range: Range) -> ReadResult<Vec<Rollup>> {
        let query = "SELECT bucket, content FROM rollup
                     WHERE device = $1 AND bucket BETWEEN $2 AND $3 ORDER BY bucket LIMIT $4";
        let (start, end) = (range.start.as_nanoseconds(), range.end.as_nanoseconds());
        let keys: [Parameter<'_>; 4] = [&device, &start, &end, &(ROWS_AT_ONCE as i64)];
        let rows = self.session.rows(query, &keys).await?;
        rows.iter().map(|row| decoded(device, row.time(0)?, row.try_get(1)?)).collect()
    }
}
