//! Tests of one leg's law, each expectation from a closed form.

use super::*;
use crate::impair::{Bandwidth, Jitter, JitterLaw, Rare};
use proptest::prelude::*;
use rand::SeedableRng as _;
use statrs::distribution::{ContinuousCDF, LogNormal};

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

fn rng(seed: u8) -> ChaCha8Rng {
    ChaCha8Rng::from_seed([seed; 32])
}

fn leg(spec: LegSpec) -> Leg {
    let link = LinkSpec { up: spec, ..LinkSpec::PERFECT };
    Leg::new(&link, LegName::Up, &rng(1))
}

/// Delays of chunks so far apart that none waits for another.
fn delays(spec: LegSpec, count: i64, bytes: usize) -> Vec<i64> {
    let mut leg = leg(spec);
    let entries = (0..count).map(|k| k * 10_000 * SECOND);
    entries.map(|at| leg.send_bytes(at, bytes) - at).collect()
}

fn lossy(probability: f64) -> LegSpec {
    LegSpec { loss: Loss { probability, timeout_ns: 200e6 }, ..LegSpec::PERFECT }
}

#[test]
fn a_perfect_leg_changes_nothing() {
    let mut leg = leg(LegSpec::PERFECT);
    for at in [0, 1, 1, 500, SECOND] {
        let mut chunk = *b"unchanged";
        assert_eq!(leg.send(at, &mut chunk), at);
        assert_eq!(&chunk, b"unchanged");
    }
}

#[test]
fn a_fixed_delay_is_that_delay() {
    let spec = LegSpec { delay_ns: 50e6, ..LegSpec::PERFECT };
    assert!(delays(spec, 100, 1300).iter().all(|&delay| delay == 50 * MILLISECOND));
}

#[test]
fn what_is_due_earlier_than_the_chunk_before_waits_for_it() {
    // The delay falls from 100 ms to nothing while the first chunk is on its way.
    let mut leg = leg(LegSpec::PERFECT);
    let slow = LegSpec { delay_ns: 100e6, ..LegSpec::PERFECT };
    leg.impair(0, &Impairment { up: Some(slow), down: None });
    assert_eq!(leg.send_bytes(0, 10), 100 * MILLISECOND);
    leg.restore(10 * MILLISECOND);
    assert_eq!(leg.send_bytes(20 * MILLISECOND, 10), 100 * MILLISECOND);
    assert_eq!(leg.send_bytes(150 * MILLISECOND, 10), 150 * MILLISECOND);
}

#[test]
fn an_impairment_adds_to_its_own_leg_only() {
    let spec = LegSpec { delay_ns: 50e6, ..LegSpec::PERFECT };
    let link = LinkSpec { up: spec, down: spec, ..LinkSpec::PERFECT };
    let change = LegSpec { delay_ns: 7e6, ..LegSpec::PERFECT };
    for (name, expected) in [(LegName::Up, 57), (LegName::Down, 50)] {
        let mut leg = Leg::new(&link, name, &rng(1));
        leg.impair(0, &Impairment { up: Some(change), down: None });
        assert_eq!(leg.send_bytes(0, 10), expected * MILLISECOND, "{name:?}");
        // A second one takes the place of the first.
        leg.impair(SECOND, &Impairment { up: Some(change), down: None });
        assert_eq!(leg.send_bytes(SECOND, 10), SECOND + expected * MILLISECOND, "{name:?}");
        leg.restore(2 * SECOND);
        assert_eq!(leg.send_bytes(2 * SECOND, 10), 2 * SECOND + 50 * MILLISECOND);
    }
}

#[test]
fn a_new_connection_does_not_wait_for_the_old_one() {
    let mut leg = leg(LegSpec { delay_ns: 50e6, ..LegSpec::PERFECT });
    leg.hold_until(9 * SECOND);
    assert_eq!(leg.send_bytes(0, 10), 9 * SECOND);
    leg.reconnected(SECOND);
    assert_eq!(leg.send_bytes(SECOND, 10), SECOND + 50 * MILLISECOND);
}

