//! The reader as a state machine: what its buses bring, polls, outbox.

use std::collections::BTreeMap;

use lastmeter_can::bus::Happening;
use lastmeter_can::controller::{OverrunPolicy, TransmitOrder};
use lastmeter_can::dbc::Database;
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};

use crate::answer::CommandDesk;
use crate::can::port::{Offer, Port, PortEvent, PortSettings};
use crate::gateway::record::MeterState;
use crate::gateway::refusal::refuse_command;
use crate::gateway::store::Store;
use crate::gateway::{
    Gateway, GatewayEventKind as Kind, GatewayInput, GatewayOutput, Out, event, reachability,
};
use crate::message;

/// A signal of a board, and what it is.
#[derive(Clone, Debug)]
pub(super) struct Assigned {
    pub(super) message: CanId,
    pub(super) signal: String,
    pub(super) to: MeasurementId,
    /// The signal's value times this is the value in the message's unit.
    pub(super) unit_factor: f64,
}

#[derive(Debug)]
pub(super) struct Board {
    id: HardwareId,
    signals: Vec<Assigned>,
    /// What has come since the last poll, in units of messages.
    newest: BTreeMap<MeasurementId, f64>,
    /// Polls in a row of which nothing came.
    failures: i64,
}

impl Board {
    pub(super) const fn new(id: HardwareId, signals: Vec<Assigned>) -> Self {
        Self { id, signals, newest: BTreeMap::new(), failures: 0 }
    }
}

#[derive(Debug)]
pub(super) struct Bus {
    port: Port,
    boards: Vec<Board>,
    /// What it asks for at each poll.
    asked: Vec<CanFrame>,
    /// Frames that are too short, and frames lost.
    refused: u64,
}

impl Bus {
    pub(super) fn new(boards: Vec<Board>, asked: Vec<CanFrame>) -> Self {
        let settings = PortSettings {
            order: TransmitOrder::ByRequest,
            overrun: OverrunPolicy::DiscardNewest,
            interrupt_latency: SimDuration::ZERO,
        };
        // It hears all nodes.
        Self { port: Port::new(settings, &[(0, 0)]), boards, asked, refused: 0 }
    }

    /// Takes the values of a frame; why it has none, where it should have.
    fn take(&mut self, frame: &CanFrame, database: &Database) -> Option<String> {
        let is_known = |board: &Board| board.signals.iter().any(|it| it.message == frame.id());
        // Frames of others, and requests, are not for it.
        if frame.is_remote() || !self.boards.iter().any(is_known) {
            return None;
        }
        let values = match database.decode(frame) {
            Ok(values) => values,
            Err(error) => return Some(error.to_string()),
        };
        for board in &mut self.boards {
            for it in board.signals.iter().filter(|it| it.message == frame.id()) {
                let found = values.iter().find(|value| value.name == it.signal);
                let value = found.map(|value| value.value * it.unit_factor);
                if let Some(value) = value.filter(|value| value.is_finite()) {
                    board.newest.insert(it.to, value);
                }
            }
        }
        None
    }
}

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) hardware_id: HardwareId,
    pub(super) start: SimTime,
    pub(super) poll_every: SimDuration,
    /// From a poll that asks to its readings.
    pub(super) patience: SimDuration,
    pub(super) database: Database,
    pub(super) buses: Vec<Bus>,
    pub(super) store: Store,
    /// What was kept and cannot be read.
    pub(super) refused_records: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Reader {
    parts: Parts,
    desk: CommandDesk,
    /// When the next poll is due.
    next: SimTime,
    /// The poll that has asked and waits for answers.
    asked_at: Option<SimTime>,
}

impl Reader {
    pub(super) fn new(parts: Parts) -> Self {
        let next = parts.start + parts.poll_every;
        Self { parts, desk: CommandDesk::default(), next, asked_at: None }
    }

    fn take(&mut self, now: SimTime, input: GatewayInput, out: &mut Out) {
        let store = &mut self.parts.store;
        match input {
            GatewayInput::Wire { network, what } => self.wire(now, (network, what), out),
            GatewayInput::Command { owner, payload } => {
                refuse_command((&mut self.desk, store), (&owner, now), &payload, out);
            }
            GatewayInput::Connected => store.connected(out),
            GatewayInput::Disconnected => store.disconnected(),
            GatewayInput::Acknowledged { message } => store.acknowledged(message),
            GatewayInput::Kept { number } => store.kept(number, out),
            _ => {}
        }
    }

