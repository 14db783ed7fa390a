//! The tones that stand for an excerpt, part by part, for devices that take no samples.

use super::disturbances::{at, seconds};
use super::excerpts::{any_jagged, drawn, excerpt, played, sine_i, sine_u, with_excerpts};
use super::*;
use lastmeter_sim::disturbance::Change;
use lastmeter_sim::plan::OperatingPoint;
use lastmeter_sim::{Excerpt, Program, SpectrumSpan};
use proptest::prelude::*;
use std::f64::consts::{SQRT_2, TAU};

/// All stretches from an instant up to another: when they begin, and what they are.
fn stretches(terminal: &Terminal, from_s: f64, to_s: f64) -> Vec<(SimDuration, SpectrumSpan)> {
    let (mut at, mut found) = (seconds(from_s), Vec::new());
    while at < seconds(to_s) {
        let stretch = terminal.spectrum_at(at).expect("tones");
        let until = stretch.until.unwrap_or(SimDuration(i64::MAX));
        assert!(until > at, "{until} after {at}");
        found.push((at, stretch));
        at = until;
    }
    found
}

fn mean_square(channel: &ChannelSpectrum) -> f64 {
    channel.dc.powi(2) + channel.tones.iter().map(|tone| tone.rms.powi(2)).sum::<f64>()
}

/// The value of a channel's tones at seconds since the scenario's start.
fn tones_at(channel: &ChannelSpectrum, t: f64) -> f64 {
    let value =
        |tone: &Tone| SQRT_2 * tone.rms * (TAU * tone.frequency_hz * t + tone.phase_rad).cos();
    channel.dc + channel.tones.iter().map(value).sum::<f64>()
}

/// A waveform of a DC component and orders up to the 25th.
fn rich(t: f64) -> f64 {
    let theta = TAU * 50.0 * t;
    12.0 + 300.0 * (theta + 0.3).cos()
        + 40.0 * (2.0 * theta - 1.0).cos()
        + 25.0 * (7.0 * theta + 2.0).cos()
        + 5.0 * (25.0 * theta).sin()
}

#[test]
fn an_excerpt_is_described_cycle_by_cycle_and_its_rest() {
    // Four cycles and a quarter from 0.1234567 s on.
    let (begin_s, length_s) = (0.123_456_7, 0.085);
    let terminal = with_excerpts(vec![drawn(begin_s, length_s, 1e-5, rich, sine_i)]);
    assert!(terminal.has_spectrum_throughout());
    let found = stretches(&terminal, 0.0, 1.0);
    let begins: Vec<i64> = found.iter().map(|(at, _)| at.0).collect();
    let expected: Vec<i64> =
        [0, 0, 20, 40, 60, 80, 85].iter().map(|ms| 123_456_700 + ms * 1_000_000).collect();
    assert_eq!(begins[0], 0);
    assert_eq!(begins[1..], expected[1..]);
    assert_eq!(found[6].1.until, None);
    assert_eq!(found[0].1.spectrum, found[6].1.spectrum, "the tones go on");
    // The rest takes the tones of the cycle before it.
    assert_eq!(found[4].1.spectrum, found[5].1.spectrum);
    // Any instant of a part gives that part.
    for (at_ns, index) in [(143_456_699, 1), (143_456_700, 2), (208_456_699, 5), (208_456_700, 6)] {
        assert_eq!(terminal.spectrum_at(SimDuration(at_ns)).unwrap(), found[index].1, "{at_ns}");
    }
}

