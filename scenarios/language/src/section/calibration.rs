//! `[calibration]`: a sweep, the points a procedure measures at, and the sweep again, played by one
//! source to a meter and the reference meter beside it.
//!
//! The plan and its judging belong to the reports' package; here the points are handed to the
//! plant, and the section is held against the rest of the scenario.

use std::sync::Arc;

use lastmeter_devices::DEVICES;
use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_plans::calibration::{
    CALIBRATION_FIELDS, CALIBRATION_SOURCE, Conditions, Plan, read_plan,
};
use lastmeter_sim::plan::OperatingPoint;
use lastmeter_sim::{Streams, Terminal};

use rand::RngExt as _;

use super::device::{self, DEVICE};
use super::scenario::{SCENARIO, is_in_real_time};
use super::test_plan::{Player, TEST_PLAN, device_of_player, play};
use crate::draft::{Draft, Section};
use crate::names::Names;

pub(crate) static CALIBRATION: Section = Section {
    name: "calibration",
    doc: "A meter is calibrated against a reference meter, both `at = \
        \"source:calibration\"`: a sweep of the errors before, the points the procedure \
        measures at, the same sweep after. The bench computes coefficients from what both \
        reported through the platform, and sends them to the meter's registers as \
        commands. How long the scenario lasts follows from the plan. Checks of kind \
        `calibration` judge it.",
    fields: CALIBRATION_FIELDS,
    refers: &[("device", "device"), ("reference", "device")],
    ..Section::ONCE
};

/// The plan of the scenario's `[calibration]`; `None` without one, and after a mistake.
pub(crate) fn plan(draft: &Draft<'_>, out: &mut Diagnostics) -> Option<Arc<Plan>> {
    let values = draft.values(&CALIBRATION)?;
    if draft.single(&TEST_PLAN).is_some() {
        let message = "a scenario plays a test plan or a calibration, not both";
        out.report(Code::DOES_NOT_FIT, values.span, message, "beside `[test_plan]`");
        return None;
    }
    let head = draft.values(&SCENARIO)?;
    if is_in_real_time(draft) {
        let message = "a calibration runs in virtual time";
        out.report(Code::DOES_NOT_FIT, head.span_of("time"), message, "expected \"virtual\"");
        return None;
    }
    let table = |name: &str| {
        let row = draft.rows(&DEVICE).iter().find(|row| row.name() == Some(name))?;
        row.values.as_ref()
    };
    let device = table(values.text("device"))?;
    let stated = table(values.text("reference"))?.si_opt("stated_uncertainty");
    read_plan(values, device.duration_opt("report_every")?, stated, out).map(Arc::new)
}

/// Meter and reference meter are there, by themselves, connected to what is played, and of
/// models that can be calibrated and report what is needed.
pub(crate) fn validate_meters(
    draft: &Draft<'_>,
    devices: &Names,
    sources: &Names,
    source_of_table: &[Option<usize>],
    out: &mut Diagnostics,
) {
    let Some(section) = draft.single(&CALIBRATION) else { return };
    let is_static = section.table.text("procedure") == Some("static");
    let player = Player {
        source: CALIBRATION_SOURCE,
        at: sources.position(CALIBRATION_SOURCE),
        source_of_table,
        alone: "a calibration is of one device with a table of its own",
        elsewhere: "takes part in the calibration at another source",
    };
    let mut periods = Vec::new();
    for role in ["device", "reference"] {
        let named = section.text(role).filter(|(name, _)| devices.position(name).is_some());
        let Some((name, span)) = named else { continue };
        let Some(row) = device_of_player(draft, (name, span), &player, out) else { continue };
        let kind = device::kind_of(row).filter(|it| role == "device" && it.registers.is_none());
        if let Some(kind) = kind {
            let model = kind.entry.name;
            let message = format!("nothing is known of calibration registers of `{model}`");
            let label = format!("expected {}", models_with_registers());
            out.report(Code::DOES_NOT_FIT, span, message, label);
        }
        let Some(values) = &row.values else { continue };
        validate_reported(name, values, is_static, out);
        periods.push((name, values.duration("report_every"), values));
    }
    if let [(_, one, _), (name, other, values)] = periods[..]
        && one != other
    {
        let message = format!("`{name}` does not report when the meter does");
        let label = format!("expected every {one}");
        out.report(Code::DOES_NOT_FIT, values.span_of("report_every"), message, label);
    }
}

/// The models that can be calibrated, for people.
fn models_with_registers() -> String {
    let models = DEVICES.iter().filter(|kind| kind.registers.is_some());
    let mut models: Vec<String> = models.map(|kind| format!("`{}`", kind.entry.name)).collect();
    models.sort();
    let last = models.pop().unwrap_or_default();
    format!("{} or {last}", models.join(", "))
}

/// A device reports the quantities that a procedure computes from.
fn validate_reported(name: &str, values: &Values, is_static: bool, out: &mut Diagnostics) {
    let reported = values.text_list("quantities");
    let needed: &[&str] = if is_static {
        &["mean"]
    } else {
        &["voltage", "current", "active_power", "reactive_power", "apparent_power"]
    };
    if let Some(missing) = needed.iter().find(|group| !reported.contains(group)) {
        let message = format!("`{name}` does not report `{missing}`");
        let label = format!("the procedure needs {}", needed.join(", "));
        out.report(Code::CANNOT_MEASURE, values.span_of("quantities"), message, label);
    }
}

/// What plays the points of a plan.
pub(crate) fn terminal(
    plan: &Plan,
    values: &Values,
    streams: Streams,
    out: &mut Diagnostics,
) -> Option<Terminal> {
    // What the generator is off by stays the same all over the calibration.
    let draw = |what: &str| {
        let stream = format!("source/{CALIBRATION_SOURCE}/generator/{what}");
        streams.stream(&stream).random_range(-1.0..=1.0)
    };
    let off = |channel: &str| {
        let (gain, offset) = plan.generator;
        let gain = 1.0 + gain * draw(&format!("{channel}/gain"));
        (gain, offset * draw(&format!("{channel}/offset")))
    };
    let (voltage, current) = (off("voltage"), off("current"));
    let points: Vec<OperatingPoint> = plan
        .points
        .iter()
        .map(|point| {
            let duration = point.end - point.start;
            let silent = OperatingPoint::balanced(duration, 1, plan.frequency_hz, 0.0, 0.0);
            match point.conditions {
                Conditions::Sine { voltage_v, current_a, lag_rad } => OperatingPoint {
                    voltages_v: vec![voltage_v],
                    currents_a: vec![current_a],
                    current_lags_rad: vec![lag_rad],
                    ..silent
                },
                Conditions::Direct { level } => OperatingPoint {
                    voltage_dc_v: plan.voltage_v * (voltage.0 * level + voltage.1),
                    current_dc_a: plan.current_a * (current.0 * level + current.1),
                    ..silent
                },
            }
        })
        .collect();
    play(&points, CALIBRATION_SOURCE, streams, values, out)
}
