//! What a watched line has shown so far: values by point, rate, jitter, gaps, refusals, findings.
//! No I/O; instants come from outside, in nanoseconds of the monotonic clock.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lastmeter_rts::point_map::{Plausibility, Point, PointDirection, PointMap, Suspicion};
use lastmeter_rts::villas::Decoded;
use lastmeter_rts::{Refusal, Sample, SequenceEvent, Value, Wire, WireError};
use serde_json::json;

/// What sequence numbers can show of the way here; shown and counted.
const SHOWN_EVENTS: [SequenceEvent; 4] = [
    SequenceEvent::Gap,
    SequenceEvent::Repetition,
    SequenceEvent::Reordering,
    SequenceEvent::Restart,
];

/// Number, mean and spread of values, without keeping them (Welford's recurrence).
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: u64,
    mean: f64,
    /// The sum of the squared deviations from the mean.
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1;
        let deviation = value - self.mean;
        self.mean += deviation / self.count as f64;
        self.squares += deviation * (value - self.mean);
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Of two values on.
    fn standard_deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / self.count as f64).sqrt())
    }
}

/// The values of one point, in its unit.
#[derive(Clone, Debug)]
struct Seen {
    point: Point,
    samples: u64,
    /// The last one, also where it is no number; `None` of a complex value.
    last: Option<f64>,
    least: Option<f64>,
    greatest: Option<f64>,
    finite: Moments,
    /// Outside of the declared range, infinite or no number.
    out_of_range: u64,
}

impl Seen {
    const fn new(point: Point) -> Self {
        Self {
            point,
            samples: 0,
            last: None,
            least: None,
            greatest: None,
            finite: Moments { count: 0, mean: 0.0, squares: 0.0 },
            out_of_range: 0,
        }
    }

    fn take(&mut self, value: Value) {
        self.samples += 1;
        let word = match value {
            Value::Float(word) => word,
            Value::Integer(word) => word as f64,
            Value::Boolean(word) => f64::from(u8::from(word)),
            Value::Complex(..) => return,
        };
        let is_within = |(least, greatest): (f64, f64)| word >= least && word <= greatest;
        if !word.is_finite() || !self.point.word_range().is_none_or(is_within) {
            self.out_of_range += 1;
        }
        let value = self.point.to_si(word) / self.point.unit.factor;
        self.last = Some(value);
        if value.is_finite() {
            self.least = Some(self.least.map_or(value, |least| least.min(value)));
            self.greatest = Some(self.greatest.map_or(value, |greatest| greatest.max(value)));
            self.finite.add(value);
        }
    }
}

/// Something that is reported at once, in any format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct News {
    /// A stable word: `finding`, `refusal`, `up`, `down` or `lost`.
    pub(super) event: &'static str,
    /// For people.
    pub(super) detail: String,
}

/// Everything that one line has shown so far.
pub(super) struct Watched {
    wire: Wire,
    plausibility: Plausibility,
    points: Vec<Seen>,
    /// The last detail of each reason that occurred.
    details: BTreeMap<Refusal, String>,
    /// The last finding of each suspicion.
    findings: Vec<(Suspicion, String)>,
    news: Vec<News>,
    begin_ns: i64,
    /// When the last sample arrived on this connection.
    last_ns: Option<i64>,
    /// Between two samples of one connection, seconds.
    intervals: Moments,
    /// When the running period began, and how many samples had arrived by then.
    period: (i64, u64),
    /// In the period that ended last, samples per second.
    rate_now: Option<f64>,
    is_up: bool,
}

impl Watched {
    /// Watches what the simulator of a map sends, from an instant on.
    ///
    /// # Errors
    /// As of [`Wire::new`].
    pub(super) fn new(map: &PointMap, is_stream: bool, begin_ns: i64) -> Result<Self, WireError> {
        let points = map.of_direction(PointDirection::FromSimulator);
        Ok(Self {
            wire: Wire::new(map, is_stream)?,
            plausibility: Plausibility::new(map),
            points: points.cloned().map(Seen::new).collect(),
            details: BTreeMap::new(),
            findings: Vec::new(),
            news: Vec::new(),
            begin_ns,
            last_ns: None,
            intervals: Moments::default(),
            period: (begin_ns, 0),
            rate_now: None,
            is_up: false,
        })
    }

