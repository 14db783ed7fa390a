//! The aggregator as a state machine: masters of its buses, outbox, answers to commands.

use std::collections::BTreeMap;

use lastmeter_board::meter_node::ProfileInterval;
use lastmeter_can::bus::{ErrorState, Happening};
use lastmeter_units::{HardwareId, MeasurementId, Quantity, SimTime};

use super::household::{self, Settling};
use super::poll::{Master, Polled};
use super::{authentication, dip, profile, unique_ids};
use crate::answer::CommandDesk;
use crate::gateway::record::MeterState;
use crate::gateway::refusal::refuse_command;
use crate::gateway::store::Store;
use crate::gateway::{
    Gateway, GatewayEventKind as Kind, GatewayInput, GatewayOutput, Out, event, event_about,
    reachability,
};
use crate::household::{Effect, Household};
use crate::message;

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) hardware_id: HardwareId,
    pub(super) start: SimTime,
    pub(super) masters: Vec<Master>,
    pub(super) store: Store,
    /// What was kept and cannot be read.
    pub(super) refused_records: Vec<String>,
    /// Polls without an answer before a node is reported.
    pub(super) unreachable_after: i64,
    pub(super) household: Option<Household>,
    /// The identifiers that quantities go by.
    pub(super) identifiers: BTreeMap<Quantity, MeasurementId>,
}

#[derive(Debug)]
pub(super) struct Aggregator {
    parts: Parts,
    has_begun: bool,
    desk: CommandDesk,
    /// Of each network, polls that began late, frames that nobody waited for, and lost frames.
    counts: Vec<[u64; 3]>,
    /// Networks whose poll has not ended.
    polling: Vec<bool>,
    settling: Settling,
}

impl Aggregator {
    pub(super) fn new(parts: Parts) -> Self {
        let counts = vec![[0; 3]; parts.masters.len()];
        let polling = parts.masters.iter().map(|master| !master.nodes.is_empty()).collect();
        let (desk, settling) = (CommandDesk::default(), Settling::default());
        Self { parts, has_begun: false, desk, counts, polling, settling }
    }

    fn take(&mut self, now: SimTime, input: GatewayInput, out: &mut Out) {
        let store = &mut self.parts.store;
        match input {
            GatewayInput::Wake
            | GatewayInput::LineUp { .. }
            | GatewayInput::LineDown { .. }
            | GatewayInput::Live { .. }
            | GatewayInput::Flow { .. }
            | GatewayInput::Frame { .. } => {}
            GatewayInput::Answer(answer) => self.household(now, out, |household, effects| {
                household.answer(now, &answer, effects);
            }),
            GatewayInput::Page { number, request } => self.household(now, out, |household, it| {
                household.page(now, (number, &request), it);
            }),
            GatewayInput::Bytes { network, .. } => {
                let detail = format!("bytes of network {network}, expected frames");
                event(out, Kind::InputRefused, detail);
            }
            GatewayInput::Wire { network, what } => self.wire(now, network, what, out),
            GatewayInput::Command { owner, payload } => {
                refuse_command((&mut self.desk, store), (&owner, now), &payload, out);
            }
            GatewayInput::Connected => store.connected(out),
            GatewayInput::Disconnected => store.disconnected(),
            GatewayInput::Acknowledged { message } => store.acknowledged(message),
            GatewayInput::Kept { number } => store.kept(number, out),
        }
    }

    /// Lets the household do something, if there is one.
    fn household(
        &mut self,
        now: SimTime,
        out: &mut Out,
        act: impl FnOnce(&mut Household, &mut Vec<Effect>),
    ) {
        let mut effects = Vec::new();
        if let Some(household) = &mut self.parts.household {
            act(household, &mut effects);
        }
        household::apply(&mut self.parts, &mut self.settling, (now, true), effects, out);
    }

    /// A poll of a network has ended.
    fn ended(&mut self, network: usize, at: (SimTime, SimTime), out: &mut Out) {
        self.polling.iter_mut().skip(network).take(1).for_each(|is_polling| *is_polling = false);
        if !self.polling.contains(&true) {
            let masters = self.parts.masters.iter();
            self.polling = masters.map(|master| !master.nodes.is_empty()).collect();
            household::ended(&mut self.parts, &mut self.settling, at, out);
        }
    }

    fn wire(&mut self, now: SimTime, network: usize, what: Happening, out: &mut Out) {
        let Some(master) = self.parts.masters.get_mut(network) else { return };
        let mut polled = Vec::new();
        master.wire(now, what, &mut polled);
        for polled in polled {
            self.polled(now, network, polled, out);
        }
        if let Happening::State(state) = what {
            let word = match state {
                ErrorState::Active => "error-active",
                ErrorState::Passive => "error-passive",
                ErrorState::BusOff => "bus-off",
            };
            event(out, Kind::BusState, format!("network {network}: {word}"));
        }
    }

