//! `accuracy`: every reported value within a limit of its reference.
//!
//! Terms (VIM): *error* = reported - reference; a *pair* is a value whose reference and report are
//! both there. A *series* is one quantity of one device.
//!
//! Every pair is judged, so there is no statistical bound. A value that is stored and was not due
//! may be an altered one, of which it is unknown how far off it is: a series with such values
//! passes nothing. A value that is missing is the business of `no_loss`; only a series that was due
//! and never gave a judged pair makes this check inconclusive: it never came, its truth is not
//! known, or all of it is below `minimum`.
//!
//! Below `minimum` are values of which the reference and the report are: a meter that reports what
//! does not flow, as one that creeps does, is judged, in percent of `minimum`.
//!
//! Where a reference has a *spread* (its device declares the spans of its readings), an error
//! within the limit less the spread is inside, one beyond the limit plus the spread is outside, and
//! what lies between is decided neither way. Where the spread alone is beyond the limit, as while
//! the plant moves, a value that is not outside is left out and counted: it could not have passed.
//! What is judged beside such values has to show that the series follows: some on either side,
//! but for what is left out at its beginning.
//!
//! With `difference` a series has one pair: what its register counted from the first reading that
//! came to the last, whatever it stood at before.
//!
//! Counters of pulses know nothing below one pulse: of their error one pulse is free, and what is
//! more than that is held against the limit.
//!
//! Larger than its budget: values, differences of registers and alike devices share one judgement
//! and one section of the report.

mod alike;
mod panel;
mod population;
mod section;

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_params::{Dimension, Entry, Field, Kind};
use lastmeter_units::{Domain, MeasurementId, SiUnit, SimDuration};

use self::alike::ReportedFingerprint;
use crate::by_device::ByDevice;
use crate::check::kind::{
    Check, CheckContext, CheckKind, RecordTable, Section, beyond_range, finish,
};
use crate::check::selection::DEVICE;
use crate::delivery::Place;
use crate::error_limit::{Limit, Spec, resolution};
use crate::verdict::{At, Devices, Reason, Verdict, VerdictText, some_of};
use lastmeter_record::{Event, Observation, RecordedSpan, RunFacts, Status};
use lastmeter_text::{apart, append, number, plural};

/// Parts of the limit up to which a spread is that of rounding, and not spoken of.
const ROUNDING: f64 = 1e-6;

/// So many values of a series have to be judged on either side of those that are left out for the
/// spread of their reference.
const BESIDE_MIN: u64 = 2;
/// The qualification of a pass that two meters, or two phases, could have changed places in.
const INTERCHANGEABLE: &str = "interchangeable";

/// So many devices are named of which nothing was compared.
const NAMED_MAX: usize = 3;

