//! Conductors that are shorted, at a node or along a line, perhaps by an arc.

use std::f64::consts::TAU;

use lastmeter_grid::motion::{FaultAt, NetworkAction, Resolution};
use lastmeter_grid::network::{NodeId, Wire, Wires};
use lastmeter_grid::transient::{Arc, FaultKind};
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};

use super::{LENGTH, NetworkInjection, NetworkKind, SHORTED};
use crate::draft::joined;
use crate::section::grid::{FAULT_PREFIX, LinePlace, MotionBuilder, find, wires_of};

/// The least resistance behind the voltage of a long arc, ohm: what the transients play.
const LONG_OHM_MIN: f64 = 1e-3;

/// A dynamic arc begins with at most this conductance, siemens.
const SIEMENS_MAX: f64 = 100.0;

const ARC: Kind = Kind::Quantity { dimension: Dimension::Voltage, min: 1e-3, max: 1e7 };

/// The keys of every fault.
const FAULT: [Field; 9] = [
    SHORTED,
    Field::default(
        "earth",
        Kind::Boolean,
        "true",
        "whether to earth, or only with each other; a phase and `n` are shorted with each other",
    ),
    Field::default(
        "resistance",
        Kind::Quantity { dimension: Dimension::Resistance, min: 0.0, max: 1e9 },
        "\"0 ohm\"",
        "of each conductor to earth, or from one to the other",
    ),
    Field::optional(
        "angle",
        Kind::Quantity { dimension: Dimension::Angle, min: 0.0, max: TAU },
        "it begins when the voltage that it shorts is at this angle from its positive zero \
         crossing, within a period after `at`; left out, at `at`",
    ),
    Field::optional(
        "for",
        LENGTH,
        "it ends so much after it began, which an `angle` delays, each current at its zero; left \
         out, not by itself",
    ),
    Field::optional(
        "extinguishes",
        LENGTH,
        "a fault of an arc: gone after so much time without a current through it, with \
         `arc_voltage` within a half wave too; left out, it stays",
    ),
    Field::optional(
        "arc_voltage",
        ARC,
        "an arc burns: a direct voltage against its current, which flows only where the network's \
         voltage is above it, behind `resistance`. Its waveforms go on until it is over. Needs \
         `resolution = \"waveforms\"`",
    ),
    Field::optional(
        "arc_voltage_negative",
        ARC,
        "the same in negative half waves; another one makes even harmonics. Left out, \
         `arc_voltage`",
    ),
    Field::optional(
        "arc_time_constant",
        Kind::Quantity { dimension: Dimension::Time, min: 1e-5, max: 10.0 },
        "the arc's conductance follows the stationary one, `1 / (arc_voltage / current + \
         resistance)`, with this time constant; it begins with that of `resistance`, at most 100 S",
    ),
];

static AT_NODE: [Field; 1 + FAULT.len()] =
    joined(&[&[Field::required("into", Kind::Text, "`node:NAME`")], &FAULT]);

static ALONG_LINE: [Field; 3 + FAULT.len()] = joined(&[
    &[
        Field::required("into", Kind::Text, "`line:NAME`"),
        Field::optional(
            "position",
            Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 },
            "share of the line's length; left out with `distance_m` too, 50 %",
        ),
        Field::optional(
            "distance_m",
            Kind::Integer { min: 0, max: 10_000_000 },
            "the same in metres",
        ),
    ],
    &FAULT,
]);

pub(super) static NODE_FAULT: NetworkKind = NetworkKind {
    entry: Entry {
        name: "node-fault",
        summary: "conductors at a node of the network are shorted",
        description: "To earth, or with each other. Needs `resolution` of `[grid]` other than \
            `steps`. Fuses and relays of `[[grid.protection]]` see its currents; what they do is \
            in the record as `operated`.",
        fields: &AT_NODE,
    },
    is_fault: true,
    play: |motion, it| {
        let names = motion.network.nodes.iter().map(|it| &*it.name);
        let node = it.find("node", names, motion.out)?;
        fault(motion, NodeId(u32::try_from(node).ok()?), it)
    },
    ..NetworkKind::PLAIN
};

pub(super) static LINE_FAULT: NetworkKind = NetworkKind {
    entry: Entry {
        name: "line-fault",
        summary: "conductors along a line of the network are shorted",
        description: "As a `node-fault`, at a place along a line: by its share of the length from \
            the end `from`, or by its distance in metres from there where the line has a length.",
        fields: &ALONG_LINE,
    },
    is_fault: true,
    prepare: |motion, it| {
        let place = place(motion, it)?;
        motion.divide_at(place);
        Some(Box::new(move |motion, it| {
            let node = motion.node_at(place)?;
            fault(motion, node, it)
        }))
    },
    ..NetworkKind::PLAIN
};

