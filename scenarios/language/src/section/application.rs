//! `[[application]]`: a program of the bench that reads values over the platform's REST and gives
//! commands.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Value, Values, nearest};
use lastmeter_rts::point_map::PointDirection;
use lastmeter_units::{MeasurementId, SimDuration};
use lastmeter_wire::commands::find;

use super::device::DEVICE;
use super::scenario::is_in_real_time;
use super::simulator::{SIMULATOR, SimulatorRow};
use crate::draft::{Draft, Row, Section};
use crate::names::Names;

const LEVEL: Kind = Kind::QuantityOfAny(&[
    Dimension::Voltage,
    Dimension::Current,
    Dimension::ActivePower,
    Dimension::ReactivePower,
    Dimension::ApparentPower,
    Dimension::Frequency,
    Dimension::Ratio,
]);

const NUMBER: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: f64::MIN, max: f64::MAX };

static THRESHOLD: Entry = Entry {
    name: "threshold",
    summary: "gives a command when a value is below or above a level",
    description: "Gives its `command` when the value that it reads is below `below` or above \
        `above`, once for each time that happens: the value has to be back within before it is \
        given again.",
    fields: &[
        Field::optional("below", LEVEL, "the level below which it acts"),
        Field::optional("above", LEVEL, "the level above which it acts"),
        Field::required("command", Kind::Texts, "`name`, and the command's parameters"),
    ],
};

static CONTROLLER: Entry = Entry {
    name: "controller",
    summary: "holds a value at a target by a set-point: an integrating controller",
    description: "At each of its instants with a new value it adds `gain` times the relative \
        deviation from `target` to its set-point, limits that to `least` and `greatest`, and gives \
        it by the command `setPoint`. A gain of 1 takes the deviation away in one step where the \
        set-point acts in proportion; too large a gain makes the loop unstable.",
    fields: &[
        Field::required("target", LEVEL, "the value to hold"),
        Field::required("gain", NUMBER, "change of the set-point per relative deviation"),
        Field::required("point", Kind::Name, "the point that is set"),
        Field::required("initial", NUMBER, "the set-point before the first change"),
        Field::required("least", NUMBER, "the least set-point"),
        Field::required("greatest", NUMBER, "the greatest set-point"),
    ],
};

pub(crate) static APPLICATION: Section = Section {
    name: "application",
    noun: "application",
    doc: "A small program on the platform's side, in virtual time: at whole multiples of `every` it \
        looks at the last value of a quantity that the platform gave back over REST, and acts by a \
        command over REST, as anybody's program would. What it does not see, it does not know: a \
        reading that came too late or not at all is not there.",
    fields: &[
        Field::required("name", Kind::Name, "what it is called"),
        Field::required("kind", Kind::Text, "which application"),
        Field::required(
            "every",
            Kind::Quantity { dimension: Dimension::Time, min: 0.01, max: 86_400.0 },
            "how often it acts",
        ),
        Field::required("of", Kind::Name, "the device whose values it reads"),
        Field::required("quantity", Kind::Text, "which measurement identifier"),
        Field::required("device", Kind::Name, "the device to which it gives commands"),
    ],
    kind: Some(("kind", "application")),
    entries: || vec![THRESHOLD, CONTROLLER],
    heading: "applications",
    refers: &[("of", "device"), ("device", "device")],
    rules: &[report_applications_in_virtual_time, validate_application_values],
    ..Section::REPEATED
};

/// What an application does with a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Reaction {
    /// Gives a command when a value leaves a range, in SI units.
    Threshold {
        /// The least value.
        below: Option<f64>,
        /// The greatest value.
        above: Option<f64>,
        /// The command that is given.
        command: String,
        /// The command's parameters.
        parameters: BTreeMap<String, String>,
    },
    /// Holds a value at a target.
    Controller {
        /// The target, in the SI unit.
        target: f64,
        /// Change per relative deviation.
        gain: f64,
        /// The point that is set.
        point: String,
        /// Before the first change.
        initial: f64,
        /// The least and the greatest set-point.
        range: (f64, f64),
    },
}

/// A table `[[application]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplicationRow {
    /// The application's name.
    pub name: String,
    /// How often it acts.
    pub every: SimDuration,
    /// The index of the device whose values it reads.
    pub of: usize,
    /// What it reads.
    pub quantity: MeasurementId,
    /// The index of the device that gets its commands.
    pub device: usize,
    /// What it does.
    pub acts: Reaction,
}

/// The applications; `None` only where a mistake was reported before.
pub(crate) fn applications(draft: &Draft<'_>, devices: &Names) -> Option<Vec<ApplicationRow>> {
    draft.rows(&APPLICATION).iter().map(|row| application(row, devices)).collect()
}

