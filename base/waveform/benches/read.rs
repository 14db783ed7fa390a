//! Reading speed of COMTRADE data, in bytes of the `.dat` per second: BINARY and ASCII.
//!
//! The recording is made here: six analogue and sixteen digital channels, 200,000 samples. Binary
//! data is read about as fast as fresh memory for the samples can be had: the figures move with the
//! allocator's state, so compare runs of the same benchmark only.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_waveform::comtrade::{self, DataKind, Revision};
use lastmeter_waveform::{Channel, ChannelKind, DigitalChannel, Recording};

fn recording(samples: usize) -> Recording {
    let channel = |index: usize| Channel {
        name: format!("U{index}"),
        unit: "V".to_owned(),
        kind: ChannelKind::Voltage,
        samples: (0..samples).map(|k| 325.0 * (0.0314 * k as f64 + index as f64).cos()).collect(),
        ..Channel::default()
    };
    let digital = |index: usize| DigitalChannel {
        name: format!("D{index}"),
        normal: false,
        states: (0..samples).map(|k| k >> index & 1 == 1).collect(),
    };
    Recording {
        rate_hz: 10_000.0,
        nominal_hz: Some(50.0),
        channels: (0..6).map(channel).collect(),
        digital: (0..16).map(digital).collect(),
        ..Recording::default()
    }
}

fn read(criterion: &mut Criterion) {
    let recording = recording(200_000);
    let mut group = criterion.benchmark_group("read");
    group.sample_size(20);
    for kind in [DataKind::Binary, DataKind::Float32, DataKind::Ascii] {
        let written = comtrade::write(&recording, kind, Revision::R2013).expect("it fits");
        group.throughput(Throughput::Bytes(written.dat.len() as u64));
        group.bench_function(kind.word(), |bencher| {
            bencher.iter(|| comtrade::read(black_box(&written.cfg), black_box(&written.dat)));
        });
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
