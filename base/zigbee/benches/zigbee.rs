//! Relayed reports per second: a payload with six attributes to quantities in SI units.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_zigbee::address::{Eui64, ShortAddress};
use lastmeter_zigbee::relay::{Content, Relay};
use lastmeter_zigbee::scale::Scales;
use lastmeter_zigbee::zcl::global::command;
use lastmeter_zigbee::zcl::{Attribute, Direction, Global, Header, Value, cluster};

const CLUSTER: u16 = cluster::ELECTRICAL_MEASUREMENT;

fn attribute(id: u16, value: Value<'_>) -> Attribute<'_> {
    Attribute { id, value }
}

fn payload() -> Vec<u8> {
    let records = [
        attribute(0x0505, Value::U16(Some(2301))),
        attribute(0x0508, Value::U16(Some(543))),
        attribute(0x050B, Value::I16(Some(1234))),
        attribute(0x050E, Value::I16(Some(-56))),
        attribute(0x050F, Value::U16(Some(1236))),
        attribute(0x0510, Value::I8(Some(99))),
    ];
    let header = Header::global(Direction::ToClient, 7, command::REPORT).without_default_response();
    let frame = header.with_records(&records).expect("values of their types");
    let relay = Relay {
        short: ShortAddress(0x1A2B),
        eui64: Eui64(0x0012_4B00_0102_0304),
        source_endpoint: 1,
        destination_endpoint: 1,
        profile: cluster::PROFILE_HOME_AUTOMATION,
        cluster: CLUSTER,
        lqi: 200,
        aps_counter: 9,
        frame: &frame,
    };
    let mut out = Vec::new();
    relay.encode(&mut out);
    out
}

fn scales() -> Scales {
    let mut scales = Scales::default();
    for id in 0x0600..=0x0605 {
        let scale = attribute(id, Value::U16(Some(if id % 2 == 0 { 1 } else { 10 })));
        assert_eq!(scales.learn(CLUSTER, &scale), Ok(true));
    }
    scales
}

/// The sum of what the attributes of a report measure.
fn decode(payload: &[u8], scales: &Scales) -> f64 {
    let relay = Relay::decode(payload).expect("a payload");
    let Ok(Content::Zcl(frame)) = relay.content() else { return f64::NAN };
    let Ok(Global::Report(records)) = Global::decode(&frame) else { return f64::NAN };
    let value = |record: Attribute<'_>| {
        scales.convert(relay.cluster, &record).expect("known scales").map_or(0.0, |one| one.value)
    };
    records.map(|record| value(record.expect("a record"))).sum()
}

fn report(criterion: &mut Criterion) {
    let (payload, scales) = (payload(), scales());
    assert!((decode(&payload, &scales) - (230.1 + 54.3 + 123.4 - 5.6 + 123.6 + 0.99)).abs() < 1e-9);
    let mut group = criterion.benchmark_group("zigbee");
    group.throughput(Throughput::Elements(1));
    group.bench_function("report of six attributes", |bencher| {
        bencher.iter(|| decode(black_box(&payload), &scales));
    });
    group.finish();
}

criterion_group!(benches, report);
criterion_main!(benches);
