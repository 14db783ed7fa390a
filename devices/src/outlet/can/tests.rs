//! The node in the hands of its tests: what it does when, by hand.

use lastmeter_can::controller::{OverrunPolicy, TransmitOrder};
use lastmeter_sim::Streams;
use lastmeter_units::Phase;
use proptest::prelude::*;

mod switch;

use super::*;
use crate::can::seal::{End, device_key, shared_key};

const NODE: u8 = 3;
const WATTS: f64 = 100.0;

fn ms(milliseconds: f64) -> SimTime {
    SimTime((milliseconds * 1e6).round() as i64)
}

fn span(milliseconds: f64) -> SimDuration {
    ms(milliseconds) - SimTime(0)
}

/// Tasks that cost nothing but the one that serves the bus.
fn software() -> SoftwareParts {
    let task = |period: f64, priority: u8, service: f64| TaskParts {
        period: span(period),
        priority,
        service: span(service),
    };
    SoftwareParts {
        interrupt_latency: span(0.1),
        interrupt_service: span(0.2),
        main_service: span(0.0),
        tasks: [task(0.0, 2, 3.0), task(0.0, 1, 0.0), task(10.0, 3, 0.0), task(100.0, 4, 0.0)],
        enabled: NodeTask::ALL.to_vec(),
    }
}

/// A node that measures 100 W every second, on a bus that takes no time.
struct Bench {
    outlet: CanOutlet,
    now: SimTime,
    /// Of the next measurement, in s.
    due_s: i64,
    answers: Vec<(SimTime, CanFrame)>,
    numbers: Vec<u64>,
    events: Vec<EventKind>,
    is_supplied: bool,
    switched: Vec<bool>,
}

impl Bench {
    fn new(software: SoftwareParts, endurance: u64) -> Self {
        Self::with(software, endurance, |_| {})
    }

    fn with(software: SoftwareParts, endurance: u64, change: impl Fn(&mut CanParts)) -> Self {
        let mut parts = CanParts {
            start: SimTime(0),
            node: NODE,
            unique_id: None,
            is_known_by_id: false,
            port: PortSettings {
                order: TransmitOrder::ByRequest,
                overrun: OverrunPolicy::DiscardNewest,
                interrupt_latency: SimDuration::ZERO,
            },
            software,
            memory: MemoryParts { byte_time: span(5.0), endurance },
            is_closed: None,
            obeys_orders: true,
            measure_every: span(1000.0),
            profile: (span(60_000.0), SimDuration::ZERO),
            guard: GuardParts {
                authentication: Authentication::None,
                end: End::Slave(NODE, device_key(Streams::new(1), "m", NODE)),
                shared: shared_key(Streams::new(1)),
                pair_limit: span(100.0),
            },
        };
        change(&mut parts);
        Self {
            outlet: CanOutlet::new(parts),
            now: SimTime(0),
            due_s: 1,
            answers: Vec::new(),
            numbers: Vec::new(),
            events: Vec::new(),
            is_supplied: true,
            switched: Vec::new(),
        }
    }

    fn feed(&mut self) {
        while SimTime(self.due_s * 1_000_000_000) <= self.now {
            let due = SimDuration::from_seconds(self.due_s);
            let span = ReferenceSpan { from: due, to: due, registers_from: SimDuration::ZERO };
            let quantity = Quantity::ActiveEnergy(Direction::Consumed);
            let id = MeasurementId::of(quantity, Phase::L1).unwrap();
            let joules = WATTS * self.due_s as f64;
            let values = vec![(id, joules / id.row().si_factor)];
            self.outlet.reading(due, span, values, &mut Vec::new());
            self.due_s += 1;
        }
    }

    fn take(&mut self, input: Input) {
        self.feed();
        let mut out = Vec::new();
        self.outlet.take(self.now, input, &mut out);
        let mut offered = None;
        for output in out {
            match output {
                Output::Offer { frame } => offered = frame,
                Output::Stage { stage: ExchangeStage::Requested, frame } => {
                    assert!(self.is_supplied, "{frame} without a supply");
                    self.answers.push((self.now, frame));
                }
                Output::Reading { serial, .. } => self.numbers.push(serial.0),
                Output::Event { kind, .. } => self.events.push(kind),
                Output::Switched { is_closed } => self.switched.push(is_closed),
                Output::Supply { is_on } => self.is_supplied = is_on,
                _ => {}
            }
        }
        if let Some(frame) = offered {
            self.take(Input::Wire { what: Happening::Begun(frame) });
            self.take(Input::Wire { what: Happening::Sent(frame) });
        }
    }

