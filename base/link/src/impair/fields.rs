//! The keys of a link and an impairment in a scenario, and what they mean.
//!
//! A leg is read in three layers: the preset, the keys of the link's own table (both legs), the
//! keys of `up` or `down`. A key replaces what the layer before holds, a whole table at a time.

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Values};

use super::presets::NAMES;
use super::rate::read_bits_per_s;
use super::{Impairment, Jitter, JitterLaw, LegSpec, LinkSpec, Preset, Rare, Shift};

const NANOSECONDS_PER_SECOND: f64 = 1e9;

/// Up to an hour: what takes longer is no delay but a breakage.
const DELAY: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 3600.0 };
const DWELL: Kind = Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 1e9 };
const PROBABILITY: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };
const SIGMA: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 5.0 };

static JITTER: [Field; 8] = [
    Field::required(
        "law",
        Kind::Choice(&["none", "uniform", "normal", "gamma", "lognormal"]),
        "Distribution of each message's jitter; `uniform` and `normal` lie about zero, the others \
         above it",
    ),
    Field::optional("half_width", DELAY, "With `uniform`: evenly between minus and plus this"),
    Field::optional("deviation", DELAY, "With `normal`: the standard deviation"),
    Field::optional(
        "shape",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.05, max: 1000.0 },
        "With `gamma`: the shape, a bare number; the mean is `shape` times `scale`",
    ),
    Field::optional("scale", DELAY, "With `gamma`: the scale"),
    Field::optional("median", DELAY, "With `lognormal`: the median"),
    Field::optional(
        "sigma",
        SIGMA,
        "With `lognormal`: the standard deviation of the logarithm, a bare number",
    ),
    Field::default(
        "correlation",
        PROBABILITY,
        "0",
        "How much a message's jitter resembles that of the message before: the correlation of the \
         normal scores behind the distribution",
    ),
];

static SHIFT: [Field; 4] = [
    Field::required("mean", DELAY, "Mean of the additional delay in the slow mode"),
    Field::default("deviation", DELAY, "\"0 s\"", "Its standard deviation; never below zero"),
    Field::required("fast", DWELL, "How long the link stays in the fast mode, on average"),
    Field::required("slow", DWELL, "How long the link stays in the slow mode, on average"),
];

static RARE: [Field; 3] = [
    Field::required("probability", PROBABILITY, "Share of the messages that are held up"),
    Field::required("median", DELAY, "Median of the lognormal delay"),
    Field::default(
        "sigma",
        SIGMA,
        "0",
        "Standard deviation of the delay's logarithm, a bare number",
    ),
];

const DELAY_FIELD: Field = Field::optional("delay", DELAY, "The fixed delay of a leg, one way");
const JITTER_FIELD: Field = Field::optional(
    "jitter",
    Kind::Table(&JITTER),
    "How the delay varies from message to message, such as `{ law = \"gamma\", shape = 2, scale = \
     \"5 ms\" }`",
);
const SHIFT_FIELD: Field = Field::optional(
    "shift",
    Kind::Table(&SHIFT),
    "A slow mode that the link enters now and then, with exponential dwell times; a `mean` of \
     `\"0 s\"` takes that of a preset away",
);
const RARE_FIELD: Field = Field::optional(
    "rare",
    Kind::Table(&RARE),
    "A long delay for a few messages, such as a retransmission of the radio",
);
const LOSS_FIELD: Field = Field::optional(
    "loss",
    Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 0.95 },
    "Probability that a segment of up to 1460 bytes is lost. TCP sends it again: the message, and \
     all behind it, comes later by the retransmission timeout, doubled for each further loss",
);
const TIMEOUT_FIELD: Field = Field::optional(
    "retransmission_timeout",
    Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 120.0 },
    "How long TCP waits before it sends a lost segment again for the first time; 200 ms, Linux' \
     least, unless set",
);
const BANDWIDTH_FIELD: Field = Field::optional(
    "bandwidth",
    Kind::Text,
    "Speed of the line as payload bits per second, such as `\"128 kbit/s\"` or `\"2 Mbit/s\"`; \
     `\"unlimited\"` takes that of a preset away",
);
const BURST_FIELD: Field = Field::optional(
    "burst_bytes",
    Kind::Integer { min: 0, max: 1 << 30 },
    "With `bandwidth`: bytes that pass without waiting after a rest (the depth of the token bucket)",
);
const FLIP_FIELD: Field = Field::optional(
    "byte_flip",
    PROBABILITY,
    "Probability for each byte that one of its bits is inverted, such as `\"1 ppm\"`. TCP's own \
     checksum does not see it: as if a gateway in between had bad memory",
);

