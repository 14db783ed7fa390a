//! What it costs to locate one fault: `cargo bench -p lastmeter-apps --bench fault_location`.
//!
//! A feeder of 1,000 lines of 10 m, with branches, all ten kinds of faults tried, from samples to
//! candidates.

#![expect(clippy::unwrap_used, reason = "a bench of its own rig")]

#[path = "../tests/fault_location/rig.rs"]
#[expect(dead_code, reason = "only a part of the rig is needed here")]
mod rig;

use criterion::{Criterion, criterion_group, criterion_main};
use lastmeter_apps::fault_location::Locator;
use rig::{FeederKind, OVERHEAD, TrueFault, TruePlace};

fn locate(criterion: &mut Criterion) {
    let of = FeederKind {
        section_m: 10.0,
        main: 700,
        branch: 300,
        fork: 300,
        load_va: [5e3, 1.6e3],
        ..OVERHEAD
    };
    let place = TruePlace { on_branch: false, distance_m: 4321.0 };
    let fault = TrueFault { place, kind: rig::kind_of("AG"), ohm: 40.0, cycles: [5, 14] };
    let mut draws = rig::draws(1);
    let played = rig::play(&of, &fault, &mut draws);
    let recording = rig::recorded(&of, &played, &mut draws);
    let locator = Locator::new(&of.network(), rig::STATION, rig::options()).unwrap();
    let found = locator.locate(&recording).unwrap();
    assert!((found.candidates[0].distance_m - 4321.0).abs() < 150.0, "{found:?}");
    criterion.bench_function("fault_location/1000_lines", |bench| {
        bench.iter(|| locator.locate(&recording).unwrap());
    });
}

criterion_group!(benches, locate);
criterion_main!(benches);
