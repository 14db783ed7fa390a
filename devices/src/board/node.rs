//! Asks a meter node over SLCAN: opens the adapter, closes a reading, fetches its registers.
//!
//! The order to close a reading carries a token that comes back with the answer. What arrives
//! before that is late, of an order given up on, and discarded; what arrives behind it is in the
//! order in which it was asked for, since one adapter answers on one line.

use lastmeter_board::meter_node::{READING, Register, values};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::slcan::{BitRate, Command, Item, Reader};
use lastmeter_units::Quantity;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Ask(Vec<u8>),
    Present {
        version: String,
        node: u8,
        /// The CRC-32 of its image.
        image: u32,
    },
    Reading {
        /// The number of the reading, counted by the node.
        number: u32,
        windows: u32,
        /// In SI units.
        values: Vec<(Quantity, f64)>,
    },
    /// The adapter refused what was asked for: it was closed in between, as after a restart.
    Refused,
    /// Something that was not asked for, or is not of the protocol.
    Discarded(String),
}

/// What is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Idle,
    Version,
    /// As before, and the order to close a reading comes behind it.
    Reopened,
    Freeze,
    Register(usize),
}

/// The asking side.
#[derive(Debug)]
pub(super) struct NodeProtocol {
    node: u8,
    bit_rate: BitRate,
    reader: Reader,
    step: Step,
    token: u8,
    number: u32,
    windows: u32,
    values: Vec<(Quantity, f64)>,
}

impl NodeProtocol {
    pub(super) fn new(node: u8, bit_rate: BitRate) -> Self {
        Self {
            node,
            bit_rate,
            reader: Reader::default(),
            step: Step::Idle,
            token: 0,
            number: 0,
            windows: 0,
            values: Vec::new(),
        }
    }

    /// What opens the adapter and asks who is there.
    pub(super) fn open(&mut self) -> Vec<u8> {
        self.step = Step::Version;
        let commands =
            [Command::Empty, Command::Close, Command::BitRate(self.bit_rate), Command::Open];
        let mut bytes: Vec<u8> = commands.iter().flat_map(Command::encode).collect();
        bytes.extend(self.remote(Register::Version));
        bytes
    }

    /// What opens an adapter that was closed in between; then a reading is closed. One that is
    /// closed already may refuse to be closed, which is not the answer to what comes behind.
    pub(super) fn reopen(&mut self) -> Vec<u8> {
        let bytes = self.open();
        self.step = Step::Reopened;
        bytes
    }

    /// What closes a reading, of which the rest is then asked for.
    pub(super) fn poll(&mut self) -> Vec<u8> {
        self.step = Step::Freeze;
        self.token = self.token.wrapping_add(1);
        self.values.clear();
        self.order(Register::Freeze, &[self.token])
    }

    pub(super) fn give_up(&mut self) {
        self.step = Step::Idle;
    }

    fn remote(&self, register: Register) -> Vec<u8> {
        self.frame(register, |id| CanFrame::remote(id, 8).ok())
    }

    fn order(&self, register: Register, data: &[u8]) -> Vec<u8> {
        self.frame(register, |id| CanFrame::data(id, data).ok())
    }

    /// Identifiers have eleven bits and data at most eight bytes, so there always is a frame.
    fn frame(&self, register: Register, frame: impl Fn(CanId) -> Option<CanFrame>) -> Vec<u8> {
        let id = CanId::standard(u32::from(register.identifier(self.node))).ok();
        let frame = id.and_then(frame);
        frame.map(|frame| Command::Transmit(frame).encode()).unwrap_or_default()
    }

    /// Takes bytes of the adapter; what they come to, in order.
    pub(super) fn heard(&mut self, bytes: &[u8]) -> Vec<Reply> {
        let mut items = Vec::new();
        self.reader.bytes(bytes, &mut items);
        items.into_iter().filter_map(|item| self.item(item)).collect()
    }

    fn item(&mut self, item: Item) -> Option<Reply> {
        match item {
            Item::Frame { frame, .. } => Some(self.answer(&frame)),
            // While it is opened, an adapter that is open already may refuse parts of it.
            Item::Refused if matches!(self.step, Step::Idle | Step::Version | Step::Reopened) => {
                None
            }
            Item::Refused => {
                self.step = Step::Idle;
                Some(Reply::Refused)
            }
            Item::Garbage { bytes, why } => {
                let shown = String::from_utf8_lossy(&bytes).into_owned();
                Some(Reply::Discarded(format!("`{}`: {why}", shown.escape_debug())))
            }
            _ => None,
        }
    }