static LEG: [Field; 9] = [
    DELAY_FIELD,
    JITTER_FIELD,
    SHIFT_FIELD,
    RARE_FIELD,
    LOSS_FIELD,
    TIMEOUT_FIELD,
    BANDWIDTH_FIELD,
    BURST_FIELD,
    FLIP_FIELD,
];

/// The keys of a `[[link]]` beside its `name`.
pub static LINK_FIELDS: &[Field] = &[
    Field::optional(
        "preset",
        Kind::Choice(NAMES),
        "A link known by name, which the other keys change; without it the link is perfect",
    ),
    Field::optional(
        "nodelay",
        Kind::Boolean,
        "TCP_NODELAY on all sockets of the link; `true` unless the preset has another value. `false` \
         lets Nagle's algorithm hold small writes back until earlier ones are acknowledged",
    ),
    Field::optional(
        "two_writes",
        Kind::Boolean,
        "Whether what goes up is written in two pieces, as clients do that write a message's header \
         and its payload apart; `false` unless the preset has another value. Matters without `nodelay`",
    ),
    DELAY_FIELD,
    JITTER_FIELD,
    SHIFT_FIELD,
    RARE_FIELD,
    LOSS_FIELD,
    TIMEOUT_FIELD,
    BANDWIDTH_FIELD,
    BURST_FIELD,
    FLIP_FIELD,
    Field::optional(
        "up",
        Kind::Table(&LEG),
        "The same keys from `delay` on for the leg towards the platform alone",
    ),
    Field::optional(
        "down",
        Kind::Table(&LEG),
        "The same keys from `delay` on for the leg from the platform alone",
    ),
];

/// The keys of what an injection puts on a link for a while.
pub static IMPAIR_FIELDS: &[Field] = &[
    Field::default(
        "leg",
        Kind::Choice(&["both", "up", "down"]),
        "\"both\"",
        "Which leg is impaired: `up` is towards the platform",
    ),
    DELAY_FIELD,
    JITTER_FIELD,
    RARE_FIELD,
    LOSS_FIELD,
    TIMEOUT_FIELD,
    BANDWIDTH_FIELD,
    BURST_FIELD,
    FLIP_FIELD,
];

/// What the checked keys of a link mean. `None` if they do not fit together; what is wrong is then
/// in `out`.
pub fn read_link(values: &Values, out: &mut Diagnostics) -> Option<LinkSpec> {
    let mistakes = out.len();
    let mut link = values
        .text_opt("preset")
        .and_then(Preset::find)
        .map_or(LinkSpec::PERFECT, |preset| preset.link);
    for (name, flag) in [("nodelay", &mut link.nodelay), ("two_writes", &mut link.two_writes)] {
        if values.get(name).is_some() {
            *flag = values.boolean(name);
        }
    }
    read_leg(values, &mut link.up, out);
    // The same keys again: what is wrong with them has been reported.
    read_leg(values, &mut link.down, &mut Diagnostics::new());
    for (name, leg) in [("up", &mut link.up), ("down", &mut link.down)] {
        if let Some(own) = values.table_opt(name) {
            read_leg(own, leg, out);
            refuse_burst_without_line(own, &[leg], out);
        }
    }
    refuse_burst_without_line(values, &[&link.up, &link.down], out);
    (out.len() == mistakes).then_some(link)
}

/// What the checked keys of an impairment mean. `None` if they do not fit together, or change
/// nothing; what is wrong is then in `out`.
pub fn read_impairment(values: &Values, out: &mut Diagnostics) -> Option<Impairment> {
    let mistakes = out.len();
    let mut leg = LegSpec::PERFECT;
    read_leg(values, &mut leg, out);
    refuse_burst_without_line(values, &[&leg], out);
    let changes = |field: &&Field| field.name != "leg" && values.get(field.name).is_some();
    if !IMPAIR_FIELDS.iter().any(|field| changes(&field)) {
        let help = "such as `delay = \"200 ms\"`, `loss = \"5 %\"` or `bandwidth = \"64 kbit/s\"`";
        out.report_with_help(
            Code::DOES_NOT_FIT,
            values.span,
            "this impairment changes nothing",
            "expected at least one change",
            Some(help.to_owned()),
        );
    }
    let word = values.text("leg");
    let on = |name: &str| (word == "both" || word == name).then_some(leg);
    (out.len() == mistakes).then_some(Impairment { up: on("up"), down: on("down") })
}

