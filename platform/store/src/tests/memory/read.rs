//! Queries of the content that is committed.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use lastmeter_model::access::{Cut, Window};
use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::decide::State;
use lastmeter_model::document::{Answer, AnswerKey, Document, DocumentKind, Key};
use lastmeter_model::invocation::{InvocationId, InvocationRow, StoredInvocation};
use lastmeter_model::message::Number;
use lastmeter_model::row::{
    AlertRow, BlockRow, DeviceRow, DeviceState, ReadingRow, RefusalRow, ResultRow, SeriesPoint,
    StateValue,
};
use lastmeter_model::series::rollup::{BUCKET, Rollup, Summary, bucket};
use lastmeter_units::{MeasurementId, SimTime};

use super::{Content, MemoryStore, identifier, number_of};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::page::{PageRows, invocation_bytes, reading_bytes};
use crate::seam::{
    Page, Place, Range, Rows, Series, SeriesQuery, StoreReader, Stretch, Summaries, SummaryQuery,
};

#[async_trait]
impl StoreReader for MemoryStore {
    async fn readings(&self, stretch: Stretch) -> StoreResult<Rows<ReadingRow>> {
        let content = self.content();
        in_order("reading", (&content.readings, content.standing.reading_floor), stretch)
    }

    async fn refusals(&self, stretch: Stretch) -> StoreResult<Rows<RefusalRow>> {
        let content = self.content();
        in_order("refusal", (&content.refusals, content.standing.refusal_floor), stretch)
    }

    async fn alerts(&self, stretch: Stretch) -> StoreResult<Rows<AlertRow>> {
        let content = self.content();
        in_order("alert", (&content.alerts, content.standing.alert_floor), stretch)
    }

    async fn results(&self, stretch: Stretch) -> StoreResult<Rows<ResultRow>> {
        let content = self.content();
        in_order("result", (&content.results, content.standing.result_floor), stretch)
    }

    async fn blocks(&self, stretch: Stretch) -> StoreResult<Rows<BlockRow>> {
        let content = self.content();
        in_order("block", (&content.blocks, content.standing.block_floor), stretch)
    }

    async fn block(&self, device: i64, number: Number) -> StoreResult<Option<BlockRow>> {
        let content = self.content();
        let Some(of) = content.devices.get(&device) else { return Ok(None) };
        Ok(content.block(&of.hardware_id, number).cloned())
    }

    async fn numbered(&self, device: i64, number: Number) -> StoreResult<Option<ReadingRow>> {
        Ok(self.content().numbered(device, number).cloned())
    }

    async fn state(&self, device: i64) -> StoreResult<DeviceState> {
        let content = self.content();
        let state = content.state(device)?;
        let mut values = Vec::new();
        for (quantity, last) in &state.quantities {
            if let Some((event_ns, value)) = last {
                let id = present("quantity", *quantity, identifier(*quantity))?;
                let (name, event) = (id.name().to_owned(), SimTime(*event_ns));
                values.push(StateValue { name, event, value: *value });
            }
        }
        let alert = |sequence: &i64| {
            let row = content.alerts.get(&sequence.cast_unsigned());
            present("alert", *sequence, row).cloned()
        };
        let floor = content.standing.alert_floor.cast_signed();
        let is_kept = |sequence: &&i64| floor < **sequence;
        Ok(DeviceState {
            last_interaction: state.last_interaction,
            values,
            alerts: state.alerts.iter().filter(is_kept).map(alert).collect::<StoreResult<_>>()?,
        })
    }

    async fn quantities_of(&self, device: i64) -> StoreResult<Vec<MeasurementId>> {
        self.content().quantities_of(device)
    }

    async fn invocation(&self, id: InvocationId) -> StoreResult<Option<StoredInvocation>> {
        let content = self.content();
        content.invocations.get(&id).map(|row| content.stored(row)).transpose()
    }

    async fn invocations(&self, ids: Vec<InvocationId>) -> StoreResult<Vec<StoredInvocation>> {
        let content = self.content();
        let one = |id: &InvocationId| {
            content.stored(present("invocation", id.0, content.invocations.get(id))?)
        };
        ids.iter().map(one).collect()
    }

    async fn invocations_of(
        &self,
        device: i64,
        page: Page,
        cut: Cut,
    ) -> StoreResult<(u64, Vec<StoredInvocation>)> {
        let content = self.content();
        content.device(device)?;
        let rows = content.invocations.values().rev();
        let is_left =
            |row: &&InvocationRow| row.asked.device == device && cut.has(row.asked.created);
        let rows: Vec<_> = rows.filter(is_left).collect();
        let on_page = filled(rows.iter().copied(), page, |row| invocation_bytes(row)).into_iter();
        let on_page = on_page.map(|row| content.stored(row));
        Ok((rows.len() as u64, on_page.collect::<StoreResult<_>>()?))
    }

