//! Outage detection in a large network: `cargo bench -p lastmeter-apps --bench outage`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lastmeter_apps::outage::areas::Areas;
use lastmeter_apps::outage::score::{Prior, Weight, search};
use lastmeter_apps::outage::{Detector, Meter, Parameters, Sign};
use lastmeter_grid::Network;
use lastmeter_units::{HardwareId, SimDuration, SimTime};

const LINES: usize = 5_000;
const METERS: usize = 10_000;

/// Lines that each go on from one of the eight before; two meters at the end of each.
fn network() -> Network {
    use std::fmt::Write as _;
    let mut text = String::from(
        "format = 1\nname = \"large\"\nfrequency = \"50 Hz\"\nvoltage = \"400 V\"\n[[source]]\n\
         name = \"s\"\nnode = \"n0\"\nshort_circuit_power = \"200 MVA\"\n[[node]]\nname = \"n0\"\n",
    );
    for line in 1..=LINES {
        let from = line - 1 - (line * 7 % 8).min(line - 1);
        let _ = write!(
            text,
            "[[node]]\nname = \"n{line}\"\n[[line]]\nname = \"l{line}\"\nfrom = \"n{from}\"\n\
             to = \"n{line}\"\nlength = \"9 m\"\nr1 = \"0.2 ohm/km\"\nx1 = \"0.1 ohm/km\"\n\
             r0 = \"0.8 ohm/km\"\nx0 = \"0.3 ohm/km\"\n"
        );
        for meter in [2 * line - 2, 2 * line - 1] {
            let wires = ["a", "b", "c"][meter % 3];
            let _ = write!(
                text,
                "[[load]]\nname = \"h{meter}\"\nnode = \"n{line}\"\nwires = \"{wires}\"\n\
                 p = \"1 kW\"\npower_factor = 1.0\n"
            );
        }
    }
    lastmeter_grid::format::toml::read("large.toml", &text).expect("a network")
}

fn outages(criterion: &mut Criterion) {
    let network = network();
    let areas = Areas::new(&network);
    let weights: Vec<Weight> = (0..METERS)
        .filter_map(|meter| {
            let element = areas.load(&format!("h{meter}"))?;
            let phases = areas.elements()[element as usize].phases;
            let value = if meter > METERS / 2 { 4_500_000 } else { -2_300_000 };
            Some(Weight { element, phases, value })
        })
        .collect();
    let prior = Prior { area: 6_900_000, partial: 690_000 };
    criterion.bench_function("search areas, 10,000 meters", |bench| {
        bench.iter(|| search(black_box(&areas), black_box(&weights), prior));
    });
    let meters = network.loads.iter().map(|load| Meter {
        id: HardwareId::new(format!("meter-{}", load.name)).expect("an id"),
        load: load.name.to_string(),
        is_equipped: true,
    });
    let detector = Detector::new(areas, meters.collect(), Parameters::default());
    criterion.bench_function("5,000 last gasps of 10,000 meters, to the report", |bench| {
        bench.iter(|| {
            let mut detector = detector.clone();
            let now = SimTime(1_800_000_000_000_000_000);
            for meter in METERS / 2..METERS {
                detector.take(now, meter, Sign::Gasp(None), now);
            }
            detector.advance(now + SimDuration::from_seconds(30))
        });
    });
}

criterion_group!(benches, outages);
criterion_main!(benches);
