//! A watcher of decoded samples: do the values look like those of another map?

use std::collections::BTreeSet;
use std::fmt;

use super::word::{Word, are_shifts_watched};
use super::{Point, PointDirection, PointMap, WireFormat};
use crate::sample::{Sample, SignalType, Value};

/// How many samples have to speak for a suspicion, with none against it, before it is reported.
pub const SAMPLES_NEEDED: usize = 3;

/// The most pieces of evidence in one finding.
const EVIDENCE_MAX: usize = 8;

/// Ranges are widened by this, relative to their ends, since 32-bit floats round.
const RANGE_TOLERANCE: f64 = 1e-6;

/// What a map may have wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Words are read with their bytes in the wrong order.
    ByteOrder,
    /// Some points of a described frame are read with their bytes in the wrong order.
    PointByteOrder,
    /// A float is read as an integer, or the reverse.
    Type,
    /// Values stand this many words later than the map has them; negative: earlier.
    Shift {
        /// The shift in words.
        words: isize,
    },
    /// Two points are exchanged: one is outside of its range, and each would fit the other's.
    Exchange,
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteOrder => f.write_str("bytes of each word in reverse order"),
            Self::PointByteOrder => f.write_str("bytes of single points in reverse order"),
            Self::Type => f.write_str("floats read as integers, or integers as floats"),
            Self::Exchange => f.write_str("two points exchanged"),
            Self::Shift { words } => {
                let (count, way) =
                    (words.unsigned_abs(), if *words > 0 { "later" } else { "earlier" });
                let plural = if count == 1 { "word" } else { "words" };
                write!(f, "values {count} {plural} {way} than in the map")
            }
        }
    }
}

/// One value that is implausible as read, and plausible otherwise. Values are words on the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The point in whose place it stands.
    pub point: String,
    /// The value as it was read.
    pub as_read: Value,
    /// Least and greatest plausible word of that point.
    pub range: (f64, f64),
    /// The point that it may belong to; the same one unless a shift is suspected.
    pub belongs_to: String,
    /// As it reads otherwise.
    pub otherwise: Value,
    /// Least and greatest plausible word of the point that it may belong to.
    pub range_otherwise: (f64, f64),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { point, as_read, range, belongs_to, otherwise, range_otherwise } = self;
        let (read, other) = (shown(*as_read), shown(*otherwise));
        write!(f, "`{point}` reads {read}, expected {} to {}; ", range.0, range.1)?;
        write!(f, "otherwise {other}, which fits `{belongs_to}`")?;
        write!(f, " ({} to {})", range_otherwise.0, range_otherwise.1)
    }
}

/// A value as a word on the wire, for people.
pub fn shown(value: Value) -> String {
    match value {
        Value::Float(value) if value != 0.0 && value.abs() < 1e-3 => format!("{value:e}"),
        Value::Float(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::Complex(real, imaginary) => format!("{real}{imaginary:+}i"),
    }
}

/// A suspicion with what speaks for it. It is no verdict: values can look like others by chance.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What is suspected: of several that explain all samples, the one that explains most values.
    pub suspicion: Suspicion,
    /// What explains the same samples as well.
    pub alternatives: Vec<Suspicion>,
    /// Values of the last sample that speak for it, at most eight.
    pub evidence: Vec<Evidence>,
    /// How many samples spoke for it.
    pub samples: usize,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the map does not fit what arrives: {}", self.suspicion)?;
        for evidence in &self.evidence {
            write!(f, "; {evidence}")?;
        }
        Ok(())
    }
}

/// What is known of a point.
struct Watched {
    name: String,
    signal_type: SignalType,
    /// Least and greatest word; `None` where nothing is declared.
    range: Option<(f64, f64)>,
    /// Whether it has shown a float of normal size within its range; what has may decay to nothing.
    has_been_normal: bool,
    /// `None` where its values are text, or have their types with them.
    word: Option<Word>,
    /// How many samples in a row it has been outside of its range.
    odd: usize,
    /// Whether it has been plausible as read, and would not have been in the other byte order.
    is_right_order: bool,
}

/// What speaks for a suspicion so far.
struct Case {
    suspicion: Suspicion,
    samples: usize,
    values: usize,
    is_reported: bool,
    /// The points whose type or byte order seems wrong, where that is not assumed of all.
    suspected: BTreeSet<usize>,
}