    async fn series(&self, query: SeriesQuery) -> StoreResult<Vec<Series>> {
        let content = self.content();
        content.state(query.device)?;
        let rows = content.by_event(query.device, query.range);
        let behind = |row: &&ReadingRow| query.after.is_none_or(|after| after < place(row));
        let rows: Vec<_> = rows.into_iter().filter(behind).collect();
        let points = |id: MeasurementId| {
            let points = rows.iter().flat_map(|row| {
                let cut = &query.cut;
                let values = row.values.iter().filter(move |(name, _)| {
                    **name == *id.name() && cut.has_value(row.event, row.received, name)
                });
                values.map(|(_, value)| SeriesPoint {
                    event: row.event,
                    sequence: row.sequence,
                    number: row.number,
                    value: *value,
                })
            });
            (id, paged(points, query.page).collect())
        };
        Ok(query.ids.iter().copied().map(points).collect())
    }

    async fn summaries(&self, query: SummaryQuery) -> StoreResult<Summaries> {
        self.content().summaries(&query)
    }

    async fn events(
        &self,
        device: i64,
        range: Range,
        page: Page,
        cut: Cut,
    ) -> StoreResult<(u64, Vec<ReadingRow>)> {
        let content = self.content();
        let rows = content.by_event(device, range).into_iter().rev();
        let rows: Vec<_> = rows.filter_map(|row| cut.reading(row.clone())).collect();
        Ok((rows.len() as u64, filled(rows.into_iter(), page, reading_bytes)))
    }

    async fn document(
        &self,
        kind: &'static DocumentKind,
        token: String,
        version: Option<u64>,
    ) -> StoreResult<Option<Document>> {
        let mut versions = self.content().versions_of(kind, &token).into_iter();
        Ok(versions.find(|one| version.is_none_or(|version| one.version == version)))
    }

    async fn document_at(
        &self,
        kind: &'static DocumentKind,
        token: String,
        at: SimTime,
    ) -> StoreResult<Option<Document>> {
        let mut versions = self.content().versions_of(kind, &token).into_iter();
        Ok(versions.find(|one| one.changed <= at))
    }

    async fn documents(
        &self,
        kind: &'static DocumentKind,
        key: Option<Key>,
        page: Page,
    ) -> StoreResult<(u64, Vec<Document>)> {
        let content = self.content();
        let has_key = |keys: &[Key]| key.as_ref().is_none_or(|key| keys.contains(key));
        let documents = content.documents.values().filter(|(document, keys)| {
            document.kind == kind && !document.is_deleted && has_key(keys)
        });
        let documents: Vec<_> = documents.map(|(document, _)| document.clone()).collect();
        Ok((documents.len() as u64, paged(documents.into_iter(), page).collect()))
    }

    async fn history(
        &self,
        kind: &'static DocumentKind,
        token: String,
        page: Page,
    ) -> StoreResult<(u64, Vec<Document>)> {
        let versions = self.content().versions_of(kind, &token);
        Ok((versions.len() as u64, paged(versions.into_iter(), page).collect()))
    }

    async fn audit(&self, stretch: Stretch) -> StoreResult<Rows<(AuditRow, Hash)>> {
        in_order("audit", (&self.content().audit, 0), stretch)
    }

    async fn answer(&self, key: AnswerKey) -> StoreResult<Option<Answer>> {
        Ok(self.content().answers.values().find(|answer| answer.key == key).cloned())
    }

    async fn cursor(&self, name: String) -> StoreResult<Option<Vec<u8>>> {
        Ok(self.content().cursors.get(&name).cloned())
    }
}

impl Content {
    /// The versions of a document, newest first.
    fn versions_of(&self, kind: &DocumentKind, token: &str) -> Vec<Document> {
        let is_of = |one: &&Document| one.kind == kind && one.token == token;
        self.versions.values().rev().filter(is_of).cloned().collect()
    }

    fn device(&self, device: i64) -> StoreResult<&DeviceRow> {
        present("device", device, self.devices.get(&device))
    }

    fn state(&self, device: i64) -> StoreResult<&State> {
        present("state", device, self.states.get(&device))
    }

    fn quantities_of(&self, device: i64) -> StoreResult<Vec<MeasurementId>> {
        let known = &self.state(device)?.quantities;
        Ok(MeasurementId::all().filter(|id| known.contains_key(&number_of(*id))).collect())
    }

    fn stored(&self, row: &InvocationRow) -> StoreResult<StoredInvocation> {
        let device = self.device(row.asked.device)?;
        let (hardware_id, assignment) = (device.hardware_id.clone(), device.assignment.clone());
        Ok(StoredInvocation { hardware_id, assignment, row: row.clone() })
    }

