//! A simulated bus: slaves and a master on one pair of wires, where a 0 of any slave wins over a 1.

use std::collections::VecDeque;

use lastmeter_mbus::application::variable;
use lastmeter_mbus::header::{Header, Identification, Identity, Manufacturer, Medium, Status};
use lastmeter_mbus::master::{Job, Master, Outcome, Step};
use lastmeter_mbus::record::{Item, Record, Value, Vif};
use lastmeter_mbus::slave::{Answer, Slave, SlaveConfig, TurnAround};
use lastmeter_units::SimTime;

/// What happens to an answer on its way: its number among all answers, and the answer.
pub(crate) type Fault = Box<dyn FnMut(usize, &mut Vec<u8>)>;

/// The wires, with everybody on them.
pub(crate) struct Bus {
    pub(crate) slaves: Vec<Slave>,
    /// Requests of the master, with the time at which they began.
    pub(crate) requests: Vec<(SimTime, Vec<u8>)>,
    fault: Fault,
    answers: usize,
    now: SimTime,
    on_the_way: VecDeque<(SimTime, u8)>,
}

/// Bytes that a receiver sees, with the time at which each ends: of those that overlap, the AND.
fn overlapped(answers: &[Answer]) -> VecDeque<(SimTime, u8)> {
    let mut begun: Vec<(SimTime, SimTime, u8)> = Vec::new();
    for Answer { at, baud, bytes } in answers {
        begun.extend(bytes.iter().enumerate().map(|(place, byte)| {
            let begin = *at + baud.bytes(place);
            (begin, begin + baud.bytes(1), *byte)
        }));
    }
    begun.sort_unstable();
    let mut seen: VecDeque<(SimTime, u8)> = VecDeque::new();
    for (begin, end, byte) in begun {
        match seen.back_mut() {
            Some((until, overlapping)) if begin < *until => *overlapping &= byte,
            _ => seen.push_back((end, byte)),
        }
    }
    seen
}

impl Bus {
    pub(crate) fn new(slaves: Vec<Slave>) -> Self {
        Self::with_fault(slaves, Box::new(|_, _| ()))
    }

    pub(crate) fn with_fault(slaves: Vec<Slave>, fault: Fault) -> Self {
        let (requests, on_the_way) = (Vec::new(), VecDeque::new());
        Self { slaves, requests, fault, answers: 0, now: SimTime(0), on_the_way }
    }

    /// What becomes of one job.
    pub(crate) fn run(&mut self, master: &mut Master, job: Job) -> Outcome {
        master.submit(job);
        loop {
            match master.step(self.now) {
                Step::Idle => break,
                Step::Send { bytes, baud } => self.send(bytes, baud),
                Step::Wait(until) => match self.on_the_way.pop_front() {
                    Some((end, byte)) if end <= until => {
                        self.now = end;
                        master.byte(end, byte);
                    }
                    later => {
                        self.on_the_way.extend(later);
                        self.now = until;
                    }
                },
            }
        }
        let outcome = master.finished().expect("the master is idle");
        assert_eq!(master.finished(), None);
        outcome
    }

    fn send(&mut self, bytes: Vec<u8>, baud: lastmeter_mbus::baud::BaudRate) {
        assert!(self.on_the_way.is_empty(), "the master speaks while a slave does");
        let end = self.now + baud.bytes(bytes.len());
        let listening = self.slaves.iter_mut().filter(|slave| slave.config().baud == baud);
        let mut answers: Vec<_> =
            listening.filter_map(|slave| slave.receive(end, &bytes)).collect();
        for answer in &mut answers {
            (self.fault)(self.answers, &mut answer.bytes);
            self.answers += 1;
        }
        self.requests.push((self.now, bytes));
        self.on_the_way = overlapped(&answers);
        self.now = end;
    }
}

/// A secondary address.
pub(crate) fn identity(number: u32, letters: &str, version: u8, medium: Medium) -> Identity {
    Identity {
        identification: Identification::from_number(number).expect("eight digits"),
        manufacturer: Manufacturer::from_letters(letters).expect("three letters"),
        version,
        medium,
    }
}

/// A telegram with one reading, and a mark whether more follow.
pub(crate) fn telegram(litres: i64, more: bool) -> Vec<u8> {
    let header = Header::Long {
        identity: Identity::default(),
        access_number: 0,
        status: Status(0),
        signature: 0,
    };
    let volume = Record::new(Vif::Primary(0x13), Value::Bcd { digits: 8, value: litres });
    let follow = Item::Manufacturer { more_records_follow: true, data: &[] };
    let items = [Item::Record(volume), follow];
    variable(&header, &items[..=usize::from(more)]).expect("it fits")
}

/// A slave whose reading is derived from its identification; some answer later than others.
pub(crate) fn slave(address: u8, identity: Identity) -> Slave {
    let bits = 11 + identity.identification.0 % 7 * 3;
    let turn_around = TurnAround { bits, ..TurnAround::default() };
    let number: i64 = identity.identification.to_string().parse().expect("decimal digits");
    let litres = number % 1000;
    let config = SlaveConfig { turn_around, ..SlaveConfig::new(address, identity) };
    Slave::new(config, vec![telegram(litres, false)])
}

#[test]
fn bytes_that_overlap_are_anded_and_others_are_not() {
    let at = |nanoseconds: i64, bytes: &[u8]| Answer {
        at: SimTime(nanoseconds),
        baud: lastmeter_mbus::baud::BaudRate::Baud2400,
        bytes: bytes.to_vec(),
    };
    let bytes = |answers: &[Answer]| -> Vec<u8> {
        overlapped(answers).into_iter().map(|(_, byte)| byte).collect()
    };
    assert_eq!(bytes(&[at(0, &[0xF0, 0x33]), at(0, &[0x3C, 0x55])]), [0x30, 0x11]);
    assert_eq!(bytes(&[at(0, &[0xF0]), at(5_000_000, &[0x3C])]), [0xF0, 0x3C]);
}
