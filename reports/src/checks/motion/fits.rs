//! What checks of a network in motion need of a bench: each reports what would leave it with
//! nothing to judge.

use lastmeter_params::{Code, Diagnostic, Diagnostics, Pattern, Span, Values, nearest};
use lastmeter_units::SimDuration;

use super::WantedReports;
use super::reliability::Planned;
use crate::check::planned::{PlannedBench, PlannedNetwork, PlannedReports};

/// That of `last_gasp` and `restored`: a device that lives on its supply. What could not be made
/// may be one.
pub(super) fn supply(values: &Values, bench: &PlannedBench<'_>, out: &mut Diagnostics) {
    if bench.devices.iter().any(|it| it.as_ref().is_none_or(|device| device.has_hold_up)) {
        return;
    }
    let span =
        if values.is_written("device") { values.span_of("device") } else { values.span_of("kind") };
    let message = format!("`{}` is about meters that live on what they measure", kind(values));
    let help = "write `hold_up = \"500 ms\"` in the `[[device]]` of a meter".to_owned();
    let label = "no meter that this means has `hold_up`";
    out.report_with_help(Code::CANNOT_MEASURE, span, message, label, Some(help));
}

/// That of `protection_operation`: elements that are there, and times within the scenario.
pub(super) fn protection_operation(
    values: &Values,
    bench: &PlannedBench<'_>,
    out: &mut Diagnostics,
) {
    if let Some(known) = in_motion(values, bench, out).and_then(|it| it.elements.as_ref()) {
        elements(values, known, out);
    }
    expected_within(values, bench, out);
}

/// What has to come has to come within the scenario.
pub(crate) fn expected_within(values: &Values, bench: &PlannedBench<'_>, out: &mut Diagnostics) {
    let Some(duration) = bench.duration else { return };
    for expected in values.tables("expect") {
        // What begins too late ends too late.
        let late = ["from", "to"].into_iter().find(|it| expected.duration(it) > duration);
        let Some(key) = late else { continue };
        let at: SimDuration = expected.duration(key);
        let (at_s, end_s) = (at.as_seconds_f64(), duration.as_seconds_f64());
        let message = format!("`{key}` is {at_s} s, when the scenario is over");
        let label = format!("the duration is {end_s} s");
        out.report(Code::OUTSIDE_SCENARIO, expected.span_of(key), message, label);
    }
}

/// That of `reliability`: a network whose supply is recorded, interruptions that can be sustained.
pub(super) fn reliability(values: &Values, bench: &PlannedBench<'_>, out: &mut Diagnostics) {
    warn_if_none_sustained(values, bench.duration, out);
    if bench.network.is_some_and(|it| it.is_simulated && it.is_in_motion == Some(true)) {
        let message = "who has a supply is not recorded where a simulator plays the network";
        let label = "expected a network without a simulator";
        out.report(Code::CANNOT_MEASURE, values.span_of("kind"), message, label);
        return;
    }
    let Some(network) = in_motion(values, bench, out) else { return };
    if values.text("planned") != Planned::COUNT && !network.has_planned_outages {
        let message = "no outage of this scenario is planned";
        let label = "expected an `outage` with `planned = true`";
        out.report(Code::CANNOT_MEASURE, values.span_of("planned"), message, label);
    }
}

/// The word of a check's kind.
fn kind(values: &Values) -> &str {
    values.text("kind")
}

/// The network, if something happens in it between its steps. In one that only steps nothing is
/// recorded, and such a check would pass.
fn in_motion<'a>(
    values: &Values,
    bench: &PlannedBench<'a>,
    out: &mut Diagnostics,
) -> Option<&'a PlannedNetwork> {
    let (kind, span) = (kind(values), values.span_of("kind"));
    let Some(network) = bench.network else {
        let message = format!("a check `{kind}` needs a network");
        let help = Some("add a `[grid]` with the `file` of one".to_owned());
        out.report_with_help(Code::CANNOT_MEASURE, span, message, "there is none", help);
        return None;
    };
    if network.is_in_motion == Some(false) {
        let message = format!("`{kind}` is about what happens between the steps of a network");
        let help = "write `resolution = \"waveforms\"` (or `\"phasors\"`) under `[grid]`";
        let label = "this network only steps";
        out.report_with_help(Code::CANNOT_MEASURE, span, message, label, Some(help.to_owned()));
        return None;
    }
    Some(network)
}