#[test]
fn tones_within_the_band_come_back_with_their_angles() {
    let (begin_s, length_s) = (0.123_456_7, 0.085);
    let terminal = with_excerpts(vec![drawn(begin_s, length_s, 1e-5, rich, sine_i)]);
    for (at, stretch) in &stretches(&terminal, begin_s, begin_s + length_s) {
        let channel = &stretch.spectrum.voltages[0];
        assert_eq!(channel.tones.len(), 25);
        let frequencies_hz: Vec<f64> = channel.tones.iter().map(|tone| tone.frequency_hz).collect();
        let expected_hz: Vec<f64> = (1..=25).map(|order| 50.0 * f64::from(order)).collect();
        assert_eq!(frequencies_hz, expected_hz);
        // Straight lines of 10 us take (w d)^2 / 12 of each: 5e-4 of the 25th, 4e-5 of the 7th.
        for k in 0..200 {
            let t = at.as_seconds_f64() + f64::from(k) * 1e-4;
            assert_close(tones_at(channel, t), rich(t), 5e-3, "voltage");
            assert_close(tones_at(&stretch.spectrum.currents[0], t), sine_i(t), 2e-5, "current");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Parseval: with 25 orders at most the mean square of the lines, and all of it but for what is
    /// above. That of the harmonics above comes from quadrature.
    #[test]
    fn the_mean_square_of_the_tones_is_that_of_the_lines(jagged in any_jagged()) {
        let length_s = *jagged.at_s.last().unwrap();
        let begin_s = jagged.from.as_seconds_f64();
        let terminal = with_excerpts(vec![jagged.clone()]);
        let whole = (length_s * 50.0).floor();
        for (at, stretch) in stretches(&terminal, begin_s, begin_s + whole * 0.02) {
            let (from_s, to_s) = (at.as_seconds_f64(), at.as_seconds_f64() + 0.02);
            let rms = value(&terminal, "electricity.voltage.rms.l1", span(from_s, to_s)).unwrap();
            let inside = mean_square(&stretch.spectrum.voltages[0]);
            prop_assert!(inside <= rms * rms * (1.0 + 1e-9), "{inside} of {}", rms * rms);
            // What is left after the tones were taken off, in cells between which nothing jumps.
            let part_s = from_s - begin_s;
            let left = mean_square_left(&jagged, part_s, &stretch.spectrum.voltages[0]);
            assert_close(inside + left, rms * rms, 1e-8 * rms * rms, "Parseval");
        }
    }
}

/// The mean square over a cycle of what is left of the voltage's lines without tones, by two
/// points of Gauss in each cell of 5 us or less between instants.
fn mean_square_left(excerpt: &Excerpt, part_s: f64, tones: &ChannelSpectrum) -> f64 {
    let (at_s, values) = (&excerpt.at_s, &excerpt.voltages_v[0]);
    let mut sum = 0.0;
    for k in 1..at_s.len() {
        let (from_s, to_s) = (at_s[k - 1].max(part_s), at_s[k].min(part_s + 0.02));
        if from_s >= to_s {
            continue;
        }
        let count = ((to_s - from_s) / 5e-6).ceil();
        let cell_s = (to_s - from_s) / count;
        for cell in 0..count as u32 {
            for share in [0.5 - 0.5 / 3.0_f64.sqrt(), 0.5 + 0.5 / 3.0_f64.sqrt()] {
                let t = from_s + (f64::from(cell) + share) * cell_s;
                let x = (t - at_s[k - 1]) / (at_s[k] - at_s[k - 1]);
                let line = values[k - 1] * (1.0 - x) + values[k] * x;
                let left = line - tones_at(tones, excerpt.from.as_seconds_f64() + t);
                sum += left * left * 0.5 * cell_s;
            }
        }
    }
    sum / 0.02
}

#[test]
fn an_excerpt_below_a_cycle_has_the_nearest_fundamental() {
    for length_s in [0.0137, 0.005, 0.0004] {
        let terminal = with_excerpts(vec![drawn(0.11, length_s, 2e-6, sine_u, sine_i)]);
        let found = stretches(&terminal, 0.11, 0.11 + length_s);
        assert_eq!(found.len(), 1);
        let spectrum = &found[0].1.spectrum;
        assert_eq!((spectrum.voltages[0].tones.len(), spectrum.voltages[0].dc), (1, 0.0));
        // Of a sine it is the sine; the reactive power too.
        for k in 0..100 {
            let t = 0.11 + length_s * f64::from(k) / 99.0;
            assert_close(tones_at(&spectrum.voltages[0], t), sine_u(t), 1e-3, "voltage");
        }
        let name = "electricity.power.reactive.consumed.l1";
        let found = value(&terminal, name, span(0.11, 0.11 + length_s)).unwrap();
        assert_close(found, 1150.0, 1e-4 * 1150.0, "Q");
    }
    // The least mean square deviation: no other amplitude or angle is nearer.
    let jagged =
        excerpt(0.11, vec![0.0, 0.002, 0.006], vec![(50.0, 1.0), (-80.0, 0.0), (90.0, 2.0)]);
    let terminal = with_excerpts(vec![jagged]);
    let best = terminal.spectrum_at(seconds(0.112)).unwrap().spectrum.voltages[0].clone();
    let lines = |t: f64| if t < 0.002 { 50.0 - 65e3 * t } else { -80.0 + 42.5e3 * (t - 0.002) };
    let deviation = |channel: &ChannelSpectrum| {
        let square = |k: usize| {
            let t = k as f64 * 1e-6;
            (lines(t) - tones_at(channel, 0.11 + t)).powi(2)
        };
        simpson_mean((0..=6000).map(square).collect::<Vec<_>>().into_iter())
    };
    let least = deviation(&best);
    for (more, turned) in [(1.001, 0.0), (0.999, 0.0), (1.0, 1e-3), (1.0, -1e-3)] {
        let mut other = best.clone();
        other.tones[0].rms *= more;
        other.tones[0].phase_rad += turned;
        assert!(deviation(&other) > least, "{more} {turned}");
    }
}

#[test]
fn tones_stand_for_an_excerpt_only_where_they_do_for_the_rest() {
    let flat = || vec![excerpt(0.5, vec![0.0, 0.1], vec![(1.0, 1.0); 2])];
    let points = [OperatingPoint::balanced(seconds(1.0), 1, 50.0, 230.0, 10.0)];
    let mut ramp = Program::from_points(&points).unwrap();
    ramp.disturb(at(0.2, None, Change::Frequency { to_hz: 49.0, over: seconds(1.0) }));
    let terminal = played(ramp, flat());
    assert!(!terminal.has_spectrum_throughout() && terminal.spectrum_at(seconds(0.45)).is_none());
    assert!(terminal.spectrum_at(seconds(0.55)).is_some(), "the excerpt has its own");
    // A warm spell ends a part, as it ends any tones.
    let mut warm = Program::from_points(&points).unwrap();
    warm.disturb(at(0.53, None, Change::Temperature { celsius: 40.0, over: seconds(0.0) }));
    let terminal = played(warm, flat());
    let found = stretches(&terminal, 0.5, 0.6);
    let ends: Vec<i64> = found.iter().map(|(at, _)| at.0 / 1_000_000).collect();
    assert_eq!(ends, [500, 520, 530, 540, 560, 580]);
    assert_eq!(found[2].1.temperature_celsius, 40.0);
    // A spectrum that never changes, and an excerpt from the start.
    let channel = || vec![harmonics(&[(1.0, 230.0, 0.0)])];
    let spectrum = Spectrum { fundamental_hz: 50.0, voltages: channel(), currents: channel() };
    let begins = vec![excerpt(0.0, vec![0.0, 0.04], vec![(7.0, 1.0); 2])];
    let terminal = played(Program::from_spectrum(spectrum.clone()), begins);
    assert_eq!(terminal.fundamental_hz(), 50.0);
    assert!(terminal.has_spectrum_throughout());
    assert_close(
        terminal.spectrum_at(seconds(0.0)).unwrap().spectrum.voltages[0].dc,
        7.0,
        1e-12,
        "DC",
    );
    assert_eq!(*terminal.spectrum_at(seconds(0.04)).unwrap().spectrum, spectrum);
    assert_eq!(render(&terminal, 0, 10_000.0, 1).voltages[0], [7.0]);
}
