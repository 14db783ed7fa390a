//! `line-fault`: conductors along a line are shorted.

use lastmeter_params::{Code, Dimension, Entry, Field, Kind, Values};

use super::fault::{
    ANGLE, ARC_TIME_CONSTANT, ARC_VOLTAGE, ARC_VOLTAGE_NEGATIVE, EARTH, EXTINGUISHES, FAULT_FOR,
    RESISTANCE, fault,
};
use super::{NetworkInjection, NetworkKind, PHASES};
use crate::language::section::grid::{LinePlace, MotionBuilder, find};

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "line-fault",
        summary: "conductors along a line of the network are shorted",
        description: "As a `node-fault`, at a place along a line: by its share of the length from \
            the end `from`, or by its distance in metres from there where the line has a length.",
        fields: &[
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
            PHASES,
            EARTH,
            RESISTANCE,
            ANGLE,
            FAULT_FOR,
            EXTINGUISHES,
            ARC_VOLTAGE,
            ARC_VOLTAGE_NEGATIVE,
            ARC_TIME_CONSTANT,
        ],
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
        let message = format!("`{into}` is no line");
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
