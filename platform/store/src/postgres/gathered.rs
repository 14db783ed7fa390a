//! The rows of a batch as columns, until its commit writes each table with one statement.
//!
//! Columns with lists are one flat array a table, and where each row's part of it ends.

use std::collections::BTreeMap;

use lastmeter_model::decide::{NewAlert, NewReading, NewRefusal, State};
use lastmeter_model::invocation::{InvocationId, InvocationRow};
use lastmeter_model::message::Number;
use lastmeter_model::row::DeviceRow;
use lastmeter_units::SimTime;
use tokio_postgres::Error;

use super::session::{Parameter, Session};
use super::text::escape;

/// What a batch writes.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) devices: BTreeMap<i64, DeviceRow>,
    pub(super) readings: Readings,
    alerts: Alerts,
    refusals: Refusals,
    pub(super) invocations: BTreeMap<InvocationId, InvocationRow>,
    pub(super) states: BTreeMap<i64, State>,
}

/// New readings.
#[derive(Default)]
pub(super) struct Readings {
    sequence: Vec<i64>,
    pub(super) device: Vec<i64>,
    pub(super) epoch: Vec<Option<i64>>,
    pub(super) serial: Vec<Option<i64>>,
    pub(super) event: Vec<i64>,
    pub(super) dated: Vec<bool>,
    pub(super) update_state: Vec<bool>,
    pub(super) received: Vec<i64>,
    pub(super) commit: Vec<i64>,
    ends: Vec<i32>,
    quantities: Vec<i32>,
    values: Vec<f64>,
    pub(super) extra: Vec<Option<String>>,
    /// Where a number is in the columns.
    pub(super) by_number: BTreeMap<(i64, Number), usize>,
}

/// New alerts.
#[derive(Default)]
struct Alerts {
    sequence: Vec<i64>,
    device: Vec<i64>,
    event: Vec<i64>,
    received: Vec<i64>,
    level: Vec<String>,
    kind: Vec<String>,
    message: Vec<String>,
    update_state: Vec<bool>,
    extra: Vec<Option<String>>,
}

/// New refusals.
#[derive(Default)]
struct Refusals {
    sequence: Vec<i64>,
    reason: Vec<String>,
    device: Vec<Option<String>>,
    topic: Vec<String>,
    detail: Vec<String>,
    event: Vec<i64>,
    content: Vec<Option<Vec<u8>>>,
    content_bytes: Vec<Option<i64>>,
}

fn owned(text: &str) -> String {
    escape(text).into_owned()
}

impl Readings {
    pub(super) fn add(&mut self, reading: &NewReading<'_>) {
        if let Some(number) = reading.number {
            self.by_number.insert((reading.device, number), self.sequence.len());
        }
        self.sequence.push(reading.sequence.cast_signed());
        self.device.push(reading.device);
        self.epoch.push(reading.number.map(|(epoch, _)| epoch.cast_signed()));
        self.serial.push(reading.number.map(|(_, serial)| serial.cast_signed()));
        self.event.push(reading.event.as_nanoseconds());
        self.dated.push(reading.is_dated);
        self.update_state.push(reading.updates_state);
        self.received.push(reading.received.as_nanoseconds());
        self.commit.push(reading.commit.as_nanoseconds());
        self.quantities.extend(reading.values.iter().map(|(quantity, _)| i32::from(*quantity)));
        self.values.extend(reading.values.iter().map(|(_, value)| *value));
        self.ends.push(self.values.len() as i32);
        self.extra.push(reading.extra.map(owned));
    }

    /// The values of a row.
    pub(super) fn values(&self, at: usize) -> impl Iterator<Item = (u16, f64)> {
        let end = |at: usize| self.ends.get(at).map_or(0, |end| *end as usize);
        let row = at.checked_sub(1).map_or(0, end)..end(at);
        let quantities = self.quantities[row.clone()].iter().map(|quantity| *quantity as u16);
        quantities.zip(self.values[row].iter().copied())
    }

    pub(super) fn sequence(&self, at: usize) -> u64 {
        self.sequence[at].cast_unsigned()
    }

