//! The devices of a run in real time, as their senders report of them.

use std::collections::BTreeMap;

use lastmeter_units::{Epoch, Serial, SimDuration, SimTime};
use tokio::sync::mpsc::UnboundedSender;

use super::observer::Devices;
use super::recorder::LINGER_NS;
use super::sender::Control;

#[derive(Clone, Copy, Debug)]
pub(super) struct PendingReading {
    pub(super) due: SimTime,
    /// When its device got rid of it: acknowledged, or never to be sent.
    pub(super) given_up_ns: Option<i64>,
}

pub(super) struct ObeyedCommand {
    pub(super) device: usize,
    /// The invocation, by the platform's name for it.
    pub(super) invocation: String,
    /// Event time of the device.
    pub(super) at: SimTime,
    pub(super) at_ns: i64,
}

pub(super) struct SenderState {
    pub(super) control: UnboundedSender<Control>,
    /// How far it lags behind the scenario's clock.
    pub(super) lag: SimDuration,
    /// What the device holds.
    pub(super) held: BTreeMap<(Epoch, Serial), PendingReading>,
    /// Messages of the platform that have reached it.
    pub(super) delivered: u64,
    pub(super) connections: u64,
}

/// The senders of all devices, in the scenario's order.
pub(super) struct Senders {
    pub(super) by_name: Devices,
    pub(super) states: Vec<SenderState>,
    /// Devices that have done everything and hold nothing more.
    pub(super) finished: usize,
    /// Commands that have been obeyed, until the platform reports it too.
    pub(super) obeyed: Vec<ObeyedCommand>,
}

impl Senders {
    pub(super) fn new(by_name: Devices) -> Self {
        Self { by_name, states: Vec::new(), finished: 0, obeyed: Vec::new() }
    }

    /// The next device's sender, which lags behind the scenario's clock.
    pub(super) fn push(&mut self, control: UnboundedSender<Control>, lag: SimDuration) {
        let held = BTreeMap::new();
        self.states.push(SenderState { control, lag, held, delivered: 0, connections: 0 });
    }

    pub(super) fn order(&self, control: &Control) {
        for state in &self.states {
            // A sender that is gone has reported why.
            let _ = state.control.send(control.clone());
        }
    }

    /// Orders the sender that serves a device.
    pub(super) fn order_one(&self, device: usize, control: Control) {
        // A sender that is gone has reported why.
        let _ = self.states[device].control.send(control);
    }

    pub(super) fn longest_lag(&self) -> SimDuration {
        self.states.iter().map(|state| state.lag).max().unwrap_or(SimDuration::ZERO)
    }

    /// The first device that has never been connected.
    pub(super) fn first_missing(&self) -> Option<usize> {
        self.states.iter().position(|state| state.connections == 0)
    }

    pub(super) fn connections(&self) -> u64 {
        self.states.iter().map(|state| state.connections).sum()
    }

    pub(super) fn idle(&mut self, device: usize, at_ns: i64) {
        for held in self.states[device].held.values_mut() {
            held.given_up_ns.get_or_insert(at_ns);
        }
    }

    /// Forgets what a device got rid of so long ago that it cannot be on its way any more.
    pub(super) fn forget(&mut self, device: usize, now_ns: i64) {
        self.states[device].held.retain(|_, held| {
            held.given_up_ns.is_none_or(|given_up_ns| now_ns - given_up_ns <= LINGER_NS)
        });
    }

    /// An instant before everything that a device holds, at most this one.
    pub(super) fn settled_until(&self, device: usize, until: SimTime) -> SimTime {
        let due = self.states[device].held.values().map(|held| held.due).min();
        due.map_or(until, |due| until.min(due - SimDuration(1)))
    }

    /// Whether every device has finished and got rid of all its readings.
    pub(super) fn are_quiet(&self) -> bool {
        let mut held = self.states.iter().flat_map(|state| state.held.values());
        // A device may hold what is no reading, such as what a fault made it send.
        self.finished == self.states.len() && held.all(|held| held.given_up_ns.is_some())
    }

    /// Takes out what a device has reported of the command of an invocation.
    pub(super) fn take_obeyed(&mut self, device: usize, invocation: &str) -> Option<ObeyedCommand> {
        let is_it =
            |obeyed: &ObeyedCommand| obeyed.device == device && obeyed.invocation == invocation;
        let found = self.obeyed.iter().position(is_it)?;
        Some(self.obeyed.swap_remove(found))
    }
}
