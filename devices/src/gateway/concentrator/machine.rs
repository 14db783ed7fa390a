//! The concentrator as a state machine: lines, outbox, answers to commands.

use lastmeter_mbus::header::Identity;
use lastmeter_mbus::master::{Outcome, Target};
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::super::record::MeterState;
use super::super::store::Store;
use super::address;
use super::line::{Line, Meter, Next, Work};
use super::reading::{Planted, Reading, read, status_text};
use crate::answer::CommandDesk;
use crate::gateway::reachability;
use crate::gateway::refusal::refuse_command;
use crate::gateway::{
    Gateway, GatewayEventKind as Kind, GatewayInput, GatewayOutput, Out, event, event_about,
};
use crate::message::{self, Alert};

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) hardware_id: HardwareId,
    pub(super) start: SimTime,
    pub(super) lines: Vec<Line>,
    pub(super) store: Store,
    /// What was kept and cannot be read.
    pub(super) refused_records: Vec<String>,
    /// Polls without an answer before a meter is reported.
    pub(super) unreachable_after: i64,
    pub(super) planted: Planted,
}

#[derive(Debug)]
pub(super) struct Concentrator {
    parts: Parts,
    has_begun: bool,
    desk: CommandDesk,
}

impl Concentrator {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, has_begun: false, desk: CommandDesk::default() }
    }

    fn take(&mut self, now: SimTime, input: GatewayInput, out: &mut Out) {
        let store = &mut self.parts.store;
        match input {
            // Its devices are on its networks, and it names no channel beside its commands.
            GatewayInput::Wake
            | GatewayInput::LineDown { .. }
            | GatewayInput::Wire { .. }
            | GatewayInput::Live { .. }
            | GatewayInput::Flow { .. }
            | GatewayInput::Frame { .. }
            | GatewayInput::Answer(_)
            | GatewayInput::Page { .. } => {}
            GatewayInput::Bytes { network, bytes, .. } => {
                if let Some(line) = self.parts.lines.get_mut(network) {
                    return line.bytes(now, &bytes);
                }
                let count = self.parts.lines.len();
                let detail = format!("bytes of network {network}, expected one below {count}");
                event(out, Kind::InputRefused, detail);
            }
            GatewayInput::LineUp { network } => {
                if let Some(line) = self.parts.lines.get_mut(network) {
                    line.up();
                }
            }
            GatewayInput::Command { owner, payload } => {
                refuse_command((&mut self.desk, store), (&owner, now), &payload, out);
            }
            GatewayInput::Connected => store.connected(out),
            GatewayInput::Disconnected => store.disconnected(),
            GatewayInput::Acknowledged { message } => store.acknowledged(message),
            GatewayInput::Kept { number } => store.kept(number, out),
        }
    }

    /// Moves a line as far as it goes now.
    fn move_line(&mut self, now: SimTime, network: usize, out: &mut Out) {
        while let Some(line) = self.parts.lines.get_mut(network) {
            match line.next(now) {
                Next::Wait => return,
                Next::Send(bytes) => {
                    let bits_per_second = line.baud.bits_per_second();
                    let lane = None;
                    out.push(GatewayOutput::Bytes { network, lane, bits_per_second, bytes });
                }
                Next::Late(due) => {
                    let detail = format!(
                        "network {network}: the poll due at {due} begins after the work before it"
                    );
                    event(out, Kind::PollLate, detail);
                }
                Next::Concluded(Work::Search, outcome) => self.searched(network, outcome, out),
                Next::Concluded(Work::Read(place), outcome) => {
                    self.polled(now, (network, place), outcome, out);
                }
                Next::Concluded(Work::Missing(place), _) => {
                    if line.meters.get(place).is_some_and(|meter| meter.target.is_none()) {
                        self.failed(now, (network, place), "no primary address found", out);
                    }
                }
            }
        }
    }

    fn searched(&mut self, network: usize, outcome: Option<Outcome>, out: &mut Out) {
        let Some(line) = self.parts.lines.get_mut(network) else { return };
        match outcome {
            Some(Outcome::Searched { found, unresolved }) => {
                line.found_nobody = found.is_empty() && unresolved.is_empty();
                for identity in &found {
                    add_found(line, *identity, out);
                }
                let known = |meter: &&Meter| meter.hardware_id.is_some();
                for meter in line.meters.iter().filter(known) {
                    let Some(own) = meter.identity else { continue };
                    let name = meter.name();
                    // Meters with one secondary address collide under every mask: they are there,
                    // and cannot be read.
                    if unresolved.iter().any(|mask| mask.selects(&own)) {
                        let own = address::text(own);
                        let detail = format!("{name}: several meters answer to {own}");
                        event(out, Kind::AnswerRefused, detail);
                    } else if !found.iter().any(|one| is_same(*one, own)) {
                        let detail = format!("{name}: {} is not found", address::text(own));
                        event(out, Kind::DeviceNotFound, detail);
                    }
                }
                let all = |mask: &&Identity| {
                    !line
                        .meters
                        .iter()
                        .any(|one| one.identity.is_some_and(|own| mask.selects(&own)))
                };
                for mask in unresolved.iter().filter(all) {
                    let detail =
                        format!("several meters answer to {}, none alone", address::text(*mask));
                    event(out, Kind::AnswerRefused, detail);
                }
            }
            Some(Outcome::Scanned { found, garbled }) => {
                line.found_nobody = found.is_empty() && garbled.is_empty();
                for target in found.into_iter().map(Target::Primary) {
                    if line.meters.iter().all(|meter| meter.target != Some(target)) {
                        let (hardware_id, identity) = (None, None);
                        let target = Some(target);
                        line.meters.push(Meter { hardware_id, identity, target, failures: 0 });
                    }
                }
                for address in garbled {
                    let detail = format!("primary address {address}: several meters answer");
                    event(out, Kind::AnswerRefused, detail);
                }
            }
            _ => {}
        }
    }

    fn polled(
        &mut self,
        now: SimTime,
        (network, place): (usize, usize),
        outcome: Option<Outcome>,
        out: &mut Out,
    ) {
        let line = self.parts.lines.get(network);
        let Some(meter) = line.and_then(|line| line.meters.get(place)) else { return };
        let (name, about) = (meter.name(), meter.hardware_id.clone());
        let silent = match outcome {
            Some(Outcome::Telegrams { telegrams, complete: true }) => {
                let at = line.and_then(Line::answered_at).unwrap_or(now);
                let read = read(&telegrams, meter.identity.as_ref(), self.parts.planted);
                return match read.and_then(|reading| {
                    self.attribute((network, place), &reading, out).map(|id| (id, reading))
                }) {
                    Ok((id, reading)) => {
                        self.answered(now, (network, &id), out);
                        self.report((now, at), &id, reading, out);
                    }
                    Err(why) => {
                        event_about(out, about, Kind::AnswerRefused, format!("{name}: {why}"));
                    }
                };
            }
            Some(Outcome::Telegrams { telegrams, .. }) => {
                let count = telegrams.len();
                let detail = format!("{name}: more than {count} telegrams, expected an end");
                return event_about(out, about, Kind::AnswerRefused, detail);
            }
            Some(Outcome::Refused(error)) => {
                return event_about(out, about, Kind::AnswerRefused, format!("{name}: {error}"));
            }
            Some(Outcome::Garbled(garble)) => {
                let detail = format!(
                    "{name}: {garble}; several meters with one address, or a disturbed line"
                );
                event_about(out, about, Kind::AnswerRefused, detail);
                "garbled answers"
            }
            _ => "no answer",
        };
        self.failed(now, (network, place), silent, out);
    }

    /// Whose reading it is.
    fn attribute(
        &mut self,
        (network, place): (usize, usize),
        reading: &Reading,
        out: &mut Out,
    ) -> Result<HardwareId, String> {
        let missing = || "the meter is no longer in the list".to_owned();
        let line = self.parts.lines.get_mut(network).ok_or_else(missing)?;
        let meter = line.meters.get_mut(place).ok_or_else(missing)?;
        if let (Some(own), Some(found)) = (meter.identity, reading.identity)
            && !is_same(found, own)
        {
            let (found, own) = (address::text(found), address::text(own));
            return Err(format!("{found} answers, expected {own}"));
        }
        meter.failures = 0;
        if let Some(id) = &meter.hardware_id {
            return Ok(id.clone());
        }
        // A primary address that a scan found: whose it is, its first answer shows.
        let found = reading.identity.ok_or("an answer without a secondary address")?;
        let target = meter.target;
        let owner = line.meters.iter().position(|other| {
            other.target.is_none() && other.identity.is_some_and(|own| is_same(found, own))
        });
        if let Some(owner) = owner {
            if let Some(configured) = line.meters.get_mut(owner) {
                configured.target = target;
                configured.failures = 0;
            }
            let id = line.meters.get(owner).and_then(|owner| owner.hardware_id.clone());
            line.remove(place);
            return id.ok_or_else(missing);
        }
        let id = address::found_id(found).ok_or_else(missing)?;
        if line.meters.iter().any(|other| other.hardware_id.as_ref() == Some(&id)) {
            return Err(format!("{id} answers to another primary address too"));
        }
        if let Some(meter) = line.meters.get_mut(place) {
            event(out, Kind::DeviceFound, format!("{id} at {}", meter.name()));
            (meter.hardware_id, meter.identity) = (Some(id.clone()), Some(found));
        }
        Ok(id)
    }

    /// A meter has answered; one that was reported as unreachable is reported again.
    fn answered(&mut self, now: SimTime, (network, id): (usize, &HardwareId), out: &mut Out) {
        let Parts { hardware_id, store, .. } = &mut self.parts;
        reachability::answered(store, (hardware_id, now), (id, network), out);
    }

    /// A meter has not answered a poll.
    fn failed(&mut self, now: SimTime, (network, place): (usize, usize), why: &str, out: &mut Out) {
        let line = self.parts.lines.get_mut(network);
        let Some(meter) = line.and_then(|line| line.meters.get_mut(place)) else { return };
        meter.failures = meter.failures.saturating_add(1);
        let (name, failures) = (meter.name(), meter.failures);
        let Some(id) = meter.hardware_id.clone() else { return };
        if failures < self.parts.unreachable_after {
            return;
        }
        let (about, polls) = ((&id, name.as_str(), network), (failures, why));
        let Parts { hardware_id, store, .. } = &mut self.parts;
        reachability::unreachable(store, (hardware_id, now), about, polls, out);
    }

    /// Makes the message of a reading, and the alert of a status that is new.
    /// The answer was complete at `at`.
    fn report(
        &mut self,
        (now, at): (SimTime, SimTime),
        id: &HardwareId,
        reading: Reading,
        out: &mut Out,
    ) {
        let before = self.parts.store.meter(id);
        let Some(serial) = carried_on(before, &reading) else {
            let detail = format!("{id}: the answer of serial {} again", before.serial);
            return event(out, Kind::AnswerRepeated, detail);
        };
        for refused in &reading.refused {
            event_about(out, Some(id.clone()), Kind::ValueRefused, format!("{id}: {refused}"));
        }
        let state = MeterState {
            serial,
            access_number: reading.access_number.unwrap_or(before.access_number),
            fingerprint: reading.fingerprint,
            status: reading.status,
            unreachable: false,
            ..before
        };
        if reading.values.is_empty() {
            let why = "no value that has an identifier";
            event_about(out, Some(id.clone()), Kind::AnswerRefused, format!("{id}: {why}"));
            self.parts.store.remember(id, state);
        } else {
            let message = message::reading(id, at, self.parts.store.number(serial), reading.values);
            let payload = message::encoded(&message);
            self.parts.store.put(id, Some((id.clone(), state)), payload, out);
        }
        if reading.status != 0 && reading.status != before.status {
            let text = status_text(reading.status);
            event(out, Kind::DeviceStatus, format!("{id}: {text}"));
            let facts =
                vec![(fact::KIND, "status".to_owned()), (fact::STATUS, reading.status.to_string())];
            let alert = Alert { kind: "mbus.status", level: AlertLevel::Warning, text, facts };
            self.parts.store.put_alert((id, now), alert, (id.clone(), state), out);
        }
    }
}

