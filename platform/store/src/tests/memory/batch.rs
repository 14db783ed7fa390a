//! One transaction: a copy of the content that replaces it when it is committed.

use std::collections::BTreeSet;

use lastmeter_model::decide::{
    Batch, Effect, Found, Known, List, NewAlert, NewReading, NewRefusal, NewVersion, Old,
    OldContent, Put, RefusedBytes, State,
};
use lastmeter_model::document::{Answer, AnswerKey, Cursor, Document, DocumentKind};
use lastmeter_model::invocation::{InvocationId, InvocationRow};
use lastmeter_model::message::Number;
use lastmeter_model::row::{
    AlertRow, BlockRow, DeviceRow, ReadingRow, RefusalRow, ResultRow, extra_metadata,
};
use lastmeter_model::series::rollup::{Rollup, bucket};
use lastmeter_model::standing::Standing;
use lastmeter_units::{HardwareId, MeasurementId, SimTime};

use super::{Content, MemoryStore, identifier, number_of};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::lock;
use crate::seam::{StoreBatch, StoreWriter};

impl StoreWriter for MemoryStore {
    fn begin(&mut self) -> StoreResult<Box<dyn StoreBatch + '_>> {
        let content = Content::clone(&self.content());
        Ok(Box::new(MemoryBatch { store: self, content }))
    }
}

struct MemoryBatch<'a> {
    store: &'a MemoryStore,
    content: Content,
}

impl StoreBatch for MemoryBatch<'_> {
    fn commit(mut self: Box<Self>, standing: &Standing) -> StoreResult<()> {
        self.content.standing = *standing;
        *lock(&self.store.0) = self.content.into();
        Ok(())
    }
}

