//! What the platform asks of a store, whichever it is.

use async_trait::async_trait;
use lastmeter_model::access::Cut;
use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::decide::Batch;
use lastmeter_model::document::{Answer, AnswerKey, Document, DocumentKind, Key};
use lastmeter_model::invocation::{InvocationId, StoredInvocation};
use lastmeter_model::message::Number;
use lastmeter_model::row::{
    AlertRow, BlockRow, DeviceState, ReadingRow, RefusalRow, ResultRow, SeriesPoint,
};
use lastmeter_model::series::rollup::Summary;
use lastmeter_model::standing::Standing;
use lastmeter_units::{MeasurementId, SimTime};

use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};

/// The writing end of a store; there is one at a time.
pub trait StoreWriter: Send {
    /// Begins a transaction.
    ///
    /// # Errors
    /// If the store cannot be written.
    fn begin(&mut self) -> StoreResult<Box<dyn StoreBatch + '_>>;

    /// Whether the batch whose commit failed last has been committed all the same, so that the
    /// store stands there: the answer of a server can be lost.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn has_committed(&mut self, _: &Standing) -> StoreResult<bool> {
        Ok(false)
    }

    /// Why the next start would not find what is committed now, if that is so.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// A transaction of a store: dropped, it has changed nothing.
pub trait StoreBatch: Batch<Error = StoreError> {
    /// Ends it durably, together with where the store stands then.
    ///
    /// # Errors
    /// If the store cannot be written; nothing has changed then, or, where the answer of a server
    /// was lost, all of it (see [`StoreWriter::has_committed`]).
    fn commit(self: Box<Self>, standing: &Standing) -> StoreResult<()>;
}

/// A stretch of event time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First instant.
    pub start: SimTime,
    /// Last instant.
    pub end: SimTime,
}

/// Rows of a list: so many, after so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Rows before it.
    pub offset: u64,
    /// Rows on it at most.
    pub limit: u32,
}

impl Page {
    /// All rows that there can be.
    pub const ALL: Self = Self { offset: 0, limit: u32::MAX };

    /// How many rows there are, and those of the page.
    #[must_use]
    pub fn of<T>(self, rows: Vec<T>) -> (u64, Vec<T>) {
        let count = rows.len() as u64;
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX);
        (count, rows.into_iter().skip(skipped).take(self.limit as usize).collect())
    }
}

/// Rows that are asked for in the order of their sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The sequence before the first one.
    pub after: u64,
    /// Rows at most.
    pub limit: u32,
    /// The last sequence that is known to be committed; it has to be there.
    pub last: u64,
}

/// Rows in the order of their sequence, without a gap.
#[derive(Debug)]
pub struct Rows<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether there is more behind them: more rows, or one that is damaged.
    pub is_more: bool,
}

/// Where a reading is in event time: event time in ns, and sequence.
pub type Place = (i64, i64);

/// One series of an answer: the points of one identifier.
pub type Series = (MeasurementId, Vec<SeriesPoint>);

/// Which points of which series of a device are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesQuery {
    /// Row of the device.
    pub device: i64,
    /// The identifiers, none of them twice.
    pub ids: Vec<MeasurementId>,
    /// The stretch of event time.
    pub range: Range,
    /// A page of each series, oldest first.
    pub page: Page,
    /// Only what comes behind this place.
    pub after: Option<Place>,
    /// What may be given of the device.
    pub cut: Cut,
}

/// Which summaries of which series of a device are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryQuery {
    /// Row of the device.
    pub device: i64,
    /// The identifiers, none of them twice.
    pub ids: Vec<MeasurementId>,
    /// The stretch of event time.
    pub range: Range,
    /// Before it each value is a summary of its own: what it is for is not made of whole buckets
    /// there.
    pub rows_from: SimTime,
    /// Summaries at most; those of a bucket are given together.
    pub limit: usize,
    /// What may be given of the device.
    pub cut: Cut,
}

/// Summaries in the order of their buckets, of each bucket and series one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summaries {
    /// The summaries.
    pub summaries: Vec<(MeasurementId, Summary)>,
    /// From where on there may be more.
    pub next: Option<SimTime>,
}