    /// Somebody is there: a new connection.
    pub(super) fn up(&mut self) {
        self.is_up = true;
        self.tell("up", "the simulator is there".to_owned());
        self.connection_changed();
    }

    /// Nobody is there any more.
    pub(super) fn down(&mut self, reason: String) {
        self.is_up = false;
        self.tell("down", reason);
        self.connection_changed();
    }

    /// Bytes that arrived at an instant: one datagram, or any piece of a stream.
    pub(super) fn arrived(&mut self, at_ns: i64, bytes: &[u8]) {
        let was_lost = self.wire.is_lost();
        for decoded in self.wire.arrived(bytes) {
            self.take(at_ns, decoded);
        }
        if self.wire.is_lost() && !was_lost {
            let detail = "the stream can be read no further, since where the next frame begins is \
                          unknown; it has to be connected again";
            self.tell("lost", detail.to_owned());
        }
    }

    /// Whether the line has to be connected again.
    pub(super) fn is_lost(&self) -> bool {
        self.wire.is_lost()
    }

    /// A period is over: from here on its rate is the rate now.
    pub(super) fn period_ended(&mut self, at_ns: i64) {
        let (begin_ns, samples) = self.period;
        if at_ns > begin_ns {
            let count = self.wire.samples() - samples;
            self.rate_now = Some(count as f64 / seconds(at_ns - begin_ns));
        }
        self.period = (at_ns, self.wire.samples());
    }

