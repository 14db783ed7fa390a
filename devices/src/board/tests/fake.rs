//! A meter board in Rust, with values that a test chooses, and a pump between it and its device.

use std::collections::{BTreeMap, VecDeque};
use std::f64::consts::{SQRT_2, TAU};

use lastmeter_board::cobs;
use lastmeter_board::description::Description;
use lastmeter_board::meter_node::Register;
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::slcan::{Adapter, Order};
use lastmeter_params::{Diagnostic, Diagnostics, read_text};
use lastmeter_sim::{Block, Streams};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, MeasurementMessage, Request, decode};

use crate::board::{BoardContext, BoardWay, board_device};
use crate::border::{
    BoardDevice, BoardInput, BoardOrder, BoardOutput, BoardPort, Device, DeviceFault, EventKind,
    Feed, Input, Output,
};
use crate::context::DeviceContext;
use crate::registry::DEVICES;

/// 2027-01-18T17:00:00Z.
pub(super) const START: SimTime = SimTime(1_800_291_600_000_000_000);

pub(super) const EMULATED: &str = include_str!("../../../boards/emulated-meter.toml");
pub(super) const SLCAN_NODE: &str = include_str!("../../../boards/slcan-node.toml");

/// The paper's meter, whose transducer changes nothing that could be seen in a code.
pub(super) const IDEAL: &str = "report_every = \"1 s\"\ntransducer_start = \"1 us\"\n\
    transducer_bandwidth = \"10 MHz\"\n";

/// Samples of a window of the fake.
const WINDOW: u32 = 500;

/// What a board does with what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Answers,
    /// Nothing reaches it.
    IsDeaf,
    /// It does what it is asked, and its answers wait until they are released.
    AnswersLate,
    /// As before, but for one port only.
    AnswersLateOn(BoardPort),
}

pub(super) struct Fake {
    pub(super) manner: Manner,
    pub(super) node: u8,
    pub(super) version: [u8; 2],
    /// What it claims to be, if not its node.
    pub(super) reported_node: Option<u8>,
    pub(super) image: u32,
    pub(super) registers: BTreeMap<Register, [u8; 8]>,
    /// Pairs taken since it was made, with those of readings that were lost.
    pub(super) pairs: Vec<(u16, u16)>,
    /// The rates with which measuring began.
    pub(super) begins: Vec<u32>,
    pub(super) refused: Vec<u8>,
    pub(super) freezes: u32,
    pub(super) lost: u32,
    pub(super) record: Vec<u8>,
    /// Samples after which it starts by itself.
    pub(super) resets_at: Option<usize>,
    /// Whether it starts again instead of closing a reading.
    pub(super) resets_at_freeze: bool,
    /// Windows that it completes by itself between two orders.
    pub(super) own_windows: u32,
    held: Vec<(BoardPort, Vec<u8>)>,
    adapter: Adapter,
    frames: cobs::Reader,
    last_number: Option<u8>,
    samples: u32,
    read: u32,
    number: u32,
    windows: u32,
}

impl Fake {
    fn new() -> Self {
        let mut registers = BTreeMap::new();
        let two = |a: u32, b: u32| {
            let mut data = [0; 8];
            data[..4].copy_from_slice(&a.to_be_bytes());
            data[4..].copy_from_slice(&b.to_be_bytes());
            data
        };
        registers.insert(Register::VoltageCurrent, two(230_000_000, 5_000_000));
        registers.insert(Register::ActivePower, 575_000_000_i64.to_be_bytes());
        registers.insert(Register::ApparentPower, two(1_150_000, 995_929));
        registers.insert(Register::FactorFrequency, two(500_000, 50_000_000));
        registers.insert(Register::Consumed, 7_200_000_u64.to_be_bytes());
        registers.insert(Register::Injected, 3_600_000_u64.to_be_bytes());
        Self {
            manner: Manner::Answers,
            node: 1,
            version: [1, 0],
            reported_node: None,
            image: 0x00C0_FFEE,
            registers,
            pairs: Vec::new(),
            begins: Vec::new(),
            refused: Vec::new(),
            freezes: 0,
            lost: 0,
            record: Vec::new(),
            resets_at: None,
            resets_at_freeze: false,
            own_windows: 0,
            held: Vec::new(),
            adapter: Adapter::default(),
            frames: cobs::Reader::default(),
            last_number: None,
            samples: 0,
            read: 0,
            number: 0,
            windows: 0,
        }
    }

