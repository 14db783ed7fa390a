//! What must hold between the tables of a scenario. Each rule is one function and tells each
//! mistake once, from what is written, so that a table's other mistakes hide nothing here.

use lastmeter_params::{
    Code, Diagnostics, Dimension, NodeValue, SourceId, Span, Value, Values, nearest, parse_quantity,
};
use lastmeter_reports::IMPLICIT_CHECKS;
use lastmeter_sim::{SourceKind, Terminal};

use lastmeter_units::SimDuration;

use super::grid::LOAD_PREFIX;
use super::interference;
use super::names::Names;
use super::read::{Row, Single};
use super::scenario::PlatformUse;
use super::sections::InjectKind;

/// The indices of the sources that the devices of a table are connected to, as `at` says: one for
/// all of them, or with a pattern of loads one for each. The loads of a network follow the sources.
pub(crate) fn sources_of<K>(
    device: &Row<'_, K>,
    sources: &Names,
    loads: &Names,
    out: &mut Diagnostics,
) -> Vec<usize> {
    let Some((at, span)) = device.text("at") else { return Vec::new() };
    if let Some(pattern) = at.strip_prefix(LOAD_PREFIX) {
        if loads.len() == 0 && loads.is_complete() {
            let message = format!("`{at}` is a load of a network, and there is none");
            let help = Some("add a `[grid]` with the `file` of one".to_owned());
            let code = Code::UNKNOWN_REFERENCE;
            out.report_with_help(code, span, message, "no network in this scenario", help);
            return Vec::new();
        }
        let found = loads.fitting(pattern, span, out);
        return found.into_iter().map(|load| sources.len() + load).collect();
    }
    let Some(name) = at.strip_prefix("source:") else {
        let help = match sources.iter().find(|name| *name == at).or_else(|| sources.get(0)) {
            Some(name) => format!("write `at = \"source:{name}\"`"),
            None => "write `at = \"source:NAME\"`".to_owned(),
        };
        let message = format!("`{at}` is no place to connect a device to");
        let label = "expected `source:` and the name of a source";
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, Some(help));
        return Vec::new();
    };
    sources.find(name, span, out).into_iter().collect()
}

/// The index of the device that an injection names; one into a link is about its connections.
pub(crate) fn device_of(
    row: &Row<'_, InjectKind>,
    devices: &Names,
    out: &mut Diagnostics,
) -> Option<usize> {
    if interference::is_into_link(row) {
        return None;
    }
    let (name, span) = row.text("device")?;
    devices.find(name, span, out)
}

/// The index of the source that an injection happens to.
pub(crate) fn source_of_injection(
    row: &Row<'_, InjectKind>,
    sources: &Names,
    (player, grid_from): (Option<&str>, usize),
    out: &mut Diagnostics,
) -> Option<usize> {
    if !matches!(row.kind, Some(InjectKind::Source(_))) {
        return None;
    }
    let (name, span) = row.text("source")?;
    if player == Some(name) {
        let message =
            format!("nothing can be injected into `{name}`, which plays its plan's points");
        let help = format!(
            "leave the injection out, or write a `[[source]]` of its own instead of `[{name}]`"
        );
        let label = "expected a source that is written here";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
        return None;
    }
    if sources.position(name).is_some_and(|place| place >= grid_from) {
        let message = format!("nothing can be injected into `{name}`, which the network feeds");
        let label = "expected a source that is written here";
        out.report(Code::DOES_NOT_FIT, span, message, label);
        return None;
    }
    sources.find(name, span, out)
}

