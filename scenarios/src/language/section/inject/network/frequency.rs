//! `grid-frequency`: the frequency of the whole network goes to another value.

use lastmeter_params::{Code, Dimension, Entry, Field, Kind};
use lastmeter_sim::disturbance::{Change, Disturbance};
use lastmeter_units::SimDuration;

use super::{LENGTH, NetworkInjection, NetworkKind, TIME};
use crate::language::section::grid::MotionBuilder;

/// Frequencies are measured that far from the rated one (IEC 61000-4-30, 5.1: 42.5 to 57.5 Hz).
const FREQUENCY_SHARE: f64 = 0.15;

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
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
    play,
    ..NetworkKind::PLAIN
};

fn play(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<()> {
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
