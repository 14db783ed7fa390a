//! The fields that all meters share, each parameter under one name, with defaults by model.

use lastmeter_params::{Dimension, Field, Kind, Presence};

use crate::border::{TamperKind, VoltageEventKind};
use crate::front_end::Decimation;

pub(super) const fn ratio(limit: f64) -> Kind {
    Kind::Quantity { dimension: Dimension::Ratio, min: -limit, max: limit }
}

pub(super) const fn between(dimension: Dimension, min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension, min, max }
}

pub(super) const fn positive(dimension: Dimension, max: f64) -> Kind {
    between(dimension, 0.0, max)
}

pub(super) const fn either_way(dimension: Dimension, limit: f64) -> Kind {
    between(dimension, -limit, limit)
}

const TRANSFORMER: Kind = between(Dimension::Ratio, 1e-3, 1e6);
const HEADROOM: Kind = between(Dimension::Ratio, 1.0, 1000.0);
const CORNER: Kind = between(Dimension::Frequency, 1e-3, 1e6);
const DECIBELS: Kind = between(Dimension::Ratio, 20.0, 180.0);

/// Fields of voltages and of currents alike.
const OFFSET: &str = "DC component the converters add, at the meter's terminals.";
const NOISE: &str = "RMS of the converters' white noise, at the meter's terminals.";
const SECOND: &str = "Non-linearity: second harmonic of the largest sine, relative to it.";
const THIRD: &str = "Non-linearity: third harmonic of the largest sine, relative to it.";
const RATIO: &str = "Ratio of the transformer, primary over secondary; 1 if connected directly.";
const INSTALLED: &str = "Ratio of the transformer that is there, where it is not the one that the \
    meter is programmed with: one for all phases, or one for each.";
const REVERSED: &str = "Phases of the meter whose wires are the wrong way round.";
const ORDER: &str = "Which phase of the plant each input of the meter is on, where wires are \
    swapped; the same of voltages and currents for swapped pairs.";
const LARGEST: &str = "Largest sine that is not clipped, over the nominal value.";
const SNR: &str =
    "Signal-to-noise ratio of the largest sine in dB, without a unit; goes before the RMS noise.";
const NOISE_CORNER: &str = "Frequency below which 1/f noise is larger than the white noise.";
const HIGH_PASS: &str = "Corner frequency of a digital high-pass.";
const GAIN_SLOPE: &str = "Relative change of the gain per kelvin from 23 degrees Celsius.";
const OFFSET_SLOPE: &str = "Change of the offset per kelvin from 23 degrees Celsius.";

pub(crate) const VOLTAGE_RATIO: Field = Field::default("voltage_ratio", TRANSFORMER, "1", RATIO);
pub(crate) const CURRENT_RATIO: Field = Field::default("current_ratio", TRANSFORMER, "1", RATIO);

const PHASES: Kind = Kind::List(&Kind::Choice(crate::wiring::PHASE_WORDS));

/// How a meter is wired to the plant.
pub(crate) const WIRING: [Field; 6] = [
    Field::default("installed_voltage_ratio", Kind::List(&TRANSFORMER), "[]", INSTALLED),
    Field::default("installed_current_ratio", Kind::List(&TRANSFORMER), "[]", INSTALLED),
    Field::default("reversed_voltages", PHASES, "[]", REVERSED),
    Field::default("reversed_currents", PHASES, "[]", REVERSED),
    Field::default("voltage_order", PHASES, "[]", ORDER),
    Field::default("current_order", PHASES, "[]", ORDER),
];

