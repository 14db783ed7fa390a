//! The registry's rows of the checks of signals: their keys, and what makes no sense of them.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::SimDuration;

use super::{Rule, SignalCheck, section};
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, Section};

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 };

/// What a signal may be: every dimension of the measurement registry.
const LEVEL: Kind = Kind::QuantityOfAny(&[
    Dimension::Voltage,
    Dimension::Current,
    Dimension::ActivePower,
    Dimension::ReactivePower,
    Dimension::ApparentPower,
    Dimension::ActiveEnergy,
    Dimension::ReactiveEnergy,
    Dimension::ApparentEnergy,
    Dimension::Frequency,
    Dimension::Angle,
    Dimension::Ratio,
    Dimension::Temperature,
    Dimension::TemperatureDifference,
    Dimension::Volume,
    Dimension::VolumeFlow,
    Dimension::Pressure,
]);

const SIGNAL: Field = Field::required("signal", Kind::Name, "which `[[signal]]`");
const TOLERANCE: Field =
    Field::required("tolerance", LEVEL, "how far a value may be off, either way");
const WITHIN: Field =
    Field::required("within", TIME, "how long after `at` nothing is judged: the signal changes");
const SHARE: Field = Field::default(
    "share",
    Kind::Quantity { dimension: Dimension::Ratio, min: 0.01, max: 1.0 },
    "\"100 %\"",
    "for which share of the judged time it must hold",
);
const SINCE: Field =
    Field::default("since", TIME, "\"0 s\"", "when judging begins, since the scenario's start");
const UNTIL: Field =
    Field::optional("until", TIME, "when it ends, since the scenario's start; left out, the end");

/// How all four judge, for their descriptions.
macro_rules! description {
    ($own:literal) => {
        concat!(
            $own,
            " A sample stands for the time since the one before it; judged is what stands for \
             nothing outside the judged time, so a mean over the change is held against neither \
             side. `measured` is the least `tolerance` with which `share` would hold (the largest \
             deviation, with 100 %), `n` the samples judged, `at` the first value outside. What \
             is no number is within no tolerance. With fewer than two samples in the judged \
             time, or where they do not reach through it, the check is inconclusive."
        )
    };
}

/// `step`: the signal goes from one level to another at an instant.
pub(crate) const STEP: CheckKind = CheckKind {
    entry: Entry {
        name: "step",
        summary: "a signal goes from one level to another at an instant",
        description: description!(
            "Until `at` the signal is at `from`, and later than `within` after it at `to`, each \
             within `tolerance` and for `share` of the time before and of the time after."
        ),
        fields: &[
            SIGNAL,
            Field::required("from", LEVEL, "the level before"),
            Field::required("to", LEVEL, "the level afterwards"),
            Field::required("at", TIME, "when it changes, since the scenario's start"),
            WITHIN,
            TOLERANCE,
            SHARE,
            SINCE,
            UNTIL,
        ],
    },
    build: |values, context, out| {
        let (before, after) = (values.si("from"), values.si("to"));
        let is_seen = (after - before).abs() > 2.0 * values.si("tolerance");
        if !is_seen {
            let message = "a signal that never changes is within both bands";
            let label = "expected less than half of the step";
            out.report(Code::DOES_NOT_FIT, values.span_of("tolerance"), message, label);
        }
        let (at, within) = (values.duration("at"), values.duration("within"));
        let is_inside = ends_after(values, at + within, out) && begins_before(values, at, out);
        (is_seen && is_inside)
            .then(|| build(values, context, Rule::Step { before, after, at, within }))
    },
    // One section shows the checks of all four kinds.
    section: Some(Section { place: 35, make: section::section }),
    ..OF_SIGNALS
};

/// `constant`: the signal stays where it is.
pub(crate) const CONSTANT: CheckKind = CheckKind {
    entry: Entry {
        name: "constant",
        summary: "a signal stays at a level, or at its own mean",
        description: description!(
            "From `since` to `until` the signal is at `value`, or, left out, at its own mean over \
             that time, within `tolerance` and for `share` of the time."
        ),
        fields: &[
            SIGNAL,
            Field::optional("value", LEVEL, "the level; left out, the signal's own mean"),
            TOLERANCE,
            SHARE,
            SINCE,
            UNTIL,
        ],
    },
    build: |values, context, out| {
        let rule = Rule::Constant { value: values.si_opt("value") };
        ends_after(values, values.duration("since"), out).then(|| build(values, context, rule))
    },
    ..OF_SIGNALS
};