    fn wire(&mut self, now: SimTime, (network, what): (usize, Happening), out: &mut Out) {
        let Parts { buses, database, .. } = &mut self.parts;
        let Some(bus) = buses.get_mut(network) else { return };
        let lost = bus
            .port
            .wire(now, what)
            .map(|PortEvent::Overrun(frame)| (Kind::FrameLost, format!("{frame} is lost")));
        let mut refused: Vec<_> = lost.into_iter().collect();
        while let Some(frame) = bus.port.interrupt(now) {
            let why = bus.take(&frame, database);
            refused.extend(why.map(|why| (Kind::AnswerRefused, format!("{frame}: {why}"))));
        }
        for (kind, detail) in refused {
            bus.refused += 1;
            // What may come often is noted the first time, and at each doubling.
            if bus.refused.is_power_of_two() {
                let so_far = bus.refused;
                event(out, kind, format!("network {network}: {detail}; {so_far} so far"));
            }
        }
    }

    /// Does what is due by now.
    fn work(&mut self, now: SimTime, out: &mut Out) {
        if let Some(asked_at) = self.asked_at.filter(|at| *at + self.parts.patience <= now) {
            self.asked_at = None;
            self.read(now, asked_at, out);
        }
        if now < self.next {
            return;
        }
        let due = self.next;
        while self.next <= now {
            self.next += self.parts.poll_every;
        }
        if self.parts.buses.iter().all(|bus| bus.asked.is_empty()) {
            return self.read(now, due, out);
        }
        if let Some(before) = self.asked_at.replace(due) {
            self.read(now, before, out);
        }
        for bus in &mut self.parts.buses {
            bus.asked.iter().for_each(|frame| bus.port.request(*frame));
        }
    }

    /// Makes the readings of a poll.
    fn read(&mut self, now: SimTime, due: SimTime, out: &mut Out) {
        let Parts { hardware_id, buses, store, .. } = &mut self.parts;
        for (network, bus) in buses.iter_mut().enumerate() {
            // What was not sent by then is asked for at the next poll.
            bus.asked.iter().for_each(|frame| bus.port.withdraw(*frame));
            for board in &mut bus.boards {
                let (id, values) = (&board.id, std::mem::take(&mut board.newest));
                if values.is_empty() {
                    board.failures = board.failures.saturating_add(1);
                    let (about, why) = ((id, id.as_str(), network), "no value");
                    let polls = (board.failures, why);
                    reachability::unreachable(store, (hardware_id, now), about, polls, out);
                    continue;
                }
                board.failures = 0;
                reachability::answered(store, (hardware_id, now), (id, network), out);
                let before = store.meter(id);
                let state = MeterState { serial: before.serial + 1, ..before };
                let number = store.number(state.serial);
                let message = message::reading(id, due, number, values.into_iter().collect());
                store.put(id, Some((id.clone(), state)), message::encoded(&message), out);
            }
        }
    }
}

impl Gateway for Reader {
    fn step(&mut self, now: SimTime, input: GatewayInput, out: &mut Vec<GatewayOutput>) {
        for detail in std::mem::take(&mut self.parts.refused_records) {
            event(out, Kind::RecordRefused, detail);
        }
        self.take(now, input, out);
        self.work(now, out);
        for (network, bus) in self.parts.buses.iter_mut().enumerate() {
            bus.port.take_requested();
            let offer = bus.port.offer();
            out.extend(offer.map(|Offer(frame)| GatewayOutput::Offer { network, frame }));
        }
        self.parts.store.settle(false, out);
    }

    fn wake_at(&self) -> Option<SimTime> {
        let asked = self.asked_at.map(|at| at + self.parts.patience);
        Some(asked.map_or(self.next, |asked| asked.min(self.next)))
    }

    fn unacknowledged(&self) -> usize {
        self.parts.store.unacknowledged()
    }
}
