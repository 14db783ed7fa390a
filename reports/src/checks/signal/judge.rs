//! How samples of a signal are held against a band over time. Pure: samples in, a judgement out.
//!
//! Terms: a sample *stands for* the time since the one before it, or since the scenario's start:
//! the truth of the plant and most readings are means over that time. A *part* is a stretch of time
//! in which one band holds; judged in it is every sample that stands for nothing outside it, so a
//! mean over a change is held against neither side. The *deviation* of a sample is how far it is
//! outside of what is wanted, zero tolerance given; that of a value which is no number is infinite.

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Event time, in ns since the scenario's start.
    pub(crate) at_ns: i64,
    pub(crate) value: f64,
}

/// A sample with the time that it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// When that begins, in ns since the scenario's start.
    pub(crate) from_ns: i64,
    /// The sample's instant.
    pub(crate) to_ns: i64,
    pub(crate) value: f64,
}

impl Interval {
    /// How much it counts; one at the very start counts a little.
    fn weight_ns(&self) -> i64 {
        self.to_ns.saturating_sub(self.from_ns).max(1)
    }
}

/// The samples in order of time, each with the time it stands for.
pub(crate) fn intervals(samples: &[Sample]) -> Vec<Interval> {
    let mut sorted = samples.to_vec();
    sorted.sort_by_key(|sample| (sample.at_ns, sample.value.to_bits()));
    // Samples of one instant all stand for the time since the one before it.
    let (mut from_ns, mut last_ns) = (0, 0);
    let interval = |sample: &Sample| {
        if sample.at_ns > last_ns {
            (from_ns, last_ns) = (last_ns, sample.at_ns);
        }
        Interval { from_ns: from_ns.min(sample.at_ns), to_ns: sample.at_ns, value: sample.value }
    };
    sorted.iter().map(interval).collect()
}

/// What is wanted of the samples of a part.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    Level(f64),
    /// A value that another signal had at most so long before; none but these if it had one only.
    Follows {
        other: &'a [Interval],
        lag_ns: i64,
    },
}

impl Wanted<'_> {
    /// Between which values a sample has no deviation; `None` where there is nothing to compare it
    /// with.
    pub(crate) fn range(&self, interval: &Interval) -> Option<(f64, f64)> {
        match self {
            Self::Level(level) => Some((*level, *level)),
            Self::Follows { other, lag_ns } => {
                let begin =
                    interval.from_ns.min(interval.to_ns.saturating_sub(1)).saturating_sub(*lag_ns);
                let first = other.partition_point(|own| own.to_ns <= begin);
                let overlapping = other[first..].iter();
                let overlapping = overlapping
                    .take_while(|own| own.from_ns < interval.to_ns || own.to_ns == interval.to_ns);
                overlapping.map(|own| own.value).fold(None, |range, value| {
                    let (low, high) = range.unwrap_or((value, value));
                    // A NaN stays: `min` and `max` would drop it.
                    let is_known = !(low.is_nan() || value.is_nan());
                    Some(if is_known {
                        (low.min(value), high.max(value))
                    } else {
                        (f64::NAN, f64::NAN)
                    })
                })
            }
        }
    }
}

/// How far a value is outside a range; infinite where one of them is no number.
pub(crate) fn deviation(value: f64, (low, high): (f64, f64)) -> f64 {
    let outside = if value < low { low - value } else { value - high };
    if value.is_nan() || low.is_nan() || high.is_nan() || outside.is_nan() {
        return f64::INFINITY;
    }
    outside.max(0.0)
}

/// A stretch of time in which one band holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// Its beginning, in ns since the scenario's start.
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) wanted: Wanted<'a>,
}

impl Part<'_> {
    /// Whether a sample stands for nothing outside it.
    pub(crate) fn holds(&self, interval: &Interval) -> bool {
        interval.from_ns >= self.from_ns && interval.to_ns <= self.to_ns
    }

    /// The samples that stand for nothing outside it.
    pub(crate) fn of<'s>(&self, intervals: &'s [Interval]) -> impl Iterator<Item = &'s Interval> {
        let Self { from_ns, to_ns, .. } = *self;
        let part = Part { from_ns, to_ns, wanted: Wanted::Level(0.0) };
        intervals.iter().filter(move |own| part.holds(own))
    }
}