    /// It starts: its memory is gone, and it wants its record.
    pub(super) fn start(&mut self) -> Vec<(BoardPort, Vec<u8>)> {
        self.adapter = Adapter::default();
        self.frames = cobs::Reader::default();
        self.last_number = None;
        (self.samples, self.read, self.number, self.windows) = (0, 0, 0, 0);
        vec![bench(&[0x84, 0])]
    }

    /// What it answers to bytes on a port.
    fn take(&mut self, port: BoardPort, bytes: &[u8]) -> Vec<(BoardPort, Vec<u8>)> {
        if self.manner == Manner::IsDeaf {
            return Vec::new();
        }
        let answers = match port {
            BoardPort::Stimulus => {
                let frames = self.frames.take(bytes).into_iter();
                frames.flat_map(|frame| self.bench_frame(frame)).collect()
            }
            BoardPort::Network => self.network(bytes),
        };
        let is_late = match self.manner {
            Manner::AnswersLate => true,
            Manner::AnswersLateOn(late) => late == port,
            Manner::Answers | Manner::IsDeaf => false,
        };
        if is_late {
            self.held.extend(answers);
            return Vec::new();
        }
        answers
    }

    fn bench_frame(
        &mut self,
        frame: Result<Vec<u8>, cobs::CobsError>,
    ) -> Vec<(BoardPort, Vec<u8>)> {
        let Ok(frame) = frame else {
            self.refused.push(2);
            return vec![bench(&[0x8E, 2])];
        };
        match (frame[0], &frame[2..]) {
            (1, data) => {
                if self.last_number.replace(frame[1]) != Some(frame[1]) {
                    for three in data.chunks(3) {
                        let both = u32::from_le_bytes([three[0], three[1], three[2], 0]);
                        self.pairs.push(((both & 0xFFF) as u16, (both >> 12) as u16));
                        self.samples += 1;
                    }
                    if self.resets_at.is_some_and(|at| self.pairs.len() >= at) {
                        self.resets_at = None;
                        return self.start();
                    }
                }
                vec![self.taken(frame[1])]
            }
            (2, rate) => {
                self.begins.push(u32::from_le_bytes(rate.try_into().unwrap()));
                self.last_number = None;
                (self.samples, self.read, self.number) = (0, 0, 0);
                vec![self.taken(0)]
            }
            (3, record) => {
                self.record = record.to_vec();
                if let [node] = *record {
                    self.node = node;
                }
                let mut kept = vec![0x83, 0];
                kept.extend([b'E'; 64]);
                let banner = b"LASTMETER meter 1.0 node 1 image 00c0ffee\r".to_vec();
                vec![bench(&kept), (BoardPort::Network, banner)]
            }
            _ => vec![bench(&[0x8E, 3])],
        }
    }

    fn taken(&self, number: u8) -> (BoardPort, Vec<u8>) {
        let mut answer = vec![0x81, number];
        for word in [self.samples, self.samples / WINDOW, self.lost] {
            answer.extend(word.to_le_bytes());
        }
        bench(&answer)
    }

    fn network(&mut self, bytes: &[u8]) -> Vec<(BoardPort, Vec<u8>)> {
        let (mut out, mut restart) = (Vec::new(), Vec::new());
        // One byte at a time: what a frame is answered by comes before the next command's answer.
        for byte in bytes {
            let mut orders = Vec::new();
            self.adapter.bytes(&[*byte], &mut out, &mut orders);
            for order in orders {
                let Order::Transmit(frame) = order else { continue };
                if self.resets_at_freeze && !frame.is_remote() {
                    self.resets_at_freeze = false;
                    restart = self.start();
                    out.clear();
                    break;
                }
                if let Some((id, data)) = self.answer(&frame) {
                    let id = CanId::standard(id).unwrap();
                    let answer = CanFrame::data(id, &data).unwrap();
                    self.adapter.frame(&answer, 0, &mut out);
                }
            }
        }
        restart.insert(0, (BoardPort::Network, out));
        restart
    }

    fn answer(&mut self, frame: &CanFrame) -> Option<(u32, [u8; 8])> {
        let id = frame.id().value();
        if id & 31 != u32::from(self.node) {
            return None;
        }
        if !frame.is_remote() {
            self.freezes += 1;
            let done = self.samples / WINDOW - self.read + self.own_windows;
            if done > 0 {
                self.number += 1;
                self.windows = done;
                self.read = self.samples / WINDOW;
            }
            let mut data = [0; 8];
            data[..4].copy_from_slice(&self.number.to_be_bytes());
            data[4..7].copy_from_slice(&self.windows.to_be_bytes()[1..]);
            data[7] = frame.bytes()[0];
            return Some((id, data));
        }
        if id >> 5 == 0x19 {
            let image = self.image.to_be_bytes();
            let ([major, minor], node) = (self.version, self.reported_node.unwrap_or(self.node));
            return Some((id, [major, minor, node, 0, image[0], image[1], image[2], image[3]]));
        }
        let found = self.registers.iter().find(|(register, _)| **register as u32 == id >> 5)?;
        Some((id, *found.1))
    }
}

