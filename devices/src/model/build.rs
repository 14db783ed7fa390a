//! From the fields of a meter to the meter: what all models have in common.

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_metrology::flicker::{FlickerConfig, Lamp};
use lastmeter_metrology::{EngineConfig, EngineError, Resampling, Synchronisation};
use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_sim::{Netting, ProfileIntervals};
use lastmeter_units::MeasurementId;

use super::{class_meter, supply, tamper};
use crate::border::Device;
use crate::context::DeviceContext;
use crate::display::Display;
use crate::front_end::converter::{Curve, Supply, inl_table};
use crate::front_end::coupling::CouplingParameters;
use crate::front_end::cvct::MIDDLE_V;
use crate::front_end::group::FrontEnd;
use crate::front_end::transformer::TransformerParameters;
use crate::front_end::wander::Wander;
use crate::front_end::{Channel, ChannelParameters, Decimation, Sampling, Sensor, full_scale};
use crate::gaussian::Gaussian;
use crate::meter::{Acquisition, Meter, MeterParts};
use crate::outlet::Outlet;
use crate::outlet::reporter::Reporter;
use crate::reading::{
    BREAKER_GROUPS, Energy, PROFILE_GROUP, SAMPLE_GROUPS, UNBALANCE_GROUP, identifiers,
};
use crate::register::{FullScale, Registers, Row};
use crate::sampled::Sampled;
use crate::window::PERIOD_MIN;
use crate::windows::ClosedForm;
use crate::wiring::{self, Wiring};

/// Points of the engine's windows where nothing else is asked for.
const WINDOW_POINTS: usize = 4096;

/// Bits up to which every code can have an error of its own.
const DNL_BITS_MAX: u32 = 16;

/// What distinguishes one model from another, beside the defaults of its fields.
#[derive(Clone, Copy)]
pub(crate) struct Recipe {
    /// 1 or 3.
    pub(crate) phases: usize,
    pub(crate) registers: &'static [Row],
    /// Whether the transducer of the low-cost ARM meter paper stands before a converter of 0 to
    /// 3.6 V.
    pub(crate) is_cvct: bool,
    /// Whether it has a breaker with a voltage behind it, and a neutral current.
    pub(crate) has_breaker: bool,
    /// Whether it has the errors of an accuracy class.
    pub(crate) has_class: bool,
}

