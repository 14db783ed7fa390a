//! `[test_plan]`: a standard's tests become operating points that one source plays.
//!
//! The test plan itself, its plan and its judging belong to the reports' package; here the points
//! are handed to the plant, and the section is held against the rest of the scenario.

use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, SourceId, Span, Values};
use lastmeter_plans::standard::{
    Component, Conditions, EMBEDDED, Plan, Shape, TEST_PLAN_BYTES_MAX, TEST_PLAN_FIELDS,
    TEST_PLAN_FILE_PREFIX, TEST_PLAN_SOURCE, embedded, read_plan,
};
use lastmeter_sim::plan::{Harmonic, OperatingPoint, PhaseSequence, VoltageModulation, WaveShape};
use lastmeter_sim::{Program, Streams, Terminal};
use lastmeter_units::SimDuration;

use super::device::DEVICE;
use crate::draft::{Draft, Row, Section};
use crate::files::Files;
use crate::names::Names;

pub(crate) static TEST_PLAN: Section = Section {
    name: "test_plan",
    doc: "A standard's tests, one operating point after another at a source of its own, to \
        which the device is connected with `at = \"source:test-plan\"`. How long the scenario \
        lasts follows from the plan. Checks of kind `test_plan` judge it. `lastmeter list \
        test-plans` shows the built-in ones, `lastmeter explain` one of them all its limits.",
    fields: TEST_PLAN_FIELDS,
    refers: &[("device", "device")],
    ..Section::ONCE
};

/// What plays a plan, and what is reported of devices that it cannot be played to.
pub(super) struct Player<'a> {
    /// Its name as a source, and its place among them.
    pub(super) source: &'static str,
    pub(super) at: Option<usize>,
    /// The source of each device's table.
    pub(super) source_of_table: &'a [Option<usize>],
    /// Expected of a device that is one of several.
    pub(super) alone: &'static str,
    /// The message about one that is connected to something else.
    pub(super) elsewhere: &'static str,
}

/// The plan of the scenario's `[test_plan]`; `None` without one, and after a mistake.
pub(crate) fn plan(
    draft: &Draft<'_>,
    files: &Files<'_>,
    out: &mut Diagnostics,
) -> Option<Arc<Plan>> {
    let values = draft.values(&TEST_PLAN)?;
    let text = text_of(values, files, out)?;
    let device = values.text("device");
    let row = draft.rows(&DEVICE).iter().find(|row| row.name() == Some(device))?;
    let period = row.values.as_ref()?.duration_opt("report_every")?;
    read_plan(values, &text, period, out).map(Arc::new)
}

/// The device under test is there, by itself, and connected to what the test plan plays.
pub(crate) fn validate_device(
    draft: &Draft<'_>,
    devices: &Names,
    sources: &Names,
    source_of_table: &[Option<usize>],
    out: &mut Diagnostics,
) {
    let Some(test_plan) = draft.single(&TEST_PLAN) else { return };
    let named = test_plan.text("device");
    let Some(named) = named.filter(|(name, _)| devices.position(name).is_some()) else { return };
    let player = Player {
        source: TEST_PLAN_SOURCE,
        at: sources.position(TEST_PLAN_SOURCE),
        source_of_table,
        alone: "a test plan tests one device with a table of its own",
        elsewhere: "is tested by the test plan, but not connected to it",
    };
    device_of_player(draft, named, &player, out);
}

/// The table of a device that a plan is about: of one device alone, which is connected to what
/// plays the plan; `None` if it is one of several.
pub(super) fn device_of_player<'d, 'a>(
    draft: &'d Draft<'a>,
    (name, span): (&str, Span),
    player: &Player<'_>,
    out: &mut Diagnostics,
) -> Option<&'d Row<'a>> {
    let mut rows = draft.rows(&DEVICE).iter().enumerate();
    let Some((place, row)) = rows.find(|(_, row)| row.name() == Some(name)) else {
        let message = format!("`{name}` is one of several alike");
        out.report(Code::DOES_NOT_FIT, span, message, player.alone);
        return None;
    };
    let source = player.source_of_table.get(place).copied().flatten();
    if source.is_some() && source != player.at {
        let (_, span) = row.text("at").unwrap_or(("", row.span));
        let message = format!("`{name}` {}", player.elsewhere);
        let help = Some(format!("write `at = \"source:{}\"`", player.source));
        let label = "another source";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
    }
    Some(row)
}