#[test]
fn a_line_takes_its_time_for_each_bit() {
    // 1000 bytes at 8 kbit/s: one second each, one after the other.
    let bandwidth = Bandwidth { bits_per_s: 8e3, burst_bytes: 0 };
    let mut leg = leg(LegSpec { bandwidth, delay_ns: 5e6, ..LegSpec::PERFECT });
    for k in 1..=5 {
        assert_eq!(leg.send_bytes(0, 1000), k * SECOND + 5 * MILLISECOND);
    }
    // After a rest the line is free again.
    assert_eq!(leg.send_bytes(60 * SECOND, 500), 60 * SECOND + 505 * MILLISECOND);
}

#[test]
fn a_burst_passes_at_once_and_fills_up_again_at_the_lines_rate() {
    let bandwidth = Bandwidth { bits_per_s: 8e3, burst_bytes: 3000 };
    let mut leg = leg(LegSpec { bandwidth, ..LegSpec::PERFECT });
    let mut at = |now_s: i64| leg.send_bytes(now_s * SECOND, 1000);
    assert_eq!([at(10), at(10), at(10)], [10 * SECOND; 3]);
    assert_eq!([at(10), at(10)], [11 * SECOND, 12 * SECOND]);
    // The debt of two seconds is paid at 12; by 13 there is room for one of three again.
    assert_eq!([at(13), at(13)], [13 * SECOND, 14 * SECOND]);
    assert_eq!([at(60), at(60), at(60)], [60 * SECOND; 3]);
}

#[test]
fn stalls_by_loss_are_geometric_in_doubled_timeouts() {
    let (probability, count) = (0.2, 20_000);
    let found = delays(lossy(probability), count, 100);
    let mut share = 1.0 - probability;
    for times in 0..4 {
        let stall = ((1 << times) - 1) * 200 * MILLISECOND;
        let seen = found.iter().filter(|&&delay| delay == stall).count() as f64;
        let expected = share * count as f64;
        let limit = 5.0 * (expected * (1.0 - share)).sqrt();
        assert!((seen - expected).abs() < limit, "{times} times: {seen}, not {expected}");
        share *= probability;
    }
}

#[test]
fn a_chunk_of_many_segments_is_held_up_by_the_worst_of_them() {
    let (probability, count) = (0.05_f64, 20_000);
    // Six segments: whole only if all of them are.
    let found = delays(lossy(probability), count, 6 * SEGMENT_BYTES - 1);
    for (stall, share) in [(0, 0.95_f64.powi(6)), (600, 0.0025)] {
        let expected = if stall == 0 {
            share
        } else {
            // Lost twice at most, and not all of them once at most.
            (1.0 - probability.powi(3)).powi(6) - (1.0 - probability.powi(2)).powi(6)
        };
        let seen = found.iter().filter(|&&delay| delay == stall * MILLISECOND).count() as f64;
        let limit = 5.0 * (expected * (1.0 - expected) / count as f64).sqrt();
        assert!((seen / count as f64 - expected).abs() < limit, "{stall} ms: {seen}");
    }
}

#[test]
fn even_the_worst_loss_ends() {
    // 200 ms doubled up to 120 s: 0.2 (2^10 - 1) = 204.6 s, then five times 120 s.
    let longest = delays(lossy(0.95), 500, 100).into_iter().max().unwrap();
    assert_eq!(longest, 804_600 * MILLISECOND);
}

#[test]
fn rare_events_come_as_often_and_as_long_as_asked_for() {
    let rare = Rare { probability: 0.1, median_ns: 180e6, sigma: 0.9 };
    let count = 40_000;
    let found = delays(LegSpec { rare: Some(rare), ..LegSpec::PERFECT }, count, 100);
    let mut events: Vec<i64> = found.into_iter().filter(|&delay| delay > 0).collect();
    let deviation = (0.1 * 0.9 * count as f64).sqrt();
    assert!((events.len() as f64 - 4000.0).abs() < 5.0 * deviation, "{}", events.len());
    events.sort_unstable();
    let lognormal = LogNormal::new(180e6_f64.ln(), 0.9).unwrap();
    let n = events.len() as f64;
    let distance = events
        .iter()
        .enumerate()
        .map(|(rank, &delay)| (lognormal.cdf(delay as f64) - (rank as f64 + 0.5) / n).abs())
        .fold(0.0, f64::max);
    assert!(distance * n.sqrt() < 2.47, "{distance}");
}

