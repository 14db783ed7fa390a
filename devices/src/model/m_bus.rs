//! Meters on an M-Bus line: heat, water and electricity, polled by a master.

use lastmeter_mbus::header::{Identification, Identity, Manufacturer};
use lastmeter_mbus::slave::TurnAround;
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::{Domain, SimDuration};

use super::build::build_with;
use super::fields::{between, count, of_model};
use super::heat_meter::{self, PARTS as HEAT_PARTS};
use super::ideal::{DEFAULTS, RECIPE_1PH};
use super::kind::{DeviceKind, Fits};
use super::pipe::build_on_line;
use super::water_meter::{self, PARTS as WATER_PARTS};
use crate::context::DeviceContext;
use crate::outlet::Outlet;
use crate::outlet::mbus::{MBusOutlet, MBusParts, identification_of, medium_of};
use crate::outlet::records::{Coding, is_reported};
use crate::pipe::Core;

const M_BUS: &str = "m-bus";

const MEASURE_EVERY: Field = Field::default(
    "measure_every",
    between(Dimension::Time, 0.25, 3600.0),
    "\"4 s\"",
    "How often it measures: what it answers is at most so old.",
);

/// What a meter has of the line, whatever it measures.
const LINE: [Field; 10] = [
    Field::default(
        "primary_address",
        Kind::Integer { min: 0, max: 250 },
        "0",
        "Its primary address; 0: none was given to it yet.",
    ),
    Field::optional(
        "identification",
        Kind::Integer { min: 0, max: 99_999_999 },
        "The eight digits of its secondary address; left out, they follow from its name, so that \
         devices made by `count` differ.",
    ),
    Field::default(
        "manufacturer",
        Kind::Text,
        "\"LMT\"",
        "Three capital letters of its secondary address.",
    ),
    Field::default(
        "version",
        Kind::Integer { min: 0, max: 255 },
        "1",
        "The version in its secondary address.",
    ),
    Field::default(
        "turn_around",
        Kind::Integer { min: 0, max: 10_000 },
        "33",
        "Bit times between a request and its answer; 11 to 330 keep to EN 13757-2.",
    ),
    Field::default(
        "answer_delay",
        between(Dimension::Time, 0.0, 10.0),
        "\"0 s\"",
        "What it takes longer: up to 50 ms keep to EN 13757-2.",
    ),
    Field::default(
        "coding",
        Kind::Choice(Coding::WORDS),
        "\"bcd\"",
        "How numbers go: binary coded decimals, integers of four bytes or reals of 32 bits.",
    ),
    Field::default(
        "multi_telegram",
        Kind::Boolean,
        "false",
        "Whether what it measured at the last whole hour comes in a second telegram.",
    ),
    Field::default("answers", Kind::Boolean, "true", "Whether it answers at all."),
    Field::default(
        "status",
        Kind::Integer { min: 0, max: 255 },
        "0",
        "The status byte of its answers: 4 low power, 8 permanent and 16 temporary error.",
    ),
];

/// Fields of the line, behind them those of the parts.
const fn fields<const N: usize>(own: &[Field]) -> [Field; N] {
    let mut all = [MEASURE_EVERY; N];
    let mut at = 0;
    while at + 1 < N {
        all[at + 1] = if at < LINE.len() { LINE[at] } else { own[at - LINE.len()] };
        at += 1;
    }
    all
}

static HEAT_FIELDS: [Field; 1 + LINE.len() + HEAT_PARTS.len()] = fields(&HEAT_PARTS);
static WATER_FIELDS: [Field; 1 + LINE.len() + WATER_PARTS.len()] = fields(&WATER_PARTS);
static ELECTRICITY_FIELDS: [Field; count(&LINE)] = of_model(&LINE, ELECTRICITY_DEFAULTS);

const ELECTRICITY_DEFAULTS: &[(&str, &str)] = &[
    DEFAULTS[0],
    DEFAULTS[1],
    DEFAULTS[2],
    DEFAULTS[3],
    DEFAULTS[4],
    DEFAULTS[5],
    ("fidelity", "\"windows\""),
    ("report_every", "\"4 s\""),
    ("quantities", "[\"voltage\", \"current\", \"active_power\", \"active_energy\"]"),
    ("totals_only", "true"),
];

