//! How many requests a second somebody has: token buckets by key. Pure: time comes in.
//!
//! Memory is bounded: so many keys, of which the one that asked longest ago is forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

/// Keys that are remembered.
const KEYS_MAX: usize = 4096;

/// Requests per second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: u32,
    /// How many may come at once.
    pub(crate) burst: u32,
}

#[derive(Debug)]
pub(super) struct Rates<K> {
    rate: Rate,
    buckets: BTreeMap<K, Bucket>,
}

/// Requests that are left, as they were at a moment.
#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Duration,
}

impl<K: Ord + Clone> Rates<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, buckets: BTreeMap::new() }
    }

    /// Takes a request.
    ///
    /// # Errors
    /// After how long there is one again.
    pub(super) fn take(&mut self, key: K, now: Duration) -> Result<(), Duration> {
        let (per_second, burst) = (f64::from(self.rate.per_second), f64::from(self.rate.burst));
        if self.buckets.len() >= KEYS_MAX && !self.buckets.contains_key(&key) {
            let oldest = self.buckets.iter().min_by_key(|(_, bucket)| bucket.at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.buckets.remove(&oldest);
            }
        }
        let bucket = self.buckets.entry(key).or_insert(Bucket { left: burst, at: now });
        let since = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + since * per_second).min(burst);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / per_second));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rates(per_second: u32, burst: u32) -> Rates<u32> {
        Rates::new(Rate { per_second, burst })
    }

    #[test]
    fn a_burst_is_taken_at_once_and_then_so_many_a_second() {
        let mut rates = rates(50, 200);
        let at = Duration::from_millis;
        assert_eq!((0..1000).filter(|_| rates.take(1, at(0)).is_ok()).count(), 200);
        assert_eq!(rates.take(1, at(0)), Err(at(20)));
        assert_eq!(rates.take(2, at(0)), Ok(()), "another key");
        // Asked each millisecond for ten seconds: fifty a second.
        let taken = (1..=10_000).filter(|ms| rates.take(1, at(*ms)).is_ok()).count();
        assert!((499..=500).contains(&taken), "{taken}");
    }

    #[test]
    fn memory_is_bounded_and_who_asks_again_and_again_is_remembered() {
        let mut rates = rates(1, 1);
        for other in 0..20_000 {
            let now = Duration::from_micros(other.into());
            assert_eq!(rates.take(u32::MAX, now).is_ok(), other == 0, "{other}");
            rates.take(other, now).unwrap();
        }
        assert_eq!(rates.buckets.len(), KEYS_MAX);
    }

    proptest! {
        #[test]
        fn nobody_has_more_than_the_burst_and_the_rate(
            pauses in proptest::collection::vec(0..200_u64, 1..300),
            per_second in 1..100_u32,
            burst in 1..50_u32,
        ) {
            let mut rates = rates(per_second, burst);
            let (mut now, mut taken) = (Duration::ZERO, 0.0);
            for pause in pauses {
                now += Duration::from_millis(pause);
                taken += f64::from(u8::from(rates.take(1, now).is_ok()));
            }
            let most = f64::from(burst) + now.as_secs_f64() * f64::from(per_second);
            prop_assert!(taken <= most + 1e-6, "{taken} of {most}");
        }
    }
}
