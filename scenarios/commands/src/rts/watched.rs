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

/// So many connections that end before a sample comes have their hint.
const EMPTY_CONNECTIONS: u32 = 3;

/// Why a simulator may close each connection at once.
const IS_SEAT_TAKEN: &str = "the simulator closes each connection before a sample comes: it may \
                             serve one party only, and an adapter has that place; watch the \
                             adapter's points instead, or stop it";

/// Ranges are widened by this, relative to their ends, as the adapter does.
const RANGE_TOLERANCE: f64 = 1e-6;

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
struct PointStatistics {
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

impl PointStatistics {
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
        let Some(word) = value.number() else { return };
        // 32-bit floats round at the ends of a range.
        let is_within = |(least, greatest): (f64, f64)| {
            let slack = RANGE_TOLERANCE * least.abs().max(greatest.abs());
            (least - slack..=greatest + slack).contains(&word)
        };
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
pub(super) struct WatchEvent {
    /// A stable word: `finding`, `refusal`, `up`, `down`, `hint` or `lost`.
    pub(super) event: &'static str,
    pub(super) detail: String,
}

/// So often the samples have to have changed until it is reported that each comes several times.
const CHANGES_MIN: u64 = 5;

/// How often samples came that are like the one before, where frames have no numbers to show that.
#[derive(Default)]
struct Repeats {
    last: Option<Vec<Value>>,
    /// So many alike so far.
    run: u64,
    /// How often they changed, and the least that were alike between two changes.
    changes: u64,
    shortest: Option<u64>,
}

impl Repeats {
    fn take(&mut self, values: &[Value]) {
        if self.last.as_deref() == Some(values) {
            self.run += 1;
            return;
        }
        if self.last.is_some() {
            // Before the first change it may have been watched from within.
            let run = Some(self.run).filter(|_| self.changes > 0);
            self.shortest = self.shortest.into_iter().chain(run).min();
            self.changes += 1;
        }
        (self.last, self.run) = (Some(values.to_vec()), 1);
    }