/// What the samples of a part come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Judgement {
    pub(crate) n: u64,
    /// For how long they stand.
    pub(crate) judged_ns: i64,
    /// For how long those stand that are outside the tolerance.
    pub(crate) outside_ns: i64,
    /// The instant of the first of these.
    pub(crate) first_ns: Option<i64>,
    /// The largest deviation, and when.
    pub(crate) worst: Option<(f64, i64)>,
    /// The least tolerance with which the share would hold.
    pub(crate) needed: f64,
    /// Samples with nothing to compare them with.
    pub(crate) left_out: u64,
    /// Whether they reach from the part's beginning to its end, but for less than the longest of
    /// them stands for.
    pub(crate) is_whole: bool,
}

impl Judgement {
    /// The share of the judged time that is within the tolerance.
    pub(crate) fn share(&self) -> f64 {
        if self.judged_ns == 0 {
            return 0.0;
        }
        (self.judged_ns - self.outside_ns) as f64 / self.judged_ns as f64
    }
}

/// Holds the samples of a part against what is wanted, with this tolerance for this share of their
/// time.
pub(crate) fn judge(
    intervals: &[Interval],
    part: &Part<'_>,
    tolerance: f64,
    share: f64,
) -> Judgement {
    let mut found = Judgement::default();
    let (mut begin_ns, mut end_ns, mut longest_ns) = (i64::MAX, i64::MIN, 0);
    let mut deviations: Vec<(f64, i64)> = Vec::new();
    for interval in part.of(intervals) {
        let Some(range) = part.wanted.range(interval) else {
            found.left_out += 1;
            continue;
        };
        let (off, weight_ns) = (deviation(interval.value, range), interval.weight_ns());
        found.n += 1;
        found.judged_ns += weight_ns;
        if off > tolerance {
            found.outside_ns += weight_ns;
            found.first_ns.get_or_insert(interval.to_ns);
        }
        if found.worst.is_none_or(|(worst, _)| off > worst) {
            found.worst = Some((off, interval.to_ns));
        }
        deviations.push((off, weight_ns));
        (begin_ns, end_ns) = (begin_ns.min(interval.from_ns), end_ns.max(interval.to_ns));
        longest_ns = longest_ns.max(weight_ns);
    }
    found.is_whole = found.n > 0
        && begin_ns.saturating_sub(part.from_ns) < longest_ns
        && part.to_ns.saturating_sub(end_ns) < longest_ns;
    found.needed = needed(deviations, allowed_ns(found.judged_ns, share));
    found
}

/// For how long samples may be outside.
pub(crate) fn allowed_ns(judged_ns: i64, share: f64) -> i64 {
    judged_ns - (share * judged_ns as f64).ceil() as i64
}

/// The least tolerance with which deviations, each with its weight, are outside for no longer than
/// allowed.
fn needed(mut deviations: Vec<(f64, i64)>, mut allowed_ns: i64) -> f64 {
    deviations.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (off, weight_ns) in deviations {
        if weight_ns > allowed_ns {
            return off;
        }
        allowed_ns -= weight_ns;
    }
    0.0
}

/// The mean of the samples of a stretch of time, each as long as it stands for; `None` if there is
/// no number among them.
pub(crate) fn mean(intervals: &[Interval], from_ns: i64, to_ns: i64) -> Option<f64> {
    let part = Part { from_ns, to_ns, wanted: Wanted::Level(0.0) };
    let known = part.of(intervals).filter(|own| own.value.is_finite());
    let (sum, weight) = known.fold((0.0, 0.0), |(sum, weight), own| {
        let own_weight = own.weight_ns() as f64;
        (sum + own.value * own_weight, weight + own_weight)
    });
    (weight > 0.0).then(|| sum / weight)
}