    /// Counts what may come often; whether it is to be noted: the first, and at each doubling.
    fn is_noted(&mut self, network: usize, what: usize) -> Option<u64> {
        let count = self.counts.get_mut(network)?.get_mut(what)?;
        *count += 1;
        Some(*count).filter(|count| count.is_power_of_two())
    }

    fn polled(&mut self, now: SimTime, network: usize, polled: Polled, out: &mut Out) {
        match polled {
            Polled::Reading { place, number, due, closed_at, values, profile } => {
                let of = (number, &*values, profile);
                self.report((now, due, closed_at), (network, place), of, out);
            }
            Polled::Ended { due } => self.ended(network, (now, due), out),
            Polled::Switched { place, is_closed } => {
                let what = (network, place, Some(is_closed));
                household::switched(&mut self.parts, &mut self.settling, now, what, out);
            }
            Polled::NotSwitched { place, .. } => {
                let what = (network, place, None);
                household::switched(&mut self.parts, &mut self.settling, now, what, out);
            }
            Polled::Dip { place, dip, is_first } => {
                let Parts { hardware_id, masters, store, .. } = &mut self.parts;
                let node = masters.get(network).and_then(|master| master.nodes.get(place));
                if let Some(node) = node {
                    dip::report(store, (hardware_id, now), &node.id, (&dip, is_first), out);
                }
            }
            Polled::Announced { number, id } => {
                unique_ids::announced(&mut self.parts, (now, network), (number, id), out);
            }
            Polled::Silent { place, what } => self.silent(now, (network, place), what, out),
            // What may come with every frame is noted at each doubling of its count.
            Polled::NotAwaited(frame) => {
                if let Some(count) = self.is_noted(network, 0) {
                    let detail = format!(
                        "network {network}: {frame}, which nobody waits for; {count} so far"
                    );
                    event(out, Kind::AnswerRefused, detail);
                }
            }
            Polled::Lost(frame) => {
                if let Some(count) = self.is_noted(network, 1) {
                    let detail = format!("network {network}: {frame} is lost; {count} so far");
                    event(out, Kind::FrameLost, detail);
                }
            }
            Polled::Late(due) => {
                if let Some(count) = self.is_noted(network, 2) {
                    let detail = format!(
                        "network {network}: the poll due at {due} begins after the one before; \
                         {count} so far"
                    );
                    event(out, Kind::PollLate, detail);
                }
            }
            Polled::NotSealed(error) => {
                event(out, Kind::InputRefused, format!("network {network}: {error}"));
            }
            Polled::Accepted { .. }
            | Polled::Reserved(_)
            | Polled::Refused { .. }
            | Polled::Alarm { .. } => self.authenticated(now, network, &polled, out),
            Polled::Stage(stage, frame) => {
                out.push(GatewayOutput::Stage { network, stage, frame });
            }
            Polled::Offer(frame) => out.push(GatewayOutput::Offer { network, frame }),
        }
    }

    /// Takes what came of the authentication.
    fn authenticated(&mut self, now: SimTime, network: usize, polled: &Polled, out: &mut Out) {
        let Parts { hardware_id, masters, store, .. } = &mut self.parts;
        let Some(master) = masters.get(network) else { return };
        let id = |place: usize| master.nodes.get(place).map(|node| &node.id);
        match polled {
            Polled::Accepted { place, counter } => {
                if let Some(id) = id(*place) {
                    authentication::keep(store, id, *counter, out);
                }
            }
            Polled::Reserved(first_free) => {
                authentication::keep(store, hardware_id, *first_free, out);
            }
            Polled::Refused { place, refused } => {
                authentication::refused(network, place.and_then(id), refused, out);
            }
            Polled::Alarm { place, refused } => {
                let about = (network, place.and_then(id));
                authentication::alarm(store, (hardware_id, now), about, refused, out);
            }
            _ => {}
        }
    }

    fn silent(
        &mut self,
        now: SimTime,
        (network, place): (usize, usize),
        what: &str,
        out: &mut Out,
    ) {
        let Parts { hardware_id, masters, store, unreachable_after, .. } = &mut self.parts;
        let node = masters.get_mut(network).and_then(|master| master.nodes.get_mut(place));
        let Some(node) = node else { return };
        node.failures = node.failures.saturating_add(1);
        if node.failures >= *unreachable_after {
            let about = (&node.id, node.id.as_str(), network);
            let polls = (node.failures, what);
            reachability::unreachable(store, (hardware_id, now), about, polls, out);
        }
    }

