//! How many readings of twenty values a core encodes and decodes per second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, MeasurementMessage, decode, encode_measurements};

fn reading() -> MeasurementMessage {
    let values = MeasurementId::all()
        .take(20)
        .enumerate()
        .map(|(index, id)| (id, 230.0 + (index as f64).sqrt()))
        .collect();
    MeasurementMessage {
        event_date: Some(SimTime(1_800_291_600_000_000_000)),
        update_state: true,
        epoch: Some(Epoch(1)),
        serial: Some(Serial(4711)),
        ..MeasurementMessage::new(HardwareId::new("home-007").expect("a valid id"), values)
    }
}

fn flexmeter(criterion: &mut Criterion) {
    let message = reading();
    let mut payload = Vec::new();
    encode_measurements(&message, &mut payload);
    let rules = DecodeRules { strict_table2: true, ..DecodeRules::default() };
    let mut group = criterion.benchmark_group("flexmeter, 20 values");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            encode_measurements(black_box(&message), &mut out);
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| decode(black_box(&payload), &rules));
    });
    group.finish();
}

criterion_group!(benches, flexmeter);
criterion_main!(benches);
