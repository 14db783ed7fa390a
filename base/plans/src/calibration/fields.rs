//! The keys of `[calibration]`.

use lastmeter_params::{Dimension, Field, Kind};

/// The name of the source that plays a calibration's operating points: devices write
/// `at = "source:calibration"`.
pub const CALIBRATION_SOURCE: &str = "calibration";

const fn quantity(dimension: Dimension, min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension, min, max }
}

const RATIO: Kind = quantity(Dimension::Ratio, -1.0, 1.0);
const CURRENT: Kind = quantity(Dimension::Current, 1e-6, 1e6);

/// Keys of `[calibration]`.
pub static CALIBRATION_FIELDS: &[Field] = &[
    Field::required(
        "procedure",
        Kind::Choice(&["energy-chip", "static"]),
        "energy-chip: gains, phase and offsets one after another at single points; static: gain \
         and offset of each channel by least squares over levels of direct voltage and current",
    ),
    Field::required("device", Kind::Name, "the meter, `at = \"source:calibration\"`"),
    Field::required(
        "reference",
        Kind::Name,
        "the reference meter at the same source; its `stated_uncertainty` is that of the reference",
    ),
    Field::default(
        "voltage",
        quantity(Dimension::Voltage, 1e-3, 1e6),
        "\"230 V\"",
        "energy-chip: RMS value; static: the full scale that levels are parts of",
    ),
    Field::default(
        "current",
        CURRENT,
        "\"10 A\"",
        "energy-chip: where gains and phase are set; static: the full scale",
    ),
    Field::default("low_current", CURRENT, "\"100 mA\"", "energy-chip: where offsets are set"),
    Field::default(
        "frequency",
        quantity(Dimension::Frequency, 40.0, 70.0),
        "\"50 Hz\"",
        "energy-chip: frequency",
    ),
    Field::default(
        "currents",
        Kind::List(&CURRENT),
        "[\"50 mA\", \"100 mA\", \"200 mA\", \"500 mA\", \"1 A\", \"2 A\", \"5 A\", \"10 A\", \
          \"16 A\"]",
        "energy-chip: currents of the sweeps before and after",
    ),
    Field::default(
        "power_factors",
        Kind::List(&quantity(Dimension::Ratio, 0.1, 1.0)),
        "[1, 0.5]",
        "energy-chip: power factors of the sweeps, inductive",
    ),
    Field::default(
        "levels",
        Kind::List(&RATIO),
        "[\"-100 %\", \"-90 %\", \"-80 %\", \"-70 %\", \"-60 %\", \"-50 %\", \"-40 %\", \"-30 %\", \
          \"-20 %\", \"-10 %\", \"0 %\", \"10 %\", \"20 %\", \"30 %\", \"40 %\", \"50 %\", \"60 %\", \
          \"70 %\", \"80 %\", \"90 %\", \"100 %\"]",
        "static: levels in parts of the full scale",
    ),
    Field::default(
        "settle",
        quantity(Dimension::Time, 0.25, 3600.0),
        "\"2 s\"",
        "time at each point before the readings that count; rounded up to whole readings, at \
         least two",
    ),
    Field::default(
        "readings",
        Kind::Integer { min: 3, max: 1000 },
        "10",
        "readings that count at each point: how often each is repeated",
    ),
    Field::default(
        "generator_gain",
        quantity(Dimension::Ratio, 0.0, 0.1),
        "\"0.3 %\"",
        "static: how far the generator may be off, of the setting; drawn once for each channel",
    ),
    Field::default(
        "generator_offset",
        quantity(Dimension::Ratio, 0.0, 0.1),
        "\"1.3 %\"",
        "static: how far the generator may be off, of the full scale (20 mV in 1.5 V)",
    ),
];
