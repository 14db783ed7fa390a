//! Frames verified per second. `cargo bench -p lastmeter-can --bench authentication`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_can::authentication::{
    Direction, Event, Receiver, ReceiverRecord, Scheme, SecretKey, Sender, SenderRecord, Settings,
};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_units::SimTime;

const MESSAGES: u32 = 1000;
const NODES: u32 = 30;

fn receiver(scheme: Scheme) -> Receiver {
    let mut receiver = Receiver::new(scheme, Direction::ToMaster, Settings::default());
    for node in 1..=NODES as u8 {
        let key = SecretKey::new([7; 16]).node_key(node);
        receiver.add_sender(&key, ReceiverRecord { node, last: 0 });
    }
    receiver
}

/// Messages of all nodes in turn.
fn frames(scheme: Scheme) -> Vec<CanFrame> {
    let mut senders: Vec<Sender> = (1..=NODES as u8)
        .map(|node| {
            let key = SecretKey::new([7; 16]).node_key(node);
            let record = SenderRecord::default();
            let mut sender = Sender::new(scheme, node, Direction::ToMaster, &key, record);
            sender.reserve(MESSAGES, |_| Ok::<_, ()>(())).expect("the record is kept");
            sender
        })
        .collect();
    let mut frames = Vec::new();
    for (place, count) in (0..NODES as usize).cycle().zip(0..MESSAGES) {
        let id = CanId::standard(0x11 * 32 + place as u32 + 1).expect("11 bits");
        let data = &u64::from(count).to_be_bytes()[8 - scheme.data_bytes_max()..];
        frames.extend(senders[place].seal(id, data).expect("a message of this node"));
    }
    frames
}

fn verifications(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authentication");
    for scheme in Scheme::ALL {
        let frames = frames(scheme);
        group.throughput(Throughput::Elements(frames.len() as u64));
        group.bench_function(format!("frames verified, {scheme}"), |bencher| {
            bencher.iter_batched(
                || receiver(scheme),
                |mut receiver| {
                    let mut count = 0;
                    for (at, frame) in frames.iter().enumerate() {
                        receiver.receive(SimTime(at as i64 * 1_000_000), frame, |event| {
                            count += u32::from(matches!(black_box(event), Event::Verified(_)));
                        });
                    }
                    assert_eq!(count, MESSAGES);
                    receiver
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, verifications);
criterion_main!(benches);
