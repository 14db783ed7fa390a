//! A gateway's packets at the platform: decrypted and decoded.
//! `cargo bench -p lastmeter-zigbee --bench session`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_units::SimTime;
use lastmeter_zigbee::delivery::Outbox;
use lastmeter_zigbee::keys::NetworkKey;
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::payload::{Content, Delivered};
use lastmeter_zigbee::session::{
    GatewayEnd, GatewaySettings, KnownNetwork, Limits, PlatformEnd, PlatformEvent,
};

const NOW: SimTime = SimTime(1_800_000_000_000_000_000);
const PACKETS: u32 = 1000;
/// A report of six attributes behind the addresses of a relayed frame.
const FRAME_BYTES: usize = 53;

/// A session that is open, and packets of its gateway.
fn opened() -> (PlatformEnd, Vec<u8>) {
    let key = NetworkKey::new([7; 16]);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let settings = GatewaySettings::new(GatewayAddress(1), "home", key.clone());
    let mut gateway = GatewayEnd::new(settings, [1; 16], NOW, &mut up);
    let mut platform = PlatformEnd::new(NOW, Limits::default());
    platform.receive(NOW, &up, &mut down, |_| ());
    let known = KnownNetwork { name: "home", key: &key, delivered: Delivered::default() };
    platform.answer(NOW, Ok(known), &[2; 16], &mut down).expect("the same key");
    up.clear();
    gateway.receive(NOW, &down, &mut up, |_| ());
    let mut outbox = Outbox::new(1 << 20);
    for _ in 0..PACKETS {
        outbox.put(0, &Content::Relay { network_type: 0, frame: &[0xA5; FRAME_BYTES] });
    }
    while let Some(waiting) = outbox.next_to_send(PACKETS as usize) {
        let write = |to: &mut Vec<u8>| to.extend_from_slice(&waiting.payload);
        gateway.send_payload(NOW, waiting.opcode, write, &mut up);
    }
    (platform, up)
}

fn packets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Elements(u64::from(PACKETS)));
    group.bench_function("1000 packets decrypted and decoded", |bencher| {
        bencher.iter_batched(
            opened,
            |(mut platform, up)| {
                let (mut down, mut count) = (Vec::new(), 0);
                platform.receive(NOW, &up, &mut down, |event| {
                    count += u32::from(matches!(black_box(event), PlatformEvent::Packet { .. }));
                });
                // The first one is `keep-alive`.
                assert_eq!(count, PACKETS + 1);
                platform
            },
            criterion::BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, packets);
criterion_main!(benches);
