//! A CAN controller of the kind of an STM32F107 (bxCAN): mailboxes, acceptance filters and FIFOs,
//! without the bus.
//!
//! The bus asks for the frame that goes into arbitration ([`Controller::pending`]), begins with it
//! ([`Controller::begin_attempt`]), reports how the attempt ended ([`Controller::end_attempt`]) and
//! hands over the frames of others ([`Controller::receive`]). The software of the node requests and
//! aborts transmissions, takes their ends ([`Controller::next_end`]) and empties the FIFOs.
//! Error counters and the recovery from bus-off are the bus's. A remote frame is received like any
//! other: the software answers it, the controller never does.
//!
//! Clauses are those of RM0008, revision 15, chapter 24. The filter priority rules and the example
//! of filter numbering (figure 230) were read there, all other rules in RM0090, revision 21,
//! chapter 32, which describes the same peripheral; that RM0008 has them under the same last
//! numbers was checked for 24.7.5 only. What neither states is marked unverified.
//!
//! ```
//! use lastmeter_can::controller::{
//!     AttemptEnd, Controller, ControllerConfiguration, FifoNumber, FilterBank, TransmitOutcome,
//! };
//! let mut controller = Controller::new(ControllerConfiguration {
//!     filter_banks: vec![FilterBank::accept_all(FifoNumber::Fifo0)],
//!     ..ControllerConfiguration::default()
//! })?;
//! let (low, high) = ("100#".parse().unwrap(), "0FF#".parse().unwrap());
//! controller.request(low).unwrap();
//! let handle = controller.request(high).unwrap();
//! assert_eq!(controller.pending(), Some(&high));
//! controller.begin_attempt().unwrap();
//! controller.end_attempt(AttemptEnd::Sent).unwrap();
//! let end = controller.next_end().unwrap();
//! assert_eq!((end.handle, end.outcome), (handle, TransmitOutcome::Sent));
//! # Ok::<(), lastmeter_can::controller::ConfigurationError>(())
//! ```

mod fifo;
mod filter;
mod mailbox;
#[cfg(test)]
mod model_tests;
mod on_bus;
#[cfg(test)]
mod tests;

pub use fifo::{FIFO_DEPTH, FifoNumber, OverrunPolicy, ReceiveFifo, ReceivedFrame};
pub use filter::{
    ConfigurationError, FILTER_BANK_COUNT, FilterBank, FilterForm, Mask16, filter_word_16,
    filter_word_32,
};
pub use mailbox::{
    AttemptEnd, AttemptError, MAILBOX_COUNT, MailboxesFull, RequestHandle, TransmitEnd,
    TransmitOrder, TransmitOutcome,
};

use crate::frame::CanFrame;
use filter::AcceptanceFilters;
use mailbox::TransmitMailboxes;

/// How a controller is configured. By default as after its reset: it accepts no frame.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ControllerConfiguration {
    /// Which of several requests is sent first (TXFP).
    pub transmit_order: TransmitOrder,
    /// Whether each request has one attempt only (NART).
    pub is_one_shot: bool,
    /// Which frame is lost if a FIFO is full (RFLM).
    pub overrun_policy: OverrunPolicy,
    /// Whether the controller recovers from bus-off without its software (ABOM). The bus reads it.
    pub has_automatic_bus_off_recovery: bool,
    /// The filter banks from number 0 on, at most [`FILTER_BANK_COUNT`]; those that are not listed
    /// are inactive.
    pub filter_banks: Vec<FilterBank>,
}

/// What became of a frame that the bus delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It is in a FIFO.
    Stored {
        /// In which.
        fifo: FifoNumber,
    },
    /// A FIFO was full, and a frame is lost (24.7.3).
    Overrun {
        /// Which FIFO.
        fifo: FifoNumber,
        /// The new frame, or the last one stored, which it has overwritten.
        lost: ReceivedFrame,
    },
    /// No filter accepts it.
    Filtered,
    /// The controller is bus-off and receives nothing (24.7.6).
    BusOff,
}

/// A CAN controller.
#[derive(Clone, Debug)]
pub struct Controller {
    configuration: ControllerConfiguration,
    mailboxes: TransmitMailboxes,
    filters: AcceptanceFilters,
    fifos: [ReceiveFifo; 2],
    filtered_count: u64,
    is_bus_off: bool,
}

