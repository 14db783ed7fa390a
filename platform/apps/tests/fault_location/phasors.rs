//! Phasors of waves whose phasors are known, and of whatever may come.

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_apps::fault_location::formulas::{classify, distances};
use lastmeter_apps::fault_location::phasors::{PhasorError, measure};
use lastmeter_apps::fault_location::{Locator, Recording};
use lastmeter_grid::Complex64;
use lastmeter_grid::fault_search::{Observation, Phasors, Reference};
use lastmeter_grid::network::Wire;
use lastmeter_grid::short_circuit::Kind;
use lastmeter_units::SimTime;
use proptest::prelude::*;

use super::rig::{OVERHEAD, STATION, options};

const RATE_HZ: f64 = 1600.0;

/// Waves of these phasors before an inception and after it, there with an offset, up to a clearing.
fn recording(
    before: [Complex64; 6],
    during: [Complex64; 6],
    (inception, clearing, samples): (usize, usize, usize),
) -> Recording {
    let channels = std::array::from_fn(|channel| {
        let value = |sample: usize| {
            let angle = TAU * sample as f64 / 32.0;
            let wave = |phasor: Complex64| SQRT_2 * (phasor * Complex64::from_polar(1.0, angle)).re;
            if (inception..clearing).contains(&sample) {
                let since = (sample - inception) as f64 / 32.0;
                let offset = if channel < 3 { 0.0 } else { 0.6 * SQRT_2 * during[channel].norm() };
                wave(during[channel]) + offset * (-since / 0.9).exp()
            } else {
                wave(before[channel])
            }
        };
        (0..samples).map(value).collect()
    });
    Recording { first: SimTime(5_000_000_000), rate_hz: RATE_HZ, channels }
}

fn phasors(volts: f64, amperes: f64, lag: f64) -> [Complex64; 6] {
    std::array::from_fn(|channel| {
        let turn = -(channel as f64 % 3.0) * TAU / 3.0;
        let (size, lag) = if channel < 3 { (volts, 0.0) } else { (amperes, lag) };
        Complex64::from_polar(size, turn - lag)
    })
}

#[test]
fn phasors_are_found_beside_an_offset_and_a_clearing() {
    let (before, mut during) = (phasors(230.0, 50.0, 0.3), phasors(200.0, 60.0, 0.4));
    during[0] = Complex64::from_polar(90.0, 0.1);
    during[3] = Complex64::from_polar(900.0, -1.1);
    for (inception, clearing) in [(133, 700), (150, 280), (165, 246), (161, 10_000)] {
        let samples = 480;
        let recording = recording(before, during, (inception, clearing, samples));
        let measured = measure(&recording, 50.0).unwrap();
        let found = &measured.observation;
        let at = (measured.inception.0 - 5_000_000_000) as f64 * 1e-9 * RATE_HZ;
        assert!((at - inception as f64).abs() < 3.0, "{at} {inception}");
        for k in 0..3 {
            let pairs = [
                (found.before.voltage_v[k], before[k]),
                (found.before.current_a[k], before[3 + k]),
                (found.during.voltage_v[k], during[k]),
                (found.during.current_a[k], during[3 + k]),
            ];
            for (found, expected) in pairs {
                let off = (found - expected).norm() / expected.norm();
                assert!(off < 0.01, "{inception} {clearing}: {found} {expected} {off}");
            }
        }
        assert_eq!(classify(found), Some(Kind::SinglePhaseToGround(Wire::A)));
        assert!(measured.cycles_before >= 3 && measured.cycles_during >= 1);
    }
}

/// On a uniform line without load the formulas have the distance of a bolted fault exactly, and
/// Takagi's that of one with a resistance.
#[test]
fn formulas_have_the_distance_on_the_line_that_they_are_for() {
    let c = Complex64::new;
    let line =
        Reference { z1_ohm_by_m: c(3e-4, 3.6e-4), z0_ohm_by_m: c(4.5e-4, 1.5e-3), length_m: 1e4 };
    let (metres, source) = (6200.0, c(0.1, 2.0));
    for ohm in [0.0, 8.0] {
        let loop_z = line.z1_ohm_by_m * 2.0 + line.z0_ohm_by_m;
        let emf = c(11_547.0, 0.0);
        let current = emf / (loop_z * metres / 3.0 + source + ohm);
        let healthy = phasors(11_547.0, 0.0, 0.0);
        let mut during = healthy;
        during[0] = emf - source * current;
        during[3] = current;
        let recording = recording(healthy, during, (160, 10_000, 640));
        let mut measured = measure(&recording, 50.0).unwrap().observation;
        // The healthy phases carry nothing, not even a rounding.
        measured.during.current_a[1] = Complex64::ZERO;
        measured.during.current_a[2] = Complex64::ZERO;
        let found = distances(&measured, Kind::SinglePhaseToGround(Wire::A), &line);
        for metres_found in [found.takagi_m.unwrap(), found.modified_takagi_m.unwrap()] {
            assert!((metres_found - metres).abs() < 10.0, "{ohm}: {found:?}");
        }
        if ohm == 0.0 {
            assert!((found.reactance_m.unwrap() - metres).abs() < 10.0, "{found:?}");
        }
    }
}

