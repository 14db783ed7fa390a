//! `kind = "relay"`: an overcurrent relay with its breaker, and the curves that it and reclosers
//! have.

use lastmeter_grid::motion::RelayBreaker;
use lastmeter_grid::protection::{Characteristic, Curve, Relay, SettingError};
use lastmeter_params::{Entry, Field, Kind, Values};

use super::{AMPERES, IdleKeys, PLACES, ProtectionKind, RATIO, SECONDS};

const CURVES: &[&str] = &[
    "standard-inverse",
    "very-inverse",
    "extremely-inverse",
    "ieee-moderately-inverse",
    "ieee-very-inverse",
    "ieee-extremely-inverse",
    "definite",
];

pub(super) const CURVE: Field = Field::default(
    "curve",
    Kind::Choice(CURVES),
    "\"standard-inverse\"",
    "of the phase currents: of IEC 60255-151 (A, B, C), IEEE C37.112 (D, E, F), or a definite time",
);
pub(super) const PICKUP: Field = Field::required("pickup", AMPERES, "of the phase currents");
pub(super) const EARTH_PICKUP: Field = Field::optional(
    "earth_pickup",
    AMPERES,
    "of the residual current, by the same curve; left out, it is not watched",
);
pub(super) const OPENING: Field = Field::default(
    "opening",
    SECONDS,
    "\"60 ms\"",
    "from the trip until the contacts part; the current ends at its next zero",
);

/// A relay that opens its breaker.
pub(super) static RELAY: ProtectionKind = ProtectionKind {
    entry: Entry {
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
    },
    places: PLACES,
    help: None,
    idle: idle_keys,
    build: |values, _| {
        let slow = (values.si("multiplier"), values.si("time"));
        let relay = relay(values, slow, values.si_opt("instantaneous"))?;
        Ok(Box::new(RelayBreaker::new(relay, values.si("opening"))))
    },
};

/// An inverse curve has no definite time, and a definite one no multiplier.
#[expect(clippy::unnecessary_wraps, reason = "other kinds have none")]
pub(super) fn idle_keys(values: &Values) -> Option<IdleKeys> {
    Some(match values.text("curve") {
        "definite" => (&["multiplier", "fast_multiplier"], "an inverse `curve`"),
        _ => (&["time", "fast_time"], "`curve = \"definite\"`"),
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

/// Its phase currents and the residual one by the same curve, and maybe a second stage at once.
pub(super) fn relay(
    values: &Values,
    slow: (f64, f64),
    instantaneous_a: Option<f64>,
) -> Result<Relay, SettingError> {
    let mut phase = vec![curve(values, values.si("pickup"), slow)?];
    if let Some(pickup_a) = instantaneous_a {
        phase.push(Curve::definite(pickup_a, 0.0)?);
    }
    let earth = values.si_opt("earth_pickup").map(|it| curve(values, it, slow)).transpose()?;
    Ok(Relay::new(&phase, earth.as_slice()))
}
