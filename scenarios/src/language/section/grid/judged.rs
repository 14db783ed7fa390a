//! What checks of a network in motion need.

use lastmeter_params::{Code, Diagnostics, Pattern, Values};

use super::feed::Grid;

/// Checks that read what happens between steps.
const OF_MOTION: [&str; 2] = ["operated", "unserved"];

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
    if kind != "operated" {
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
