//! The master of a bus beside nodes that answer, are late, double their answers or are silent.

use lastmeter_board::meter_node::Register;
use lastmeter_can::bus::Happening;
use lastmeter_can::controller::TransmitOrder;
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_sim::Streams;
use lastmeter_units::{HardwareId, Quantity, SimDuration, SimTime};
use proptest::prelude::*;

use super::poll::{Master, Node, PollSettings, Polled};
use crate::can::seal::{
    Authentication, End, Guard, GuardParts, KeptCounters, Opened, device_key, shared_key,
};

const START: SimTime = SimTime(1_000_000_000_000);

fn ms(milliseconds: i64) -> SimDuration {
    SimDuration::from_milliseconds(milliseconds)
}

fn settings() -> PollSettings {
    PollSettings {
        start: START,
        poll_every: ms(1_000),
        is_continuous: false,
        freeze: Register::Freeze,
        asks_by_data: false,
        is_sealed: false,
        registers: vec![Register::ActivePower, Register::Consumed],
        overhead: ms(0),
        request: ms(1),
        interrupt_latency: ms(0),
        at_once: 1,
        patience: ms(50),
        repetitions: 2,
        order: TransmitOrder::ByRequest,
    }
}

/// Messages without authentication.
fn guard() -> Guard {
    let parts = GuardParts {
        authentication: Authentication::None,
        end: End::Master(Vec::new()),
        shared: shared_key(Streams::new(1)),
        pair_limit: ms(100),
    };
    Guard::new(parts, &KeptCounters::default())
}

/// A node that answers like a meter: its readings are numbered, its power is 7 W.
#[derive(Clone, Copy, Default)]
struct Slave {
    number: u8,
    readings: u32,
    token: u8,
    /// So many remote frames that it does not answer.
    deaf: u32,
    /// Whether it answers twice.
    doubles: bool,
    /// The number of its last voltage dip.
    dip: u8,
    /// Whether it answers nothing at all.
    is_silent: bool,
}

fn data(register: Register, node: u8, data: [u8; 8]) -> CanFrame {
    let id = CanId::standard(u32::from(register.identifier(node))).unwrap();
    CanFrame::data(id, &data).unwrap()
}

impl Slave {
    fn hear(&mut self, frame: &CanFrame) -> Vec<CanFrame> {
        let (register, node) = Register::of_identifier(frame.id().value() as u16).unwrap();
        if self.is_silent {
            return Vec::new();
        }
        let answer = match register {
            Register::Freeze if node == 0 => {
                self.readings += 1;
                self.token = frame.bytes()[0];
                let [n3, n2, n1, n0] = self.readings.to_be_bytes();
                data(register, self.number, [n3, n2, n1, n0, 0, 0, 1, self.token])
            }
            _ if node == 0 && frame.bytes() == [self.number] => {
                let asked = CanFrame::remote(data(register, self.number, [0; 8]).id(), 8).unwrap();
                return self.hear(&asked);
            }
            _ if node != self.number || !frame.is_remote() => return Vec::new(),
            _ if self.deaf > 0 => {
                self.deaf -= 1;
                return Vec::new();
            }
            Register::Dip => data(register, node, [0, self.dip, 2, 0x74, 0xE8, 0, 0, 200]),
            Register::ActivePower => data(register, node, 7_000_000_i64.to_be_bytes()),
            _ => data(register, node, 3_600_000_u64.to_be_bytes()),
        };
        vec![answer; if self.doubles { 2 } else { 1 }]
    }
}

/// Moves a master and its nodes up to an instant, a frame a millisecond; what came of it.
fn run(master: &mut Master, slaves: &mut [Slave], until: SimTime) -> Vec<(SimTime, Polled)> {
    let (mut now, mut all) = (START, Vec::new());
    let mut pending: Vec<CanFrame> = Vec::new();
    while now <= until {
        let mut out = Vec::new();
        // One frame at a time has the bus: what nodes answer goes before what the master asks.
        if let Some(frame) = pending.first().copied() {
            pending.remove(0);
            master.wire(now, Happening::Received(frame), &mut out);
        }
        master.work(now, &mut out);
        for polled in &out {
            if let Polled::Offer(Some(frame)) = polled {
                master.wire(now, Happening::Begun(*frame), &mut Vec::new());
                master.wire(now, Happening::Sent(*frame), &mut Vec::new());
                pending.extend(slaves.iter_mut().flat_map(|slave| slave.hear(frame)));
            }
        }
        assert!(master.wake_at() > now - ms(1), "it is woken at {}", master.wake_at());
        all.extend(out.into_iter().map(|polled| (now, polled)));
        now += ms(1);
    }
    all
}

fn nodes(count: u8) -> Vec<Node> {
    let node = |number: u8| Node::new(HardwareId::new(format!("m-{number}")).unwrap(), number);
    (1..=count).map(node).collect()
}