/// The text of the test plan that is named: one that comes along, or a file.
fn text_of(values: &Values, files: &Files<'_>, out: &mut Diagnostics) -> Option<String> {
    let standard = values.text("standard");
    let span = values.span_of("standard");
    // A run is repeated by what it was judged by, unless the command line names something else.
    if files.is_of_run() && span.source == SourceId::FILE {
        let help = Some("to take another text, write `--set test_plan.standard=...`".to_owned());
        let kept = files.kept(&format!("{TEST_PLAN_FILE_PREFIX}{standard}"));
        let (code, message, label) = match kept {
            Ok(Some(text)) => return Some(text.to_owned()),
            Ok(None) => (
                Code::FILE_UNREADABLE,
                format!("the run folder keeps no copy of the test plan `{standard}`"),
                "expected in `run.json` beside the scenario",
            ),
            Err(why) => (Code::FILE_REFUSED, why, "expected the copy that the run was judged by"),
        };
        out.report_with_help(code, span, message, label, help);
        return None;
    }
    if let Some(text) = embedded(standard) {
        return Some(text.to_owned());
    }
    // Names have no dots, and end in no folder.
    let is_path = standard.contains(['/', '\\', '.']);
    if !is_path {
        let names = EMBEDDED.iter().map(|(name, _)| *name);
        let help = match lastmeter_params::nearest(standard, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("there are {}; or write a path", names.collect::<Vec<_>>().join(", "))
            }
        };
        let message = format!("there is no built-in test plan `{standard}`");
        let label = "nothing of this name is built in";
        out.report_with_help(Code::UNKNOWN_THING, span, message, label, Some(help));
        return None;
    }
    match files.read(standard) {
        Ok(bytes) if (1..=TEST_PLAN_BYTES_MAX).contains(&bytes.len()) => {
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        Ok(_) => {
            let most = TEST_PLAN_BYTES_MAX >> 20;
            let message =
                format!("`{standard}` is refused: it is empty, or larger than {most} MiB");
            out.report(Code::FILE_REFUSED, span, message, "expected a test plan");
            None
        }
        Err(reason) => {
            let message = format!("`{standard}` cannot be read: {reason}");
            out.report(Code::FILE_UNREADABLE, span, message, "expected a test-plan file");
            None
        }
    }
}

/// What plays the points of a plan.
pub(crate) fn terminal(
    plan: &Plan,
    values: &Values,
    streams: Streams,
    out: &mut Diagnostics,
) -> Option<Terminal> {
    let mut points = Vec::with_capacity(plan.points.len());
    for point in &plan.points {
        match operating_point(plan, &point.conditions, point.end - point.start) {
            Ok(point) => points.push(point),
            Err(message) => {
                let span = values.span_of("standard");
                out.report(Code::DOES_NOT_FIT, span, message, "cannot be played");
                return None;
            }
        }
    }
    play(&points, TEST_PLAN_SOURCE, streams, values, out)
}

/// A source that plays points, one after another.
pub(super) fn play(
    points: &[OperatingPoint],
    source: &str,
    streams: Streams,
    values: &Values,
    out: &mut Diagnostics,
) -> Option<Terminal> {
    let program = Program::from_points(points);
    match program.and_then(|program| Terminal::from_program(&program, source, &streams)) {
        Ok(terminal) => Some(terminal),
        Err(error) => {
            let label = "these points make no terminal";
            out.report(Code::DOES_NOT_FIT, values.span, error.to_string(), label);
            None
        }
    }
}

/// A point of a plan as the plant takes it.
fn operating_point(
    plan: &Plan,
    conditions: &Conditions,
    duration: SimDuration,
) -> Result<OperatingPoint, String> {
    let waveform = &plan.test_plan.waveforms[conditions.waveform];
    let phases = conditions.phases;
    // What is cut from a sine has this RMS value if the sine has the reciprocal one.
    let (current_shape, share) = shape(waveform.shape);
    let balanced = OperatingPoint::balanced(duration, phases, conditions.frequency, 0.0, 0.0);
    Ok(OperatingPoint {
        voltages_v: conditions.voltages[..phases].to_vec(),
        currents_a: conditions.currents[..phases].iter().map(|rms| rms / share).collect(),
        current_lags_rad: vec![conditions.lag_rad; phases],
        sequence: if conditions.reversed {
            PhaseSequence::Negative
        } else {
            PhaseSequence::Positive
        },
        voltage_harmonics: harmonics(&waveform.voltage, &waveform.name)?,
        voltage_modulation: waveform.modulation.map(|of| VoltageModulation {
            changes_per_minute: of.changes_per_minute,
            depth: of.depth,
        }),
        current_harmonics: harmonics(&waveform.current, &waveform.name)?,
        current_shape,
        temperature_celsius: conditions.celsius,
        ..balanced
    })
}

fn harmonics(components: &[Component], waveform: &str) -> Result<Vec<Harmonic>, String> {
    let harmonic = |component: &Component| {
        let order = component.order;
        if order.fract() != 0.0 || order < 2.0 {
            return Err(format!("waveform `{waveform}` has an order {order}: no harmonic"));
        }
        let Component { share, angle_rad, .. } = *component;
        Ok(Harmonic { order: order as u32, share, angle_rad })
    };
    components.iter().map(harmonic).collect()
}

/// A shape as the plant takes it, and the RMS value it leaves of a sine. That of a burst is the one
/// while it is on.
fn shape(shape: Shape) -> (WaveShape, f64) {
    use std::f64::consts::{FRAC_1_SQRT_2, PI};
    match shape {
        Shape::Sine => (WaveShape::Sine, 1.0),
        Shape::HalfWave => (WaveShape::HalfWave, FRAC_1_SQRT_2),
        Shape::PhaseFired(angle_rad) => {
            let angle_rad = angle_rad.clamp(0.0, PI * 0.99);
            let left = 1.0 - angle_rad / PI + (2.0 * angle_rad).sin() / (2.0 * PI);
            (WaveShape::PhaseFired { angle_rad }, left.sqrt())
        }
        Shape::Burst { on, off } => (WaveShape::BurstFired { on, off }, 1.0),
    }
}
