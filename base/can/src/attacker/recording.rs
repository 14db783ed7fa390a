//! Messages of one or more frames, put together from frames as they are heard.

use crate::authentication::CLOSING;
use crate::frame::{CanFrame, CanId};

/// The frames of a message.
#[derive(Clone, Debug)]
pub(super) struct Message(Vec<CanFrame>);

impl Message {
    pub(super) fn frames(&self) -> &[CanFrame] {
        &self.0
    }

    /// All its bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|frame| frame.bytes().to_vec()).collect()
    }

    /// The same frames with other bytes.
    pub(super) fn with_bytes(&self, bytes: &[u8]) -> Vec<CanFrame> {
        let mut rest = bytes;
        let frame = |of: &CanFrame| {
            let (taken, behind) = rest.split_at_checked(of.bytes().len())?;
            rest = behind;
            CanFrame::data(of.id(), taken).ok()
        };
        self.0.iter().filter_map(frame).collect()
    }

    /// The same frames, of which the first has this identifier.
    pub(super) fn under(&self, id: CanId) -> Vec<CanFrame> {
        let Some(first) = self.0.first() else { return Vec::new() };
        let bits = first.id().value() ^ id.value();
        let moved = |frame: &CanFrame| {
            CanFrame::data(CanId::standard(frame.id().value() ^ bits).ok()?, frame.bytes()).ok()
        };
        self.0.iter().filter_map(moved).collect()
    }
}

/// Puts together the messages of one identifier.
#[derive(Debug)]
pub(super) struct Ear {
    id: CanId,
    /// The most frames of a message. If there is more than one, the last has an identifier of its
    /// own.
    most: usize,
    frames: Vec<CanFrame>,
}

impl Ear {
    pub(super) const fn new(id: CanId, most: usize) -> Self {
        Self { id, most, frames: Vec::new() }
    }

    /// Whether the frame closes a message of this identifier.
    pub(super) fn is_closed_by(&self, frame: &CanFrame) -> bool {
        let closing = self.id.value() | u32::from(CLOSING);
        let id = if self.most > 1 { closing } else { self.id.value() };
        frame.id().value() == id && frame.id().is_extended() == self.id.is_extended()
    }

    /// Whether the frame is part of a message of this identifier.
    pub(super) fn hears(&self, frame: &CanFrame) -> bool {
        frame.id() == self.id || self.is_closed_by(frame)
    }

    /// Takes a data frame; the message, if it is whole then.
    pub(super) fn take(&mut self, frame: &CanFrame) -> Option<Message> {
        let is_repeated = self.frames.last() == Some(frame);
        if !self.hears(frame) || is_repeated {
            return None;
        }
        let closes = self.is_closed_by(frame);
        // One whose end was not heard makes room.
        let beyond = (self.frames.len() + if closes { 1 } else { 2 }).saturating_sub(self.most);
        self.frames.drain(..beyond.min(self.frames.len()));
        self.frames.push(*frame);
        let message = closes.then(|| Message(std::mem::take(&mut self.frames)));
        message.filter(|message| self.most == 1 || message.0.len() > 1)
    }
}