fn shifting(fast_s: f64, slow_s: f64, deviation_ns: f64) -> LegSpec {
    let shift = Shift {
        mean_ns: 39e6,
        deviation_ns,
        fast_dwell_ns: fast_s * 1e9,
        slow_dwell_ns: slow_s * 1e9,
    };
    LegSpec { shift: Some(shift), ..LegSpec::PERFECT }
}

#[test]
fn the_slow_mode_is_a_markov_chain() {
    // Sampled every 0.1 s: the share of slow time, and an autocorrelation that decays with the
    // sum of both rates, exp(-t (1/fast + 1/slow)).
    let (fast, slow, count) = (2.0, 3.0, 400_000_i64);
    let mut leg = leg(shifting(fast, slow, 0.0));
    let states: Vec<f64> = (0..count)
        .map(|k| {
            let at = k * 100 * MILLISECOND;
            f64::from(leg.send_bytes(at, 10) > at)
        })
        .collect();
    let share = states.iter().sum::<f64>() / count as f64;
    // 40 000 s hold 8000 cycles of two exponential times.
    assert!((share - 0.6).abs() < 0.015, "{share}");
    for lag in [5_usize, 10, 20] {
        let products = states.iter().zip(&states[lag..]).map(|(a, b)| (a - share) * (b - share));
        let found = products.sum::<f64>() / (count as f64 * share * (1.0 - share));
        let expected = (-(lag as f64) * 0.1 * (1.0 / fast + 1.0 / slow)).exp();
        assert!((found - expected).abs() < 0.02, "lag {lag}: {found}, not {expected}");
    }
}

#[test]
fn the_first_state_is_drawn_from_the_long_run() {
    let link = LinkSpec { up: shifting(20.0, 27.6, 0.0), ..LinkSpec::PERFECT };
    let slow = |seed: u16| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&seed.to_le_bytes());
        Leg::new(&link, LegName::Up, &ChaCha8Rng::from_seed(key)).send_bytes(77, 10) > 77
    };
    let count = (0..4000).filter(|&seed| slow(seed)).count() as f64;
    let expected = 27.6 / 47.6;
    assert!((count / 4000.0 - expected).abs() < 5.0 * (0.25_f64 / 4000.0).sqrt(), "{count}");
}

#[test]
fn a_rest_of_years_does_not_stop_the_chain() {
    let mut leg = leg(shifting(0.001, 0.001, 0.0));
    let mut slow = 0;
    for year in 0..200 {
        let at = year * 31_557_600 * SECOND;
        slow += i32::from(leg.send_bytes(at, 10) > at);
    }
    assert!((60..140).contains(&slow), "{slow}");
}

#[test]
fn the_slow_modes_delay_is_normal_and_never_below_zero() {
    let spec = shifting(1e-3, 1e9, 39e6);
    let found = delays(spec, 20_000, 10);
    // Mean and deviation are equal: 15.87 % are cut off at zero.
    let cut = found.iter().filter(|&&delay| delay == 0).count() as f64 / 20_000.0;
    assert!((cut - 0.1587).abs() < 0.013, "{cut}");
    let above = found.iter().filter(|&&delay| delay > 78 * MILLISECOND).count() as f64;
    assert!((above / 20_000.0 - 0.1587).abs() < 0.013, "{above}");
}

#[test]
fn one_cause_more_leaves_the_others_as_they_were() {
    let jitter = Jitter { law: JitterLaw::Gamma { shape: 2.0, scale_ns: 5e6 }, correlation: 0.5 };
    let plain = LegSpec { jitter, ..LegSpec::PERFECT };
    let more = LegSpec { jitter, byte_flip: 0.1, ..lossy(0.3) };
    let stalls = delays(lossy(0.3), 200, 100);
    let (plain, more) = (delays(plain, 200, 100), delays(more, 200, 100));
    for k in 0..200 {
        assert!((more[k] - plain[k] - stalls[k]).abs() <= 1, "chunk {k}");
    }
    assert!(stalls.iter().any(|&stall| stall > 0));
}

