//! What holds for any disturbances: means do not depend on cuts, truth on what renders, and what is
//! rendered on neither cuts nor processors.

use super::disturbances::{ALL, at, build, component, disturbed, seconds};
use super::*;
use lastmeter_sim::disturbance::{
    Change, ComponentPlace, Disturbance, Modulation, PointOnWave, Side,
};
use lastmeter_sim::plan::{Harmonic, OperatingPoint, WaveShape};
use proptest::prelude::*;
use std::f64::consts::PI;

fn any_change() -> impl Strategy<Value = Change> {
    let ratio = 0.0..1.5_f64;
    let over = (0_i64..200_000_000).prop_map(SimDuration);
    prop_oneof![
        (ratio.clone(), over.clone()).prop_map(|(to, over)| Change::Amplitude {
            side: Side::Current,
            phases: ALL,
            to,
            over
        }),
        (45.0..60.0_f64, over.clone()).prop_map(|(to_hz, over)| Change::Frequency { to_hz, over }),
        (-2.0..2.0_f64, over).prop_map(|(by_rad, over)| Change::Angle {
            side: Side::Voltage,
            phases: ALL,
            by_rad,
            over
        }),
        (ratio, 0.0..6.0_f64).prop_map(|(factor, angle_rad)| Change::Level {
            factors: [factor; 3],
            jumps_rad: [0.3; 3],
            point: Some(PointOnWave { phase: 0, angle_rad }),
        }),
        (0.0..PI).prop_map(|angle_rad| Change::Shape {
            phases: ALL,
            shape: WaveShape::PhaseFired { angle_rad }
        }),
        (1_u32..4, 1_u32..4).prop_map(|(on, off)| Change::Shape {
            phases: ALL,
            shape: WaveShape::BurstFired { on, off }
        }),
        (3.0..40.0_f64).prop_map(|hz| Change::Flicker {
            phases: ALL,
            modulation: Modulation::Rectangle,
            depth: 0.3,
            hz
        }),
        (100.0..900.0_f64).prop_map(|hz| Change::Component {
            phases: ALL,
            component: component(ComponentPlace::Hertz(hz))
        }),
    ]
}

fn any_disturbance() -> impl Strategy<Value = Disturbance> {
    (0_i64..400_000_000, 1_i64..400_000_000, any_change()).prop_map(|(at, length, change)| {
        Disturbance { at: SimDuration(at), length: Some(SimDuration(length)), change }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Means of parts add up to the mean of the whole, wherever it is cut.
    #[test]
    fn means_do_not_depend_on_how_a_span_is_cut(
        disturbances in prop::collection::vec(any_disturbance(), 0..5),
        cuts in prop::collection::vec(0.0..0.8_f64, 1..6),
    ) {
        let terminal = disturbed(&disturbances);
        let mut borders = cuts;
        borders.extend([0.0, 0.8]);
        borders.sort_by(f64::total_cmp);
        let mean = |name: &str, from: f64, to: f64| value(&terminal, name, span(from, to)).unwrap();
        let energy = |from: f64, to: f64| {
            let (u, i) = ("electricity.voltage.rms.l1", "electricity.current.rms.l1");
            (mean(u, from, to).powi(2) * (to - from), mean(i, from, to).powi(2) * (to - from))
        };
        let mut sums = (0.0, 0.0);
        for pair in borders.windows(2).filter(|pair| pair[1] - pair[0] > 1e-6) {
            let from = SimDuration::from_seconds_f64(pair[0]).as_seconds_f64();
            let part = energy(from, SimDuration::from_seconds_f64(pair[1]).as_seconds_f64());
            sums = (sums.0 + part.0, sums.1 + part.1);
        }
        let whole = energy(0.0, 0.8);
        // Up to five parts of a microsecond may have been left out.
        prop_assert!((sums.0 - whole.0).abs() < 1.0, "{sums:?} {whole:?}");
        prop_assert!((sums.1 - whole.1).abs() < 3e-3, "{sums:?} {whole:?}");
    }

    /// Truth is the integral of what is rendered, as closely as samples can show.
    #[test]
    fn truth_is_the_integral_of_what_is_rendered(
        disturbances in prop::collection::vec(any_disturbance(), 0..5),
    ) {
        let terminal = disturbed(&disturbances);
        let samples = 800_000;
        let block = render(&terminal, 0, 1e6, samples);
        let mean = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / samples as f64
        };
        let (u, i) = (&block.voltages[0], &block.currents[0]);
        let of = |name: &str| value(&terminal, name, span(0.0, 0.8)).unwrap();
        let p = of("electricity.power.active.consumed.l1") - of("electricity.power.active.injected.l1");
        // A jump falls between two samples: half a microsecond of it, a few hundred times.
        prop_assert!((of("electricity.voltage.rms.l1").powi(2) - mean(u, u)).abs() < 60.0);
        prop_assert!((of("electricity.current.rms.l1").powi(2) - mean(i, i)).abs() < 0.15);
        prop_assert!((p - mean(u, i)).abs() < 3.0, "{p} {}", mean(u, i));
    }

    #[test]
    fn the_cut_of_the_range_changes_no_bit_of_a_disturbed_wave(
        disturbances in prop::collection::vec(any_disturbance(), 0..5),
        cuts in prop::collection::vec(0_usize..900, 1..9),
        rate_hz in prop_oneof![Just(10_000.0), Just(8000.0), 3000.0..20_000.0_f64],
    ) {
        let terminal = disturbed(&disturbances);
        let whole = render(&terminal, 0, rate_hz, cuts.iter().sum());
        let mut done = 0;
        for samples in cuts {
            let part = render(&terminal, done as u64, rate_hz, samples);
            prop_assert_eq!(&part.voltages[0], &whole.voltages[0][done..done + samples]);
            prop_assert_eq!(&part.currents[0], &whole.currents[0][done..done + samples]);
            done += samples;
        }
    }
}

/// What is rendered is the same to the last bit on every processor, with whatever instructions: the
/// digest was taken from a build for the plainest of them.
#[test]
fn the_bits_of_what_is_rendered_are_known() {
    let mut point = OperatingPoint::balanced(seconds(1.0), 3, 50.3, 230.0, 10.0);
    point.voltage_noise_v = 0.7;
    point.current_harmonics = (2..=40)
        .map(|order| Harmonic { order, share: 1.0 / f64::from(order), angle_rad: f64::from(order) })
        .collect();
    let shape = WaveShape::PhaseFired { angle_rad: 1.0 };
    let amplitude =
        Change::Amplitude { side: Side::Both, phases: ALL, to: 0.4, over: seconds(0.1) };
    let flicker =
        Change::Flicker { phases: ALL, modulation: Modulation::Sine, depth: 0.1, hz: 8.8 };
    let terminal = build(
        &[point],
        &[
            at(0.2, Some(0.2), Change::Shape { phases: ALL, shape }),
            at(0.5, None, amplitude),
            at(0.7, Some(0.1), flicker),
        ],
    )
    .unwrap();
    let block = render(&terminal, 0, 7812.5, 7813);
    let values = block.voltages.iter().chain(&block.currents).flatten();
    // Fowler, Noll and Vo's hash of the values' bits.
    let digest = values.fold(0xcbf2_9ce4_8422_2325_u64, |digest, value| {
        (digest ^ value.to_bits()).wrapping_mul(0x0000_0100_0000_01b3)
    });
    assert_eq!(digest, 0x326d_6f35_a8fc_d371, "{digest:#x}");
}
