//! `[[grid.protection]]`: fuses, relays with their breakers, reclosers, sectionalisers, interface
//! protections.

use lastmeter_grid::Network;
use lastmeter_grid::motion::{Protection, Protector};
use lastmeter_grid::protection::{
    Beyond, Characteristic, Curve, Fuse, GgGates, Recloser, RecloserSettings, Relay, Reset,
    Sectionalizer, SectionalizerSettings, SettingError, Stage,
};
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};

use super::interface::{INTERFACE, interface, load_of};
use super::pieces::Pieces;
use crate::language::draft::{Naming, Row, Section};

const AMPERES: Kind = Kind::Quantity { dimension: Dimension::Current, min: 1e-3, max: 1e6 };
const SECONDS: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e6 };
const RATIO: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1e3 };
const SHARE: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };

/// A point of a time-current curve.
const POINT: &[Field] = &[
    Field::required("current", AMPERES, "RMS"),
    Field::required("time", SECONDS, "after which it melts, or has cleared"),
];

/// What a device may be in, or in front of.
const PLACES: [&str; 5] = ["switch:", "line:", "transformer:", "load:", "source:"];

const CURVES: &[&str] = &[
    "standard-inverse",
    "very-inverse",
    "extremely-inverse",
    "ieee-moderately-inverse",
    "ieee-very-inverse",
    "ieee-extremely-inverse",
    "definite",
];

const CURVE: Field = Field::default(
    "curve",
    Kind::Choice(CURVES),
    "\"standard-inverse\"",
    "of the phase currents: of IEC 60255-151 (A, B, C), IEEE C37.112 (D, E, F), or a definite time",
);
const PICKUP: Field = Field::required("pickup", AMPERES, "of the phase currents");
const EARTH_PICKUP: Field = Field::optional(
    "earth_pickup",
    AMPERES,
    "of the residual current, by the same curve; left out, it is not watched",
);
const OPENING: Field = Field::default(
    "opening",
    SECONDS,
    "\"60 ms\"",
    "from the trip until the contacts part; the current ends at its next zero",
);

pub(crate) static GRID_PROTECTION: Section = Section {
    name: "grid.protection",
    noun: "protective device",
    doc: "A device that opens a switch of the network by the current through it, or by the voltage \
        in front of it. Needs `resolution` of `[grid]` other than `steps`. Fuses go by the square \
        of the current as it flows, all others by phasors. What one does is in the record as `operated` of `KIND:NAME`.",
    fields: &[
        Field::required("name", Kind::Name, "what it is called"),
        Field::required("kind", Kind::Text, "which device"),
        Field::required(
            "at",
            Kind::Text,
            "`switch:NAME`, `line:NAME` at the end `from` of a line, `transformer:NAME` at its \
             first winding, `load:NAME` or `source:NAME`; each has one device",
        ),
    ],
    naming: Naming::Free,
    kind: Some(("kind", "protective device")),
    entries: || ProtectionKind::ALL.map(|kind| *kind.entry()).to_vec(),
    heading: "protective devices",
    ..Section::REPEATED
};

/// What protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProtectionKind {
    Fuse,
    Breaker,
    Recloser,
    Sectionalizer,
    Interface,
}

impl ProtectionKind {
    const ALL: [Self; 5] =
        [Self::Fuse, Self::Breaker, Self::Recloser, Self::Sectionalizer, Self::Interface];

    fn entry(self) -> &'static Entry {
        match self {
            Self::Fuse => &FUSE,
            Self::Breaker => &BREAKER,
            Self::Recloser => &RECLOSER,
            Self::Sectionalizer => &SECTIONALIZER,
            Self::Interface => &INTERFACE,
        }
    }
}

static FUSE: Entry = Entry {
    name: "fuse-link",
    summary: "a fuse in each conductor",
    description: "Either a gG fuse-link by its `rating` (16 to 160 A), at `between` of the band \
        between the gates of IEC 60269-1, or by tables: `melting` (minimum melting), and `clearing` \
        (total clearing) where it is known. Between points curves are straight on logarithmic \
        axes; beyond the last one its I2t is constant. Without `clearing` the arc ends at the next \
        zero of the current.",
    fields: &[
        Field::optional("rating", AMPERES, "of a gG fuse-link"),
        Field::default(
            "between",
            SHARE,
            "\"50 %\"",
            "0 %: the fastest there is, 100 %: the slowest",
        ),
        Field::default(
            "melting",
            Kind::List(&Kind::Table(POINT)),
            "[]",
            "points by rising current",
        ),
        Field::default("clearing", Kind::List(&Kind::Table(POINT)), "[]", "likewise"),
        Field::default(
            "striker",
            Kind::Boolean,
            "false",
            "whether a blown fuse opens the other conductors of the switch too",
        ),
    ],
};

