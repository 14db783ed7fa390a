//! Rows of the tables that SQLite and PostgreSQL keep alike, as the values of their columns in
//! order. A file adds a seal to each (`sqlite::seal`); readings and states have other columns in
//! each of the two.

use std::collections::BTreeMap;

use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::decide::{NewAlert, NewRefusal};
use lastmeter_model::directory::device_row;
use lastmeter_model::document::{Answer, AnswerBody, AnswerKey, Document, Key, kind_of_code};
use lastmeter_model::invocation::{InvocationId, InvocationRow, InvocationState, NewInvocation};
use lastmeter_model::message::Number;
use lastmeter_model::row::{
    AlertRow, BlockRow, DeviceRow, RefusalRow, ResultRow, block_channels, block_extra,
    extra_metadata,
};
use lastmeter_model::standing::Standing;
use lastmeter_units::{HardwareId, SimTime};
use rusqlite::types::{FromSql, ValueRef};

use crate::damage::Damage;

/// What a column may hold.
pub(crate) trait Column: FromSql + for<'a> tokio_postgres::types::FromSql<'a> {}

impl<T: FromSql + for<'a> tokio_postgres::types::FromSql<'a>> Column for T {}

/// A row as a database gives it.
pub(crate) trait Columns {
    /// Why it cannot be read.
    type Error: From<Damage>;

    fn value<T: Column>(&self, column: usize) -> Result<T, Self::Error>;
    fn text_or_none(&self, column: usize) -> Result<Option<String>, Self::Error>;

    fn text(&self, column: usize) -> Result<String, Self::Error> {
        self.text_or_none(column).map(Option::unwrap_or_default)
    }

    fn count(&self, column: usize) -> Result<u64, Self::Error> {
        self.value(column).map(i64::cast_unsigned)
    }

    fn time(&self, column: usize) -> Result<SimTime, Self::Error> {
        self.value(column).map(SimTime)
    }

    fn time_or_none(&self, column: usize) -> Result<Option<SimTime>, Self::Error> {
        Ok(self.value::<Option<i64>>(column)?.map(SimTime))
    }

    /// Epoch and serial, from two columns.
    fn number(&self, column: usize) -> Result<Option<Number>, Self::Error> {
        let (epoch, serial) = (self.value(column)?, self.value(column + 1)?);
        let (epoch, serial): (Option<i64>, Option<i64>) = (epoch, serial);
        Ok(epoch.zip(serial).map(|(epoch, serial)| (epoch.cast_unsigned(), serial.cast_unsigned())))
    }

    fn hash_or_none(&self, column: usize) -> Result<Option<Hash>, Self::Error> {
        let Some(bytes) = self.value::<Option<Vec<u8>>>(column)? else { return Ok(None) };
        let wrong = |bytes: Vec<u8>| {
            Damage::new("hash", bytes.len(), "it has another length than a SHA-256")
        };
        Ok(Some(bytes.try_into().map_err(wrong)?))
    }

    fn hash(&self, column: usize) -> Result<Hash, Self::Error> {
        self.hash_or_none(column).map(Option::unwrap_or_default)
    }
}

pub(crate) fn text(text: &str) -> ValueRef<'_> {
    ValueRef::Text(text.as_bytes())
}

fn text_or_null(content: Option<&str>) -> ValueRef<'_> {
    content.map_or(ValueRef::Null, text)
}

/// A number or nothing as a column.
pub(crate) fn number(number: Option<i64>) -> ValueRef<'static> {
    number.map_or(ValueRef::Null, ValueRef::Integer)
}

fn count(count: u64) -> ValueRef<'static> {
    ValueRef::Integer(count.cast_signed())
}

fn time(time: SimTime) -> ValueRef<'static> {
    ValueRef::Integer(time.as_nanoseconds())
}

pub(crate) fn device(device: &DeviceRow) -> [ValueRef<'_>; 5] {
    [
        ValueRef::Integer(device.id),
        text(device.hardware_id.as_str()),
        time(device.created),
        count(device.commands),
        ValueRef::Integer(device.last_command),
    ]
}

/// The next of a tenant's devices, which are numbered from 1 without gaps.
pub(crate) fn read_device<C: Columns>(
    row: &C,
    tenant: &str,
    expected: usize,
) -> Result<DeviceRow, C::Error> {
    let id: i64 = row.value(0)?;
    if usize::try_from(id) != Ok(expected) {
        return Err(Damage::missing("device", expected).into());
    }
    let hardware_id = HardwareId::new(row.text(1)?)
        .map_err(|error| Damage::new("device", id, error.to_string()))?;
    Ok(device_row(tenant, (id, hardware_id), row.time(2)?, row.count(3)?, row.value(4)?))
}

