//! The 10-minute ticks of the clock, as positions in the samples.

/// Ten minutes in nanoseconds.
const INTERVAL_NS: i64 = 600_000_000_000;

const TWO_HOURS_NS: i64 = 12 * INTERVAL_NS;

/// When the first even hour is, in s after a first sample at an instant since 1970: two hours, ten
/// minutes and ten seconds all begin there.
pub(crate) fn first_two_hours_s(first_sample_ns: i64) -> f64 {
    until_next_s(first_sample_ns, TWO_HOURS_NS)
}

/// When the first ten-minute tick is, likewise.
pub(crate) fn first_tick_s(first_sample_ns: i64) -> f64 {
    until_next_s(first_sample_ns, INTERVAL_NS)
}

/// From an instant to the next whole multiple of an interval, 0 if it is one.
fn until_next_s(instant_ns: i64, interval_ns: i64) -> f64 {
    let past_ns = instant_ns.rem_euclid(interval_ns);
    ((interval_ns - past_ns) % interval_ns) as f64 * 1e-9
}

/// Two positions nearer than this part of a sample are one.
const SAME_POSITION_SAMPLES: f64 = 1e-3;

/// Which 10-minute interval the next window belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks {
    first_sample_ns: i64,
    rate_hz: f64,
    /// Whole intervals since 1970.
    interval: i64,
}

impl Ticks {
    /// Ticks for samples whose first one was taken at an instant since 1970.
    pub(crate) fn new(first_sample_ns: i64, rate_hz: f64) -> Self {
        Self { first_sample_ns, rate_hz, interval: first_sample_ns.div_euclid(INTERVAL_NS) }
    }

    /// Position of the tick that ends the present interval, in samples since the first one.
    fn end(&self) -> f64 {
        let tick_ns = i128::from(self.interval + 1) * i128::from(INTERVAL_NS);
        (tick_ns - i128::from(self.first_sample_ns)) as f64 * 1e-9 * self.rate_hz
    }

    /// Places a window: its interval, counted since 1970, and the tick it runs across.
    pub(crate) fn place(&mut self, start: f64, end: f64) -> (i64, Option<f64>) {
        while self.end() <= start + SAME_POSITION_SAMPLES {
            self.interval += 1;
        }
        let tick = self.end();
        (self.interval, (end > tick + SAME_POSITION_SAMPLES).then_some(tick))
    }
}