    fn until(&mut self, to: SimTime) {
        let next = |bench: &Self| {
            let next_reading = SimTime(bench.due_s * 1_000_000_000);
            bench.outlet.wake_at(next_reading).filter(|&at| at <= to)
        };
        while let Some(at) = next(self) {
            self.now = self.now.max(at);
            self.take(Input::Passed);
        }
        self.now = to;
    }

    fn at(&mut self, at: SimTime, input: Input) {
        self.until(at);
        self.take(input);
    }

    fn hear(&mut self, at: SimTime, frame: CanFrame) {
        self.at(at, Input::Wire { what: Happening::Received(frame) });
    }

    fn order(&mut self, at: SimTime) {
        let id = CanId::standard(Register::Freeze.identifier(0).into()).unwrap();
        self.hear(at, CanFrame::data(id, &[7]).unwrap());
    }

    fn ask(&mut self, at: SimTime, register: Register) {
        let id = CanId::standard(register.identifier(NODE).into()).unwrap();
        self.hear(at, CanFrame::remote(id, 8).unwrap());
    }

    /// Orders a reading and asks for its energy: number and mJ, if it answers.
    fn read(&mut self, at: SimTime) -> Option<(u64, u64)> {
        let (numbers, answers) = (self.numbers.len(), self.answers.len());
        self.order(at);
        self.until(at + span(20.0));
        if self.numbers.len() == numbers {
            assert_eq!(self.answers.len(), answers);
            return None;
        }
        self.ask(at + span(20.0), Register::Consumed);
        self.until(at + span(40.0));
        let (_, answer) = self.answers.last()?;
        let bytes = answer.bytes().first_chunk::<8>()?;
        Some((*self.numbers.last()?, u64::from_be_bytes(*bytes)))
    }
}

/// Values by hand: the interrupt takes 0.1 ms and 0.2 ms, an answer 3 ms.
#[test]
fn an_answer_waits_for_interrupt_poll_and_tasks_of_higher_priority() {
    let answered = |software: SoftwareParts, asked: f64| {
        let mut bench = Bench::new(software, 1000);
        bench.ask(ms(asked), Register::Number);
        bench.until(ms(asked + 200.0));
        bench.answers.iter().map(|(at, _)| *at).collect::<Vec<_>>()
    };
    let with = |change: fn(&mut SoftwareParts)| {
        let mut software = software();
        change(&mut software);
        software
    };
    // One task: nothing but its own time.
    let one = with(|it| it.enabled = vec![NodeTask::Can]);
    assert_eq!(answered(one, 999.0), [ms(1002.3)]);
    // Two: a measurement of 5 ms begins at 1000 ms, after 0.7 ms of the answer's 3.
    let measuring = with(|it| it.tasks[1].service = span(5.0));
    assert_eq!(answered(measuring.clone(), 999.0), [ms(1007.3)]);
    assert_eq!(answered(measuring, 989.0), [ms(992.3)]);
    // Pages of 2 ms each 10 ms, now of priority 1: at 990, and at 1000 behind nothing else.
    let pages = with(|it| {
        (it.tasks[2].service, it.tasks[2].priority) = (span(2.0), 1);
    });
    assert_eq!(answered(pages.clone(), 989.5), [ms(989.5 + 0.3 + 3.0 + 2.0)]);
    assert_eq!(answered(pages.clone(), 993.0), [ms(996.3)]);
    // The display takes 4 ms each 100 ms, and is behind an answer or interrupted by it.
    let display = with(|it| it.tasks[3].service = span(4.0));
    assert_eq!(answered(display, 901.0), [ms(904.3)]);
    // Polled each 20 ms: begun at 1000, where the pages go before.
    let polled = with(|it| {
        (it.tasks[2].service, it.tasks[2].priority) = (span(2.0), 1);
        it.tasks[0].period = span(20.0);
    });
    assert_eq!(answered(polled.clone(), 989.5), [ms(1005.0)]);
    assert_eq!(answered(polled, 999.8), [ms(1025.0)]);
}

