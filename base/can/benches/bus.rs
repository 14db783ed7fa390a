//! The bus: frames per second where nothing disturbs them, and bits per second where each is looked
//! at; 2.5 million bits a second are twenty times a bus of 125 kbit/s.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_can::bus::{Bus, Detail, Happening};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::wire::frame_bits;
use lastmeter_units::{SimDuration, SimTime};

const BIT: SimDuration = SimDuration(8_000);
const FRAMES: u64 = 10_000;

/// A bus on which each node has a frame with 8 bytes at any time; how many bits it took.
fn saturated(detail: Detail, nodes: u32) -> u64 {
    let mut bus = Bus::new(detail, BIT, SimTime(0), nodes as usize);
    let frame = |node: u32, count: u64| {
        let id = CanId::standard(0x200 + node).expect("eleven bits");
        CanFrame::data(id, &count.to_be_bytes()).expect("eight bytes")
    };
    for node in 0..nodes {
        bus.offer(node as usize, SimTime(0), Some(frame(node, 0)));
    }
    let (mut sent, mut bits) = (0, 0);
    while sent < FRAMES {
        let event = bus.pop(SimTime(i64::MAX)).expect("there is always one to send");
        if let Happening::Sent(done) = event.what {
            (sent, bits) = (sent + 1, bits + u64::from(frame_bits(&done)) + 3);
            bus.offer(event.node, event.at, Some(frame(event.node as u32, sent)));
        }
    }
    bits
}

fn bus(c: &mut Criterion) {
    for nodes in [3, 20] {
        let mut group = c.benchmark_group(format!("bus of {nodes} nodes"));
        group.throughput(Throughput::Elements(FRAMES));
        group.bench_function("frames", |b| b.iter(|| black_box(saturated(Detail::Frames, nodes))));
        group.throughput(Throughput::Elements(saturated(Detail::Frames, nodes)));
        group.bench_function("bits", |b| b.iter(|| black_box(saturated(Detail::Bits, nodes))));
        group.finish();
    }
}

criterion_group!(benches, bus);
criterion_main!(benches);