    async fn write(&self, session: &Session) -> Result<bool, Error> {
        let insert = "INSERT INTO reading
            SELECT sequence, device, epoch, serial, event_ns, dated, update_state, received_ns,
                   commit_ns, ($11::int4[])[begins + 1:ends], ($12::float8[])[begins + 1:ends], extra
            FROM (SELECT *, lag(ends, 1, 0) OVER (ORDER BY sequence) AS begins
                  FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[],
                              $6::bool[], $7::bool[], $8::int8[], $9::int8[], $10::int4[],
                              $13::text[])
                  AS r (sequence, device, epoch, serial, event_ns, dated, update_state,
                        received_ns, commit_ns, ends, extra)) AS placed
            ON CONFLICT DO NOTHING";
        let columns: [Parameter<'_>; 13] = [
            &self.sequence,
            &self.device,
            &self.epoch,
            &self.serial,
            &self.event,
            &self.dated,
            &self.update_state,
            &self.received,
            &self.commit,
            &self.ends,
            &self.quantities,
            &self.values,
            &self.extra,
        ];
        write(session, insert, &columns, self.sequence.len()).await
    }
}

/// Writes the rows of a table; whether all of them are written.
async fn write(
    session: &Session,
    sql: &'static str,
    columns: &[Parameter<'_>],
    rows: usize,
) -> Result<bool, Error> {
    Ok(rows == 0 || session.run(sql, columns).await? == rows as u64)
}

impl Alerts {
    async fn write(&self, session: &Session) -> Result<bool, Error> {
        let insert = "INSERT INTO alert
            SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::text[],
                                 $6::text[], $7::text[], $8::bool[], $9::text[])
            ON CONFLICT DO NOTHING";
        let columns: [Parameter<'_>; 9] = [
            &self.sequence,
            &self.device,
            &self.event,
            &self.received,
            &self.level,
            &self.kind,
            &self.message,
            &self.update_state,
            &self.extra,
        ];
        write(session, insert, &columns, self.sequence.len()).await
    }
}

impl Refusals {
    async fn write(&self, session: &Session) -> Result<bool, Error> {
        let insert = "INSERT INTO refusal
            SELECT * FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::text[],
                                 $6::int8[], $7::bytea[], $8::int8[])
            ON CONFLICT DO NOTHING";
        let columns: [Parameter<'_>; 8] = [
            &self.sequence,
            &self.reason,
            &self.device,
            &self.topic,
            &self.detail,
            &self.event,
            &self.content,
            &self.content_bytes,
        ];
        write(session, insert, &columns, self.sequence.len()).await
    }
}

impl Gathered {
    pub(super) fn add_alert(&mut self, alert: &NewAlert<'_>) {
        let to = &mut self.alerts;
        to.sequence.push(alert.sequence.cast_signed());
        to.device.push(alert.device);
        to.event.push(alert.event.as_nanoseconds());
        to.received.push(alert.received.as_nanoseconds());
        to.level.push(owned(alert.level));
        to.kind.push(owned(alert.kind));
        to.message.push(owned(alert.message));
        to.update_state.push(alert.updates_state);
        to.extra.push(alert.extra.map(owned));
    }

    pub(super) fn add_refusal(&mut self, refusal: &NewRefusal<'_>) {
        let to = &mut self.refusals;
        to.sequence.push(refusal.sequence.cast_signed());
        to.reason.push(owned(refusal.reason));
        to.device.push(refusal.device.map(owned));
        to.topic.push(owned(refusal.topic));
        to.detail.push(owned(refusal.detail));
        to.event.push(refusal.received.as_nanoseconds());
        to.content.push(refusal.content.map(<[u8]>::to_vec));
        to.content_bytes.push(refusal.content_bytes.map(u64::cast_signed));
    }

    /// Writes all of it; `false` if a row that is new was there already.
    pub(super) async fn write(&self, session: &Session) -> Result<bool, Error> {
        self.write_devices(session).await?;
        self.write_invocations(session).await?;
        self.write_states(session).await?;
        Ok(self.readings.write(session).await?
            && self.alerts.write(session).await?
            && self.refusals.write(session).await?)
    }

    async fn write_devices(&self, session: &Session) -> Result<bool, Error> {
        let rows = || self.devices.values();
        let insert = "INSERT INTO device
            SELECT * FROM unnest($1::int8[], $2::text[], $3::int8[], $4::int8[], $5::int8[])
            ON CONFLICT (id) DO UPDATE
            SET commands = EXCLUDED.commands, last_command = EXCLUDED.last_command";
        let columns: [Parameter<'_>; 5] = [
            &rows().map(|row| row.id).collect::<Vec<_>>(),
            &rows().map(|row| row.hardware_id.as_str()).collect::<Vec<_>>(),
            &rows().map(|row| row.created.as_nanoseconds()).collect::<Vec<_>>(),
            &rows().map(|row| row.commands.cast_signed()).collect::<Vec<_>>(),
            &rows().map(|row| row.last_command).collect::<Vec<_>>(),
        ];
        write(session, insert, &columns, self.devices.len()).await
    }