static BREAKER: Entry = Entry {
    name: "relay",
    summary: "an overcurrent relay that opens its breaker",
    description: "By an inverse-time curve or a definite time above `pickup`, each phase by itself, \
        by the residual current above `earth_pickup`, and at once above `instantaneous`. It resets \
        at once where the current is below.",
    fields: &[
        CURVE,
        PICKUP,
        Field::default("multiplier", RATIO, "0.1", "time multiplier of the curve"),
        Field::default("time", SECONDS, "\"0.5 s\"", "of a definite time"),
        EARTH_PICKUP,
        Field::optional("instantaneous", AMPERES, "a second stage without delay"),
        OPENING,
    ],
};

static RECLOSER: Entry = Entry {
    name: "recloser",
    summary: "a breaker that trips, recloses, and gives up after a sequence",
    description: "Its first `fast` trips go by `fast_multiplier`, the others by `multiplier` (of a \
        definite curve: `fast_time` and `time`). After trip k it recloses in the k-th of \
        `dead_times`; after the last trip it locks out until `restore`.",
    fields: &[
        CURVE,
        PICKUP,
        EARTH_PICKUP,
        Field::default("trips", Kind::Integer { min: 1, max: 8 }, "4", "until it locks out"),
        Field::default("fast", Kind::Integer { min: 0, max: 8 }, "2", "of these by the fast curve"),
        Field::default("fast_multiplier", RATIO, "0.05", "time multiplier of the fast trips"),
        Field::default("multiplier", RATIO, "0.5", "time multiplier of the slow trips"),
        Field::default("fast_time", SECONDS, "\"50 ms\"", "of a definite curve, fast trips"),
        Field::default("time", SECONDS, "\"0.5 s\"", "of a definite curve, slow trips"),
        Field::default(
            "dead_times",
            Kind::List(&SECONDS),
            "[\"0.5 s\", \"5 s\", \"15 s\"]",
            "between two trips each",
        ),
        Field::default("reclaim", SECONDS, "\"30 s\"", "without pick-up it begins again"),
        OPENING,
    ],
};

static SECTIONALIZER: Entry = Entry {
    name: "sectionalizer",
    summary: "a switch that counts interruptions upstream and opens in a dead time",
    description: "It counts when a current above `pickup` ends within `interruption`, and opens \
        after `counts` of them while there is no current.",
    fields: &[
        PICKUP,
        Field::default("dead", AMPERES, "\"0.5 A\"", "a current of at most this is none"),
        Field::default("counts", Kind::Integer { min: 1, max: 8 }, "2", "until it opens"),
        Field::default("interruption", SECONDS, "\"0.2 s\"", "how soon after the fault's current"),
        Field::default("opening", SECONDS, "\"60 ms\"", "from the last count until it opens"),
        Field::default("memory", SECONDS, "\"60 s\"", "after which it forgets its counts"),
    ],
};

