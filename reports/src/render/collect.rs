//! What a report shows, gathered in one pass over the record in bounded memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lastmeter_chart::{Bins, Moments};
use lastmeter_units::{MeasurementId, Phase, SimTime};

use crate::by_device::ByDevice;
use crate::delivery::Delivery;
use crate::error_limit::{Limit, Spec};
use crate::verdict::{At, Verdict};
use lastmeter_params::Pattern;
use lastmeter_record::{Event, EventKind, Observation, RecordError, RunFacts, RunReader, field};

/// The most marks on the timeline, events listed, and devices with pictures of their deliveries.
pub(crate) const EVENTS_MAX: usize = 400;
/// Rows of the record shown on each side of a place.
const ROWS_AROUND: usize = 4;
/// Events shown on each side of a place.
const EVENTS_AROUND: usize = 5;
const REASONS_MAX: usize = 64;
/// Events whose epoch and serial number are those of an alert.
const ALERTS: [EventKind; 4] =
    [EventKind::Alert, EventKind::AlertLost, EventKind::AlertAltered, EventKind::AlertForeign];

/// All that is needed of the record.
pub(crate) struct Collected {
    /// What each device did.
    pub(crate) devices: ByDevice<DeviceRecord>,
    /// What each picture of accuracy shows.
    pub(crate) compared: BTreeMap<Subject, Compared>,
    /// Missing and unexpected values over time.
    pub(crate) missing: Bins,
    /// Values that came without being due, over time.
    pub(crate) unexpected: Bins,
    /// Refusals by reason: how many, and of which device the first was.
    pub(crate) refused: BTreeMap<String, (u64, Option<String>)>,
    /// The first events, with their lines.
    pub(crate) events: Vec<(u64, Event)>,
    pub(crate) events_total: u64,
    pub(crate) rows_total: u64,
    /// For each verdict that is no pass and names a place: what stands around it.
    pub(crate) excerpts: BTreeMap<String, Excerpt>,
    /// What could not be read, if so; everything before it is here.
    pub(crate) unreadable: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct DeviceRecord {
    pub(crate) delivery: Delivery,
    pub(crate) accuracy: BTreeMap<MeasurementId, Series>,
}

/// The errors of one quantity of one device.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// In which unit, and how much is allowed: infinite where no check judges it.
    pub(crate) limit: Limit,
    /// The check that gives the limit.
    judge: Option<usize>,
    /// In which pictures it is, and whether as their worst.
    shown: Vec<(Subject, bool)>,
    pub(crate) errors: Moments,
    pub(crate) worst_time: SimTime,
    /// How far the reference of the worst may be off, in the unit of the errors.
    pub(crate) worst_spread: f64,
    /// Whether any is outside the limit, whatever the spread of its reference.
    pub(crate) has_outside: bool,
    /// Values left out because their reference is too small.
    pub(crate) left_out: u64,
}

/// What a picture of accuracy is about, in the order in which they stand in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// This check of accuracy.
    Check(usize),
    /// A quantity, all of its phases, of devices of which no check judges it.
    NotJudged(MeasurementId),
}

pub(crate) struct Judged<'a> {
    pub(crate) name: &'a str,
    pub(crate) spec: &'a Spec,
    pub(crate) verdict: Option<&'a Verdict>,
}

impl Judged<'_> {
    pub(crate) fn is_about(&self, device: &str, quantity: MeasurementId) -> bool {
        self.spec.device.matches(device) && self.spec.quantities.binary_search(&quantity).is_ok()
    }

    /// The series on which the verdict rests.
    pub(crate) fn worst(&self) -> Option<(&str, MeasurementId)> {
        let at = self.verdict?.at.as_ref()?;
        Some((at.device.as_deref()?, at.measurement()?))
    }
}

/// The series of one subject over time: one by name, and all others of its quantity, whatever
/// their phase.
pub(crate) struct Compared {
    /// The worst series.
    pub(crate) worst: Tracks,
    pub(crate) others: Tracks,
    /// Whose those are, and how many.
    pub(crate) devices: BTreeSet<String>,
    pub(crate) count: usize,
}