/// Changes a leg by the keys that are there.
fn read_leg(values: &Values, leg: &mut LegSpec, out: &mut Diagnostics) {
    if let Some(delay_ns) = time_ns(values, "delay") {
        leg.delay_ns = delay_ns;
    }
    if let Some(table) = values.table_opt("jitter") {
        leg.jitter = read_jitter(table, out).unwrap_or(leg.jitter);
    }
    if let Some(table) = values.table_opt("shift") {
        leg.shift = Some(Shift {
            mean_ns: ns(table.si("mean")),
            deviation_ns: ns(table.si("deviation")),
            fast_dwell_ns: ns(table.si("fast")),
            slow_dwell_ns: ns(table.si("slow")),
        });
    }
    if let Some(table) = values.table_opt("rare") {
        leg.rare = Some(Rare {
            probability: table.si("probability"),
            median_ns: ns(table.si("median")),
            sigma: table.si("sigma"),
        });
    }
    if let Some(probability) = values.si_opt("loss") {
        leg.loss.probability = probability;
    }
    if let Some(timeout_ns) = time_ns(values, "retransmission_timeout") {
        leg.loss.timeout_ns = timeout_ns;
    }
    if let Some(bits_per_s) = read_bits_per_s(values, "bandwidth", out) {
        leg.bandwidth.bits_per_s = bits_per_s;
    }
    if let Some(bytes) = values.integer_opt("burst_bytes") {
        leg.bandwidth.burst_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    }
    if let Some(probability) = values.si_opt("byte_flip") {
        leg.byte_flip = probability;
    }
}

fn ns(seconds: f64) -> f64 {
    seconds * NANOSECONDS_PER_SECOND
}

fn time_ns(values: &Values, name: &str) -> Option<f64> {
    values.si_opt(name).map(ns)
}

/// The parameters of each law.
const LAWS: [(&str, &[&str]); 5] = [
    ("none", &[]),
    ("uniform", &["half_width"]),
    ("normal", &["deviation"]),
    ("gamma", &["shape", "scale"]),
    ("lognormal", &["median", "sigma"]),
];

fn read_jitter(table: &Values, out: &mut Diagnostics) -> Option<Jitter> {
    let law = table.text("law");
    let own = LAWS.iter().find(|(name, _)| *name == law).map_or(&[] as &[&str], |row| row.1);
    let mut whole = true;
    for parameter in LAWS.iter().flat_map(|row| row.1) {
        if own.contains(parameter) == table.get(parameter).is_some() {
            continue;
        }
        whole = false;
        if own.contains(parameter) {
            let message = format!("a jitter by the law `{law}` needs `{parameter}`");
            out.report(Code::MISSING_KEY, table.span, message, format!("`{parameter}` is missing"));
        } else {
            let message = format!("a jitter by the law `{law}` has no `{parameter}`");
            let label = match own {
                [] => "it has no parameters".to_owned(),
                _ => format!("its parameters: `{}`", own.join("`, `")),
            };
            out.report(Code::DOES_NOT_FIT, table.span_of(parameter), message, label);
        }
    }
    if !whole {
        return None;
    }
    let law = match law {
        "uniform" => JitterLaw::Uniform { half_width_ns: ns(table.si("half_width")) },
        "normal" => JitterLaw::Normal { deviation_ns: ns(table.si("deviation")) },
        "gamma" => JitterLaw::Gamma { shape: table.si("shape"), scale_ns: ns(table.si("scale")) },
        "lognormal" => {
            JitterLaw::Lognormal { median_ns: ns(table.si("median")), sigma: table.si("sigma") }
        }
        _ => JitterLaw::None,
    };
    Some(Jitter { law, correlation: table.si("correlation") })
}

fn refuse_burst_without_line(values: &Values, legs: &[&LegSpec], out: &mut Diagnostics) {
    let lines = legs.iter().filter(|leg| leg.bandwidth.bits_per_s.is_finite()).count();
    if lines == 0 && values.get("burst_bytes").is_some() && values.get("bandwidth").is_none() {
        let message = "`burst_bytes` belongs to a `bandwidth`, which is missing";
        let span = values.span_of("burst_bytes");
        out.report(Code::DOES_NOT_FIT, span, message, "has no effect without it");
    }
}