/// Queries of what is committed: each sees one moment, has a deadline, and ends with an error
/// rather than with what is not as it was stored.
#[async_trait]
pub trait StoreReader: Send + Sync {
    /// Readings in the order of their commit.
    async fn readings(&self, stretch: Stretch) -> StoreResult<Rows<ReadingRow>>;
    /// Refusals in the order of their commit.
    async fn refusals(&self, stretch: Stretch) -> StoreResult<Rows<RefusalRow>>;
    /// Alerts in the order of their commit.
    async fn alerts(&self, stretch: Stretch) -> StoreResult<Rows<AlertRow>>;
    /// Results in the order of their commit.
    async fn results(&self, stretch: Stretch) -> StoreResult<Rows<ResultRow>>;
    /// Blocks in the order of their commit.
    async fn blocks(&self, stretch: Stretch) -> StoreResult<Rows<BlockRow>>;
    /// The block that a device sent under a number, if there is one.
    async fn block(&self, device: i64, number: Number) -> StoreResult<Option<BlockRow>>;
    /// The reading that a device sent under a number, if there is one.
    async fn numbered(&self, device: i64, number: Number) -> StoreResult<Option<ReadingRow>>;
    /// What is known last of a device.
    async fn state(&self, device: i64) -> StoreResult<DeviceState>;
    /// The identifiers of which a device has sent any value.
    async fn quantities_of(&self, device: i64) -> StoreResult<Vec<MeasurementId>>;
    /// An invocation.
    async fn invocation(&self, id: InvocationId) -> StoreResult<Option<StoredInvocation>>;
    /// Several invocations, which have to be there.
    async fn invocations(&self, ids: Vec<InvocationId>) -> StoreResult<Vec<StoredInvocation>>;
    /// Invocations of a device that a cut leaves, newest first, and how many these are.
    async fn invocations_of(
        &self,
        device: i64,
        page: Page,
        cut: Cut,
    ) -> StoreResult<(u64, Vec<StoredInvocation>)>;
    /// Points of series, each series on its own page.
    async fn series(&self, query: SeriesQuery) -> StoreResult<Vec<Series>>;
    /// What a cut leaves of series, summed up by buckets of 15 minutes. Also of readings that are
    /// kept no longer, where their whole bucket is asked for.
    async fn summaries(&self, query: SummaryQuery) -> StoreResult<Summaries>;
    /// What a cut leaves of the readings of a device by event time, newest first, and how many
    /// these are.
    async fn events(
        &self,
        device: i64,
        range: Range,
        page: Page,
        cut: Cut,
    ) -> StoreResult<(u64, Vec<ReadingRow>)>;
    /// A document in a version, or in its last one; a removed one has its last body.
    async fn document(
        &self,
        kind: &'static DocumentKind,
        token: String,
        version: Option<u64>,
    ) -> StoreResult<Option<Document>>;
    /// A document as it was at an instant.
    async fn document_at(
        &self,
        kind: &'static DocumentKind,
        token: String,
        at: SimTime,
    ) -> StoreResult<Option<Document>>;
    /// Documents of a kind that are not removed, all or those with a key, by token; and how many
    /// there are.
    async fn documents(
        &self,
        kind: &'static DocumentKind,
        key: Option<Key>,
        page: Page,
    ) -> StoreResult<(u64, Vec<Document>)>;
    /// The versions of a document, newest first, and how many there are.
    async fn history(
        &self,
        kind: &'static DocumentKind,
        token: String,
        page: Page,
    ) -> StoreResult<(u64, Vec<Document>)>;
    /// Rows of the audit with the hashes of the chain, in the order of their numbers.
    async fn audit(&self, stretch: Stretch) -> StoreResult<Rows<(AuditRow, Hash)>>;
    /// An answer that is kept.
    async fn answer(&self, key: AnswerKey) -> StoreResult<Option<Answer>>;
    /// How far somebody has come who follows what is stored.
    async fn cursor(&self, name: String) -> StoreResult<Option<Vec<u8>>>;
    /// Answers no more queries and closes the connections, where there are any.
    fn close(&self) {}
}

/// Hears of what goes wrong in a store, and of what was done about it.
pub trait Observer: Send + Sync {
    /// Something that was read is not what was stored.
    fn damaged(&self, damage: &Damage);
    /// A query begins.
    fn queried(&self) {}
    /// A query was broken off at its deadline.
    fn too_slow(&self);
    /// There is no room for what was refused. Heard before the commit that keeps only its reason.
    fn content_not_kept(&self);
    /// Everything that is stored has been looked at.
    fn inspected(&self);
}
