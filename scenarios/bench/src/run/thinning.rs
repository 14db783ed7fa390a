//! Which rows of a long run the record keeps, by the rules of `[record]`.
//!
//! What has no error, for it is missing, unexpected or of an uncertain reference, is kept, and of
//! every reading its first row. Of the others of a series each rule keeps those that differ, or
//! none, and besides them the one that is farthest from its reference in each interval, in its unit
//! and in relation. Rows of a device are held until its interval is over, so that all of one
//! reading are handed on together.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_language::{Keep, RecordRules};
use lastmeter_record::Aggregate;
use lastmeter_reports::resolution;
use lastmeter_units::{MeasurementId, SimDuration, SimTime};

use super::ledger::Row;

/// Leaves rows out, and counts them.
pub(crate) struct Thinning {
    rules: RecordRules,
    start: SimTime,
    /// By device and quantity, the rule and what there is of the series.
    series: BTreeMap<(usize, MeasurementId), Option<Series>>,
    /// By device, what is held.
    held: BTreeMap<usize, HeldRows>,
}

/// A series that a rule is about.
struct Series {
    keep: Keep,
    /// The row that was kept last, by its values.
    last: Option<(f64, f64)>,
    /// The present interval, once it has a row.
    interval: Option<Interval>,
}

/// What of one interval of a series is summed up.
#[derive(Clone, Copy, Default)]
struct Interval {
    count: u64,
    kept: u64,
    reference_sum: f64,
    reported_sum: f64,
    least: f64,
    most: f64,
    /// The largest error in the unit and in relation, with the place of the row among those held.
    worst: (f64, usize),
    worst_relative: (f64, usize),
}

/// Rows of a device until its interval is over.
#[derive(Default)]
struct HeldRows {
    /// The interval's number from the start.
    number: i64,
    rows: Vec<Row>,
    /// Places among them that are kept.
    kept: BTreeSet<usize>,
    /// The reading that was met last.
    reading: Option<(SimTime, lastmeter_units::Serial)>,
}

/// A summed-up interval of a series of the device with this number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SummedUp {
    pub(crate) device: usize,
    pub(crate) quantity: MeasurementId,
    pub(crate) from: SimTime,
    pub(crate) to: SimTime,
    pub(crate) count: u64,
    pub(crate) reference_mean: f64,
    pub(crate) reported_mean: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) worst_error: f64,
    pub(crate) kept: u64,
}

impl SummedUp {
    /// The same of the device of this name, as the record has it.
    pub(crate) fn aggregate<'a>(&self, device: &'a str) -> Aggregate<'a> {
        let &Self { quantity, from, to, count, reference_mean, reported_mean, worst_error, .. } =
            self;
        Aggregate {
            device,
            quantity,
            from,
            to,
            count,
            reference_mean,
            reported_mean,
            reported_min: self.least,
            reported_max: self.most,
            worst_error,
            kept: self.kept,
        }
    }
}

/// What goes to the record.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) rows: Vec<Row>,
    pub(crate) summed_up: Vec<SummedUp>,
}

impl Thinning {
    pub(crate) fn new(rules: RecordRules, start: SimTime) -> Self {
        Self { rules, start, series: BTreeMap::new(), held: BTreeMap::new() }
    }

    /// Takes rows, those of a reading together; what goes to the record now.
    pub(crate) fn take<'a>(&mut self, rows: &[Row], name: impl Fn(usize) -> &'a str) -> Kept {
        let mut out = Kept::default();
        for row in rows {
            self.take_row(row, &name, &mut out);
        }
        out
    }

    /// The rest.
    pub(crate) fn finish(&mut self) -> Kept {
        let mut out = Kept::default();
        let devices: Vec<usize> = self.held.keys().copied().collect();
        for device in devices {
            self.release(device, &mut out);
        }
        out
    }

    fn take_row<'a>(&mut self, row: &Row, name: &impl Fn(usize) -> &'a str, out: &mut Kept) {
        let key = (row.device, row.quantity);
        if !self.series.contains_key(&key) {
            let rule = self.rules.of(name(row.device), row.quantity);
            let series = rule.map(|rule| Series { keep: rule.keep, last: None, interval: None });
            self.series.insert(key, series);
        }
        let number = interval_of(row.event_time - self.start, self.rules.every);
        if self.held.get(&row.device).is_some_and(|held| held.number != number) {
            self.release(row.device, out);
        }
        let new = || HeldRows { number, ..HeldRows::default() };
        let held = self.held.entry(row.device).or_insert_with(new);
        let place = held.rows.len();
        held.rows.push(*row);
        let reading = row.key.1.map(|serial| (row.event_time, serial));
        let is_first = reading.is_none() || held.reading != reading;
        held.reading = reading;
        let series = self.series.get_mut(&key).and_then(Option::as_mut);
        let Some(series) = series else {
            held.kept.insert(place);
            return;
        };
        let known = row.reference.filter(|it| !it.is_nan()).zip(row.reported);
        let Some((reference, reported)) = known.filter(|_| row.span.is_none()) else {
            held.kept.insert(place);
            return;
        };
        let differs = match (series.keep, series.last) {
            (Keep::Changes(part), Some((last_reference, last_reported))) => {
                let moved = |now: f64, last: f64| (now - last).abs() > part * last.abs();
                moved(reference, last_reference) || moved(reported, last_reported)
            }
            (Keep::Changes(_), None) | (Keep::All, _) => true,
            (Keep::Aggregates, _) => false,
        };
        if is_first || differs {
            held.kept.insert(place);
            series.last = Some((reference, reported));
        }
        let interval = series.interval.get_or_insert_with(Interval::default);
        interval.add((reference, reported), resolution(row.quantity), place);
    }

    /// Hands on what is held of a device.
    fn release(&mut self, device: usize, out: &mut Kept) {
        let Some(mut held) = self.held.remove(&device) else { return };
        let from = self.start + self.rules.every * held.number;
        let span = (from, from + self.rules.every);
        let own = self.series.iter_mut().filter(|((of, _), _)| *of == device);
        let mut ended = Vec::new();
        for ((_, quantity), series) in own {
            let interval = series.as_mut().and_then(|series| series.interval.take());
            let Some(interval) = interval else { continue };
            held.kept.extend([interval.worst.1, interval.worst_relative.1]);
            ended.push((*quantity, interval));
        }
        for (quantity, mut interval) in ended {
            let is_own = |place: &&usize| held.rows[**place].quantity == quantity;
            interval.kept = held.kept.iter().filter(is_own).count() as u64;
            out.summed_up.push(interval.summed_up(device, quantity, span));
        }
        out.rows.extend(held.kept.iter().map(|&place| held.rows[place]));
    }
}