enum Contribution {
    /// Something contradicts it, or remains unexplained.
    Against,
    /// These values speak for it, possibly none.
    For(Vec<Evidence>),
}

/// Watches the samples that come from the simulator of a map.
///
/// It stays silent as long as all values lie in their declared ranges. Once some do not, it asks
/// whether one assumption explains all of them and contradicts none of the others: bytes in
/// reverse order, another type, or a shift by up to half of the points. What speaks for the same
/// assumption in [`SAMPLES_NEEDED`] samples, with none against it in between, is reported once.
/// Where nothing explains them, a point and another one that may be exchanged for it are.
///
/// Zero proves nothing, since a simulator that stands still sends zeros. Byte order and types are
/// judged only of values whose words are known. Points without a declared range are not judged, and
/// a shift is only where at least half of the points have one.
///
/// In a described frame each point has its byte order, so that a single one can be wrong: but for a
/// point that has been seen right, since later it leaves its range for other reasons. Points that
/// are not of whole bytes are not judged by byte order, and shifts only where all points are words
/// of one size and order that stand one behind the other.
///
/// A sample in its ranges costs one comparison for each point. One that is not costs up to as many
/// as the square of their number.
pub struct Plausibility {
    points: Vec<Watched>,
    is_described: bool,
    cases: Vec<Case>,
}

impl Plausibility {
    /// Watches what the simulator of a map sends.
    pub fn new(map: &PointMap) -> Self {
        let format = map.simulator.wire_format;
        let points = map.of_direction(PointDirection::FromSimulator);
        let points: Vec<Watched> = points.map(|point| watched(format, point)).collect();
        let is_described = format == WireFormat::Frame;
        let has_words = points.iter().any(|point| point.word.is_some());
        let half = if are_shifts_watched(map) { (points.len() / 2) as isize } else { 0 };
        let of_words = [Suspicion::ByteOrder, Suspicion::PointByteOrder, Suspicion::Type];
        let of_words = of_words
            .into_iter()
            .filter(|one| has_words && (is_described || *one != Suspicion::PointByteOrder));
        let shifts = (1..=half).flat_map(|words| [words, -words]);
        let shifts = shifts.map(|words| Suspicion::Shift { words });
        let case = |suspicion| Case {
            suspicion,
            samples: 0,
            values: 0,
            is_reported: false,
            suspected: BTreeSet::new(),
        };
        Self { points, is_described, cases: of_words.chain(shifts).map(case).collect() }
    }

    /// Takes one sample, whose values are those of the simulator's points in order, and returns a
    /// finding where this sample completes one.
    pub fn observe(&mut self, sample: &Sample) -> Option<Finding> {
        let count = self.points.len().min(sample.values.len());
        let values = &sample.values[..count];
        let mut is_odd = false;
        for (point, value) in self.points.iter_mut().zip(values) {
            point.has_been_normal |= is_normal(*value, point.word)
                && point.range.is_some_and(|range| is_within(*value, range));
            let is_plausible = as_read(point, *value);
            is_odd |= is_plausible == Some(false);
            point.odd = if is_plausible == Some(false) { point.odd + 1 } else { 0 };
            if self.is_described && !point.is_right_order && is_plausible == Some(true) {
                let reversed = otherwise(Suspicion::ByteOrder, (point, point), *value);
                let is_other = reversed.and_then(|reversed| fits(point, reversed)) == Some(false);
                point.is_right_order = is_other && value.number() != Some(0.0);
            }
        }
        let mut completed: Vec<(usize, Vec<Evidence>)> = Vec::new();
        for at in 0..self.cases.len() {
            if !is_odd && self.cases[at].samples == 0 {
                continue;
            }
            let contribution = self.contribution(&self.cases[at], values);
            let case = &mut self.cases[at];
            match contribution {
                Contribution::Against => {
                    case.suspected.clear();
                    (case.samples, case.values, case.is_reported) = (0, 0, false);
                }
                Contribution::For(evidence) if evidence.is_empty() => {}
                Contribution::For(evidence) => {
                    if is_of_some(case.suspicion) {
                        let named = |name: &str| self.points.iter().position(|p| p.name == name);
                        case.suspected.extend(evidence.iter().filter_map(|it| named(&it.point)));
                    }
                    case.samples += 1;
                    case.values += evidence.len();
                    if case.samples >= SAMPLES_NEEDED && !case.is_reported {
                        case.is_reported = true;
                        completed.push((at, evidence));
                    }
                }
            }
        }
        self.finding(completed).or_else(|| self.exchange(values))
    }

