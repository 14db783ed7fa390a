//! Loads, sources, taps and the frequency that go to another value.

use lastmeter_grid::Complex64;
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_sim::disturbance::{Change, Disturbance};
use lastmeter_sim::grid::GridInput;
use lastmeter_units::SimDuration;

use super::{
    ACTIVE, LENGTH, NetworkInjection, NetworkKind, REACTIVE, TIME, VOLTAGE, refuse_target,
};
use crate::names::LOAD_PREFIX;
use crate::section::grid::{Elements, MotionBuilder, SOURCE_PREFIX};

pub(super) static LOAD_STEP: NetworkKind = NetworkKind {
    entry: Entry {
        name: "load-step",
        summary: "a load of the network draws more or less than its profile gives",
        description: "What is given is added to what the profile, or a set-point, gives in each \
            step, at rated voltage. It holds from the first step of `[grid]` that begins at `at` \
            or after it, until another `load-step` of the same load; one of `0 W` ends it.",
        fields: &[
            Field::required("into", Kind::Text, "`load:NAME`, a load of the network"),
            Field::required("active_power", ACTIVE, "what is added; negative: taken off"),
            Field::default(
                "reactive_power",
                REACTIVE,
                "\"0 var\"",
                "what is added to it, likewise",
            ),
        ],
    },
    step: Some(load_step),
    play: |motion, it| motion.change_by(load_step, it),
    ..NetworkKind::PLAIN
};

fn load_step(values: &Values, elements: &Elements<'_>, out: &mut Diagnostics) -> Option<GridInput> {
    let (into, span) = (values.text("into"), values.span_of("into"));
    let Some(name) = into.strip_prefix(LOAD_PREFIX) else {
        return refuse_target((into, span), "`load:NAME`", out);
    };
    let load = elements.loads.find(name, span, out)?;
    let change_va = Complex64::new(values.si("active_power"), values.si("reactive_power"));
    Some(GridInput::LoadStep { load, change_va })
}

pub(super) static SET_POINT: NetworkKind = NetworkKind {
    entry: Entry {
        name: "set-point",
        summary: "a load of the network draws what is given, or a source has another voltage",
        description: "Of a load, `active_power` and `reactive_power` stand in place of its \
            profile, at rated voltage; of a source, `voltage` is that behind its impedance. It \
            holds from the first step of `[grid]` that begins at `at` or after it, until another \
            `set-point` of the same load or source.",
        fields: &[
            Field::required("into", Kind::Text, "`load:NAME` or `source:NAME` of the network"),
            Field::optional("active_power", ACTIVE, "what the load draws; negative: it delivers"),
            Field::optional("reactive_power", REACTIVE, "the same; `0 var` if left out"),
            Field::optional(
                "voltage",
                VOLTAGE,
                "of the source, relative to the rated voltage of its node",
            ),
        ],
    },
    step: Some(set_point),
    play: |motion, it| motion.change_by(set_point, it),
    ..NetworkKind::PLAIN
};

fn set_point(values: &Values, elements: &Elements<'_>, out: &mut Diagnostics) -> Option<GridInput> {
    let (into, span) = (values.text("into"), values.span_of("into"));
    if let Some(name) = into.strip_prefix(LOAD_PREFIX) {
        let load = elements.loads.find(name, span, out)?;
        has_its_keys(values, "load", ("active_power", &["voltage"]), out)?;
        let reactive_var = values.si_opt("reactive_power").unwrap_or(0.0);
        let power_va = Some(Complex64::new(values.si("active_power"), reactive_var));
        Some(GridInput::LoadSetPoint { load, power_va })
    } else if let Some(name) = into.strip_prefix(SOURCE_PREFIX) {
        let source = elements.sources.find(name, span, out)?;
        let others = ("voltage", &["active_power", "reactive_power"][..]);
        has_its_keys(values, "source", others, out)?;
        Some(GridInput::SourceVoltage { source, voltage_pu: values.si("voltage") })
    } else {
        refuse_target((into, span), "`load:NAME` or `source:NAME`", out)
    }
}