#[test]
fn without_its_tasks_it_is_silent_and_comes_back() {
    for task in [NodeTask::Measure, NodeTask::Can] {
        let mut bench = Bench::new(software(), 1000);
        assert_eq!(bench.read(ms(2100.0)), Some((1, 200_000)), "{task}");
        let until = Some(ms(5500.0));
        bench.at(ms(2500.0), Input::Fault(DeviceFault::NodeTask { task, until }));
        assert_eq!((bench.read(ms(3100.0)), bench.read(ms(5400.0))), (None, None), "{task}");
        let at_once = bench.read(ms(5600.0));
        match task {
            // Nothing is measured since.
            NodeTask::Measure => assert_eq!(at_once, None),
            _ => assert_eq!(at_once, Some((2, 500_000))),
        }
        // The registers have counted on.
        assert_eq!(bench.read(ms(6100.0)).map(|(_, mj)| mj), Some(600_000), "{task}");
        let switched = bench.events.iter().filter(|&&kind| kind == EventKind::TaskSwitched);
        assert_eq!(switched.count(), 2);
    }
}

/// A record takes 46 bytes of 5 ms: 230 ms, but for one whose first mark stays.
#[test]
fn after_a_loss_of_supply_it_goes_on_from_what_was_stored_to_its_end() {
    for (lost, number, mj) in [(8200.0, 1, 500_000), (8400.0, 2, 800_000)] {
        let mut bench = Bench::new(software(), 1000);
        assert_eq!(bench.read(ms(5100.0)), Some((1, 500_000)));
        assert_eq!(bench.read(ms(8100.0)), Some((2, 800_000)));
        let until = ms(11_200.0);
        bench.at(ms(lost), Input::Fault(DeviceFault::NodePowerLoss { until }));
        assert_eq!(bench.read(ms(9100.0)), None);
        assert_eq!(bench.read(ms(11_300.0)), None, "it has measured nothing yet");
        assert_eq!(bench.read(ms(12_100.0)), None, "nor all of a period");
        // From 12 s, where the first whole period begins, to 13 s: 100 J.
        assert_eq!(bench.read(ms(13_100.0)), Some((number + memory::AHEAD + 1, mj + 100_000)));
        assert_eq!(bench.read(ms(15_100.0)), Some((number + memory::AHEAD + 2, mj + 300_000)));
        let kinds = [EventKind::FaultBegun, EventKind::Dark, EventKind::WorksAgain];
        assert_eq!(bench.events, kinds);
    }
}

/// With cells of one write 43 readings are stored beside the empty registers of the beginning; no
/// number may be so far behind that it might be given again.
#[test]
fn a_worn_memory_ends_in_silence_and_not_in_numbers_that_come_twice() {
    let mut bench = Bench::new(software(), 1);
    for k in 0..1100 {
        bench.order(ms(2000.0 + 500.0 * f64::from(k)));
    }
    assert_eq!(bench.numbers.last(), Some(&(43 + memory::AHEAD)));
    assert_eq!(bench.events, [EventKind::NotStored]);
}

/// A register of node 3 by its number, by that of all, and of another node's or no request.
#[test]
fn a_data_frame_asks_as_a_remote_frame_does() {
    let mut bench = Bench::new(software(), 1000);
    assert_eq!(bench.read(ms(2100.0)), Some((1, 200_000)));
    let (_, expected) = *bench.answers.last().unwrap();
    for (request, is_answered) in [
        ("280#03", true),
        ("280#", true),
        ("280#00", true),
        ("280#04", false),
        ("280#0300", false),
        ("283#03", false),
        ("283#R8", true),
    ] {
        let (from, asked) = (bench.answers.len(), bench.now);
        bench.hear(asked, request.parse().unwrap());
        bench.until(asked + span(20.0));
        let answered = is_answered.then_some((asked + span(3.3), expected));
        assert_eq!(bench.answers[from..], *answered.as_slice(), "{request}");
    }
}

/// 100 W all the time; a dip of 161 V for 200 ms comes from the core as an alert.
#[test]
fn profile_and_dip_are_those_of_the_closed_reading() {
    let mut bench = Bench::new(software(), 1000);
    let ask = |bench: &mut Bench, register| {
        bench.ask(bench.now, register);
        bench.until(bench.now + span(20.0));
        bench.answers.last().unwrap().1.to_string()
    };
    bench.read(ms(60_900.0));
    assert_eq!(ask(&mut bench, Register::Dip), "383#0000000000000000");
    assert_eq!(ask(&mut bench, Register::Profile), "2E3#00000001000186A0");
    let facts = vec![(fact::RESIDUAL_V, "161".to_owned()), (fact::DURATION_S, "0.2".to_owned())];
    let (kind, level) = ("voltage.dip", lastmeter_wire::flexmeter::AlertLevel::Warning);
    let alert = Alert { kind, level, text: String::new(), facts };
    bench.outlet.alert(SimDuration::ZERO, alert, &mut Vec::new());
    assert_eq!(ask(&mut bench, Register::Dip), "383#0000000000000000", "of the closed reading");
    bench.read(ms(120_900.0));
    assert_eq!(ask(&mut bench, Register::Dip), "383#00010274E80000C8");
    assert_eq!(ask(&mut bench, Register::CompactProfile), "5A3#020003E8");
}

