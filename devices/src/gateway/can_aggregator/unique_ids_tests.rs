//! Nodes with one number on a bus to the bit, and who hears them.

use lastmeter_can::bus::{Bus, Change, Detail, Happening};
use lastmeter_can::controller::{OverrunPolicy, TransmitOrder};
use lastmeter_can::frame::CanFrame;
use lastmeter_sim::{ReferenceSpan, Streams};
use lastmeter_units::{HardwareId, MeasurementId, Phase, Quantity};
use proptest::prelude::*;

use super::*;
use crate::border::{DeviceFault, Input, Output};
use crate::can::port::PortSettings;
use crate::can::seal::{Authentication, End, GuardParts, device_key, shared_key};
use crate::outlet::Outlet as _;
use crate::outlet::can::{CanOutlet, CanParts, MemoryParts, SoftwareParts};

const START: SimTime = SimTime(1_700_000_000_000_000_000);
const NODE: u8 = 9;

fn ms(milliseconds: i64) -> SimDuration {
    SimDuration::from_milliseconds(milliseconds)
}

fn unique(id: u128) -> UniqueId {
    UniqueId::from_hex(&format!("{id:024x}")).unwrap()
}

fn parts(unique_id: Option<UniqueId>, order: TransmitOrder) -> CanParts {
    let latency = SimDuration::ZERO;
    CanParts {
        start: START,
        node: NODE,
        unique_id,
        is_known_by_id: true,
        port: PortSettings {
            order,
            overrun: OverrunPolicy::DiscardNewest,
            interrupt_latency: latency,
        },
        software: SoftwareParts::serving_the_bus(latency, ms(1)),
        memory: MemoryParts { byte_time: ms(5), endurance: 100_000 },
        is_closed: None,
        obeys_orders: true,
        measure_every: ms(1000),
        profile: (ms(900_000), ms(0)),
        guard: GuardParts {
            authentication: Authentication::None,
            end: End::Slave(NODE, device_key(Streams::new(1), "m", NODE)),
            shared: shared_key(Streams::new(1)),
            pair_limit: ms(100),
        },
    }
}

/// A listener with a bus of nodes of one number.
struct Line {
    bus: Bus,
    outlets: Vec<CanOutlet>,
    ids: UniqueIds,
    now: SimTime,
    pairs: Vec<[UniqueId; 2]>,
    /// What was sent, and by which node.
    sent: Vec<(usize, CanFrame)>,
    errors: u32,
    /// Until when the listener keeps the bus busy.
    busy_until: SimTime,
}

impl Line {
    fn new(ids: &[Option<UniqueId>], order: TransmitOrder) -> Self {
        let bus = Bus::new(Detail::Frames, SimDuration(8_000), START, ids.len() + 1);
        Self {
            bus,
            outlets: ids.iter().map(|id| CanOutlet::new(parts(*id, order))).collect(),
            ids: UniqueIds::default(),
            now: START,
            pairs: Vec::new(),
            sent: Vec::new(),
            errors: 0,
            busy_until: START,
        }
    }

    fn take(&mut self, place: usize, input: Input) {
        let mut out = Vec::new();
        self.outlets[place].take(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Offer { frame } => self.bus.offer(place + 1, self.now, frame),
                Output::Supply { is_on } => {
                    self.bus.schedule(self.now, Change::Supply(place + 1, is_on));
                }
                _ => {}
            }
        }
    }

    fn occupy(&mut self) {
        let frame = (self.now < self.busy_until).then(|| "001#00".parse().unwrap());
        self.bus.offer(0, self.now, frame);
    }

    fn happened(&mut self, node: usize, what: Happening) {
        match what {
            Happening::Sent(frame) => self.sent.push((node, frame)),
            Happening::Error { is_sender: true, .. } => self.errors += 1,
            _ => {}
        }
        if let Some(place) = node.checked_sub(1) {
            return self.take(place, Input::Wire { what });
        }
        match what {
            Happening::Sent(_) => self.occupy(),
            Happening::Received(frame) => {
                let identifier = u16::try_from(frame.id().value()).unwrap();
                let (register, number) = Register::of_identifier(identifier).unwrap();
                if let Some(id) = self.ids.join(number, register, frame.bytes()) {
                    self.pairs.extend(self.ids.announced(self.now, number, id));
                }
            }
            _ => {}
        }
    }

    fn run(&mut self, span: SimDuration) {
        let until = self.now + span;
        loop {
            let wakes = self.outlets.iter().filter_map(|it| it.wake_at(SimTime(i64::MAX)));
            let next = wakes.chain(self.bus.next()).min().unwrap_or(until);
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            if let Some(event) = self.bus.pop(self.now) {
                self.happened(event.node, event.what);
                continue;
            }
            for place in 0..self.outlets.len() {
                let wakes = self.outlets[place].wake_at(SimTime(i64::MAX));
                if wakes.is_some_and(|at| at <= self.now) {
                    self.take(place, Input::Passed);
                }
            }
        }
    }

    fn measure(&mut self) {
        let to = self.now - START;
        let span = ReferenceSpan { from: to, to, registers_from: SimDuration::ZERO };
        for (place, outlet) in self.outlets.iter_mut().enumerate() {
            let id = MeasurementId::of(Quantity::VoltageRms, Phase::L1).unwrap();
            outlet.reading(to, span, vec![(id, 230.0 + place as f64)], &mut Vec::new());
        }
    }

    /// Who answers, and with what.
    fn ask(&mut self, text: &str) -> Vec<(usize, CanFrame)> {
        self.sent.clear();
        self.bus.offer(0, self.now, Some(text.parse().unwrap()));
        self.run(ms(200));
        self.sent.iter().filter(|(node, _)| *node != 0).copied().collect()
    }
}