    /// What was not reported yet.
    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Why the line does not pass, each with its number; nothing if it does.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                faults.push(format!("{count} {what}"));
            }
        };
        add(self.wire.refusals().total(), "refused");
        add(self.missing().unwrap_or_default(), "missing");
        add(self.points.iter().map(|seen| seen.out_of_range).sum(), "values out of range");
        add(self.findings.len() as u64, "findings that the map does not fit");
        if self.wire.samples() == 0 {
            faults.push("no sample arrived".to_owned());
        }
        faults
    }

    fn tell(&mut self, event: &'static str, detail: String) {
        self.news.push(News { event, detail });
    }

    fn connection_changed(&mut self) {
        // The time without a connection is no interval between samples.
        self.last_ns = None;
        for decoded in self.wire.reconnected() {
            // Only what was cut off, never a sample.
            if let Err(rejection) = decoded {
                self.refused(rejection.refusal, rejection.detail);
            }
        }
    }

    fn take(&mut self, at_ns: i64, decoded: Decoded) {
        match decoded {
            Ok(sample) => self.sample(at_ns, &sample),
            Err(rejection) => self.refused(rejection.refusal, rejection.detail),
        }
    }

    fn refused(&mut self, refusal: Refusal, detail: String) {
        if self.details.insert(refusal, detail.clone()).is_none() {
            self.tell("refusal", format!("{refusal}: {detail}"));
        }
    }

    fn sample(&mut self, at_ns: i64, sample: &Sample) {
        if let Some(last_ns) = self.last_ns.replace(at_ns) {
            self.intervals.add(seconds(at_ns - last_ns));
        }
        for (seen, value) in self.points.iter_mut().zip(&sample.values) {
            seen.take(*value);
        }
        if let Some(finding) = self.plausibility.observe(sample) {
            let text = finding.to_string();
            let known = self.findings.iter_mut().find(|(known, _)| *known == finding.suspicion);
            if let Some((_, last)) = known {
                *last = text;
            } else {
                self.findings.push((finding.suspicion, text.clone()));
                self.tell("finding", text);
            }
        }
    }

    fn missing(&self) -> Option<u64> {
        self.wire.sequences().map(lastmeter_rts::SequenceWatch::missing)
    }

    /// Samples per second while there was a connection.
    fn rate_mean(&self) -> Option<f64> {
        self.intervals.mean().filter(|mean| *mean > 0.0).map(f64::recip)
    }

    /// All of it as one object; the keys are documented in `docs/real-time-simulators.md`.
    pub(super) fn as_json(&self, at_ns: i64) -> serde_json::Value {
        let sequence = self.wire.sequences().map(|watch| {
            let counts = SHOWN_EVENTS.map(|event| (event.word(), watch.of(event)));
            let mut object: BTreeMap<&str, u64> = counts.into_iter().collect();
            object.insert("missing", watch.missing());
            object
        });
        let refusals = self.wire.refusals().by_reason().map(|(refusal, count)| {
            let last = self.details.get(&refusal);
            json!({ "reason": refusal.word(), "count": count, "last": last })
        });
        let points = self.points.iter().map(|seen| {
            json!({
                "name": seen.point.name, "unit": seen.point.unit.symbol, "samples": seen.samples,
                "last": seen.last, "least": seen.least, "greatest": seen.greatest,
                "mean": seen.finite.mean(), "out_of_range": seen.out_of_range,
            })
        });
        json!({
            "elapsed_s": seconds(at_ns - self.begin_ns), "is_up": self.is_up,
            "is_lost": self.is_lost(), "samples": self.wire.samples(),
            "rate_now_hz": self.rate_now, "rate_mean_hz": self.rate_mean(),
            "jitter_s": self.intervals.standard_deviation(), "sequence": sequence,
            "refused": self.wire.refusals().total(), "refusals": refusals.collect::<Vec<_>>(),
            "findings": self.findings.iter().map(|(_, text)| text).collect::<Vec<_>>(),
            "points": points.collect::<Vec<_>>(),
        })
    }

    /// All of it as a table for people, without a line break at its end.
    pub(super) fn as_table(&self, at_ns: i64) -> String {
        // Writing to a String cannot fail.
        let mut text = format!("{:.1} s", seconds(at_ns - self.begin_ns));
        let is_up = if self.is_up { "connected" } else { "nobody is there" };
        let _ = writeln!(text, ", {is_up}, {} samples", self.wire.samples());
        let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), number);
        let jitter = self.intervals.standard_deviation().map(|seconds| seconds * 1e3);
        let _ = writeln!(
            text,
            "rate {} Hz, mean {} Hz, jitter {} ms",
            rate(self.rate_now),
            rate(self.rate_mean()),
            rate(jitter)
        );
        match self.wire.sequences() {
            None => text.push_str("the frames carry no numbers: gaps cannot be seen\n"),
            Some(watch) => {
                let _ = write!(text, "missing {}", watch.missing());
                for event in SHOWN_EVENTS {
                    let _ = write!(text, ", {event} {}", watch.of(event));
                }
                text.push('\n');
            }
        }
        let _ = writeln!(text, "refused {}", self.wire.refusals().total());
        for (refusal, count) in self.wire.refusals().by_reason() {
            let last = self.details.get(&refusal).map_or("", String::as_str);
            let _ = writeln!(text, "  {count:>8}  {refusal}, last: {last}");
        }
        for (_, finding) in &self.findings {
            let _ = writeln!(text, "finding: {finding}");
        }
        self.write_points(&mut text);
        crate::grid::printable(text.trim_end())
    }

    fn write_points(&self, text: &mut String) {
        let width = |name: &str| name.chars().count();
        let widest = self.points.iter().map(|seen| width(&seen.point.name)).max();
        let widest = widest.unwrap_or_default().max(width("point"));
        let _ = writeln!(
            text,
            "{:<widest$}  {:>12}  {:>12}  {:>12}  {:>12}  {:<6}  out of range",
            "point", "last", "least", "greatest", "mean", "unit"
        );
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        for seen in &self.points {
            let _ = writeln!(
                text,
                "{:<widest$}  {:>12}  {:>12}  {:>12}  {:>12}  {:<6}  {}",
                seen.point.name,
                shown(seen.last),
                shown(seen.least),
                shown(seen.greatest),
                shown(seen.finite.mean()),
                seen.point.unit.symbol,
                seen.out_of_range
            );
        }
    }
}

fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// A number in at most twelve characters, with about seven digits.
fn number(value: f64) -> String {
    let size = value.abs();
    match value {
        _ if value == 0.0 || !value.is_finite() => value.to_string(),
        _ if !(1e-3..1e9).contains(&size) => format!("{value:.4e}"),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ if size >= 1e4 => format!("{value:.1}"),
        _ if size >= 10.0 => format!("{value:.3}"),
        _ => format!("{value:.6}"),
    }
}
