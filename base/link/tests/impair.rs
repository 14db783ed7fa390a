//! The published latency figure out of the model in virtual time: 30 000 messages through the two
//! legs of `flexmeter-wan`, judged by quartiles, whiskers and shares computed here.
//!
//! Expected: the figures of the model's own documentation, found by another program (numpy, 8 seeds
//! of 30 000 messages): quartiles 110.3, 140.4, 150.4 ms, upper whisker 210.1 ms, 96.6 % below
//! 210 ms; and the shares below 210 ms when messages follow each other faster.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use chacha20::ChaCha8Rng;
use lastmeter_link::impair::{Leg, LegName, LinkSpec, Preset};
use rand::SeedableRng as _;

const MESSAGES: i64 = 30_000;
const BYTES: usize = 1300;
const MILLISECOND: i64 = 1_000_000;

fn preset(name: &str) -> LinkSpec {
    Preset::find(name).unwrap_or_else(|| panic!("no preset {name}")).link
}

fn leg(link: &LinkSpec, name: LegName, seed: u8) -> Leg {
    let mut key = [seed; 32];
    key[0] = name as u8;
    Leg::new(link, name, &ChaCha8Rng::from_seed(key))
}

/// Latencies through both legs, ms, of messages at a fixed period.
fn latencies_ms(link: &LinkSpec, period_ns: i64, seed: u8) -> Vec<f64> {
    let (mut up, mut down) = (leg(link, LegName::Up, seed), leg(link, LegName::Down, seed));
    let latency = |k: i64| {
        let sent = k * period_ns;
        let received = down.send_bytes(up.send_bytes(sent, BYTES), BYTES);
        (received - sent) as f64 / MILLISECOND as f64
    };
    (0..MESSAGES).map(latency).collect()
}

/// The quantile by linear interpolation between order statistics (Hyndman and Fan's type 7).
fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let place = (sorted.len() - 1) as f64 * probability;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// Lower whisker, quartiles, upper whisker (Tukey: the outermost data within 1.5 times the
/// interquartile range), and the share below a limit.
fn figures(mut latencies: Vec<f64>, limit_ms: f64) -> ([f64; 5], f64) {
    latencies.sort_by(f64::total_cmp);
    let [q1, median, q3] = [0.25, 0.5, 0.75].map(|p| quantile(&latencies, p));
    let reach = 1.5 * (q3 - q1);
    let low = latencies.iter().copied().find(|&x| x >= q1 - reach).unwrap();
    let high = latencies.iter().copied().rfind(|&x| x <= q3 + reach).unwrap();
    let below = latencies.iter().filter(|&&x| x < limit_ms).count() as f64;
    ([low, q1, median, q3, high], below / latencies.len() as f64)
}

#[test]
fn the_quartile_helper_is_that_of_the_text_books() {
    // Hyndman and Fan (1996), type 7, by hand: places 0.75, 1.5, 2.25 of [1, 2, 4, 8].
    let sorted = [1.0, 2.0, 4.0, 8.0];
    assert_eq!([0.25, 0.5, 0.75].map(|p| quantile(&sorted, p)), [1.75, 3.0, 5.0]);
    let ([low, .., high], below) = figures(vec![1.0, 2.0, 4.0, 8.0, 30.0, 2.0], 4.0);
    // Quartiles 2 and 7, fences -5.5 and 14.5.
    assert_eq!((low, high, below), (1.0, 8.0, 0.5));
}

#[test]
fn the_wide_area_network_gives_the_published_figure() {
    let link = preset("flexmeter-wan");
    for seed in 1..=8 {
        let (found, share) = figures(latencies_ms(&link, 500 * MILLISECOND, seed), 210.0);
        let expected = [100.0, 110.3, 140.4, 150.4, 210.1];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 2.0, "seed {seed}: {found}, not {expected} ms");
        }
        assert!((0.96..=0.98).contains(&share), "seed {seed}: {share}");
    }
}

#[test]
fn messages_that_follow_faster_wait_for_each_other() {
    let link = preset("flexmeter-wan");
    for (period_ms, expected) in [(500, 0.966), (250, 0.954), (100, 0.914), (50, 0.851)] {
        let share = |seed| figures(latencies_ms(&link, period_ms * MILLISECOND, seed), 210.0).1;
        let mean = (1..=4).map(share).sum::<f64>() / 4.0;
        assert!((mean - expected).abs() <= 0.01, "every {period_ms} ms: {mean}, not {expected}");
    }
}

#[test]
fn without_the_slow_mode_the_figure_is_another() {
    // The sum of both jitters is one of shape 1.125 and scale 9 ms: quartiles of 2.99, 6.5 and
    // 13.5 ms (chi-square of 2.25 degrees, halved) over 100 ms, and 40 ms for the held payload.
    let link = preset("flexmeter-nagle");
    let ([low, q1, median, q3, _], share) =
        figures(latencies_ms(&link, 500 * MILLISECOND, 1), 210.0);
    assert!((140.0..140.2).contains(&low), "{low}");
    assert!(q1 > 142.0 && median < 150.0 && q3 < 158.0, "{q1} {median} {q3}");
    assert!((0.96..0.98).contains(&share), "{share}");
    let nodelay = LinkSpec { nodelay: true, ..link };
    let ([low, ..], _) = figures(latencies_ms(&nodelay, 500 * MILLISECOND, 1), 210.0);
    assert!((100.0..100.2).contains(&low), "{low}");
}

#[test]
fn the_same_seed_gives_the_same_nanoseconds() {
    let link = preset("flexmeter-wan");
    let first = latencies_ms(&link, 500 * MILLISECOND, 3);
    assert_eq!(first, latencies_ms(&link, 500 * MILLISECOND, 3));
    assert_ne!(first, latencies_ms(&link, 500 * MILLISECOND, 4));
}
