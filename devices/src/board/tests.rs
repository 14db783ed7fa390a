//! A board as a device, against one played here: samples once and in order, noise, silence, late
//! answers, restarts, the wrong board, and one that is gone.

use lastmeter_board::bench_port::RECORD_BYTES;
use lastmeter_board::cobs;
use lastmeter_board::description::Description;
use lastmeter_board::meter_node::Register;
use lastmeter_can::frame::CanFrame;
use lastmeter_can::slcan::{Adapter, Event, Settings};
use lastmeter_params::{Diagnostics, SourceId, Span, Values, parse_document, read_table};
use lastmeter_sim::{Block, Streams};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use proptest::prelude::*;

use super::{BoardContext, BoardWay, board_device};
use crate::border::{BoardPort, Device, DeviceFault, EventKind, Feed, Input, Output};
use crate::model::kind::DeviceContext;
use crate::registry::DEVICES;

const FILE: &str = r#"format = 1
[board]
name = "fake"
language = "meter-node"
node = 2
[ready]
version = "1.0"
[emulated]
firmware = "meter"
"#;

const TABLE: &str = "sample_rate = \"4 kHz\"\nreport_every = \"1 s\"\nquantities = [\"voltage\"]\n";

/// What the board played here does, and has seen.
struct Fake {
    adapter: Adapter,
    frames: cobs::Reader,
    version: [u8; 2],
    node: u8,
    image: u32,
    record: Vec<u8>,
    pairs: Vec<(u16, u16)>,
    last: Option<u8>,
    begun: u32,
    /// Whether it answers; what it would have answered is kept.
    is_silent: bool,
    late: Vec<(BoardPort, Vec<u8>)>,
    millivolts: u32,
    refused: u32,
}

impl Fake {
    fn new() -> Self {
        Self {
            adapter: Adapter::new(Settings::default()),
            frames: cobs::Reader::default(),
            version: [1, 0],
            node: 2,
            image: 7,
            record: Vec::new(),
            pairs: Vec::new(),
            last: None,
            begun: 0,
            is_silent: false,
            late: Vec::new(),
            millivolts: 230_000,
            refused: 0,
        }
    }

    fn frame(content: &[u8]) -> (BoardPort, Vec<u8>) {
        let mut bytes = Vec::new();
        cobs::encode(content, &mut bytes);
        (BoardPort::Bench, bytes)
    }

    /// What it sends when it starts.
    fn start(&mut self) -> Vec<(BoardPort, Vec<u8>)> {
        self.adapter = Adapter::new(Settings::default());
        self.last = None;
        vec![Self::frame(&[0x84, 0])]
    }

    fn bench(&mut self, bytes: &[u8]) -> Vec<(BoardPort, Vec<u8>)> {
        let mut out = Vec::new();
        for found in self.frames.take(bytes) {
            let Ok(content) = found else {
                self.refused += 1;
                out.push(Self::frame(&[0x8E, 2]));
                continue;
            };
            let taken = |number: u8| {
                let mut answer = vec![0x81, number];
                answer.extend([0; 12]);
                Self::frame(&answer)
            };
            match content[0] {
                1 => {
                    if self.last.replace(content[1]) != Some(content[1]) {
                        let word = |it: &[u8]| u32::from_le_bytes([it[0], it[1], it[2], 0]);
                        let pair = |word: u32| ((word & 0xFFF) as u16, (word >> 12) as u16);
                        self.pairs.extend(content[2..].chunks(3).map(|it| pair(word(it))));
                    }
                    out.push(taken(content[1]));
                }
                2 => {
                    self.begun += 1;
                    out.push(taken(0));
                }
                _ => {
                    self.record = content[2..].to_vec();
                    let mut keep = vec![0x83, 0];
                    keep.extend([5; RECORD_BYTES]);
                    out.push(Self::frame(&keep));
                }
            }
        }
        out
    }

    fn network(&mut self, bytes: &[u8]) -> Vec<(BoardPort, Vec<u8>)> {
        let (mut answers, mut events) = (Vec::new(), Vec::new());
        self.adapter.bytes_from_host(bytes, &mut answers, &mut events);
        for event in events {
            let Event::Transmit(frame) = event else { continue };
            let mut data = [0; 8];
            let is = |register: Register| frame.id().value() == u32::from(register.identifier(2));
            if is(Register::Version) {
                data[..3].copy_from_slice(&[self.version[0], self.version[1], self.node]);
                data[4..].copy_from_slice(&self.image.to_be_bytes());
            } else if is(Register::Freeze) {
                data[6..].copy_from_slice(&[5, frame.bytes()[0]]);
            } else if is(Register::VoltageCurrent) {
                data[..4].copy_from_slice(&(1000 * self.millivolts).to_be_bytes());
            }
            let answer = CanFrame::data(frame.id(), &data).unwrap();
            self.adapter.frame_to_host(&answer, 0, &mut answers);
        }
        vec![(BoardPort::Network, answers)]
    }
}

