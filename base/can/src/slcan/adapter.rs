//! The adapter's side: a host's bytes in, answers and what they mean for the bus out.

use std::collections::VecDeque;

use super::acceptance::Acceptance;
use super::answer::{Item, SerialNumber, Version};
use super::bit_rate::BusTiming;
use super::command::Command;
use super::line::{CR, LINE_BYTES_MAX, LineBuffer, LineFault, TIME_STAMP_WRAP_MS};
use super::status::{StatusFlag, StatusFlags};
use crate::frame::CanFrame;

/// How many received frames wait for `P` or `A` at most, with automatic poll off (unverified).
pub const RECEIVE_QUEUE_FRAMES: usize = 32;

/// What an adapter is made with, and what it keeps while it is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What `V` and `v` answer.
    pub version: Version,
    /// What `N` answers.
    pub serial_number: SerialNumber,
    /// A bit rate set before; without one `O` is refused until `S` or `s`.
    pub timing: Option<BusTiming>,
    /// Whether received frames are written by themselves, as after `X1`.
    ///
    /// On by default, since most hosts expect it without asking; a CAN232 begins with it off.
    pub auto_poll: bool,
    /// Whether received frames have a time stamp, as after `Z1`.
    pub time_stamps: bool,
}

impl Default for Settings {
    fn default() -> Self {
        const VERSION: Version = Version::new(10, 13).expect("two digits each");
        let serial_number = SerialNumber::new(*b"LM01").expect("letters and digits");
        Self { version: VERSION, serial_number, timing: None, auto_poll: true, time_stamps: false }
    }
}

/// What a command means for the bus and for those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The adapter takes part in the bus from now on.
    Opened {
        /// At this bit rate.
        timing: BusTiming,
        /// Without sending anything.
        listen_only: bool,
    },
    /// The adapter left the bus.
    Closed,
    /// A frame to send on the bus.
    Transmit(CanFrame),
    /// A line was answered by BEL.
    Refused(Refusal),
}

/// Why a line was answered by BEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The line is no command.
    #[error(transparent)]
    Line(#[from] LineFault),
    /// The command is for a closed channel.
    #[error("the channel is open, and this command needs it closed; send C before it")]
    Open,
    /// The command is for an open channel.
    #[error("the channel is closed, and this command needs it open; send O before it")]
    Closed,
    /// A frame to send in listen-only mode.
    #[error("the channel is open in listen-only mode, which sends no frames; send C, then O")]
    ListenOnly,
    /// Opening without bit rate.
    #[error("no bit rate is set; send S0 to S8, or s with two registers, before opening")]
    NoBitRate,
    /// A poll where frames are written by themselves.
    #[error("received frames are written without being asked for; send X0, while closed, to poll")]
    AutoPoll,
    /// No place for a frame to send.
    #[error("the queue of frames to send is full; send the frame again later")]
    TransmitQueueFull,
}

/// What became of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was written to the host.
    Written,
    /// It waits for `P` or `A`.
    Queued,
    /// The channel is closed: the adapter did not see it.
    NotOpen,
    /// Acceptance code and mask keep it out.
    Filtered,
    /// The queue is full: lost, with a status flag.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Closed,
    Open,
    ListenOnly,
}

/// An adapter between a serial line and a bus.
#[derive(Clone, Debug)]
pub struct Adapter {
    settings: Settings,
    channel: Channel,
    acceptance: Acceptance,
    flags: StatusFlags,
    transmit_queue_full: bool,
    received: VecDeque<Item>,
    line: LineBuffer,
}

