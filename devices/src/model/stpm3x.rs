//! Three-phase meter built on converters of the STPM3x family.
//!
//! Defaults follow the maker's data: second-order 24-bit sigma-delta converters at 7.8125 kS/s,
//! active energy within 0.1 % over 5000:1. What is modelled is the chain of `front_end`, not the
//! chip's registers: no droop of its filter (-3 dB at 3.6 kHz), no temperature.

use lastmeter_metrology::EngineConfig;
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_sim::Netting;

use crate::border::Device;
use crate::front_end::{Channel, ChannelParameters};
use crate::meter::{Acquisition, InputTopic, Meter, MeterParts, PERIOD_MIN};
use crate::reading::{GROUPS, identifiers};
use crate::registry::{DeviceContext, DeviceKind};
use crate::sampled::Sampled;
use crate::windows::ClosedForm;

const PHASES: usize = 3;

/// The registered model.
pub(crate) const STPM34_3PH: DeviceKind = DeviceKind {
    entry: Entry {
        name: "stpm34-3ph",
        summary: "three-phase meter with STPM3x converters: U, I, P, Q, S, PF, f, energies",
        description: "Three voltages and three currents go through a front end (ratio, gain and \
            phase error, offset, noise, range, converter steps) into a metrology engine with \
            gapless windows of 10 cycles (50 Hz) or 12 (60 Hz). Every `report_every` the meter \
            publishes one reading with its serial number over MQTT: RMS means of voltages and \
            currents, means of powers, the power factor P/S of those means, and energy registers. \
            With `fidelity = \"samples\"` every sample is computed; with \"windows\" each window \
            comes in closed form from the source's spectrum, which is thousands of times faster. \
            The meter obeys the command `setReportingPeriod` (`seconds`).",
        fields: FIELDS,
    },
    build,
};

const fn ratio(limit: f64) -> Kind {
    Kind::Quantity { dimension: Dimension::Ratio, min: -limit, max: limit }
}

const fn positive(dimension: Dimension, max: f64) -> Kind {
    Kind::Quantity { dimension, min: 0.0, max }
}

const fn either_way(dimension: Dimension, limit: f64) -> Kind {
    Kind::Quantity { dimension, min: -limit, max: limit }
}

const TRANSFORMER: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 1e-3, max: 1e6 };
const HEADROOM: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 1.0, max: 1000.0 };

static FIELDS: &[Field] = &[
    Field::default(
        "report_every",
        // The lower bound is PERIOD_MIN.
        Kind::Quantity { dimension: Dimension::Time, min: 0.25, max: 86_400.0 },
        "\"10 s\"",
        "Time between two readings; at least 0.25 s, so that each has a window.",
    ),
    Field::default(
        "fidelity",
        Kind::Choice(&["samples", "windows"]),
        "\"samples\"",
        "Compute every sample, or each 10/12-cycle window in closed form (R-01).",
    ),
    Field::default(
        "total",
        Kind::Choice(&["net", "per-phase"]),
        "\"net\"",
        "Whether a total nets the phases before it is split into consumed and injected (D-21).",
    ),
    Field::default(
        "quantities",
        Kind::List(&Kind::Choice(GROUPS)),
        "[\"voltage\", \"current\", \"active_power\", \"reactive_power\", \"apparent_power\", \
          \"power_factor\", \"frequency\", \"active_energy\", \"reactive_energy\", \
          \"apparent_energy\"]",
        "What a reading contains.",
    ),
    Field::default(
        "totals_only",
        Kind::Boolean,
        "false",
        "Leave out the phases of whatever has a total (all quantities then make 20 values, not 50).",
    ),
    Field::default(
        "obey_commands",
        Kind::Boolean,
        "true",
        "Whether commands are carried out and answered.",
    ),
    Field::default(
        "input_topic",
        Kind::Choice(&["shared", "bound"]),
        "\"shared\"",
        "Publish where all devices of the tenant do, or on `TENANT/device/HARDWARE-ID/input/json`, \
         which takes this device only.",
    ),
    Field::default(
        "nominal_frequency",
        positive(Dimension::Frequency, 60.0),
        "\"50 Hz\"",
        "50 Hz or 60 Hz; a window has 10 cycles or 12.",
    ),
    Field::default(
        "nominal_voltage",
        Kind::Quantity { dimension: Dimension::Voltage, min: 1e-3, max: 1e6 },
        "\"230 V\"",
        "Nominal RMS voltage at the meter's terminals.",
    ),
    Field::default(
        "nominal_current",
        Kind::Quantity { dimension: Dimension::Current, min: 1e-6, max: 1e6 },
        "\"5 A\"",
        "Nominal RMS current at the meter's terminals.",
    ),
    Field::default(
        "voltage_ratio",
        TRANSFORMER,
        "1",
        "Ratio of the voltage transformer, primary over secondary; 1 if connected directly.",
    ),
    Field::default(
        "current_ratio",
        TRANSFORMER,
        "1",
        "Ratio of the current transformer, primary over secondary; 1 if connected directly.",
    ),
    Field::default(
        "voltage_headroom",
        HEADROOM,
        "2",
        "Largest sine that is not clipped, over the nominal voltage.",
    ),
    Field::default(
        "current_headroom",
        HEADROOM,
        "20",
        "Largest sine that is not clipped, over the nominal current.",
    ),
    Field::default("voltage_gain_error", ratio(0.5), "\"0 %\"", "Relative gain error, voltages."),
    Field::default("current_gain_error", ratio(0.5), "\"0 %\"", "Relative gain error, currents."),
    Field::default(
        "voltage_offset",
        either_way(Dimension::Voltage, 1e6),
        "\"0 V\"",
        "Direct component the converters add, at the meter's terminals.",
    ),
    Field::default(
        "current_offset",
        either_way(Dimension::Current, 1e6),
        "\"0 A\"",
        "Direct component the converters add, at the meter's terminals.",
    ),
    Field::default(
        "phase_error",
        either_way(Dimension::Angle, 0.0175),
        "\"0 deg\"",
        "Angle by which the current channels lead, at nominal frequency; at most one degree.",
    ),
    Field::default(
        "voltage_noise",
        positive(Dimension::Voltage, 1e6),
        "\"10 mV\"",
        "RMS of the converters' white noise, at the meter's terminals.",
    ),
    Field::default(
        "current_noise",
        positive(Dimension::Current, 1e6),
        "\"0.5 mA\"",
        "RMS of the converters' white noise, at the meter's terminals.",
    ),
    Field::default("bits", Kind::Integer { min: 8, max: 32 }, "24", "Bits of the converters."),
    Field::default(
        "sample_rate",
        Kind::Quantity { dimension: Dimension::Frequency, min: 1000.0, max: 100_000.0 },
        "\"7812.5 Hz\"",
        "Samples per second and channel.",
    ),
];