/// What was compared, over time, in the SI unit; errors in that of the check.
pub(crate) struct Tracks {
    pub(crate) reference: Bins,
    pub(crate) reported: Bins,
    pub(crate) error: Bins,
}

impl Compared {
    fn new(start: SimTime) -> Self {
        let bins = || Bins::new(start);
        let tracks = || Tracks { reference: bins(), reported: bins(), error: bins() };
        Self { worst: tracks(), others: tracks(), devices: BTreeSet::new(), count: 0 }
    }
}

/// What stands in the record around a place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Excerpt {
    at: At,
    quantity: Option<MeasurementId>,
    /// Rows before, at and after, with whether each is the place itself.
    pub(crate) rows: VecDeque<(RowText, bool)>,
    rows_after: Option<usize>,
    /// Events before, at and after, with their lines.
    pub(crate) events: VecDeque<(u64, Event)>,
    events_after: usize,
}

/// One row of `observations.csv`, kept.
#[derive(Clone, Debug)]
pub(crate) struct RowText {
    pub(crate) serial: Option<u64>,
    pub(crate) quantity: MeasurementId,
    pub(crate) time: SimTime,
    pub(crate) reference: Option<f64>,
    pub(crate) reported: Option<f64>,
}

/// The first quantity of the same kind, which stands for all phases of it.
pub(crate) fn family(id: MeasurementId) -> MeasurementId {
    match id.row().phase {
        Phase::None => id,
        _ => MeasurementId::of(id.row().quantity, Phase::L1).unwrap_or(id),
    }
}

