//! Arbitrary and damaged bytes: no decoder panics, and what one takes is written back as it came.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::fmt::Write as _;

use lastmeter_rts::point_map::{Plausibility, PointMap, unnoticeable_shifts};
use lastmeter_rts::{
    AsyncIp, ByteOrder, FieldType, Format, FrameDescription, FrameField, Framing, Gtnet,
    GtnetHeader, GtnetPoint, Reassembly, Refusals, Sample, SequenceWatch, Wire,
};

const INPUTS: usize = 100_000;

/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// A frame with some bytes changed, and at times cut or continued.
    fn damaged(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut damaged = frame.to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(damaged.len());
            damaged[at] = self.next() as u8;
        }
        match self.below(4) {
            0 => damaged.truncate(self.below(frame.len() + 1)),
            1 => {
                let count = self.below(12);
                damaged.extend(self.bytes(count));
            }
            _ => {}
        }
        damaged
    }
}

/// Feeds a decoder; returns how many inputs it took and what it refused.
fn feed(format: &Format, valid: &[u8]) -> (usize, Refusals) {
    let mut random = Random(valid.len() as u64);
    let (mut taken, mut refusals) = (0, Refusals::default());
    let (mut sample, mut again) = (Sample::default(), Vec::new());
    for nth in 0..INPUTS {
        let input = if nth.is_multiple_of(4) {
            let count = random.below(2 * valid.len() + 1);
            random.bytes(count)
        } else {
            random.damaged(valid)
        };
        match format.decode(&input, &mut sample) {
            Ok(()) => {
                taken += 1;
                again.clear();
                format.encode(&sample, &mut again).unwrap();
                assert_eq!(again, input);
            }
            Err(rejection) => refusals.count(rejection.refusal),
        }
    }
    assert_eq!(taken as u64 + refusals.total(), INPUTS as u64);
    (taken, refusals)
}

/// Formats that use every bit of a frame, each with a frame of it.
fn formats() -> [(Format, Vec<u8>); 4] {
    let points = [GtnetPoint::Int32, GtnetPoint::Float32].repeat(4);
    let gtnet = |header| Gtnet::new(header, points.clone()).unwrap();
    let mut async_ip = vec![1, 0, 0, 0, 0, 0, 32, 0];
    async_ip.resize(40, 0x41);
    let field = |bit, width, of| FrameField {
        bit_offset: bit,
        ..FrameField::new(0, width, ByteOrder::Little, of)
    };
    let described = vec![
        field(0, 3, FieldType::Boolean),
        field(3, 37, FieldType::Unsigned),
        FrameField::new(5, 32, ByteOrder::Big, FieldType::Float32),
        FrameField::new(9, 64, ByteOrder::Big, FieldType::Signed),
        FrameField::new(17, 64, ByteOrder::Little, FieldType::Float64),
        FrameField::new(25, 64, ByteOrder::Little, FieldType::Unsigned),
    ];
    let described = FrameDescription::new(described, None);
    [
        (Format::GtnetSkt(gtnet(GtnetHeader::None)), vec![0x42; 32]),
        (Format::GtnetSkt(gtnet(GtnetHeader::SequenceAndTime)), vec![0x12; 44]),
        (Format::OpalAsyncIp(AsyncIp::new(4, 1, Some(1))), async_ip),
        (Format::DescribedFrame(described), vec![0x40; 33]),
    ]
}

#[test]
fn no_frame_makes_a_decoder_panic() {
    for (format, valid) in formats() {
        let name = format!("{format:?}");
        let (taken, refusals) = feed(&format, &valid);
        assert!(taken > INPUTS / 20, "{name}: {taken} taken");
        assert!(refusals.by_reason().count() >= 3, "{name}: {refusals:?}");
    }
}

#[test]
fn no_stream_makes_a_reassembly_panic() {
    for framing in [Framing::Fixed(0), Framing::Fixed(32), Framing::AsyncIp] {
        let mut random = Random(7);
        let (mut stream, mut lost) = (Reassembly::new(framing), 0);
        for _ in 0..INPUTS {
            let count = random.below(40);
            let mut bytes = random.bytes(count);
            // Zeros are headers of frames without values.
            if random.below(3) > 0 {
                bytes.fill(0);
            }
            stream.push(&bytes);
            if random.below(50) == 0 {
                stream.close();
            }
            while let Some(next) = stream.next_frame() {
                let (frame, length) = (next.map(<[u8]>::len), framing);
                match (frame, length) {
                    (Ok(found), Framing::Fixed(length)) => assert_eq!(found, length.max(1)),
                    (Ok(found), Framing::AsyncIp) => {
                        assert!(found.is_multiple_of(8) && found <= 520);
                    }
                    (Err(_), _) => lost += 1,
                }
            }
            if stream.is_lost() || random.below(50) == 0 {
                stream = Reassembly::new(framing);
            }
        }
        assert!(lost > 0 || framing == Framing::Fixed(0));
    }
}

/// One of these, or at times nothing.
fn key(random: &mut Random, name: &str, of: &[&str]) -> String {
    match random.below(of.len() + 1) {
        0 => String::new(),
        at => format!("{name} = {}\n", of[at - 1]),
    }
}

#[test]
fn no_map_of_a_described_frame_makes_a_panic_and_what_is_taken_can_be_put_to_work() {
    const ORDERS: [&str; 2] = ["\"little\"", "\"big\""];
    let (mut random, mut taken, mut mistakes) = (Random(17), 0, 0);
    for _ in 0..INPUTS / 10 {
        let mut text = "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"frame\"\n\
                        sample_rate = \"50 Hz\"\nbyte_order = \"big\"\n"
            .to_owned();
        text += &key(&mut random, "frame_bytes_from_simulator", &["24", "60000"]);
        for point in 0..=random.below(4) {
            let kind = ["float", "integer", "boolean"][random.below(3)];
            writeln!(
                text,
                "[[point]]\nname = \"p{point}\"\ndirection = \"from-simulator\"\n\
                 type = \"{kind}\""
            )
            .unwrap();
            let bits = ["32", "64", "8", "12", "1"][random.below(5)];
            writeln!(text, "bits = {}", if random.below(50) == 0 { "65" } else { bits }).unwrap();
            if random.below(3) == 0 {
                writeln!(text, "byte_offset = {}", random.below(24)).unwrap();
                text += &key(&mut random, "bit_offset", &["0", "3"]);
            }
            text += &key(&mut random, "byte_order", &ORDERS);
            if kind == "integer" {
                text += &key(&mut random, "unsigned", &["true", "false"]);
                text += &key(&mut random, "least", &["0\ngreatest = 100"]);
            }
        }
        match PointMap::parse(&text) {
            Err(error) => mistakes += error.0.len(),
            Ok(map) => {
                taken += 1;
                let mut wire = Wire::new(&map, random.below(2) == 0).unwrap();
                let mut watcher = Plausibility::new(&map);
                for _ in 0..4 {
                    let count = random.below(60);
                    for sample in wire.arrived(&random.bytes(count)).into_iter().flatten() {
                        watcher.observe(&sample);
                    }
                }
                assert!(unnoticeable_shifts(&map).len() < map.points.len());
            }
        }
    }
    assert!(taken > INPUTS / 100 && mistakes > INPUTS / 20, "{taken} {mistakes}");
}

#[test]
fn no_number_makes_a_watch_panic() {
    let mut random = Random(13);
    for bits in [0, 8, 16, 32, 63, 64, u32::MAX] {
        let mut watch = SequenceWatch::new(bits);
        for _ in 0..INPUTS {
            let number = random.next() >> random.below(64);
            watch.observe(number);
        }
    }
}