pub(crate) fn alert<'a>(alert: &NewAlert<'a>) -> [ValueRef<'a>; 11] {
    [
        count(alert.sequence),
        ValueRef::Integer(alert.device),
        // No repetition of an alert is recognised yet.
        ValueRef::Null,
        ValueRef::Null,
        time(alert.event),
        time(alert.received),
        text(alert.level),
        text(alert.kind),
        text(alert.message),
        ValueRef::Integer(alert.updates_state.into()),
        text_or_null(alert.extra),
    ]
}

/// An alert of a device that has been found, and the bytes that it counts on a page.
pub(crate) fn read_alert<C: Columns>(
    row: &C,
    device: HardwareId,
) -> Result<(AlertRow, usize), C::Error> {
    let alert = AlertRow {
        sequence: row.count(0)?,
        device,
        event: row.time(4)?,
        received: row.time(5)?,
        level: row.text(6)?,
        kind: row.text(7)?,
        message: row.text(8)?,
        metadata: extra_metadata(row.text_or_none(10)?.as_deref()),
    };
    let facts = alert.metadata.iter().map(|(name, value)| name.len() + value.len());
    let bytes = alert.kind.len() + alert.message.len() + facts.sum::<usize>();
    Ok((alert, bytes))
}

/// Up to which sequence rows of a table are not kept any more.
pub(crate) fn floor(standing: &Standing, table: &str) -> u64 {
    match table {
        "reading" => standing.reading_floor,
        "alert" => standing.alert_floor,
        "refusal" => standing.refusal_floor,
        "result" => standing.result_floor,
        "block" => standing.block_floor,
        _ => 0,
    }
}

/// Rows that are stored once under a number of their device: results and blocks.
pub(crate) trait Numbered: Sized {
    const TABLE: &'static str;
    /// The index of numbers.
    const IDENTITY: &'static str;
    /// What SQLite selects: all columns and the seal.
    const SEALED: &'static str;
    /// What PostgreSQL is asked for the rows after a sequence.
    const IN_ORDER: &'static str;
    /// What it is asked for the row of a device and a number.
    const BY_NUMBER: &'static str;

    /// Sequence, device and number.
    fn place(&self) -> (u64, &HardwareId, Option<Number>);

    /// Gives the columns, for the row of its device.
    fn columns<T>(&self, device: i64, to: impl FnOnce(&[ValueRef<'_>; NUMBERED]) -> T) -> T;

    /// A row of a device that has been found, and the bytes that it counts on a page.
    fn read<C: Columns>(row: &C, device: HardwareId) -> Result<(Self, usize), C::Error>;
}

/// Columns of a table of numbered rows, without the seal.
pub(crate) const NUMBERED: usize = 10;

macro_rules! numbered {
    // One place for names and columns, as queries are texts that stand when it is compiled.
    ($table:literal, $columns:literal) => {
        const TABLE: &'static str = $table;
        const IDENTITY: &'static str = concat!($table, "_identity");
        const SEALED: &'static str = concat!("SELECT ", $columns, ", sum FROM ", $table);
        const IN_ORDER: &'static str = concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $table,
            " WHERE sequence > $1 ORDER BY sequence LIMIT $2"
        );
        const BY_NUMBER: &'static str = concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $table,
            " WHERE device = $1 AND epoch = $2 AND serial = $3 AND serial IS NOT NULL"
        );

        fn place(&self) -> (u64, &HardwareId, Option<Number>) {
            (self.sequence, &self.device, self.number)
        }
    };
}

impl Numbered for ResultRow {
    numbered!(
        "result",
        "sequence, device, epoch, serial, kind, subject, from_ns, until_ns, received_ns, content"
    );