    /// What roll-ups have that are asked for and may be given as a whole: by bucket and place of
    /// the series.
    fn whole_summaries(&self, query: &SummaryQuery) -> Vec<(SimTime, usize, Option<Summary>)> {
        let SummaryQuery { device, ids, range, rows_from, cut, .. } = query;
        let end = SimTime(range.end.0.saturating_add(1));
        let rows = self.rollups.iter().filter(|((of, start), row)| {
            of == device && range.start.max(*rows_from) <= *start && row.end() <= end
        });
        let of_row = |((_, start), row): (&(i64, SimTime), &Rollup)| {
            let is_within = |id: &MeasurementId| {
                let has = |one: &Window| {
                    one.from <= row.earliest()
                        && row.end() <= one.until
                        && one.quantities.contains(id.name())
                };
                cut.windows().is_none_or(|windows| windows.iter().any(has))
            };
            let of_series = ids.iter().enumerate().filter(|(_, id)| is_within(id));
            let summary = |(place, id): (usize, &MeasurementId)| {
                (*start, place, row.quantity(number_of(*id)).cloned())
            };
            of_series.map(summary).collect::<Vec<_>>()
        };
        rows.flat_map(of_row).collect()
    }

    /// By bucket, place of the series and, where each value is asked for, its time: what whole
    /// roll-ups have, and of other buckets and series what their readings have.
    fn summaries(&self, query: &SummaryQuery) -> StoreResult<Summaries> {
        self.state(query.device)?;
        let SummaryQuery { device, ids, range, rows_from, limit, cut } = query;
        // In this order they are given; a page ends with a bucket.
        let mut all: BTreeMap<(SimTime, usize, SimTime), Summary> = BTreeMap::new();
        let mut whole = BTreeSet::new();
        for (start, place, summary) in self.whole_summaries(query) {
            whole.insert((start, place));
            all.extend(summary.map(|one| ((start, place, SimTime(0)), one)));
        }
        for row in self.by_event(*device, *range) {
            for (place, id) in ids.iter().enumerate() {
                let start = bucket(row.event);
                let values = row.values.iter().filter(|(name, _)| **name == *id.name());
                let is_left = cut.has_value(row.event, row.received, id.name());
                for (_, value) in values.filter(|_| is_left && !whole.contains(&(start, place))) {
                    let key = if row.event < *rows_from { row.event } else { SimTime(0) };
                    let one = Summary::of(row.event, *value);
                    all.entry((start, place, key))
                        .and_modify(|known| known.merge(&one))
                        .or_insert(one);
                }
            }
        }
        let mut found = Summaries::default();
        let mut before = None;
        for ((start, place, _), summary) in all {
            if let Some(before) = before.filter(|before| *before != start)
                && found.summaries.len() >= *limit
            {
                found.next = Some(before + BUCKET);
                break;
            }
            before = Some(start);
            found.summaries.push((ids[place], summary));
        }
        Ok(found)
    }

    /// Readings of a device in a stretch of event time, oldest first.
    fn by_event(&self, device: i64, range: Range) -> Vec<&ReadingRow> {
        let is_asked = |row: &&ReadingRow| {
            row.device_row == device && range.start <= row.event && row.event <= range.end
        };
        let mut rows: Vec<_> = self.readings.values().filter(is_asked).collect();
        rows.sort_by_key(|row| place(row));
        rows
    }
}

fn place(row: &ReadingRow) -> Place {
    (row.event.as_nanoseconds(), row.sequence.cast_signed())
}

/// A row that has to be there.
fn present<T>(part: &'static str, key: impl ToString, row: Option<T>) -> StoreResult<T> {
    row.ok_or_else(|| StoreError::DamagedPart(Damage::missing(part, key)))
}

fn paged<T>(rows: impl Iterator<Item = T>, page: Page) -> impl Iterator<Item = T> {
    let offset = usize::try_from(page.offset).unwrap_or(usize::MAX);
    rows.skip(offset).take(page.limit as usize)
}

/// The rows of a page, as far as there is room for their bytes.
fn filled<T>(rows: impl Iterator<Item = T>, page: Page, bytes: impl Fn(&T) -> usize) -> Vec<T> {
    let mut filled = PageRows::new(page.limit);
    for row in paged(rows, page) {
        let bytes = bytes(&row);
        filled.push(row, bytes);
    }
    filled.take()
}

/// Rows after a sequence; what is missing ends them, or is the answer if there are none.
fn in_order<T: Clone>(
    part: &'static str,
    (stored, floor): (&BTreeMap<u64, T>, u64),
    Stretch { after, limit, last }: Stretch,
) -> StoreResult<Rows<T>> {
    let mut rows = Vec::new();
    let mut next = after.max(floor).saturating_add(1);
    while next <= last && rows.len() < limit as usize {
        match stored.get(&next) {
            Some(row) => rows.push(row.clone()),
            None if rows.is_empty() => present(part, next, None)?,
            None => break,
        }
        next += 1;
    }
    Ok(Rows { rows, is_more: next <= last })
}
