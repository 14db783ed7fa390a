//! What a proxy counts, from all its lanes at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

use crate::impair::LegName;

/// Three digits: a thousandth of the value.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Counters and histograms, shared by all tasks of a proxy.
#[derive(Debug)]
pub(super) struct Meter(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    /// What is counted one by one.
    report: ProxyReport,
    release_error: Histogram<u64>,
    injected_delay: Histogram<u64>,
}

impl Meter {
    pub(super) fn new() -> Self {
        // They grow with their values; the only bad argument is a number of digits above five.
        let histogram = || Histogram::new(SIGNIFICANT_DIGITS).expect("three digits are allowed");
        let (release_error, injected_delay) = (histogram(), histogram());
        let report = ProxyReport::default();
        Self(Mutex::new(Counted { report, release_error, injected_delay }))
    }

    pub(super) fn count(&self, counter: impl FnOnce(&mut ProxyReport) -> &mut u64) {
        *counter(&mut lock(&self.0).report) += 1;
    }

    /// A chunk was released: how long it was to take, and how late it was, unless it had to wait
    /// for its receiver.
    pub(super) fn released(
        &self,
        leg: LegName,
        bytes: usize,
        delay_ns: i64,
        error_ns: Option<i64>,
    ) {
        let mut counted = lock(&self.0);
        counted.report.chunks[leg as usize] += 1;
        counted.report.bytes[leg as usize] += bytes as u64;
        record(&mut counted.injected_delay, delay_ns);
        match error_ns {
            Some(error_ns) => record(&mut counted.release_error, error_ns),
            None => counted.report.blocked += 1,
        }
    }

    /// All but what the lanes themselves know.
    pub(super) fn report(&self) -> ProxyReport {
        let counted = lock(&self.0);
        ProxyReport {
            release_error: spread(&counted.release_error),
            injected_delay: spread(&counted.injected_delay),
            ..counted.report.clone()
        }
    }
}

fn record(histogram: &mut Histogram<u64>, value_ns: i64) {
    // It grows as it must: every value fits.
    let _ = histogram.record(value_ns.max(0).unsigned_abs());
}

fn spread(histogram: &Histogram<u64>) -> Spread {
    let at =
        |quantile: f64| i64::try_from(histogram.value_at_quantile(quantile)).unwrap_or(i64::MAX);
    Spread {
        count: histogram.len(),
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: i64::try_from(histogram.max()).unwrap_or(i64::MAX),
    }
}

/// What a proxy has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyReport {
    /// Lanes that were opened.
    pub lanes: u64,
    /// Connections that were accepted.
    pub connections: u64,
    /// Connections that the platform did not take; their owners were reset.
    pub upstream_refused: u64,
    /// Connections ended or frozen by a breakage.
    pub broken: u64,
    /// Connections reset by one of their ends.
    pub resets: u64,
    /// Chunks released, up and down.
    pub chunks: [u64; 2],
    /// Bytes released, up and down.
    pub bytes: [u64; 2],
    /// Bytes changed, up and down.
    pub flipped_bytes: [u64; 2],
    /// Releases that waited for a receiver who did not read; they are in no other figure below.
    pub blocked: u64,
    /// Errors of all other releases, ns.
    pub release_error: Spread,
    /// Delays they were to have, from reading to intended release, ns.
    pub injected_delay: Spread,
}

/// Quantiles of some numbers, to three digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// Median of the release errors.
    pub p50_ns: i64,
    /// Quantile 99 %.
    pub p99_ns: i64,
    /// Quantile 99.9 %.
    pub p999_ns: i64,
    /// Greatest of the release errors.
    pub max_ns: i64,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_numbers_to_a_thousandth() {
        let meter = Meter::new();
        // From 0.1 ms to 1 s in even steps, and as many that were blocked.
        for number in 1..=10_000 {
            meter.released(LegName::Up, 3, 3_600_000_000_000, Some(number * 100_000));
            meter.released(LegName::Down, 5, 7, None);
        }
        let report = meter.report();
        assert_eq!((report.chunks, report.bytes), ([10_000; 2], [30_000, 50_000]));
        assert_eq!((report.blocked, report.release_error.count), (10_000, 10_000));
        for (found, expected) in [
            (report.release_error.p50_ns, 500_000_000),
            (report.release_error.p99_ns, 990_000_000),
            (report.release_error.p999_ns, 999_000_000),
            (report.release_error.max_ns, 1_000_000_000),
            (report.injected_delay.p50_ns, 7),
            (report.injected_delay.max_ns, 3_600_000_000_000),
        ] {
            let off: i64 = found - expected;
            assert!(off.abs() <= expected / 1000, "{found}, not {expected}");
        }
    }
}
