//! The source `synthetic`: one or three phases written down as fundamental, harmonics,
//! interharmonics, direct component and noise. Its truth is known in closed form.
//!
//! Every phase carries the same waveform, a third of a period of the fundamental later than the
//! one before, unless the fundamentals are given per phase. Distortion is relative to the phase's
//! own fundamental. All angles are those of cosines at the instant where the first voltage's
//! fundamental has the angle zero.

use std::f64::consts::TAU;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::SimDuration;

use super::{Signal, SourceContext, SourceKind};
use crate::disturbance::{Change, Disturbance, Phases};
use crate::injection::{components, quantity, shapes};
use crate::plan::WaveShape;
use crate::program::Program;
use crate::spectrum::{ChannelSpectrum, Spectrum, Tone};

const VOLTAGE: Kind = quantity(Dimension::Voltage, 0.0, 1e7);
const CURRENT: Kind = quantity(Dimension::Current, 0.0, 1e6);
const ANGLE: Kind = quantity(Dimension::Angle, -TAU, TAU);
const SHARE: Kind = quantity(Dimension::Ratio, 0.0, 100.0);
const FREQUENCY: Kind = quantity(Dimension::Frequency, 1.0, 1000.0);

/// The keys of a component beside its place in the spectrum.
const fn component(place: Field) -> [Field; 5] {
    [
        place,
        Field::default(
            "voltage",
            SHARE,
            "\"0 %\"",
            "RMS value relative to the voltage's fundamental",
        ),
        Field::default(
            "current",
            SHARE,
            "\"0 %\"",
            "RMS value relative to the current's fundamental",
        ),
        Field::default("voltage_phase", ANGLE, "\"0 deg\"", "Angle of the voltage's component"),
        Field::default("current_phase", ANGLE, "\"0 deg\"", "Angle of the current's component"),
    ]
}

static HARMONIC: [Field; 5] = component(Field::required(
    "order",
    Kind::Integer { min: 2, max: 2500 },
    "Multiple of the fundamental's frequency",
));

static INTERHARMONIC: [Field; 5] = component(Field::required(
    "frequency",
    quantity(Dimension::Frequency, 0.001, 1e6),
    "Frequency of the component",
));

static FIELDS: [Field; 25] = [
    Field::default("phases", Kind::Integer { min: 1, max: 3 }, "3", "Number of phases, 1 or 3"),
    Field::default("frequency", FREQUENCY, "\"50 Hz\"", "Frequency of the fundamental"),
    Field::default(
        "voltage",
        VOLTAGE,
        "\"230 V\"",
        "RMS value of each phase's fundamental voltage",
    ),
    Field::default("current", CURRENT, "\"10 A\"", "RMS value of each phase's fundamental current"),
    Field::default(
        "angle",
        ANGLE,
        "\"0 deg\"",
        "Angle of the first voltage at the scenario's start",
    ),
    Field::optional(
        "power_factor",
        quantity(Dimension::Ratio, -1.0, 1.0),
        "Displacement power factor of the fundamentals, negative for export; 1 if neither this nor \
         `current_lag` is given",
    ),
    Field::default(
        "reactive",
        Kind::Choice(&["inductive", "capacitive"]),
        "\"inductive\"",
        "With `power_factor`: whether the current lags (inductive) or leads (capacitive)",
    ),
    Field::optional("current_lag", ANGLE, "Angle by which the current lags the voltage"),
    Field::optional("phase_voltages", Kind::List(&VOLTAGE), "One `voltage` per phase"),
    Field::optional("phase_currents", Kind::List(&CURRENT), "One `current` per phase"),
    Field::optional("phase_current_lags", Kind::List(&ANGLE), "One `current_lag` per phase"),
    Field::optional(
        "phase_voltage_leads",
        Kind::List(&ANGLE),
        "By how much each voltage is ahead of its place in the sequence, its current with it",
    ),
    Field::default(
        "sequence",
        Kind::Choice(&["positive", "negative"]),
        "\"positive\"",
        "Order of the phases; negative: reversed, L1 L3 L2",
    ),
    Field::default(
        "current_shape",
        Kind::Choice(shapes::SHAPES),
        "\"sine\"",
        "Shape of the currents, as of the injection `current_shape`",
    ),
    shapes::FIRING_ANGLE,
    shapes::BURST_ON,
    shapes::BURST_OFF,
    Field::optional(
        "notches",
        Kind::Table(&shapes::NOTCH_KEYS),
        "Commutation notches in every voltage, as of the injection `notches`",
    ),
    Field::optional(
        "flicker",
        Kind::Table(&components::FLICKER_KEYS),
        "Modulation of every voltage, as of the injection `flicker`",
    ),
    Field::default(
        "voltage_dc",
        quantity(Dimension::Voltage, -1e7, 1e7),
        "\"0 V\"",
        "DC component of each voltage",
    ),
    Field::default(
        "current_dc",
        quantity(Dimension::Current, -1e6, 1e6),
        "\"0 A\"",
        "DC component of each current",
    ),
    Field::default("voltage_noise", VOLTAGE, "\"0 V\"", "RMS value of white noise on each voltage"),
    Field::default("current_noise", CURRENT, "\"0 A\"", "RMS value of white noise on each current"),
    Field::optional(
        "harmonics",
        Kind::List(&Kind::Table(&HARMONIC)),
        "Components at multiples of the fundamental's frequency",
    ),
    Field::optional(
        "interharmonics",
        Kind::List(&Kind::Table(&INTERHARMONIC)),
        "Components at any other frequency",
    ),
];