    /// A point that has been outside of its range from the first sample on and would fit that of
    /// another one, whose value would fit its own, where nothing else explains it.
    fn exchange(&self, values: &[Value]) -> Option<Finding> {
        let is_explained = self.cases.iter().any(|case| case.is_reported);
        let sent = &self.points[..values.len()];
        if is_explained || sent.iter().all(|point| point.odd != SAMPLES_NEEDED) {
            return None;
        }
        let places = (0..values.len()).filter(|at| self.points[*at].odd > 0);
        let evidence = places.map(|at| {
            let (point, as_read) = (&self.points[at], values[at]);
            // What has been right and is not any more is an event of the simulated network.
            if point.has_been_normal || !matches!(as_read, Value::Float(_)) {
                return None;
            }
            let fits = |owner: usize, value| fits(&self.points[owner], value) == Some(true);
            let mut others = (0..values.len()).filter(|other| *other != at);
            let other = others.find(|other| fits(*other, as_read) && fits(at, values[*other]))?;
            let belongs_to = &self.points[other];
            Some(Evidence {
                point: point.name.clone(),
                as_read,
                range: point.range?,
                belongs_to: belongs_to.name.clone(),
                otherwise: as_read,
                range_otherwise: belongs_to.range?,
            })
        });
        // One that has no partner is not explained by this.
        let mut evidence = evidence.collect::<Option<Vec<Evidence>>>()?;
        evidence.truncate(EVIDENCE_MAX);
        let (suspicion, samples) = (Suspicion::Exchange, SAMPLES_NEEDED);
        Some(Finding { suspicion, alternatives: Vec::new(), evidence, samples })
    }

    fn finding(&self, mut completed: Vec<(usize, Vec<Evidence>)>) -> Option<Finding> {
        // Of equals the first stays first: the order of the cases, short shifts before long ones.
        completed.sort_by_key(|(at, _)| std::cmp::Reverse(self.cases[*at].values));
        let is_new = |at: usize| completed.iter().any(|(new, _)| *new == at);
        let standing = (0..self.cases.len()).filter(|at| self.cases[*at].is_reported);
        let standing = standing.filter(|at| !is_new(*at)).map(|at| self.cases[at].values).max();
        let mut completed = completed.into_iter();
        let (best, mut evidence) = completed.next()?;
        // What has been reported, still stands and explains more needs no second explanation.
        if standing.is_some_and(|values| values >= self.cases[best].values) {
            return None;
        }
        evidence.truncate(EVIDENCE_MAX);
        let alternatives = completed.map(|(at, _)| self.cases[at].suspicion).collect();
        let Case { suspicion, samples, .. } = self.cases[best];
        Some(Finding { suspicion, alternatives, evidence, samples })
    }