impl Known for MemoryBatch<'_> {
    type Error = StoreError;

    fn quantity(&self, id: MeasurementId) -> u16 {
        number_of(id)
    }

    fn numbered(
        &mut self,
        device: &DeviceRow,
        number: Number,
        _: Option<SimTime>,
    ) -> StoreResult<Found<ReadingRow>> {
        Ok(found(self.content.numbered(device.id, number)))
    }

    fn result(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<ResultRow>> {
        Ok(found(self.content.result(&device.hardware_id, number)))
    }

    fn block(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<BlockRow>> {
        Ok(found(self.content.block(&device.hardware_id, number)))
    }

    fn invocation(&mut self, id: InvocationId) -> StoreResult<Found<InvocationRow>> {
        Ok(found(self.content.invocations.get(&id)))
    }

    fn state(&mut self, device: i64) -> StoreResult<Found<State>> {
        Ok(found(self.content.states.get(&device)))
    }

    fn document(
        &mut self,
        kind: &'static DocumentKind,
        token: &str,
    ) -> StoreResult<Found<Document>> {
        let known = self.content.documents.get(&(kind.code, token.to_owned()));
        Ok(found(known.map(|(document, _)| document)))
    }

    fn answer(&mut self, key: &AnswerKey) -> StoreResult<Found<Answer>> {
        Ok(found(self.content.answers.values().find(|answer| answer.key == *key)))
    }

    fn old_answers(
        &mut self,
        given: SimTime,
        (by, kept): (&str, u32),
        limit: u32,
    ) -> StoreResult<Vec<AnswerKey>> {
        let answers = &self.content.answers;
        let of_one = answers.values().rev().filter(|answer| answer.key.by == by);
        let beyond: BTreeSet<_> =
            of_one.skip(kept as usize).map(|answer| answer.key.clone()).collect();
        let is_old = |answer: &&Answer| answer.at <= given || beyond.contains(&answer.key);
        let old = answers.values().filter(is_old).map(|answer| answer.key.clone());
        Ok(old.take(limit as usize).collect())
    }

    fn rollup(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        Ok(found(self.content.rollups.get(&(device, start))))
    }

    fn summed_up(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        let mut rollup = Rollup::new(start);
        for row in self.content.of_device(device).filter(|row| bucket(row.event) == start) {
            rollup.add((row.event, row.received), numbered_values(row)?);
        }
        let is_any = rollup.readings() > 0;
        Ok(if is_any { Found::Sound(rollup) } else { Found::Absent })
    }

    fn last_bucket(&mut self, device: i64) -> StoreResult<Option<SimTime>> {
        let readings = self.content.of_device(device).map(|row| bucket(row.event));
        let rows = self.content.rollups.keys().filter(|(of, _)| *of == device);
        Ok(readings.chain(rows.map(|(_, start)| *start)).max())
    }

    fn event_from(&mut self, device: i64, from: SimTime) -> StoreResult<Option<SimTime>> {
        let events = self.content.of_device(device).map(|row| row.event);
        Ok(events.filter(|event| from <= *event).min())
    }

    fn oldest(&mut self, list: List, after: u64, limit: u32) -> StoreResult<Vec<Old>> {
        let of = |sequence, received, reading, kept_bytes| {
            let content = Some(OldContent { received, reading, kept_bytes });
            Old { sequence, content }
        };
        let (content, behind, limit) = (&self.content, after + 1.., limit as usize);
        Ok(match list {
            List::Readings => content
                .readings
                .range(behind)
                .take(limit)
                .map(|(at, row)| {
                    of(*at, row.received, Some((row.device_row, row.number, row.event)), 0)
                })
                .collect(),
            List::Alerts => content
                .alerts
                .range(behind)
                .take(limit)
                .map(|(at, row)| of(*at, row.received, None, 0))
                .collect(),
            List::Results => content
                .results
                .range(behind)
                .take(limit)
                .map(|(at, row)| of(*at, row.received, None, 0))
                .collect(),
            List::Blocks => content
                .blocks
                .range(behind)
                .take(limit)
                .map(|(at, row)| of(*at, row.received, None, 0))
                .collect(),
            List::Refusals => content
                .refusals
                .range(behind)
                .take(limit)
                .map(|(at, row)| {
                    let kept_bytes = row.content.as_ref().map_or(0, |content| content.len() as u64);
                    of(*at, row.event, None, kept_bytes)
                })
                .collect(),
        })
    }

    fn removed(&mut self, device: i64, epoch: u64) -> StoreResult<Found<u64>> {
        Ok(found(self.content.removed.get(&(device, epoch))))
    }

    fn refused_bytes(&mut self) -> StoreResult<RefusedBytes> {
        let mut bytes = RefusedBytes::new();
        for row in self.content.refusals.values() {
            let kept = row.content.as_ref().map_or(0, |content| content.len() as u64);
            *bytes.entry(row.device.clone()).or_default() += kept;
        }
        Ok(bytes)
    }
}

/// Values of a reading by the store's numbers.
pub(super) fn numbered_values(row: &ReadingRow) -> StoreResult<Vec<(u16, f64)>> {
    let numbered = |(name, value): &(std::sync::Arc<str>, f64)| {
        let id = MeasurementId::lookup(name).ok_or_else(|| Damage::missing("quantity", name));
        id.map(|id| (number_of(id), *value)).map_err(StoreError::DamagedPart)
    };
    row.values.iter().map(numbered).collect()
}

fn found<T: Clone>(stored: Option<&T>) -> Found<T> {
    stored.map_or(Found::Absent, |stored| Found::Sound(stored.clone()))
}

impl Batch for MemoryBatch<'_> {
    fn put(&mut self, effect: Effect<'_>) -> StoreResult<Put> {
        let content = &mut self.content;
        match effect {
            Effect::Device(device) => {
                content.devices.insert(device.id, device.clone());
            }
            Effect::Reading(reading) => return content.put_reading(&reading),
            Effect::Alert(alert) => content.put_alert(&alert)?,
            Effect::Result(_, result) => return Ok(content.put_result(result)),
            Effect::Block(_, block) => return Ok(content.put_block(block)),
            Effect::Refusal(refusal) => content.put_refusal(&refusal),
            Effect::Invocation(row) => {
                content.invocations.insert(row.id, row.clone());
            }
            Effect::State(device, state) => {
                content.states.insert(device, state.clone());
            }
            Effect::Document(NewVersion { number, document, keys }) => {
                let place = (document.kind.code, document.token.clone());
                content.documents.insert(place, (document.clone(), keys.to_vec()));
                content.versions.insert(number, document.clone());
            }
            Effect::Audit(row, hash) => {
                content.audit.insert(row.number, (row.clone(), hash));
            }
            Effect::Answer(number, answer) => {
                content.answers.retain(|_, known| known.key != answer.key);
                content.answers.insert(number, answer.clone());
            }
            Effect::AnswerGone(key) => content.answers.retain(|_, known| known.key != *key),
            Effect::Cursor(Cursor { name, value }) => {
                content.cursors.insert(name.clone(), value.clone());
            }
            Effect::Rollup(device, row) => {
                content.rollups.insert((device, row.start()), row.clone());
            }
            Effect::RollupsGone { devices: (first, last), before } => {
                content.rollups.retain(|(device, start), _| {
                    !(first..=last).contains(device) || before <= *start
                });
            }
            Effect::Gone(list, through) => content.remove_through(list, through),
            Effect::Removed { device, epoch, serial } => {
                let highest = content.removed.entry((device, epoch)).or_insert(serial);
                *highest = serial.max(*highest);
            }
        }
        Ok(Put::Written)
    }
}

