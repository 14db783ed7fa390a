//! Rendering: exact after any time, the same however it is cut.

use super::*;
use proptest::prelude::*;
use std::f64::consts::{PI, SQRT_2};

fn noisy(lines: &[(f64, f64, f64)]) -> ChannelSpectrum {
    ChannelSpectrum { dc: 0.25, noise_rms: 0.1, ..harmonics(lines) }
}

proptest! {
    #[test]
    fn the_cut_of_the_range_changes_no_bit(
        first in 0_u64..10_000_000_000,
        rate_hz in 900.0..200_000.0_f64,
        cuts in prop::collection::vec(0_usize..1500, 1..6),
    ) {
        let lines = [(1.0, 230.0, 10.0), (3.5, 4.0, 0.0), (5.0, 7.0, 80.0), (7.0, 1.0, 1.0), (40.0, 2.0, 9.0)];
        let terminal = terminal(vec![noisy(&lines)], vec![noisy(&lines[..2])]);
        let whole = render(&terminal, first, rate_hz, cuts.iter().sum());
        let mut done = 0;
        for samples in cuts {
            let part = render(&terminal, first + done as u64, rate_hz, samples);
            prop_assert_eq!(&part.voltages[0], &whole.voltages[0][done..done + samples]);
            prop_assert_eq!(&part.currents[0], &whole.currents[0][done..done + samples]);
            done += samples;
        }
    }
}

/// `frequency * count / rate` modulo one, in integers: the frequency is a fraction of powers of
/// two, so nothing is rounded before the end.
fn exact_turns(frequency_hz: f64, count: u64, rate_hz: u64) -> f64 {
    let bits = frequency_hz.to_bits();
    let mantissa = u128::from((bits & ((1 << 52) - 1)) | (1 << 52));
    let scale = 1075 - ((bits >> 52) as u32);
    let denominator = u128::from(rate_hz) << scale;
    ((mantissa * u128::from(count)) % denominator) as f64 / denominator as f64
}

#[test]
fn after_a_day_each_tone_is_within_a_thousandth_of_a_nanoradian() {
    let rate = 50_000;
    let mut worst_rad: f64 = 0.0;
    for frequency_hz in [16.7, 49.93, 50.0, 59.96, 175.3, 2500.0 / 3.0, 2999.9] {
        // Voltage and current a quarter turn apart give the angle at every sample.
        let channel = |angle| ChannelSpectrum {
            tones: vec![tone(frequency_hz, 1.0 / SQRT_2, angle)],
            ..ChannelSpectrum::default()
        };
        let terminal = terminal(vec![channel(0.0)], vec![channel(-90.0)]);
        let first = 86_400 * rate - 1500;
        let block = render(&terminal, first, rate as f64, 3000);
        let samples = block.voltages[0].iter().zip(&block.currents[0]);
        for (count, (cos, sin)) in (first..).zip(samples) {
            assert_close(cos.hypot(*sin), 1.0, 2e-14, "amplitude");
            let off = sin.atan2(*cos) - 2.0 * PI * exact_turns(frequency_hz, count, rate);
            worst_rad = worst_rad.max((off - 2.0 * PI * (off / (2.0 * PI)).round()).abs());
        }
    }
    assert!(worst_rad < 1e-12, "{worst_rad:e} rad");
    println!("worst phase error after 24 h: {worst_rad:e} rad");
}

#[test]
fn every_sample_is_the_sum_of_its_cosines() {
    let lines: Vec<(f64, f64, f64)> = (1..=50)
        .map(|h| (f64::from(h) * 1.003, 10.0 / f64::from(h), 29.0 * f64::from(h)))
        .collect();
    let channel = ChannelSpectrum { dc: -0.5, ..harmonics(&lines) };
    let terminal = terminal(vec![channel], vec![harmonics(&lines[..1])]);
    let block = render(&terminal, 1000, 12_800.0, 5000);
    for (k, found) in (1000_u32..).zip(&block.voltages[0]) {
        let t = f64::from(k) / 12_800.0;
        let cosines = lines.iter().map(|&(order, rms, deg)| {
            SQRT_2 * rms * (2.0 * PI * 50.0 * order * t + deg.to_radians()).cos()
        });
        // Half a second in, the naive phase itself is good to 1e-12.
        assert_close(*found, cosines.sum::<f64>() - 0.5, 1e-9, &format!("sample {k}"));
    }
}

#[test]
fn noise_is_the_same_for_two_devices_and_another_for_another_source_or_channel() {
    let silent = ChannelSpectrum { noise_rms: 1.0, ..ChannelSpectrum::default() };
    let spectrum = Spectrum {
        fundamental_hz: 50.0,
        voltages: vec![silent.clone(); 3],
        currents: vec![silent; 3],
    };
    let of = |name: &str, seed: u64| {
        let terminal =
            Terminal::from_spectrum(spectrum.clone(), name, &Streams::new(seed)).unwrap();
        render(&terminal, 77, 8000.0, 100)
    };
    let block = of("a", 1);
    assert_eq!(block, of("a", 1));
    assert_ne!(block.voltages, of("b", 1).voltages);
    assert_ne!(block.voltages, of("a", 2).voltages);
    let channels: Vec<_> = block.voltages.iter().chain(&block.currents).collect();
    for (number, channel) in channels.iter().enumerate() {
        assert!(!channels[..number].contains(channel), "channel {number}");
    }
}

#[test]
fn an_unusable_rate_gives_no_panic() {
    let terminal = terminal(vec![noisy(&[(1.0, 1.0, 0.0)])], vec![harmonics(&[])]);
    for rate_hz in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
        assert_eq!(render(&terminal, u64::MAX - 5, rate_hz, 2000).voltages[0].len(), 2000);
    }
    assert!(render(&terminal, 0, 1000.0, 0).voltages[0].is_empty());
}

#[test]
fn what_is_no_terminal_is_refused() {
    let channel = harmonics(&[(1.0, 1.0, 0.0)]);
    let refused = |fundamental_hz, voltages: usize, currents: usize, rms: f64| {
        let mut spectrum = Spectrum {
            fundamental_hz,
            voltages: vec![channel.clone(); voltages],
            currents: vec![channel.clone(); currents],
        };
        if let Some(channel) = spectrum.currents.last_mut() {
            channel.tones[0].rms = rms;
        }
        Terminal::from_spectrum(spectrum, "x", &Streams::new(0)).unwrap_err().to_string()
    };
    assert!(refused(50.0, 2, 2, 1.0).contains("one of each or three"));
    assert!(refused(50.0, 3, 1, 1.0).contains("3 voltages and 1 currents"));
    assert!(refused(0.0, 1, 1, 1.0).contains("has to be positive"));
    assert!(refused(50.0, 1, 1, f64::NAN).contains("channel 1"));
}