/// The devices that have no mistake; the others are told.
pub(super) fn protectors(
    rows: &[Row<'_>],
    network: &mut Network,
    pieces: &mut Pieces,
    out: &mut Diagnostics,
) -> Vec<Protector> {
    let mut made: Vec<Protector> = Vec::new();
    for row in rows {
        let kind = row.kind_of(ProtectionKind::ALL, |kind| kind.entry());
        let (Some(kind), Some(values)) = (kind, row.values.as_ref()) else { continue };
        let span = values.span_of("at");
        let load = match kind {
            ProtectionKind::Interface => load_of(values, network, out),
            _ => None,
        };
        if kind == ProtectionKind::Interface && !values.text("at").starts_with("load:") {
            continue;
        }
        let at = values.text("at");
        let has_place = PLACES.iter().any(|it| at.starts_with(it));
        if kind != ProtectionKind::Interface && !has_place {
            let noun = kind.entry().name;
            let message = format!("`{at}` is no place of a device of kind `{noun}`");
            let label = "expected `switch:NAME`, `line:NAME` or another place of a device";
            let is_switch = network.switches.iter().any(|own| &*own.name == at);
            let is_line = network.lines.iter().any(|own| &*own.name == at);
            let help = match (is_switch, is_line) {
                (true, _) => Some(format!("write `switch:{at}`")),
                (_, true) => Some(format!("write `line:{at}`")),
                _ => None,
            };
            out.report_with_help(Code::BAD_NAME, span, message, label, help);
            continue;
        }
        let Some(switch) = pieces.switch(at, span, network, out) else { continue };
        let name = format!("{}:{}", kind.entry().name, values.text("name"));
        if made.iter().any(|it| *it.name == *name) {
            let message = format!("there is already a protective device named `{name}`");
            out.report(Code::NAME_TAKEN, values.span_of("name"), message, "used twice");
            continue;
        }
        has_an_effect(kind, values, out);
        if let Some(other) = made.iter().find(|it| it.switch == switch) {
            let message = format!("`{}` is there already", other.name);
            let help = "put this one into another switch, or in front of a line with `line:NAME`";
            let label = "expected one device at each place";
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
            continue;
        }
        match built((kind, load), values, network.frequency_hz) {
            Ok(what) => made.push(Protector { name: name.into(), switch, what }),
            Err(Refusal::Setting(why)) => {
                let label = "these settings cannot be";
                out.report(Code::OUT_OF_RANGE, values.span, format!("`{name}`: {why}"), label);
            }
            Err(Refusal::Text(what, key)) => {
                let message = format!("`{name}`: {what}");
                let label = "see `lastmeter explain`";
                out.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
            }
        }
    }
    made
}

/// Reports keys that the others leave without effect: most likely another device was meant.
fn has_an_effect(kind: ProtectionKind, values: &Values, out: &mut Diagnostics) {
    let (keys, with): (&[&str], &str) = match kind {
        ProtectionKind::Fuse if !values.tables("melting").is_empty() => {
            (&["between"], "`rating`, instead of `melting`")
        }
        ProtectionKind::Breaker | ProtectionKind::Recloser => match values.text("curve") {
            "definite" => (&["multiplier", "fast_multiplier"], "an inverse `curve`"),
            _ => (&["time", "fast_time"], "`curve = \"definite\"`"),
        },
        _ => return,
    };
    // Defaults that are written out change nothing.
    let is_idle = |key: &&&str| {
        values.get(key).is_some() && values.is_written(key) && !values.is_default(key)
    };
    for key in keys.iter().filter(is_idle) {
        let message = format!("`{key}` has no effect without {with}");
        let help = format!("leave it out, or write {with}");
        let label = "changes nothing here";
        out.report_with_help(Code::DOES_NOT_FIT, values.span_of(key), message, label, Some(help));
    }
}

/// Why there is no such device.
enum Refusal {
    Setting(SettingError),
    Text(String, &'static str),
}

impl From<SettingError> for Refusal {
    fn from(why: SettingError) -> Self {
        Self::Setting(why)
    }
}

fn built(
    (kind, load): (ProtectionKind, Option<usize>),
    values: &Values,
    frequency_hz: f64,
) -> Result<Protection, Refusal> {
    Ok(match kind {
        ProtectionKind::Interface => interface(values, load.unwrap_or_default(), frequency_hz)?,
        ProtectionKind::Fuse => {
            let fuse = fuse(values, frequency_hz)?;
            Protection::Fuse { fuse, has_striker: values.boolean("striker") }
        }
        ProtectionKind::Breaker => {
            let slow = (values.si("multiplier"), values.si("time"));
            let relay = relay(values, slow, values.si_opt("instantaneous"))?;
            Protection::Breaker { relay, opening_s: values.si("opening") }
        }
        ProtectionKind::Recloser => Protection::Recloser(recloser(values)?),
        ProtectionKind::Sectionalizer => {
            let settings = SectionalizerSettings {
                actuating_a: values.si("pickup"),
                dead_a: values.si("dead"),
                interruption_s: values.si("interruption"),
                counts: u32::try_from(values.integer("counts")).unwrap_or(1),
                opening_s: values.si("opening"),
                memory_s: values.si("memory"),
            };
            Protection::Sectionalizer(Sectionalizer::new(settings)?)
        }
    })
}

fn fuse(values: &Values, frequency_hz: f64) -> Result<Fuse, Refusal> {
    let points = |key: &str| -> Vec<(f64, f64)> {
        let tables = values.tables(key);
        tables.iter().map(|it| (it.si("current"), it.si("time"))).collect()
    };
    let (melting, clearing) = (points("melting"), points("clearing"));
    let mut curve_name = None;
    let melting = match (values.si_opt("rating"), melting.is_empty()) {
        (Some(rated_a), true) => {
            let gates = GgGates::of_rating(rated_a).ok_or_else(|| {
                let known: Vec<String> = GgGates::all().map(|it| it.rated_a.to_string()).collect();
                let known = known.join(", ");
                Refusal::Text(
                    format!("no gates of {rated_a} A: expected one of {known} A"),
                    "rating",
                )
            })?;
            let percent = (values.si("between") * 1e3).round() / 10.0;
            curve_name = Some(format!("gG {rated_a} A, {percent} % of the band"));
            gates.melting(values.si("between"))?
        }
        (None, false) => Curve::table(melting, Beyond::SquareTime)?,
        (Some(_), false) => {
            let text = "both a rating and a melting curve: expected one of them".to_owned();
            return Err(Refusal::Text(text, "melting"));
        }
        (None, true) => {
            let text = "a fuse without a curve: expected `rating` or `melting`".to_owned();
            return Err(Refusal::Text(text, "at"));
        }
    };
    let clearing =
        if clearing.is_empty() { None } else { Some(Curve::table(clearing, Beyond::SquareTime)?) };
    let fuse = Fuse::new(melting, clearing)?.with_window(1.0 / frequency_hz)?;
    Ok(match curve_name {
        Some(name) => fuse.with_curve_name(name),
        None => fuse,
    })
}

/// A curve of the table's `curve`, with a multiplier or a definite time.
fn curve(values: &Values, pickup_a: f64, (by, time_s): (f64, f64)) -> Result<Curve, SettingError> {
    let characteristic = match values.text("curve") {
        "very-inverse" => Characteristic::VeryInverse,
        "extremely-inverse" => Characteristic::ExtremelyInverse,
        "ieee-moderately-inverse" => Characteristic::IeeeModeratelyInverse,
        "ieee-very-inverse" => Characteristic::IeeeVeryInverse,
        "ieee-extremely-inverse" => Characteristic::IeeeExtremelyInverse,
        "definite" => return Curve::definite(pickup_a, time_s),
        _ => Characteristic::StandardInverse,
    };
    Curve::inverse(characteristic, pickup_a, by)
}

fn relay(
    values: &Values,
    slow: (f64, f64),
    instantaneous_a: Option<f64>,
) -> Result<Relay, SettingError> {
    let stage = |curve: Curve| Stage::new(curve, Reset::Instantaneous);
    let mut phase = vec![stage(curve(values, values.si("pickup"), slow)?)?];
    if let Some(pickup_a) = instantaneous_a {
        phase.push(stage(Curve::definite(pickup_a, 0.0)?)?);
    }
    let earth = values.si_opt("earth_pickup").map(|it| stage(curve(values, it, slow)?));
    let earth: Vec<Stage> = earth.transpose()?.into_iter().collect();
    Ok(Relay::new(&phase, &earth))
}

fn recloser(values: &Values) -> Result<Recloser, Refusal> {
    let trips = usize::try_from(values.integer("trips")).unwrap_or(1);
    let fast = usize::try_from(values.integer("fast")).unwrap_or(0);
    let mut dead_times_s = values.si_list("dead_times");
    if !values.is_written("dead_times") {
        dead_times_s.truncate(trips - 1);
        let last_s = dead_times_s.last().copied().unwrap_or(15.0);
        dead_times_s.resize(trips - 1, last_s);
    }
    let trip = |at: usize| {
        let keys =
            if at < fast { ["fast_multiplier", "fast_time"] } else { ["multiplier", "time"] };
        relay(values, (values.si(keys[0]), values.si(keys[1])), None)
    };
    Ok(Recloser::new(RecloserSettings {
        trips: (0..trips).map(trip).collect::<Result<_, _>>()?,
        dead_times_s,
        reclaim_s: values.si("reclaim"),
        opening_s: values.si("opening"),
    })?)
}
