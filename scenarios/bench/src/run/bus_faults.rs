//! What happens to CAN buses from outside, as the scenario has it, and what is recorded of it:
//! error counters, and what came of attacks.

use std::collections::BTreeMap;

use lastmeter_can::bus::{ErrorCounters, ErrorState};
use lastmeter_language::{Order, Scenario};
use lastmeter_link::medium::{AttackReport, Can, CanDisturbance, Party, WireEvent};
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::{SimDuration, SimTime};

use super::field::FieldDevice;

/// How often the counters of a node are recorded at most, as long as its state stays.
const EVERY: SimDuration = SimDuration::from_seconds(1);
/// Counters are recorded when they have come into another one of such steps: 96 is the warning
/// limit, 128 that of an error-passive node, 256 that of one that is bus-off.
const STEP: u16 = 32;

/// What was recorded of a node last.
#[derive(Clone, Copy, Debug, Default)]
struct Noted {
    at: Option<SimTime>,
    steps: (u16, u16),
    state: ErrorState,
}

/// The error counters of one bus, as they are recorded.
#[derive(Debug)]
pub(crate) struct BusCounters {
    /// The network's name.
    name: String,
    /// The gateway's name, and those of the devices by their place.
    master: String,
    devices: Vec<String>,
    noted: BTreeMap<Party, Noted>,
}

impl BusCounters {
    pub(crate) fn new(name: &str, master: &str, devices: Vec<String>) -> Self {
        let (name, master) = (name.to_owned(), master.to_owned());
        Self { name, master, devices, noted: BTreeMap::new() }
    }

    fn event(&self, at: SimTime, kind: EventKind, party: Option<Party>) -> Event {
        let device = match party {
            Some(Party::Master) => Some(self.master.as_str()),
            Some(Party::Slave(place)) => self.devices.get(place).map(String::as_str),
            None => None,
        };
        Event::new(at, format!("network:{}", self.name), kind).with(field::DEVICE, device)
    }

    /// What is to be recorded of a party after something has happened at its end.
    pub(crate) fn on_wire(&mut self, event: &WireEvent) -> Option<Event> {
        let WireEvent { party, at, counters, .. } = *event;
        if matches!(party, Party::Slave(place) if place >= self.devices.len()) {
            return None;
        }
        let now = Noted { at: Some(at), steps: steps(counters), state: counters.state() };
        let last = self.noted.get(&party).copied().unwrap_or_default();
        let is_due = last.at.is_none_or(|last| at >= last + EVERY) && now.steps != last.steps;
        if now.state == last.state && !is_due {
            return None;
        }
        self.noted.insert(party, now);
        let event = self.event(at, EventKind::ErrorCounters, Some(party));
        let event = event.with(field::STATE, counters.state().word());
        let event = event.with(field::TRANSMIT, counters.transmit());
        Some(event.with(field::RECEIVE, counters.receive()))
    }

    /// What came of an attack.
    pub(crate) fn attacked(&self, report: &AttackReport) -> Event {
        let event = self.event(report.at, EventKind::Attacked, report.party);
        let event = event.with(field::ATTACK, report.attack.word());
        event.with(field::SENT, report.sent).with(field::DESTROYED, report.destroyed)
    }
}

fn steps(counters: ErrorCounters) -> (u16, u16) {
    (counters.transmit() / STEP, counters.receive() / STEP)
}

/// Lets a bus know what will happen to it; `on_bus` are the devices by their place.
pub(crate) fn disturb<'a>(
    can: &mut Can,
    scenario: &Scenario,
    network: usize,
    on_bus: impl Iterator<Item = &'a FieldDevice>,
) {
    let name = &scenario.networks[network].name;
    let end = scenario.schedule.start + scenario.schedule.duration;
    let slaves: BTreeMap<usize, (Party, u8)> = on_bus
        .enumerate()
        .map(|(place, it)| (it.index, (Party::Slave(place), it.node_number().unwrap_or(0))))
        .collect();
    for (index, injection) in scenario.injections.iter().enumerate() {
        let rng = scenario.streams().stream(&format!("network/{name}/inject/{index}"));
        for order in injection.begin() {
            let Order::Can { network: of, device, fault, until } = order else { continue };
            if of != network {
                continue;
            }
            // It is on this network: the language has seen to it.
            let slave = device.and_then(|device| slaves.get(&device));
            let (party, number) = (slave.map(|it| it.0), slave.map_or(0, |it| it.1));
            let (from, until) = (injection.instant, until.min(end));
            can.disturb(&CanDisturbance { fault, party, number, from, until }, &rng);
        }
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_can::bus::Happening;

    use super::*;

    /// Counters after so many errors of what a node sends, by the rules of the bus.
    fn after(errors: u32) -> ErrorCounters {
        use lastmeter_can::bus::{Bus, Change, Detail};
        use lastmeter_can::frame::{CanFrame, CanId};
        let bit = SimDuration(8_000);
        let mut bus = Bus::new(Detail::Bits, bit, SimTime(0), 2);
        bus.schedule(SimTime(0), Change::Supply(1, false));
        let frame = CanFrame::data(CanId::standard(0x123).unwrap(), &[1]).unwrap();
        bus.offer(0, SimTime(0), Some(frame));
        let mut seen = 0;
        while seen < errors {
            let event = bus.pop(SimTime(1_000_000_000)).unwrap();
            seen += u32::from(matches!(event.what, Happening::Error { .. }));
        }
        bus.counters(0)
    }

    #[test]
    fn counters_are_recorded_when_their_step_changes_and_states_always() {
        let mut counters = BusCounters::new("bus", "aggregator", vec!["m-1".to_owned()]);
        let mut note = |ms: i64, errors: u32| {
            let at = SimTime(ms * 1_000_000);
            let (party, what) = (Party::Slave(0), Happening::Overload);
            let event = WireEvent { party, at, what, counters: after(errors) };
            counters.on_wire(&event).map(|event| {
                let number = |name| event.get(name).and_then(serde_json::Value::as_u64).unwrap();
                let state = event.text(field::STATE).unwrap().to_owned();
                (event.text(field::DEVICE).unwrap().to_owned(), state, number(field::TRANSMIT))
            })
        };
        let is = |state: &str, count| Some(("m-1".to_owned(), state.to_owned(), count));
        assert_eq!(note(0, 1), None, "8 is in the first step");
        assert_eq!(note(1, 4), is("error-active", 32));
        assert_eq!(note(2, 8), None, "within a second");
        assert_eq!(note(1_001, 8), is("error-active", 64));
        // Bosch CAN 2.0, part B, 8: from 128 on it is error-passive.
        assert_eq!(note(1_002, 16), is("error-passive", 128));
        assert_eq!(note(1_003, 16), None);
    }

    #[test]
    fn what_came_of_an_attack_is_recorded_with_whom_it_was_against() {
        let counters = BusCounters::new("bus", "aggregator", vec!["m-1".to_owned()]);
        let report = AttackReport {
            at: SimTime(5),
            attack: lastmeter_link::medium::Attack::Suppress,
            party: Some(Party::Slave(0)),
            sent: 3,
            destroyed: 1,
        };
        let line = serde_json::to_string(&counters.attacked(&report)).unwrap();
        let facts = r#""device":"m-1","attack":"suppress","sent":3,"destroyed":1}"#;
        assert!(line.ends_with(facts), "{line}");
    }
}