/// A set-point has the key of what it is about, and none of the other's.
fn has_its_keys(
    values: &Values,
    what: &str,
    (needed, others): (&str, &[&str]),
    out: &mut Diagnostics,
) -> Option<()> {
    if let Some(other) = others.iter().find(|key| values.get(key).is_some()) {
        let message = format!("a {what} has no `{other}` to be set");
        let label = format!("expected `{needed}`");
        out.report(Code::DOES_NOT_FIT, values.span_of(other), message, label);
        return None;
    }
    if values.get(needed).is_none() {
        let message = format!("a set-point of a {what} needs `{needed}`");
        out.report(Code::MISSING_KEY, values.span_of("into"), message, "what is it set to?");
        return None;
    }
    Some(())
}

pub(super) static GENERATION_STEP: NetworkKind = NetworkKind {
    entry: Entry {
        name: "generation-step",
        summary: "a generator of the network delivers more or less than its profile gives",
        description: "A generator is a load with a negative power. It holds until another one, or \
            a `load-step`, into the same element; `0 W` ends it.",
        fields: &[
            Field::required("into", Kind::Text, "`load:NAME`, as generators are called too"),
            Field::required("active_power", ACTIVE, "what it delivers more; negative: less"),
        ],
    },
    play: |motion, it| {
        let (into, span) = it.into();
        let Some(name) = into.strip_prefix(LOAD_PREFIX) else {
            let message = format!("`{into}` is not a load or generator");
            motion.out.report(Code::BAD_NAME, span, message, "expected `load:NAME`");
            return None;
        };
        let load = motion.loads.find(name, span, motion.out)?;
        let change_va = Complex64::new(-it.values.si("active_power"), 0.0);
        motion.change((it.at, it.at), GridInput::LoadStep { load, change_va }, it.values);
        Some(())
    },
    ..NetworkKind::PLAIN
};

/// A ramp goes in steps of this length.
const RAMP_STEP: SimDuration = SimDuration::from_milliseconds(100);

pub(super) static SOURCE_VOLTAGE: NetworkKind = NetworkKind {
    entry: Entry {
        name: "source-voltage",
        summary: "the voltage of a source goes to another value, at once or along a ramp",
        description: "Behind its impedance. A ramp goes in steps of 0.1 s. It holds until another \
            one or a `set-point` of the same source.",
        fields: &[
            Field::required("into", Kind::Text, "`source:NAME`"),
            Field::required("to", VOLTAGE, "relative to the rated voltage of its node"),
            Field::default("over", TIME, "\"0 s\"", "how long the ramp takes"),
        ],
    },
    play: source_voltage,
    ..NetworkKind::PLAIN
};