fn slaves(count: u8) -> Vec<Slave> {
    (1..=count).map(|number| Slave { number, ..Slave::default() }).collect()
}

fn readings(all: &[(SimTime, Polled)]) -> Vec<(usize, u32)> {
    let reading = |(_, polled): &(SimTime, Polled)| match polled {
        Polled::Reading { place, number, .. } => Some((*place, *number)),
        _ => None,
    };
    all.iter().filter_map(reading).collect()
}

#[test]
fn each_node_is_ordered_once_and_asked_for_its_registers() {
    let (mut master, mut slaves) = (Master::new(settings(), guard(), nodes(2)), slaves(2));
    let all = run(&mut master, &mut slaves, START + ms(2_500));
    assert_eq!(readings(&all), [(0, 1), (1, 1), (0, 2), (1, 2)]);
    let Some((_, Polled::Reading { closed_at, values, .. })) =
        all.iter().find(|(_, polled)| matches!(polled, Polled::Reading { .. }))
    else {
        panic!("{all:?}");
    };
    // Ordered at 1 s, requested a millisecond later.
    assert_eq!(*closed_at, START + ms(1_001));
    let power = |(quantity, _): &&(Quantity, f64)| matches!(quantity, Quantity::ActivePower(_));
    assert_eq!(values.iter().find(power).map(|(_, value)| *value), Some(7.0));
    assert_eq!(values.len(), 3, "power in both directions, energy");
}

#[test]
fn data_frames_to_all_ask_as_remote_frames_do() {
    let by_data = PollSettings { asks_by_data: true, ..settings() };
    let mut both = Vec::new();
    for settings in [settings(), by_data] {
        let (mut master, mut slaves) = (Master::new(settings, guard(), nodes(2)), slaves(2));
        // A request that gets no answer is repeated.
        slaves[1].deaf = 2;
        let all = run(&mut master, &mut slaves, START + ms(2_500));
        let is_offer = |polled: &Polled| matches!(polled, Polled::Offer(_));
        let all = all.into_iter().filter(|(_, polled)| !is_offer(polled));
        both.push(all.collect::<Vec<_>>());
    }
    assert_eq!(readings(&both[1]), [(0, 1), (1, 1), (0, 2), (1, 2)]);
    assert_eq!(both[0], both[1], "instants, stages and values");
}

/// A message of two frames that asks for a register waits for a bus that is taken.
#[test]
fn a_sealed_request_that_took_too_long_is_sent_no_more() {
    let strong = |end| {
        let shared = shared_key(Streams::new(1));
        let authentication = Authentication::Strong;
        let parts = GuardParts { authentication, end, shared, pair_limit: ms(100) };
        Guard::new(parts, &KeptCounters::default())
    };
    let key = || device_key(Streams::new(1), "m-1", 1);
    let mut slave = strong(End::Slave(1, key()));
    slave.kept();
    let guard = strong(End::Master(vec![(1, key())]));
    let settings =
        PollSettings { asks_by_data: true, is_sealed: true, repetitions: 0, ..settings() };
    let mut master = Master::new(settings, guard, nodes(1));
    let (mut is_closed, mut answers, mut offered) = (false, Vec::new(), Vec::new());
    for k in 0..1_900 {
        let (now, mut out) = (START + ms(k), Vec::new());
        if let Some(answer) = answers.pop() {
            master.wire(now, Happening::Received(answer), &mut out);
        }
        master.work(now, &mut out);
        for polled in out {
            let Polled::Offer(frame) = polled else { continue };
            let Some(frame) = frame.filter(|_| !is_closed) else {
                offered.push(frame);
                continue;
            };
            master.wire(now, Happening::Begun(frame), &mut Vec::new());
            master.wire(now, Happening::Sent(frame), &mut Vec::new());
            for opened in slave.open(now, frame) {
                let Opened::Frame(order) = opened else { continue };
                let closed = data(Register::Freeze, 1, [0, 0, 0, 1, 0, 0, 1, order.bytes()[0]]);
                answers = slave.seal(closed).unwrap();
                answers.reverse();
                is_closed = true;
            }
        }
    }
    let asked = CanId::standard(u32::from(Register::ActivePower.identifier(0))).unwrap();
    let ids: Vec<_> = offered.iter().map(|frame| frame.map(|frame| frame.id())).collect();
    assert!(ids.contains(&Some(asked)), "{ids:?}");
    assert_eq!(ids.last(), Some(&None), "{ids:?}");
}