struct Bench {
    device: Box<dyn Device>,
    fake: Fake,
    now: SimTime,
    sample: u64,
    /// Everything but what went to the board.
    said: Vec<Output>,
}

fn values() -> Values {
    let kind = DEVICES.iter().find(|kind| kind.entry.name == "cvct-stm32f107").unwrap();
    let mut out = Diagnostics::new();
    let table = parse_document(TABLE, SourceId::FILE, &mut out);
    read_table(&table, Span::default(), kind.entry.fields, &mut out).unwrap()
}

impl Bench {
    fn new(fake: Fake) -> Self {
        let kind = DEVICES.iter().find(|kind| kind.entry.name == "cvct-stm32f107").unwrap();
        let description = Description::parse(FILE).unwrap();
        let streams = Streams::new(1);
        let context = DeviceContext {
            name: "meter",
            hardware_id: HardwareId::new("meter").unwrap(),
            start: SimTime(0),
            streams: &streams,
            phases: 1,
            has_spectrum: true,
        };
        let board =
            BoardContext { description: &description, way: BoardWay::Emulated, image: Some(7) };
        let mut out = Diagnostics::new();
        let device = board_device(kind, &values(), &context, &board, &mut out).unwrap();
        let mut bench = Self { device, fake, now: SimTime(0), sample: 0, said: Vec::new() };
        let first = bench.fake.start();
        bench.step(Input::Connected);
        bench.step(Input::Passed);
        bench.bring(first);
        bench.settle();
        bench
    }

    /// Hands on an input, and what the board answers to what follows.
    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.device.step(self.now, input, &mut out);
        for output in out {
            let Output::ToBoard { port, bytes } = output else {
                self.said.push(output);
                continue;
            };
            let answers = match port {
                BoardPort::Bench => self.fake.bench(&bytes),
                BoardPort::Network => self.fake.network(&bytes),
            };
            self.fake.late.extend(answers);
        }
    }

    fn bring(&mut self, answers: Vec<(BoardPort, Vec<u8>)>) {
        for (port, bytes) in answers {
            self.step(Input::FromBoard { port, bytes });
        }
    }

    /// Until the device waits for nothing; a board that is silent is waited for in vain.
    fn settle(&mut self) {
        for _ in 0..20_000 {
            if self.device.board_wait().is_none() {
                return;
            }
            if self.fake.is_silent || self.fake.late.is_empty() {
                self.step(Input::BoardSilent);
            } else {
                let answers = std::mem::take(&mut self.fake.late);
                self.bring(answers);
            }
        }
        panic!("it waits for ever: {:?}", self.device.board_wait());
    }

    /// So many seconds of samples, in pieces of so many.
    fn run(&mut self, seconds: f64, piece: usize) {
        let Feed::Samples { rate_hz } = self.device.feed() else { panic!("no samples") };
        let end = self.sample + (seconds * rate_hz) as u64;
        while self.sample < end {
            let count = piece.min((end - self.sample) as usize);
            let wave = |k: usize| 100.0 * ((self.sample + k as u64) as f64 / 50.0).sin();
            let channel: Vec<f64> = (0..count).map(wave).collect();
            let block = Block {
                voltages: vec![channel.clone()],
                currents: vec![vec![0.0; count]],
                ..Block::default()
            };
            let first_sample = self.sample;
            self.sample += count as u64;
            self.now = SimTime(0) + SimDuration::from_seconds_f64(self.sample as f64 / rate_hz);
            self.step(Input::Samples { first_sample, rate_hz, block });
            self.settle();
        }
    }

    fn readings(&self) -> usize {
        self.said.iter().filter(|output| matches!(output, Output::Send { .. })).count()
    }

    fn events(&self, kind: EventKind) -> Vec<&str> {
        let mut found = Vec::new();
        for output in &self.said {
            if let Output::Event { kind: own, detail } = output
                && *own == kind
            {
                found.push(detail.as_str());
            }
        }
        found
    }
}

#[test]
fn samples_arrive_once_and_each_reading_is_made() {
    let mut bench = Bench::new(Fake::new());
    assert_eq!(bench.fake.record, [2], "a blank EEPROM with the address switches");
    bench.run(3.0, 1000);
    assert_eq!((bench.readings(), bench.fake.begun), (3, 1));
    // Three seconds but what the converter's filter has not completed, and what is no whole frame.
    assert!((11_900..=12_000).contains(&bench.fake.pairs.len()), "{}", bench.fake.pairs.len());
    // 100 V are 262 codes about the middle, inverted.
    let (low, high) = bench
        .fake
        .pairs
        .iter()
        .skip(4000)
        .fold((4095, 0), |(low, high), pair| (low.min(pair.0), high.max(pair.0)));
    assert!((1707 - 262_u16).abs_diff(low) <= 1 && (1707 + 262_u16).abs_diff(high) <= 1);
    let Some(Output::Send { payload, .. }) =
        bench.said.iter().find(|output| matches!(output, Output::Send { .. }))
    else {
        panic!("no reading")
    };
    let text = String::from_utf8_lossy(payload);
    assert!(text.contains("\"electricity.voltage.rms.l1\":230.0"), "{text}");
}

