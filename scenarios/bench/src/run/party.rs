//! Who speaks to the platform over one connection: a device by itself, or a gateway with the
//! devices behind it.

use lastmeter_devices::{BoardDevice, BoardInput, Device, DeviceFault, Input, Output};
use lastmeter_units::SimTime;

use super::device_note::DeviceNote;
use super::feeder::Feeder;
use super::field::Field;
use super::ledger::Made;
use super::party_output::{Said, Uplinked};

/// A device that has a connection of its own.
pub(crate) struct SoleDevice {
    /// Its index in the scenario.
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) device: Box<dyn Device>,
    pub(crate) feeder: Feeder,
    output: Vec<Output>,
    /// When the last reading was due.
    last_due: SimTime,
}

impl SoleDevice {
    pub(crate) fn new(index: usize, name: &str, device: Box<dyn Device>, feeder: Feeder) -> Self {
        let last_due = feeder.now();
        Self { index, name: name.to_owned(), device, feeder, output: Vec::new(), last_due }
    }

    fn input(&mut self, input: Input, said: &mut Vec<Said>) {
        self.device.step(self.feeder.now(), input, &mut self.output);
        self.translate(said);
    }

    fn translate(&mut self, said: &mut Vec<Said>) {
        let now = self.feeder.now();
        for output in self.output.drain(..) {
            said.push(match output {
                Output::Send { message, payload } => {
                    Said::Send { message, owner: self.name.clone(), at: self.last_due, payload }
                }
                Output::Reading { epoch, serial, at, span } => {
                    self.last_due = at;
                    Said::Made { device: self.index, made: Made { epoch, serial, at, span } }
                }
                Output::Event { kind, detail } => Said::Note {
                    of: self.name.clone(),
                    note: DeviceNote::new(now, kind.word(), detail),
                },
                // It is on no network: a scenario that puts it on none gives it a connection.
                Output::Transmit { .. } | Output::Answered { .. } | Output::Obeyed { .. } => {
                    continue;
                }
            });
        }
    }
}

/// A party.
pub(crate) enum Party {
    Device(Box<SoleDevice>),
    Field(Box<Field>),
}

impl Party {
    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Device(sole) => &sole.name,
            Self::Field(field) => &field.name,
        }
    }

    /// The field that it is, if it is one.
    pub(crate) fn field(&self) -> Option<&Field> {
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
            Self::Device(sole) => sole.feeder.now(),
            Self::Field(field) => field.now,
        }
    }

    /// Moves it on, at most up to and including an instant.
    pub(crate) fn step(&mut self, until: SimTime, said: &mut Vec<Said>) {
        match self {
            Self::Device(sole) => {
                sole.feeder.step(sole.device.as_mut(), until, &mut sole.output);
                sole.translate(said);
            }
            Self::Field(field) => field.step(until, said),
        }
    }

    /// Tells it what happened on its connection.
    pub(crate) fn uplinked(&mut self, what: Uplinked, said: &mut Vec<Said>) {
        match self {
            Self::Device(sole) => {
                let input = match what {
                    Uplinked::Connected => Input::Connected,
                    Uplinked::Disconnected => Input::Disconnected,
                    Uplinked::Acknowledged { message } => Input::Acknowledged { message },
                    Uplinked::Received { payload, .. } => Input::Received { payload },
                };
                sole.input(input, said);
            }
            Self::Field(field) => field.uplinked(what, said),
        }
    }

    /// Its device as a board, if it is one.
    pub(crate) fn board(&mut self) -> Option<&mut dyn BoardDevice> {
        match self {
            Self::Device(sole) => sole.device.board(),
            Self::Field(_) => None,
        }
    }

    /// Hands on what its board has done, or that time has passed.
    pub(crate) fn of_board(&mut self, input: BoardInput, said: &mut Vec<Said>) {
        let Self::Device(sole) = self else { return };
        if let Some(board) = sole.device.board() {
            board.board_step(sole.feeder.now(), input, &mut sole.output);
            sole.translate(said);
        }
    }

    /// Injects a fault into one of its devices, at the present instant.
    pub(crate) fn fault(&mut self, device: usize, fault: DeviceFault, said: &mut Vec<Said>) {
        match self {
            Self::Device(sole) => sole.input(Input::Fault(fault), said),
            Self::Field(field) => field.fault(device, fault, said),
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
    pub(crate) fn restart(&mut self, said: &mut Vec<Said>) {
        if let Self::Field(field) = self {
            field.restart(said);
        }
    }
}