    /// What the values of a sample contribute to a case.
    fn contribution(&self, case: &Case, values: &[Value]) -> Contribution {
        let count = values.len() as isize;
        let (mut evidence, mut judged) = (Vec::new(), 0);
        for (at, &value) in values.iter().enumerate() {
            let point = &self.points[at];
            let (owner, wraps) = match case.suspicion {
                // An exchange is looked for by itself and is no case.
                Suspicion::ByteOrder
                | Suspicion::PointByteOrder
                | Suspicion::Type
                | Suspicion::Exchange => (at, false),
                Suspicion::Shift { words } => {
                    let from = at as isize - words;
                    (from.rem_euclid(count) as usize, !(0..count).contains(&from))
                }
            };
            let is_of_order =
                matches!(case.suspicion, Suspicion::ByteOrder | Suspicion::PointByteOrder);
            if is_of_order && point.word.is_some_and(|word| !word.is_of_bytes) {
                continue;
            }
            let belongs_to = &self.points[owner];
            let read = as_read(point, value);
            let otherwise = otherwise(case.suspicion, (point, belongs_to), value);
            let fits = otherwise.and_then(|other| fits(belongs_to, other));
            judged += usize::from(fits.is_some());
            let is_zero = value.number() == Some(0.0);
            match (read, fits) {
                // A type is changed only where it seems wrong.
                (Some(true), Some(false))
                    if is_of_some(case.suspicion) && !case.suspected.contains(&at) => {}
                (Some(false), _)
                    if case.suspicion == Suspicion::PointByteOrder && point.is_right_order =>
                {
                    return Contribution::Against;
                }
                (Some(true), Some(false)) if !is_zero => return Contribution::Against,
                // Behind the end of a packet anything may stand.
                (Some(false), _) if wraps => {}
                (Some(false), Some(false)) => return Contribution::Against,
                (Some(false), None) if otherwise.is_none() => return Contribution::Against,
                (Some(false), Some(true)) if !is_zero => {
                    if let (Some(range), Some(range_otherwise), Some(otherwise)) =
                        (point.range, belongs_to.range, otherwise)
                    {
                        evidence.push(Evidence {
                            point: point.name.clone(),
                            as_read: value,
                            range,
                            belongs_to: belongs_to.name.clone(),
                            otherwise,
                            range_otherwise,
                        });
                    }
                }
                _ => {}
            }
        }
        // Where little is declared, a shift explains a single odd value too easily.
        let is_shift = matches!(case.suspicion, Suspicion::Shift { .. });
        if is_shift && 2 * judged < values.len() {
            evidence.clear();
        }
        Contribution::For(evidence)
    }
}

/// Whether a suspicion is of some points, each by itself.
const fn is_of_some(suspicion: Suspicion) -> bool {
    matches!(suspicion, Suspicion::PointByteOrder | Suspicion::Type)
}

/// The value as it reads under a suspicion; `None` where its word is not known.
fn otherwise(
    suspicion: Suspicion,
    (point, belongs_to): (&Watched, &Watched),
    value: Value,
) -> Option<Value> {
    let other_type = match (suspicion, point.signal_type) {
        (Suspicion::Type, SignalType::Float) => SignalType::Integer,
        (Suspicion::Type, SignalType::Integer) => SignalType::Float,
        (Suspicion::Type, _) => return None,
        _ => belongs_to.signal_type,
    };
    let (Some(own), Some(other)) = (point.word, belongs_to.word) else {
        return (other_type == value.signal_type()).then_some(value);
    };
    let word = own.of_value(value)?;
    let is_reversed = matches!(suspicion, Suspicion::ByteOrder | Suspicion::PointByteOrder);
    if is_reversed && !own.is_of_bytes {
        return None;
    }
    other.value(if is_reversed { own.reversed(word) } else { word }, other_type)
}

fn watched(format: WireFormat, point: &Point) -> Watched {
    let widened = |(least, greatest): (f64, f64)| {
        let by = RANGE_TOLERANCE * f64::max(least.abs(), greatest.abs());
        (least - by, greatest + by)
    };
    Watched {
        name: point.name.clone(),
        signal_type: point.signal_type,
        range: point.word_range().map(widened),
        has_been_normal: false,
        word: Word::of(format, point),
        odd: 0,
        is_right_order: false,
    }
}

fn is_within(value: Value, (least, greatest): (f64, f64)) -> bool {
    value.number().is_none_or(|value| value >= least && value <= greatest)
}

/// Whether it is a float, neither zero nor too small to be a physical value.
fn is_normal(value: Value, word: Option<Word>) -> bool {
    matches!(value, Value::Float(value) if value != 0.0 && !is_subnormal(value, word))
}

fn is_subnormal(value: f64, word: Option<Word>) -> bool {
    word.is_some_and(|word| word.is_subnormal(value))
}

/// Whether a value is plausible in a place; `None` where nothing is declared.
fn fits(point: &Watched, value: Value) -> Option<bool> {
    let is_tiny = matches!(value, Value::Float(value) if is_subnormal(value, point.word));
    point.range.map(|range| !is_tiny && is_within(value, range))
}

/// Like [`fits`], of the value as read: small integers look like tiny floats, so tiny floats are
/// implausible, but not where the point has been normal before.
fn as_read(point: &Watched, value: Value) -> Option<bool> {
    let is_in_range = point.range.map(|range| is_within(value, range));
    if point.has_been_normal { is_in_range } else { fits(point, value) }
}