#[test]
fn noise_is_refused_and_what_it_struck_is_sent_again() {
    let mut bench = Bench::new(Fake::new());
    bench.run(0.5, 1000);
    bench.step(Input::Fault(DeviceFault::NoiseToBoard { frames: 3 }));
    bench.run(2.5, 1000);
    assert_eq!((bench.fake.refused, bench.readings()), (3, 3));
    assert_eq!(bench.events(EventKind::BoardRetried).len(), 3);
    assert!((11_900..=12_000).contains(&bench.fake.pairs.len()));
}

#[test]
fn silence_costs_its_readings_and_late_answers_nothing() {
    let mut bench = Bench::new(Fake::new());
    bench.run(1.5, 1000);
    bench.fake.is_silent = true;
    bench.run(1.0, 1000);
    // What it would have answered comes now, late, and it is there again.
    bench.fake.is_silent = false;
    bench.fake.millivolts = 231_000;
    bench.run(2.5, 1000);
    // Of 1 s, 4 s and 5 s; those of 2 s and 3 s are left out.
    assert_eq!(bench.readings(), 3, "{:?}", bench.said);
    let left_out = bench.events(EventKind::ReadingLeftOut);
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert!(left_out[0].starts_with("board fake: no reading at"), "{left_out:?}");
    assert_eq!(bench.events(EventKind::BoardSilent).len(), 1);
}

#[test]
fn a_board_that_starts_again_loses_the_reading_under_way() {
    let mut bench = Bench::new(Fake::new());
    bench.run(1.5, 1000);
    let started = bench.fake.start();
    bench.bring(started);
    bench.settle();
    assert_eq!(bench.fake.record, [5; RECORD_BYTES], "its record comes back");
    bench.run(1.5, 1000);
    assert_eq!((bench.readings(), bench.fake.begun), (2, 2));
    assert_eq!(bench.events(EventKind::BoardRestarted).len(), 1);
    assert_eq!(bench.events(EventKind::ReadingLeftOut).len(), 1);
}

#[test]
fn another_board_than_the_one_that_is_wanted_is_a_fault() {
    let fault = |change: fn(&mut Fake)| {
        let mut fake = Fake::new();
        change(&mut fake);
        Bench::new(fake).device.board_fault().unwrap_or_default()
    };
    assert!(fault(|fake| fake.node = 3).contains("node 3 answers, expected node 2"));
    assert!(fault(|fake| fake.version = [2, 1]).contains("is version 2.1, expected 1.0"));
    assert!(fault(|fake| fake.image = 8).contains("the CRC-32 00000008, expected 00000007"));
    assert!(fault(|fake| fake.is_silent = true).contains("no answer within"));
    assert_eq!(fault(|_| ()), "");
}

#[test]
fn a_board_that_is_gone_is_asked_nothing_any_more() {
    let mut bench = Bench::new(Fake::new());
    bench.run(1.5, 1000);
    bench.step(Input::BoardLost { reason: "closed".to_owned() });
    let pairs = bench.fake.pairs.len();
    bench.run(2.0, 1000);
    assert_eq!((bench.readings(), bench.fake.pairs.len()), (1, pairs));
    assert_eq!(bench.events(EventKind::BoardLost).len(), 1);
    assert_eq!(bench.events(EventKind::ReadingLeftOut).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// How samples are cut changes nothing of what the board gets and what is reported.
    #[test]
    fn the_cut_of_samples_changes_nothing(piece in 7_usize..9000) {
        let of = |piece: usize| {
            let mut bench = Bench::new(Fake::new());
            bench.run(2.2, piece);
            let sent = |output: &Output| match output {
                Output::Send { payload, .. } => Some(payload.clone()),
                _ => None,
            };
            (bench.said.iter().filter_map(sent).collect::<Vec<_>>(), bench.fake.pairs)
        };
        let (one, other) = (of(4096), of(piece));
        prop_assert_eq!(one.0, other.0);
        let both = one.1.len().min(other.1.len());
        prop_assert_eq!(&one.1[..both], &other.1[..both]);
    }

    #[test]
    fn nothing_that_a_board_sends_makes_it_panic_or_hang(
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)), 0..20),
    ) {
        let mut bench = Bench::new(Fake::new());
        bench.run(0.7, 1000);
        for (is_bench, bytes) in pieces {
            let port = if is_bench { BoardPort::Bench } else { BoardPort::Network };
            bench.step(Input::FromBoard { port, bytes });
        }
        bench.settle();
        bench.run(1.0, 1000);
    }
}