/// Reports elements of `protection_operation` that are not there, and therefore never do anything.
pub(super) fn elements(values: &Values, known: &[String], out: &mut Diagnostics) {
    let mut look = |pattern: &str, span: Span| {
        let wanted = Pattern::new(pattern);
        if pattern == "*" || known.iter().any(|name| wanted.matches(name)) {
            return;
        }
        let message = format!("no element of the network is called `{pattern}`");
        // What injections call `breaker:CB1` or `line:L1` has another word here.
        let name = |text: &str| text.split_once(':').map(|(_, name)| name.to_owned());
        let same =
            known.iter().find(|known| name(known).is_some_and(|it| name(pattern) == Some(it)));
        let near = || nearest(pattern, known.iter().map(String::as_str));
        let near = same.map(String::as_str).or_else(near);
        let help = near.map(|name| format!("did you mean `{name}`?"));
        let label = "it never does anything";
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, help);
    };
    look(values.text("element"), values.span_of("element"));
    for expected in values.tables("expect") {
        look(expected.text("element"), expected.span_of("element"));
    }
}

/// Warns of a run in which no interruption can be a sustained one.
fn warn_if_none_sustained(values: &Values, duration: Option<SimDuration>, out: &mut Diagnostics) {
    let sustained_from: SimDuration = values.duration("sustained_from");
    let Some(duration) = duration.filter(|duration| *duration < sustained_from) else { return };
    if values.si_opt("energy").is_some() {
        return;
    }
    let index = ["saidi", "saifi", "caidi"].into_iter().find(|key| values.get(key).is_some());
    let help = "lengthen `duration`, write a shorter `sustained_from`, or limit `energy`";
    out.warn(Diagnostic {
        code: Code::SHORT_RUN,
        message: format!(
            "sustained interruptions last {sustained_from} or more, and the scenario {duration}"
        ),
        span: values.span_of(index.unwrap_or("kind")),
        label: "could only be inconclusive".to_owned(),
        help: Some(help.to_owned()),
    });
}

/// Where a device writes what it reports, and what it reports of that.
type Reported = (&'static str, fn(&PlannedReports) -> &Vec<&'static str>);

/// That of `event` and `tamper`: reports a check of what meters report by themselves that would see
/// nothing, since none of its devices reports it. Of a device that could not be made nobody knows.
pub(super) fn report_unseen(
    values: &Values,
    (key, words): Reported,
    bench: &PlannedBench<'_>,
    out: &mut Diagnostics,
) {
    let wanted = WantedReports::of(values);
    let is_enough = |device: &Option<PlannedReports>| {
        device.as_ref().is_none_or(|device| wanted.are_in(words(device)))
    };
    if bench.devices.is_empty() || bench.devices.iter().any(is_enough) {
        return;
    }
    let is_asked_for = values.is_written("what") && !values.is_default("what");
    let places = [("what", is_asked_for), ("device", values.is_written("device"))];
    let place = places.into_iter().find(|(_, is_written)| *is_written);
    let span = values.span_of(place.map_or("kind", |(place, _)| place));
    let asked = wanted.kinds.join(", ");
    let how_many = if wanted.needs_all { "all" } else { "any" };
    let message = format!("none of the check's devices reports {how_many} of: {asked}");
    let help = format!("write `{key}` with it at the device, or choose other devices");
    out.report_with_help(Code::CANNOT_MEASURE, span, message, "it would see nothing", Some(help));
}