/// A frame of the stimulus port.
fn bench(content: &[u8]) -> (BoardPort, Vec<u8>) {
    let mut bytes = Vec::new();
    cobs::encode(content, &mut bytes);
    (BoardPort::Stimulus, bytes)
}

/// A board file and the table of a model as a device.
pub(super) fn build(
    (board, way): (&str, BoardWay),
    (model, table): (&str, &str),
    image: Option<u32>,
) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
    let description = Description::parse(board).unwrap();
    let kind = DEVICES.iter().find(|kind| kind.entry.name == model).unwrap();
    let values = read_text(table, &[kind.entry.fields])?;
    let streams = Streams::new(42);
    let context = DeviceContext {
        name: "home",
        hardware_id: HardwareId::new("home").unwrap(),
        start: START,
        node: None,
        streams: &streams,
        phases: 1,
        has_spectrum: true,
    };
    let board = BoardContext { description: &description, way, image };
    let mut out = Diagnostics::new();
    let device = board_device(kind, &values, &context, &board, &mut out);
    device.ok_or_else(|| out.into_sorted())
}

/// A device with its fake board.
pub(super) struct Bench {
    pub(super) device: Box<dyn Device>,
    pub(super) fake: Fake,
    /// What is not for the board.
    pub(super) out: Vec<Output>,
    pub(super) sent: Vec<(BoardPort, Vec<u8>)>,
    /// How often nothing came.
    pub(super) silences: u32,
    pub(super) at: SimDuration,
    pub(super) samples: u64,
}

impl Bench {
    pub(super) fn of(device: Box<dyn Device>) -> Self {
        Self {
            device,
            fake: Fake::new(),
            out: Vec::new(),
            sent: Vec::new(),
            silences: 0,
            at: SimDuration::ZERO,
            samples: 0,
        }
    }

    /// The emulated meter of this table, started.
    pub(super) fn emulated(table: &str) -> Self {
        let board = (EMULATED, BoardWay::Emulated);
        let device = build(board, ("cvct-stm32f107", table), Some(0x00C0_FFEE)).unwrap();
        let mut bench = Self::of(device);
        bench.step(Input::Connected);
        bench.start();
        bench
    }

    /// The board starts; what it reports reaches the device.
    pub(super) fn start(&mut self) {
        let sent = self.fake.start();
        self.deliver(sent);
    }