pub(crate) const KIND: SourceKind = SourceKind {
    entry: Entry {
        name: "synthetic",
        summary: "one or three phases given as fundamental, harmonics, interharmonics and noise",
        description: "Voltages and currents written down as numbers, so that the reference values \
            are known in closed form.\n\n\
            Every phase carries the same waveform, a third of a period later than the one before. \
            The current lags the voltage by `current_lag`, or by what `power_factor` and `reactive` \
            give; a negative power factor exports. A `current_shape` is cut from that, or adds to it. `phase_voltages`, `phase_currents` and \
            `phase_current_lags` give the fundamentals phase by phase instead. Harmonics and \
            interharmonics are relative to their phase's fundamental; their angles, also those of \
            the current, are those of cosines at the instant where the first voltage's fundamental \
            has the angle zero. The noise is white up to half of whatever rate a device samples \
            at.\n\n\
            harmonics = [{ order = 5, voltage = \"2 %\", current = \"10 %\", current_phase = \
            \"180 deg\" }]",
        fields: &FIELDS,
    },
    build,
};

fn build(
    values: &Values,
    context: &SourceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Signal> {
    let mistakes = diagnostics.len();
    let phases = values.integer("phases") as usize;
    if phases == 2 {
        let span = values.span_of("phases");
        let message = "a source has one phase or three, not 2";
        diagnostics.report(Code::OUT_OF_RANGE, span, message, "expected 1 or 3");
        return None;
    }
    refuse_repeated_orders(values, diagnostics);
    let voltages = per_phase(values, ["phase_voltages", "voltage"], phases, diagnostics);
    let currents = per_phase(values, ["phase_currents", "current"], phases, diagnostics);
    let lags = lags(values, phases, diagnostics);
    let leads = match values.get("phase_voltage_leads") {
        Some(_) => checked_list(values, "phase_voltage_leads", phases, diagnostics),
        None => vec![0.0; phases],
    };
    if diagnostics.len() > mistakes {
        return None;
    }
    let channel = |phase: usize, side: &Side, rms: f64, angle: f64| {
        channel(values, side, &Fundamental { phase, rms, angle, lead: leads[phase] })
    };
    let spectrum = Spectrum {
        fundamental_hz: values.si("frequency"),
        voltages: (0..phases).map(|p| channel(p, &VOLTAGES, voltages[p], 0.0)).collect(),
        currents: (0..phases).map(|p| channel(p, &CURRENTS, currents[p], -lags[p])).collect(),
    };
    if let Err(error) = spectrum.check() {
        let label = "these values make no terminal";
        diagnostics.report(Code::DOES_NOT_FIT, values.span, error.to_string(), label);
        return None;
    }
    let mut program = Program::from_spectrum(spectrum);
    let shape = shapes::shape(values, values.text("current_shape"), diagnostics)?;
    if shape != WaveShape::Sine {
        program.set_shape(shape);
    }
    let mut always = |change: Change| {
        let length = Some(context.duration);
        program.disturb(Disturbance { at: SimDuration::ZERO, length, change });
    };
    if let Some(notches) = values.table_opt("notches") {
        always(shapes::notches(notches, Phases::ALL, diagnostics)?);
    }
    if let Some(flicker) = values.table_opt("flicker") {
        let (modulation, depth, hz) = components::flicker(flicker, diagnostics)?;
        always(Change::Flicker { phases: Phases::ALL, modulation, depth, hz });
    }
    Some(Signal::Program(program))
}

/// The keys of the voltages, or of the currents.
struct Side {
    share: &'static str,
    share_phase: &'static str,
    dc: &'static str,
    noise: &'static str,
}

const VOLTAGES: Side = Side {
    share: "voltage",
    share_phase: "voltage_phase",
    dc: "voltage_dc",
    noise: "voltage_noise",
};

const CURRENTS: Side = Side {
    share: "current",
    share_phase: "current_phase",
    dc: "current_dc",
    noise: "current_noise",
};

struct Fundamental {
    phase: usize,
    rms: f64,
    angle: f64,
    /// By how much the whole phase is ahead.
    lead: f64,
}

fn channel(values: &Values, side: &Side, fundamental: &Fundamental) -> ChannelSpectrum {
    let fundamental_hz = values.si("frequency");
    // Turns of the fundamental at time zero, of the waveform of this phase.
    let third = fundamental.phase as f64 / 3.0;
    let place = if values.text("sequence") == "negative" { third } else { -third };
    let start = values.si("angle") / TAU + place + fundamental.lead / TAU;
    let tone = |frequency_hz: f64, rms: f64, angle: f64| {
        let turns = start * (frequency_hz / fundamental_hz) + angle / TAU;
        Tone { frequency_hz, rms, phase_rad: TAU * (turns - turns.round()) }
    };
    let mut tones = vec![tone(fundamental_hz, fundamental.rms, fundamental.angle)];
    let harmonics = values.tables("harmonics").into_iter();
    let harmonics = harmonics.map(|row| (fundamental_hz * row.integer("order") as f64, row));
    let others = values.tables("interharmonics").into_iter();
    let others = others.map(|row| (row.si("frequency"), row));
    for (frequency_hz, row) in harmonics.chain(others) {
        let share = row.si(side.share);
        if share > 0.0 {
            tones.push(tone(frequency_hz, fundamental.rms * share, row.si(side.share_phase)));
        }
    }
    ChannelSpectrum { dc: values.si(side.dc), tones, noise_rms: values.si(side.noise) }
}

/// A list with one value per phase, or one value for all of them.
fn per_phase(
    values: &Values,
    [list, single]: [&str; 2],
    phases: usize,
    diagnostics: &mut Diagnostics,
) -> Vec<f64> {
    if values.get(list).is_none() {
        return vec![values.si(single); phases];
    }
    if !values.is_default(single) {
        refuse_both(values, list, single, diagnostics);
    }
    checked_list(values, list, phases, diagnostics)
}

/// By how much the current of each phase lags, in radians.
fn lags(values: &Values, phases: usize, diagnostics: &mut Diagnostics) -> Vec<f64> {
    let ways = ["phase_current_lags", "current_lag", "power_factor"];
    let given: Vec<&str> = ways.into_iter().filter(|way| values.get(way).is_some()).collect();
    if let [first, second, ..] = given[..] {
        refuse_both(values, second, first, diagnostics);
    }
    if !values.is_default("reactive") && values.get("power_factor").is_none() {
        let message = "`reactive` is the direction of `power_factor`, which is missing";
        let span = values.span_of("reactive");
        diagnostics.report(Code::DOES_NOT_FIT, span, message, "has no effect without it");
    }
    if values.get("phase_current_lags").is_some() {
        return checked_list(values, "phase_current_lags", phases, diagnostics);
    }
    let lag = values.si_opt("current_lag").unwrap_or_else(|| {
        let angle = libm::acos(values.si_opt("power_factor").unwrap_or(1.0));
        if values.text("reactive") == "capacitive" { -angle } else { angle }
    });
    vec![lag; phases]
}

fn checked_list(
    values: &Values,
    list: &str,
    phases: usize,
    diagnostics: &mut Diagnostics,
) -> Vec<f64> {
    let found = values.si_list(list);
    if found.len() != phases {
        diagnostics.report(
            Code::DOES_NOT_FIT,
            values.span_of(list),
            format!("`{list}` has {} values, but the source has {phases} phases", found.len()),
            format!("expected {phases} values"),
        );
    }
    found
}

fn refuse_both(values: &Values, here: &str, other: &str, diagnostics: &mut Diagnostics) {
    diagnostics.report(
        Code::DOES_NOT_FIT,
        values.span_of(here),
        format!("`{here}` and `{other}` give the same thing twice"),
        format!("leave out this or `{other}`"),
    );
}

fn refuse_repeated_orders(values: &Values, diagnostics: &mut Diagnostics) {
    let rows = values.tables("harmonics");
    for (index, row) in rows.iter().enumerate() {
        let order = row.integer("order");
        if rows[..index].iter().any(|earlier| earlier.integer("order") == order) {
            diagnostics.report(
                Code::DOES_NOT_FIT,
                row.span_of("order"),
                format!("harmonic {order} is given twice"),
                "give each order once",
            );
        }
    }
}
