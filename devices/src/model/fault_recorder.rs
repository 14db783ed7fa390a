//! A fault recorder at a station: it sends samples around a fault as one block.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_wire::block::BYTES_MAX;

use super::fields::{between, positive};
use super::kind::{DeviceKind, Fits};
use crate::border::Device;
use crate::context::DeviceContext;
use crate::fault_recorder::{CHANNELS, FaultRecorder, PER_CYCLE, RecorderParts};
use crate::gaussian::Gaussian;
use crate::outlet::reporter::Reporter;

const CYCLES: Kind = Kind::Integer { min: 1, max: 10_000 };
const RATED_CURRENT: &str = "rated_current";
const BEFORE: &str = "before";
const AFTER: &str = "after";
/// Bytes of a block beside its samples, at most.
const HEAD_BYTES: usize = 1024;

static FIELDS: [Field; 12] = [
    Field::required(
        "rated_voltage",
        between(Dimension::Voltage, 1.0, 1e6),
        "Rated r.m.s. voltage of a phase to earth, primary.",
    ),
    Field::required(
        RATED_CURRENT,
        between(Dimension::Current, 1.0, 1e6),
        "Rated r.m.s. current of its transformers, primary.",
    ),
    Field::default(
        "nominal_frequency",
        between(Dimension::Frequency, 50.0, 60.0),
        "\"50 Hz\"",
        "It takes 32 samples in a cycle of this frequency.",
    ),
    Field::default(BEFORE, CYCLES, "8", "Cycles of a block before the trigger."),
    Field::default(AFTER, CYCLES, "12", "Cycles of a block from the trigger on."),
    Field::optional(
        "pickup",
        between(Dimension::Current, 1e-3, 1e7),
        "Above this r.m.s. current of a cycle it triggers; 1.5 times the rated one unless given.",
    ),
    Field::default(
        "dip",
        between(Dimension::Ratio, 0.0, 1.0),
        "\"80 %\"",
        "Below this part of the rated voltage it triggers, by the r.m.s. of a cycle; never with 0.",
    ),
    Field::default(
        "bits",
        Kind::Integer { min: 8, max: 16 },
        "12",
        "Bits of its converter, with the sign.",
    ),
    Field::default(
        "voltage_range",
        between(Dimension::Ratio, 1.0, 100.0),
        "2",
        "Largest sine that is not clipped, over the rated voltage.",
    ),
    Field::default(
        "current_range",
        between(Dimension::Ratio, 1.0, 100.0),
        "20",
        "Largest sine that is not clipped, over the rated current.",
    ),
    Field::default(
        "noise",
        positive(Dimension::Ratio, 0.1),
        "\"0 %\"",
        "Standard deviation of what is added to each sample, over the rated value.",
    ),
    Field::default(
        "obey_commands",
        Kind::Boolean,
        "true",
        "Whether commands are answered: it takes none, so each with an error.",
    ),
];

/// Its row.
pub(crate) const FAULT_RECORDER: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: 3 },
    entry: Entry {
        name: "fault-recorder",
        summary: "recorder at a station: samples of 3 voltages and 3 currents around a fault",
        description: "At a place with three phases, such as a source of the network \
            (`at = \"source:NAME\"`). It takes 32 samples in a cycle of three voltages to earth \
            and three currents, and triggers when the r.m.s. of a cycle is above `pickup` or below \
            `dip`. What it had and what follows it sends as one block of samples \
            (`electricity.voltage.instant.l1`, ...) and, behind it, an alert `fault.recorded` that \
            names the block; it is armed again once current and voltage are as they should be. It \
            makes no readings.",
        fields: &FIELDS,
    },
    build,
    ..DeviceKind::PLAIN
};

fn build(
    values: &Values,
    context: &DeviceContext<'_>,
    out: &mut Diagnostics,
) -> Option<Box<dyn Device>> {
    let count = |name: &str| usize::try_from(values.integer(name)).unwrap_or(0);
    let [before, after] = [BEFORE, AFTER].map(|name| PER_CYCLE * count(name));
    let bytes = HEAD_BYTES + (before + after) * CHANNELS * size_of::<i16>();
    if bytes > BYTES_MAX {
        let most = (BYTES_MAX - HEAD_BYTES) / (PER_CYCLE * CHANNELS * size_of::<i16>());
        let message = format!("a block of {} cycles is too large", count(BEFORE) + count(AFTER));
        let label = format!("expected at most {most} cycles together");
        out.report(Code::DOES_NOT_FIT, values.span_of(AFTER), message, label);
        return None;
    }
    let rated = [values.si("rated_voltage"), values.si(RATED_CURRENT)];
    let ranges = [values.si("voltage_range"), values.si("current_range")];
    let counts_max = f64::from((1_u32 << (values.integer("bits") - 1)) - 1);
    let scale = |kind: usize| rated[kind] * ranges[kind] * std::f64::consts::SQRT_2 / counts_max;
    let noise = values.si("noise");
    let stream = context.streams.stream(&format!("device/{}/noise", context.name));
    Some(Box::new(FaultRecorder::new(RecorderParts {
        outlet: Reporter::uplink(context, values.boolean("obey_commands")),
        hardware_id: context.hardware_id.clone(),
        start: context.start,
        rate_hz: PER_CYCLE as f64 * values.si("nominal_frequency"),
        before,
        after,
        scales: [scale(0), scale(1)],
        counts_max,
        noise: rated.map(|rated| rated * noise),
        dip_v: rated[0] * values.si("dip"),
        pickup_a: values.si_opt("pickup").unwrap_or(1.5 * rated[1]),
        draws: Gaussian::new(stream),
    })))
}
