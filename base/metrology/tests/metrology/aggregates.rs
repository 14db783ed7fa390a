//! Aggregation over time against sums worked out here.

use lastmeter_metrology::aggregate::{Aggregate, Aggregator, Frequency};
use lastmeter_metrology::en50160::{Quantity, Verdict, WEEK_S, WeeklyJudge};
use lastmeter_metrology::flagging::Flags;
use lastmeter_metrology::{Harmonics, PhaseHarmonics, PhaseQuantities, Phasor, Window};

/// A window of three phases whose voltages are 230 V times 0.9, 1 and 1.1, plus `k` mV.
fn window(start_s: f64, duration_s: f64, k: u32) -> Window {
    let phase = |share: f64, turn: f64| {
        let u = 230.0 * share + 0.001 * f64::from(k);
        let (s, c) = turn.to_radians().sin_cos();
        let mut sub_groups = vec![0.0; 50];
        sub_groups[0] = u;
        sub_groups[4] = 0.03 * u;
        let harmonics = Harmonics { sub_groups, ..Harmonics::default() };
        PhaseQuantities {
            u_rms_v: u,
            i_rms_a: 5.0,
            p_w: f64::from(k) - 100.0,
            q1_var: 7.0,
            u1: Phasor { re: u * c, im: u * s },
            harmonics: Some(Box::new(PhaseHarmonics { u: harmonics, i: Harmonics::default() })),
            ..PhaseQuantities::default()
        }
    };
    Window {
        start_s,
        duration_s,
        cycles: 10,
        frequency_hz: 10.0 / duration_s,
        phases: vec![phase(0.9, 0.0), phase(1.0, -120.0), phase(1.1, 120.0)],
        effective: None,
        tracked: true,
        flagged: false,
        extended: false,
        ten_minutes: None,
        before_tick: None,
        synchronous: None,
    }
}

fn all<T>(pop: impl FnMut() -> Option<T>) -> Vec<T> {
    std::iter::from_fn(pop).collect()
}

/// Two hours and a bit at 50.02 Hz, the ticks at `tick_s`; windows `dipped` carry a flag.
fn run(tick_s: f64, dipped: std::ops::Range<u32>) -> Aggregator {
    let mut aggregator = Aggregator::new(tick_s);
    let duration_s = 10.0 / 50.02;
    for k in 0..40_000 {
        let dip = dipped.contains(&k);
        let flags = Flags { dip, ..Flags::default() };
        aggregator.push(&window(duration_s * f64::from(k), duration_s, k), flags);
    }
    aggregator.finish();
    aggregator
}

#[test]
fn squares_are_averaged_and_powers_too() {
    let mut aggregator = run(0.0, 0..0);
    let shorts = all(|| aggregator.pop_short());
    let first: &Aggregate = &shorts[0];
    assert_eq!(first.count, 15);
    assert!((first.duration_s - 150.0 / 50.02).abs() < 1e-9);
    // u = 207 + 0.001 k, k = 0..=14: mean square by the sums of k and k^2.
    let mean_square = |a: f64, n: f64, from: f64| {
        let (b, mean) = (0.001, from + (n - 1.0) / 2.0);
        let k2 = mean * mean + (n * n - 1.0) / 12.0;
        a * a + 2.0 * a * b * mean + b * b * k2
    };
    let due = mean_square(207.0, 15.0, 0.0).sqrt();
    assert!((first.phases[0].u_rms_v - due).abs() < 1e-9);
    assert!((first.phases[0].p_w + 93.0).abs() < 1e-9);
    assert!((first.phases[1].thd_u_pct.expect("harmonics") - 3.0).abs() < 1e-9);

    let middles = all(|| aggregator.pop_ten_minutes());
    // 600 s hold 3001.2 windows: those that start in them.
    assert_eq!(middles.iter().map(|m| m.count).collect::<Vec<_>>()[..3], [3002, 3001, 3001]);
    assert_eq!(middles.len(), 13);
    let due = mean_square(253.0, 3001.0, 3002.0).sqrt();
    assert!((middles[1].phases[2].u_rms_v - due).abs() < 1e-9);
    let longs = all(|| aggregator.pop_two_hours());
    assert_eq!((longs.len(), longs[0].count), (1, 12));
    // The long value is made of the middle ones, each counting the same.
    let squares: f64 = middles[..12].iter().map(|m| m.phases[0].u_rms_v.powi(2)).sum();
    assert!((longs[0].phases[0].u_rms_v - (squares / 12.0).sqrt()).abs() < 1e-9);
    let u = longs[0].unbalance_u.expect("three phases");
    // The negative sequence of 0.9/1/1.1 is a tenth over the root of three; the positive one
    // grows with the offset.
    let due = 100.0 * 23.0 / 3f64.sqrt() / mean_square(230.0, 36_014.0, 0.0).sqrt();
    assert!((u.negative_pct.expect("a system") - due).abs() < 1e-3, "{u:?} {due}");
}

#[test]
fn intervals_begin_at_the_ticks_and_parts_of_them_are_not_given() {
    let mut aggregator = run(250.0, 0..0);
    let middles = all(|| aggregator.pop_ten_minutes());
    let starts: Vec<_> = middles.iter().map(|m| m.start_s).collect();
    for (k, start_s) in starts.iter().enumerate() {
        let due = 250.0 + 600.0 * k as f64;
        assert!((0.0..0.2).contains(&(start_s - due)), "{start_s} {due}");
    }
    // 40 000 windows are 7996.8 s: ticks at 250, 850, ... 7450; the last whole interval is the
    // twelfth. Two hours of the clock are not in it.
    assert_eq!(starts.len(), 12);
}

