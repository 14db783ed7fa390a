//! The closed form against brute force: numeric integration of what is rendered.

use super::*;
use proptest::prelude::*;

const RATE_HZ: f64 = 1e6;

fn any_channel() -> impl Strategy<Value = ChannelSpectrum> {
    // Harmonics, interharmonics, and pairs that lie close together.
    let frequency = prop_oneof![
        (1_u32..=20).prop_map(|order| 50.0 * f64::from(order)),
        1.0..1000.0_f64,
        (0.0..1e-3_f64).prop_map(|offset| 50.0 + offset),
    ];
    let tone = (frequency, 0.0..10.0_f64, -4.0..4.0_f64)
        .prop_map(|(frequency_hz, rms, phase_rad)| Tone { frequency_hz, rms, phase_rad });
    (prop::collection::vec(tone, 0..8), -3.0..3.0_f64).prop_map(|(tones, dc)| ChannelSpectrum {
        dc,
        tones,
        noise_rms: 0.0,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_closed_form_is_the_integral_of_what_is_rendered(
        voltage in any_channel(),
        current in any_channel(),
        first in 0_u64..100_000_000_000,
        half_length in 1_usize..30_000,
    ) {
        let terminal = terminal(vec![voltage], vec![current]);
        let block = render(&terminal, first, RATE_HZ, 2 * half_length + 1);
        let (u, i) = (&block.voltages[0], &block.currents[0]);
        let microseconds = |count: u64| SimDuration(count as i64 * 1000);
        let span = ReferenceSpan {
            from: microseconds(first),
            to: microseconds(first + 2 * half_length as u64),
            registers_from: microseconds(first),
        };
        let truth = |name: &str| value(&terminal, name, span).unwrap();
        let scale = 1.0 + mean_product(u, u) + mean_product(i, i);
        let signed = |stem: &str| {
            truth(&format!("{stem}.consumed.l1")) - truth(&format!("{stem}.injected.l1"))
        };
        let u2 = truth("electricity.voltage.rms.l1").powi(2);
        let i2 = truth("electricity.current.rms.l1").powi(2);
        prop_assert!((u2 - mean_product(u, u)).abs() < 1e-9 * scale, "{u2}");
        prop_assert!((i2 - mean_product(i, i)).abs() < 1e-9 * scale, "{i2}");
        let power = mean_product(u, i);
        prop_assert!((signed("electricity.power.active") - power).abs() < 1e-9 * scale, "{power}");
        let length_s = 2.0 * half_length as f64 / RATE_HZ;
        let energy = signed("electricity.energy.active");
        prop_assert!((energy - power * length_s).abs() < 1e-9 * scale * length_s, "{energy}");
    }
}

#[test]
fn fifty_tones_over_a_span_that_is_no_whole_number_of_cycles() {
    let lines: Vec<(f64, f64, f64)> =
        (1..=50).map(|h| (f64::from(h), 10.0 / f64::from(h), 37.0 * f64::from(h))).collect();
    let shifted: Vec<_> = lines.iter().map(|&(h, rms, deg)| (h + 0.1, rms, deg + 20.0)).collect();
    let terminal = terminal(vec![harmonics(&lines)], vec![harmonics(&shifted)]);
    let (first, length) = (3_600_000_000, 24_690);
    let block = render(&terminal, first, RATE_HZ, length + 1);
    let span = span(3600.0, 3600.0 + length as f64 / RATE_HZ);
    for (name, a, b) in [
        ("electricity.voltage.rms.l1", &block.voltages[0], &block.voltages[0]),
        ("electricity.current.rms.l1", &block.currents[0], &block.currents[0]),
    ] {
        let found = value(&terminal, name, span).unwrap();
        assert_close(found, mean_product(a, b).sqrt(), 1e-7, name);
    }
    let power = mean_product(&block.voltages[0], &block.currents[0]);
    let found = value(&terminal, "electricity.power.active.consumed.l1", span).unwrap()
        - value(&terminal, "electricity.power.active.injected.l1", span).unwrap();
    assert_close(found, power, 1e-7, "P");
}

#[test]
fn beating_tones_are_not_averaged_away() {
    // 50 Hz and 50.01 Hz beat with a period of 100 s: in phase at 0 s the amplitudes add.
    let beating = ChannelSpectrum {
        tones: vec![tone(50.0, 1.0, 0.0), tone(50.01, 1.0, 0.0)],
        ..ChannelSpectrum::default()
    };
    let terminal = terminal(vec![beating], vec![harmonics(&[])]);
    let rms = |at_s: f64| {
        value(&terminal, "electricity.voltage.rms.l1", span(at_s - 0.1, at_s + 0.1)).unwrap()
    };
    assert_close(rms(100.0), 2.0, 1e-4, "in phase");
    assert_close(rms(50.0), 0.0, 1e-2, "in opposition");
    assert_close(rms(25.0), 2.0_f64.sqrt(), 1e-2, "in quadrature");
}

#[test]
fn noise_counts_with_its_expected_power() {
    let mut voltage = harmonics(&[(1.0, 3.0, 0.0)]);
    voltage.noise_rms = 4.0;
    let terminal = terminal(vec![voltage], vec![harmonics(&[(1.0, 1.0, 0.0)])]);
    let truth = value(&terminal, "electricity.voltage.rms.l1", span(0.0, 10.0)).unwrap();
    assert_close(truth, 5.0, 1e-12, "truth");
    let samples = 200_000;
    let block = render(&terminal, 0, 20_000.0, samples);
    let mean_square = block.voltages[0].iter().map(|u| u * u).sum::<f64>() / samples as f64;
    // Spread of the mean square: sqrt(2 * 16^2 + 4 * 9 * 16) / sqrt(n).
    let spread = (2.0 * 256.0 + 4.0 * 9.0 * 16.0_f64).sqrt() / (samples as f64).sqrt();
    assert_close(mean_square, 25.0, 5.0 * spread, "rendered");
}