fn build(
    values: &Values,
    context: &DeviceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Box<dyn Device>> {
    let mistakes_before = diagnostics.len();
    let nominal_hz = values.si("nominal_frequency");
    let rate_hz = values.si("sample_rate");
    check(values, context, diagnostics);
    if diagnostics.len() > mistakes_before {
        return None;
    }
    let voltage = channel(values, "voltage", 0.0, diagnostics);
    let current = channel(values, "current", values.si("phase_error"), diagnostics);
    let (voltage, current) = (voltage?, current?);
    let config = EngineConfig::new(rate_hz, nominal_hz, PHASES);
    let acquisition = if values.text("fidelity") == "windows" {
        let cycles = if nominal_hz == 60.0 { 12.0 } else { 10.0 };
        let channels = (voltage, current);
        Acquisition::Windows(Box::new(ClosedForm::new(
            channels,
            rate_hz,
            cycles,
            PHASES,
            context.name,
            *context.streams,
        )))
    } else {
        match Sampled::new(voltage, current, config, context.name, *context.streams) {
            Ok(chain) => Acquisition::Samples { chain: Box::new(chain), rate_hz, taken: 0 },
            Err(error) => {
                let span = values.span_of("sample_rate");
                diagnostics.report(
                    Code::DOES_NOT_FIT,
                    span,
                    error.to_string(),
                    "too low for this frequency",
                );
                return None;
            }
        }
    };
    Some(Box::new(Meter::new(MeterParts {
        hardware_id: context.hardware_id.clone(),
        tenant: context.tenant.to_owned(),
        input_topic: match values.text("input_topic") {
            "bound" => InputTopic::Bound,
            _ => InputTopic::Shared,
        },
        start: context.start,
        acquisition,
        quantities: identifiers(&values.text_list("quantities"), values.boolean("totals_only")),
        netting: match values.text("total") {
            "per-phase" => Netting::PerPhase,
            _ => Netting::Net,
        },
        period: values.duration("report_every").max(PERIOD_MIN),
        obeys_commands: values.boolean("obey_commands"),
    })))
}

/// Notes what does not fit together.
fn check(values: &Values, context: &DeviceContext<'_>, diagnostics: &mut Diagnostics) {
    let mut refuse = |code: Code, field: &str, message: String, label: &str| {
        diagnostics.report(code, values.span_of(field), message, label);
    };
    let nominal_hz = values.si("nominal_frequency");
    if nominal_hz != 50.0 && nominal_hz != 60.0 {
        let message = format!("the nominal frequency is {nominal_hz} Hz");
        refuse(Code::OUT_OF_RANGE, "nominal_frequency", message, "expected \"50 Hz\" or \"60 Hz\"");
    }
    if context.phases != PHASES {
        let message = format!(
            "`{}` is a three-phase meter, but its source has {} phase(s)",
            context.name, context.phases
        );
        refuse(Code::DOES_NOT_FIT, "at", message, "expected a three-phase source");
    }
    if values.text("fidelity") == "windows" && !context.has_spectrum {
        let message = "a played recording has no spectrum to compute windows from".to_owned();
        refuse(Code::DOES_NOT_FIT, "fidelity", message, "expected \"samples\" with this source");
    }
    if values.list("quantities").is_empty() {
        let message = "a reading without quantities would be empty".to_owned();
        refuse(Code::OUT_OF_RANGE, "quantities", message, "expected at least one group");
    }
}

fn channel(
    values: &Values,
    kind: &str,
    lead_rad: f64,
    diagnostics: &mut Diagnostics,
) -> Option<Channel> {
    let si = |name: &str| values.si(&format!("{kind}_{name}"));
    let parameters = ChannelParameters {
        ratio: si("ratio"),
        nominal: values.si(&format!("nominal_{kind}")),
        headroom: si("headroom"),
        gain_error: si("gain_error"),
        offset: si("offset"),
        noise_rms: si("noise"),
        lead_rad,
        bits: u32::try_from(values.integer("bits")).unwrap_or(24),
    };
    let made = Channel::new(&parameters, values.si("nominal_frequency"), values.si("sample_rate"));
    if made.is_err() {
        diagnostics.report(
            Code::DOES_NOT_FIT,
            values.span_of("phase_error"),
            "the phase error is too large for this sampling rate",
            "expected a smaller angle, or a lower `sample_rate`",
        );
    }
    made.ok()
}
