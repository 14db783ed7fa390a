//! What a report shows, gathered in one pass over the record in bounded memory.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::{MeasurementId, Phase, SimTime};

use super::bins::{Bins, Moments};
use crate::check::accuracy::spec::{Limit, Spec};
use crate::check::delivery::Delivery;
use crate::check::select::ByDevice;
use crate::verdict::{At, Verdict};
use lastmeter_params::Pattern;
use lastmeter_record::{Event, EventKind, Observation, RecordError, RunFacts, RunReader, field};

/// The most marks on the timeline, events listed, and devices with pictures of their deliveries.
pub(crate) const EVENTS_MAX: usize = 400;
/// Rows of the record shown on each side of a place.
const ROWS_AROUND: usize = 4;
/// Events shown on each side of a place.
const EVENTS_AROUND: usize = 5;
/// The most reasons of refusal told apart.
const REASONS_MAX: usize = 64;

/// All that is needed of the record.
pub(crate) struct Collected {
    /// What each device did.
    pub(crate) devices: ByDevice<DeviceRecord>,
    /// The errors of each quantity over time, of all devices whose errors are told alike.
    pub(crate) curves: BTreeMap<(MeasurementId, Basis), Curve>,
    /// Missing and unexpected values over time.
    pub(crate) missing: Bins,
    /// Values that came without being due, over time.
    pub(crate) unexpected: Bins,
    /// Refusals by reason: how many, and of which device the first was.
    pub(crate) refused: BTreeMap<String, (u64, Option<String>)>,
    /// The first events, with their lines.
    pub(crate) events: Vec<(u64, Event)>,
    /// How many events there are.
    pub(crate) events_total: u64,
    /// How many rows there are.
    pub(crate) rows_total: u64,
    /// For each verdict that is no pass and names a place: what stands around it.
    pub(crate) excerpts: BTreeMap<String, Excerpt>,
    /// What could not be read, if so; everything before it is here.
    pub(crate) unreadable: Option<String>,
}

/// What the record says of one device.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeviceRecord {
    /// Its readings.
    pub(crate) delivery: Delivery,
    /// Its errors by quantity.
    pub(crate) accuracy: BTreeMap<MeasurementId, Series>,
}

/// The errors of one quantity of one device.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// In which unit, and how much is allowed.
    pub(crate) scale: Scale,
    /// Their statistics.
    pub(crate) errors: Moments,
    /// When the worst was.
    pub(crate) worst_time: SimTime,
    /// How far the reference of the worst may be off, in the unit of the errors.
    pub(crate) worst_spread: f64,
    /// Whether any is outside the limit, whatever the spread of its reference.
    pub(crate) has_outside: bool,
    /// Values left out because their reference is too small.
    pub(crate) left_out: u64,
}

/// How errors of a quantity are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    /// In the unit of this; the figure is the limit where a check gives one.
    pub(crate) limit: Limit,
    /// Whether a check gives the limit.
    pub(crate) judged: bool,
    /// References smaller than this are left out.
    pub(crate) minimum: Option<f64>,
}

/// In what errors are told, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Basis {
    /// A check judges them in percent of the reference.
    JudgedInPercent,
    /// A check judges them in the quantity's own unit.
    JudgedInUnits,
    /// No check judges them.
    NotJudged,
}

impl Scale {
    /// In what errors on this scale are told.
    pub(crate) fn basis(&self) -> Basis {
        match (self.judged, self.limit) {
            (false, _) => Basis::NotJudged,
            (true, Limit::Percent(_)) => Basis::JudgedInPercent,
            (true, Limit::Absolute(..)) => Basis::JudgedInUnits,
        }
    }