    /// One input, and all that follows from it.
    pub(super) fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.device.step(START + self.at, input, &mut out);
        if self.samples == 0 && self.board().board_wait().is_some() && self.fake.record.is_empty() {
            // It is not started yet.
            return self.sort(out, &mut VecDeque::new());
        }
        self.pump(out, VecDeque::new());
    }

    /// The same of the board.
    pub(super) fn board_step(&mut self, input: BoardInput) {
        let (mut out, at) = (Vec::new(), START + self.at);
        self.board().board_step(at, input, &mut out);
        self.pump(out, VecDeque::new());
    }

    pub(super) fn deliver(&mut self, bytes: Vec<(BoardPort, Vec<u8>)>) {
        self.pump(Vec::new(), bytes.into());
    }

    /// What was held back arrives.
    pub(super) fn release(&mut self) {
        self.fake.manner = Manner::Answers;
        let held = std::mem::take(&mut self.fake.held);
        self.deliver(held);
    }

    /// What only a board has.
    pub(super) fn board(&mut self) -> &mut dyn BoardDevice {
        self.device.board().unwrap()
    }

    fn sort(&mut self, out: Vec<Output>, inbox: &mut VecDeque<(BoardPort, Vec<u8>)>) {
        self.out.extend(out);
        for output in self.board().take_board_output() {
            match output {
                BoardOutput::Bytes { port, bytes } => {
                    inbox.extend(self.fake.take(port, &bytes));
                    self.sent.push((port, bytes));
                }
                BoardOutput::Order(BoardOrder::Reset) => inbox.extend(self.fake.start()),
                BoardOutput::Order(BoardOrder::Stop) => self.fake.manner = Manner::AnswersLate,
                BoardOutput::Order(BoardOrder::Continue) => {
                    self.fake.manner = Manner::Answers;
                    inbox.extend(std::mem::take(&mut self.fake.held));
                }
            }
        }
    }

    fn pump(&mut self, out: Vec<Output>, mut inbox: VecDeque<(BoardPort, Vec<u8>)>) {
        let mut out = out;
        for _ in 0..100_000 {
            self.sort(std::mem::take(&mut out), &mut inbox);
            let input = match inbox.pop_front() {
                Some((port, bytes)) => BoardInput::Bytes { port, bytes },
                None if self.board().board_wait().is_some() => {
                    self.silences += 1;
                    BoardInput::Silent
                }
                None => break,
            };
            let at = START + self.at;
            self.board().board_step(at, input, &mut out);
        }
        assert_eq!(self.board().board_wait(), None, "it waits without end");
    }

    /// Hands samples over up to a time, in blocks of so many.
    pub(super) fn run_in(&mut self, seconds: f64, mut length: impl FnMut() -> usize) {
        let Feed::Samples { rate_hz } = self.device.feed() else { panic!("no samples") };
        let end = (seconds * rate_hz).round() as u64;
        while self.samples < end {
            let count = length().clamp(1, (end - self.samples) as usize);
            let times = (self.samples..).map(|k| k as f64 / rate_hz).take(count);
            let (voltages, currents) = times.map(|t| (voltage(t), current(t))).unzip();
            let block = Block {
                voltages: vec![voltages],
                currents: vec![currents],
                temperatures: Vec::new(),
            };
            let first_sample = self.samples;
            self.samples += count as u64;
            self.at = SimDuration::from_seconds_f64((self.samples as f64 - 1.0) / rate_hz);
            self.step(Input::Samples { first_sample, rate_hz, block });
        }
    }

    /// The same in blocks of some ten milliseconds.
    pub(super) fn run(&mut self, seconds: f64) {
        self.run_in(seconds, || 1000);
    }

    /// The same, by so many seconds more.
    pub(super) fn run_on(&mut self, seconds: f64) {
        self.run(self.seconds() + seconds);
    }

    /// How far samples have been handed over.
    pub(super) fn seconds(&self) -> f64 {
        let Feed::Samples { rate_hz } = self.device.feed() else { panic!("no samples") };
        self.samples as f64 / rate_hz
    }

    /// Lets time pass, for a device that is given nothing else.
    pub(super) fn pass(&mut self, seconds: f64) {
        self.at = SimDuration::from_seconds_f64(seconds);
        self.step(Input::Passed);
    }

    pub(super) fn fault(&mut self, fault: DeviceFault) {
        self.step(Input::Fault(fault));
    }

    /// Details of what was noted of a kind.
    pub(super) fn notes(&self, wanted: EventKind) -> Vec<&str> {
        let details = self.out.iter().filter_map(|output| match output {
            Output::Event { kind, detail } if *kind == wanted => Some(detail.as_str()),
            _ => None,
        });
        details.collect()
    }

    /// The readings: seconds since the start and values by identifier.
    pub(super) fn readings(&self) -> Vec<MeasurementMessage> {
        let sent = self.out.iter().filter_map(|output| match output {
            Output::Send { payload, .. } => Some(decode(payload, &DecodeRules::default()).unwrap()),
            _ => None,
        });
        let readings = sent.filter_map(|request| match request {
            Request::Measurements(message) => Some(message),
            _ => None,
        });
        readings.collect()
    }

    /// When the readings were due, in seconds since the start, by their numbers from 1.
    pub(super) fn due(&self) -> Vec<f64> {
        let readings = self.readings();
        for (index, reading) in readings.iter().enumerate() {
            assert_eq!(reading.serial.unwrap().0, index as u64 + 1);
        }
        let since = |reading: &MeasurementMessage| reading.event_date.unwrap() - START;
        readings.iter().map(|reading| since(reading).as_seconds_f64()).collect()
    }
}

/// The values of a reading by identifier.
pub(super) fn values(reading: &MeasurementMessage) -> BTreeMap<&'static str, f64> {
    reading.values.iter().map(|&(id, value)| (MeasurementId::name(id), value)).collect()
}

/// What the plant carries, in volts and amperes, at seconds since the start.
pub(super) fn voltage(t: f64) -> f64 {
    230.0 * SQRT_2 * (TAU * 50.0 * t).sin()
}

/// See [`voltage`].
pub(super) fn current(t: f64) -> f64 {
    5.0 * SQRT_2 * (TAU * 50.0 * t - TAU / 6.0).sin()
}