#[test]
fn a_flag_reaches_every_value_that_contains_it() {
    let mut aggregator = run(0.0, 5000..5002);
    let flagged = |list: &[Aggregate]| -> Vec<usize> {
        let dip = |(k, value): (usize, &Aggregate)| value.flags.dip.then_some(k);
        list.iter().enumerate().filter_map(dip).collect()
    };
    let shorts = all(|| aggregator.pop_short());
    // 200 whole shorts in each ten minutes, whatever is left of them is dropped.
    assert_eq!(flagged(&shorts), [200 + (5000 - 3002) / 15]);
    assert_eq!(flagged(&all(|| aggregator.pop_ten_minutes())), [1]);
    assert_eq!(flagged(&all(|| aggregator.pop_two_hours())), [0]);
}

#[test]
fn ten_seconds_count_whole_cycles() {
    let mut aggregator = run(3.0, 0..0);
    let found: Vec<Frequency> = all(|| aggregator.pop_frequency());
    assert!(found.len() > 798, "{}", found.len());
    for (k, value) in found.iter().enumerate() {
        assert!((value.start_s - 3.0 - 10.0 * k as f64).abs() < 1e-6);
        assert!((value.frequency_hz.expect("cycles") - 50.02).abs() < 1e-9, "{value:?}");
        assert!(!value.flagged);
    }
}

#[test]
fn a_break_in_the_count_is_flagged_and_does_not_falsify() {
    let mut aggregator = Aggregator::new(0.0);
    for k in 0..200_u32 {
        let mut window = window(0.2 * f64::from(k), 0.2, k);
        // A phase jump in the sixth second of the second interval: this window is 0.2 s, but no
        // ten cycles.
        window.flagged = k == 78;
        aggregator.push(&window, Flags::default());
    }
    aggregator.finish();
    let found = all(|| aggregator.pop_frequency());
    assert_eq!(found.len(), 4);
    assert_eq!(found.iter().map(|f| f.flagged).collect::<Vec<_>>(), [false, true, false, false]);
    assert!(found.iter().all(|f| (f.frequency_hz.expect("cycles") - 50.0).abs() < 1e-9));
}

#[test]
fn windows_that_overlap_at_a_tick_count_no_cycle_twice() {
    // As an engine with a clock gives them: the window across the tick at 600 s is completed, and
    // the next one starts at the tick.
    let duration_s = 10.0 / 50.02;
    let mut aggregator = Aggregator::new(0.0);
    let mut start_s = 0.05;
    for k in 0..6100 {
        aggregator.push(&window(start_s, duration_s, k), Flags::default());
        let end_s = start_s + duration_s;
        start_s = if start_s < 600.0 && end_s > 600.0 { 600.0 } else { end_s };
    }
    aggregator.finish();
    let found = all(|| aggregator.pop_frequency());
    // The first ten seconds are not whole: they begin 50 ms late.
    assert_eq!((found.len(), found[0].start_s), (120, 10.0));
    assert!(found.iter().all(|f| (f.frequency_hz.expect("cycles") - 50.02).abs() < 1e-9));
    let middles = all(|| aggregator.pop_ten_minutes());
    assert_eq!(middles.iter().map(|m| m.count).collect::<Vec<_>>(), [3001, 3002]);
    assert_eq!(middles[1].start_s, 600.0);
}

#[test]
fn a_week_begins_with_the_first_whole_ten_minutes_wherever_the_recording_does() {
    // The first tick is 137 s after the first sample; "windows" of 5 s begin anew with each.
    let tick_s = 137.0;
    let judged = |seconds: f64, begin_s: f64| {
        let names = ["a", "b", "c"].map(str::to_owned);
        let mut judge = WeeklyJudge::new(230.0, 50.0, &names).beginning_at(begin_s);
        let mut aggregator = Aggregator::new(tick_s);
        let mut start_s = 0.0;
        while start_s + 5.0 <= seconds {
            aggregator.push(&window(start_s, 5.0, 0), Flags::default());
            let beyond_tick_s = (start_s + 5.0 - tick_s).rem_euclid(600.0);
            start_s += if beyond_tick_s < 5.0 { 5.0 - beyond_tick_s } else { 5.0 };
        }
        aggregator.finish();
        for value in all(|| aggregator.pop_ten_minutes()) {
            judge.push_ten_minutes(&value);
        }
        judge.ends_at(seconds);
        let rows = judge.rows();
        let is_it = |quantity: Quantity, share_pct: f64| {
            quantity == Quantity::VoltageDeviationPct && share_pct == 100.0
        };
        assert!(rows.iter().all(|row| row.week == 0));
        let row = rows.iter().find(|row| is_it(row.quantity, row.share_pct)).expect("a row");
        (row.judged, row.verdict)
    };
    // 207 V is 10 % below: kept.
    assert_eq!(judged(WEEK_S + 600.0, tick_s), (1008, Verdict::Pass));
    // Of a week exactly, one interval is cut by its ends; the others are all there are.
    assert_eq!(judged(WEEK_S, tick_s), (1007, Verdict::Pass));
    // Ten minutes less are no week, and the week after the first has not been.
    assert_eq!(judged(WEEK_S - 600.0, tick_s), (1006, Verdict::TooLittleData));
}