/// The names of a network's sources are taken.
pub(crate) fn is_left_to_the_grid<K>(taken: &str, sources: &[Row<'_, K>], out: &mut Diagnostics) {
    for (name, span) in sources.iter().filter_map(|row| row.text("name")) {
        if name == taken {
            let message = format!("`{name}` is a source of the network too");
            out.report(Code::NAME_TAKEN, span, message, "expected another name");
        }
    }
}

/// The name of the source that plays a plan is taken, or another could be measured in its place.
pub(crate) fn is_left_to_the_plan<K>(player: &str, sources: &[Row<'_, K>], out: &mut Diagnostics) {
    for (name, span) in sources.iter().filter_map(|row| row.text("name")) {
        if name == player {
            let message = format!("`{name}` is the source that plays `[{name}]`");
            out.report(Code::NAME_TAKEN, span, message, "expected another name");
        }
    }
}

/// The indices of the devices that a check is about; if it names any, one has to be there.
pub(crate) fn devices_of_check<K>(
    check: &Row<'_, K>,
    devices: &Names,
    out: &mut Diagnostics,
) -> Vec<usize> {
    match check.text("device") {
        Some((text, span)) => devices.fitting(text, span, out),
        None => (0..devices.len()).collect(),
    }
}

/// Device kinds of later versions are refused, not replaced by something else.
pub(crate) fn is_available<D>(devices: &[Row<'_, D>], out: &mut Diagnostics) {
    for (way, span) in devices.iter().filter_map(|device| device.text("as")) {
        if matches!(way, "emulated" | "hardware") {
            let message = format!("{way} devices are not available in this version");
            let help = "write `as = \"simulated\"`".to_owned();
            let label = "only `simulated` works";
            out.report_with_help(Code::NOT_AVAILABLE, span, message, label, Some(help));
        }
    }
}

/// A duration is given, unless it follows from the plan of a suite.
pub(crate) fn lasts_so_long(head: &Values, has_plan: bool, out: &mut Diagnostics) {
    match (head.duration_opt("duration"), has_plan) {
        (None, false) => out.report_with_help(
            Code::MISSING_KEY,
            head.span,
            "key `duration` is missing",
            "needs a time",
            Some("`duration`: how long it lasts in event time".to_owned()),
        ),
        (Some(_), true) => out.report_with_help(
            Code::DOES_NOT_FIT,
            head.span_of("duration"),
            "how long a scenario with `[suite]` or `[calibration]` lasts follows from its plan",
            "cannot be chosen",
            Some("leave `duration` out".to_owned()),
        ),
        _ => {}
    }
}

/// From its start on it can be counted as clocks of platforms count, in time since 1970, and to its
/// end in nanoseconds, as every instant is.
pub(crate) fn is_in_time(head: &Values, planned: Option<SimDuration>, out: &mut Diagnostics) {
    let Some(start) = head.instant_opt("start") else { return };
    if start.as_nanoseconds() < 0 {
        let message = "the scenario would start before 1970";
        let label = "platforms count time from 1970-01-01T00:00:00Z on";
        out.report(Code::OUT_OF_RANGE, head.span_of("start"), message, label);
    }
    let Some(duration) = planned.or_else(|| head.duration_opt("duration")) else { return };
    if start.as_nanoseconds().checked_add(duration.0).is_none() {
        let message = "the scenario would end after the year 2262";
        let label = "later instants cannot be counted in nanoseconds";
        out.report(Code::OUT_OF_RANGE, head.span_of("start"), message, label);
    }
}

/// A device that computes from spectra is connected to a source that is tones at every instant;
/// `None` if it is not.
pub(crate) fn has_spectrum_to_work_on<D>(
    device: &Row<'_, D>,
    source: &Row<'_, &'static SourceKind>,
    terminal: Option<&Terminal>,
    out: &mut Diagnostics,
) -> Option<()> {
    // Of a recording that is not here it is known as well.
    let plays_a_recording = match terminal {
        Some(terminal) => terminal.is_recording(),
        None => source.kind.is_some_and(|kind| kind.entry.name == "recording"),
    };
    let is_tones = !plays_a_recording && terminal.is_none_or(Terminal::is_stretches);
    let values = device.values.as_ref()?;
    if is_tones || values.get("fidelity") != Some(&Value::Text("windows".to_owned())) {
        return Some(());
    }
    let name = source.name().unwrap_or_default();
    let (message, help) = if plays_a_recording {
        (
            format!("`{name}` plays a recording, which has no spectrum to compute from"),
            "write `fidelity = \"samples\"`, or make a spectrum table with `lastmeter measure FILE \
             --spectrum TABLE` and a source of kind `spectrum`",
        )
    } else {
        (
            format!("`{name}` is not made of tones all the time, so it has no spectrum there"),
            "write `fidelity = \"samples\"`, or leave out its ramps, transients, notches and cut \
             currents; steps, dips, flicker and steady harmonics have a spectrum",
        )
    };
    let span = values.span_of("fidelity");
    let label = "expected `samples` with this source";
    out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    None
}

/// A device that computes from spectra is not connected to a suite that plays waves without one.
pub(crate) fn suite_has_spectra<D>(
    device: &Row<'_, D>,
    terminal: Option<&Terminal>,
    out: &mut Diagnostics,
) -> Option<()> {
    let values = device.values.as_ref()?;
    if terminal.is_none_or(Terminal::is_stretches)
        || values.get("fidelity") != Some(&Value::Text("windows".to_owned()))
    {
        return Some(());
    }
    let message = "the suite plays waves that are cut, which have no spectrum to compute from";
    let help = "write `fidelity = \"samples\"`, or leave those tests out with `tests` of `[suite]`";
    let span = values.span_of("fidelity");
    let label = "expected `samples` with these tests";
    out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    None
}

/// An injection happens before the end.
pub(crate) fn injections_are_in_time(
    injections: &[Row<'_, InjectKind>],
    head: Option<&Single<'_>>,
    out: &mut Diagnostics,
) {
    let seconds = |text: &str| parse_quantity(text, &[Dimension::Time]).map(|(si, _)| si).ok();
    let Some(duration) = head.and_then(|head| head.table.text("duration")) else { return };
    let Some(duration_s) = seconds(duration) else { return };
    for (at, span) in injections.iter().filter_map(|row| row.text("at")) {
        if seconds(at).is_some_and(|at_s| at_s >= duration_s) {
            let message = format!("at {at} the scenario is over");
            let label = format!("the duration is {duration}");
            out.report(Code::OUTSIDE_SCENARIO, span, message, label);
        }
    }
}

/// Only a child process can be killed.
pub(crate) fn kill_has_a_victim(
    injections: &[Row<'_, InjectKind>],
    platform: &PlatformUse,
    out: &mut Diagnostics,
) {
    let (message, label) = match platform {
        PlatformUse::Child => return,
        PlatformUse::Embedded => {
            ("an embedded platform cannot be killed", "it is part of the bench's process")
        }
        PlatformUse::Profile(_) => {
            ("a platform that was started by somebody else is not killed", "not the bench's own")
        }
    };
    for row in injections.iter().filter(|row| matches!(row.kind, Some(InjectKind::Kill))) {
        let help = "write `use = \"child\"` under `[platform]`, or give `--platform child`";
        let span = row.text("kind").map_or(row.span, |(_, span)| span);
        out.report_with_help(Code::PLATFORM_CANNOT, span, message, label, Some(help.to_owned()));
    }
}

/// A command has a name.
pub(crate) fn commands_have_names(injections: &[Row<'_, InjectKind>], out: &mut Diagnostics) {
    for row in injections.iter().filter(|row| matches!(row.kind, Some(InjectKind::Command))) {
        let Some(node) = row.table.get("command") else { continue };
        let NodeValue::Table(command) = &node.value else { continue };
        if command.get("name").is_none() {
            let help = "write `command = { name = \"setReportingPeriod\", seconds = 5 }`";
            let message = "the command has no name";
            let label = "needs `name`";
            out.report_with_help(
                Code::MISSING_KEY,
                node.span,
                message,
                label,
                Some(help.to_owned()),
            );
        }
    }
}

/// A scenario judges something.
pub(crate) fn report_no_checks(head_span: Span, out: &mut Diagnostics) {
    let message = "the scenario has no checks, so it judges nothing";
    let help =
        "add for example `[[check]]` with `name = \"readings-once\"` and `kind = \"no_loss\"`";
    let label = "nothing is checked";
    out.report_with_help(Code::NO_CHECKS, head_span, message, label, Some(help.to_owned()));
}

/// A limit that even a meter keeps which reports zero judges nothing.
pub(crate) fn limit_can_be_missed(values: &Values, out: &mut Diagnostics) {
    let Some(Value::Quantity { si, dimension: Dimension::Ratio, .. }) = values.get("limit") else {
        return;
    };
    if *si >= 1.0 {
        let percent = lastmeter_text::number(100.0 * si);
        let message =
            format!("with a limit of {percent} % a meter that reports nothing would pass");
        let help = "relative limits are below 100 %; near zero, leave values out with `minimum`";
        let label = "expected less than 100 %";
        let span = values.span_of("limit");
        out.report_with_help(Code::OUT_OF_RANGE, span, message, label, Some(help.to_owned()));
    }
}

/// `covers` lists requirement rows such as `F-04`.
pub(crate) fn requirements_are_rows<K>(checks: &[Row<'_, K>], out: &mut Diagnostics) {
    for check in checks {
        let Some(NodeValue::Array(list)) = check.table.get("covers").map(|node| &node.value) else {
            continue;
        };
        for node in list {
            let NodeValue::String(text) = &node.value else { continue };
            if !is_requirement(text) {
                let message = format!("`{text}` is no requirement");
                let label = "expected a letter L, C or F, a dash and two digits";
                let help = Some("write for example `F-04`".to_owned());
                out.report_with_help(Code::BAD_REQUIREMENT, node.span, message, label, help);
            }
        }
    }
}

fn is_requirement(text: &str) -> bool {
    matches!(text.as_bytes(), [b'L' | b'C' | b'F', b'-', tens, ones]
        if tens.is_ascii_digit() && ones.is_ascii_digit())
}

/// The names of verdicts that nobody has to write a check for stay free for them.
pub(crate) fn no_check_is_called_implicit<K>(checks: &[Row<'_, K>], out: &mut Diagnostics) {
    for (name, span) in checks.iter().filter_map(|row| row.text("name")) {
        if IMPLICIT_CHECKS.contains(&name) {
            let message = format!("`{name}` is no name for a check");
            let label = "the bench gives this verdict by itself";
            out.report(Code::BAD_NAME, span, message, label);
        }
    }
}

/// A must-fail twin names one of its own checks, or one that nobody has to write, and the check it
/// mirrors.
pub(crate) fn twin_is_named(expect: Option<&Single<'_>>, checks: &Names, out: &mut Diagnostics) {
    let Some(expect) = expect else { return };
    let text = |key: &str| {
        let node = expect.table.get(key)?;
        let NodeValue::String(text) = &node.value else { return None };
        Some((text.as_str(), node.span))
    };
    if let Some((check, span)) = text("check")
        && checks.position(check).is_none()
        && !IMPLICIT_CHECKS.contains(&check)
        && checks.is_complete()
    {
        let help = nearest(check, checks.iter()).map(|near| format!("did you mean `{near}`?"));
        let message = format!("there is no check named `{check}` that could end so");
        out.report_with_help(Code::BAD_TWIN, span, message, "not in this scenario", help);
    }
    if let Some((twin, span)) = text("twin_of") {
        let parts: Vec<&str> = twin.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| lastmeter_params::is_name(part)) {
            let message = format!("`{twin}` names no check of another scenario");
            let label = "expected `SCENARIO/CHECK`";
            let help = Some("write for example `first-light/accuracy-u`".to_owned());
            out.report_with_help(Code::BAD_TWIN, span, message, label, help);
        }
    }
}

/// The start of the scenario file.
pub(crate) const FILE_START: Span = Span { source: SourceId::FILE, start: 0, end: 0 };
