//! Commands that a run gives to devices through the platform: numbered, noted, and held against
//! what became of them.
//!
//! How one is sent and how its state is asked for is the bench's affair; what is noted, and what an
//! answer means, is the same in virtual and in real time.

use std::collections::BTreeMap;

use lastmeter_devices::ERROR_PREFIX;
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::commands::find;
use serde_json::json;

#[derive(Clone, Copy)]
pub(crate) struct CommandOrder<'a> {
    pub(crate) device: usize,
    pub(crate) command: &'a str,
    pub(crate) parameters: &'a BTreeMap<String, String>,
    pub(crate) must_be_refused: bool,
}

/// A command whose answer is awaited.
pub(crate) struct OpenCommand<T> {
    pub(crate) device: usize,
    pub(crate) device_name: String,
    pub(crate) command: String,
    pub(crate) parameters: BTreeMap<String, String>,
    /// What had arrived at the device before.
    delivered: u64,
    /// What the bench needs to know of it besides.
    pub(crate) way: T,
}

/// The commands of a run, numbered from 1 as they are given.
pub(crate) struct Commands<T> {
    count: u64,
    open: BTreeMap<u64, OpenCommand<T>>,
    /// How many each device was given.
    given: BTreeMap<usize, u64>,
    /// What devices answered, by number.
    answers: BTreeMap<u64, String>,
}

/// How a command ended, as the platform reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Acknowledged,
    Failed,
    Expired,
}

pub(crate) struct EndedCommand<T> {
    pub(crate) command: OpenCommand<T>,
    pub(crate) event: Event,
    /// Whether its device reports that it has been obeyed, and can have been.
    pub(crate) is_acknowledged: bool,
}

impl<T> OpenCommand<T> {
    /// The reporting period that holds once the command is obeyed, if it is about that.
    pub(crate) fn new_period(&self) -> Option<SimDuration> {
        find(&self.command)?.new_period(&self.parameters)
    }

    fn failed(&self, id: u64, at: SimTime, kind: EventKind, response: &str) -> Event {
        Event::not_obeyed(at, kind, id, &self.device_name, response)
    }
}

impl<T> Commands<T> {
    pub(crate) fn new() -> Self {
        Self { count: 0, open: BTreeMap::new(), given: BTreeMap::new(), answers: BTreeMap::new() }
    }

    /// Opens a command to the device of this name, at which so much had arrived before: its number,
    /// and the event.
    pub(crate) fn give(
        &mut self,
        at: SimTime,
        order: CommandOrder<'_>,
        (device_name, delivered): (&str, u64),
        way: T,
    ) -> (u64, Event) {
        self.count += 1;
        *self.given.entry(order.device).or_default() += 1;
        let open = OpenCommand {
            device: order.device,
            device_name: device_name.to_owned(),
            command: order.command.to_owned(),
            parameters: order.parameters.clone(),
            delivered,
            way,
        };
        self.open.insert(self.count, open);
        let event = Event::command(at, self.count, device_name, order.command)
            .with(field::PARAMETERS, json!(order.parameters));
        (self.count, if order.must_be_refused { event.must_be_refused() } else { event })
    }

    /// Closes a command whose state is final: `delivered` has arrived at its device by now.
    pub(crate) fn end(
        &mut self,
        id: u64,
        at: SimTime,
        (ending, response): (Ending, String),
        delivered: u64,
    ) -> Option<EndedCommand<T>> {
        let command = self.open.remove(&id)?;
        let failed = |kind: EventKind, response: &str| command.failed(id, at, kind, response);
        let mut is_acknowledged = false;
        if ending == Ending::Acknowledged {
            self.answers.insert(id, response.clone());
        }
        let event = match ending {
            // The platform's word alone does not do.
            Ending::Acknowledged if delivered <= command.delivered => failed(
                EventKind::CommandFailed,
                "nothing has reached the device, whatever the platform reports",
            ),
            Ending::Acknowledged if response.starts_with(ERROR_PREFIX) => {
                failed(EventKind::CommandRefused, &response)
            }
            Ending::Acknowledged => {
                is_acknowledged = true;
                Event::acknowledged(at, id, &command.device_name, &response)
            }
            Ending::Failed => failed(EventKind::CommandFailed, &response),
            Ending::Expired => failed(EventKind::CommandExpired, &response),
        };
        Some(EndedCommand { command, event, is_acknowledged })
    }

    /// The numbers of those whose answer is awaited, in order.
    pub(crate) fn open(&self) -> Vec<u64> {
        self.open.keys().copied().collect()
    }

    /// One whose answer is awaited.
    pub(crate) fn get(&self, id: u64) -> Option<&OpenCommand<T>> {
        self.open.get(&id)
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut OpenCommand<T>> {
        self.open.get_mut(&id)
    }

    /// How many commands a device was given.
    pub(crate) fn given_to(&self, device: usize) -> u64 {
        self.given.get(&device).copied().unwrap_or(0)
    }

    /// Takes out what a device answered to a command.
    pub(crate) fn take_answer(&mut self, id: u64) -> Option<String> {
        self.answers.remove(&id)
    }
}
