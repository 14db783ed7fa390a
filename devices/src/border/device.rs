//! A device as the runner moves it.

use std::collections::BTreeMap;

use lastmeter_sim::{DeclaredSpan, ElectricityFacts};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use lastmeter_zigbee::zcl::cluster::ota::ImageId;

use super::board::{BoardInput, BoardOutput, BoardWait};
use super::facts::{EventFacts, SupplyFacts, TamperFacts};
use super::message::{Feed, Input, Output};
use super::program::ProgramDevice;
use crate::answer::CommandFault;

/// A device on the bench.
///
/// Its readings are due at start + k * period (k >= 1) exactly; after an obeyed change of the
/// period at the instant T, at T + k * new period. What it puts out depends on the inputs alone,
/// not on how the terminal's data was cut.
pub trait Device: Send {
    /// What it wants to see of its metering point.
    fn feed(&self) -> Feed;

    /// What its readings contain, in the order of the message.
    fn quantities(&self) -> &[MeasurementId];

    /// What only an electricity meter has; `None` of all others.
    fn electricity(&self) -> Option<ElectricityFacts> {
        None
    }

    /// Its address on the field network, as a gateway's configuration writes it; `None`: it is on
    /// none.
    fn network_address(&self) -> Option<String> {
        None
    }

    /// The program image that it runs, if it takes others from the platform.
    fn image(&self) -> Option<ImageId> {
        None
    }

    /// Whether it waits for what the platform answers to a request of its own.
    fn awaits_answer(&self) -> bool {
        false
    }

    /// When it sends something by itself on a field network next: it has to see its metering point
    /// up to then, in time. `None`: only when it is asked.
    fn wake_at(&self) -> Option<SimTime> {
        None
    }

    /// What it declares of its readings where it cannot announce what they span; `None`: it
    /// announces that.
    fn declared(&self) -> Option<DeclaredSpan> {
        None
    }

    /// It as a device that is a board; `None`: it is none.
    fn board(&mut self) -> Option<&mut dyn BoardDevice> {
        None
    }

    /// It as a device that is somebody else's program; `None`: it is none.
    fn program(&mut self) -> Option<&mut dyn ProgramDevice> {
        None
    }

    /// How it lives on the voltage at its terminal; `None`: it has a supply of its own.
    fn supply(&self) -> Option<SupplyFacts> {
        None
    }

    /// Which voltage events it reports; `None`: it looks for none.
    fn watched_events(&self) -> Option<EventFacts> {
        None
    }

    /// Which tampering it reports; `None`: it has no sensors for any.
    fn watched_tamper(&self) -> Option<TamperFacts> {
        None
    }

    /// What is wrong with a command, its parameters written as texts, as far as is known without
    /// giving it; `None` of one that the device understands and should carry out.
    fn validate_command(
        &self,
        command: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Option<CommandFault>;

    /// The time between two readings, as it stands.
    fn report_period(&self) -> SimDuration;

    /// Takes one input and appends what follows from it.
    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>);

    /// Messages published or waiting that the platform has not acknowledged.
    fn unacknowledged(&self) -> usize;
}

/// A device that is a board.
pub trait BoardDevice: Device {
    /// What it waits for of its board; until then it takes [`BoardInput`]s only. `None`: it waits
    /// for nothing.
    fn board_wait(&self) -> Option<BoardWait>;

    /// Why its board cannot be used at all; `None`: it can.
    fn board_fault(&self) -> Option<String>;

    /// Takes one input of its board and appends what follows from it.
    fn board_step(&mut self, now: SimTime, input: BoardInput, out: &mut Vec<Output>);

    /// What it has for its board since it was last asked, after steps of either kind.
    fn take_board_output(&mut self) -> Vec<BoardOutput>;
}