/// Makes a meter that reports by itself.
pub(crate) fn build(
    recipe: &Recipe,
    values: &Values,
    context: &DeviceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Box<dyn Device>> {
    let outlet = Reporter::uplink(context, values.boolean("obey_commands"));
    build_with(recipe, values, context, (outlet, |_| true), diagnostics)
}

/// Makes a meter with another way out, which takes these quantities only.
pub(crate) fn build_with(
    recipe: &Recipe,
    values: &Values,
    context: &DeviceContext<'_>,
    (outlet, takes): (Box<dyn Outlet>, fn(MeasurementId) -> bool),
    diagnostics: &mut Diagnostics,
) -> Option<Box<dyn Device>> {
    let mistakes_before = diagnostics.len();
    check(recipe, values, context, diagnostics);
    supply::check(values, &*outlet, diagnostics);
    tamper::check(values, &*outlet, diagnostics);
    if diagnostics.len() > mistakes_before {
        return None;
    }
    let sampling = sampling(values, recipe);
    let channels = channels(recipe, values, context, &sampling, diagnostics)?;
    let acquisition = acquisition(recipe, values, context, sampling, channels, diagnostics)?;
    let nominal_hz = values.si("nominal_frequency");
    let full_scale = FullScale {
        voltage_v: full_scale(values, "voltage"),
        current_a: full_scale(values, "current"),
        nominal_hz,
    };
    let dead = values.text_list("dead_registers");
    let registers = Registers::new(recipe.registers, full_scale, &dead);
    // Unless the scenario states a threshold, that of the chip's register holds.
    let is_default = values.is_default("no_load_threshold");
    let no_load_w = if is_default { registers.no_load_w() } else { None };
    let pulse_constant = values.integer("pulse_constant") as f64;
    let energy = Energy {
        no_load_w: no_load_w.unwrap_or_else(|| values.si("no_load_threshold")),
        pulses_per_joule: pulse_constant * (1.0 + values.si("pulse_constant_error")) / 3.6e6,
    };
    let groups = values.text_list("quantities");
    let mut quantities = identifiers(&groups, values.boolean("totals_only"), recipe.phases);
    quantities.retain(|&id| takes(id));
    Some(Box::new(Meter::new(MeterParts {
        outlet,
        acquisition,
        quantities,
        display: Display::of(values),
        netting: match values.text("total") {
            "per-phase" => Netting::PerPhase,
            _ => Netting::Net,
        },
        period: values.duration("report_every").max(PERIOD_MIN),
        registers,
        energy,
        pulse_constant,
        profile: values
            .duration_opt("profile_interval")
            .map(|length| ProfileIntervals { length, start: context.start }),
        phases: recipe.phases,
        has_breaker: recipe.has_breaker,
        supply: supply::supply(values, context, recipe.phases),
        events: supply::events(values, recipe.phases),
        tamper: tamper::sensors(values),
        wiring: Wiring::of(values, recipe.phases),
        errors: recipe.has_class.then(|| class_meter::errors(values)),
    })))
}

pub(crate) fn front_end(
    recipe: &Recipe,
    values: &Values,
    context: &DeviceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Sampling, FrontEnd)> {
    let sampling = sampling(values, recipe);
    let channels = channels(recipe, values, context, &sampling, diagnostics)?;
    let (crosstalk, streams) = (crosstalk(values), *context.streams);
    let front_end = FrontEnd::new(sampling, channels, crosstalk, context.name, streams);
    Some((sampling, front_end.with_coupling(coupling(values))))
}

fn coupling(values: &Values) -> CouplingParameters {
    let primary = |kind: &str| values.si(&format!("{kind}_ratio"));
    let volts = values.si("nominal_voltage") * primary("voltage");
    let per_second = TAU * values.si("nominal_frequency");
    CouplingParameters {
        supply: values.si("supply_dependence"),
        nominal_v: volts,
        pickup_f: values.si("voltage_pickup") * primary("current") / (volts * per_second),
    }
}

/// What of a phase's other channel is seen.
fn crosstalk(values: &Values) -> f64 {
    values.si_opt("crosstalk").map_or(0.0, |db| libm::pow(10.0, db / 20.0))
}

/// Notes what of power quality, and what of a power profile, a meter cannot report.
fn check_quality(recipe: &Recipe, values: &Values, diagnostics: &mut Diagnostics) {
    let groups = values.text_list("quantities");
    let mut refuse = |code: Code, field: &str, message: String, label: &str| {
        diagnostics.report(code, values.span_of(field), message, label);
    };
    if groups == ["flicker"] {
        let message = "there is no flicker to report in the first ten minutes".to_owned();
        refuse(Code::DOES_NOT_FIT, "quantities", message, "expected another group beside it");
    }
    if groups.contains(&UNBALANCE_GROUP) && recipe.phases == 1 {
        let message = format!("`{UNBALANCE_GROUP}` is there with three phases only");
        refuse(Code::DOES_NOT_FIT, "quantities", message, "expected groups of this model");
    }
    if groups.contains(&PROFILE_GROUP) && values.get("profile_interval").is_none() {
        let message = format!("`{PROFILE_GROUP}` is there with a `profile_interval` only");
        refuse(Code::DOES_NOT_FIT, "quantities", message, "expected groups of this model");
    }
    if let Some(group) = groups.iter().find(|group| SAMPLE_GROUPS.contains(group))
        && values.text("fidelity") == "windows"
    {
        let message = format!("windows in closed form do not know `{group}`");
        let label = "expected `fidelity = \"samples\"` with it";
        refuse(Code::DOES_NOT_FIT, "quantities", message, label);
    }
}

/// Notes what of the phases' differences a meter cannot have.
fn check_phases(recipe: &Recipe, values: &Values, diagnostics: &mut Diagnostics) {
    let mut refuse = |field: &str, message: String, label: &str| {
        diagnostics.report(Code::DOES_NOT_FIT, values.span_of(field), message, label);
    };
    let given = values.list("current_gain_mismatch").len();
    if given != 0 && given != recipe.phases {
        let message = format!("{given} gains for a meter of {} phase(s)", recipe.phases);
        refuse("current_gain_mismatch", message, "expected one value per phase, or none");
    }
    for field in ["phase_skew", "supply_dependence", "voltage_pickup"] {
        if recipe.phases == 1 && values.si(field) != 0.0 {
            let message = format!("`{field}` is between phases, and this model has one");
            refuse(field, message, "expected a three-phase model with it");
        }
    }
}

/// Notes a start of the transducer that windows in closed form do not have.
fn check_start(recipe: &Recipe, values: &Values, diagnostics: &mut Diagnostics) {
    let is_windows = values.text("fidelity") == "windows";
    if recipe.is_cvct && is_windows && !values.is_default("transducer_start") {
        diagnostics.report(
            Code::DOES_NOT_FIT,
            values.span_of("transducer_start"),
            "windows in closed form begin with the transducer up, and leave `transducer_start` off",
            "expected `fidelity = \"samples\"` with it, or no such line",
        );
    }
}

fn check(
    recipe: &Recipe,
    values: &Values,
    context: &DeviceContext<'_>,
    diagnostics: &mut Diagnostics,
) {
    check_quality(recipe, values, diagnostics);
    check_phases(recipe, values, diagnostics);
    check_start(recipe, values, diagnostics);
    wiring::check(values, recipe.phases, diagnostics);
    let mut refuse = |code: Code, field: &str, message: String, label: &str| {
        diagnostics.report(code, values.span_of(field), message, label);
    };
    let nominal_hz = values.si("nominal_frequency");
    if nominal_hz != 50.0 && nominal_hz != 60.0 {
        let message = format!("the nominal frequency is {nominal_hz} Hz");
        refuse(Code::OUT_OF_RANGE, "nominal_frequency", message, "expected \"50 Hz\" or \"60 Hz\"");
    }
    if context.phases != recipe.phases {
        let (is, wants) = match recipe.phases {
            1 => ("single-phase", "expected a single-phase source"),
            _ => ("three-phase", "expected a three-phase source"),
        };
        let message = format!(
            "`{}` is a {is} meter, but its source has {} phase(s)",
            context.name, context.phases
        );
        refuse(Code::DOES_NOT_FIT, "at", message, wants);
    }
    if values.text("fidelity") == "windows" && !context.has_spectrum {
        let message = "a played recording has no spectrum to compute windows from".to_owned();
        refuse(Code::DOES_NOT_FIT, "fidelity", message, "expected \"samples\" with this source");
    }
    let groups = values.text_list("quantities");
    if groups.is_empty() {
        let message = "a reading without quantities would be empty".to_owned();
        refuse(Code::OUT_OF_RANGE, "quantities", message, "expected at least one group");
    }
    if let Some(group) = groups.iter().find(|group| BREAKER_GROUPS.contains(group))
        && !recipe.has_breaker
    {
        let message = format!("`{group}` is there with a breaker only, and this model has none");
        refuse(Code::DOES_NOT_FIT, "quantities", message, "expected groups of this model");
    }
    if groups.contains(&"mean") && values.text("fidelity") == "windows" {
        let message = "windows in closed form have no mean values".to_owned();
        refuse(Code::DOES_NOT_FIT, "quantities", message, "needs `fidelity = \"samples\"`");
    }
    let is_there = |name: &&str| recipe.registers.iter().any(|row| row.name == *name);
    if let Some(name) = values.text_list("dead_registers").iter().find(|name| !is_there(name)) {
        let message = format!("this model has no register `{name}`");
        refuse(Code::UNKNOWN_REFERENCE, "dead_registers", message, "expected one of its registers");
    }
    // Each code has an error of its own: the table has 2^bits entries.
    if values.si("dnl") > 0.0 && values.integer("bits") > i64::from(DNL_BITS_MAX) {
        let message = format!("{} bits are too many for a table of codes", values.integer("bits"));
        refuse(Code::DOES_NOT_FIT, "dnl", message, "expected `bits` of at most 16 with it");
    }
    if values.list("inl").len() == 1 {
        let message = "a curve needs at least two points".to_owned();
        refuse(Code::OUT_OF_RANGE, "inl", message, "expected at least two points, or none");
    }
    if values.boolean("ten_minute_ticks") {
        let gaps = values.text("synchronisation") == "zero-crossing";
        if gaps || values.text("fidelity") == "windows" {
            let message = "windows can begin at a tick where samples are looked at and no zero \
                           crossing is waited for"
                .to_owned();
            let label = "expected `fidelity = \"samples\"` and `synchronisation = \
                         \"interpolated-dft\"` with it";
            refuse(Code::DOES_NOT_FIT, "ten_minute_ticks", message, label);
        }
    }
    if values.text("decimation") != "none" && values.si("jitter") > 0.0 {
        let message = "an averaging converter has no single instant that could jitter".to_owned();
        refuse(Code::DOES_NOT_FIT, "jitter", message, "expected `decimation = \"none\"` with it");
    }
}

fn sampling(values: &Values, recipe: &Recipe) -> Sampling {
    Sampling {
        clock_error: values.si("clock_error"),
        clock_curve: values.si("clock_temperature"),
        jitter_s: values.si("jitter"),
        decimation: Decimation::from_word(values.text("decimation")).unwrap_or_default(),
        skew_s: values.si("skew").abs().max(values.si("phase_skew").abs()),
        is_analogue: recipe.is_cvct
            || values.si_opt("anti_alias").is_some()
            || values.si("divider_lag") > 0.0
            || values.text("current_sensor") == "shunt",
        ..Sampling::ideal(values.si("nominal_frequency"), values.si("sample_rate"))
    }
}

/// All channels: voltages, then currents.
fn channels(
    recipe: &Recipe,
    values: &Values,
    context: &DeviceContext<'_>,
    sampling: &Sampling,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Channel>> {
    let sets = if recipe.has_breaker { 2 } else { recipe.phases };
    let mismatch = values.si_list("current_gain_mismatch");
    let mut made = Vec::new();
    for kind in ["voltage", "current"] {
        for set in 0..sets {
            let mut parameters = parameters(recipe, values, kind);
            if recipe.phases == 3 {
                parameters.late_s += set as f64 * values.si("phase_skew");
            }
            if kind == "current" {
                parameters.gain_error += mismatch.get(set).copied().unwrap_or(0.0);
            }
            if recipe.has_breaker && set == 1 && kind == "current" {
                parameters.gain_error = values.si("neutral_gain_error");
                parameters.lead_rad = values.si("neutral_phase_error");
            }
            let stream = format!("device/{}/{kind}/{set}/dnl", context.name);
            let mut draws = Gaussian::new(context.streams.stream(&stream));
            let (dnl, bits) = (values.si("dnl"), parameters.bits);
            parameters.inl = inl_table(&values.si_list("inl"), dnl, bits, &mut draws);
            let channel = Channel::new(&parameters, sampling);
            if channel.is_err() {
                diagnostics.report(
                    Code::DOES_NOT_FIT,
                    values.span_of("phase_error"),
                    "the phase error is too large for this sampling rate",
                    "expected a smaller angle, or a lower `sample_rate`",
                );
            }
            made.push(channel.ok()?);
        }
    }
    Some(made)
}

fn parameters(recipe: &Recipe, values: &Values, kind: &str) -> ChannelParameters {
    let si = |name: &str| values.si(&format!("{kind}_{name}"));
    let optional = |name: &str| values.si_opt(&format!("{kind}_{name}"));
    let is_current = kind == "current";
    let only_current = |name: &str| if is_current { values.si(name) } else { 0.0 };
    let nominal = values.si(&format!("nominal_{kind}"));
    let largest = nominal * si("headroom");
    let bits = u32::try_from(values.integer("bits")).unwrap_or(24);
    let noise_rms = match optional("snr") {
        Some(db) => largest * libm::pow(10.0, -db / 20.0),
        None => si("noise"),
    };
    let corner = |name: &str| optional(name).unwrap_or(0.0);
    ChannelParameters {
        ratio: si("ratio"),
        gain_error: si("gain_error"),
        gain_slope: si("gain_temperature"),
        wander: Wander { rms: si("gain_wander"), time_s: values.si("gain_wander_time") },
        offset: si("offset"),
        offset_slope: si("offset_temperature"),
        noise_rms,
        noise_corner_hz: corner("noise_corner"),
        lead_rad: only_current("phase_error"),
        lead_slope: only_current("phase_temperature"),
        late_s: only_current("skew"),
        sensor: if is_current {
            current_sensor(values)
        } else {
            Sensor::Divider { tau_s: values.si("divider_lag") }
        },
        low_pass_hz: match values.si_opt("anti_alias") {
            None if recipe.is_cvct => values.si("transducer_bandwidth"),
            corner => corner.unwrap_or(0.0),
        },
        high_pass_hz: corner("high_pass"),
        curve: Curve { second: si("second_harmonic"), third: si("third_harmonic") },
        steps: recipe.is_cvct.then(|| {
            let unit = largest * SQRT_2 / MIDDLE_V;
            let step_v = values.si("converter_range") * libm::exp2(-f64::from(bits));
            // The output is inverted, and its middle lies between two codes.
            (step_v * unit, (MIDDLE_V - (MIDDLE_V / step_v).round() * step_v) * unit)
        }),
        supply: recipe.is_cvct.then(|| Supply { tau_s: values.si("transducer_start") }),
        is_adjustable: !recipe.registers.is_empty(),
        ..ChannelParameters::ideal(nominal, si("headroom"), bits)
    }
}

fn current_sensor(values: &Values) -> Sensor {
    let ratio = values.si("current_ratio");
    match values.text("current_sensor") {
        "shunt" => Sensor::Shunt { tau_s: values.si("shunt_lead") },
        "transformer" => Sensor::Transformer(TransformerParameters {
            corner_hz: values.si("transformer_corner"),
            low_current_error: values.si("transformer_low_current_error"),
            low_current_a: values.si("transformer_low_current") * ratio,
            saturation_a: values.si("transformer_saturation") * ratio,
        }),
        "rogowski" => Sensor::Rogowski { corner_hz: values.si("rogowski_corner") },
        _ => Sensor::Ideal,
    }
}

fn acquisition(
    recipe: &Recipe,
    values: &Values,
    context: &DeviceContext<'_>,
    sampling: Sampling,
    channels: Vec<Channel>,
    diagnostics: &mut Diagnostics,
) -> Option<Acquisition> {
    let crosstalk = crosstalk(values);
    if values.text("fidelity") == "windows" {
        let beyond = beyond_phases(values);
        let method = engine_config(values, &sampling, recipe.phases);
        let of_channels = channels.iter().find_map(Channel::beyond_windows);
        if let Some(what) = of_channels.or(beyond_windows(&method)).or(beyond) {
            diagnostics.report(
                Code::DOES_NOT_FIT,
                values.span_of("fidelity"),
                format!("windows in closed form do not know {what}"),
                "expected \"samples\" with these parameters",
            );
            return None;
        }
        // Windows of 200 ms nominally (IEC 61000-4-30).
        let cycles = if sampling.nominal_hz == 60.0 { 12.0 } else { 10.0 };
        let (name, streams) = (context.name, *context.streams);
        let windows = ClosedForm::new(sampling, channels, crosstalk, cycles, name, streams);
        let windows = match method.synchronisation {
            Synchronisation::ZeroCrossing => windows.with_crossings(name, streams),
            Synchronisation::InterpolatedDft => windows,
        };
        let windows = match method.resampling {
            Resampling::Linear => windows.with_straight_lines(),
            Resampling::Sinc => windows,
        };
        return Some(Acquisition::Windows(Box::new(windows)));
    }
    let sets = if recipe.has_breaker { 2 } else { recipe.phases };
    let first_sample_unix_ns =
        values.boolean("ten_minute_ticks").then(|| context.start.as_nanoseconds());
    let config = EngineConfig { first_sample_unix_ns, ..engine_config(values, &sampling, sets) };
    let (feed_hz, nominal_hz) = (sampling.feed_hz(), sampling.nominal_hz);
    match Sampled::new(sampling, channels, crosstalk, config, context.name, *context.streams) {
        Ok(chain) => {
            let chain = if asks_for(values, "mean") { chain.with_means() } else { chain };
            let sees_half_cycles =
                values.si_opt("hold_up").is_some() || !values.list("events").is_empty();
            let chain = if sees_half_cycles { chain.with_half_cycles(nominal_hz) } else { chain };
            let mut chain = chain.with_coupling(coupling(values));
            chain.gaps = u32::try_from(values.integer("window_gaps")).unwrap_or(0);
            chain.has_orders = asks_for(values, "harmonics");
            chain.has_between = asks_for(values, "interharmonics");
            let Some(chain) = with_flicker(chain, values, &sampling) else {
                let message = "a flickermeter takes at least eight samples per cycle".to_owned();
                let span = values.span_of("sample_rate");
                diagnostics.report(Code::DOES_NOT_FIT, span, message, "too low for `flicker`");
                return None;
            };
            Some(Acquisition::Samples { chain: Box::new(chain), rate_hz: feed_hz, taken: 0 })
        }
        Err(error) => {
            let (field, label) = match error {
                EngineError::WindowSamples(_) => ("window_samples", "expected a power of two"),
                _ => ("sample_rate", "too low for this frequency"),
            };
            let span = values.span_of(field);
            diagnostics.report(Code::DOES_NOT_FIT, span, error.to_string(), label);
            None
        }
    }
}

fn asks_for(values: &Values, group: &str) -> bool {
    values.text_list("quantities").contains(&group)
}

/// A chain with flickermeters, where they are asked for; `None` if the rate is too low.
fn with_flicker(chain: Sampled, values: &Values, sampling: &Sampling) -> Option<Sampled> {
    if !asks_for(values, "flicker") {
        return Some(chain);
    }
    let lamp = match values.text("flicker_lamp") {
        "120 V" => Lamp::V120,
        _ => Lamp::V230,
    };
    let Sampling { rate_hz, nominal_hz, .. } = *sampling;
    let range = values.si_opt("flicker_range").unwrap_or(f64::INFINITY);
    chain.with_flicker(FlickerConfig { rate_hz, nominal_hz, lamp }, range)
}

fn engine_config(values: &Values, sampling: &Sampling, sets: usize) -> EngineConfig {
    let window_samples = values.integer_opt("window_samples");
    EngineConfig {
        harmonics: ["thd", "harmonics", "interharmonics"].iter().any(|it| asks_for(values, it)),
        synchronisation: match values.text("synchronisation") {
            "zero-crossing" => Synchronisation::ZeroCrossing,
            _ => Synchronisation::InterpolatedDft,
        },
        resampling: match values.text("resampling") {
            "linear" => Resampling::Linear,
            _ => Resampling::Sinc,
        },
        window_samples: window_samples.and_then(|count| usize::try_from(count).ok()),
        as_printed: values.text_opt("recursions") == Some("as-printed"),
        ..EngineConfig::new(sampling.rate_hz, sampling.nominal_hz, sets)
    }
}

/// What of several phases or windows together no closed form has.
fn beyond_phases(values: &Values) -> Option<&'static str> {
    if !coupling(values).is_none() {
        return Some("phases that are coupled");
    }
    (values.integer("window_gaps") > 0).then_some("windows that are not measured")
}

/// What of a method no closed form has.
fn beyond_windows(config: &EngineConfig) -> Option<&'static str> {
    if config.synchronisation == Synchronisation::ZeroCrossing && config.as_printed {
        return Some("the recursions as printed");
    }
    // With as many points nothing folds back to a harmonic.
    let has_all_points = config.window_samples.is_none_or(|points| points == WINDOW_POINTS);
    (config.harmonics && !has_all_points).then_some("another number of points per window than 4096")
}