    fn columns<T>(&self, device: i64, to: impl FnOnce(&[ValueRef<'_>; NUMBERED]) -> T) -> T {
        let [epoch, serial] = numbers(self.number);
        to(&[
            count(self.sequence),
            ValueRef::Integer(device),
            epoch,
            serial,
            text(&self.kind),
            text(&self.subject),
            time(self.from),
            number(self.until.map(SimTime::as_nanoseconds)),
            time(self.received),
            text(&self.content),
        ])
    }

    fn read<C: Columns>(row: &C, device: HardwareId) -> Result<(Self, usize), C::Error> {
        let result = Self {
            sequence: row.count(0)?,
            device,
            number: row.number(2)?,
            kind: row.text(4)?,
            subject: row.text(5)?,
            from: row.time(6)?,
            until: row.time_or_none(7)?,
            received: row.time(8)?,
            content: row.text(9)?,
        };
        let bytes = result.kind.len() + result.subject.len() + result.content.len();
        Ok((result, bytes))
    }
}

impl Numbered for BlockRow {
    numbered!(
        "block",
        "sequence, device, epoch, serial, event_ns, received_ns, channels, rate, content, extra"
    );

    fn columns<T>(&self, device: i64, to: impl FnOnce(&[ValueRef<'_>; NUMBERED]) -> T) -> T {
        let [epoch, serial] = numbers(self.number);
        to(&[
            count(self.sequence),
            ValueRef::Integer(device),
            epoch,
            serial,
            time(self.event),
            time(self.received),
            count(self.channels.len() as u64),
            ValueRef::Real(self.rate_hz),
            ValueRef::Blob(&self.content),
            text(&block_extra(&self.channels, self.samples)),
        ])
    }

    fn read<C: Columns>(row: &C, device: HardwareId) -> Result<(Self, usize), C::Error> {
        let (channels, samples) = block_channels(&row.text(9)?);
        let block = Self {
            sequence: row.count(0)?,
            device,
            number: row.number(2)?,
            event: row.time(4)?,
            received: row.time(5)?,
            channels,
            samples,
            rate_hz: row.value(7)?,
            content: row.value(8)?,
        };
        let bytes = block.content.len();
        Ok((block, bytes))
    }
}

/// Epoch and serial as two columns.
fn numbers(of: Option<Number>) -> [ValueRef<'static>; 2] {
    let (epoch, serial) = of.unzip();
    [epoch, serial].map(|one| number(one.map(u64::cast_signed)))
}

pub(crate) fn refusal<'a>(refusal: &NewRefusal<'a>) -> [ValueRef<'a>; 8] {
    [
        count(refusal.sequence),
        text(refusal.reason),
        text_or_null(refusal.device),
        text(refusal.topic),
        text(refusal.detail),
        time(refusal.received),
        refusal.content.map_or(ValueRef::Null, ValueRef::Blob),
        number(refusal.content_bytes.map(u64::cast_signed)),
    ]
}

/// A refusal, and the bytes that it counts on a page.
pub(crate) fn read_refusal<C: Columns>(row: &C) -> Result<(RefusalRow, usize), C::Error> {
    let content: Option<Vec<u8>> = row.value(6)?;
    let bytes = content.as_ref().map_or(0, Vec::len);
    let refusal = RefusalRow {
        sequence: row.count(0)?,
        reason: row.text(1)?,
        device: row.text_or_none(2)?,
        topic: row.text(3)?,
        detail: row.text(4)?,
        event: row.time(5)?,
        content,
        content_bytes: row.value::<Option<i64>>(7)?.map(i64::cast_unsigned),
    };
    Ok((refusal, bytes))
}

/// Writes an invocation, new or changed.
pub(crate) fn invocation<T>(row: &InvocationRow, write: impl FnOnce(&[ValueRef<'_>]) -> T) -> T {
    let json = |texts: &BTreeMap<String, String>| serde_json::json!(texts).to_string();
    let (asked, time_or_null) =
        (&row.asked, |time: Option<SimTime>| number(time.map(SimTime::as_nanoseconds)));
    let (parameters, metadata) = (json(&asked.parameters), json(&asked.metadata));
    write(&[
        ValueRef::Integer(row.id.0),
        ValueRef::Integer(asked.device),
        text(&asked.command),
        text(&parameters),
        text(&asked.initiator),
        text(&asked.initiator_id),
        text(&metadata),
        time(asked.created),
        time(asked.expires),
        text(row.state.word()),
        time_or_null(row.sent),
        time_or_null(row.ended),
        text_or_null(row.response.as_deref()),
        ValueRef::Integer(row.previous),
    ])
}

pub(crate) fn read_invocation<C: Columns>(row: &C) -> Result<InvocationRow, C::Error> {
    let id = row.value(0)?;
    let word = row.text(9)?;
    let Some(state) = InvocationState::from_word(&word) else {
        return Err(Damage::new("invocation", id, format!("`{word}` is not a state")).into());
    };
    let texts = |column| {
        let texts = serde_json::from_str(&row.text(column)?);
        let damage = |error: serde_json::Error| Damage::new("invocation", id, error.to_string());
        texts.map_err(|error| C::Error::from(damage(error)))
    };
    Ok(InvocationRow {
        id: InvocationId(id),
        asked: NewInvocation {
            device: row.value(1)?,
            command: row.text(2)?,
            parameters: texts(3)?,
            initiator: row.text(4)?,
            initiator_id: row.text(5)?,
            metadata: texts(6)?,
            created: row.time(7)?,
            expires: row.time(8)?,
        },
        state,
        sent: row.time_or_none(10)?,
        ended: row.time_or_none(11)?,
        response: row.text_or_none(12)?,
        previous: row.value(13)?,
    })
}

/// A version of a document: `document` and `document_version` have the same columns.
pub(crate) fn document(number: u64, document: &Document) -> [ValueRef<'_>; 9] {
    [
        count(number),
        ValueRef::Integer(document.kind.code.into()),
        text(&document.token),
        count(document.version),
        time(document.created),
        time(document.changed),
        text(&document.by),
        ValueRef::Integer(document.is_deleted.into()),
        text(&document.body),
    ]
}

/// A document and its number.
pub(crate) fn read_document<C: Columns>(
    row: &C,
    table: &'static str,
) -> Result<(i64, Document), C::Error> {
    let (number, code): (i64, i64) = (row.value(0)?, row.value(1)?);
    let Some(kind) = u8::try_from(code).ok().and_then(kind_of_code) else {
        let found = format!("this version has no kind {code} of documents");
        return Err(Damage::new(table, number, found).into());
    };
    let document = Document {
        kind,
        token: row.text(2)?,
        version: row.count(3)?,
        created: row.time(4)?,
        changed: row.time(5)?,
        by: row.text(6)?,
        is_deleted: row.value(7)?,
        body: row.text(8)?,
    };
    Ok((number, document))
}

/// Under which keys a document is found.
pub(crate) fn keys_of(document: &Document) -> Vec<Key> {
    let body = serde_json::from_str(&document.body).ok().filter(|_| !document.is_deleted);
    let mut keys = body.and_then(|body| (document.kind.check)(&body).ok()).unwrap_or_default();
    keys.sort_unstable();
    keys.dedup();
    keys
}

pub(crate) fn audit<'a>(row: &'a AuditRow, hash: &'a Hash) -> [ValueRef<'a>; 9] {
    let hash_or_null =
        |hash: &'a Option<Hash>| hash.as_ref().map_or(ValueRef::Null, |hash| ValueRef::Blob(hash));
    [
        count(row.number),
        time(row.at),
        text(&row.who),
        text(&row.action),
        text(&row.resource),
        hash_or_null(&row.before),
        hash_or_null(&row.after),
        text(&row.outcome),
        ValueRef::Blob(hash),
    ]
}

/// A row of the audit with the hash of the chain, and the bytes that it counts on a page.
pub(crate) fn read_audit<C: Columns>(row: &C) -> Result<((AuditRow, Hash), usize), C::Error> {
    let audit = AuditRow {
        number: row.count(0)?,
        at: row.time(1)?,
        who: row.text(2)?,
        action: row.text(3)?,
        resource: row.text(4)?,
        before: row.hash_or_none(5)?,
        after: row.hash_or_none(6)?,
        outcome: row.text(7)?,
    };
    let bytes = audit.who.len() + audit.resource.len() + audit.outcome.len();
    Ok(((audit, row.hash(8)?), bytes))
}

pub(crate) fn answer(place: u64, answer: &Answer) -> [ValueRef<'_>; 10] {
    let (gives, kind, name, version) = match &answer.body {
        AnswerBody::Document(kind, token, version) => {
            (0, Some((*kind).into()), Some(token), Some(version.cast_signed()))
        }
        AnswerBody::Invocation(id) => (1, None, None, Some(*id)),
        AnswerBody::Text(content) => (2, None, Some(content), None),
        AnswerBody::Secret => (3, None, None, None),
    };
    [
        count(place),
        text(&answer.key.by),
        text(&answer.key.key),
        ValueRef::Blob(&answer.request),
        ValueRef::Integer(answer.status.into()),
        time(answer.at),
        ValueRef::Integer(gives),
        number(kind),
        text_or_null(name.map(String::as_str)),
        number(version),
    ]
}

pub(crate) fn read_answer<C: Columns>(row: &C) -> Result<Answer, C::Error> {
    let damage = |what: &str, found: i64| {
        let number = row.value::<i64>(0).unwrap_or_default();
        C::Error::from(Damage::new("answer", number, format!("its {what} is {found}")))
    };
    let narrow = |what, found: i64| u16::try_from(found).map_err(|_| damage(what, found));
    let body = match row.value::<i64>(6)? {
        0 => {
            let kind = narrow("kind", row.value(7)?)? as u8;
            AnswerBody::Document(kind, row.text(8)?, row.count(9)?)
        }
        1 => AnswerBody::Invocation(row.value(9)?),
        2 => AnswerBody::Text(row.text(8)?),
        3 => AnswerBody::Secret,
        other => return Err(damage("content", other)),
    };
    Ok(Answer {
        key: AnswerKey { by: row.text(1)?, key: row.text(2)? },
        request: row.hash(3)?,
        status: narrow("status", row.value(4)?)?,
        at: row.time(5)?,
        body,
    })
}