proptest! {
    /// Whoever begins when, and however alike the ids are: both are heard and named once, nobody
    /// but the lower one answers, and no two answers meet. The lower one is the oracle's.
    #[test]
    fn of_two_nodes_with_one_number_both_are_named_and_the_lower_id_answers(
        first in 0..1_u128 << 96, change in 0..96_u32, more in any::<bool>(),
        late_ms in prop_oneof![Just(0), 1..400_i64, 2_500..4_000_i64],
        is_busy in any::<bool>(), by_identifier in any::<bool>(),
    ) {
        let second = first ^ (1 << change) ^ if more { 0x55 << (change / 2) } else { 0 };
        let second = second & ((1 << 96) - 1);
        let orders = [TransmitOrder::ByRequest, TransmitOrder::ByIdentifier];
        let order = orders[usize::from(by_identifier)];
        let mut line = Line::new(&[first, second].map(|id| Some(unique(id))), order);
        if is_busy {
            line.busy_until = START + ms(70);
            line.occupy();
        }
        if late_ms > 0 {
            let until = START + ms(late_ms);
            line.take(1, Input::Fault(DeviceFault::NodePowerLoss { until }));
        }
        line.run(ms(late_ms + 1_000));
        let pair = [first.min(second), first.max(second)].map(unique);
        prop_assert_eq!(&line.pairs, &[pair]);
        prop_assert_eq!(line.ids.standing(NODE), Some(pair[0]));
        // The first measurement after a loss of supply is not of a whole period.
        line.measure();
        line.measure();
        let errors = line.errors;
        let winner = if first < second { 1 } else { 2 };
        let answers = line.ask("020#07");
        prop_assert_eq!(answers.len(), 1, "{:?}", answers);
        prop_assert_eq!(answers[0].0, winner);
        let data = pair[0].half(Register::UniqueIdLow).unwrap();
        let answers = line.ask("3A9#R8");
        prop_assert_eq!(answers.len(), 1, "{:?}", answers);
        prop_assert_eq!((answers[0].0, answers[0].1.bytes()), (winner, &data[..]));
        prop_assert_eq!(line.errors, errors);
    }
}

/// Without announcements their answers meet, and destroy each other until both nodes are
/// error-passive: 16 errors of 8 for each (ISO 11898-1, 8.3.4). Then the one that notices the 17th
/// cannot destroy the frame any more, and one identifier has two answers.
#[test]
fn two_nodes_that_do_not_announce_themselves_garble_each_other() {
    let mut line = Line::new(&[None, None], TransmitOrder::ByRequest);
    line.measure();
    assert_eq!(line.ask("020#07").len(), 2, "the same answer twice");
    assert_eq!(line.errors, 0);
    let answers = line.ask("409#R8");
    let bytes: Vec<_> = answers.iter().map(|(_, frame)| frame.bytes()).collect();
    assert_eq!(bytes, [230_000_000_u32, 231_000_000].map(u32::to_be_bytes));
    assert_eq!(line.errors, 2 * 16 + 1);
}

#[test]
fn a_node_in_the_place_of_another_one_is_no_duplicate() {
    let (old, new, at) = (unique(3), unique(2), |s: i64| START + SimDuration::from_seconds(s));
    let mut ids = UniqueIds::default();
    assert_eq!(ids.announced(at(0), NODE, old), None);
    assert_eq!(ids.announced(at(9), NODE, new), None);
    assert_eq!(ids.announced(at(9), NODE, new), None);
    assert_eq!(ids.standing(NODE), Some(new));
    assert_eq!(ids.announced(at(10), NODE, old), Some([new, old]));
    assert_eq!(ids.announced(at(10), NODE, new), None, "it was reported");
    assert_eq!(ids.announced(at(99), NODE, old), None);
    assert_eq!(ids.announced(at(99), NODE, new), Some([new, old]), "they meet anew");
    assert_eq!(ids.encoded(), b"9 000000000000000000000002\n");
    let mut kept = UniqueIds::kept(&ids.encoded());
    assert_eq!(kept.standing(NODE), Some(new));
    assert_eq!(
        kept.announced(at(10), NODE, old),
        None,
        "nobody knows when the other one was heard"
    );
    assert_eq!(UniqueIds::kept(b"9 2\nx\n\xFF").standing(NODE), None);
}

#[test]
fn of_two_nodes_with_one_number_the_one_whose_id_stands_is_read() {
    let node = |name: &str, id| {
        let mut node = Node::new(HardwareId::new(name).unwrap(), NODE);
        node.unique_id = id;
        node
    };
    let nodes = [node("a", Some(unique(2))), node("b", Some(unique(1)))];
    let mut ids = UniqueIds::default();
    assert_eq!(ids.place(&nodes, NODE), None, "before anything was announced");
    let asked: Vec<String> = ids.requests(&nodes).iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["3E9#R8", "3A9#R8"]);
    ids.announced(START, NODE, unique(1));
    assert_eq!((ids.place(&nodes, NODE), ids.place(&nodes, 1)), (Some(1), None));
    assert_eq!(ids.requests(&nodes), []);
    ids.announced(START + ms(9_000), NODE, unique(7));
    assert_eq!(ids.place(&nodes, NODE), None, "a stranger");
    assert_eq!(ids.place(&[node("c", None)], NODE), Some(0), "one of which no id is known");
}
