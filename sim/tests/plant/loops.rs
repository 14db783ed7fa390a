//! Recordings played in a loop: no seam, and truth as played.

use super::*;
use lastmeter_sim::{Loop, LoopError};
use std::f64::consts::{PI, SQRT_2};

const RATE_HZ: f64 = 10_000.0;
const FREQUENCY_HZ: f64 = 49.9;

/// A distorted recording of three phases, at 10 kHz.
fn recording(samples: usize) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let channel = |phase: u32, rms: f64, lag_deg: f64| -> Vec<f64> {
        (0..samples)
            .map(|k| {
                let turn = 2.0 * PI * FREQUENCY_HZ * k as f64 / RATE_HZ
                    - 2.0 * PI / 3.0 * f64::from(phase);
                let lag = lag_deg.to_radians();
                SQRT_2 * rms * ((turn - lag).cos() + 0.05 * (5.0 * turn + 1.0).cos()) + 0.01 * rms
            })
            .collect()
    };
    let phases = |rms, lag| (0..3).map(|phase| channel(phase, rms, lag)).collect();
    (phases(230.0, 0.0), phases(10.0, 30.0))
}

fn looped(voltages: &[Vec<f64>], currents: &[Vec<f64>]) -> Loop {
    let voltages: Vec<&[f64]> = voltages.iter().map(Vec::as_slice).collect();
    let currents: Vec<&[f64]> = currents.iter().map(Vec::as_slice).collect();
    Loop::from_samples(&voltages, &currents, RATE_HZ).expect("a loop")
}

fn played(samples: usize) -> Loop {
    let (voltages, currents) = recording(samples);
    looped(&voltages, &currents)
}

const SAMPLES: usize = 1924;

#[test]
fn the_loop_holds_the_recordings_whole_cycles_and_quantities() {
    let table = played(SAMPLES);
    assert_eq!((table.cycles(), table.points()), (9, 9 * 512));
    let terminal = Terminal::from_loop(table);
    assert_close(terminal.fundamental_hz(), FREQUENCY_HZ, 1e-5, "frequency");
    assert!(terminal.spectrum_at(SimDuration::ZERO).is_none());
    let loop_s = 9.0 / terminal.fundamental_hz();
    let found = |name: &str| value(&terminal, name, span(0.0, 10.0 * loop_s)).unwrap();
    // The closed form of what was recorded.
    let rms = (1.0_f64 + 0.05 * 0.05 + 0.01 * 0.01).sqrt();
    for phase in ["l1", "l2", "l3"] {
        let of = |stem: &str| found(&format!("{stem}.{phase}"));
        assert_close(of("electricity.voltage.rms") / 230.0, rms, 1e-6, "U");
        assert_close(of("electricity.current.rms") / 10.0, rms, 1e-6, "I");
        let active = 2300.0 * (30.0_f64.to_radians().cos() + 0.05 * 0.05 + 0.01 * 0.01);
        assert_close(of("electricity.power.active.consumed"), active, 5e-3, "P");
        assert_close(of("electricity.power.reactive.consumed"), 1150.0, 5e-3, "Q1");
        assert_close(of("x.electricity.voltage.thd"), 0.05, 1e-6, "THD");
    }
    assert_close(found("electricity.voltage.phase.l2").to_degrees(), -120.0, 1e-4, "angle");
}

#[test]
fn truth_is_the_integral_of_what_is_played_over_any_span() {
    let terminal = Terminal::from_loop(played(SAMPLES));
    let fine_hz = 1e6;
    // Within a piece, within a loop, over the seam, over several loops, a day in.
    for (first, length) in
        [(10, 6), (12_345, 40_000), (170_001, 30_000), (999, 600_000), (86_400_000_000_u64, 25_000)]
    {
        let block = render(&terminal, first, fine_hz, length + 1);
        let span = span(first as f64 / fine_hz, (first + length as u64) as f64 / fine_hz);
        let found = |name: &str| value(&terminal, name, span).unwrap();
        for (phase, name) in ["l1", "l2", "l3"].iter().enumerate() {
            let (u, i) = (&block.voltages[phase], &block.currents[phase]);
            let u2 = found(&format!("electricity.voltage.rms.{name}")).powi(2);
            assert_close(u2, mean_product(u, u), 1e-9 * 230.0 * 230.0, "u^2");
            let i2 = found(&format!("electricity.current.rms.{name}")).powi(2);
            assert_close(i2, mean_product(i, i), 1e-9 * 100.0, "i^2");
            let power = found(&format!("electricity.power.active.consumed.{name}"))
                - found(&format!("electricity.power.active.injected.{name}"));
            assert_close(power, mean_product(u, i), 1e-9 * 2300.0, "u*i");
        }
    }
}