/// The number of the interval that an instant lies in: its end belongs to it.
fn interval_of(since: SimDuration, every: SimDuration) -> i64 {
    (since.0 - 1).div_euclid(every.0.max(1))
}

impl Interval {
    fn add(&mut self, (reference, reported): (f64, f64), free: f64, place: usize) {
        // As verdicts count it: a count of pulses may be off by one, and what differs from zero is
        // infinitely off in relation to it.
        let error = reported - reference;
        let error = if error.abs() <= free { 0.0 } else { error - free.copysign(error) };
        let relative = if error == 0.0 { 0.0 } else { error / reference.abs() };
        for (worst, error) in [(&mut self.worst, error), (&mut self.worst_relative, relative)] {
            // What is no number is farther off than anything.
            if self.count == 0 || error.abs() > worst.0.abs() || error.is_nan() {
                *worst = (error, place);
            }
        }
        if self.count == 0 {
            (self.least, self.most) = (reported, reported);
        }
        self.count += 1;
        self.reference_sum += reference;
        self.reported_sum += reported;
        self.least = self.least.min(reported);
        self.most = self.most.max(reported);
    }

    fn summed_up(
        &self,
        device: usize,
        quantity: MeasurementId,
        (from, to): (SimTime, SimTime),
    ) -> SummedUp {
        SummedUp {
            device,
            quantity,
            from,
            to,
            count: self.count,
            reference_mean: self.reference_sum / self.count as f64,
            reported_mean: self.reported_sum / self.count as f64,
            least: self.least,
            most: self.most,
            worst_error: self.worst.0,
            kept: self.kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_language::RecordRule;
    use lastmeter_params::Pattern;
    use lastmeter_units::{Epoch, Serial};
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 2] = ["home", "shop"];

    fn quantity(name: &str) -> MeasurementId {
        MeasurementId::lookup(name).unwrap()
    }

    fn rule(device: &str, keep: Keep) -> RecordRules {
        let (device, quantity) = (Pattern::new(device), Pattern::new("*"));
        let rules = vec![RecordRule { device, quantity, keep }];
        RecordRules { every: SimDuration::from_seconds(60), rules }
    }

    /// Readings every 10 s of two quantities, with these errors of the first.
    fn rows(device: usize, errors: &[f64]) -> Vec<Row> {
        let reading = |(number, error): (usize, &f64)| {
            let base = Row {
                device,
                key: (Some(Epoch(1)), Some(Serial(number as u64 + 1))),
                quantity: quantity("electricity.voltage.rms.l1"),
                event_time: SimTime(0) + SimDuration::from_seconds(10 * (number as i64 + 1)),
                reference: Some(230.0),
                reported: Some(230.0 + error),
                span: None,
            };
            let second = Row { quantity: quantity("electricity.frequency"), ..base };
            let second = Row { reference: Some(50.0), reported: Some(50.0 - error), ..second };
            [base, second]
        };
        errors.iter().enumerate().flat_map(reading).collect()
    }

    fn thinned(rules: RecordRules, batches: &[&[Row]]) -> Kept {
        let mut thinning = Thinning::new(rules, SimTime(0));
        let mut all = Kept::default();
        for batch in batches {
            let kept = thinning.take(batch, |device| NAMES[device]);
            all.rows.extend(kept.rows);
            all.summed_up.extend(kept.summed_up);
        }
        let kept = thinning.finish();
        all.rows.extend(kept.rows);
        all.summed_up.extend(kept.summed_up);
        all
    }

    #[test]
    fn of_each_interval_the_worst_rows_and_of_each_reading_the_first_stay() {
        let errors = [0.1, -0.5, 0.2, 0.1, 0.1, 0.1, 0.3, 0.1];
        let all = rows(0, &errors);
        let kept = thinned(rule("home", Keep::Aggregates), &[&all[..6], &all[6..]]);
        // All eight first values, and of the frequency the worst of both minutes.
        assert_eq!(kept.rows.len(), 8 + 2);
        let worst: Vec<f64> = kept.summed_up.iter().map(|it| it.worst_error).collect();
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
        assert_eq!(worst.len(), 4, "{:?}", kept.summed_up);
        let minutes: Vec<_> = kept.summed_up.iter().map(|it| (it.from.0, it.count)).collect();
        assert_eq!(minutes.iter().filter(|it| **it == (0, 6)).count(), 2);
        assert_eq!(minutes.iter().filter(|it| **it == (60_000_000_000, 2)).count(), 2);
        let volts = kept.summed_up.iter().find(|it| it.quantity == all[0].quantity).unwrap();
        assert!(near(volts.worst_error, -0.5) && near(volts.least, 229.5) && volts.kept == 6);
        assert!(near(volts.reported_mean, 230.0 + 0.1 / 6.0) && volts.reference_mean == 230.0);
    }

    #[test]
    fn errors_count_as_verdicts_count_them() {
        // Of a reference of zero any error is infinite in relation to it.
        let mut all = rows(0, &[0.0; 6]);
        let frequencies = |row: &Row| row.quantity == quantity("electricity.frequency");
        let of_zero = all.iter().rposition(frequencies).unwrap();
        let of_more = all.iter().position(frequencies).unwrap();
        (all[of_zero].reference, all[of_zero].reported) = (Some(0.0), Some(1e-4));
        all[of_more].reported = Some(51.0);
        let kept = thinned(rule("*", Keep::Aggregates), &[&all]);
        assert!(kept.rows.contains(&all[of_zero]) && kept.rows.contains(&all[of_more]));
        // One pulse is free: the first count has no error.
        let pulses = quantity("x.electricity.pulses.active");
        let counts = [(19.0, 20.0), (57.0, 59.0), (306.0, 309.0)];
        let mut all = rows(0, &[0.0; 3]);
        for (row, (reference, reported)) in all.iter_mut().skip(1).step_by(2).zip(counts) {
            row.quantity = pulses;
            (row.reference, row.reported) = (Some(reference), Some(reported));
        }
        let kept = thinned(rule("*", Keep::Aggregates), &[&all]);
        let kept: Vec<f64> = kept
            .rows
            .iter()
            .filter(|row| row.quantity == pulses)
            .filter_map(|row| row.reference)
            .collect();
        assert_eq!(kept, [57.0, 306.0]);
    }

    #[test]
    fn what_does_not_change_is_left_out_and_what_is_no_pair_stays() {
        let mut all = rows(0, &[0.1; 12]);
        all[5].reported = None;
        all[7].reference = None;
        let kept = thinned(rule("*", Keep::Changes(0.0)), &[&all]);
        // Twelve first values; of the frequency the first, the two that are no pair, and the worst
        // of the second minute.
        assert_eq!(kept.rows.len(), 12 + 4);
        let none = thinned(rule("shop", Keep::Aggregates), &[&all]);
        assert_eq!((none.rows.len(), none.summed_up.len()), (24, 0));
    }

    proptest! {
        /// Whatever is left out: what is farthest off is kept, and nothing is made up.
        #[test]
        fn the_worst_error_is_always_there(
            errors in proptest::collection::vec(-1.0_f64..1.0, 1..40),
            cut in 0_usize..40,
            part in 0.0_f64..0.01,
        ) {
            let all = rows(0, &errors);
            let cut = 2 * cut.min(errors.len());
            for keep in [Keep::Aggregates, Keep::Changes(part)] {
                let kept = thinned(rule("*", keep), &[&all[..cut], &all[cut..]]);
                prop_assert!(kept.rows.iter().all(|row| all.contains(row)));
                for id in ["electricity.voltage.rms.l1", "electricity.frequency"] {
                    let worst = |rows: &[Row], relative: bool| {
                        let error = |row: &Row| {
                            let (reference, reported) = (row.reference?, row.reported?);
                            let scale = if relative { reference } else { 1.0 };
                            Some((reported - reference).abs() / scale)
                        };
                        let own = rows.iter().filter(|row| row.quantity == quantity(id));
                        own.filter_map(error).fold(0.0, f64::max)
                    };
                    for relative in [false, true] {
                        prop_assert_eq!(worst(&kept.rows, relative), worst(&all, relative));
                    }
                }
                let readings = |rows: &[Row]| {
                    rows.iter().map(|row| row.key).collect::<BTreeSet<_>>()
                };
                prop_assert_eq!(readings(&kept.rows), readings(&all));
            }
        }
    }
}
