//! Results of applications and blocks of samples: stored once by their number, which the store
//! holds unique for each device.
//!
//! Of those that retention has removed no number is noted: whoever sends one again after that has
//! it stored again.

use super::messages::{conflict, damaged};
use super::seam::{Batch, Effect, Found, Put};
use super::{Deciding, Judged};
use crate::message::{Message, MessageBody, Number};
use crate::refusal::RefusalReason;
use crate::row::{BlockRow, DeviceRow, ResultRow};
use crate::work::Delivery;

impl<B: Batch + ?Sized> Deciding<'_, B> {
    /// Stores a result or a block, unless its number is there already.
    pub(super) fn numbered(
        &mut self,
        message: &Message,
        delivery: &Delivery,
    ) -> Result<Judged<()>, B::Error> {
        let Message { device, number, event, body, .. } = message;
        let (device, number, received) = (device.clone(), *number, delivery.received);
        let (row, at) = (self.device(message, received)?, event.unwrap_or(received));
        self.touch(row, received);
        // Long, as either is a row whose members are named one by one.
        match body {
            MessageBody::Result { kind, subject, until, content } => {
                let sequence = self.standing().results + 1;
                let (kind, subject, content) = (kind.clone(), subject.clone(), content.clone());
                let (from, until) = (at, *until);
                let new = ResultRow {
                    sequence,
                    device,
                    number,
                    kind,
                    subject,
                    from,
                    until,
                    received,
                    content,
                };
                if self.batch.put(Effect::Result(row, &new))? == Put::Repeated {
                    let is_same = |stored| new == ResultRow { sequence, received, ..stored };
                    return self.stored((row, number), B::result, is_same);
                }
                self.standing().results = sequence;
            }
            MessageBody::Block { channels, samples, rate_hz, content } => {
                let new = BlockRow {
                    sequence: self.standing().blocks + 1,
                    device,
                    number,
                    event: at,
                    received,
                    channels: channels.iter().map(|id| id.name().to_owned()).collect(),
                    samples: *samples as u64,
                    rate_hz: *rate_hz,
                    content: content.clone(),
                };
                if self.batch.put(Effect::Block(row, &new))? == Put::Repeated {
                    let is_same = |stored: BlockRow| stored.content == new.content;
                    return self.stored((row, number), B::block, is_same);
                }
                self.standing().blocks = new.sequence;
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    /// What becomes of a message whose number the store has, which is looked up there.
    fn stored<T>(
        &mut self,
        (device, number): (i64, Option<Number>),
        find: impl FnOnce(&mut B, &DeviceRow, Number) -> Result<Found<T>, B::Error>,
        is_same: impl FnOnce(T) -> bool,
    ) -> Result<Judged<()>, B::Error> {
        let number = number.unwrap_or_default();
        let Some(row) = self.device_of(device) else { return Ok(Err(damaged(number))) };
        let found = find(self.batch, &row, number)?;
        Ok(self.repeated(number, found, is_same))
    }

    /// The same of what was found of it.
    pub(super) fn repeated<T>(
        &mut self,
        number: Number,
        found: Found<T>,
        is_same: impl FnOnce(T) -> bool,
    ) -> Judged<()> {
        match found {
            Found::Sound(stored) => {
                if !is_same(stored) {
                    return Err((RefusalReason::ConflictingContent, conflict(number)));
                }
                self.so_far.outcome.repetitions += 1;
                Ok(())
            }
            // Its content cannot be compared any more, so it is kept beside it.
            Found::Damaged | Found::Absent => Err(damaged(number)),
        }
    }
}
