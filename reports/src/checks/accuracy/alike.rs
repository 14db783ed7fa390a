//! Which series were reported equal throughout: whether two meters, or two phases of one, had
//! changed places could not be seen in them.
//!
//! Of each series a hash of what was reported and when is kept, so that a long run needs no more
//! than a short one. Left out are what was reported as zero throughout (of nothing there is nothing
//! to exchange), a handful of readings that may agree by chance, and the frequency, which is one in
//! a whole network.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use lastmeter_text::{append, plural};
use lastmeter_units::{MeasurementId, Phase, Quantity, SimTime};

/// So many readings do not agree by chance.
const READINGS_MIN: u64 = 3;

/// What one series reported over time.
#[derive(Clone, Debug, Default)]
pub(super) struct ReportedFingerprint {
    hash: DefaultHasher,
    readings: u64,
    is_zero: Option<bool>,
}

impl ReportedFingerprint {
    /// Takes the next reading that was due.
    pub(super) fn add(&mut self, at: SimTime, reported: Option<f64>) {
        at.hash(&mut self.hash);
        reported.map(f64::to_bits).hash(&mut self.hash);
        self.readings += u64::from(reported.is_some());
        let is_zero = reported.is_none_or(|reported| reported == 0.0);
        self.is_zero = Some(is_zero && self.is_zero.unwrap_or(true));
    }

    fn key(&self) -> Option<u64> {
        let may_be_alike = self.is_zero == Some(false) && self.readings >= READINGS_MIN;
        may_be_alike.then(|| self.hash.finish())
    }
}

/// A quantity without its phase, where it has one.
fn stem(id: MeasurementId) -> String {
    let words = id.name().split('.').map(|word| match word {
        "l1" | "l2" | "l3" => "l",
        other => other,
    });
    words.collect::<Vec<_>>().join(".")
}

/// One series: device, quantity, and what it reported.
type Series<'a> = (&'a str, MeasurementId, &'a ReportedFingerprint);

/// Which of these were reported alike; `None` if none were.
pub(super) fn text<'a>(all: impl Iterator<Item = Series<'a>>) -> Option<String> {
    let mut groups: BTreeMap<(String, u64), Vec<Series<'a>>> = BTreeMap::new();
    for series in all.filter(|(_, id, _)| id.row().quantity != Quantity::Frequency) {
        if let Some(key) = series.2.key() {
            groups.entry((stem(series.1), key)).or_default().push(series);
        }
    }
    let (mut first, mut pairs) = (None, 0_u64);
    for group in groups.values() {
        // The first and how many so far, by quantity and by meter: another phase of another meter
        // takes nobody's place.
        let (mut by_quantity, mut by_meter) = (BTreeMap::new(), BTreeMap::new());
        for one in group {
            let same = [
                by_quantity.entry(one.1).or_insert((one, 0)),
                by_meter.entry(one.0).or_insert((one, 0)),
            ];
            for (other, count) in same {
                if *count > 0 {
                    first.get_or_insert((**other, *one));
                }
                pairs += *count;
                *count += 1;
            }
        }
    }
    let ((device, id, fingerprint), (other, other_id, _)) = first?;
    let readings = plural(fingerprint.readings, "reading");
    let mut text = if device == other {
        format!(
            "interchangeable: {} and {} of {device}",
            word(id.row().phase),
            word(other_id.row().phase)
        )
    } else {
        format!("interchangeable: {device} and {other}")
    };
    append(
        &mut text,
        format_args!(
            " reported the same {id} throughout ({readings}), so that exchanging them would not be seen"
        ),
    );
    if pairs > 1 {
        append(&mut text, format_args!("; so did {}", plural(pairs - 1, "other pair")));
    }
    Some(text)
}

fn word(phase: Phase) -> &'static str {
    phase.index().map_or("", |index| ["l1", "l2", "l3"][index])
}

#[cfg(test)]
mod tests {
    use super::*;

    const U1: &str = "electricity.voltage.rms.l1";
    const U2: &str = "electricity.voltage.rms.l2";
    const F: &str = "electricity.frequency";

    fn fingerprint(values: &[f64]) -> ReportedFingerprint {
        let mut fingerprint = ReportedFingerprint::default();
        for (second, value) in values.iter().enumerate() {
            fingerprint.add(SimTime(second as i64), Some(*value).filter(|value| !value.is_nan()));
        }
        fingerprint
    }

    fn shown(all: &[(&str, &str, &[f64])]) -> Option<String> {
        let courses: Vec<ReportedFingerprint> =
            all.iter().map(|(.., values)| fingerprint(values)).collect();
        let series = all.iter().zip(&courses).map(|((device, quantity, _), fingerprint)| {
            (*device, MeasurementId::lookup(quantity).unwrap(), fingerprint)
        });
        text(series)
    }

    #[test]
    fn equal_series_of_two_meters_or_two_phases_are_named() {
        let (a, b): (&[f64], &[f64]) = (&[230.0, 231.0, 229.0], &[230.0, 231.0, 229.000_001]);
        let expected = "interchangeable: a and b reported the same electricity.voltage.rms.l1 \
                    throughout (3 readings), so that exchanging them would not be seen";
        assert_eq!(shown(&[("a", U1, a), ("b", U1, a)]).as_deref(), Some(expected));
        let expected = "interchangeable: l1 and l2 of a reported the same \
                    electricity.voltage.rms.l1 throughout (3 readings), so that exchanging them would not be seen; so did 2 other pairs";
        let three = [("a", U1, a), ("a", U2, a), ("b", U1, a), ("c", U2, a)];
        assert_eq!(shown(&three).as_deref(), Some(expected));
        for different in [
            [("a", U1, a), ("b", U1, b)],
            // Another phase of another meter, and what has no phase.
            [("a", U1, a), ("b", U2, a)],
            [("a", F, a), ("b", F, a)],
            // Nothing, and too little.
            [("a", U1, &[0.0; 3]), ("b", U1, &[0.0; 3])],
            [("a", U1, &a[..2]), ("b", U1, &a[..2])],
            // One that is missing is missed where it was.
            [
                ("a", U1, &[230.0, f64::NAN, 231.0, 229.0]),
                ("b", U1, &[230.0, 231.0, 229.0, f64::NAN]),
            ],
        ] {
            assert_eq!(shown(&different), None, "{different:?}");
        }
    }
}