impl Adapter {
    /// An adapter that was just switched on: closed.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            channel: Channel::Closed,
            acceptance: Acceptance::default(),
            flags: StatusFlags::default(),
            transmit_queue_full: false,
            received: VecDeque::new(),
            line: LineBuffer::default(),
        }
    }

    /// Takes bytes of the host, in any segments; appends the answers, and events in their order.
    ///
    /// A line longer than [`LINE_BYTES_MAX`] is answered by one BEL at its end.
    pub fn bytes_from_host(
        &mut self,
        bytes: &[u8],
        to_host: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) {
        for &byte in bytes {
            if byte != CR {
                self.line.push(byte);
                continue;
            }
            let (line, found) = self.line.take();
            let command = if found > LINE_BYTES_MAX {
                Err(LineFault::TooLong { found })
            } else {
                Command::read(&line)
            };
            let done = command
                .map_err(Refusal::from)
                .and_then(|command| self.command(command, to_host, events));
            if let Err(refusal) = done {
                Item::Refused.encode(to_host);
                events.push(Event::Refused(refusal));
            }
        }
    }

    /// Takes a frame from the bus at a time in milliseconds since the adapter was switched on;
    /// appends its line, unless the host polls.
    pub fn frame_to_host(
        &mut self,
        frame: &CanFrame,
        at_ms: u64,
        to_host: &mut Vec<u8>,
    ) -> Delivery {
        if !self.is_open() {
            return Delivery::NotOpen;
        }
        if !self.acceptance.passes(frame) {
            return Delivery::Filtered;
        }
        let stamp = (at_ms % u64::from(TIME_STAMP_WRAP_MS)) as u16;
        let timestamp_ms = self.settings.time_stamps.then_some(stamp);
        let item = Item::Frame { frame: *frame, timestamp_ms };
        if self.settings.auto_poll {
            item.encode(to_host);
            return Delivery::Written;
        }
        if self.received.len() >= RECEIVE_QUEUE_FRAMES {
            self.flags.raise(StatusFlag::ReceiveQueueFull);
            return Delivery::Lost;
        }
        self.received.push_back(item);
        Delivery::Queued
    }

    /// Raises a status flag that the bus is the reason of; `F` reads and clears it.
    pub const fn raise(&mut self, flag: StatusFlag) {
        self.flags.raise(flag);
    }

    /// Whether frames to send are refused, because those taken before have not left.
    pub const fn set_transmit_queue_full(&mut self, full: bool) {
        self.transmit_queue_full = full;
    }

    /// Whether the adapter receives, which it does in listen-only mode, too.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.channel != Channel::Closed
    }

    /// Settings as the commands left them.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    fn must_be_open(&self) -> Result<(), Refusal> {
        if self.is_open() { Ok(()) } else { Err(Refusal::Closed) }
    }

    fn must_be_closed(&self) -> Result<(), Refusal> {
        if self.is_open() { Err(Refusal::Open) } else { Ok(()) }
    }

    fn must_be_polled(&self) -> Result<(), Refusal> {
        self.must_be_open()?;
        if self.settings.auto_poll { Err(Refusal::AutoPoll) } else { Ok(()) }
    }

    /// Does what a command asks for and writes the answer, or does and writes nothing.
    fn command(
        &mut self,
        command: Command,
        to_host: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let answer = match command {
            Command::Empty => Item::Acknowledged,
            Command::Open => self.open(Channel::Open, events)?,
            Command::ListenOnly => self.open(Channel::ListenOnly, events)?,
            Command::Close => {
                self.must_be_open()?;
                self.channel = Channel::Closed;
                self.received.clear();
                events.push(Event::Closed);
                Item::Acknowledged
            }
            Command::Transmit(frame) => self.transmit(frame, events)?,
            Command::Poll => {
                self.must_be_polled()?;
                self.received.pop_front().unwrap_or(Item::Acknowledged)
            }
            Command::PollAll => {
                self.must_be_polled()?;
                if self.received.is_empty() {
                    Item::Acknowledged
                } else {
                    self.received.drain(..).for_each(|item| item.encode(to_host));
                    Item::EndOfPoll
                }
            }
            Command::Flags => {
                self.must_be_open()?;
                Item::Flags(std::mem::take(&mut self.flags))
            }
            Command::Version => Item::Version(self.settings.version),
            Command::FirmwareVersion => Item::FirmwareVersion(self.settings.version),
            Command::SerialNumber => Item::SerialNumber(self.settings.serial_number),
            Command::BitRate(rate) => {
                self.while_closed(|own| own.settings.timing = Some(BusTiming::Standard(rate)))?
            }
            Command::BitTiming(timing) => {
                self.while_closed(|own| own.settings.timing = Some(BusTiming::Registers(timing)))?
            }
            Command::TimeStamps(on) => self.while_closed(|own| own.settings.time_stamps = on)?,
            Command::AutoPoll(on) => self.while_closed(|own| own.settings.auto_poll = on)?,
            Command::AcceptanceCode(code) => self.while_closed(|own| own.acceptance.code = code)?,
            Command::AcceptanceMask(mask) => self.while_closed(|own| own.acceptance.mask = mask)?,
        };
        answer.encode(to_host);
        Ok(())
    }

    fn open(&mut self, channel: Channel, events: &mut Vec<Event>) -> Result<Item, Refusal> {
        self.must_be_closed()?;
        let timing = self.settings.timing.ok_or(Refusal::NoBitRate)?;
        self.channel = channel;
        events.push(Event::Opened { timing, listen_only: channel == Channel::ListenOnly });
        Ok(Item::Acknowledged)
    }

    fn transmit(&mut self, frame: CanFrame, events: &mut Vec<Event>) -> Result<Item, Refusal> {
        match self.channel {
            Channel::Closed => return Err(Refusal::Closed),
            Channel::ListenOnly => return Err(Refusal::ListenOnly),
            Channel::Open => {}
        }
        if self.transmit_queue_full {
            self.flags.raise(StatusFlag::TransmitQueueFull);
            return Err(Refusal::TransmitQueueFull);
        }
        events.push(Event::Transmit(frame));
        Ok(if self.settings.auto_poll {
            Item::Sent { extended: frame.id().is_extended() }
        } else {
            Item::Acknowledged
        })
    }

    /// Sets something, if the channel is closed.
    fn while_closed(&mut self, set: impl FnOnce(&mut Self)) -> Result<Item, Refusal> {
        self.must_be_closed()?;
        set(self);
        Ok(Item::Acknowledged)
    }
}
