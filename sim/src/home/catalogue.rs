//! The appliances that homes are made of, read from `appliances.toml`.

use std::f64::consts::PI;
use std::sync::LazyLock;

use lastmeter_params::{Dimension, Field, Kind, Values, read_text};
use lastmeter_units::SimDuration;

use crate::grid::ClearSky;
use crate::injection::quantity;
use crate::plan::Harmonic;

/// The file, as TOML; each figure with what it rests on.
pub const APPLIANCES_TOML: &str = include_str!("appliances.toml");

/// What a socket may be given as its `load`: the names of all appliances of the file.
pub const APPLIANCES: &[&str] = &[
    "fridge",
    "espresso-machine",
    "heater",
    "kettle",
    "oven",
    "washing-machine",
    "dishwasher",
    "dryer",
    "led-lamp",
    "television",
    "laptop-supply",
    "photovoltaics",
];

/// The voltage that powers are given for.
pub(crate) const RATED_V: f64 = 230.0;

const POWER: Kind = quantity(Dimension::ActivePower, 0.0, 1e5);
const TIME: Kind = quantity(Dimension::Time, 1e-3, 1e6);
const ANGLE: Kind = quantity(Dimension::Angle, -PI, PI);
const SHARE: Kind = quantity(Dimension::Ratio, 0.0, 1.0);

static HARMONIC: [Field; 3] = [
    Field::required("order", Kind::Integer { min: 2, max: 50 }, "multiple of the fundamental"),
    Field::required("share", SHARE, "relative to the current's fundamental"),
    Field::required("angle", ANGLE, "of the sine where the fundamental crosses zero upwards"),
];

static INRUSH: [Field; 2] = [
    Field::required("factor", quantity(Dimension::Ratio, 1.0, 50.0), "current at switching on"),
    Field::required("falls_in", TIME, "time constant in which it falls"),
];

static STATE: [Field; 6] = [
    Field::required("name", Kind::Name, "what cycles call it"),
    Field::optional("power", POWER, "of the fundamental; of the sun it is known already"),
    Field::default("power_factor", quantity(Dimension::Ratio, 0.1, 1.0), "1", "displacement"),
    Field::default("reactive", Kind::Choice(&["inductive", "capacitive"]), "\"inductive\"", "sign"),
    Field::optional("inrush", Kind::Table(&INRUSH), "what flows at first"),
    Field::optional("harmonics", Kind::List(&Kind::Table(&HARMONIC)), "of the current"),
];

static PART: [Field; 3] = [
    Field::required("state", Kind::Name, "which state"),
    Field::required("for", TIME, "how long, in the mean"),
    Field::default("spread", SHARE, "\"0 %\"", "by how much that varies up and down"),
];

static SUN: [Field; 5] = [
    Field::required("peak", POWER, "at 1000 W/m2"),
    Field::required("performance", SHARE, "what is left of it"),
    Field::required("latitude", ANGLE, "north is positive"),
    Field::required("longitude", ANGLE, "east is positive"),
    Field::required("step", TIME, "how long a power stays the same"),
];

static APPLIANCE: [Field; 8] = [
    Field::required("name", Kind::Name, "what sockets call it"),
    Field::required("summary", Kind::Text, "one line for people"),
    Field::required("basis", Kind::Text, "what its values rest on"),
    Field::required("voltage_exponent", quantity(Dimension::Ratio, 0.0, 2.0), "of the power"),
    Field::required("state", Kind::List(&Kind::Table(&STATE)), "what it may be doing"),
    Field::optional("start", Kind::List(&Kind::Table(&PART)), "once after switching on"),
    Field::optional("cycle", Kind::List(&Kind::Table(&PART)), "again and again from then on"),
    Field::optional("sun", Kind::Table(&SUN), "feeds back by the sun, in its only state"),
];

static FILE: [Field; 1] =
    [Field::required("appliance", Kind::List(&Kind::Table(&APPLIANCE)), "all of them")];

/// An appliance of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Appliance {
    /// What a socket calls it.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// What its figures rest on.
    pub basis: String,
    /// Its power goes with the voltage to this power.
    pub(crate) voltage_exponent: f64,
    pub(crate) states: Vec<State>,
    /// Passed through once after switching on.
    pub(crate) start: Vec<CyclePart>,
    /// What comes again and again from then on.
    pub(crate) cycle: Vec<CyclePart>,
    /// What feeds back, and for how long each power stays.
    pub(crate) sun: Option<(ClearSky, SimDuration)>,
}

/// What an appliance may be doing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    name: String,
    pub(crate) power_w: f64,
    /// By which angle the current's fundamental lags the voltage's.
    pub(crate) lag_rad: f64,
    /// Current at first relative to what follows, and the time constant of its fall in seconds.
    pub(crate) inrush: Option<(f64, f64)>,
    pub(crate) harmonics: Vec<Harmonic>,
}

/// How long a state lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CyclePart {
    pub(crate) state: usize,
    pub(crate) mean_s: f64,
    /// By which share of it a duration is longer or shorter at most.
    pub(crate) spread: f64,
}

static CATALOGUE: LazyLock<Vec<Appliance>> = LazyLock::new(|| {
    let values = read_text(APPLIANCES_TOML, &[&FILE]);
    let values = values.unwrap_or_else(|mistakes| panic!("appliances.toml: {mistakes:?}"));
    values.tables("appliance").into_iter().map(Appliance::of).collect()
});

impl Appliance {
    /// The appliance of a name; `None` if the catalogue has none.
    pub fn named(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|appliance| appliance.name == name)
    }

    /// All of the catalogue, in its order.
    pub fn all() -> &'static [Self] {
        &CATALOGUE
    }

    /// Whether it does nothing unless it is switched on while time goes on: it has no cycle.
    pub fn needs_switching(&self) -> bool {
        self.cycle.is_empty() && self.sun.is_none()
    }

    fn of(values: &Values) -> Self {
        let states: Vec<State> = values.tables("state").into_iter().map(State::of).collect();
        let part = |row: &Values| CyclePart {
            state: states.iter().position(|it| it.name == row.text("state")).unwrap_or_else(|| {
                panic!("appliances.toml: no state `{}`", row.text("state"));
            }),
            mean_s: row.si("for"),
            spread: row.si("spread"),
        };
        let parts = |key: &str| values.tables(key).into_iter().map(part).collect();
        let sun = values.table_opt("sun").map(|sun| {
            let sky = ClearSky {
                peak_w: sun.si("peak"),
                performance: sun.si("performance"),
                latitude_rad: sun.si("latitude"),
                longitude_rad: sun.si("longitude"),
            };
            (sky, sun.duration("step"))
        });
        Self {
            name: values.text("name").to_owned(),
            summary: values.text("summary").to_owned(),
            basis: values.text("basis").to_owned(),
            voltage_exponent: values.si("voltage_exponent"),
            start: parts("start"),
            cycle: parts("cycle"),
            sun,
            states,
        }
    }
}

impl State {
    fn of(values: &Values) -> Self {
        let angle = libm::acos(values.si("power_factor"));
        let harmonic = |row: &Values| Harmonic {
            order: row.integer("order") as u32,
            share: row.si("share"),
            angle_rad: row.si("angle"),
        };
        Self {
            name: values.text("name").to_owned(),
            power_w: values.si_opt("power").unwrap_or_default(),
            lag_rad: if values.text("reactive") == "capacitive" { -angle } else { angle },
            inrush: values.table_opt("inrush").map(|it| (it.si("factor"), it.si("falls_in"))),
            harmonics: values.tables("harmonics").into_iter().map(harmonic).collect(),
        }
    }
}