fn frames() -> impl Strategy<Value = CanFrame> {
    let id = prop_oneof![
        (0..=0x7FF_u32).prop_map(|id| CanId::standard(id).unwrap()),
        Just(CanId::standard(Register::Freeze.identifier(0).into()).unwrap()),
        (0..0x30_u32).prop_map(|it| CanId::standard(it << 5 | u32::from(NODE)).unwrap()),
        (0..=0x1FFF_FFFF_u32).prop_map(|id| CanId::extended(id).unwrap()),
    ];
    (id, any::<bool>(), prop::collection::vec(any::<u8>(), 0..=8)).prop_map(
        |(id, is_remote, data)| {
            if is_remote {
                return CanFrame::remote(id, u8::try_from(data.len()).unwrap()).unwrap();
            }
            CanFrame::data(id, &data).unwrap()
        },
    )
}

/// What happens to a node; a fault with how long it lasts.
#[derive(Clone, Debug)]
enum Step {
    Wire(Happening),
    Order,
    Fault(usize, SimDuration),
}

fn steps() -> impl Strategy<Value = Step> {
    let lasting = 1_000_000..3_000_000_000_i64;
    prop_oneof![
        4 => frames().prop_map(|frame| Step::Wire(Happening::Received(frame))),
        1 => frames().prop_map(|frame| Step::Wire(Happening::Sent(frame))),
        1 => frames().prop_map(|frame| Step::Wire(Happening::Begun(frame))),
        1 => Just(Step::Wire(Happening::LostArbitration)),
        1 => Just(Step::Wire(Happening::State(ErrorState::BusOff))),
        6 => Just(Step::Order),
        1 => (0..6_usize, lasting.clone()).prop_map(|(what, ns)| Step::Fault(what, SimDuration(ns))),
        1 => lasting.prop_map(|ns| Step::Fault(0, SimDuration(ns))),
    ]
}

fn fault(what: usize, until: SimTime) -> DeviceFault {
    match what {
        0 => DeviceFault::NodePowerLoss { until },
        1 => DeviceFault::Freeze { until: Some(until) },
        task => DeviceFault::NodeTask { task: NodeTask::ALL[task - 2], until: Some(until) },
    }
}

proptest! {
    /// Whatever happens on the bus and to the node, it goes on; no number comes twice, its register
    /// has never more than there was, and nothing is answered without a supply.
    #[test]
    fn it_goes_on_whatever_happens(
        steps in prop::collection::vec((0..900_000_000_i64, steps()), 1..60),
        tasks in prop::collection::vec((10..60_i64, 1..4_u8, 0..9_i64), 4),
    ) {
        let mut software = software();
        for (parts, (period, priority, service)) in software.tasks.iter_mut().zip(tasks) {
            let period = SimDuration::from_milliseconds(period);
            let service = SimDuration::from_milliseconds(service);
            *parts = TaskParts { period, priority, service };
        }
        let mut bench = Bench::new(software, 50);
        for (gap, step) in steps {
            let at = bench.now + SimDuration(gap);
            match step {
                Step::Wire(what) => bench.at(at, Input::Wire { what }),
                Step::Order => bench.order(at),
                Step::Fault(what, length) => bench.at(at, Input::Fault(fault(what, at + length))),
            }
        }
        bench.until(bench.now + SimDuration::from_seconds(6));
        bench.order(bench.now);
        bench.until(bench.now + SimDuration::from_seconds(1));
        prop_assert!(bench.numbers.is_sorted_by(|a, b| a < b), "{:?}", bench.numbers);
        let closed = &bench.outlet.closed.values;
        let joules = closed.get(&Quantity::ActiveEnergy(Direction::Consumed)).copied();
        prop_assert!(joules.unwrap_or(0.0) <= WATTS * bench.now.0 as f64 * 1e-9);
    }
}