const ON_THE_LINE: &str = "A master asks it over an M-Bus line (EN 13757-2 and -3) by its primary or \
    secondary address. It measures at regular times by itself and answers with what it measured \
    last; a new answer has the next access number, a repeated one the same. Its readings are known \
    to the bench by that number, and what they span by how often it measures.";

pub(crate) const HEAT: DeviceKind = DeviceKind {
    fits: Fits::Pipe(Domain::Heat),
    on: Some(M_BUS),
    entry: Entry {
        name: "m-bus-heat-meter",
        summary: "heat meter on an M-Bus line, asked by a master",
        description: ON_THE_LINE,
        fields: &HEAT_FIELDS,
    },
    build: |values, context, diagnostics| {
        on_line(Core::Heat(heat_meter::parts(values)), Domain::Heat, values, context, diagnostics)
    },
    ..DeviceKind::PLAIN
};

pub(crate) const WATER: DeviceKind = DeviceKind {
    fits: Fits::Pipe(Domain::Water),
    on: Some(M_BUS),
    entry: Entry {
        name: "m-bus-water-meter",
        summary: "water meter on an M-Bus line, asked by a master",
        description: ON_THE_LINE,
        fields: &WATER_FIELDS,
    },
    build: |values, context, diagnostics| {
        let core = Core::Water(water_meter::parts(values));
        on_line(core, Domain::Water, values, context, diagnostics)
    },
    ..DeviceKind::PLAIN
};

pub(crate) const ELECTRICITY: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE_1PH.phases },
    on: Some(M_BUS),
    entry: Entry {
        name: "m-bus-electricity-meter",
        summary: "single-phase electricity meter on an M-Bus line, asked by a master",
        description: ON_THE_LINE,
        fields: &ELECTRICITY_FIELDS,
    },
    build: |values, context, diagnostics| {
        let every = values.duration("report_every");
        let outlet = outlet(Domain::Electricity, every, values, context, diagnostics)?;
        build_with(&RECIPE_1PH, values, context, (outlet, is_reported), diagnostics)
    },
    ..DeviceKind::PLAIN
};

fn on_line(
    core: Core,
    domain: Domain,
    values: &Values,
    context: &DeviceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Box<dyn crate::border::Device>> {
    let every = values.duration("measure_every");
    let outlet = outlet(domain, every, values, context, diagnostics)?;
    Some(build_on_line(core, outlet, every))
}

fn outlet(
    domain: Domain,
    measure_every: SimDuration,
    values: &Values,
    context: &DeviceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Box<dyn Outlet>> {
    let letters = values.text("manufacturer");
    let Some(manufacturer) = Manufacturer::from_letters(letters) else {
        let message = format!("`{letters}` is not a manufacturer");
        let span = values.span_of("manufacturer");
        diagnostics.report(Code::DOES_NOT_FIT, span, message, "expected three capital letters");
        return None;
    };
    let byte = |name: &str| u8::try_from(values.integer(name)).unwrap_or(u8::MAX);
    let given = values.integer_opt("identification").and_then(|it| u32::try_from(it).ok());
    let given = given.and_then(Identification::from_number);
    Some(Box::new(MBusOutlet::new(MBusParts {
        start: context.start,
        address: byte("primary_address"),
        identity: Identity {
            identification: given.unwrap_or_else(|| identification_of(context.name)),
            manufacturer,
            version: byte("version"),
            medium: medium_of(domain),
        },
        turn_around: TurnAround {
            bits: u32::try_from(values.integer("turn_around")).unwrap_or(u32::MAX),
            more: values.duration("answer_delay"),
        },
        coding: Coding::from_word(values.text("coding"))?,
        status: byte("status"),
        multi_telegram: values.boolean("multi_telegram"),
        answers: values.boolean("answers"),
        measure_every,
    })))
}
