//! What deciding asks of a store and has it write, within one transaction.

use std::collections::BTreeMap;

use lastmeter_units::{MeasurementId, SimTime};

use crate::audit::{AuditRow, Hash};
use crate::document::{Answer, AnswerKey, Cursor, Document, DocumentKind, Key};
use crate::invocation::{InvocationId, InvocationRow};
use crate::message::Number;
use crate::row::{BlockRow, DeviceRow, ReadingRow, ResultRow};
use crate::series::rollup::Rollup;

/// What a store has of something. Damage has been reported by the store when it is given here.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<T> {
    /// It is there as it was stored.
    Sound(T),
    /// It is not there.
    Absent,
    /// It is there and not what was stored.
    Damaged,
}

impl<T> Found<T> {
    /// What is there and sound.
    pub fn sound(self) -> Option<T> {
        match self {
            Self::Sound(value) => Some(value),
            Self::Absent | Self::Damaged => None,
        }
    }
}

/// What a store knows, asked while a batch is decided. It sees what the batch has put so far.
///
/// # Errors
/// Of each question, if the store cannot be read.
pub trait Known {
    /// Why a store cannot be read or written.
    type Error;

    /// The store's number of a quantity.
    fn quantity(&self, id: MeasurementId) -> u16;

    /// The reading that a device sent under a number. Where the message has a date, a store that
    /// finds its readings by an index looks by the date as well, so that no fault of one index lets
    /// a reading be stored twice.
    fn numbered(
        &mut self,
        device: &DeviceRow,
        number: Number,
        event: Option<SimTime>,
    ) -> Result<Found<ReadingRow>, Self::Error>;

    /// The result that an application sent under a number.
    fn result(
        &mut self,
        device: &DeviceRow,
        number: Number,
    ) -> Result<Found<ResultRow>, Self::Error>;

    /// The block that a device sent under a number.
    fn block(&mut self, device: &DeviceRow, number: Number)
    -> Result<Found<BlockRow>, Self::Error>;

    /// An invocation.
    fn invocation(&mut self, id: InvocationId) -> Result<Found<InvocationRow>, Self::Error>;

    /// What is known last of a device.
    fn state(&mut self, device: i64) -> Result<Found<State>, Self::Error>;

    /// A document, in its last version; a removed one is there.
    fn document(
        &mut self,
        kind: &'static DocumentKind,
        token: &str,
    ) -> Result<Found<Document>, Self::Error>;

    /// An answer that is kept.
    fn answer(&mut self, key: &AnswerKey) -> Result<Found<Answer>, Self::Error>;

    /// Answers that are kept no longer, at most `limit`: those that were given at an instant or
    /// before it, and of one principal those before its newest ones, of which so many are kept.
    fn old_answers(
        &mut self,
        given: SimTime,
        of: (&str, u32),
        limit: u32,
    ) -> Result<Vec<AnswerKey>, Self::Error>;

    /// The roll-up of a bucket of a device, by its first instant.
    fn rollup(&mut self, device: i64, start: SimTime) -> Result<Found<Rollup>, Self::Error>;

    /// The readings that a device has within a bucket, summed up; damaged if one of them is.
    fn summed_up(&mut self, device: i64, start: SimTime) -> Result<Found<Rollup>, Self::Error>;

    /// The first instant of the last bucket of which a device has a reading or a roll-up.
    fn last_bucket(&mut self, device: i64) -> Result<Option<SimTime>, Self::Error>;

    /// The event of the first reading that a device has from an instant on.
    fn event_from(&mut self, device: i64, from: SimTime) -> Result<Option<SimTime>, Self::Error>;

    /// The first rows of a list, in their order, at most `limit`. Damaged ones are among them.
    fn oldest(&mut self, list: List, after: u64, limit: u32) -> Result<Vec<Old>, Self::Error>;

    /// The highest serial of a device and epoch that retention has removed.
    fn removed(&mut self, device: i64, epoch: u64) -> Result<Found<u64>, Self::Error>;

    /// Bytes of content that are kept with refusals, by the device that was claimed.
    fn refused_bytes(&mut self) -> Result<RefusedBytes, Self::Error>;
}

/// Bytes of refused content by the hardware id that was claimed, if one was.
pub type RefusedBytes = BTreeMap<Option<String>, u64>;

/// Lists from the beginning of which retention removes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Readings.
    Readings,
    /// Alerts.
    Alerts,
    /// Refusals.
    Refusals,
    /// Results.
    Results,
    /// Blocks.
    Blocks,
}

/// A row that may have been kept for long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Old {
    /// Its sequence.
    pub sequence: u64,
    /// What it holds; `None` if it is damaged.
    pub content: Option<OldContent>,
}

/// What a row holds that matters when it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldContent {
    /// When it arrived.
    pub received: SimTime,
    /// Of a reading: its device, its number, when it was measured.
    pub reading: Option<(i64, Option<Number>, SimTime)>,
    /// Of a refusal: the bytes that are kept of what was refused.
    pub kept_bytes: u64,
}

