//! Commands that injections give, held against the devices they are for: what would not be carried
//! out is a mistake, unless the scenario says that it has to be refused.

use lastmeter_devices::{CommandFault, Device};
use lastmeter_params::{Code, Diagnostics, NodeValue, Span};

use crate::language::draft::Row;

/// Notes what is wrong with the command of an injection.
pub(crate) fn can_be_given(
    row: &Row<'_>,
    device: &dyn Device,
    in_real_time: bool,
    out: &mut Diagnostics,
) {
    let Some(values) = &row.values else { return };
    let mut parameters = values.texts("command");
    // Without a name it has been told already.
    let Some(name) = parameters.remove("name") else { return };
    if let Some(fault) = device.validate_command(&name, &parameters) {
        report(row, fault, values.boolean("refused"), out);
    }
    is_late_enough(row, device, in_real_time, out);
}

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
fn is_late_enough(row: &Row<'_>, device: &dyn Device, in_real_time: bool, out: &mut Diagnostics) {
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
