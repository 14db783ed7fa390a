//! Who speaks to the platform over one connection: a device by itself, or a gateway with the
//! devices behind it.

use lastmeter_devices::{BoardDevice, BoardInput, Device, DeviceFault, Input, Output};
use lastmeter_units::SimTime;

use super::client_output::{ClientOutput, LinkEvent};
use super::device_note::DeviceNote;
use super::field::Field;
use super::ledger::AnnouncedReading;
use super::signal_feed::SignalFeed;

/// A device that has a connection of its own.
pub(crate) struct SoleDevice {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) device: Box<dyn Device>,
    pub(crate) feed: SignalFeed,
    output: Vec<Output>,
    last_due: SimTime,
}

impl SoleDevice {
    pub(crate) fn new(index: usize, name: &str, device: Box<dyn Device>, feed: SignalFeed) -> Self {
        let last_due = feed.now();
        Self { index, name: name.to_owned(), device, feed, output: Vec::new(), last_due }
    }

    fn input(&mut self, input: Input, out: &mut Vec<ClientOutput>) {
        self.device.step(self.feed.now(), input, &mut self.output);
        self.translate(out);
    }

    fn translate(&mut self, out: &mut Vec<ClientOutput>) {
        let now = self.feed.now();
        for output in self.output.drain(..) {
            out.push(match output {
                Output::Send { message, payload } => {
                    let (owner, at) = (self.name.clone(), self.last_due);
                    ClientOutput::Send { message, owner, at, payload }
                }
                Output::Reading { epoch, serial, at, span } => {
                    self.last_due = at;
                    let made = AnnouncedReading { epoch, serial, at, span };
                    ClientOutput::Reading { device: self.index, made }
                }
                Output::Event { kind, detail } => ClientOutput::Note {
                    of: self.name.clone(),
                    note: DeviceNote::new(now, kind.word(), detail),
                },
                Output::Failed { why } => ClientOutput::Failed { of: self.name.clone(), why },
                Output::Switched { is_closed } => {
                    ClientOutput::Switched { device: self.index, is_closed }
                }
                // It is on no network: a scenario that puts it on none gives it a connection.
                Output::Transmit { .. }
                | Output::Offer { .. }
                | Output::Stage { .. }
                | Output::Supply { .. }
                | Output::Answered { .. }
                | Output::Reported { .. }
                | Output::Shown { .. }
                | Output::Obeyed { .. } => {
                    continue;
                }
            });
        }
    }
}

/// A device or a gateway as a client of the platform.
pub(crate) enum Client {
    Device(Box<SoleDevice>),
    Field(Box<Field>),
}

impl Client {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Device(sole) => &sole.name,
            Self::Field(field) => &field.name,
        }
    }

    pub(crate) fn field(&self) -> Option<&Field> {
        match self {
            Self::Device(_) => None,
            Self::Field(field) => Some(field),
        }
    }

    pub(crate) fn field_mut(&mut self) -> Option<&mut Field> {
        match self {
            Self::Device(_) => None,
            Self::Field(field) => Some(field),
        }
    }

    /// The names of all whose messages it carries.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Device(sole) => vec![sole.name.as_str()],
            Self::Field(field) => field.names().collect(),
        }
    }

    /// The index of the device of this name, if it is one of its own.
    pub(crate) fn device(&self, name: &str) -> Option<usize> {
        match self {
            Self::Device(sole) => (sole.name == name).then_some(sole.index),
            Self::Field(field) => field.device(name),
        }
    }

    /// Up to when it has been moved.
    pub(crate) fn now(&self) -> SimTime {
        match self {
            Self::Device(sole) => sole.feed.now(),
            Self::Field(field) => field.now,
        }
    }

    /// Moves it on, at most up to and including an instant.
    pub(crate) fn step(&mut self, until: SimTime, out: &mut Vec<ClientOutput>) {
        match self {
            Self::Device(sole) => {
                sole.feed.step(sole.device.as_mut(), until, &mut sole.output);
                sole.translate(out);
            }
            Self::Field(field) => field.step(until, out),
        }
    }

    /// Hands it what happened on its connection.
    pub(crate) fn on_link_event(&mut self, what: LinkEvent, out: &mut Vec<ClientOutput>) {
        match self {
            Self::Device(sole) => {
                let input = match what {
                    LinkEvent::Connected => Input::Connected,
                    LinkEvent::Disconnected => Input::Disconnected,
                    LinkEvent::Acknowledged { message } => Input::Acknowledged { message },
                    LinkEvent::Received { payload, .. } => Input::Received { payload },
                };
                sole.input(input, out);
            }
            Self::Field(field) => field.on_link_event(what, out),
        }
    }

    pub(crate) fn board(&mut self) -> Option<&mut dyn BoardDevice> {
        match self {
            Self::Device(sole) => sole.device.board(),
            Self::Field(_) => None,
        }
    }

    /// Hands on what its board has done, or that time has passed.
    pub(crate) fn of_board(&mut self, input: BoardInput, out: &mut Vec<ClientOutput>) {
        let Self::Device(sole) = self else { return };
        if let Some(board) = sole.device.board() {
            board.board_step(sole.feed.now(), input, &mut sole.output);
            sole.translate(out);
        }
    }

    /// Injects a fault into one of its devices, at the present instant.
    pub(crate) fn fault(&mut self, device: usize, fault: DeviceFault, out: &mut Vec<ClientOutput>) {
        match self {
            Self::Device(sole) => sole.input(Input::Fault(fault), out),
            Self::Field(field) => field.fault(device, fault, out),
        }
    }

    /// Whether one of its devices waits for what the platform answers to a request of its own.
    pub(crate) fn awaits_answer(&self) -> bool {
        match self {
            Self::Device(sole) => sole.device.awaits_answer(),
            Self::Field(field) => field.awaits_answer(),
        }
    }

    /// Messages that the platform has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        match self {
            Self::Device(sole) => sole.device.unacknowledged(),
            Self::Field(field) => field.unacknowledged(),
        }
    }

    /// The gateway loses its supply and starts again; nothing to a device that has none.
    pub(crate) fn restart(&mut self, out: &mut Vec<ClientOutput>) {
        if let Self::Field(field) = self {
            field.restart(out);
        }
    }
}
