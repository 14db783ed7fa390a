//! Restarts at any point: what was durable arrives, and nothing arrives as two readings.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, Request, decode};
use proptest::prelude::*;

use super::bench::{Bench, water_meters};
use crate::gateway::GatewayInput;
use crate::gateway::record::Record;

/// What happens between two steps of the concentrator.
#[derive(Clone, Copy, Debug)]
enum FaultAction {
    Nothing,
    /// What is written becomes durable.
    Sync,
    /// The platform takes over what is under way.
    Deliver,
    /// It takes over one message, and the acknowledgement is lost with the link.
    DeliverThenLose,
    Connect,
    /// The concentrator is killed; what is written and not durable is lost.
    Kill,
}

fn action() -> impl Strategy<Value = FaultAction> {
    prop_oneof![
        60 => Just(FaultAction::Nothing),
        6 => Just(FaultAction::Sync),
        6 => Just(FaultAction::Deliver),
        1 => Just(FaultAction::DeliverThenLose),
        2 => Just(FaultAction::Connect),
        1 => Just(FaultAction::Kill),
    ]
}

fn happen(bench: &mut Bench, action: FaultAction) {
    match action {
        FaultAction::Nothing => {}
        FaultAction::Sync => bench.sync(),
        FaultAction::Deliver => bench.deliver(),
        FaultAction::DeliverThenLose => {
            if let Some((_, owner, payload)) = bench.in_flight.pop_front() {
                bench.receive(owner, &payload);
            }
            bench.disconnect();
        }
        FaultAction::Connect => {
            bench.disconnect();
            bench.step(GatewayInput::Connected);
        }
        FaultAction::Kill => bench.kill(),
    }
}

type Number = (HardwareId, u64);

fn reading(request: &Request) -> Option<(Number, SimTime)> {
    let Request::Measurements(message) = request else { return None };
    Some(((message.hardware_id.clone(), message.serial?.0), message.event_date?))
}

/// Readings that are durable.
fn durable(bench: &Bench, seen: &mut BTreeSet<Number>) {
    for (_, record) in &bench.disk {
        if let Ok(Record::Message { payload, .. }) = Record::decode(record) {
            let request = decode(&payload, &DecodeRules::default()).unwrap();
            seen.extend(reading(&request).map(|(number, _)| number));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_was_durable_arrives_as_one_reading_whenever_it_is_killed(
        actions in prop::collection::vec(action(), 1500..3000),
    ) {
        let settings = "search = \"never\"\npoll_every = \"3 s\"";
        let mut bench = Bench::new(settings, water_meters(2, 5));
        bench.is_prompt = false;
        let mut kept = BTreeSet::new();
        for action in actions {
            happen(&mut bench, action);
            durable(&bench, &mut kept);
            bench.move_on();
        }
        bench.step(GatewayInput::Connected);
        for _ in 0..5 {
            bench.sync();
            durable(&bench, &mut kept);
            bench.deliver();
        }
        prop_assert_eq!(bench.unacknowledged(), 0);
        let mut arrived: BTreeMap<Number, SimTime> = BTreeMap::new();
        for (number, date) in bench.received.iter().filter_map(|(_, request)| reading(request)) {
            let before = arrived.insert(number.clone(), date);
            prop_assert!(before.is_none_or(|before| before == date), "two readings {number:?}");
        }
        prop_assert!(kept.len() > 5 && kept.iter().all(|number| arrived.contains_key(number)));
        let dates: BTreeSet<SimTime> = arrived.values().copied().collect();
        prop_assert_eq!(dates.len(), arrived.len(), "one reading under two numbers");
        prop_assert_eq!(kept.len(), arrived.len(), "sent before it was durable");
        // In the order of their numbers, readings of one meter are in the order of time.
        let ordered = arrived.iter().zip(arrived.iter().skip(1)).all(|(one, next)| {
            one.0.0 != next.0.0 || one.1 < next.1
        });
        prop_assert!(ordered, "a count that began again");
    }
}