#[test]
fn flips_are_as_many_as_asked_for_and_of_one_bit_each() {
    let spec = LegSpec { byte_flip: 0.01, ..LegSpec::PERFECT };
    let mut leg = leg(spec);
    let mut bytes = vec![0x55_u8; 200_000];
    leg.send(0, &mut bytes);
    let flipped: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x55).filter(|&x| x != 0).collect();
    assert!(flipped.iter().all(|difference| difference.is_power_of_two()));
    // 2000 expected, deviation 44.5.
    assert!((flipped.len() as f64 - 2000.0).abs() < 5.0 * 44.5, "{}", flipped.len());
    assert_eq!(leg.flipped_bytes(), flipped.len() as u64);
    for bit in 0..8 {
        let count = flipped.iter().filter(|difference| difference.ilog2() == bit).count();
        assert!((170..330).contains(&count), "bit {bit}: {count}");
    }
}

#[test]
fn without_nodelay_two_writes_wait_for_the_acknowledgement() {
    let spec = LegSpec { delay_ns: 50e6, ..LegSpec::PERFECT };
    let link = LinkSpec { up: spec, down: spec, nodelay: false, two_writes: true };
    let ms = |at: i64| at * MILLISECOND;
    let mut up = Leg::new(&link, LegName::Up, &rng(1));
    // Held for 40 ms, and what comes meanwhile goes along.
    assert_eq!(up.send_bytes(ms(0), 1300), ms(90));
    assert_eq!(up.send_bytes(ms(30), 1300), ms(90));
    assert_eq!(up.send_bytes(ms(40), 1300), ms(130));
    assert_eq!(up.send_bytes(ms(500), 1300), ms(590));
    // In real time the kernel does it, and the machine does not do it again.
    assert_eq!(up.send(ms(900), &mut [0; 1300]), ms(950));
    // What comes down is written at once; and so is everything with either setting.
    assert_eq!(Leg::new(&link, LegName::Down, &rng(1)).send_bytes(0, 1300), ms(50));
    for (nodelay, two_writes) in [(true, true), (false, false), (true, false)] {
        let link = LinkSpec { nodelay, two_writes, ..link };
        assert_eq!(Leg::new(&link, LegName::Up, &rng(1)).send_bytes(0, 1300), ms(50));
    }
}

/// Everything the fields accept, ends of the ranges included.
fn any_leg() -> impl Strategy<Value = LegSpec> {
    let time = || prop_oneof![Just(0.0), 0.0_f64..1e9, Just(3600e9)];
    let dwell = || prop_oneof![Just(1e6), 1e6_f64..1e10, Just(1e18)];
    let share = || prop_oneof![Just(0.0), 0.0_f64..=1.0, Just(1.0)];
    let sigma = || prop_oneof![Just(0.0), Just(5.0)];
    let law = prop_oneof![
        Just(JitterLaw::None),
        time().prop_map(|half_width_ns| JitterLaw::Uniform { half_width_ns }),
        time().prop_map(|deviation_ns| JitterLaw::Normal { deviation_ns }),
        (0.05_f64..1000.0, time())
            .prop_map(|(shape, scale_ns)| JitterLaw::Gamma { shape, scale_ns }),
        (time(), sigma()).prop_map(|(median_ns, sigma)| JitterLaw::Lognormal { median_ns, sigma }),
    ];
    let shift = (time(), time(), dwell(), dwell()).prop_map(|(mean, deviation, fast, slow)| {
        Shift { mean_ns: mean, deviation_ns: deviation, fast_dwell_ns: fast, slow_dwell_ns: slow }
    });
    let rare = (share(), time(), sigma()).prop_map(|(probability, median_ns, sigma)| Rare {
        probability,
        median_ns,
        sigma,
    });
    let rate = prop_oneof![Just(1.0), 1.0_f64..1e12, Just(f64::INFINITY)];
    let loss = (0.0_f64..=0.95, 1e6_f64..120e9);
    (
        (time(), law, share()),
        proptest::option::of(shift),
        proptest::option::of(rare),
        (loss, rate, 0_u32..1 << 30, share()),
    )
        .prop_map(|((delay_ns, law, correlation), shift, rare, (loss, rate, burst, flip))| {
            LegSpec {
                delay_ns,
                jitter: Jitter { law, correlation },
                shift,
                rare,
                loss: Loss { probability: loss.0, timeout_ns: loss.1 },
                bandwidth: Bandwidth { bits_per_s: rate, burst_bytes: burst },
                byte_flip: flip,
            }
        })
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    SendBytes(usize),
    Impair(LegSpec),
    Restore,
    Hold(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..3000).prop_map(Step::Send),
        3 => prop_oneof![0_usize..100_000, Just(usize::MAX)].prop_map(Step::SendBytes),
        1 => any_leg().prop_map(Step::Impair),
        1 => Just(Step::Restore),
        1 => (0_i64..10_000_000_000).prop_map(Step::Hold),
    ]
}

