//! `[[signal]]`: a quantity over time that a run records, for checks that judge its course.

use lastmeter_params::{
    Code, Diagnostics, Dimension, Field, Kind, Span, Value, registered_measurement_help,
};
use lastmeter_sim::{MeteringPoint, Terminal};
use lastmeter_units::{MeasurementId, Quantity, SimDuration};

use super::check::CHECK;
use super::device::sources_of;
use super::scenario::SCENARIO;
use crate::draft::{Draft, Row, Section};
use crate::names::{Names, PlaceNames};
use crate::references::SignalPlace;

pub(crate) static SIGNAL: Section = Section {
    name: "signal",
    noun: "signal",
    doc: "A quantity over time, written to `signals.csv` for the checks `step`, `constant`, \
        `settles` and `follows`: with `of` the values that the platform has of a device, each at \
        its event time, with `at` the truth of the plant over each interval of `every`. Energy \
        registers of the plant begin at zero with the scenario, and powers of all phases together \
        are netted before they are split by direction.",
    fields: &[
        Field::required("name", Kind::Name, "what checks refer to"),
        Field::optional("of", Kind::Name, "the device whose values it is"),
        Field::optional(
            "at",
            Kind::Text,
            "the place in the plant whose truth it is: `source:NAME`, `load:NAME`, `home:NAME` or \
             `home:NAME/SOCKET`",
        ),
        Field::required("quantity", Kind::Text, "which measurement identifier"),
        Field::optional(
            "every",
            Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 315_576_000.0 },
            "with `at`, the intervals of the truth; with `of`, the first value of each interval \
             is recorded, all of them where it is left out",
        ),
    ],
    refers: &[("of", "device")],
    rules: &[validate_places, report_quantities, report_too_many, validate_checks_of_signals],
    ..Section::REPEATED
};

/// Most samples of the truth in one signal: they are kept in memory while they are judged.
const SAMPLES_MAX: i64 = 1_000_000;

/// Where the values of a signal come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalFrom {
    /// What the platform has of the device of this index; with an interval the first value of each.
    Device {
        /// The index of the device.
        device: usize,
        /// `None`: every value.
        every: Option<SimDuration>,
    },
    /// The truth at the source of this index over intervals of this length.
    Plant {
        /// The index of the source.
        source: usize,
        /// The length of an interval.
        every: SimDuration,
    },
}

/// A signal that is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalRow {
    /// The signal's name.
    pub name: String,
    /// What it is.
    pub quantity: MeasurementId,
    /// Where its values come from.
    pub from: SignalFrom,
}

/// A signal has either a device or a place in the plant, and there an interval.
fn validate_places(draft: &Draft<'_>, out: &mut Diagnostics) {
    for values in draft.rows(&SIGNAL).iter().filter_map(|row| row.values.as_ref()) {
        let name = values.text("name");
        let (of, at) = (values.text_opt("of"), values.text_opt("at"));
        let (key, message, label, help) = match (of, at) {
            (Some(_), Some(_)) => (
                "at",
                format!("signal `{name}` has both a device and a place in the plant"),
                "expected one of `of` and `at`",
                "leave one out, or make two signals of it",
            ),
            (None, None) => (
                "name",
                format!("signal `{name}` has neither a device nor a place in the plant"),
                "expected `of` or `at`",
                "write `of = \"DEVICE\"`, or `at = \"source:NAME\"` with `every`",
            ),
            (None, Some(_)) if values.get("every").is_none() => (
                "at",
                format!("signal `{name}` has no interval over which to take the truth"),
                "expected `every` as well",
                "write for example `every = \"1 s\"`",
            ),
            _ => continue,
        };
        let span = values.span_of(key);
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    }
}

/// `quantity` is one of the registry, and no pattern.
fn report_quantities(draft: &Draft<'_>, out: &mut Diagnostics) {
    for (text, span) in draft.rows(&SIGNAL).iter().filter_map(|row| row.text("quantity")) {
        if MeasurementId::lookup(text).is_none() {
            let message = format!("unknown measurement identifier `{text}`");
            let help = Some(registered_measurement_help(text));
            let label = "not in the registry";
            out.report_with_help(Code::UNKNOWN_MEASUREMENT, span, message, label, help);
        }
    }
}

/// The truth is not taken more often than can be kept.
fn report_too_many(draft: &Draft<'_>, out: &mut Diagnostics) {
    let duration = draft.values(&SCENARIO).and_then(|head| head.duration_opt("duration"));
    let Some(duration) = duration else { return };
    for values in draft.rows(&SIGNAL).iter().filter_map(|row| row.values.as_ref()) {
        let every = values.duration_opt("every").filter(|every| every.0 > 0);
        let Some(every) = every.filter(|_| values.get("at").is_some()) else { continue };
        if duration.0 / every.0 > SAMPLES_MAX {
            let message = format!("`every = \"{every}\"` makes more than {SAMPLES_MAX} values");
            let label = "too often for so long a scenario";
            out.report(Code::OUT_OF_RANGE, values.span_of("every"), message, label);
        }
    }
}