    fn answer(&mut self, frame: &CanFrame) -> Reply {
        let is_of = |register: Register| {
            !frame.is_remote()
                && !frame.id().is_extended()
                && frame.id().value() == u32::from(register.identifier(self.node))
                && frame.bytes().len() == 8
        };
        let data = frame.bytes();
        match self.step {
            Step::Version if is_of(Register::Version) => {
                self.step = Step::Idle;
                Reply::Present {
                    version: format!("{}.{}", data[0], data[1]),
                    node: data[2],
                    image: u32::from_be_bytes([data[4], data[5], data[6], data[7]]),
                }
            }
            Step::Reopened if is_of(Register::Version) => Reply::Ask(self.poll()),
            Step::Freeze if is_of(Register::Freeze) && data[7] == self.token => {
                self.number = u32::from_be_bytes([data[0], data[1], data[2], data[3]]);
                self.windows = u32::from_be_bytes([0, data[4], data[5], data[6]]);
                self.step = Step::Register(0);
                Reply::Ask(self.remote(READING[0]))
            }
            Step::Register(at) if is_of(READING[at]) => {
                self.values.extend(values(READING[at], data));
                let Some(&next) = READING.get(at + 1) else {
                    self.step = Step::Idle;
                    let values = std::mem::take(&mut self.values);
                    return Reply::Reading { number: self.number, windows: self.windows, values };
                };
                self.step = Step::Register(at + 1);
                Reply::Ask(self.remote(next))
            }
            Step::Idle | Step::Version | Step::Reopened | Step::Freeze | Step::Register(_) => {
                Reply::Discarded(format!("the frame {frame}, which is late or of another node"))
            }
        }
    }
}

/// What no meter of this kind can measure, if a reading holds such a value: twice what a converter
/// of the largest calibration takes, for the sake of others a hundred times the current.
pub(super) fn implausible(values: &[(Quantity, f64)]) -> Option<String> {
    let largest = |quantity: Quantity| match quantity {
        Quantity::VoltageRms => 3e3,
        Quantity::CurrentRms => 4e3,
        Quantity::ActivePower(_) | Quantity::ApparentPower | Quantity::NonActivePower => 4e6,
        // A ratio of roundings, where there is hardly any power.
        Quantity::PowerFactor => 10.0,
        Quantity::Frequency => 1e3,
        // 4 MW for 25 years.
        Quantity::ActiveEnergy(_) => 3.2e15,
        _ => f64::INFINITY,
    };
    let is_wrong = |&&(quantity, value): &&(Quantity, f64)| {
        !value.is_finite() || value.abs() > largest(quantity)
    };
    let (quantity, value) = values.iter().find(is_wrong)?;
    let most = largest(*quantity);
    Some(format!("{quantity:?} is {value:.3} in SI units, expected at most {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(register: Register, data: [u8; 8]) -> Vec<u8> {
        let id = CanId::standard(u32::from(register.identifier(3))).unwrap();
        let mut out = b"z\r".to_vec();
        // The line of a frame is the same in both directions.
        out.extend(Command::Transmit(CanFrame::data(id, &data).unwrap()).encode());
        out
    }

    /// A node that answers, with what it is asked in order.
    fn polled(protocol: &mut NodeProtocol, late: &[u8]) -> Vec<Reply> {
        let asked = protocol.poll();
        assert_eq!(asked, format!("t0231{:02X}\r", protocol.token).into_bytes());
        let mut heard = protocol.heard(late);
        let mut frozen = [0, 0, 0, 9, 0, 0, 5, 0];
        frozen[7] = protocol.token;
        heard.extend(protocol.heard(&answer(Register::Freeze, frozen)));
        for register in READING {
            heard.extend(protocol.heard(&answer(register, [0, 0, 0, 1, 0, 0, 0, 2])));
        }
        heard
    }

    #[test]
    fn a_reading_is_asked_for_register_by_register() {
        let mut protocol = NodeProtocol::new(3, BitRate::S4);
        assert_eq!(protocol.open(), b"\rC\rS4\rO\rr3238\r");
        let found = protocol.heard(&answer(Register::Version, [1, 0, 3, 0, 0, 0xC0, 0xFF, 0xEE]));
        let present = Reply::Present { version: "1.0".to_owned(), node: 3, image: 0x00C0_FFEE };
        assert_eq!(found, [present]);
        let heard = polled(&mut protocol, &[]);
        assert_eq!(heard[0], Reply::Ask(b"r2038\r".to_vec()));
        assert_eq!(heard.len(), 7);
        let Reply::Reading { number, windows, values } = &heard[6] else { panic!("{heard:?}") };
        assert_eq!((*number, *windows, values.len()), (9, 5, 10));
        assert!((values[0].1 - 1e-6).abs() < 1e-12);
    }

    /// An answer of before, and one of another node, change nothing of what comes.
    #[test]
    fn late_answers_are_discarded() {
        let mut protocol = NodeProtocol::new(3, BitRate::S4);
        protocol.poll();
        protocol.give_up();
        let mut late = answer(Register::Freeze, [0, 0, 0, 1, 0, 0, 1, 1]);
        late.extend(answer(Register::VoltageCurrent, [9; 8]));
        late.extend(b"t2018AABB\r");
        let heard = polled(&mut protocol, &late);
        let discarded = heard.iter().filter(|heard| matches!(heard, Reply::Discarded(_))).count();
        assert_eq!(discarded, 3, "{heard:?}");
        assert!(matches!(heard.last(), Some(Reply::Reading { windows: 5, .. })));
    }

    #[test]
    fn a_closed_adapter_is_named() {
        let mut protocol = NodeProtocol::new(3, BitRate::S4);
        protocol.poll();
        assert_eq!(protocol.heard(b"\x07"), [Reply::Refused]);
        assert_eq!(protocol.heard(b"\x07"), []);
    }
}