#[test]
fn a_dip_is_named_once_whatever_number_it_has() {
    let settings = PollSettings { registers: vec![Register::Dip], ..settings() };
    let (mut master, mut slaves) = (Master::new(settings, guard(), nodes(1)), slaves(1));
    let mut found = Vec::new();
    // The fourth is that of a node that has started again and counts from 1.
    for (k, dip) in [1, 1, 2, 0, 2].into_iter().enumerate() {
        slaves[0].dip = dip;
        let all = run(&mut master, &mut slaves, START + ms(1_000 * (k as i64 + 1) + 500));
        found.extend(all.into_iter().filter_map(|(_, polled)| match polled {
            Polled::Dip { dip, is_first, .. } => {
                assert_eq!((dip.residual_v, dip.duration_s), (161.0, 0.2));
                Some((k, dip.number, is_first))
            }
            _ => None,
        }));
    }
    assert_eq!(found, [(0, 1, true), (2, 2, false), (4, 2, false)]);
}

#[test]
fn a_node_that_is_deaf_for_a_while_is_asked_again() {
    let (mut master, mut slaves) = (Master::new(settings(), guard(), nodes(2)), slaves(2));
    slaves[0].deaf = 2;
    let all = run(&mut master, &mut slaves, START + ms(1_900));
    assert_eq!(readings(&all), [(0, 1), (1, 1)]);
}

#[test]
fn a_silent_node_is_named_and_costs_no_other_one_a_reading() {
    let (mut master, mut slaves) = (Master::new(settings(), guard(), nodes(3)), slaves(3));
    slaves[0].is_silent = true;
    slaves[1].deaf = 3;
    let all = run(&mut master, &mut slaves, START + ms(1_900));
    assert_eq!(readings(&all), [(2, 1)]);
    let silent = |(_, polled): &(SimTime, Polled)| match polled {
        Polled::Silent { place, what } => Some((*place, *what)),
        _ => None,
    };
    let silent: Vec<_> = all.iter().filter_map(silent).collect();
    assert_eq!(silent, [(0, "no answer to an order"), (1, "no answer")]);
}

#[test]
fn what_comes_twice_or_for_an_earlier_order_is_not_used() {
    let (mut master, mut slaves) = (Master::new(settings(), guard(), nodes(1)), slaves(1));
    slaves[0].doubles = true;
    let all = run(&mut master, &mut slaves, START + ms(1_900));
    assert_eq!(readings(&all), [(0, 1)]);
    let is_refused = |(_, polled): &&(SimTime, Polled)| matches!(polled, Polled::NotAwaited(_));
    assert_eq!(all.iter().filter(is_refused).count(), 3, "of an order and two registers");
    let mut out = Vec::new();
    let late = data(Register::Freeze, 1, [0, 0, 0, 1, 0, 0, 1, 0]);
    master.wire(START + ms(2_000), Happening::Received(late), &mut out);
    master.work(START + ms(2_000), &mut out);
    assert!(out.contains(&Polled::NotAwaited(late)), "{out:?}");
}

#[test]
fn an_answer_to_the_order_before_is_not_that_to_this_one() {
    let mut master = Master::new(settings(), guard(), nodes(1));
    let mut slaves = slaves(1);
    run(&mut master, &mut slaves, START + ms(1_900));
    // The second order is out, and what comes first has the token of the first one.
    let (at, mut out) = (START + ms(2_000), Vec::new());
    master.work(at, &mut out);
    master.work(at + ms(1), &mut out);
    for token in [1, 2] {
        out.clear();
        let answer = data(Register::Freeze, 1, [0, 0, 0, 9, 0, 0, 1, token]);
        master.wire(at + ms(2), Happening::Received(answer), &mut out);
        master.work(at + ms(2), &mut out);
        assert_eq!(out.contains(&Polled::NotAwaited(answer)), token == 1, "{out:?}");
    }
}

#[test]
fn round_follows_round_and_one_of_each_period_is_reported() {
    let continuous = PollSettings { is_continuous: true, ..settings() };
    let (mut master, mut slaves) = (Master::new(continuous, guard(), nodes(2)), slaves(2));
    let all = run(&mut master, &mut slaves, START + ms(2_900));
    assert_eq!(readings(&all).len(), 4);
    assert!(slaves[0].readings > 50, "{} rounds", slaves[0].readings);
    assert!(!all.iter().any(|(_, polled)| matches!(polled, Polled::Late(_))));
}

proptest! {
    /// Whatever comes and whenever, it neither panics nor stands still.
    #[test]
    fn any_frames_do_no_harm(
        frames in prop::collection::vec((0_u32..0x800, prop::collection::vec(any::<u8>(), 0..9),
            any::<bool>(), 0_i64..200), 0..60),
    ) {
        let mut master = Master::new(settings(), guard(), nodes(3));
        let mut now = START;
        for (identifier, bytes, is_remote, pause) in frames {
            now += ms(pause);
            let id = CanId::standard(identifier).unwrap();
            let frame = if is_remote {
                CanFrame::remote(id, bytes.len() as u8).unwrap()
            } else {
                CanFrame::data(id, &bytes).unwrap()
            };
            let mut out = Vec::new();
            master.wire(now, Happening::Received(frame), &mut out);
            master.work(now, &mut out);
            prop_assert!(master.wake_at() > now);
        }
    }
}
