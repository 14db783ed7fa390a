//! Building the parts of a bench: terminals of the sources, devices at them, and the checks.
//!
//! The constructors belong to the packages and report their own mistakes; here they are only
//! called, with what the scenario says about the place.

use lastmeter_devices::{Device, DeviceContext, DeviceKind};
use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_reports::check::Check;
use lastmeter_reports::{CheckContext, CheckKind};
use lastmeter_sim::{
    InjectionContext, InjectionKind, Signal, SourceContext, SourceKind, Streams, Terminal,
};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::topics::TENANT;

use super::files::Files;

/// What became of a source.
pub(crate) enum Built {
    Terminal(Terminal),
    /// It needs a file that this machine does not have; the reason.
    Unavailable(String),
    /// It has a mistake, which has been reported.
    Refused,
}

/// Where a source is put, and what happens to it.
pub(crate) struct SourcePlace<'a> {
    pub(crate) streams: Streams,
    /// How long the scenario lasts, if it says so.
    pub(crate) duration: Option<SimDuration>,
    pub(crate) injections: Vec<(&'static InjectionKind, &'a Values)>,
}

/// Makes the terminal of a source, with everything that will be injected into it.
pub(crate) fn build_source(
    kind: &SourceKind,
    values: &Values,
    place: &SourcePlace<'_>,
    files: &Files<'_>,
    diagnostics: &mut Diagnostics,
) -> Built {
    let mut found = Diagnostics::new();
    let read_file = |name: &str| files.read(name);
    let context = SourceContext {
        name: values.text("name"),
        streams: &place.streams,
        duration: place.duration.unwrap_or_default(),
        read_file: &read_file,
    };
    let signal = (kind.build)(values, &context, &mut found);
    let terminal = signal.and_then(|signal| disturb(signal, values, place, &mut found));
    // What is not here cannot be wrong; the scenario is skipped with the reason instead.
    if let Some(reason) = files.take_unavailable() {
        return Built::Unavailable(reason);
    }
    let sound = found.is_empty();
    found.take_warnings().into_iter().for_each(|warning| diagnostics.warn(warning));
    found.into_sorted().into_iter().for_each(|diagnostic| diagnostics.push(diagnostic));
    match terminal {
        Some(terminal) if sound => Built::Terminal(terminal),
        _ => Built::Refused,
    }
}

/// The terminal of a signal, into which something may be injected.
fn disturb(
    mut signal: Signal,
    values: &Values,
    place: &SourcePlace<'_>,
    out: &mut Diagnostics,
) -> Option<Terminal> {
    let context = InjectionContext { phases: signal.phases() };
    let name = values.text("name");
    for (kind, injection) in &place.injections {
        let Signal::Program(program) = &mut signal else {
            let message = format!("`{name}` plays a recording, into which nothing can be injected");
            let help = "make a spectrum table with `lastmeter measure FILE --spectrum TABLE` and a \
                        source of kind `spectrum`";
            let (code, span) = (Code::DOES_NOT_FIT, injection.span_of("source"));
            let label = "expected a source of tones";
            out.report_with_help(code, span, message, label, Some(help.to_owned()));
            continue;
        };
        let until = place.duration.unwrap_or_default();
        if let Some(disturbance) = kind.disturbance(injection, context, until, out) {
            program.disturb(disturbance);
        }
    }
    match signal.terminal(name, &place.streams) {
        Ok(terminal) => Some(terminal),
        Err(error) => {
            let label = "with what is injected into it this makes no terminal";
            out.report(Code::DOES_NOT_FIT, values.span_of("name"), error.to_string(), label);
            None
        }
    }
}

/// Where a device is put.
pub(crate) struct DevicePlace<'a> {
    pub(crate) name: &'a str,
    pub(crate) start: SimTime,
    pub(crate) streams: Streams,
    pub(crate) terminal: &'a Terminal,
}

/// Makes a device.
pub(crate) fn build_device(
    kind: &DeviceKind,
    values: &Values,
    place: &DevicePlace<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Box<dyn Device>> {
    let context = DeviceContext {
        name: place.name,
        // Every name is a hardware id: names are stricter.
        hardware_id: HardwareId::new(place.name).ok()?,
        tenant: TENANT,
        start: place.start,
        streams: &place.streams,
        phases: place.terminal.phases(),
        has_spectrum: place.terminal.is_stretches(),
    };
    (kind.build)(values, &context, diagnostics)
}

/// Makes a check to see whether it can be made; what it says is for the judge of the record.
pub(crate) fn try_check(
    kind: &CheckKind,
    values: &Values,
    about: CheckContext,
    diagnostics: &mut Diagnostics,
) -> Option<Box<dyn Check>> {
    let context = CheckContext {
        name: values.text("name").to_owned(),
        covers: values.text_list("covers").into_iter().map(str::to_owned).collect(),
        ..about
    };
    (kind.build)(values, context, diagnostics)
}