impl Collected {
    /// Reads a record as far as it can be read, for a report that shows these checks and verdicts.
    pub(crate) fn read(reader: &RunReader, checks: &[Judged<'_>], verdicts: &[Verdict]) -> Self {
        let mut collected = Self::empty(reader.facts(), verdicts);
        let read = collected.read_events(reader);
        let read = collected.read_rows(reader, checks).and(read);
        collected.unreadable = read.err().map(|error| error.to_string());
        collected
    }

    fn read_events(&mut self, reader: &RunReader) -> Result<(), RecordError> {
        for event in reader.events()? {
            let (line, event) = event?;
            self.event(line, event);
        }
        Ok(())
    }

    fn read_rows(&mut self, reader: &RunReader, checks: &[Judged<'_>]) -> Result<(), RecordError> {
        let mut rows = reader.observations()?;
        while let Some(row) = rows.next_row()? {
            self.row(&row, checks, reader.facts());
        }
        Ok(())
    }

    fn empty(facts: &RunFacts, verdicts: &[Verdict]) -> Self {
        let excerpts = verdicts
            .iter()
            .filter(|verdict| verdict.status != lastmeter_record::Status::Pass)
            .filter_map(|verdict| {
                let at = verdict.at.clone()?;
                let quantity = at.measurement();
                Some((verdict.check.clone(), Excerpt { at, quantity, ..Excerpt::default() }))
            })
            .collect();
        Self {
            devices: ByDevice::new(Pattern::new("*")),
            compared: BTreeMap::new(),
            missing: Bins::new(facts.start),
            unexpected: Bins::new(facts.start),
            refused: BTreeMap::new(),
            events: Vec::new(),
            events_total: 0,
            rows_total: 0,
            excerpts,
            unreadable: None,
        }
    }

    fn event(&mut self, line: u64, event: Event) {
        self.events_total += 1;
        if event.kind == EventKind::Refused {
            let reason = event.text(field::REASON).unwrap_or("unknown");
            let full = self.refused.len() >= REASONS_MAX && !self.refused.contains_key(reason);
            let reason = if full { "others" } else { reason }.to_owned();
            let first = || (0, event.about().map(str::to_owned));
            self.refused.entry(reason).or_insert_with(first).0 += 1;
        }
        for excerpt in self.excerpts.values_mut() {
            excerpt.event(line, &event);
        }
        if self.events.len() < EVENTS_MAX {
            self.events.push((line, event));
        }
    }

    fn row(&mut self, row: &Observation<'_>, checks: &[Judged<'_>], facts: &RunFacts) {
        self.rows_total += 1;
        if row.reported.is_none() {
            self.missing.push(row.event_time, 1.0);
        }
        if row.reference.is_none() {
            self.unexpected.push(row.event_time, 1.0);
        }
        for excerpt in self.excerpts.values_mut() {
            excerpt.row(row);
        }
        let Some(device) = self.devices.entry(row.device) else { return };
        device.delivery.observation(row);
        let Some((reference, reported)) = row.pair() else { return };
        let series = device.accuracy.entry(row.quantity).or_insert_with(|| {
            let series = Series::of(row, checks);
            for (subject, is_worst) in &series.shown {
                let new = || Compared::new(facts.start);
                let compared = self.compared.entry(*subject).or_insert_with(new);
                if !is_worst {
                    compared.count += 1;
                    compared.devices.insert(row.device.to_owned());
                }
            }
            series
        });
        series.take(row, (reference, reported), checks);
        for (subject, is_worst) in &series.shown {
            let Some(compared) = self.compared.get_mut(subject) else { continue };
            let tracks = if *is_worst { &mut compared.worst } else { &mut compared.others };
            tracks.reference.push(row.event_time, reference);
            tracks.reported.push(row.event_time, reported);
            let error = match subject {
                Subject::Check(place) => checks[*place].spec.judged_error(row, reference, reported),
                Subject::NotJudged(_) => Some(reported - reference),
            };
            if let Some(error) = error {
                tracks.error.push(row.event_time, error);
            }
        }
    }
}

impl Series {
    /// Nothing yet, of the series of this row.
    fn of(row: &Observation<'_>, checks: &[Judged<'_>]) -> Self {
        let judge = checks.iter().position(|check| check.is_about(row.device, row.quantity));
        let unit = row.quantity.row().si_unit.of_difference();
        let limit = Limit::Absolute(f64::INFINITY, unit);
        let own = (row.device, row.quantity);
        let of_check = |(place, check): (usize, &Judged<'_>)| {
            let worst = check.worst();
            let is_alike = worst.is_none_or(|(_, id)| family(id) == family(row.quantity));
            let is_shown = is_alike && check.is_about(row.device, row.quantity);
            is_shown.then_some((Subject::Check(place), worst == Some(own)))
        };
        let mut shown: Vec<_> = checks.iter().enumerate().filter_map(of_check).collect();
        if judge.is_none() {
            shown.push((Subject::NotJudged(family(row.quantity)), false));
        }
        Self {
            limit: judge.map_or(limit, |place| checks[place].spec.limit),
            judge,
            shown,
            errors: Moments::default(),
            worst_time: row.event_time,
            worst_spread: 0.0,
            has_outside: false,
            left_out: 0,
        }
    }

    /// Takes a pair.
    fn take(
        &mut self,
        row: &Observation<'_>,
        (reference, reported): (f64, f64),
        checks: &[Judged<'_>],
    ) {
        let spec = self.judge.map(|place| checks[place].spec);
        let error = match spec {
            Some(spec) => spec.judged_error(row, reference, reported),
            None => Some(reported - reference),
        };
        let Some(error) = error else {
            self.left_out += 1;
            return;
        };
        let spread = match spec {
            Some(spec) => spec.spread(reference, row.spread()),
            None => self.limit.spread(1.0, row.spread()),
        };
        self.has_outside |= error.is_nan() || error.abs() > self.limit.value() + spread;
        if self.errors.push(error) {
            self.worst_time = row.event_time;
            self.worst_spread = spread;
        }
    }

    /// Whether a check judges it.
    pub(crate) fn is_judged(&self) -> bool {
        self.judge.is_some()
    }
}

impl Excerpt {
    fn event(&mut self, line: u64, event: &Event) {
        let is_place = self.at.event == Some(line);
        let before = match (self.at.event, self.at.time) {
            (Some(place), _) => line < place,
            // Around a value stands what is about its device, or about no device.
            (None, Some(_)) if self.is_about_another(event) => return,
            (None, Some(time)) => event.time <= time,
            (None, None) => return,
        };
        if is_place && ALERTS.contains(&event.kind) {
            // Alerts have numbers of their own: a reading of the same number is another message.
            (self.at.epoch, self.at.serial) = (None, None);
        }
        if before {
            if self.events.len() == EVENTS_AROUND {
                self.events.pop_front();
            }
            self.events.push_back((line, event.clone()));
        } else if is_place || self.events_after < EVENTS_AROUND {
            self.events_after += usize::from(!is_place);
            self.events.push_back((line, event.clone()));
        }
    }