/// The fields of every meter.
const SHARED: &[Field] = &[
    Field::default(
        "report_every",
        // The lower bound is PERIOD_MIN.
        between(Dimension::Time, 0.25, 86_400.0),
        "\"10 s\"",
        "Time between two readings; at least 0.25 s, so that each has a window.",
    ),
    Field::default(
        "fidelity",
        Kind::Choice(&["samples", "windows"]),
        "\"samples\"",
        "Compute every sample, or each 10/12-cycle window in closed form.",
    ),
    Field::default(
        "total",
        Kind::Choice(&["net", "per-phase"]),
        "\"net\"",
        "Whether a total nets the phases before it is split into consumed and injected.",
    ),
    Field::default(
        "quantities",
        Kind::List(&Kind::Choice(crate::reading::GROUPS)),
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
        "dead_registers",
        Kind::List(&Kind::Text),
        "[]",
        "Registers that are written and read as any other, and act on nothing: a defect.",
    ),
    Field::default(
        "nominal_frequency",
        positive(Dimension::Frequency, 60.0),
        "\"50 Hz\"",
        "50 Hz or 60 Hz; a window has 10 cycles or 12.",
    ),
    Field::default(
        "nominal_voltage",
        between(Dimension::Voltage, 1e-3, 1e6),
        "\"230 V\"",
        "Nominal RMS voltage at the meter's terminals.",
    ),
    Field::default(
        "nominal_current",
        between(Dimension::Current, 1e-6, 1e6),
        "\"5 A\"",
        "Nominal RMS current at the meter's terminals.",
    ),
    VOLTAGE_RATIO,
    CURRENT_RATIO,
    WIRING[0],
    WIRING[1],
    WIRING[2],
    WIRING[3],
    WIRING[4],
    WIRING[5],
    Field::default("voltage_headroom", HEADROOM, "2", LARGEST),
    Field::default("current_headroom", HEADROOM, "20", LARGEST),
    Field::default("voltage_gain_error", ratio(0.5), "\"0 %\"", "Relative gain error, voltages."),
    Field::default("current_gain_error", ratio(0.5), "\"0 %\"", "Relative gain error, currents."),
    Field::default(
        "current_gain_mismatch",
        Kind::List(&ratio(0.5)),
        "[]",
        "What the gain of each phase's current has beyond `current_gain_error`, one value per phase: \
         spread of transformers that were not matched.",
    ),
    Field::default(
        "voltage_gain_wander",
        positive(Dimension::Ratio, 0.01),
        "\"0 %\"",
        "RMS by which the gain of the voltages wanders, each by itself: drift of references and \
         amplifiers (first-order Gauss-Markov).",
    ),
    Field::default(
        "current_gain_wander",
        positive(Dimension::Ratio, 0.01),
        "\"0 %\"",
        "RMS by which the gain of the currents wanders, each by itself.",
    ),
    Field::default(
        "gain_wander_time",
        between(Dimension::Time, 0.01, 1e6),
        "\"10 s\"",
        "Correlation time of that wandering: after it, 1/e of a deviation is left.",
    ),
    Field::default("voltage_offset", either_way(Dimension::Voltage, 1e6), "\"0 V\"", OFFSET),
    Field::default("current_offset", either_way(Dimension::Current, 1e6), "\"0 A\"", OFFSET),
    Field::default(
        "phase_error",
        either_way(Dimension::Angle, 0.0175),
        "\"0 deg\"",
        "Angle by which the current channels lead, at nominal frequency; at most one degree.",
    ),
    Field::default(
        "skew",
        either_way(Dimension::Time, 1e-3),
        "\"0 s\"",
        "By how much later than the voltages the currents are sampled; makes them seem to lead.",
    ),
    Field::default(
        "phase_skew",
        either_way(Dimension::Time, 1e-3),
        "\"0 s\"",
        "By how much later than the phase before it each phase is sampled, voltage and current: a \
         converter that takes the phases in turn. Three phases only.",
    ),
    Field::default(
        "clock_error",
        ratio(0.01),
        "\"0 ppm\"",
        "How much faster the meter's clock runs: frequencies read lower by it, energies higher.",
    ),
    Field::default(
        "jitter",
        positive(Dimension::Time, 100e-6),
        "\"0 s\"",
        "RMS jitter of the sampling instants, common to all channels.",
    ),
    Field::optional(
        "crosstalk",
        between(Dimension::Ratio, -200.0, -20.0),
        "What of a phase's other channel is seen, full scale to full scale, in dB; without a unit.",
    ),
    Field::default(
        "supply_dependence",
        ratio(0.1),
        "\"0 %\"",
        "Change of every gain, relative, with the supply, which all phases feed alike: as if it were \
         the whole of its nominal value off. Three phases only.",
    ),
    Field::default(
        "voltage_pickup",
        positive(Dimension::Current, 1e3),
        "\"0 A\"",
        "Current that each phase's current channel picks up by capacitance from the next phase's \
         voltage, RMS at nominal voltage, at the meter's terminals. Three phases only.",
    ),
    Field::default("voltage_noise", positive(Dimension::Voltage, 1e6), "\"10 mV\"", NOISE),
    Field::default("current_noise", positive(Dimension::Current, 1e6), "\"0.5 mA\"", NOISE),
    Field::optional("voltage_snr", DECIBELS, SNR),
    Field::optional("current_snr", DECIBELS, SNR),
    Field::optional("voltage_noise_corner", CORNER, NOISE_CORNER),
    Field::optional("current_noise_corner", CORNER, NOISE_CORNER),
    Field::default("voltage_second_harmonic", ratio(0.1), "\"0 %\"", SECOND),
    Field::default("voltage_third_harmonic", ratio(0.1), "\"0 %\"", THIRD),
    Field::default("current_second_harmonic", ratio(0.1), "\"0 %\"", SECOND),
    Field::default("current_third_harmonic", ratio(0.1), "\"0 %\"", THIRD),
    Field::default("bits", Kind::Integer { min: 8, max: 32 }, "24", "Bits of the converters."),
    Field::default(
        "inl",
        Kind::List(&Kind::Quantity { dimension: Dimension::Ratio, min: -1e6, max: 1e6 }),
        "[]",
        "Integral non-linearity in steps of the converters at equal distances over their range.",
    ),
    Field::default(
        "dnl",
        positive(Dimension::Ratio, 2.0),
        "0",
        "RMS of the differential non-linearity in steps, drawn for each code; to 16 bits.",
    ),
    Field::default(
        "sample_rate",
        between(Dimension::Frequency, 1000.0, 1e6),
        "\"7812.5 Hz\"",
        "Samples per second and channel.",
    ),
    Field::default(
        "decimation",
        Kind::Choice(Decimation::WORDS),
        "\"none\"",
        "Whether the converters average as a sigma-delta decimator does, with or without a filter \
         that takes most of the droop away; the feed is then 15 times as dense.",
    ),
    Field::optional(
        "anti_alias",
        CORNER,
        "Corner frequency of an RC before the converters; the feed is then four times as dense.",
    ),
    Field::optional("voltage_high_pass", CORNER, HIGH_PASS),
    Field::optional("current_high_pass", CORNER, HIGH_PASS),
    Field::default(
        "divider_lag",
        positive(Dimension::Time, 1e-3),
        "\"0 s\"",
        "Time constant of the voltage dividers: their resistance times a stray capacitance.",
    ),
    Field::default(
        "current_sensor",
        Kind::Choice(&["ideal", "shunt", "transformer", "rogowski"]),
        "\"ideal\"",
        "What the currents are sensed with; its parameters follow.",
    ),
    Field::default(
        "shunt_lead",
        either_way(Dimension::Time, 1e-3),
        "\"1 us\"",
        "Time constant of a shunt: its inductance over its resistance.",
    ),
    Field::default(
        "transformer_corner",
        between(Dimension::Frequency, 1e-4, 10.0),
        "\"0.1 Hz\"",
        "Resistance over inductance of a current transformer: it leads by atan(corner/f).",
    ),
    Field::default(
        "transformer_low_current_error",
        positive(Dimension::Ratio, 10.0),
        "0",
        "Relative growth of its magnetising current, and so of its lead, at very low currents.",
    ),
    Field::default(
        "transformer_low_current",
        between(Dimension::Current, 1e-6, 1e6),
        "\"0.5 A\"",
        "RMS current about which half of that is gone, at the meter's terminals.",
    ),
    Field::default(
        "transformer_saturation",
        between(Dimension::Current, 1e-6, 1e6),
        "\"500 A\"",
        "RMS of the largest sine that does not saturate its core, at the meter's terminals.",
    ),
    Field::default(
        "rogowski_corner",
        between(Dimension::Frequency, 1e-4, 10.0),
        "\"0.1 Hz\"",
        "Corner frequency of a Rogowski coil's leaky integrator.",
    ),
    Field::default("voltage_gain_temperature", ratio(0.01), "\"0 ppm\"", GAIN_SLOPE),
    Field::default("current_gain_temperature", ratio(0.01), "\"0 ppm\"", GAIN_SLOPE),
    Field::default(
        "voltage_offset_temperature",
        either_way(Dimension::Voltage, 1e3),
        "\"0 V\"",
        OFFSET_SLOPE,
    ),
    Field::default(
        "current_offset_temperature",
        either_way(Dimension::Current, 1e3),
        "\"0 A\"",
        OFFSET_SLOPE,
    ),
    Field::default(
        "phase_temperature",
        either_way(Dimension::Angle, 1e-3),
        "\"0 deg\"",
        "Change of the phase error per kelvin from 23 degrees Celsius.",
    ),
    Field::default(
        "clock_temperature",
        ratio(1e-5),
        "\"0 ppm\"",
        "Parabola of the crystal: relative change of the clock per square kelvin from 25 degrees \
         Celsius, usually -0.035 ppm; `clock_error` holds at 23 degrees.",
    ),
    Field::default(
        "synchronisation",
        Kind::Choice(&["interpolated-dft", "zero-crossing"]),
        "\"interpolated-dft\"",
        "How the limits of a window are found: by the Fourier transform of the window, or by lines \
         through its zero crossings as published.",
    ),
    Field::default(
        "ten_minute_ticks",
        Kind::Boolean,
        "false",
        "Restart windows at each ten-minute tick of the clock (IEC 61000-4-30, class A). What is \
         due up to 0.5 s after a tick then ends with it: let the scenario start so much past one.",
    ),
    Field::default(
        "resampling",
        Kind::Choice(&["sinc", "linear"]),
        "\"sinc\"",
        "How harmonics come by a whole number of points per window; linear interpolation, as \
         published, loses high orders.",
    ),
    Field::default(
        "flicker_lamp",
        Kind::Choice(&["230 V", "120 V"]),
        "\"230 V\"",
        "Whose lamp `flicker` is weighed with (IEC 61000-4-15).",
    ),
    Field::optional(
        "flicker_range",
        between(Dimension::Ratio, 0.01, 1e6),
        "Largest sensation Pinst that the flickermeter has classes for; more counts as that.",
    ),
    Field::optional(
        "window_samples",
        Kind::Integer { min: 32, max: 1 << 20 },
        "Points a window is resampled to, a power of two; 4096 if left out, 256 as published.",
    ),
    Field::default(
        "window_gaps",
        Kind::Integer { min: 0, max: 1000 },
        "0",
        "Windows that are not measured after each that is, but taken to be like it: a processor \
         that does not keep up.",
    ),
    Field::default(
        "no_load_threshold",
        positive(Dimension::ActivePower, 1e6),
        "\"0 W\"",
        "Active power of a phase below which its energy is not registered.",
    ),
    Field::default(
        "pulse_constant",
        Kind::Integer { min: 1, max: 10_000_000 },
        "1000",
        "Constant on the nameplate: pulses of the energy outputs per kWh and kvarh, both directions \
         together. Pulses are judged by it.",
    ),
    Field::default(
        "pulse_constant_error",
        between(Dimension::Ratio, -1.0, 1000.0),
        "\"0 %\"",
        "By how much the outputs give more pulses than the nameplate states: a wrong constant in the \
         firmware, relative.",
    ),
    Field::optional(
        "hold_up",
        // The lower bound: so late half-cycle values are known of all phases.
        between(Dimension::Time, 0.05, 86_400.0),
        "For how long the meter works on when the voltage it measures, which it lives on, is gone; \
         left out, it has a supply of its own.",
    ),
    Field::default(
        "boot",
        // The lower bound: windows before the outage are complete by then.
        between(Dimension::Time, 0.1, 3600.0),
        "\"2 s\"",
        "How long it does not work yet when the voltage is back after the `hold_up`.",
    ),
    Field::default(
        "supply_minimum",
        between(Dimension::Ratio, 0.01, 1.0),
        "\"50 %\"",
        "Part of the nominal voltage that it needs in at least one phase.",
    ),
    Field::default(
        "last_gasp",
        Kind::Boolean,
        "true",
        "Whether it sends the alert `supply.failed` when the voltage is gone.",
    ),
    Field::default(
        "power_up",
        Kind::Boolean,
        "true",
        "Whether it sends the alert `supply.returned` when it works again, or when the voltage is \
         back after a last gasp.",
    ),
    Field::default(
        "last_gasp_lost",
        positive(Dimension::Ratio, 1.0),
        "\"0 %\"",
        "Chance that a last gasp is lost on the way.",
    ),
    Field::default(
        "power_up_lost",
        positive(Dimension::Ratio, 1.0),
        "\"0 %\"",
        "Chance that `supply.returned` is lost on the way.",
    ),
    Field::optional(
        "last_gasp_below",
        between(Dimension::Ratio, 0.01, 1.0),
        "Part of the nominal voltage of which at least one phase has to have more, or the last gasp \
         is sent: the threshold of its comparator. Left out, it is `supply_minimum`; with more than \
         that the meter gives false alarms in dips that it survives.",
    ),
    Field::default(
        "events",
        Kind::List(&Kind::Choice(VoltageEventKind::WORDS)),
        "[]",
        "Voltage events that it reports by alerts, each phase by itself, from half-cycle RMS values \
         (IEC 61000-4-30, 5.4 and 5.5).",
    ),
    Field::default(
        "dip_threshold",
        between(Dimension::Ratio, 0.1, 1.0),
        "\"90 %\"",
        "Part of the nominal voltage below which a dip begins.",
    ),
    Field::default(
        "swell_threshold",
        between(Dimension::Ratio, 1.0, 3.0),
        "\"110 %\"",
        "Part of the nominal voltage above which a swell begins.",
    ),
    Field::default(
        "interruption_threshold",
        between(Dimension::Ratio, 0.001, 0.5),
        "\"5 %\"",
        "Part of the nominal voltage below which an interruption begins.",
    ),
    Field::default(
        "event_hysteresis",
        positive(Dimension::Ratio, 0.1),
        "\"2 %\"",
        "Part of the nominal voltage by which it has to be back beyond a threshold for an event to \
         end.",
    ),
    Field::default(
        "tamper",
        Kind::List(&Kind::Choice(TamperKind::WORDS)),
        "[]",
        "Tampering that it has sensors for and reports by alerts, when it begins and when it is over.",
    ),
    Field::default(
        "tamper_debounce",
        between(Dimension::Time, 1e-3, 3600.0),
        "\"0.5 s\"",
        "For how long a sensor of tampering has to show a change until it is one.",
    ),
    Field::default(
        "tamper_battery",
        Kind::Boolean,
        "true",
        "Whether a battery reads the contacts of covers while the meter is dark, so that it reports \
         after its start what was done meanwhile, with its time; else it sees what there is at its \
         start. A magnetic field is not sensed in the dark.",
    ),
];