impl Content {
    pub(super) fn numbered(&self, device: i64, number: Number) -> Option<&ReadingRow> {
        self.readings.values().find(|row| row.device_row == device && row.number == Some(number))
    }

    fn remove_through(&mut self, list: List, through: u64) {
        match list {
            List::Readings => self.readings.retain(|sequence, _| through < *sequence),
            List::Alerts => self.alerts.retain(|sequence, _| through < *sequence),
            List::Refusals => self.refusals.retain(|sequence, _| through < *sequence),
            List::Results => self.results.retain(|sequence, _| through < *sequence),
            List::Blocks => self.blocks.retain(|sequence, _| through < *sequence),
        }
    }

    /// The readings of a device in the order of their commit.
    pub(super) fn of_device(&self, device: i64) -> impl Iterator<Item = &ReadingRow> {
        self.readings.values().filter(move |row| row.device_row == device)
    }

    fn hardware_id(&self, device: i64) -> StoreResult<HardwareId> {
        let row = self.devices.get(&device).ok_or_else(|| Damage::missing("device", device));
        row.map(|row| row.hardware_id.clone()).map_err(StoreError::DamagedPart)
    }

    fn put_reading(&mut self, reading: &NewReading<'_>) -> StoreResult<Put> {
        if reading.number.is_some_and(|number| self.numbered(reading.device, number).is_some()) {
            return Ok(Put::Repeated);
        }
        let named = |(number, value): &(u16, f64)| {
            let id = identifier(*number).ok_or_else(|| Damage::missing("quantity", number));
            id.map(|id| (id.name().into(), *value)).map_err(StoreError::DamagedPart)
        };
        let row = ReadingRow {
            sequence: reading.sequence,
            device: self.hardware_id(reading.device)?,
            device_row: reading.device,
            number: reading.number,
            event: reading.event,
            is_dated: reading.is_dated,
            updates_state: reading.updates_state,
            received: reading.received,
            commit: reading.commit,
            values: reading.values.iter().map(named).collect::<StoreResult<_>>()?,
            extra: reading.extra.map(str::to_owned),
        };
        self.readings.insert(reading.sequence, row);
        Ok(Put::Written)
    }

    fn put_alert(&mut self, alert: &NewAlert<'_>) -> StoreResult<()> {
        let row = AlertRow {
            sequence: alert.sequence,
            device: self.hardware_id(alert.device)?,
            event: alert.event,
            received: alert.received,
            level: alert.level.to_owned(),
            kind: alert.kind.to_owned(),
            message: alert.message.to_owned(),
            metadata: extra_metadata(alert.extra),
        };
        self.alerts.insert(alert.sequence, row);
        Ok(())
    }

    pub(super) fn block(&self, device: &HardwareId, number: Number) -> Option<&BlockRow> {
        self.blocks.values().find(|row| row.device == *device && row.number == Some(number))
    }

    fn result(&self, device: &HardwareId, number: Number) -> Option<&ResultRow> {
        self.results.values().find(|row| row.device == *device && row.number == Some(number))
    }

    fn put_result(&mut self, new: &ResultRow) -> Put {
        if new.number.is_some_and(|number| self.result(&new.device, number).is_some()) {
            return Put::Repeated;
        }
        self.results.insert(new.sequence, new.clone());
        Put::Written
    }

    fn put_block(&mut self, new: &BlockRow) -> Put {
        if new.number.is_some_and(|number| self.block(&new.device, number).is_some()) {
            return Put::Repeated;
        }
        self.blocks.insert(new.sequence, new.clone());
        Put::Written
    }

    fn put_refusal(&mut self, refusal: &NewRefusal<'_>) {
        let row = RefusalRow {
            sequence: refusal.sequence,
            reason: refusal.reason.to_owned(),
            device: refusal.device.map(str::to_owned),
            topic: refusal.topic.to_owned(),
            detail: refusal.detail.to_owned(),
            event: refusal.received,
            content: refusal.content.map(<[u8]>::to_vec),
            content_bytes: refusal.content_bytes,
        };
        self.refusals.insert(refusal.sequence, row);
    }
}