/// The line of a fault, and its share of the length.
fn place(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<LinePlace> {
    let (into, span) = it.into();
    let (values, lines) = (it.values, &motion.network.lines);
    let Some(name) = into.strip_prefix("line:") else {
        let message = format!("`{into}` is not a line");
        let is_called = lines.iter().any(|it| &*it.name == into);
        let help = is_called.then(|| format!("write `line:{into}`"));
        let label = "expected `line:NAME`";
        motion.out.report_with_help(Code::BAD_NAME, span, message, label, help);
        return None;
    };
    let line = find(lines.iter().map(|it| &*it.name), ("line", name), span, motion.out)?;
    let share = share(values, (name, lines[line].length_m), motion)?;
    Some(LinePlace { line, share })
}

fn share(
    values: &Values,
    (name, length_m): (&str, Option<f64>),
    motion: &mut MotionBuilder<'_, '_>,
) -> Option<f64> {
    let at = values.span_of("distance_m");
    let distance_m = match (values.si_opt("position"), values.integer_opt("distance_m")) {
        (Some(_), Some(_)) => {
            let message = "both `position` and `distance_m` of one fault";
            motion.out.report(Code::DOES_NOT_FIT, at, message, "expected one of them");
            return None;
        }
        (Some(share), None) => return Some(share),
        (None, None) => return Some(0.5),
        (None, Some(distance_m)) => distance_m,
    };
    let Some(length_m) = length_m else {
        let message = format!("line `{name}` has no length in the network's file");
        let help = Some("give `position`, its share, instead".to_owned());
        motion.out.report_with_help(Code::DOES_NOT_FIT, at, message, "of what?", help);
        return None;
    };
    let share = distance_m as f64 / length_m;
    if share > 1.0 {
        let message = format!("{distance_m} m is beyond the end of line `{name}`");
        let label = format!("expected at most {length_m} m");
        motion.out.report(Code::OUT_OF_RANGE, at, message, label);
        return None;
    }
    Some(share)
}

/// Makes the fault of an injection happen at a node.
fn fault(
    motion: &mut MotionBuilder<'_, '_>,
    node: NodeId,
    it: &NetworkInjection<'_>,
) -> Option<()> {
    let values = it.values;
    let wires: Wires = wires_of(values.text("phases")).into_iter().collect();
    let known = &motion.network.nodes[node.index()];
    let to_neutral = wires.contains(Wire::Neutral);
    if to_neutral && values.is_written("earth") && values.boolean("earth") {
        let message = format!("`earth = true` of the fault `{}`", values.text("phases"));
        let label = "leave it out: a phase and `n` are shorted with each other";
        motion.out.report(Code::DOES_NOT_FIT, values.span_of("earth"), message, label);
        return None;
    }
    let to_earth = values.boolean("earth") && !to_neutral;
    let refuse = |message: String, label: &str, out: &mut Diagnostics| {
        out.report(Code::DOES_NOT_FIT, values.span_of("phases"), message, label);
    };
    if !known.wires.contains_all(wires) {
        let message = format!("node `{}` has the wires {} only", known.name, known.wires);
        refuse(message, "expected phases that it has", motion.out);
        return None;
    }
    if !to_earth && wires.len() < 2 {
        let message = "a phase-to-phase fault needs at least two phases".to_owned();
        refuse(message, "expected two or three phases, or `earth = true`", motion.out);
        return None;
    }
    let kind = if to_earth { FaultKind::Ground(wires) } else { FaultKind::Between(wires) };
    let arc = arc(values, kind, motion.setup.options.resolution, motion.out).ok()?;
    let id = u32::try_from(it.number).ok()?;
    let fault = FaultAt {
        id,
        name: format!("{FAULT_PREFIX}{}", it.name()).into(),
        node,
        kind,
        resistance_ohm: values.si("resistance"),
        arc,
        angle_rad: values.si_opt("angle").map(|angle| angle.rem_euclid(TAU)), // -90 deg: 270 deg
        extinguishes_s: values.si_opt("extinguishes"),
    };
    motion.event(it.at, NetworkAction::Fault(fault));
    if let Some(length) = values.duration_opt("for") {
        motion.event(it.at + length, NetworkAction::RunOut { id });
    }
    Some(())
}

/// The arc of a fault, if it has one; `Err` after a mistake, which is reported.
fn arc(
    values: &Values,
    kind: FaultKind,
    resolution: Resolution,
    out: &mut Diagnostics,
) -> Result<Option<Arc>, ()> {
    let mut refuse = |key: &str, code, message: String, label: &str| {
        out.report(code, values.span_of(key), message, label);
        Err(())
    };
    let Some(voltage_v) = values.si_opt("arc_voltage") else {
        for key in ["arc_voltage_negative", "arc_time_constant"] {
            if values.si_opt(key).is_some() {
                let message = format!("`{key}` of a fault without an arc");
                return refuse(key, Code::DOES_NOT_FIT, message, "expected `arc_voltage` too");
            }
        }
        return Ok(None);
    };
    let of = "arc_voltage";
    if resolution == Resolution::Phasors {
        let message = "the current of an arc is not sinusoidal, so it has no phasors".to_owned();
        let label = "expected `resolution = \"waveforms\"` under `[grid]`";
        return refuse(of, Code::DOES_NOT_FIT, message, label);
    }
    if let FaultKind::Between(wires) = kind
        && wires.len() != 2
    {
        let message = "an arc between three conductors".to_owned();
        let label = "expected two of them, or an arc of each to earth";
        return refuse(of, Code::DOES_NOT_FIT, message, label);
    }
    let resistance_ohm = values.si("resistance");
    if let Some(time_constant_s) = values.si_opt("arc_time_constant") {
        let negative = "arc_voltage_negative";
        if values.si_opt(negative).is_some() {
            let message = "an arc with a time constant has one voltage for both halves".to_owned();
            let label = "leave it, or `arc_time_constant`, out";
            return refuse(negative, Code::DOES_NOT_FIT, message, label);
        }
        let initial_siemens = (1.0 / resistance_ohm).min(SIEMENS_MAX);
        let arc = Arc::Dynamic { voltage_v, resistance_ohm, time_constant_s, initial_siemens };
        return Ok(Some(arc));
    }
    if resistance_ohm < LONG_OHM_MIN {
        let message = format!("an arc behind a resistance of {resistance_ohm} ohm");
        let label = "expected a `resistance` of 0.001 ohm or more with it";
        return refuse(of, Code::OUT_OF_RANGE, message, label);
    }
    let negative_v = values.si_opt("arc_voltage_negative").unwrap_or(voltage_v);
    Ok(Some(Arc::Long { positive_v: voltage_v, negative_v, resistance_ohm }))
}