#[test]
fn fundamental_quantities_are_the_fourier_integrals_of_what_is_played() {
    let terminal = Terminal::from_loop(played(SAMPLES));
    let f = terminal.fundamental_hz();
    // Twenty points on each piece of the curve, over one loop.
    let samples = 9 * 512 * 20;
    let rate_hz = f / 9.0 * samples as f64;
    let block = render(&terminal, 0, rate_hz, samples);
    let component = |channel: &[f64], trig: fn(f64) -> f64| {
        let terms =
            channel.iter().enumerate().map(|(k, x)| x * trig(2.0 * PI * f * k as f64 / rate_hz));
        terms.sum::<f64>() * SQRT_2 / samples as f64
    };
    let (u, i) = (&block.voltages[0], &block.currents[0]);
    let [uc, us, ic, is] =
        [(u, f64::cos as fn(f64) -> f64), (u, f64::sin), (i, f64::cos), (i, f64::sin)]
            .map(|(channel, trig)| component(channel, trig));
    // u1 = uc - j us as a phasor; Q1 = im(u1 conj i1).
    let expected = uc * is - us * ic;
    let found = value(&terminal, "electricity.power.reactive.consumed.l1", span(0.0, 1.0)).unwrap();
    assert_close(found, expected, 1e-6, "Q1");
}

/// The steepest step from sample to sample.
fn steepest(channel: &[f64]) -> f64 {
    channel.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max)
}

#[test]
fn the_seam_is_no_step() {
    let rate_hz = 100_000.0;
    for samples in [SAMPLES, 1850, 1999] {
        // A recording that wanders: without a cross-fade the loop would jump by some 20 V.
        let (mut voltages, mut currents) = recording(samples);
        for channel in voltages.iter_mut().chain(&mut currents) {
            let peak = channel.iter().copied().fold(0.0, f64::max);
            for (k, sample) in channel.iter_mut().enumerate() {
                *sample += 0.06 * peak * k as f64 / samples as f64;
            }
        }
        let terminal = Terminal::from_loop(looped(&voltages, &currents));
        let block = render(&terminal, 0, rate_hz, 60_000);
        let played = block.voltages.iter().chain(&block.currents);
        for (played, recorded) in played.zip(voltages.iter().chain(&currents)) {
            // Ten times the rate makes the steepest step a tenth; 10 % more for the fade's slope.
            let limit = 1.1 * steepest(recorded) / (rate_hz / RATE_HZ);
            assert!(steepest(played) < limit, "{} {limit}", steepest(played));
        }
    }
}

#[test]
fn a_cut_changes_no_bit_of_a_played_loop() {
    let terminal = Terminal::from_loop(played(SAMPLES));
    let whole = render(&terminal, 5_000_000, 7812.5, 5000);
    for (at, samples) in [(0, 1), (1, 1023), (1024, 1500), (2524, 2476)] {
        let part = render(&terminal, 5_000_000 + at as u64, 7812.5, samples);
        assert_eq!(part.voltages[1], whole.voltages[1][at..at + samples]);
        assert_eq!(part.currents[2], whole.currents[2][at..at + samples]);
    }
}

#[test]
fn what_cannot_be_looped_is_refused() {
    let sine: Vec<f64> = (0..2000).map(|k| (2.0 * PI * 0.005 * f64::from(k)).sin()).collect();
    let refused = |voltages: &[&[f64]], currents: &[&[f64]], rate_hz: f64| {
        Loop::from_samples(voltages, currents, rate_hz).unwrap_err()
    };
    let flat = vec![5.0; 2000];
    assert_eq!(refused(&[&flat], &[&sine], 1e4), LoopError::NoFundamental);
    assert_eq!(refused(&[&sine], &[&sine[1..]], 1e4), LoopError::Shape);
    assert_eq!(refused(&[&sine], &[&sine], f64::NAN), LoopError::Shape);
    assert_eq!(
        refused(&[&sine, &sine], &[&sine, &sine], 1e4),
        LoopError::Phases { voltages: 2, currents: 2 }
    );
    // 60 samples of a sine with 20 per cycle: three cycles, most of them lost to resampling.
    let short: Vec<f64> = (0..60).map(|k| (2.0 * PI * 0.05 * f64::from(k)).sin()).collect();
    let error = refused(&[&short], &[&short], 1000.0);
    assert!(matches!(error, LoopError::TooShort { .. }), "{error}");
    assert!(error.to_string().contains("0.60 usable cycles"), "{error}");
}
