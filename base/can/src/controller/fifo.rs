//! Receive FIFOs of three messages, with an output mailbox and an overrun flag (24.7.3).

use std::collections::VecDeque;

use crate::frame::CanFrame;

/// Messages of a FIFO.
pub const FIFO_DEPTH: usize = 3;

/// One of the two receive FIFOs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum FifoNumber {
    /// FIFO 0.
    #[default]
    Fifo0,
    /// FIFO 1.
    Fifo1,
}

impl FifoNumber {
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// Which frame is lost if one comes while three are stored (24.7.3, overrun).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OverrunPolicy {
    /// The last one stored, which is overwritten (RFLM = 0).
    #[default]
    OverwriteLast,
    /// The new one: the FIFO is locked (RFLM = 1).
    DiscardNewest,
}

/// A frame in a FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedFrame {
    /// The frame.
    pub frame: CanFrame,
    /// The number of the filter that accepted it, counted per FIFO (24.7.4).
    pub filter_match_index: u8,
}

/// A receive FIFO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiveFifo {
    policy: OverrunPolicy,
    messages: VecDeque<ReceivedFrame>,
    is_overrun: bool,
    overrun_count: u64,
}

impl ReceiveFifo {
    pub(super) fn new(policy: OverrunPolicy) -> Self {
        let messages = VecDeque::with_capacity(FIFO_DEPTH);
        Self { policy, messages, is_overrun: false, overrun_count: 0 }
    }

    /// Stores a message, and returns the one that is lost.
    pub(super) fn store(&mut self, message: ReceivedFrame) -> Option<ReceivedFrame> {
        if self.messages.len() < FIFO_DEPTH {
            self.messages.push_back(message);
            return None;
        }
        self.is_overrun = true;
        self.overrun_count += 1;
        match (self.policy, self.messages.back_mut()) {
            (OverrunPolicy::OverwriteLast, Some(last)) => Some(std::mem::replace(last, message)),
            _ => Some(message),
        }
    }

    /// How many messages wait (FMP), 0 to 3.
    pub fn pending_count(&self) -> usize {
        self.messages.len()
    }

    /// Whether three messages wait.
    pub fn is_full(&self) -> bool {
        self.messages.len() == FIFO_DEPTH
    }

    /// The message in the output mailbox: the oldest.
    pub fn output(&self) -> Option<&ReceivedFrame> {
        self.messages.front()
    }

    /// Releases the output mailbox (RFOM), and returns what was in it. The overrun flag stays.
    pub fn release(&mut self) -> Option<ReceivedFrame> {
        self.messages.pop_front()
    }

    /// The overrun flag (FOVR): set by hardware, cleared by software only (24.9.2).
    pub const fn is_overrun(&self) -> bool {
        self.is_overrun
    }

    /// Clears the overrun flag.
    pub const fn clear_overrun(&mut self) {
        self.is_overrun = false;
    }

    /// How many messages were lost to overruns.
    pub const fn overrun_count(&self) -> u64 {
        self.overrun_count
    }
}