    /// Makes the message of a reading.
    fn report(
        &mut self,
        (now, due, closed_at): (SimTime, SimTime, SimTime),
        (network, place): (usize, usize),
        (number, values, profile): (u32, &[(Quantity, f64)], Option<ProfileInterval>),
        out: &mut Out,
    ) {
        let Parts { hardware_id, masters, store, identifiers, .. } = &mut self.parts;
        let Some(master) = masters.get_mut(network) else { return };
        let has_short_numbers = master.has_short_numbers();
        let Some(node) = master.nodes.get_mut(place) else { return };
        node.failures = 0;
        let id = node.id.clone();
        reachability::answered(store, (hardware_id, now), (&id, network), out);
        // A number that comes twice is one reading; one behind the last is another beginning.
        let before = store.meter(&id);
        let serial = if has_short_numbers {
            whole_number(before.serial, u64::from(number), 1 << 24)
        } else {
            u64::from(number)
        };
        if serial == before.serial {
            let detail = format!("{id}: reading {number} again");
            return event_about(out, Some(id), Kind::AnswerRepeated, detail);
        }
        if serial < before.serial {
            let detail = format!("{id}: reading {number} behind {}", before.serial);
            event_about(out, Some(id.clone()), Kind::DeviceRestarted, detail);
        }
        let read = values;
        let in_message_units = |&(quantity, value): &(Quantity, f64)| {
            let id = *identifiers.get(&quantity)?;
            Some((id, value / id.row().si_factor))
        };
        let last = profile::last_known(before.profile, profile, has_short_numbers);
        let profile = profile.and_then(|of| profile::unreported(last, of, has_short_numbers));
        let reported = profile.map_or(last, |(number, _)| number);
        let values = values.iter().chain(profile.iter().flat_map(|(_, values)| values));
        let values: Vec<_> = values.filter_map(in_message_units).collect();
        if values.is_empty() {
            let detail = format!("{id}: no value that has an identifier");
            return event_about(out, Some(id), Kind::AnswerRefused, detail);
        }
        let state = MeterState { serial, profile: reported, ..before };
        let message = message::reading(&id, closed_at, store.number(serial), values);
        store.put(&id, Some((id.clone(), state)), message::encoded(&message), out);
        self.household(now, out, |household, effects| {
            let at = household::counts_at(due, closed_at);
            household.reading(at, id.as_str(), read, effects);
        });
    }
}

/// The number nearest to the last one that ends in these bits, of which so many values are, from 1
/// on.
pub(super) const fn whole_number(last: u64, low: u64, span: u64) -> u64 {
    let same = last / span * span + low;
    if same + span / 2 < last {
        same + span
    } else if same > last + span / 2 && same >= span {
        same - span
    } else {
        same
    }
}

impl Gateway for Aggregator {
    fn step(&mut self, now: SimTime, input: GatewayInput, out: &mut Vec<GatewayOutput>) {
        for detail in std::mem::take(&mut self.parts.refused_records) {
            event(out, Kind::RecordRefused, detail);
        }
        self.take(now, input, out);
        if now < self.parts.start {
            return;
        }
        self.has_begun = true;
        if self.parts.household.is_some() {
            self.household(now, out, |household, effects| household.work(now, effects));
        }
        for network in 0..self.parts.masters.len() {
            let mut polled = Vec::new();
            if let Some(master) = self.parts.masters.get_mut(network) {
                master.work(now, &mut polled);
            }
            for polled in polled {
                self.polled(now, network, polled, out);
            }
        }
        if self.parts.household.as_ref().is_some_and(Household::has_loads) {
            self.settling.look(now, &self.parts.masters);
        }
        // A bus rests between any two frames: whatever is acknowledged is given up some at a time.
        self.parts.store.settle(false, out);
    }

    fn wake_at(&self) -> Option<SimTime> {
        if !self.has_begun {
            return Some(self.parts.start);
        }
        let household = self.parts.household.as_ref().and_then(Household::wake_at);
        let own = household.into_iter().chain(self.settling.wake_at());
        self.parts.masters.iter().map(Master::wake_at).chain(own).min()
    }

    fn settles_at(&self) -> Option<SimTime> {
        self.settling.at()
    }

    fn unacknowledged(&self) -> usize {
        self.parts.store.unacknowledged()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_24_bits_are_completed_to_the_nearest() {
        for (last, whole) in [
            (0, 1),
            (0xFF_FFFF, 0x100_0000),
            (0x100_0000, 0xFF_FFFF),
            (0x300_0005, 0x300_0006),
            (0x37F_FFFF, 0x3FF_FFFE),
            (0x380_0001, 0x400_0000),
            (70, 1),
        ] {
            assert_eq!(whole_number(last, whole & 0xFF_FFFF, 1 << 24), whole, "{last:x}");
        }
    }
}