impl Controller {
    /// A controller without requests and with empty FIFOs.
    pub fn new(configuration: ControllerConfiguration) -> Result<Self, ConfigurationError> {
        let ControllerConfiguration { transmit_order, is_one_shot, .. } = configuration;
        Ok(Self {
            mailboxes: TransmitMailboxes::new(transmit_order, is_one_shot),
            filters: AcceptanceFilters::new(&configuration.filter_banks)?,
            fifos: [FifoNumber::Fifo0; 2].map(|_| ReceiveFifo::new(configuration.overrun_policy)),
            filtered_count: 0,
            is_bus_off: false,
            configuration,
        })
    }

    /// As after its reset: requests, received frames and counts are gone, the configuration stays.
    pub fn reset(&mut self) {
        let ControllerConfiguration { transmit_order, is_one_shot, overrun_policy, .. } =
            self.configuration;
        self.mailboxes = TransmitMailboxes::new(transmit_order, is_one_shot);
        self.fifos = [FifoNumber::Fifo0; 2].map(|_| ReceiveFifo::new(overrun_policy));
        self.filtered_count = 0;
        self.is_bus_off = false;
    }

    /// Whether one of its frames is on the bus.
    pub fn is_sending(&self) -> bool {
        self.mailboxes.on_bus().is_some()
    }

    /// How it is configured.
    pub const fn configuration(&self) -> &ControllerConfiguration {
        &self.configuration
    }

    /// Requests the transmission of a frame; with all mailboxes full the frame is returned.
    pub fn request(&mut self, frame: CanFrame) -> Result<RequestHandle, MailboxesFull> {
        self.mailboxes.request(frame)
    }

    /// Aborts a request, and returns whether it was in a mailbox; otherwise nothing happens.
    ///
    /// A request whose attempt is on the bus goes on until that attempt ends (24.7.1).
    pub fn abort(&mut self, handle: RequestHandle) -> bool {
        self.mailboxes.abort(handle)
    }

    /// The frame that goes into arbitration if the bus becomes idle now.
    ///
    /// None during an attempt of this controller and in bus-off.
    pub fn pending(&self) -> Option<&CanFrame> {
        if self.is_bus_off { None } else { self.mailboxes.pending() }
    }

    /// Begins an attempt with the pending frame, which is returned.
    pub fn begin_attempt(&mut self) -> Result<CanFrame, AttemptError> {
        if self.is_bus_off { Err(AttemptError::BusOff) } else { self.mailboxes.begin_attempt() }
    }

    /// Reports how the attempt on the bus ended.
    pub fn end_attempt(&mut self, end: AttemptEnd) -> Result<(), AttemptError> {
        self.mailboxes.end_attempt(end)
    }

    /// Takes the oldest end of a request that was not taken yet.
    pub fn next_end(&mut self) -> Option<TransmitEnd> {
        self.mailboxes.next_end()
    }

    /// How many mailboxes are empty (TME).
    pub fn empty_mailbox_count(&self) -> usize {
        self.mailboxes.empty_count()
    }

    /// Reports that the bus has put the controller into bus-off, or let it out. Requests stay.
    pub const fn set_bus_off(&mut self, is_bus_off: bool) {
        self.is_bus_off = is_bus_off;
    }

    /// Whether it is bus-off.
    pub const fn is_bus_off(&self) -> bool {
        self.is_bus_off
    }

    /// Delivers a valid frame that another node sent.
    pub fn receive(&mut self, frame: CanFrame) -> Reception {
        if self.is_bus_off {
            return Reception::BusOff;
        }
        let Some((fifo, filter_match_index)) = self.filters.find(&frame) else {
            self.filtered_count += 1;
            return Reception::Filtered;
        };
        match self.fifos[fifo.index()].store(ReceivedFrame { frame, filter_match_index }) {
            None => Reception::Stored { fifo },
            Some(lost) => Reception::Overrun { fifo, lost },
        }
    }

    /// A receive FIFO.
    pub const fn fifo(&self, number: FifoNumber) -> &ReceiveFifo {
        &self.fifos[number.index()]
    }

    /// A receive FIFO, to release its output mailbox.
    pub const fn fifo_mut(&mut self, number: FifoNumber) -> &mut ReceiveFifo {
        &mut self.fifos[number.index()]
    }

    /// How many frames no filter has accepted.
    pub const fn filtered_count(&self) -> u64 {
        self.filtered_count
    }
}