const LIMITS: &[Dimension] = &[
    Dimension::Ratio,
    Dimension::Frequency,
    Dimension::Voltage,
    Dimension::Current,
    Dimension::ActivePower,
    Dimension::ReactivePower,
    Dimension::ApparentPower,
    Dimension::ActiveEnergy,
    Dimension::ReactiveEnergy,
    Dimension::ApparentEnergy,
    Dimension::Angle,
    Dimension::TemperatureDifference,
    Dimension::Volume,
    Dimension::VolumeFlow,
    Dimension::Pressure,
];

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "accuracy",
        summary: "every reported value within a limit of its reference",
        description: "Compares each reported value with the true value over the interval the \
            reading spans; of apparent power, and of the power factor made with it, with the mean of the \
            windows of 10/12 cycles in that interval (IEC 61000-4-30). `limit` in % is relative to the reference, any other unit is absolute \
            and has to be the quantity's own, K for temperatures. `device` and `quantity` may contain `*`. Near zero a \
            relative error is meaningless: values are left out where the reference and the report are \
            smaller than `minimum`, and the verdict reports how many; where the report alone reaches \
            `minimum`, its error is in percent of that. `measured` is the worst absolute error, `at` where \
            it was. Of a count of pulses one pulse more or less is free, for it has no fractions; the \
            limit holds for the rest; of so few that one pulse is more than the limit nothing can be \
            judged, and the check is inconclusive. NaN and infinity are inside no limit. Where the reference is known to a spread only, because the \
            device declares the spans of its readings, an error up to the limit less the spread is \
            inside, one beyond the limit plus the spread outside, and with one between the check is \
            inconclusive. A value whose reference has a spread beyond the limit, as when a load steps \
            near the end of its span, is left out unless it is outside; the verdict reports how many, \
            and with fewer than 2 values judged on either side of them, or behind those that a series \
            begins with, the check is inconclusive. With `difference = true` registers are judged by what they counted from their first reading that \
            came to the last one, whatever they stood at before. A missing value is not judged here (use \
            `no_loss`); with values stored that nobody sent, such as altered ones, the check passes \
            nothing, and a quantity that was due and of which no value could be judged makes \
            the check inconclusive. A pass in which two devices, or two phases of one, were reported \
            equal throughout has the qualification `interchangeable`.",
        fields: &[
            DEVICE,
            Field::required(
                "quantity",
                Kind::Text,
                "measurement identifier, or a pattern such as electricity.voltage.rms.*",
            ),
            Field::required(
                "limit",
                Kind::QuantityOfAny(LIMITS),
                "largest error allowed: in % of the reference, or absolute",
            ),
            Field::optional(
                "minimum",
                Kind::QuantityOfAny(LIMITS),
                "values are left out, and counted, where reference and report are smaller",
            ),
            Field::default(
                "difference",
                Kind::Boolean,
                "false",
                "of registers: what they counted from the first reading that came to the last",
            ),
        ],
    },
    build: |values, context, diagnostics| {
        let spec = Spec::read(values, diagnostics)?;
        Some(Box::new(Accuracy {
            context,
            series: ByDevice::new(spec.device.clone()),
            spec,
            worst: None,
            worst_outside: None,
            worst_between: None,
            outside: 0,
            between: 0,
            largest_spread: 0.0,
            beyond_range: BTreeSet::new(),
        }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events],
    is_limit_of_report: true,
    // The worst value stays; which is the worst above a minimum, and the last one, may not.
    takes_thinned: |values| !values.is_written("minimum") && !values.boolean("difference"),
    section: Some(Section { place: 30, make: section::section }),
    ..CheckKind::PLAIN
};

/// How often each thing happened in one series.
#[derive(Clone, Debug, Default)]
struct Series {
    pairs: u64,
    outside: u64,
    missing: u64,
    below_minimum: u64,
    without_truth: u64,
    /// Values stored that were not due as they are: altered readings, copies, others.
    unexpected: u64,
    /// The largest reference, absolute, that was judged.
    largest: f64,
    /// Values that are left out for the spread of their reference.
    uncertain: u64,
    /// Values judged since the last of those, or since the beginning.
    run: u64,
    /// Whether there were fewer than [`BESIDE_MIN`] of them beside some that were left out.
    is_thin: bool,
    /// Of a register of which the difference is judged: the first reading that came, and the last.
    ends: Option<[End; 2]>,
    fingerprint: ReportedFingerprint,
}

#[derive(Clone, Copy, Debug)]
struct End {
    reference: f64,
    reported: f64,
    spread: f64,
    place: Place,
}

impl Series {
    /// Counts a value as left out, unless the one before is too.
    fn leave_out(&mut self) {
        // Nothing stands before the first of a series, as where its span begins with the run.
        self.is_thin |= (1..BESIDE_MIN).contains(&self.run);
        self.uncertain += 1;
        self.run = 0;
    }

    /// Whether too little is judged beside what is left out.
    fn is_thin(&self) -> bool {
        self.uncertain > 0 && (self.is_thin || self.run < BESIDE_MIN)
    }
}

#[derive(Clone)]
pub(crate) struct Accuracy {
    pub(crate) context: CheckContext,
    pub(crate) spec: Spec,
    series: ByDevice<BTreeMap<MeasurementId, Series>>,
    worst: Option<Worst>,
    /// Of those that are outside even by the spread of their reference.
    worst_outside: Option<Worst>,
    /// Of those that the spread decides: the one that with it is farthest off.
    worst_between: Option<Worst>,
    outside: u64,
    between: u64,
    /// In the unit of the limit.
    largest_spread: f64,
    /// Devices that report that their input may exceed what they model.
    beyond_range: BTreeSet<String>,
}

#[derive(Clone)]
struct Worst {
    /// Absolute; infinite for what is no number.
    error: f64,
    /// In the unit of the limit; infinite for what is not known.
    spread: f64,
    reference: f64,
    reported: f64,
    at: At,
}

impl Check for Accuracy {
    fn observation(&mut self, observation: &Observation<'_>) {
        if self.spec.quantities.binary_search(&observation.quantity).is_err() {
            return;
        }
        if !self.spec.difference {
            return self.take(observation);
        }
        let Some(device) = self.series.entry(observation.device) else { return };
        let series = device.entry(observation.quantity).or_default();
        match (observation.reference, observation.reported) {
            (Some(reference), Some(reported)) if !reference.is_nan() => {
                let (spread, place) = (observation.spread(), Place::of(observation));
                let end = End { reference, reported, spread, place };
                let [first, _] = series.ends.unwrap_or([end, end]);
                series.ends = Some([first, end]);
            }
            _ => self.take(observation),
        }
    }

    fn event(&mut self, _line: u64, event: &Event) {
        if event.is_beyond_range()
            && let Some(device) = event.about()
            && self.series.entry(device).is_some()
        {
            self.beyond_range.insert(device.to_owned());
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        if self.spec.difference {
            return self.of_differences().verdict_of(facts);
        }
        self.verdict_of(facts)
    }
}

impl Accuracy {
    /// The same with the difference of each register as its one value.
    fn of_differences(&self) -> Self {
        let mut judged = self.clone();
        for (device, all) in self.series.iter() {
            for (&quantity, series) in all {
                let Some([first, last]) = series.ends else { continue };
                if first.place == last.place {
                    continue;
                }
                let spread = first.spread + last.spread;
                let zero = SimDuration::ZERO;
                judged.take(&Observation {
                    device,
                    epoch: last.place.epoch,
                    serial: last.place.serial,
                    quantity,
                    event_time: last.place.time,
                    reference: Some(last.reference - first.reference),
                    reported: Some(last.reported - first.reported),
                    span: Some(RecordedSpan { from: zero, to: zero, spread, way: "" }),
                });
            }
        }
        judged
    }

    /// Takes a value that is judged by itself.
    fn take(&mut self, observation: &Observation<'_>) {
        let Some(device) = self.series.entry(observation.device) else { return };
        let series = device.entry(observation.quantity).or_default();
        let Some(reference) = observation.reference else {
            series.unexpected += u64::from(observation.reported.is_some());
            return;
        };
        series.fingerprint.add(observation.event_time, observation.reported);
        // Missing values included: a truth that is not known is never passed over.
        series.without_truth += u64::from(reference.is_nan());
        let Some(reported) = observation.reported else {
            series.missing += 1;
            return;
        };
        if reference.is_nan() {
            return;
        }
        // What may reach `minimum` within the spread is not left out; of an unknown spread all may.
        if !self.spec.judges(reference.abs() + observation.spread(), reported) {
            // A report that reaches it would be judged: it is held against the reference too.
            series.below_minimum += 1;
            series.run += 1;
            return;
        }
        let error = self.spec.error(observation.quantity, reference, reported).abs();
        let error = if error.is_nan() { f64::INFINITY } else { error };
        let spread = self.spec.spread(reference, observation.spread());
        let limit = self.spec.limit.value();
        // No spread of a reference makes a number of what is none.
        let is_outside = error > limit + spread || !reported.is_finite();
        // One that is not known at all is no matter of when the plant moved.
        if !is_outside && spread > limit && spread.is_finite() {
            return series.leave_out();
        }
        series.pairs += 1;
        series.run += 1;
        series.largest = series.largest.max(reference.abs());
        self.largest_spread = self.largest_spread.max(spread);
        let is_between = !is_outside && error > limit - spread;
        self.outside += u64::from(is_outside);
        series.outside += u64::from(is_outside);
        self.between += u64::from(is_between);
        let exceeds = |worst: &Option<Worst>| worst.as_ref().is_none_or(|w| error > w.error);
        let off = |error: f64, spread: f64| error + spread;
        let exceeds_between = |worst: &Option<Worst>| {
            worst.as_ref().is_none_or(|w| off(error, spread) > off(w.error, w.spread))
        };
        let is_worst = [
            exceeds(&self.worst),
            is_outside && exceeds(&self.worst_outside),
            is_between && exceeds_between(&self.worst_between),
        ];
        if is_worst.contains(&true) {
            let quantity = Some(observation.quantity.name().to_owned());
            let at = At { quantity, ..Place::of(observation).at(observation.device) };
            let found = Worst { error, spread, reference, reported, at };
            let places = [&mut self.worst, &mut self.worst_outside, &mut self.worst_between];
            for (place, is_worst) in places.into_iter().zip(is_worst) {
                if is_worst {
                    *place = Some(found.clone());
                }
            }
        }
    }

    fn verdict_of(&self, facts: &RunFacts) -> Verdict {
        let all = || self.series.iter().flat_map(|(_, device)| device.values());
        let n: u64 = all().map(|series| series.pairs).sum();
        let (mut reason, mut why) = self.judge(n);
        if reason.status() == Status::Pass && !self.beyond_range.is_empty() {
            reason = Reason::BeyondRange;
            why = beyond_range(&self.beyond_range, &why);
        }
        let unexpected: u64 = all().map(|series| series.unexpected).sum();
        if unexpected > 0 && reason.status() == Status::Pass {
            reason = Reason::AlteredReadings;
            why = format!(
                "{} stored that no device sent like this, altered ones maybe; otherwise {why}",
                plural(unexpected, "value")
            );
        }
        let uncertain = all().map(|series| series.uncertain).sum();
        let below: u64 = all().map(|series| series.below_minimum).sum();
        let missing = all().map(|series| series.missing).sum();
        let without_truth = all().map(|series| series.without_truth).sum();
        let mut left_out = String::new();
        for (count, rest) in [
            (below, "below `minimum` not judged"),
            (uncertain, "left out, with a reference known less well than the limit"),
            (missing, "missing"),
            (without_truth, "without a known reference not judged"),
        ] {
            if count > 0 {
                append(&mut left_out, format_args!("; {} {rest}", plural(count, "value")));
            }
        }
        if let Some(devices) = self.without_a_pair(facts) {
            append(&mut left_out, format_args!("; nothing of {devices} to compare"));
        }
        let alike = self.alike().filter(|_| reason.status() == Status::Pass);
        if let Some(alike) = &alike {
            append(&mut left_out, format_args!("; {alike}"));
        }
        let decisive = self.decisive();
        let measured = decisive.map(|worst| worst.error);
        let unit = self.spec.limit.unit();
        // Whoever sees a pass sees what it is not about.
        let is_restricted = reason.status() == Status::Pass && !left_out.is_empty();
        let text = measured.filter(|_| is_restricted).map(|measured| VerdictText {
            measured: format!("{} {unit}", number(measured)),
            basis: format!("n {n}{}", left_out.replace("; ", ", ")),
        });
        why.push_str(&left_out);
        let verdict = Verdict {
            measured,
            limit: Some(self.spec.limit.value()),
            n,
            at: decisive.map(|worst| worst.at.clone()),
            told: text,
            devices: Some(self.devices()),
            qualification: alike.map(|_| INTERCHANGEABLE.to_owned()),
            ..self.context.verdict(reason, &unit, why)
        };
        finish(verdict, facts)
    }

    /// The pair on which the verdict rests.
    fn decisive(&self) -> Option<&Worst> {
        let undecided = self.worst_between.as_ref();
        self.worst_outside.as_ref().or(undecided).or(self.worst.as_ref())
    }

    fn devices(&self) -> Devices {
        let count = |of: fn(&Series) -> u64| {
            self.series.iter().filter(|(_, device)| device.values().any(|it| of(it) > 0)).count()
        };
        Devices { wrong: count(|it| it.outside), judged: count(|it| it.pairs) }
    }

    /// Why nothing is decided, where the spread of the reference is what would decide.
    fn undecided(&self, n: u64) -> Option<String> {
        let worst = self.worst_between.as_ref()?;
        let unit = self.spec.limit.unit();
        let known = if worst.spread.is_finite() {
            format!("a reference known to {} {unit}", number(worst.spread))
        } else {
            "a reference that is not known over all spans that its device declares".to_owned()
        };
        Some(format!(
            "{} of {n} not decided; worst: {} {unit} with a limit of {} {unit} and {known}",
            self.between,
            number(worst.error),
            number(self.spec.limit.value()),
        ))
    }

    /// How well the references are known, where that is worth a word: `, references known to`.
    fn known_to(&self) -> String {
        let (limit, unit) = (self.spec.limit.value(), self.spec.limit.unit());
        // The last digits of equal references are no spread.
        if self.largest_spread <= ROUNDING * limit {
            return String::new();
        }
        format!(", with references known to {} {unit} or better", number(self.largest_spread))
    }

    /// The devices that the check is about and of which no value was compared.
    fn without_a_pair(&self, facts: &RunFacts) -> Option<String> {
        let compared: BTreeSet<&str> = self
            .series
            .iter()
            .filter(|(_, series)| series.values().any(|series| series.pairs > 0))
            .map(|(device, _)| device)
            .collect();
        let devices = facts.devices.iter().map(|device| device.name.as_str());
        let about = devices.filter(|name| self.spec.device.matches(name));
        let silent: Vec<&str> = about.filter(|name| !compared.contains(name)).collect();
        let named = &silent[..silent.len().min(NAMED_MAX)];
        (!silent.is_empty()).then(|| some_of(named, silent.len()))
    }

    /// Which series were reported alike throughout, where no plan plays the same to several.
    fn alike(&self) -> Option<String> {
        if self.context.plan.is_some() || self.context.calibration.is_some() {
            return None;
        }
        let all = self.series.iter();
        alike::text(all.flat_map(|(device, series)| {
            series.iter().map(move |(id, series)| (device, *id, &series.fingerprint))
        }))
    }

    /// A limit that a voltage or a frequency cannot miss, however small it is reported, nor what is
    /// not electrical: of that nothing is small by nature, as an exported power is.
    fn excludes_nothing(&self) -> Option<String> {
        let Limit::Absolute(limit, unit) = self.spec.limit else { return None };
        let is_electrical = |id: &MeasurementId| {
            id.row().quantity.domain().is_none_or(|it| it == Domain::Electricity)
        };
        let may_be_small = self.spec.quantities.iter().any(is_electrical);
        if may_be_small && !matches!(unit, SiUnit::Volt | SiUnit::Hertz) {
            return None;
        }
        let all = self.series.iter().flat_map(|(_, device)| device.values());
        let largest = all.map(|series| series.largest).fold(0.0, f64::max);
        (limit >= largest && largest > 0.0).then(|| {
            format!(
                "the limit of {} {unit} is no less than the largest reference, {} {unit}: a meter \
                 that reports zero would pass",
                number(limit),
                number(largest)
            )
        })
    }

    /// Of a count that never got so far that what is free of it is within the limit: whatever was
    /// reported means nothing.
    fn too_few(&self) -> Option<String> {
        let Limit::Percent(percent) = self.spec.limit else { return None };
        let (device, id, series) = self
            .series
            .iter()
            .flat_map(|(device, all)| all.iter().map(move |(id, series)| (device, id, series)))
            .find(|(_, id, series)| percent / 100.0 * series.largest < resolution(**id))?;
        let (seen, needed) = (number(series.largest), number((100.0 / percent).ceil()));
        Some(format!(
            "{id} of {device} came to {seen} only, of which one is more than the limit: at least \
             {needed} are needed"
        ))
    }

    /// A series of which too little is judged beside what is left out to show that it follows.
    fn thin(&self) -> Option<String> {
        let all =
            self.series.iter().flat_map(|(device, all)| all.iter().map(move |it| (device, it)));
        let (device, (id, series)) = all.into_iter().find(|(_, (_, series))| series.is_thin())?;
        Some(format!(
            "{id} of {device}: {} left out for the spread of the reference, and fewer than \
             {BESIDE_MIN} judged before or behind; take a longer run, steps that lie farther apart, \
             or a closer declaration of the spans",
            plural(series.uncertain, "value")
        ))
    }

    fn judge(&self, n: u64) -> (Reason, String) {
        let (limit, unit) = (self.spec.limit.value(), self.spec.limit.unit());
        if self.outside > 0
            && let Some(worst) = &self.worst_outside
        {
            let si = worst.at.measurement().map(|id| id.row().si_unit.to_string());
            let si = si.unwrap_or_default();
            let outside = format!("{} of {n} outside", self.outside);
            let (Devices { wrong, judged }, device) = (self.devices(), worst.at.device.as_deref());
            let mut why = match device.filter(|_| judged > 1) {
                Some(device) => format!("{wrong} of {judged} devices: wrong; worst {device}"),
                None => format!("{outside}; worst"),
            };
            let (reported, reference) = apart(worst.reported, worst.reference);
            append(
                &mut why,
                format_args!(": reported {reported} {si}, reference {reference} {si}"),
            );
            if !worst.reported.is_finite() {
                why.push_str(", which is inside no limit");
            } else if worst.error.is_infinite() {
                why.push_str("; a percentage of zero is undefined, see `minimum`");
            }
            if worst.spread > ROUNDING * limit {
                append(&mut why, format_args!(", known to {} {unit}", number(worst.spread)));
            }
            if judged > 1 {
                append(&mut why, format_args!("; {outside}"));
            }
            return (Reason::OutsideLimit, why);
        }
        if n == 0 {
            let about = format!("{} of device {}", self.spec.quantity, self.series.pattern);
            return (Reason::NothingToJudge, format!("no pair of {about} in the record"));
        }
        if let Some(why) = self.undecided(n) {
            return (Reason::BetweenBounds, why);
        }
        let silent: Vec<String> = self
            .series
            .iter()
            .flat_map(|(device, series)| {
                series.iter().map(move |(id, series)| (device, id, series))
            })
            // What was not due is unexpected: it was reported above.
            .filter(|(_, _, series)| series.pairs == 0)
            .map(|(device, id, _)| format!("{id} of {device}"))
            .collect();
        if !silent.is_empty() {
            let named = some_of(&silent[..1], silent.len());
            let why = format!("{named}: due, but no pair of it could be judged");
            return (Reason::Incomplete, why);
        }
        if let Some(too_few) = self.too_few().or_else(|| self.thin()) {
            return (Reason::TooFew, too_few);
        }
        if let Some(all) = self.excludes_nothing() {
            return (Reason::NothingToJudge, all);
        }
        let (pairs, known_to) = (plural(n, "pair"), self.known_to());
        (Reason::WithinLimit, format!("all {pairs} within {} {unit}{known_to}", number(limit)))
    }
}

#[cfg(test)]
mod tests;