/// The measurement of the signal with this name, as far as it is known.
fn measurement_of(draft: &Draft<'_>, name: &str) -> Option<MeasurementId> {
    let row = draft.rows(&SIGNAL).iter().find(|row| row.name() == Some(name))?;
    MeasurementId::lookup(row.text("quantity")?.0)
}

/// Levels and tolerances of a check are of its signal's dimension, and a signal follows one of its
/// own kind.
fn validate_checks_of_signals(draft: &Draft<'_>, out: &mut Diagnostics) {
    for values in draft.rows(&CHECK).iter().filter_map(|row| row.values.as_ref()) {
        let name = values.text_opt("signal");
        let Some(own) = name.and_then(|name| measurement_of(draft, name)) else { continue };
        let unit = own.row().si_unit;
        for key in ["from", "to", "value", "tolerance"] {
            let Some(Value::Quantity { dimension, .. }) = values.get(key) else { continue };
            let unit = if key == "tolerance" { unit.of_difference() } else { unit };
            if *dimension != Dimension::of_unit(unit) {
                let message = format!("`{key}` is of dimension {dimension}, which {own} is not");
                let label = format!("expected a value in {unit} here");
                out.report(Code::WRONG_DIMENSION, values.span_of(key), message, label);
            }
        }
        let other = values.text_opt("other").and_then(|name| measurement_of(draft, name));
        if let Some(other) = other.filter(|other| other.row().si_unit != unit) {
            let message = format!("{own} cannot follow {other}");
            let label = format!("expected a signal in {unit}");
            out.report(Code::DOES_NOT_FIT, values.span_of("other"), message, label);
        }
    }
}

/// What each signal is about.
pub(crate) fn places(
    draft: &Draft<'_>,
    devices: &Names,
    at: PlaceNames<'_>,
    out: &mut Diagnostics,
) -> Vec<SignalPlace> {
    let place = |row: &Row<'_>| SignalPlace {
        device: row.reference("of").and_then(|(name, _)| devices.position(name)),
        source: source_of_signal(row, at, out),
    };
    draft.rows(&SIGNAL).iter().map(place).collect()
}

/// The index of the source at whose place a signal of the plant is taken, by `at`.
fn source_of_signal(
    signal: &Row<'_>,
    places: PlaceNames<'_>,
    out: &mut Diagnostics,
) -> Option<usize> {
    let found = sources_of(signal, places, out);
    if let ([_, _, ..], Some((at, span))) = (&found[..], signal.text("at")) {
        let message = format!("`{at}` is {} places, and a signal is one", found.len());
        out.report(Code::DOES_NOT_FIT, span, message, "expected the name of one load");
    }
    found.first().copied()
}

/// A place in the plant has what is asked for: its domain, and the phase.
pub(crate) fn report_missing_truth(signal: &Row<'_>, point: &MeteringPoint, out: &mut Diagnostics) {
    let Some((text, span)) = signal.text("quantity") else { return };
    let Some(row) = MeasurementId::lookup(text).map(MeasurementId::row) else { return };
    let at = signal.text("at").map_or("", |(at, _)| at);
    let own = row.quantity.domain();
    if own.is_some_and(|own| own != point.domain()) {
        let message = format!("`{at}` is {}, which has no `{text}`", point.domain());
        out.report(Code::CANNOT_MEASURE, span, message, "never there");
        return;
    }
    let is_of_a_meter = matches!(
        row.quantity,
        Quantity::VoltageInstant
            | Quantity::CurrentInstant
            | Quantity::ActivePulses
            | Quantity::ReactivePulses
    );
    if is_of_a_meter {
        let message = format!("`{text}` has no truth over an interval of the plant");
        out.report(Code::CANNOT_MEASURE, span, message, "only a meter has it");
        return;
    }
    let phases = point.terminal().map(Terminal::phases);
    if let (Some(phases), Some(phase)) = (phases, row.phase.index())
        && phase >= phases
    {
        let message = format!("`{at}` has no `{text}`: its phases are {phases}");
        out.report(Code::CANNOT_MEASURE, span, message, "never there");
    }
}

/// A device reports what is asked for, if it is known what that device reports.
pub(crate) fn report_unmeasured(
    (text, span): (&str, Span),
    device: &str,
    reported: &[MeasurementId],
    out: &mut Diagnostics,
) {
    let id = MeasurementId::lookup(text);
    if id.is_some_and(|id| !reported.contains(&id)) {
        let message = format!("`{device}` does not report `{text}`");
        let names = reported.iter().map(|id| id.name());
        let help = Some(lastmeter_params::measurement_help(text, names));
        out.report_with_help(Code::CANNOT_MEASURE, span, message, "never measured here", help);
    }
}

pub(crate) fn signal(row: &Row<'_>, place: SignalPlace) -> Option<SignalRow> {
    let values = row.values.as_ref()?;
    let every = values.duration_opt("every");
    let from = match place.source {
        Some(source) => SignalFrom::Plant { source, every: every? },
        None => SignalFrom::Device { device: place.device?, every },
    };
    let quantity = MeasurementId::lookup(values.text("quantity"))?;
    Some(SignalRow { name: values.text("name").to_owned(), quantity, from })
}