fn application(row: &Row<'_>, devices: &Names) -> Option<ApplicationRow> {
    let values: &Arc<Values> = row.values.as_ref()?;
    let acts = if row.kind? == THRESHOLD.name {
        let mut parameters = values.texts("command");
        Reaction::Threshold {
            below: values.si_opt("below"),
            above: values.si_opt("above"),
            command: parameters.remove("name")?,
            parameters,
        }
    } else {
        Reaction::Controller {
            target: values.si("target"),
            gain: values.si("gain"),
            point: values.text("point").to_owned(),
            initial: values.si("initial"),
            range: (values.si("least"), values.si("greatest")),
        }
    };
    Some(ApplicationRow {
        name: row.name()?.to_owned(),
        every: values.duration("every"),
        of: devices.position(values.text("of"))?,
        quantity: MeasurementId::lookup(values.text("quantity"))?,
        device: devices.position(values.text("device"))?,
        acts,
    })
}

/// What a controller sets is a point that a simulator of ours takes for its device.
pub(crate) fn report_missing_points(
    draft: &Draft<'_>,
    simulators: &[SimulatorRow],
    out: &mut Diagnostics,
) {
    // One that could not be read has its own message.
    if simulators.is_empty() || simulators.len() != draft.rows(&SIMULATOR).len() {
        return;
    }
    let controllers = draft.rows(&APPLICATION).iter();
    for row in controllers.filter(|row| row.kind == Some(CONTROLLER.name)) {
        let Some(values) = row.values.as_ref() else { continue };
        let (name, device) = (values.text("point"), values.text("device"));
        let points =
            simulators.iter().flat_map(|it| it.map.of_direction(PointDirection::ToSimulator));
        let own: Vec<&str> = points
            .filter(|point| {
                let commanded = point.write.as_ref().and_then(|write| write.commanded.as_ref());
                commanded.is_some_and(|it| it.device == device && !it.is_breaker)
            })
            .map(|point| point.name.as_str())
            .collect();
        if own.is_empty() || own.contains(&name) {
            continue;
        }
        let message = format!("`{device}` has no point `{name}` that is set by commands");
        let near = nearest(name, own.iter().copied());
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let label = format!("expected one of {}", own.join(", "));
        out.report_with_help(
            Code::UNKNOWN_REFERENCE,
            values.span_of("point"),
            message,
            label,
            help,
        );
    }
}

fn report_applications_in_virtual_time(draft: &Draft<'_>, out: &mut Diagnostics) {
    if let Some(first) = draft.rows(&APPLICATION).first().filter(|_| is_in_real_time(draft)) {
        let message = "applications act in virtual time only, in this version";
        let help = "leave `time = \"real\"` out, or let a program of your own act over REST";
        let label = "not in real time";
        let help = Some(help.to_owned());
        out.report_with_help(Code::NOT_AVAILABLE, first.span, message, label, help);
    }
}

/// What it reads is a quantity, its levels are of that, and its command is one.
fn validate_application_values(draft: &Draft<'_>, out: &mut Diagnostics) {
    for row in draft.rows(&APPLICATION) {
        let Some(values) = row.values.as_ref() else { continue };
        let (text, span) = (values.text("quantity"), values.span_of("quantity"));
        let Some(quantity) = MeasurementId::lookup(text) else {
            let message = format!("unknown measurement identifier `{text}`");
            out.report(Code::UNKNOWN_MEASUREMENT, span, message, "not in the registry");
            continue;
        };
        let is_reported = |device: &&Row<'_>| {
            device.name() == Some(values.text("of"))
                && device.values.as_ref().is_some_and(|own| {
                    own.get("quantities").is_some() && !own.text_list("quantities").contains(&text)
                })
        };
        if draft.rows(&DEVICE).iter().find(is_reported).is_some() {
            let message = format!("`{}` does not report `{text}`", values.text("of"));
            out.report(Code::DOES_NOT_FIT, span, message, "nothing to read");
        }
        let unit = quantity.row().si_unit;
        for key in ["below", "above", "target"] {
            let Some(Value::Quantity { dimension, .. }) = values.get(key) else { continue };
            if *dimension != Dimension::of_unit(unit) {
                let message = format!("`{key}` is of dimension {dimension}, which {text} is not");
                let label = format!("expected a value in {unit} here");
                out.report(Code::WRONG_DIMENSION, values.span_of(key), message, label);
            }
        }
        if row.kind == Some(THRESHOLD.name) {
            validate_threshold(row, values, out);
        } else if values.si("least") >= values.si("greatest") {
            let message = "`least` has to be below `greatest`";
            out.report(Code::DOES_NOT_FIT, values.span_of("least"), message, "an empty range");
        }
    }
}

fn validate_threshold(row: &Row<'_>, values: &Values, out: &mut Diagnostics) {
    if values.get("below").is_none() && values.get("above").is_none() {
        let message = "a threshold without a level";
        let help = Some("write `below` or `above`, or both".to_owned());
        out.report_with_help(Code::MISSING_KEY, row.span, message, "never acts", help);
    }
    let name = values.texts("command").remove("name");
    if name.as_deref().and_then(find).is_none() {
        let message = match name {
            Some(name) => format!("unknown command `{name}`"),
            None => "the command has no name".to_owned(),
        };
        let label = format!("expected one of {}", lastmeter_wire::commands::names());
        out.report(Code::BAD_COMMAND, values.span_of("command"), message, label);
    }
}
