//! The two-conductor bus of M-Bus (EN 13757-2): one master, many slaves.
//!
//! The master modulates the voltage, which all slaves receive and only they; a slave modulates its
//! current, which only the master receives. The two directions do not disturb each other here; that
//! the bus is half duplex is up to those who use it. What several slaves send at the same time adds
//! up, see [`super::line`].
//!
//! The master receives byte by byte, since it decides on gaps; a slave whole telegrams.

use chacha20::ChaCha8Rng;
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::{SimDuration, SimTime};

pub use super::line::BITS_PER_BYTE;
use super::line::{Heard, Resume, Telegram, bytes_take, hear};
use super::{Arrival, Due, MediumSpec, NetworkKind, Party, later};
use crate::impair::Draws;

/// The baud rates of the bus (EN 13757-2, 5.1; EN 13757-3, 10; unverified).
const RATES: [u32; 8] = [300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400];

const PROBABILITY: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };

/// The keys of an M-Bus network.
pub static M_BUS_MEDIUM_FIELDS: &[Field] = &[
    Field::default(
        "baud",
        Kind::Integer { min: 300, max: 38_400 },
        "2400",
        "Baud rate at which all parties begin: 300, 600, 1200, 2400, 4800, 9600, 19200 or 38400",
    ),
    Field::default(
        "propagation",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1.0 },
        "\"0 us\"",
        "How long a bit takes from one party to another, including repeaters and level converters",
    ),
    Field::default(
        "byte_gap",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1.0 },
        "\"0 ms\"",
        "Silence between two bytes of a telegram; a standard receiver takes 33 idle bits as its end",
    ),
    Field::default(
        "byte_error",
        PROBABILITY,
        "\"0 %\"",
        "Probability for each byte and each party that receives it to be altered by noise",
    ),
    Field::default(
        "telegram_loss",
        PROBABILITY,
        "\"0 %\"",
        "Probability for each telegram and each party that it is not received at all",
    ),
];

pub(super) const M_BUS: NetworkKind = NetworkKind {
    entry: Entry {
        name: "m-bus",
        summary: "wired M-Bus: a two-conductor bus with one master that polls",
        description: "A two-conductor bus as EN 13757-2 has it. All devices receive what the \
            gateway sends, the gateway receives what they send, and a device never receives \
            another. Each byte is 11 bits: start, eight data, even parity, stop. If several devices \
            send at the same time, the gateway receives the AND of their bits, sampled as a UART \
            does; a byte with a wrong parity or stop bit is received inverted. A receiver at \
            another baud rate than the sender's gets what its samples give.",
        fields: M_BUS_MEDIUM_FIELDS,
    },
    build: |values, out| read_bus(values, out).map(MediumSpec::Bus),
};

/// What a bus is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BusSpec {
    /// The rate at which all parties listen in the beginning.
    pub bits_per_second: u32,
    /// From one party to any other.
    pub propagation: SimDuration,
    /// Silence between bytes of one telegram.
    pub byte_gap: SimDuration,
    /// Probability for each byte and receiver to be altered by noise.
    pub byte_error_rate: f64,
    /// Probability for each telegram and receiver not to be received.
    pub loss: f64,
}

impl BusSpec {
    /// A bus at 2400 baud that delays, alters and loses nothing.
    pub const PERFECT: Self = Self {
        bits_per_second: 2400,
        propagation: SimDuration::ZERO,
        byte_gap: SimDuration::ZERO,
        byte_error_rate: 0.0,
        loss: 0.0,
    };
}

/// What the checked keys of an M-Bus network mean. `None` if they do not fit together; what is
/// wrong is then in `out`.
pub fn read_bus(values: &Values, out: &mut Diagnostics) -> Option<BusSpec> {
    let baud = values.integer("baud");
    let Some(&bits_per_second) = RATES.iter().find(|&&rate| i64::from(rate) == baud) else {
        let message = format!("{baud} is not a baud rate of M-Bus");
        let help = format!("expected one of {RATES:?}").replace(['[', ']'], "");
        let label = "unsupported baud rate";
        out.report_with_help(
            Code::OUT_OF_RANGE,
            values.span_of("baud"),
            message,
            label,
            Some(help),
        );
        return None;
    };
    Some(BusSpec {
        bits_per_second,
        propagation: values.duration("propagation"),
        byte_gap: values.duration("byte_gap"),
        byte_error_rate: values.si("byte_error"),
        loss: values.si("telegram_loss"),
    })
}

/// Streams of a listener; the master has the first, slave n those from `(n + 1) * STREAMS`.
const STREAMS: u64 = 2;
const LOSS: u64 = 0;
const NOISE: u64 = 1;

/// One party's receiver, and its sender's end.
#[derive(Debug)]
struct Station {
    /// The rate at which it listens.
    rate: u32,
    /// When its own last stop bit is out.
    free: SimTime,
    loss: Draws,
    noise: Draws,
}

impl Station {
    fn new(spec: &BusSpec, key: [u8; 32], number: u64) -> Self {
        let draws = |cause| Draws::new(key, number * STREAMS + cause);
        Self {
            rate: spec.bits_per_second,
            free: SimTime(i64::MIN),
            loss: draws(LOSS),
            noise: draws(NOISE),
        }
    }

    /// Whether a telegram is not received.
    fn loses(&mut self, spec: &BusSpec) -> bool {
        spec.loss > 0.0 && self.loss.uniform() < spec.loss
    }

