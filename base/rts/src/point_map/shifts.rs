//! Which neighbours could change places unnoticed.

use std::fmt;

use super::word::are_neighbours;
use super::{Point, PointDirection, PointMap, StatusRole};

/// From this share of a range inside the other's on, a shift is taken to be unnoticeable there:
/// more values than not would be plausible in the wrong place.
const ALIKE_SHARE_MIN: f64 = 0.5;

/// Two neighbours of a packet that are so alike that a shift by one word could not be noticed by
/// their values.
#[derive(Clone, Debug, PartialEq)]
pub struct UnnoticeableShift {
    /// Who sends them.
    pub direction: PointDirection,
    /// The earlier one.
    pub first: String,
    /// The later one.
    pub second: String,
    /// The share, 0 to 1, of the first one's range that is plausible in the second one's place: a
    /// shift to later words. 1 where either has no declared range.
    pub first_as_second: f64,
    /// The share of the second one's range that is plausible in the first one's place: a shift to
    /// earlier words.
    pub second_as_first: f64,
    /// Whether both have a range; if not, declaring one may help.
    pub is_declared: bool,
}

impl fmt::Display for UnnoticeableShift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { direction, first, second, first_as_second, second_as_first, is_declared } = self;
        write!(
            f,
            "{direction}: a shift by one word between `{first}` and `{second}` is unnoticeable: "
        )?;
        if !is_declared {
            return f.write_str("declare `least` and `greatest` of both");
        }
        let percent = |share: &f64| (share * 100.0).floor();
        write!(
            f,
            "{} % of the range of `{first}` is plausible as `{second}`, and {} % the reverse",
            percent(first_as_second),
            percent(second_as_first)
        )
    }
}

/// The neighbours of each direction between which a shift by one word could not be noticed in at
/// least one of both ways: of one type on the wire, neither of them a counter, and at least half of
/// one's declared range within the other's, in words. In a described frame only points are
/// neighbours that follow one another without a gap, of one width and byte order; whether shifts
/// are looked for there at all, [`are_shifts_watched`](super::are_shifts_watched) answers.
///
/// A list without entries does not promise that every shift shows: values may happen to be where
/// the ranges overlap. One with entries is the reason to put a status word, or points of other
/// types or ranges, between points that are alike.
pub fn unnoticeable_shifts(map: &PointMap) -> Vec<UnnoticeableShift> {
    let mut found = Vec::new();
    for direction in PointDirection::ALL {
        let mut points: Vec<&Point> = map.of_direction(direction).collect();
        // Points of other formats have no place, and keep their order.
        points.sort_by_key(|point| point.place.map(|field| (field.byte_offset, field.bit_offset)));
        found.extend(points.windows(2).filter_map(|pair| shift(direction, pair[0], pair[1])));
    }
    found
}

fn shift(direction: PointDirection, first: &Point, second: &Point) -> Option<UnnoticeableShift> {
    if first.signal_type != second.signal_type || is_counter(first) || is_counter(second) {
        return None;
    }
    if let (Some(a), Some(b)) = (first.place, second.place)
        && !are_neighbours(&a, &b)
    {
        return None;
    }
    let (a, b) = (first.word_range(), second.word_range());
    let shares = a.zip(b).map(|(a, b)| (share_within(a, b), share_within(b, a)));
    let (first_as_second, second_as_first) = shares.unwrap_or((1.0, 1.0));
    (first_as_second.max(second_as_first) >= ALIKE_SHARE_MIN).then(|| UnnoticeableShift {
        direction,
        first: first.name.clone(),
        second: second.name.clone(),
        first_as_second,
        second_as_first,
        is_declared: shares.is_some(),
    })
}

/// What counts shows a shift by itself: it stands still, or something else begins to count.
fn is_counter(point: &Point) -> bool {
    matches!(
        point.role(),
        Some(StatusRole::Sequence | StatusRole::Seconds | StatusRole::Nanoseconds)
    )
}

/// The share of the first range that lies within the second.
fn share_within(inner: (f64, f64), outer: (f64, f64)) -> f64 {
    let common = inner.1.min(outer.1) - inner.0.max(outer.0);
    (common / (inner.1 - inner.0)).clamp(0.0, 1.0)
}
