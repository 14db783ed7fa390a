//! What the platform itself wants stored: invocations, their ends, and the driven clock. What is
//! changed together is in `documents`.

use super::Deciding;
use super::seam::{Batch, Effect};
use crate::invocation::{InvocationId, InvocationRow, InvocationState, NewInvocation};
use crate::work::{Change, Changed};

impl<B: Batch + ?Sized> Deciding<'_, B> {
    pub(super) fn change(&mut self, change: &Change) -> Result<Changed, B::Error> {
        match change {
            Change::Invoke(asked) => self.invoke(asked),
            // The device's answer may have been faster than this note.
            Change::Sent(id, at) => self.edit(*id, |row| {
                row.sent = row.sent.or(Some(*at));
                if row.state == InvocationState::Pending {
                    row.state = InvocationState::Sent;
                }
                true
            }),
            Change::Failed(id, at, detail) => self.edit(*id, |row| {
                if !row.is_open() {
                    return false;
                }
                row.asked.metadata.insert("failure".to_owned(), detail.clone());
                (row.state, row.ended) = (InvocationState::Failed, Some(*at));
                true
            }),
            Change::Expire(id, at) => self.edit(*id, |row| {
                if !row.is_open() {
                    return false;
                }
                (row.state, row.ended) = (InvocationState::Expired, Some(*at));
                true
            }),
            Change::Clock(now) => {
                self.standing().clock_ns = Some(now.as_nanoseconds());
                Ok(Changed { changed: true, ..Changed::default() })
            }
            Change::Apply(transaction) => self.apply(transaction),
        }
    }

    pub(super) fn invoke(&mut self, asked: &NewInvocation) -> Result<Changed, B::Error> {
        let Some(mut device) = self.device_of(asked.device) else {
            return Ok(Changed::default());
        };
        let standing = self.standing();
        standing.invocations += 1;
        standing.open += 1;
        let id = InvocationId(standing.invocations.cast_signed());
        let row = InvocationRow {
            id,
            asked: asked.clone(),
            state: InvocationState::Pending,
            sent: None,
            ended: None,
            response: None,
            previous: device.last_command,
        };
        self.batch.put(Effect::Invocation(&row))?;
        device.commands += 1;
        device.last_command = id.0;
        self.batch.put(Effect::Device(&device))?;
        self.so_far.devices.insert(device.id, device);
        self.so_far.opened.push((asked.device, id, true));
        Ok(Changed { invocation: Some(id), changed: true, ..Changed::default() })
    }

    /// Changes an invocation, if it is there; `edit` returns whether anything is different.
    pub(super) fn edit(
        &mut self,
        id: InvocationId,
        edit: impl FnOnce(&mut InvocationRow) -> bool,
    ) -> Result<Changed, B::Error> {
        let Some(mut row) = self.batch.invocation(id)?.sound() else {
            return Ok(Changed::default());
        };
        let was_open = row.is_open();
        if !edit(&mut row) {
            return Ok(Changed::default());
        }
        self.batch.put(Effect::Invocation(&row))?;
        if was_open && !row.is_open() {
            self.standing().open -= 1;
            self.so_far.opened.push((row.asked.device, id, false));
        }
        Ok(Changed { changed: true, ..Changed::default() })
    }
}