    /// Alters the bytes that noise hits: one of the 255 other values, each as likely.
    fn disturb(&mut self, spec: &BusSpec, bytes: &mut [u8]) {
        if spec.byte_error_rate <= 0.0 {
            return;
        }
        for byte in bytes {
            if self.noise.uniform() < spec.byte_error_rate {
                *byte ^= 1 + (self.noise.uniform() * 255.0) as u8;
            }
        }
    }
}

/// A bus and what is on its way on it.
#[derive(Debug)]
pub struct Bus {
    spec: BusSpec,
    master: Station,
    slaves: Vec<Station>,
    /// The last arrival that was taken: nothing is sent before it.
    now: SimTime,
    /// What slaves send and the master has not yet received to its end.
    line: Vec<Telegram>,
    resume: Resume,
    heard: Option<Heard>,
    to_slaves: Due,
}

impl Bus {
    /// An idle bus with so many slaves, drawing from the key of `rng` (where that stream stands
    /// does not matter).
    pub fn new(spec: BusSpec, slaves: usize, rng: &ChaCha8Rng) -> Self {
        let key = rng.get_seed();
        Self {
            spec,
            master: Station::new(&spec, key, 0),
            slaves: (1..).take(slaves).map(|number| Station::new(&spec, key, number)).collect(),
            now: SimTime(i64::MIN),
            line: Vec::new(),
            resume: Resume::START,
            heard: None,
            to_slaves: Due::default(),
        }
    }

    fn station(&mut self, party: Party) -> Option<&mut Station> {
        match party {
            Party::Master => Some(&mut self.master),
            Party::Slave(slave) => self.slaves.get_mut(slave),
        }
    }

    /// A party listens at this rate: a slave to what is sent from now on, the master to the bytes
    /// that it has not begun to receive.
    pub fn set_rate(&mut self, party: Party, bits_per_second: u32) {
        if let Some(station) = self.station(party) {
            station.rate = bits_per_second.max(1);
        }
        self.heard = hear(&self.line, self.master.rate, self.resume);
    }

    /// A party sends; see [`Medium::transmit`](super::Medium::transmit).
    pub fn transmit(
        &mut self,
        from: Party,
        at: SimTime,
        bits_per_second: u32,
        bytes: &[u8],
    ) -> SimTime {
        let (now, spec) = (self.now, self.spec);
        let byte = bytes_take(1, self.master.rate);
        let Some(station) = self.station(from).filter(|_| !bytes.is_empty()) else { return at };
        let first = at.max(now).max(station.free);
        let mut telegram = Telegram {
            start: first,
            bits_per_second: bits_per_second.max(1),
            byte_gap: spec.byte_gap,
            bytes: bytes.to_vec(),
        };
        let out = telegram.end();
        station.free = out;
        telegram.start = later(first, spec.propagation);
        match from {
            Party::Master => self.send_down(&telegram),
            Party::Slave(_) if self.master.loses(&spec) => {}
            Party::Slave(_) => {
                // Of several that keep the line low together none may go alone: what is left would
                // be heard from where the receiver stood before them.
                let is_over = |telegram: &Telegram| later(telegram.end(), byte) <= now;
                if self.heard.is_none() && self.line.iter().all(is_over) {
                    self.line.clear();
                }
                self.line.push(telegram);
                self.heard = hear(&self.line, self.master.rate, self.resume);
            }
        }
        out
    }

    fn send_down(&mut self, telegram: &Telegram) {
        let end = telegram.end();
        for (number, slave) in self.slaves.iter_mut().enumerate() {
            if slave.loses(&self.spec) {
                continue;
            }
            let (mut at, mut bytes) = (end, Vec::new());
            if slave.rate == telegram.bits_per_second {
                bytes.clone_from(&telegram.bytes);
            } else {
                let mut resume = Resume::START;
                let line = std::slice::from_ref(telegram);
                while let Some(heard) = hear(line, slave.rate, resume) {
                    (at, resume) = (at.max(heard.at), heard.resume);
                    bytes.push(heard.byte);
                }
            }
            slave.disturb(&self.spec, &mut bytes);
            if !bytes.is_empty() {
                let (to, rate) = (Party::Slave(number), slave.rate);
                self.to_slaves.put(Arrival { to, lane: None, at, bytes, bits_per_second: rate });
            }
        }
    }

    /// When the next arrival is, as long as nobody sends before it.
    pub fn next(&self) -> Option<SimTime> {
        self.heard.map(|heard| heard.at).into_iter().chain(self.to_slaves.next()).min()
    }

    /// The next arrival, if it is not after `until`; see [`Medium::pop`](super::Medium::pop).
    pub fn pop(&mut self, until: SimTime) -> Option<Arrival> {
        let at = self.next().filter(|&at| at <= until)?;
        self.now = self.now.max(at);
        let Some(heard) = self.heard.filter(|heard| heard.at == at) else {
            return self.to_slaves.pop();
        };
        self.resume = heard.resume;
        self.line.retain(|telegram| telegram.end() > heard.at);
        self.heard = hear(&self.line, self.master.rate, self.resume);
        let mut bytes = vec![heard.byte];
        self.master.disturb(&self.spec, &mut bytes);
        let bits_per_second = self.master.rate;
        Some(Arrival { to: Party::Master, lane: None, at, bytes, bits_per_second })
    }
}
