//! Tampering with a device, and sensors that show what is not so, as injections.

use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_units::SimTime;

use crate::border::{DeviceFault, TamperKind, TamperSensorFault};
use crate::fault::{DEVICE, InjectionKind};

const WHAT: Field = Field::required("what", Kind::Choice(TamperKind::WORDS), "How.");

const FOR: Field = Field::optional(
    "for",
    Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 1e9 },
    "How long; to the end if left out.",
);

/// Somebody tampers with a meter.
pub(crate) const INJECTION: InjectionKind = InjectionKind {
    entry: Entry {
        name: "tamper",
        summary: "somebody opens a cover of a meter, or holds a magnet to it",
        description: "`cover` and `terminal-cover` are open for a while, `magnetic-field` is a \
            strong DC field. A meter that has a sensor for it (`tamper`) reports by alerts that it \
            begins and that it is over. What is measured does not change. What overlaps is one.",
        fields: &[DEVICE, WHAT, FOR],
    },
    on: None,
    build: |values, at| DeviceFault::Tamper { what: what(values), until: until(values, at) },
};

/// A sensor shows what is not so.
pub(crate) const SENSOR_INJECTION: InjectionKind = InjectionKind {
    entry: Entry {
        name: "tamper_sensor",
        summary: "a meter's sensor of tampering is stuck, or shows what there is not",
        description: "`nothing`: the sensor shows nothing, whatever is done to the meter; a \
            `tamper` check has to miss the report. `tampering`: it shows what nobody has done; the \
            check has to find the report without a reason.",
        fields: &[
            DEVICE,
            WHAT,
            Field::required("shows", Kind::Choice(TamperSensorFault::WORDS), "What it shows."),
            FOR,
        ],
    },
    on: None,
    build: |values, at| {
        let shows = TamperSensorFault::from_word(values.text("shows"));
        let shows = shows.unwrap_or(TamperSensorFault::Nothing);
        DeviceFault::TamperSensor { what: what(values), shows, until: until(values, at) }
    },
};

fn what(values: &Values) -> TamperKind {
    TamperKind::from_word(values.text("what")).unwrap_or(TamperKind::Cover)
}

fn until(values: &Values, at: SimTime) -> Option<SimTime> {
    values.duration_opt("for").map(|span| at + span)
}
