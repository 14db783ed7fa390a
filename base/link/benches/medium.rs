//! Arrivals per second of the M-Bus medium: a building of 60 meters, polled one after another.
//!
//! One iteration is one round of polls: each is heard by all 60 slaves, and answered by one with
//! 100 bytes, which the master hears one by one. A day of polls every five minutes is 288 rounds.

use chacha20::ChaCha8Rng;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_link::medium::{BusSpec, Medium, MediumEvent, MediumSpec, Party};
use lastmeter_units::SimTime;
use rand::SeedableRng as _;

const SLAVES: usize = 60;
const ANSWER: [u8; 100] = [0x5A; 100];
const PER_ROUND: u64 = (SLAVES * (SLAVES + ANSWER.len())) as u64;

fn round(medium: &mut Medium) -> usize {
    let mut arrivals = 0;
    for slave in 0..SLAVES {
        let poll = [0x10, 0x7B, slave as u8, 0x7B_u8.wrapping_add(slave as u8), 0x16];
        // Each begins as soon as the line is free, so the instant asked for does not matter.
        let heard = medium.transmit(Party::Master, None, SimTime(0), 2400, &poll);
        let last = medium.transmit(Party::Slave(slave), None, heard, 2400, &ANSWER);
        arrivals += std::iter::from_fn(|| medium.pop(last)).filter(is_filled).count();
    }
    arrivals
}

fn is_filled(event: &MediumEvent) -> bool {
    matches!(event, MediumEvent::Arrival(arrival) if !arrival.bytes.is_empty())
}

fn polls(criterion: &mut Criterion) {
    let noisy = BusSpec { byte_error_rate: 1e-4, loss: 1e-3, ..BusSpec::PERFECT };
    let mut group = criterion.benchmark_group("m-bus, 60 slaves, one round of polls");
    group.throughput(Throughput::Elements(PER_ROUND));
    for (name, spec) in [("perfect", BusSpec::PERFECT), ("with noise", noisy)] {
        let mut medium =
            MediumSpec::Bus(spec).open(SLAVES, SimTime(0), &ChaCha8Rng::from_seed([1; 32]));
        group.bench_function(name, |bencher| bencher.iter(|| round(&mut medium)));
    }
    group.finish();
}

criterion_group!(benches, polls);
criterion_main!(benches);