fn source_voltage(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<()> {
    let names = motion.network.sources.iter().map(|it| &*it.name);
    let source = it.find("source", names, motion.out)?;
    let at = it.at;
    let before = motion.setup.changes.iter().filter(|(when, _)| *when <= at);
    let before = before.filter_map(|(when, input)| match input {
        GridInput::SourceVoltage { source: own, voltage_pu } if *own == source => {
            Some((*when, *voltage_pu))
        }
        _ => None,
    });
    let declared = &motion.network.sources[source];
    let rated_v = motion.network.nodes[declared.node.index()].rated_voltage_v;
    let from = before.max_by_key(|(when, _)| *when);
    let from = from.map_or(declared.voltage_v / rated_v, |(_, voltage_pu)| voltage_pu);
    let (to, over): (f64, SimDuration) = (it.values.si("to"), it.values.duration("over"));
    let steps = (over.0 / RAMP_STEP.0).max(0);
    for step in 1..=steps {
        let share = step as f64 * RAMP_STEP.0 as f64 / over.0 as f64;
        let voltage_pu = from + (to - from) * share.min(1.0);
        let when = SimDuration(at.0 + step * RAMP_STEP.0);
        motion.setup.changes.push((when, GridInput::SourceVoltage { source, voltage_pu }));
    }
    let last = GridInput::SourceVoltage { source, voltage_pu: to };
    motion.change((at, at + over), last, it.values);
    Some(())
}

pub(super) static TAP: NetworkKind = NetworkKind {
    entry: Entry {
        name: "tap",
        summary: "the taps of a transformer move",
        description: "To a position of the winding that has taps. A regulator of the network moves \
            on from there.",
        fields: &[
            Field::required("into", Kind::Text, "`transformer:NAME`"),
            Field::required("position", Kind::Integer { min: -1000, max: 1000 }, "where to"),
        ],
    },
    play: tap,
    ..NetworkKind::PLAIN
};

fn tap(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<()> {
    let names = motion.network.transformers.iter().map(|it| &*it.name);
    let transformer = it.find("transformer", names, motion.out)?;
    let windings = &motion.network.transformers[transformer].windings;
    let winding = windings.iter().position(|it| it.tap.is_some()).unwrap_or(0);
    let position = i32::try_from(it.values.integer("position")).ok()?;
    let change = GridInput::Tap { transformer, winding, position };
    if let Err(why) = change.check(motion.network) {
        let label = "this tap changer cannot stand there";
        let span = it.values.span_of("position");
        motion.out.report(Code::DOES_NOT_FIT, span, why.to_string(), label);
        return None;
    }
    motion.change((it.at, it.at), change, it.values);
    Some(())
}

/// Frequencies are measured that far from the rated one (IEC 61000-4-30, 5.1: 42.5 to 57.5 Hz).
const FREQUENCY_SHARE: f64 = 0.15;

pub(super) static GRID_FREQUENCY: NetworkKind = NetworkKind {
    entry: Entry {
        name: "grid-frequency",
        summary: "the frequency of the whole network goes to another value, swinging or not",
        description: "At once, or along a ramp, then perhaps swinging about it: each half period a \
            ramp from one extreme to the other, half as far each time. Voltages and currents keep \
            their sizes: what reactances change by is left out. Not beside faults by waveforms, \
            which have the rated frequency.",
        fields: &[
            Field::required(
                "to",
                Kind::Quantity { dimension: Dimension::Frequency, min: 1.0, max: 1000.0 },
                "the frequency that it goes to",
            ),
            Field::default("over", TIME, "\"0 s\"", "how long the ramp takes"),
            Field::optional(
                "swing",
                Kind::Quantity { dimension: Dimension::Frequency, min: 1e-6, max: 10.0 },
                "how far it swings beyond it at first",
            ),
            Field::default("period", LENGTH, "\"2 s\"", "of a swing"),
            Field::default("swings", Kind::Integer { min: 1, max: 100 }, "4", "how many periods"),
        ],
    },
    play: grid_frequency,
    ..NetworkKind::PLAIN
};

fn grid_frequency(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<()> {
    let values = it.values;
    let (to_hz, over): (f64, SimDuration) = (values.si("to"), values.duration("over"));
    let rated_hz = motion.network.frequency_hz;
    let swing_hz = values.si_opt("swing").unwrap_or(0.0).abs();
    let farthest_hz = (to_hz - rated_hz).abs() + swing_hz;
    if farthest_hz > FREQUENCY_SHARE * rated_hz {
        let message = format!("the frequency goes {farthest_hz:.1} Hz from {rated_hz} Hz");
        let label =
            format!("expected at most {} %, all that meters measure", 100.0 * FREQUENCY_SHARE);
        motion.out.report(Code::OUT_OF_RANGE, values.span_of("to"), message, label);
        return None;
    }
    motion.moves_frequency.get_or_insert(values.span);
    let mut push = |at: SimDuration, to_hz: f64, over: SimDuration| {
        let change = Change::Frequency { to_hz, over };
        motion.setup.frequency.push(Disturbance { at, length: None, change });
    };
    push(it.at, to_hz, over);
    let swing_hz = values.si_opt("swing")?;
    let half = SimDuration(values.duration("period").0 / 2);
    let mut from = it.at + over;
    for swing in 0..2 * values.integer("swings") {
        let size_hz = swing_hz * 0.5_f64.powi(i32::try_from(swing).unwrap_or(i32::MAX));
        let sign = if swing % 2 == 0 { 1.0 } else { -1.0 };
        push(from, to_hz + sign * size_hz, half);
        from = from + half;
    }
    push(from, to_hz, half);
    Some(())
}
