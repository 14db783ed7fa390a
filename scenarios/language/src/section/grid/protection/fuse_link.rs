//! `kind = "fuse-link"`: a fuse in each conductor.

use lastmeter_grid::motion::FuseLink;
use lastmeter_grid::protection::{Curve, Fuse, GgGates};
use lastmeter_params::{Dimension, Entry, Field, Kind, Values};

use super::{AMPERES, PLACES, ProtectionKind, Refusal, SECONDS};

const SHARE: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };

/// A point of a time-current curve.
const POINT: &[Field] = &[
    Field::required("current", AMPERES, "RMS"),
    Field::required("time", SECONDS, "after which it melts, or has cleared"),
];

/// Fuses, by a rating or by curves.
pub(super) static FUSE_LINK: ProtectionKind = ProtectionKind {
    entry: Entry {
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
    },
    places: PLACES,
    help: None,
    idle: |values| {
        let has_curve = !values.tables("melting").is_empty();
        has_curve.then_some((&["between"], "`rating`, instead of `melting`"))
    },
    build: |values, place| {
        let fuse = fuse(values, place.frequency_hz)?;
        Ok(Box::new(FuseLink::new(fuse, values.boolean("striker"))))
    },
};

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
        (None, false) => Curve::table(melting)?,
        (Some(_), false) => {
            let text = "both a rating and a melting curve: expected one of them".to_owned();
            return Err(Refusal::Text(text, "melting"));
        }
        (None, true) => {
            let text = "a fuse without a curve: expected `rating` or `melting`".to_owned();
            return Err(Refusal::Text(text, "at"));
        }
    };
    let clearing = if clearing.is_empty() { None } else { Some(Curve::table(clearing)?) };
    let fuse = Fuse::new(melting, clearing)?.with_window(0.5 / frequency_hz)?;
    Ok(match curve_name {
        Some(name) => fuse.with_curve_name(name),
        None => fuse,
    })
}