    fn is_about_another(&self, event: &Event) -> bool {
        self.at.device.is_some()
            && event.about().is_some_and(|it| Some(it) != self.at.device.as_deref())
    }

    fn row(&mut self, row: &Observation<'_>) {
        if self.at.device.as_deref() != Some(row.device) || self.rows_after == Some(0) {
            return;
        }
        // A place without quantity is a whole reading: its first quantity stands for it.
        let quantity = *self.quantity.get_or_insert(row.quantity);
        if quantity != row.quantity {
            return;
        }
        // A reading that was never made has no number; it is identified by when it was due.
        let is_there = match self.at.serial {
            Some(_) => {
                (row.epoch.map(|e| e.0), row.serial.map(|s| s.0)) == (self.at.epoch, self.at.serial)
            }
            None => self.at.event.is_none() && self.at.time == Some(row.event_time),
        };
        let is_place = is_there && self.rows_after.is_none();
        let passed =
            self.at.serial.is_none() && self.at.time.is_some_and(|time| row.event_time > time);
        if is_place || (passed && self.rows_after.is_none()) {
            self.rows_after = Some(ROWS_AROUND + usize::from(is_place));
        }
        match &mut self.rows_after {
            Some(left) => *left -= 1,
            None if self.rows.len() == ROWS_AROUND => drop(self.rows.pop_front()),
            None => {}
        }
        let text = RowText {
            serial: row.serial.map(|serial| serial.0),
            quantity: row.quantity,
            time: row.event_time,
            reference: row.reference,
            reported: row.reported,
        };
        self.rows.push_back((text, is_place));
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_units::{Epoch, Quantity, Serial};

    use super::*;

    #[test]
    fn an_alert_is_no_reading_of_its_number() {
        let at_s = |seconds: i64| SimTime(seconds * 1_000_000_000);
        let (epoch, serial) = (Some(1), Some(1));
        let device = || Some("m".to_owned());
        let quantity = MeasurementId::of(Quantity::Frequency, Phase::None).unwrap();
        for (kind, here) in [(EventKind::Alert, false), (EventKind::ValuelessReading, true)] {
            let time = Some(at_s(25));
            let at = At { device: device(), epoch, serial, time, event: Some(7), quantity: None };
            let mut excerpt = Excerpt { at, ..Excerpt::default() };
            excerpt.event(7, &Event::new(at_s(25), "platform", kind).with(field::DEVICE, "m"));
            for number in 1..=5 {
                excerpt.row(&Observation {
                    device: "m",
                    epoch: Some(Epoch(1)),
                    serial: Some(Serial(number)),
                    quantity,
                    event_time: at_s(10 * number as i64),
                    reference: Some(50.0),
                    reported: Some(50.0),
                    span: None,
                });
            }
            let marked: Vec<_> = excerpt.rows.iter().filter(|(_, here)| *here).collect();
            assert_eq!(marked.len(), usize::from(here));
            // What was measured about then stands there all the same.
            assert!(excerpt.rows.iter().any(|(row, _)| row.time == at_s(30)));
        }
    }
}