proptest! {
    #[test]
    fn releases_never_go_back_and_are_never_in_the_past(
        spec in any_leg(), nodelay in any::<bool>(), two_writes in any::<bool>(),
        start in prop_oneof![Just(i64::MIN), Just(0), 0_i64..1 << 60, Just(i64::MAX - 1000)],
        steps in proptest::collection::vec((0_i64..5_000_000_000, any_step()), 1..40),
    ) {
        let link = LinkSpec { up: spec, nodelay, two_writes, ..LinkSpec::PERFECT };
        let mut leg = Leg::new(&link, LegName::Up, &rng(5));
        let (mut now, mut last) = (start, i64::MIN);
        for (wait, step) in steps {
            now = now.saturating_add(wait);
            let out = match step {
                Step::Send(bytes) => leg.send(now, &mut vec![0; bytes]),
                Step::SendBytes(bytes) => leg.send_bytes(now, bytes),
                Step::Impair(change) => {
                    leg.impair(now, &Impairment { up: Some(change), down: None });
                    continue;
                }
                Step::Restore => { leg.restore(now); continue; }
                Step::Hold(longer) => { leg.hold_until(now.saturating_add(longer)); continue; }
            };
            prop_assert!(out >= now && out >= last, "{out} {now} {last}");
            last = out;
        }
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm(spec in any_leg(), times in proptest::collection::vec(any::<i64>(), 1..20)) {
        let mut leg = leg(spec);
        let mut last = i64::MIN;
        for now in times {
            let out = leg.send_bytes(now, 100);
            prop_assert!(out >= now && out >= last);
            last = out;
            leg.reconnected(now);
            last = last.min(leg.send_bytes(now, 100));
        }
    }

    #[test]
    fn no_more_passes_a_line_than_its_rate_and_its_burst(
        rate in 100.0_f64..1e9, burst in 0_u32..20_000,
        chunks in proptest::collection::vec((0_i64..50_000_000, 1_usize..5000), 1..60),
    ) {
        let bandwidth = Bandwidth { bits_per_s: rate, burst_bytes: burst };
        let mut leg = leg(LegSpec { bandwidth, ..LegSpec::PERFECT });
        let mut now = 0;
        let outs: Vec<(i64, usize)> = chunks
            .into_iter()
            .map(|(wait, bytes)| {
                now += wait;
                (leg.send_bytes(now, bytes), bytes)
            })
            .collect();
        // In any window: what came out in it, but for its first chunk, was sent in it.
        for first in 0..outs.len() {
            let mut bytes = 0;
            for &(out, more) in &outs[first + 1..] {
                bytes += more;
                let room = (out - outs[first].0) as f64 * 1e-9 * rate / 8.0;
                let limit = room + f64::from(burst) + 1.0 + rate / 8e9 * 60.0;
                prop_assert!(bytes as f64 <= limit, "{bytes} > {limit}");
            }
        }
    }

    #[test]
    fn how_bytes_are_cut_does_not_change_which_are_flipped(
        probability in 0.0001_f64..=1.0, cuts in proptest::collection::vec(0_usize..200, 0..30),
    ) {
        let spec = LegSpec { byte_flip: probability, ..LegSpec::PERFECT };
        let whole: usize = cuts.iter().sum();
        let mut expected = vec![0; whole];
        leg(spec).send(0, &mut expected);
        let mut found = Vec::new();
        let mut leg = leg(spec);
        for bytes in cuts {
            let mut chunk = vec![0; bytes];
            leg.send(0, &mut chunk);
            found.extend(chunk);
        }
        prop_assert_eq!(found, expected);
    }
}