/// `settles`: the signal reaches a level and stays there.
pub(crate) const SETTLES: CheckKind = CheckKind {
    entry: Entry {
        name: "settles",
        summary: "a signal reaches a level soon after an instant, and stays there",
        description: description!(
            "From `within` after `at` until `until` the signal is at `to`, within `tolerance` and \
             for `share` of the time; what it does before is left to it."
        ),
        fields: &[
            SIGNAL,
            Field::required("to", LEVEL, "the level that it reaches"),
            Field::required("at", TIME, "since when it goes there, since the scenario's start"),
            WITHIN,
            TOLERANCE,
            SHARE,
            UNTIL,
        ],
    },
    build: |values, context, out| {
        let (at, within) = (values.duration("at"), values.duration("within"));
        let rule = Rule::Settles { to: values.si("to"), at, within };
        ends_after(values, at + within, out).then(|| build(values, context, rule))
    },
    ..OF_SIGNALS
};

/// `follows`: the signal is where another one is, or was.
pub(crate) const FOLLOWS: CheckKind = CheckKind {
    entry: Entry {
        name: "follows",
        summary: "a signal is where another one is, or was a little before",
        description: description!(
            "Each sample of the signal is between the lowest and the highest value that `other` \
             had in the time the sample stands for and in `lag` before it, within `tolerance` and \
             for `share` of the time: a mean lies between what it is a mean of. Samples of times \
             of which `other` has none are left out, and counted."
        ),
        fields: &[
            SIGNAL,
            Field::required("other", Kind::Name, "the `[[signal]]` that it follows"),
            Field::default("lag", TIME, "\"0 s\"", "how much later it may be, at most"),
            TOLERANCE,
            SHARE,
            SINCE,
            UNTIL,
        ],
    },
    build: |values, context, out| {
        let is_another = values.text("other") != values.text("signal");
        if !is_another {
            let message = "a signal always follows itself";
            let label = "expected another signal";
            out.report(Code::DOES_NOT_FIT, values.span_of("other"), message, label);
        }
        let rule =
            Rule::Follows { other: values.text("other").to_owned(), lag: values.duration("lag") };
        let is_inside = ends_after(values, values.duration("since"), out);
        (is_another && is_inside).then(|| build(values, context, rule))
    },
    ..OF_SIGNALS
};

/// What the rows have in common.
const OF_SIGNALS: CheckKind = CheckKind {
    tables: &[RecordTable::Signals],
    // The instants of readings whose spans are not announced are not known that well.
    takes_readings_as_exact: true,
    ..CheckKind::PLAIN
};

fn build(values: &Values, context: CheckContext, rule: Rule) -> Box<dyn Check> {
    Box::new(SignalCheck {
        context,
        signal: values.text("signal").to_owned(),
        rule,
        tolerance: values.si("tolerance"),
        share: values.si("share"),
        since: values.duration_opt("since").unwrap_or(SimDuration::ZERO),
        until: values.duration_opt("until"),
        samples: Vec::new(),
        others: Vec::new(),
        signals: std::collections::BTreeMap::new(),
    })
}

/// Whether judging ends after this instant, when it begins; reports it if not.
fn ends_after(values: &Values, begin: SimDuration, out: &mut Diagnostics) -> bool {
    let Some(until) = values.duration_opt("until").filter(|until| *until <= begin) else {
        return true;
    };
    let message = format!("judging ends at {until}, and would begin at {begin}");
    out.report(Code::DOES_NOT_FIT, values.span_of("until"), message, "expected a later instant");
    false
}

/// Whether there is a time before the step to judge; reports it if not.
fn begins_before(values: &Values, at: SimDuration, out: &mut Diagnostics) -> bool {
    let since = values.duration("since");
    if since < at {
        return true;
    }
    let message = format!("judging begins at {since}, and the step is at {at}");
    out.report(Code::DOES_NOT_FIT, values.span_of("at"), message, "expected a later instant");
    false
}