/// The shared field of a name, for models that have few of them.
pub(super) const fn shared(name: &str) -> Field {
    let mut at = 0;
    while at < SHARED.len() {
        if is_same(SHARED[at].name, name) {
            return SHARED[at];
        }
        at += 1;
    }
    panic!("a shared field that does not exist")
}

/// How many fields there are, with those of one model.
pub(crate) const fn count(own: &[Field]) -> usize {
    SHARED.len() + own.len()
}

/// The shared fields with a model's own defaults, and its own fields behind them.
pub(crate) const fn of_model<const N: usize>(
    own: &[Field],
    defaults: &[(&str, &'static str)],
) -> [Field; N] {
    let mut fields = [SHARED[0]; N];
    let mut at = 0;
    while at < N {
        let field = if at < SHARED.len() { SHARED[at] } else { own[at - SHARED.len()] };
        let mut k = 0;
        fields[at] = field;
        while k < defaults.len() {
            if is_same(field.name, defaults[k].0) {
                fields[at] = Field { presence: Presence::Default(defaults[k].1), ..field };
            }
            k += 1;
        }
        at += 1;
    }
    assert_known(&fields, defaults);
    fields
}

/// A default for a field that does not exist is a mistake, found when the program is built.
const fn assert_known(fields: &[Field], defaults: &[(&str, &'static str)]) {
    let mut k = 0;
    while k < defaults.len() {
        let mut found = false;
        let mut at = 0;
        while at < fields.len() {
            found = found || is_same(fields[at].name, defaults[k].0);
            at += 1;
        }
        assert!(found, "a default for a field that does not exist");
        k += 1;
    }
}

const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut k = 0;
    while k < a.len() {
        if a[k] != b[k] {
            return false;
        }
        k += 1;
    }
    true
}