/// The loop of two phases has the distance of faults of two and three conductors with each other,
/// through a resistance too: without load all its current is that of the fault.
#[test]
fn formulas_of_a_loop_of_two_phases_have_the_distance_through_a_resistance() {
    let c = Complex64::new;
    let line =
        Reference { z1_ohm_by_m: c(3e-4, 3.6e-4), z0_ohm_by_m: c(4.5e-4, 1.5e-3), length_m: 1e4 };
    let (metres, source, ohm) = (6200.0, c(0.1, 2.0), 8.0);
    let healthy = phasors(11_547.0, 0.0, 0.0);
    let emf: [Complex64; 3] = std::array::from_fn(|k| healthy[k]);
    let z = source + line.z1_ohm_by_m * metres + ohm;
    let between = (emf[1] - emf[2]) / (z * 2.0);
    let kinds = [
        (Kind::ThreePhase, emf.map(|it| it / z)),
        (Kind::TwoPhase(Wire::B, Wire::C), [Complex64::ZERO, between, -between]),
    ];
    for (kind, currents) in kinds {
        let measured = Observation {
            before: Phasors { voltage_v: emf, current_a: [Complex64::ZERO; 3] },
            during: Phasors {
                voltage_v: std::array::from_fn(|k| emf[k] - source * currents[k]),
                current_a: currents,
            },
            voltage_sigma_v: 1.0,
            current_sigma_a: 1.0,
        };
        assert_eq!(classify(&measured), Some(kind));
        let found = distances(&measured, kind, &line);
        for it in [found.reactance_m, found.takagi_m, found.modified_takagi_m] {
            assert!((it.unwrap() - metres).abs() < 1e-6, "{kind:?}: {found:?}");
        }
    }
}

#[test]
fn what_is_no_fault_is_refused() {
    let steady = phasors(230.0, 50.0, 0.3);
    let quiet = recording(steady, steady, (10_000, 10_000, 640));
    assert_eq!(measure(&quiet, 50.0), Err(PhasorError::NoInception));
    let short = recording(steady, phasors(100.0, 500.0, 1.0), (20, 10_000, 40));
    assert_eq!(measure(&short, 50.0), Err(PhasorError::NoInception));
    let rate = Recording { rate_hz: 1601.0, ..quiet.clone() };
    assert!(matches!(measure(&rate, 50.0), Err(PhasorError::Rate { .. })));
    let empty = Recording { channels: Default::default(), ..quiet };
    assert_eq!(measure(&empty, 50.0), Err(PhasorError::NoInception));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever was sampled, there is an answer or a reason.
    #[test]
    fn any_samples_are_taken(
        samples in prop::collection::vec(prop_oneof![
            4 => -2048i32..2048, 1 => Just(2047), 1 => Just(-2048), 1 => Just(0)], 0..220),
        lengths in prop::array::uniform6(0usize..640),
        scale in prop_oneof![Just(1.0), Just(0.0), Just(1e300), Just(f64::NAN)],
        rate_hz in prop_oneof![Just(1600.0), Just(0.0), Just(-1600.0), Just(f64::NAN), 1.0..1e6],
    ) {
        let channels = std::array::from_fn(|channel| {
            let value = |at: usize| {
                let sample = samples.get((at * (channel + 1)) % samples.len().max(1));
                f64::from(sample.copied().unwrap_or(0)) * scale
            };
            (0..lengths[channel]).map(value).collect()
        });
        let recording = Recording { first: SimTime(i64::MAX - 5), rate_hz, channels };
        let locator = Locator::new(&OVERHEAD.network(), STATION, options()).unwrap();
        if let Ok(found) = locator.locate(&recording) {
            prop_assert!(found.candidates.iter().all(|it| it.distance_m.is_finite()));
        }
    }
}