    async fn write_invocations(&self, session: &Session) -> Result<bool, Error> {
        let rows = || self.invocations.values();
        let time = |time: Option<SimTime>| time.map(SimTime::as_nanoseconds);
        let json = |texts: &BTreeMap<String, String>| owned(&serde_json::json!(texts).to_string());
        let insert = "INSERT INTO invocation
            SELECT * FROM unnest($1::int8[], $2::int8[], $3::text[], $4::text[], $5::text[],
                $6::text[], $7::text[], $8::int8[], $9::int8[], $10::text[], $11::int8[],
                $12::int8[], $13::text[], $14::int8[])
            ON CONFLICT (id) DO UPDATE SET metadata = EXCLUDED.metadata, state = EXCLUDED.state,
                sent_ns = EXCLUDED.sent_ns, ended_ns = EXCLUDED.ended_ns,
                response = EXCLUDED.response";
        let columns: [Parameter<'_>; 14] = [
            &rows().map(|row| row.id.0).collect::<Vec<_>>(),
            &rows().map(|row| row.asked.device).collect::<Vec<_>>(),
            &rows().map(|row| owned(&row.asked.command)).collect::<Vec<_>>(),
            &rows().map(|row| json(&row.asked.parameters)).collect::<Vec<_>>(),
            &rows().map(|row| owned(&row.asked.initiator)).collect::<Vec<_>>(),
            &rows().map(|row| owned(&row.asked.initiator_id)).collect::<Vec<_>>(),
            &rows().map(|row| json(&row.asked.metadata)).collect::<Vec<_>>(),
            &rows().map(|row| row.asked.created.as_nanoseconds()).collect::<Vec<_>>(),
            &rows().map(|row| row.asked.expires.as_nanoseconds()).collect::<Vec<_>>(),
            &rows().map(|row| row.state.word()).collect::<Vec<_>>(),
            &rows().map(|row| time(row.sent)).collect::<Vec<_>>(),
            &rows().map(|row| time(row.ended)).collect::<Vec<_>>(),
            &rows().map(|row| row.response.as_deref().map(owned)).collect::<Vec<_>>(),
            &rows().map(|row| row.previous).collect::<Vec<_>>(),
        ];
        write(session, insert, &columns, self.invocations.len()).await
    }

    async fn write_states(&self, session: &Session) -> Result<bool, Error> {
        let (mut known, mut last, mut events, mut values) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut alerts: Vec<i64> = Vec::new();
        let (mut known_ends, mut last_ends, mut alert_ends) = (Vec::new(), Vec::new(), Vec::new());
        for state in self.states.values() {
            for (quantity, value) in &state.quantities {
                known.push(i32::from(*quantity));
                if let Some((event, value)) = value {
                    last.push(i32::from(*quantity));
                    events.push(*event);
                    values.push(*value);
                }
            }
            alerts.extend(&state.alerts);
            known_ends.push(known.len() as i32);
            last_ends.push(last.len() as i32);
            alert_ends.push(alerts.len() as i32);
        }
        let insert = r#"INSERT INTO state
            SELECT device, interaction, ($6::int4[])[known_from + 1:known_to],
                   ($7::int4[])[last_from + 1:last_to], ($8::int8[])[last_from + 1:last_to],
                   ($9::float8[])[last_from + 1:last_to], ($10::int8[])[alerts_from + 1:alerts_to]
            FROM (SELECT *, lag(known_to, 1, 0) OVER by_device AS known_from,
                         lag(last_to, 1, 0) OVER by_device AS last_from,
                         lag(alerts_to, 1, 0) OVER by_device AS alerts_from
                  FROM unnest($1::int8[], $2::int8[], $3::int4[], $4::int4[], $5::int4[])
                  AS s (device, interaction, known_to, last_to, alerts_to)
                  WINDOW by_device AS (ORDER BY device)) AS placed
            ON CONFLICT (device) DO UPDATE
            SET last_interaction_ns = EXCLUDED.last_interaction_ns,
                quantities = EXCLUDED.quantities, last = EXCLUDED.last,
                event_ns = EXCLUDED.event_ns, "values" = EXCLUDED."values",
                alerts = EXCLUDED.alerts"#;
        let interaction = |state: &State| state.last_interaction.as_nanoseconds();
        let columns: [Parameter<'_>; 10] = [
            &self.states.keys().copied().collect::<Vec<_>>(),
            &self.states.values().map(interaction).collect::<Vec<_>>(),
            &known_ends,
            &last_ends,
            &alert_ends,
            &known,
            &last,
            &events,
            &values,
            &alerts,
        ];
        write(session, insert, &columns, self.states.len()).await
    }
}
