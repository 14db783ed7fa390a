//! Half-cycle values and events of dips whose values are known in closed form.

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_metrology::events::{
    EventConfig, EventDetector, EventKind, HalfCycle, HalfCycles, Scope, VoltageEvent,
};

/// A sine with a dip to `share` from `start_s` on for `duration_s`.
fn dipped(
    rate_hz: f64,
    f: f64,
    phase_deg: f64,
    (start_s, duration_s, share): (f64, f64, f64),
) -> Vec<f64> {
    (0..(0.6 * rate_hz) as usize)
        .map(|k| {
            let t = k as f64 / rate_hz;
            let inside = t > start_s - 1e-12 && t < start_s + duration_s - 1e-12;
            let amplitude = SQRT_2 * if inside { share } else { 1.0 };
            amplitude * (TAU * f * t + phase_deg.to_radians()).sin()
        })
        .collect()
}

fn half_cycles(rate_hz: f64, samples: &[f64]) -> Vec<HalfCycle> {
    let mut half_cycles = HalfCycles::new(rate_hz, 50.0);
    samples.chunks(333).for_each(|samples| half_cycles.push(samples));
    half_cycles.finish();
    std::iter::from_fn(|| half_cycles.pop()).collect()
}

/// Events of several channels, their values fed in the order of time.
fn events(rate_hz: f64, channels: &[Vec<f64>]) -> Vec<VoltageEvent> {
    let mut all: Vec<(usize, HalfCycle)> = Vec::new();
    for (phase, samples) in channels.iter().enumerate() {
        all.extend(half_cycles(rate_hz, samples).into_iter().map(|value| (phase, value)));
    }
    all.sort_by(|a, b| a.1.middle().total_cmp(&b.1.middle()));
    let mut detector = EventDetector::new(EventConfig::new(channels.len(), 1.0));
    for (phase, value) in all {
        detector.push(phase, value);
    }
    detector.finish();
    std::iter::from_fn(|| detector.pop()).collect()
}

#[test]
fn the_worked_dip_reads_to_the_digit() {
    // To 40 % for 100 ms from a zero crossing on: of the cycle half of which is inside the dip,
    // sqrt((1 + 0.16) / 2) = 0.761577 remains.
    for (rate_hz, tolerance) in [(6400.0, 5e-7), (50_000.0, 5e-7), (7812.5, 6e-6), (1200.0, 2e-4)] {
        let samples = dipped(rate_hz, 50.0, 0.0, (0.2, 0.1, 0.4));
        let found = half_cycles(rate_hz, &samples);
        let first = found.iter().position(|v| v.rms < 0.9).expect("a dip");
        let mut due = vec![1.0, 0.761_577];
        due.extend([0.4; 9]);
        due.extend([0.761_577, 1.0]);
        for (value, due) in found[first - 1..].iter().zip(due) {
            assert!((value.rms - due).abs() < tolerance, "{rate_hz}: {value:?} is not {due}");
        }
        let found = events(rate_hz, std::slice::from_ref(&samples));
        assert_eq!(found.len(), 1, "{found:?}");
        let dip = found[0];
        assert_eq!((dip.kind, dip.scope), (EventKind::Dip, Scope::Phase(0)));
        assert!((dip.residual_pct() - 40.0).abs() < 100.0 * tolerance.max(5e-6), "{dip:?}");
        let duration_s = (dip.end - dip.start) / rate_hz;
        assert!((duration_s - 0.110).abs() < 20.0 * tolerance / rate_hz + 1e-5, "{duration_s}");
        assert!((dip.start / rate_hz - 0.2).abs() < 1e-4, "{dip:?}");
        assert!(dip.complete);
    }
}

#[test]
fn a_dip_anywhere_on_the_wave_and_off_nominal_is_as_deep_as_it_is() {
    for (f, start_s, phase_deg) in
        [(49.7, 0.2034, 20.0), (50.4, 0.2151, 111.0), (47.0, 0.1988, 250.0)]
    {
        let rate_hz = 6400.0;
        let samples = dipped(rate_hz, f, phase_deg, (start_s, 0.12, 0.55));
        let found = events(rate_hz, &[samples]);
        assert_eq!(found.len(), 1, "{found:?}");
        // IEC 61000-4-30, class A: 0.2 % of the declared voltage and one cycle; ours a tenth.
        assert!((found[0].residual_pct() - 55.0).abs() < 0.02, "{:?}", found[0]);
        let cycle_s = 1.0 / f;
        assert!((found[0].start / rate_hz - start_s).abs() < 0.5 * cycle_s);
        assert!(((found[0].end - found[0].start) / rate_hz - 0.12).abs() < cycle_s);
    }
}

#[test]
fn three_phases_that_dip_one_after_another_are_one_event_of_the_system() {
    let rate_hz = 6400.0;
    let channels: Vec<_> = [(0.0, 0.2), (-120.0, 0.22), (120.0, 0.24)]
        .map(|(phase_deg, start_s)| dipped(rate_hz, 50.0, phase_deg, (start_s, 0.1, 0.01)))
        .to_vec();
    let found = events(rate_hz, &channels);
    let count = |kind, system: bool| {
        found.iter().filter(|e| e.kind == kind && (e.scope == Scope::System) == system).count()
    };
    assert_eq!((count(EventKind::Dip, false), count(EventKind::Dip, true)), (3, 1));
    assert_eq!(
        (count(EventKind::Interruption, false), count(EventKind::Interruption, true)),
        (3, 1)
    );
    let of = |kind| {
        *found.iter().find(|e| e.kind == kind && e.scope == Scope::System).expect("an event")
    };
    let (dip, gone) = (of(EventKind::Dip), of(EventKind::Interruption));
    // First below to last back; last below to first back. Half a cycle of doubt at each end.
    assert!(
        (dip.start / rate_hz - 0.2).abs() < 0.0101 && (dip.end / rate_hz - 0.34).abs() < 0.0201
    );
    assert!(
        (gone.start / rate_hz - 0.24).abs() < 0.0201 && (gone.end / rate_hz - 0.3).abs() < 0.0101
    );
}

#[test]
fn the_ends_of_a_recording_are_no_events() {
    for rate_hz in [1200.0, 6400.0, 7812.5, 50_000.0] {
        for phase_deg in [0.0, 13.0, 90.0, 179.0, 300.0] {
            for f in [49.3, 50.0, 50.6] {
                let samples = dipped(rate_hz, f, phase_deg, (9.0, 1.0, 0.0));
                let found = events(rate_hz, &[samples]);
                assert!(found.is_empty(), "{rate_hz} {phase_deg} {f}: {found:?}");
            }
        }
    }
}
