//! `command`: a command to a device. What its device would not carry out is a mistake, unless the
//! scenario states that it has to be refused.

use lastmeter_devices::{CommandFault, Device};
use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, NodeValue, Span};
use lastmeter_record::Event;

use super::injection::Injection;
use super::kind::Lanes;
use super::kind::{InjectKind, PlacedDevice};
use super::order::Order;
use super::target::Places;
use crate::draft::{Draft, Row};
use crate::references::Target;

pub(super) struct Command;

impl InjectKind for Command {
    fn entry(&self) -> Entry {
        Entry {
            name: "command",
            summary: "a command to a device, given through the platform's interface",
            description: "The bench asks the platform over REST to invoke a command on a device, \
                as an application would, and waits for the acknowledgement. `command` holds the \
                command's `name` and its parameters: `command = { name = \"setReportingPeriod\", \
                seconds = 5 }`. The platform knows a device from its first reading on, so no \
                command can come before. A command that is refused, fails, expires or is never \
                answered, and that no `command_ack` check judges, makes the run inconclusive: what \
                it was to test did not happen.",
            fields: FIELDS,
        }
    }

    /// A command has a name.
    fn check(&self, row: &Row<'_>, _draft: &Draft<'_>, out: &mut Diagnostics) {
        let Some(node) = row.table.get("command") else { return };
        let NodeValue::Table(command) = &node.value else { return };
        if command.get("name").is_none() {
            let help =
                "write `command = { name = \"setReportingPeriod\", seconds = 5 }`".to_owned();
            let (message, label) = ("the command has no name", "needs `name`");
            out.report_with_help(Code::MISSING_KEY, node.span, message, label, Some(help));
        }
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        places.device(row)
    }

    /// Reports what is wrong with the command. It is the platform's, and goes to whatever device
    /// there is.
    fn validate_target(&self, row: &Row<'_>, device: &PlacedDevice<'_>, out: &mut Diagnostics) {
        let (Some(values), Some(model)) = (&row.values, device.device) else { return };
        let mut parameters = values.texts("command");
        // Without a name it has been reported already.
        let Some(name) = parameters.remove("name") else { return };
        if let Some(fault) = model.validate_command(&name, &parameters) {
            report(row, fault, values.boolean("refused"), out);
        }
        report_too_early(row, model, device.in_real_time, out);
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        let mut parameters = injection.values.texts("command");
        let command = parameters.remove("name").unwrap_or_default();
        let must_be_refused = injection.values.boolean("refused");
        let order = |device| Order::Command { device, command, parameters, must_be_refused };
        injection.device().map(order).into_iter().collect()
    }

    /// It is recorded with its number when it is given.
    fn begun(&self, _injection: &Injection, _lanes: &Lanes<'_>, _event: Event) -> Option<Event> {
        None
    }
}

const FIELDS: &[Field] = &[
    Field::required("device", Kind::Name, "the device it is for"),
    Field::required("command", Kind::Texts, "`name`, and the command's parameters"),
    Field::default("refused", Kind::Boolean, "false", "whether the device has to refuse it"),
];

fn report(row: &Row<'_>, fault: CommandFault, must_be_refused: bool, out: &mut Diagnostics) {
    let (parameter, what, label, help) = match fault {
        // What the device has to refuse is as it should be.
        CommandFault::Refused { .. } if must_be_refused => return,
        CommandFault::Refused { parameter, what } => {
            let help = "write `refused = true` beside the command if that is what is tested";
            (parameter, what, "the device would refuse it", Some(help.to_owned()))
        }
        CommandFault::Impossible { parameter, what } => {
            (parameter, what, "cannot be given to this device", None)
        }
    };
    let span = span_of(row, parameter.as_deref());
    out.report_with_help(Code::BAD_COMMAND, span, what, label, help);
}

/// The place of a parameter, else that of the command.
fn span_of(row: &Row<'_>, parameter: Option<&str>) -> Span {
    let Some(node) = row.table.get("command") else { return row.span };
    let NodeValue::Table(table) = &node.value else { return node.span };
    parameter.and_then(|name| table.get(name)).map_or(node.span, |value| value.span)
}

/// The platform learns of a device by its first reading; in real time devices begin staggered over
/// a period, and readings take their time.
fn report_too_early(row: &Row<'_>, device: &dyn Device, in_real_time: bool, out: &mut Diagnostics) {
    let (Some(values), period) = (&row.values, device.report_period()) else { return };
    let known_at = if in_real_time { period + period } else { period };
    if values.duration("at") >= known_at {
        return;
    }
    let message = format!("the platform does not know the device before {known_at}");
    let label = format!("expected {known_at} or later");
    let help = if in_real_time {
        "a device is known by its first reading, in real time after up to two of its periods"
    } else {
        "a device is known by its first reading; report more often, or give the command later"
    };
    let span = row.text("at").map_or(row.span, |(_, span)| span);
    out.report_with_help(Code::BAD_COMMAND, span, message, label, Some(help.to_owned()));
}
