//! What checks of a network in motion need.

use lastmeter_devices::{Device, TamperKind, VoltageEventKind};
use lastmeter_params::{Code, Diagnostics, Pattern, Values};
use lastmeter_reports::check::WantedReports;
use lastmeter_units::SimDuration;

use super::feed::Grid;

/// Checks that read what happens between steps.
const OF_MOTION: [&str; 2] = ["operated", "unserved"];

/// Checks of what only a meter tells that lives on what it measures.
const OF_SUPPLY: [&str; 2] = ["last_gasp", "restored"];

/// Reports a check of last gasps, or of returns, if none of these devices lives on its supply; what
/// could not be made may do.
pub(crate) fn sees_supply<'a>(
    kind: &str,
    values: &Values,
    mut devices: impl Iterator<Item = Option<&'a dyn Device>>,
    out: &mut Diagnostics,
) {
    if !OF_SUPPLY.contains(&kind)
        || devices.any(|it| it.is_none_or(|device| device.supply().is_some()))
    {
        return;
    }
    let span =
        if values.is_written("device") { values.span_of("device") } else { values.span_of("kind") };
    let message = format!("`{kind}` is about meters that live on what they measure");
    let help = "write `hold_up = \"500 ms\"` in the `[[device]]` of a meter".to_owned();
    let label = "no meter that this means has `hold_up`";
    out.report_with_help(Code::CANNOT_MEASURE, span, message, label, Some(help));
}

/// Reports operations that are expected after the end.
pub(crate) fn is_in_time(
    kind: &str,
    values: &Values,
    duration: Option<SimDuration>,
    out: &mut Diagnostics,
) {
    let Some(duration) = duration.filter(|_| kind == "operated") else { return };
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

/// Reports a check that would pass because nothing of what it judges is there: in a network that
/// only steps nothing is recorded between steps, and an element that is not there does nothing.
pub(crate) fn sees_motion(kind: &str, values: &Values, grid: Option<&Grid>, out: &mut Diagnostics) {
    if !OF_MOTION.contains(&kind) {
        return;
    }
    let span = values.span_of("kind");
    let Some(grid) = grid else {
        let message = format!("a check `{kind}` needs a network");
        let help = Some("add a `[grid]` with the `file` of one".to_owned());
        out.report_with_help(Code::CANNOT_MEASURE, span, message, "there is none", help);
        return;
    };
    let is_stepped = grid.feeder.as_ref().is_some_and(|feeder| !feeder.is_in_motion());
    let live = grid.live.as_ref();
    if live.is_some_and(|live| live.moving.is_some()) && kind == "unserved" {
        let message = "who has a supply is not recorded where a simulator plays the network";
        let label = "expected a network without a simulator";
        out.report(Code::CANNOT_MEASURE, span, message, label);
        return;
    }
    if is_stepped || live.is_some_and(|live| live.moving.is_none()) {
        let message = format!("`{kind}` is about what happens between the steps of a network");
        let help = "write `resolution = \"waveforms\"` (or `\"phasors\"`) under `[grid]`";
        let label = "this network only steps";
        out.report_with_help(Code::CANNOT_MEASURE, span, message, label, Some(help.to_owned()));
        return;
    }
    if kind == "unserved" {
        let wants = values.text("planned") != "count";
        let has = grid.feeder.as_ref().is_none_or(|it| it.has_planned_outages());
        if wants && !has {
            let message = "no outage of this scenario is planned";
            let label = "expected an `outage` with `planned = true`";
            out.report(Code::CANNOT_MEASURE, values.span_of("planned"), message, label);
        }
        return;
    }
    let (network, mut known) = match (&grid.feeder, live) {
        (Some(feeder), _) => {
            let devices = feeder.protectors().iter().map(|it| it.name.to_string());
            let done = feeder.operations().iter().map(|it| it.element.to_string());
            (feeder.network(), devices.chain(done).collect())
        }
        (None, Some(live)) => (&*live.network, live.moving.clone().unwrap_or_default()),
        (None, None) => return,
    };
    known.extend(network.switches.iter().map(|it| format!("switch:{}", it.name)));
    let known: Vec<String> = known;
    let mut look = |pattern: &str, span| {
        let wanted = Pattern::new(pattern);
        if pattern == "*" || known.iter().any(|name| wanted.matches(name)) {
            return;
        }
        let message = format!("no element of the network is called `{pattern}`");
        let nearest = lastmeter_params::nearest(pattern, known.iter().map(String::as_str));
        let help = nearest.map(|name| format!("did you mean `{name}`?"));
        let label = "it never does anything";
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, help);
    };
    look(values.text("element"), values.span_of("element"));
    for expected in values.tables("expect") {
        look(expected.text("element"), expected.span_of("element"));
    }
}

/// Reports a check of what meters report by themselves that would see nothing, since none of its
/// devices reports it. Of a device that could not be built nobody knows.
pub(crate) fn can_be_reported<'a>(
    kind: &str,
    values: &Values,
    devices: impl Iterator<Item = Option<&'a dyn Device>>,
    out: &mut Diagnostics,
) {
    let key = match kind {
        "event" => "events",
        "tamper" => "tamper",
        _ => return,
    };
    let wanted = WantedReports::of(values);
    let words = |device: &dyn Device| -> Vec<&'static str> {
        let events = device.watched_events().filter(|_| kind == "event");
        let events = events.into_iter().flat_map(|facts| facts.kinds).map(VoltageEventKind::word);
        let tamper = device.watched_tamper().filter(|_| kind == "tamper");
        events.chain(tamper.into_iter().flat_map(|it| it.kinds).map(TamperKind::word)).collect()
    };
    let reported: Option<Vec<Vec<&str>>> = devices.map(|device| device.map(words)).collect();
    let Some(reported) = reported else { return };
    if reported.is_empty() || reported.iter().any(|it| wanted.are_in(it)) {
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