    /// The scale of the check that judges a quantity of a device, or the SI unit.
    fn of(specs: &[&Spec], device: &str, quantity: MeasurementId) -> Self {
        let spec = specs
            .iter()
            .find(|spec| spec.device.matches(device) && spec.quantities.contains(&quantity));
        match spec {
            Some(spec) => Self { limit: spec.limit, judged: true, minimum: spec.minimum },
            None => Self {
                limit: Limit::Absolute(f64::INFINITY, quantity.row().si_unit.of_difference()),
                judged: false,
                minimum: None,
            },
        }
    }

    /// The error of a pair, unless it is left out.
    fn error(&self, id: MeasurementId, reference: f64, reported: f64) -> Option<f64> {
        let judged = self.minimum.is_none_or(|minimum| reference.abs() >= minimum);
        judged.then(|| self.limit.error(id, reference, reported))
    }
}

/// The errors of one quantity over time, of all devices whose errors are told alike.
pub(crate) struct Curve {
    /// In which unit; the limit is the smallest of those devices.
    pub(crate) scale: Scale,
    /// The errors.
    pub(crate) bins: Bins,
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
    pub(crate) fn read(reader: &RunReader, specs: &[&Spec], verdicts: &[Verdict]) -> Self {
        let mut collected = Self::empty(reader.facts(), verdicts);
        let read = collected.read_events(reader);
        let read = collected.read_rows(reader, specs).and(read);
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

    fn read_rows(&mut self, reader: &RunReader, specs: &[&Spec]) -> Result<(), RecordError> {
        let mut rows = reader.observations()?;
        while let Some(row) = rows.next_row()? {
            self.row(&row, specs, reader.facts());
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
            curves: BTreeMap::new(),
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

    fn row(&mut self, row: &Observation<'_>, specs: &[&Spec], facts: &RunFacts) {
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
        let device = self.devices.entry(row.device);
        let told = device.and_then(|device| device.row(row, specs));
        if let Some((scale, error)) = told {
            let key = (row.quantity, scale.basis());
            let new = || Curve { scale, bins: Bins::new(facts.start) };
            let curve = self.curves.entry(key).or_insert_with(new);
            if scale.limit.value() < curve.scale.limit.value() {
                curve.scale = scale;
            }
            if let Some(error) = error {
                curve.bins.push(row.event_time, error);
            }
        }
    }
}

impl DeviceRecord {
    /// Takes a value. Of a pair, the scale on which its error is told, and the error unless it is
    /// left out.
    fn row(&mut self, row: &Observation<'_>, specs: &[&Spec]) -> Option<(Scale, Option<f64>)> {
        self.delivery.observation(row);
        let (reference, reported) = row.pair()?;
        let series = self.accuracy.entry(row.quantity).or_insert_with(|| Series {
            scale: Scale::of(specs, row.device, row.quantity),
            errors: Moments::default(),
            worst_time: row.event_time,
            worst_spread: 0.0,
            has_outside: false,
            left_out: 0,
        });
        let error = series.scale.error(row.quantity, reference, reported);
        match error {
            Some(error) => {
                let spread = series.scale.limit.spread(reference.abs(), row.spread());
                let reach = series.scale.limit.value() + spread;
                series.has_outside |= error.is_nan() || error.abs() > reach;
                if series.errors.push(error) {
                    series.worst_time = row.event_time;
                    series.worst_spread = spread;
                }
            }
            None => series.left_out += 1,
        }
        Some((series.scale, error))
    }
}

impl Excerpt {
    fn event(&mut self, line: u64, event: &Event) {
        let is_place = self.at.event == Some(line);
        let before = match (self.at.event, self.at.time) {
            (Some(place), _) => line < place,
            (None, Some(time)) => event.time <= time,
            (None, None) => return,
        };
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

    fn row(&mut self, row: &Observation<'_>) {
        if self.at.device.as_deref() != Some(row.device) || self.rows_after == Some(0) {
            return;
        }
        // A place without quantity is a whole reading: its first quantity stands for it.
        let quantity = *self.quantity.get_or_insert(row.quantity);
        if quantity != row.quantity {
            return;
        }
        // A reading that was never made has no number; it is told by when it was due.
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
