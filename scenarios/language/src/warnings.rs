//! What makes sense and is odd: most likely not what was meant, and no mistake.
//!
//! Each is one function and reports its oddity once. They are looked for in a scenario without
//! mistakes, and never change an exit code.

use lastmeter_devices::Device;
use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_sim::{Netting, ReferenceSpan, Terminal};
use lastmeter_units::{MeasurementId, Phase, Quantity, SimDuration};

use super::draft::{Draft, Row, warn};
use super::section::device::{DEVICE, reported};
use super::section::keys::{AS, HARDWARE};
use super::section::scenario::SCENARIO;

/// The extended operating range of voltage of IEC 62052-11, relative to the rated one.
const VOLTAGE_RANGE: std::ops::RangeInclusive<f64> = 0.8..=1.15;

/// A window of 10 cycles at 50 Hz, or of 12 at 60 Hz.
const WINDOW: SimDuration = SimDuration(200_000_000);

/// A scenario without devices measures nothing.
pub(super) fn warn_no_devices(draft: &Draft<'_>, out: &mut Diagnostics) {
    let (true, Some(values)) = (draft.rows(&DEVICE).is_empty(), draft.values(&SCENARIO)) else {
        return;
    };
    let message = "the scenario has no device, so nothing is measured or reported".to_owned();
    let help = "add a `[[device]]`; `lastmeter list devices` shows the models";
    let label = "its checks have nothing to judge";
    warn(out, Code::NO_DEVICE, values.span, message, label, help);
}

/// A device whose first reading would be due after the end.
pub(super) fn warn_no_readings(
    row: &Row<'_>,
    device: &dyn Device,
    duration: SimDuration,
    out: &mut Diagnostics,
) {
    let (period, Some(name)) = (device.report_period(), row.name()) else { return };
    // A device that makes no readings, such as a recorder, is there for something else.
    if period <= duration || device.quantities().is_empty() {
        return;
    }
    let span = row.table.get("report_every").map_or(row.span, |node| node.span);
    let message = format!("`{name}` reports every {period}, and the scenario lasts {duration}");
    let label = "no reading is due";
    let help = "lengthen `duration`, or write a shorter `report_every`";
    warn(out, Code::NO_READING, span, message, label, help);
}

/// Hardware that is asked for more than is judged.
pub(super) fn warn_unjudged(
    row: &Row<'_>,
    device: &dyn Device,
    is_judged: impl Fn(MeasurementId) -> bool,
    out: &mut Diagnostics,
) {
    let (Some(values), Some(name)) = (&row.values, row.name()) else { return };
    if values.text(AS) != HARDWARE {
        return;
    }
    let asked = reported(values, device.quantities());
    let unjudged: Vec<&str> =
        asked.into_iter().filter(|id| !is_judged(*id)).map(MeasurementId::name).collect();
    if unjudged.is_empty() {
        return;
    }
    let message = format!("`{name}` reports {}, which no check judges", unjudged.join(", "));
    let label = "whatever comes of them passes";
    let help = "add an `accuracy` check of each, or do not ask for them";
    warn(out, Code::NOT_JUDGED, values.span_of(AS), message, label, help);
}

/// A command whose effect no reading can show.
pub(super) fn warn_unseen_command(
    row: &Row<'_>,
    (device, period): (&str, SimDuration),
    duration: SimDuration,
    out: &mut Diagnostics,
) {
    let Some(values) = &row.values else { return };
    let at = values.duration("at");
    if at + period <= duration {
        return;
    }
    let message = format!("no reading of `{device}` is due in a whole period behind this command");
    let label = "what becomes of it is not seen";
    let help = "give it earlier or lengthen `duration`, and judge what it changes";
    warn(out, Code::COMMAND_UNSEEN, values.span_of("at"), message, label, help);
}

/// A meter at a voltage that it is not made for.
pub fn warn_off_rated_voltage(values: &Values, terminal: &Terminal, out: &mut Diagnostics) {
    let name = values.text("name");
    let Some(rated_v) = rated_v(values) else { return };
    let Some(volts) = volts_at(terminal) else { return };
    // Without any voltage it is an outage that is tested.
    if volts == 0.0 || !volts.is_finite() || VOLTAGE_RANGE.contains(&(volts / rated_v)) {
        return;
    }
    let span = values.span_of("at");
    let volts = lastmeter_text::number(volts);
    let rated = lastmeter_text::number(rated_v);
    let message = format!("`{name}` is at {volts} V, and rated for {rated} V");
    let label = "far from its rated voltage";
    let help = "change the source's voltage, or `nominal_voltage` or `voltage_ratio` of the device";
    warn(out, Code::FAR_FROM_RATED, span, message, label, help);
}

/// The rated voltage of a phase, at the primary side of a transformer.
fn rated_v(values: &Values) -> Option<f64> {
    let nominal_v = values.si_opt("nominal_voltage")?;
    Some(nominal_v * values.si_opt("voltage_ratio").unwrap_or(1.0))
}

/// The voltage of the first phase in the first window.
fn volts_at(terminal: &Terminal) -> Option<f64> {
    let id = MeasurementId::of(Quantity::VoltageRms, Phase::L1)?;
    let span = ReferenceSpan { from: SimDuration(0), to: WINDOW, registers_from: SimDuration(0) };
    terminal.reference(id, span, Netting::Net)
}