/// A meter that a search found: is it one of those configured?
fn add_found(line: &mut Line, found: Identity, out: &mut Out) {
    let own = |meter: &Meter| meter.identity.is_some_and(|own| is_same(found, own));
    if line.meters.iter().any(own) {
        return;
    }
    let hardware_id = address::found_id(found);
    if let Some(id) = &hardware_id {
        event(out, Kind::DeviceFound, format!("{id}: not configured, is polled too"));
    }
    let target = Some(Target::Secondary(found));
    line.meters.push(Meter { hardware_id, identity: Some(found), target, failures: 0 });
}

/// Whether what answered is a known meter; of a fixed data structure only the identification is
/// known, and wildcards stand for the rest.
fn is_same(found: Identity, known: Identity) -> bool {
    found.selects(&known) || known.selects(&found)
}

/// The serial of a reading: the meter's access number carried on beyond 255, or a count where it
/// has none. Nothing for the same answer again. Serials begin at 1, so an access number of 0 at
/// first makes 256.
fn carried_on(before: MeterState, reading: &Reading) -> Option<u64> {
    let Some(access_number) = reading.access_number else {
        return Some(before.serial.saturating_add(1));
    };
    if before.serial == 0 {
        return Some(if access_number == 0 { 256 } else { u64::from(access_number) });
    }
    match access_number.wrapping_sub(before.access_number) {
        0 if reading.fingerprint == before.fingerprint => None,
        0 => Some(before.serial.saturating_add(256)),
        ahead => Some(before.serial.saturating_add(u64::from(ahead))),
    }
}

impl Gateway for Concentrator {
    fn step(&mut self, now: SimTime, input: GatewayInput, out: &mut Vec<GatewayOutput>) {
        for detail in std::mem::take(&mut self.parts.refused_records) {
            event(out, Kind::RecordRefused, detail);
        }
        self.take(now, input, out);
        if now < self.parts.start {
            return;
        }
        if !self.has_begun {
            self.has_begun = true;
            self.parts.lines.iter_mut().for_each(|line| line.begin(now));
        }
        for network in 0..self.parts.lines.len() {
            self.move_line(now, network, out);
        }
        let is_pause = !self.parts.lines.iter().any(Line::is_busy);
        self.parts.store.settle(is_pause, out);
    }

    fn wake_at(&self) -> Option<SimTime> {
        if !self.has_begun {
            return Some(self.parts.start);
        }
        self.parts.lines.iter().map(Line::wake_at).min()
    }

    fn unacknowledged(&self) -> usize {
        self.parts.store.unacknowledged()
    }
}