/// One transaction of a store.
pub trait Batch: Known {
    /// Writes one thing.
    ///
    /// # Errors
    /// If the store cannot be written.
    fn put(&mut self, effect: Effect<'_>) -> Result<Put, Self::Error>;
}

/// What became of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is written.
    Written,
    /// It is a reading, a result or a block whose number the store has already; nothing was
    /// written.
    Repeated,
}

/// What a decision has a store write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect<'a> {
    /// A device, new or changed.
    Device(&'a DeviceRow),
    /// A reading, new.
    Reading(NewReading<'a>),
    /// An alert, new.
    Alert(NewAlert<'a>),
    /// A result of the device of a row, new.
    Result(i64, &'a ResultRow),
    /// A block of the device of a row, new.
    Block(i64, &'a BlockRow),
    /// A refusal, new.
    Refusal(NewRefusal<'a>),
    /// An invocation, new or changed.
    Invocation(&'a InvocationRow),
    /// The state of a device, new or changed.
    State(i64, &'a State),
    /// A document in a new version.
    Document(NewVersion<'a>),
    /// A row of the audit, with the hash of the chain up to it.
    Audit(&'a AuditRow, Hash),
    /// An answer under its number, in place of another one of its key.
    Answer(u64, &'a Answer),
    /// An answer that is kept no longer.
    AnswerGone(&'a AnswerKey),
    /// How far somebody has come who follows what is stored, in place of what they had before.
    Cursor(&'a Cursor),
    /// The roll-up of a bucket of a device, new or changed.
    Rollup(i64, &'a Rollup),
    /// The roll-ups of some devices, by the first and the last of their rows, before a bucket are
    /// kept no longer.
    RollupsGone {
        /// The devices.
        devices: (i64, i64),
        /// The first bucket that stays.
        before: SimTime,
    },
    /// The rows of a list up to a sequence are kept no longer.
    Gone(List, u64),
    /// A serial of a device and epoch whose reading is kept no longer; the highest one is noted.
    Removed {
        /// Row of the device.
        device: i64,
        /// The epoch.
        epoch: u64,
        /// The serial.
        serial: u64,
    },
}

/// A new version of a document: it becomes the current one, and a row of the history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewVersion<'a> {
    /// Its number among the versions of all documents, from 1 without gaps.
    pub number: u64,
    /// The document.
    pub document: &'a Document,
    /// Under which keys it is found from now on, each once, in their order.
    pub keys: &'a [Key],
}

/// A reading to be stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewReading<'a> {
    /// Commit sequence.
    pub sequence: u64,
    /// Row of the device.
    pub device: i64,
    /// Epoch and serial, if the message has a serial.
    pub number: Option<Number>,
    /// When it was measured.
    pub event: SimTime,
    /// Whether the message states it.
    pub is_dated: bool,
    /// Whether its values become the device's latest.
    pub updates_state: bool,
    /// When it arrived.
    pub received: SimTime,
    /// When the transaction began.
    pub commit: SimTime,
    /// The store's numbers of the quantities, ascending, and values in the message's unit.
    pub values: &'a [(u16, f64)],
    /// Originator and metadata as JSON.
    pub extra: Option<&'a str>,
}

/// An alert to be stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewAlert<'a> {
    /// Commit sequence.
    pub sequence: u64,
    /// Row of the device.
    pub device: i64,
    /// When it happened.
    pub event: SimTime,
    /// When it arrived.
    pub received: SimTime,
    /// How bad it is.
    pub level: &'a str,
    /// The application's kind of alert.
    pub kind: &'a str,
    /// Text for people.
    pub message: &'a str,
    /// Whether the device's state takes it over.
    pub updates_state: bool,
    /// Originator and metadata as JSON.
    pub extra: Option<&'a str>,
}

/// A refusal to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRefusal<'a> {
    /// Its sequence.
    pub sequence: u64,
    /// Stable word of the reason.
    pub reason: &'a str,
    /// The hardware id that was claimed.
    pub device: Option<&'a str>,
    /// The topic it came on.
    pub topic: &'a str,
    /// What was found and what was expected.
    pub detail: &'a str,
    /// When it arrived.
    pub received: SimTime,
    /// What was refused, where it is kept.
    pub content: Option<&'a [u8]>,
    /// How long that was, bytes, kept or not.
    pub content_bytes: Option<u64>,
}

/// What is known last of a device, by the store's numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// When it was last heard.
    pub last_interaction: SimTime,
    /// Quantities of which there is any value, and the last one of messages that asked to become
    /// the state: event time in ns and value.
    pub quantities: BTreeMap<u16, Option<(i64, f64)>>,
    /// Sequences of the last alerts that asked for it, newest first.
    pub alerts: Vec<i64>,
}

/// Alerts kept in a device's state.
pub const STATE_ALERTS_MAX: usize = 10;
