//! Any number of values over time, kept as at most a few hundred bins.

use lastmeter_units::{SimDuration, SimTime};

/// The most bins kept; when more would be needed, neighbours are joined and bins become twice as
/// wide. A picture has not many more columns.
pub const BINS_MAX: usize = 240;

/// The values of one span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// How many.
    pub n: u64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    sum: f64,
    /// Of their times, seconds since the origin.
    times_s: f64,
}

impl Bin {
    const EMPTY: Self =
        Self { n: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0, times_s: 0.0 };

    /// The mean time of the values, in seconds since the origin: of one value its own.
    pub fn at_s(self) -> f64 {
        self.times_s / self.n as f64
    }

    /// The arithmetic mean.
    pub fn mean(self) -> f64 {
        self.sum / self.n as f64
    }

    fn join(self, other: Self) -> Self {
        Self {
            n: self.n + other.n,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
            times_s: self.times_s + other.times_s,
        }
    }
}

/// Values over time, binned as they come.
#[derive(Clone, Debug)]
pub struct Bins {
    origin: SimTime,
    width: SimDuration,
    filled: Vec<Bin>,
}

impl Bins {
    /// None yet. What comes before `origin` is counted in the first bin.
    pub fn new(origin: SimTime) -> Self {
        Self { origin, width: SimDuration::from_seconds(1), filled: Vec::new() }
    }

    /// Takes a value. What is no finite number is left out: it has no place in a picture.
    pub fn push(&mut self, time: SimTime, value: f64) {
        if !value.is_finite() {
            return;
        }
        let since = time.as_nanoseconds().saturating_sub(self.origin.as_nanoseconds()).max(0);
        while since / self.width.0 >= BINS_MAX as i64 {
            self.widen();
        }
        let place = (since / self.width.0) as usize;
        if self.filled.len() <= place {
            self.filled.resize(place + 1, Bin::EMPTY);
        }
        let times_s = SimDuration(since).as_seconds_f64();
        let value = Bin { n: 1, min: value, max: value, sum: value, times_s };
        self.filled[place] = self.filled[place].join(value);
    }

    fn widen(&mut self) {
        self.width = self.width * 2;
        self.filled = self
            .filled
            .chunks(2)
            .map(|pair| pair.iter().copied().reduce(Bin::join).unwrap_or(Bin::EMPTY))
            .collect();
    }

    /// The bins that hold something, each with its start in seconds since the origin.
    pub fn iter(&self) -> impl Iterator<Item = (f64, Bin)> {
        let width_s = self.width_s();
        let bins = self.filled.iter().enumerate().filter(|(_, bin)| bin.n > 0);
        bins.map(move |(place, bin)| (place as f64 * width_s, *bin))
    }

    /// How wide a bin is, in seconds.
    pub fn width_s(&self) -> f64 {
        self.width.as_seconds_f64()
    }
}

/// Mean, spread and worst of a stream of values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    /// How many.
    pub n: u64,
    mean: f64,
    squares: f64,
    worst: f64,
}

impl Moments {
    /// Takes a value (Welford's recurrence, which does not cancel); whether it is the worst so far.
    pub fn push(&mut self, value: f64) -> bool {
        self.n += 1;
        let step = value - self.mean;
        self.mean += step / self.n as f64;
        self.squares += step * (value - self.mean);
        // Also true for NaN, which is worse than any number.
        let better = value.abs() <= self.worst.abs() || self.worst.is_nan();
        if !better {
            self.worst = value;
        }
        !better
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The sample standard deviation; `None` for fewer than two values.
    pub fn deviation(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.squares / (self.n - 1) as f64).sqrt())
    }

    /// The value farthest from zero, with its sign.
    pub fn worst(&self) -> f64 {
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> SimTime {
        SimTime(0) + SimDuration::from_seconds(seconds)
    }

    #[test]
    fn the_mean_and_the_spread_are_the_textbook_ones() {
        let mut moments = Moments::default();
        for value in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, -9.0] {
            moments.push(value);
        }
        // By hand: sum 22, mean 2.75; squared deviations sum to 171.5, over 7 is 24.5.
        assert!((moments.mean() - 2.75).abs() < 1e-12);
        assert!((moments.deviation().unwrap() - 24.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!((moments.n, moments.worst()), (8, -9.0));
        moments.push(f64::NAN);
        moments.push(1e9);
        assert!(moments.worst().is_nan());
    }

    #[test]
    fn a_day_fits_and_keeps_its_extremes() {
        let mut bins = Bins::new(at(0));
        for second in 0..86_400 {
            bins.push(at(second), if second == 40_000 { 7.0 } else { 0.0 });
        }
        bins.push(at(-5), -1.0);
        bins.push(at(5), f64::NAN);
        let all: Vec<_> = bins.iter().collect();
        assert!(all.len() <= BINS_MAX && all.len() > BINS_MAX / 4);
        assert_eq!(all.iter().map(|(_, bin)| bin.n).sum::<u64>(), 86_401);
        assert_eq!(all[0].1.min, -1.0);
        let peak = all.iter().find(|(_, bin)| bin.max == 7.0).unwrap();
        assert!((peak.0..peak.0 + bins.width_s()).contains(&40_000.0));
    }

    proptest! {
        #[test]
        fn no_value_is_lost_or_moved_out_of_its_bin(
            values in prop::collection::vec((0_i64..200_000, -1e3_f64..1e3), 1..80),
        ) {
            let mut bins = Bins::new(at(0));
            for &(second, value) in &values {
                bins.push(at(second), value);
            }
            let mut count = 0;
            for (start_s, bin) in bins.iter() {
                let inside = |second: i64| (start_s..start_s + bins.width_s()).contains(&(second as f64));
                let mine: Vec<f64> = values.iter().filter(|(s, _)| inside(*s)).map(|(_, v)| *v).collect();
                count += bin.n;
                prop_assert_eq!(bin.n, mine.len() as u64);
                prop_assert_eq!(bin.min, mine.iter().copied().fold(f64::INFINITY, f64::min));
                prop_assert_eq!(bin.max, mine.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                let mean = mine.iter().sum::<f64>() / mine.len() as f64;
                prop_assert!((bin.mean() - mean).abs() < 1e-9);
                let times = values.iter().filter(|(s, _)| inside(*s)).map(|(s, _)| *s as f64);
                prop_assert!((bin.at_s() - times.sum::<f64>() / mine.len() as f64).abs() < 1e-6);
            }
            prop_assert_eq!(count, values.len() as u64);
        }
    }
}
