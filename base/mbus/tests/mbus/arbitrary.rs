//! Any bytes: nothing panics, and what is read as a record is read the same again once written.

use lastmeter_mbus::application::Application;
use lastmeter_mbus::baud::BaudRate;
use lastmeter_mbus::frame::{Frame, checksum};
use lastmeter_mbus::header::Identity;
use lastmeter_mbus::master::{Job, Master, MasterConfig, Step, Target};
use lastmeter_mbus::reader::Reader;
use lastmeter_mbus::record::{Item, Record, Records};
use lastmeter_mbus::slave::{Slave, SlaveConfig};
use lastmeter_units::SimTime;

/// Frames to begin from: a heat meter's answer, a fixed structure, data to a slave, an error.
const SEEDS: [&[u8]; 4] = [
    &[
        0x68, 0x2A, 0x2A, 0x68, 0x08, 0x02, 0x72, 0x78, 0x56, 0x34, 0x12, 0x24, 0x40, 0x01, 0x04,
        0x55, 0x00, 0x00, 0x00, 0x0C, 0x06, 0x27, 0x04, 0x85, 0xF2, 0x04, 0x6D, 0x1E, 0x97, 0x9F,
        0x2C, 0x8B, 0x60, 0x84, 0x70, 0x12, 0x34, 0x56, 0x0D, 0xFD, 0x10, 0x03, 0x41, 0x42, 0x43,
        0x1F, 0x70, 0x16,
    ],
    &[
        0x68, 0x13, 0x13, 0x68, 0x08, 0x05, 0x73, 0x78, 0x56, 0x34, 0x12, 0x0A, 0x00, 0xE9, 0x7E,
        0x01, 0x00, 0x00, 0x00, 0x35, 0x01, 0x00, 0x00, 0x3C, 0x16,
    ],
    &[0x68, 0x06, 0x06, 0x68, 0x53, 0xFE, 0x51, 0x01, 0x7A, 0x08, 0x25, 0x16],
    &[0x68, 0x04, 0x04, 0x68, 0x08, 0x01, 0x70, 0x08, 0x81, 0x16],
];

/// Numbers that look random and are the same each time (xorshift64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// Changed seeds, most of them with their lengths and checksum made right again, or anything.
    fn input(&mut self) -> Vec<u8> {
        if self.below(8) == 0 {
            let length = self.below(280);
            return (0..length).map(|_| self.next() as u8).collect();
        }
        let mut bytes = SEEDS[self.below(SEEDS.len())].to_vec();
        for _ in 0..=self.below(5) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.next() as u8,
                2 => bytes.insert(at, self.next() as u8),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                return bytes;
            }
        }
        if bytes.len() > 8 && self.below(4) > 0 {
            let length = (bytes.len() - 6) as u8;
            bytes[..4].copy_from_slice(&[0x68, length, length, 0x68]);
            let end = bytes.len();
            bytes[end - 2] = checksum(&bytes[4..end - 2]);
            bytes[end - 1] = 0x16;
        }
        bytes
    }
}

fn written_again(record: &Record<'_>) {
    let mut out = Vec::new();
    let written = record.encode(&mut out);
    assert_eq!(written, Ok(()), "{record:?}");
    assert_eq!(Records::new(&out).next(), Some(Ok(Item::Record(*record))));
    let _ = (record.decimal(), record.number(), record.value.to_string());
    record.vifes.modifiers().for_each(drop);
}

/// Everything that takes bytes takes these; how many were a frame with valid records.
fn take(bytes: &[u8]) -> u64 {
    for item in Records::new(bytes).flatten() {
        if let Item::Record(record) = item {
            written_again(&record);
        }
    }
    let Ok(frame) = Frame::decode(bytes) else { return 0 };
    let mut again = Vec::new();
    assert_eq!(frame.encode(&mut again), Ok(()));
    assert_eq!(Frame::decode(&again), Ok(frame));
    let telegram = again.get(6..).unwrap_or_default().to_vec();
    let address = frame.address().unwrap_or_default();
    let mut slave = Slave::new(SlaveConfig::new(address, Identity::default()), vec![telegram]);
    for request in [bytes, &[0x10, 0x7B, 0xFE, 0x79, 0x16]] {
        let _ = slave.receive(SimTime(0), request);
    }
    let Ok(application) = Application::decode(&frame) else { return 0 };
    let mut out = Vec::new();
    assert_eq!(application.encode(&mut out), Ok(()), "{application:?}");
    u64::from(Application::decode_all(&frame).is_ok())
}

/// A master and a reader that receive these bytes as the answer to a request.
fn receive(bytes: &[u8], jobs: &[Job]) {
    let mut reader = Reader::new(BaudRate::Baud2400);
    let mut master = Master::new(MasterConfig { repetitions: 0, ..MasterConfig::default() });
    for job in jobs {
        master.submit(*job);
    }
    let mut now = SimTime(0);
    for _ in 0..8 {
        match master.step(now) {
            Step::Idle => break,
            Step::Wait(until) => now = until,
            Step::Send { bytes: sent, baud } => {
                now = now + baud.bytes(sent.len()) + baud.bits(30);
                for &byte in bytes {
                    now += baud.bytes(1);
                    let _ = reader.byte(now, byte);
                    master.byte(now, byte);
                }
            }
        }
    }
    reader.end();
    assert!(reader.is_idle());
}

fn search(inputs: u64) {
    let jobs = [
        Job::Read { target: Target::Primary(2), initialise: false },
        Job::Search { among: Identity::ANY },
    ];
    let (mut dice, mut valid) = (Dice(0x9e37_79b9_7f4a_7c15), 0);
    for number in 0..inputs {
        let bytes = dice.input();
        valid += take(&bytes);
        if number % 16 == 0 {
            receive(&bytes, &jobs);
        }
    }
    println!("{inputs} inputs, {valid} of them valid");
    assert!(valid > inputs / 50, "only {valid} of {inputs} are valid: most of it is not reached");
}

#[test]
fn no_bytes_make_anything_panic() {
    search(100_000);
}

/// `tests/run long` runs it, by `tests/long/mbus_ten_million.sh`.
#[test]
#[ignore = "takes minutes and a release build: tests/run long runs it"]
fn ten_million_inputs_make_nothing_panic() {
    search(10_000_000);
}