    fn fault(&self) -> Option<String> {
        if self.changes == 0 && self.run > 1 {
            let alike = "samples, all alike: a simulator that stands still looks the same";
            return Some(format!("{} {alike}", self.run));
        }
        let times = self.shortest.filter(|times| self.changes >= CHANGES_MIN && *times > 1)?;
        Some(format!("each sample came {times} times or more"))
    }
}

/// Everything that one line has shown so far.
pub(super) struct Watched {
    wire: Wire,
    plausibility: Plausibility,
    points: Vec<PointStatistics>,
    repeats: Repeats,
    /// The last detail of each reason that occurred.
    details: BTreeMap<Refusal, String>,
    /// The last finding of each suspicion.
    findings: Vec<(Suspicion, String)>,
    news: Vec<WatchEvent>,
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
    /// Connections that ended before a sample came.
    empty_connections: u32,
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
            points: points.cloned().map(PointStatistics::new).collect(),
            repeats: Repeats::default(),
            details: BTreeMap::new(),
            findings: Vec::new(),
            news: Vec::new(),
            begin_ns,
            last_ns: None,
            intervals: Moments::default(),
            period: (begin_ns, 0),
            rate_now: None,
            is_up: false,
            empty_connections: 0,
        })
    }

    /// Somebody is there: a new connection.
    pub(super) fn up(&mut self) {
        self.is_up = true;
        self.report("up", "the simulator is there".to_owned());
        self.connection_changed();
    }

    /// Nobody is there any more.
    pub(super) fn down(&mut self, reason: String) {
        if std::mem::take(&mut self.is_up) && self.last_ns.is_none() {
            self.empty_connections += 1;
            if self.empty_connections == EMPTY_CONNECTIONS {
                self.report("hint", IS_SEAT_TAKEN.to_owned());
            }
        }
        self.report("down", reason);
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
            self.report("lost", detail.to_owned());
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
    pub(super) fn take_news(&mut self) -> Vec<WatchEvent> {
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
        match self.wire.sequences().map(|watch| watch.of(SequenceEvent::Repetition)) {
            Some(0) => {}
            Some(count) => faults.push(format!("{count} came again")),
            None => faults.extend(self.repeats.fault()),
        }
        if self.wire.samples() == 0 {
            faults.push("no sample arrived".to_owned());
        }
        faults
    }

    fn report(&mut self, event: &'static str, detail: String) {
        self.news.push(WatchEvent { event, detail });
    }

    fn connection_changed(&mut self) {
        // The time without a connection is no interval between samples.
        self.last_ns = None;
        for decoded in self.wire.reconnected() {
            // Only what was cut off, never a sample.
            if let Err(rejection) = decoded {
                self.refused(rejection.refusal, &rejection.detail);
            }
        }
    }

    fn take(&mut self, at_ns: i64, decoded: Decoded) {
        match decoded {
            Ok(sample) => self.sample(at_ns, &sample),
            Err(rejection) => self.refused(rejection.refusal, &rejection.detail),
        }
    }

    fn refused(&mut self, refusal: Refusal, detail: &str) {
        if self.details.insert(refusal, detail.to_owned()).is_none() {
            self.report("refusal", format!("{refusal}: {detail}"));
        }
    }

    fn sample(&mut self, at_ns: i64, sample: &Sample) {
        if let Some(last_ns) = self.last_ns.replace(at_ns) {
            self.intervals.add(seconds(at_ns - last_ns));
        }
        self.repeats.take(&sample.values);
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
                self.report("finding", text);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLISECOND: i64 = 1_000_000;

    /// A voltage that stands on the wire in volts, and a register.
    fn map(wire_format: &str) -> PointMap {
        let card = if wire_format.starts_with("gtnet") { "gtnetx2" } else { "none" };
        let taps = if wire_format == "opal-asyncip" { "float" } else { "integer" };
        let text = format!(
            "format = 1\n[simulator]\nname = \"rack\"\nwire_format = \"{wire_format}\"\n\
             card = \"{card}\"\nsample_rate = \"100 Hz\"\n\
             [[point]]\nname = \"u\"\ndirection = \"from-simulator\"\ntype = \"float\"\n\
             unit = \"kV\"\nscale = 0.001\nleast = \"100 V\"\ngreatest = \"300 V\"\n\
             [[point]]\nname = \"taps\"\ndirection = \"from-simulator\"\n\
             type = \"{taps}\"\nleast = 1\ngreatest = 8\n"
        );
        PointMap::parse(&text).unwrap()
    }

    fn watched(wire_format: &str, is_stream: bool) -> Watched {
        Watched::new(&map(wire_format), is_stream, 0).unwrap()
    }

    fn frame(volts: f32, taps: i32) -> Vec<u8> {
        [volts.to_be_bytes(), taps.to_be_bytes()].concat()
    }

    #[test]
    fn values_are_collected_in_the_unit_of_their_point() {
        let mut watched = watched("gtnet-skt", false);
        for (volts, taps) in [(230.0, 3), (250.0, 9), (f32::NAN, 0), (240.0, 4)] {
            watched.arrived(0, &frame(volts, taps));
        }
        let json = watched.as_json(0);
        let point = |at: usize| {
            let point = &json["points"][at];
            let of = |key: &str| (point[key].as_f64().unwrap() * 1e9).round() / 1e9;
            assert_eq!((&point["samples"], json["samples"].as_u64()), (&json!(4), Some(4)));
            [of("last"), of("least"), of("greatest"), of("mean"), of("out_of_range")]
        };
        // No number is counted, and spoils neither extremes nor mean.
        assert_eq!(point(0), [0.24, 0.23, 0.25, 0.24, 1.0]);
        assert_eq!(point(1), [4.0, 0.0, 9.0, 4.0, 2.0]);
        assert_eq!(
            (&json["points"][0]["unit"], &json["points"][1]["unit"]),
            (&"kV".into(), &"".into())
        );
        assert_eq!(watched.faults(), ["3 values out of range"]);
    }

    #[test]
    fn the_ends_of_a_range_are_within_it() {
        let mut watched = watched("gtnet-skt", false);
        watched.arrived(0, &frame(100.0, 1));
        // One step of a 32-bit float and more above it.
        watched.arrived(0, &frame(300.000_1, 8));
        assert_eq!(watched.faults(), Vec::<String>::new());
        watched.arrived(0, &frame(300.01, 8));
        assert_eq!(watched.faults(), ["1 values out of range"]);
    }

    #[test]
    fn frames_that_come_again_are_faults() {
        let faults = |volts: &[f32]| {
            let mut watched = watched("gtnet-skt", false);
            for volts in volts {
                watched.arrived(0, &frame(*volts, 3));
            }
            watched.faults()
        };
        let moving: Vec<f32> = (0_u8..9).map(|step| 230.0 + f32::from(step)).collect();
        assert_eq!(faults(&moving), Vec::<String>::new());
        assert_eq!(faults(&[230.0]), Vec::<String>::new());
        let stands = "4 samples, all alike: a simulator that stands still looks the same";
        assert_eq!(faults(&[230.0; 4]), [stands]);
        let twice: Vec<f32> = moving.iter().flat_map(|volts| [*volts; 2]).collect();
        assert_eq!(faults(&twice), ["each sample came 2 times or more"]);
        assert_eq!(faults(&twice[1..]), ["each sample came 2 times or more"]);
        // A plant at rest that moves now and then repeats values, and not each.
        assert_eq!(faults(&[&[230.0; 9], &moving[..], &[230.0; 9]].concat()), Vec::<String>::new());
    }

    #[test]
    fn rate_and_jitter_have_their_closed_forms() {
        let mut watched = watched("gtnet-skt", false);
        watched.period_ended(0);
        for at in [0, 10, 30, 40, 60] {
            watched.arrived(at * MILLISECOND, &frame(230.0, 3));
        }
        watched.period_ended(100 * MILLISECOND);
        let json = watched.as_json(100 * MILLISECOND);
        let of = |key: &str| (json[key].as_f64().unwrap() * 1e6).round() / 1e6;
        assert_eq!((of("rate_now_hz"), of("elapsed_s")), (50.0, 0.1));
        // Intervals of 10, 20, 10 and 20 ms.
        assert_eq!((of("rate_mean_hz"), of("jitter_s")), (66.666_667, 0.005));
        watched.period_ended(200 * MILLISECOND);
        assert_eq!(watched.as_json(0)["rate_now_hz"], 0.0);
    }

    #[test]
    fn the_time_without_a_connection_is_no_interval() {
        let mut watched = watched("gtnet-skt", true);
        watched.up();
        watched.arrived(0, &frame(230.0, 3));
        watched.arrived(10 * MILLISECOND, &frame(230.0, 3));
        watched.arrived(10 * MILLISECOND, &[0, 0, 0]);
        watched.down("reset".to_owned());
        watched.up();
        watched.arrived(9000 * MILLISECOND, &frame(230.0, 3));
        watched.arrived(9010 * MILLISECOND, &frame(230.0, 3));
        let json = watched.as_json(0);
        assert_eq!((&json["rate_mean_hz"], &json["jitter_s"]), (&json!(100.0), &json!(0.0)));
        // Half a frame is none, whatever comes behind it.
        assert_eq!(json["refusals"][0]["reason"], "truncated-frame");
        let events: Vec<&str> = watched.take_news().iter().map(|news| news.event).collect();
        assert_eq!(events, ["up", "down", "refusal", "up"]);
    }

    #[test]
    fn gaps_show_where_frames_have_numbers() {
        let mut simulator = Wire::of_simulator(&map("gtnet-skt-header"), false).unwrap();
        let mut seen = watched("gtnet-skt-header", false);
        for number in 0..10 {
            let values = vec![Value::Float(230.0), Value::Integer(3)];
            let sample = Sample { origin: Some((1, 0)), values, ..Sample::default() };
            let frame = simulator.frame(sample).unwrap();
            if ![3, 4, 7].contains(&number) {
                seen.arrived(number, &frame);
            }
        }
        let sequence = &seen.as_json(0)["sequence"];
        assert_eq!((&sequence["missing"], &sequence["gap"]), (&json!(3), &json!(2)));
        assert_eq!(seen.faults(), ["3 missing"]);
        // A point may have the numbers where the frames have none.
        let numbered = "format = 1\n[simulator]\nname = \"rack\"\nwire_format = \"gtnet-skt\"\n\
                        sample_rate = \"100 Hz\"\n[[point]]\nname = \"n\"\n\
                        direction = \"from-simulator\"\ntype = \"integer\"\nrole = \"sequence\"\n";
        let map = PointMap::parse(numbered).unwrap();
        let mut of_point = Watched::new(&map, false, 0).unwrap();
        for number in [0_i32, 1, 2, 5, 6] {
            of_point.arrived(0, &number.to_be_bytes());
        }
        assert_eq!(of_point.faults(), ["2 missing"]);
        assert!(of_point.as_table(0).contains("missing 2, gap 1"));
        let without = watched("gtnet-skt", false);
        assert!(without.as_json(0)["sequence"].is_null());
        assert_eq!(without.faults(), ["no sample arrived"]);
    }

    #[test]
    fn a_refusal_is_news_once_and_its_last_detail_stays() {
        let mut watched = watched("gtnet-skt", false);
        for bytes in [&[0; 4][..], &[0; 12], &[0; 0], &[0; 16]] {
            watched.arrived(0, bytes);
        }
        let json = watched.as_json(0);
        let refusals = json["refusals"].as_array().unwrap();
        let too_many = refusals.iter().find(|one| one["reason"] == "too-many-values").unwrap();
        assert_eq!(too_many["count"], 2);
        assert!(too_many["last"].as_str().unwrap().contains("found 4 values"), "{too_many}");
        let news = watched.take_news();
        assert_eq!(news.iter().filter(|news| news.event == "refusal").count(), refusals.len());
        assert_eq!((json["refused"].as_u64(), watched.take_news()), (Some(4), Vec::new()));
    }

    #[test]
    fn a_map_that_does_not_fit_is_news_at_its_third_sample_and_once() {
        let mut watched = watched("gtnet-skt", false);
        for number in 0..20_u8 {
            let mut swapped = frame(230.0 + f32::from(number) / 7.0, 3);
            swapped[..4].reverse();
            swapped[4..].reverse();
            watched.arrived(0, &swapped);
            let found = watched.take_news();
            assert_eq!(found.len(), usize::from(number == 2), "{number}: {found:?}");
            assert!(found.iter().all(|news| news.event == "finding"), "{found:?}");
        }
        let faults = watched.faults().join(", ");
        assert!(faults.ends_with("1 findings that the map does not fit"), "{faults}");
        assert!(watched.as_table(0).contains("bytes of each word in reverse order"));
    }

    #[test]
    fn the_table_shows_all_of_it() {
        let mut watched = watched("gtnet-skt", false);
        watched.up();
        for at in [0, 10, 20] {
            watched.arrived(at * MILLISECOND, &frame(230.5, 3));
        }
        watched.arrived(0, &[1, 2, 3]);
        watched.period_ended(1000 * MILLISECOND);
        let table = watched.as_table(1000 * MILLISECOND);
        for expected in [
            "1.0 s, connected, 3 samples\nrate 3 Hz, mean 100 Hz, jitter 0 ms\n",
            "the frames carry no numbers: gaps cannot be seen\nrefused 1\n         1  ",
            "point          last         least      greatest          mean  unit    out of range\n",
            "u          0.230500      0.230500      0.230500      0.230500  kV      0\n",
            "taps              3             3             3             3          0",
        ] {
            assert!(table.contains(expected), "{expected}\n{table}");
        }
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_counted(
            format in prop::sample::select(vec![
                "gtnet-skt", "gtnet-skt-header", "opal-asyncip", "villas-binary", "villas-json",
                "villas-protobuf",
            ]),
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..20),
        ) {
            let mut watched = Watched::new(&map(format), false, 0).unwrap();
            for piece in &pieces {
                watched.arrived(0, piece);
            }
            let json = watched.as_json(0);
            let counted = json["samples"].as_u64().unwrap() + json["refused"].as_u64().unwrap();
            prop_assert!(counted >= pieces.len() as u64, "{json}");
            let table = watched.as_table(0);
            prop_assert!(!table.contains(|c: char| c.is_control() && c != '\n'), "{table}");
        }

        #[test]
        fn a_number_fits_its_column(value in any::<f64>()) {
            prop_assert!(number(value).len() <= 12, "{}", number(value));
        }
    }
}
