//! The keys of `[grid]` and of its loads' profiles.

use std::f64::consts::{PI, TAU};

use lastmeter_params::{Dimension, Entry, Field, Kind};

use super::motion;
use super::pickup::{PICKUP, PICKUP_DECAY, PICKUP_LOST};
use crate::draft::{Naming, Row, Section};

pub(super) const fn quantity(dimension: Dimension, min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension, min, max }
}

pub(super) const SHARE: Kind = quantity(Dimension::Ratio, 0.0, 1.0);
const POWER_FACTOR: Kind = quantity(Dimension::Ratio, 0.05, 1.0);
const STEP: Kind = quantity(Dimension::Time, 1e-3, 86_400.0);

pub(crate) static GRID: Section = Section {
    name: "grid",
    doc: "A network in the plant. Its power flow is solved for every step before anything \
        runs, so that each load and each infeed has voltages and currents of its \
        own. A device is connected to a load with `at = \"load:NAME\"`, one to each of \
        several with a pattern (`at = \"load:*\"`, named by the table's name and the \
        load's), and to an infeed with `at = \"source:NAME\"`. What the loads draw \
        stands in `[[grid.load]]`, what is wrong with the plant in `[[grid.defect]]`.",
    fields: &[
        Field::required(
            "file",
            Kind::Text,
            "the network, relative to the scenario: our own TOML (`.toml`), JSON of \
             power-grid-model, or a script of OpenDSS; what `lastmeter grid` reads",
        ),
        Field::default(
            "step",
            STEP,
            "\"1 min\"",
            "how long voltages and currents stay as they are: the power flow is solved once for \
             each",
        ),
        Field::optional(
            "frequency",
            quantity(Dimension::Frequency, 1.0, 1000.0),
            "of all voltages and currents; left out, the network's own",
        ),
        Field::default(
            "resolution",
            Kind::Choice(&[motion::STEPS, motion::PHASORS, motion::WAVEFORMS]),
            "\"steps\"",
            "what happens between steps: nothing; faults, switching and protection at their own \
             instants, from one steady state to the next; or the same with the waveforms between",
        ),
        Field::default(
            "waveform_step",
            quantity(Dimension::Time, 1e-6, 1e-3),
            "\"50 us\"",
            "of `resolution = \"waveforms\"`: the fixed step of the electromagnetic transients",
        ),
        Field::default(
            "waveform_longest",
            quantity(Dimension::Time, 0.1, 600.0),
            "\"1 s\"",
            "likewise: waveforms that are not steady end so long after the last thing that \
             happened; where iron saturates what is left of an inrush is dropped then",
        ),
        Field::optional(
            "dark_at",
            quantity(Dimension::Time, 0.0, 1e9),
            "the instant at which the report draws who had no supply; left out, the first one at \
             which most loads had none",
        ),
    ],
    ..Section::ONCE
};

pub(crate) static GRID_LOAD: Section = Section {
    name: "grid.load",
    noun: "load",
    doc: "What a load of the network draws over time, or several loads whose names fit a pattern. \
        Several tables about one load add up. What no table is about keeps what the network's \
        file has. In a network in motion `cold_load_pickup` has loads draw more after an outage, \
        phase by phase, where they draw at all. An override addresses a table by that name or pattern, `--set \
        grid.load.h1.peak=\"4 kW\"`, and where several have it with the number among them: `--set \
        grid.load.h1.2.peak=\"4 kW\"`.",
    fields: &[
        Field::required("name", Kind::Text, "a load of the network, or a pattern with *"),
        Field::required("profile", Kind::Text, "what it draws over time"),
        PICKUP,
        PICKUP_LOST,
        PICKUP_DECAY,
    ],
    naming: Naming::Shared,
    kind: Some(("profile", "load profile")),
    entries: || vec![CONSTANT, CSV, HOUSEHOLD, SOLAR, STANDARD],
    heading: "profiles",
    ..Section::REPEATED
};

/// What is drawn by a table of `[[grid.load]]`.
pub(super) fn profile_of(row: &Row<'_>) -> Option<Profile> {
    Profile::from_word(row.kind?)
}

lastmeter_units::words! {
    /// What a load may draw over time.
    pub(crate) enum Profile {
        Constant = "constant",
        Csv = "csv",
        Household = "household",
        Solar = "solar",
        Standard = "standard",
    }
}

static CONSTANT: Entry = Entry {
    name: Profile::Constant.word(),
    summary: "what the network's file has for a load, all the time",
    description: "The power in the network's file, in every step. A load that no \
        `[[grid.load]]` is about keeps it too; written down it can be added to another profile, \
        such as the photovoltaics on its roof.",
    fields: &[],
};

static CSV: Entry = Entry {
    name: Profile::Csv.word(),
    summary: "powers from a table, one row after another",
    description: "A file with a header and one row after another, the first from the scenario's \
        start on, whatever time it has. How long a row holds follows from the column `time` (or by \
        the first, if it holds times): clock times, dates with times, or seconds, which have to go \
        on evenly; numbers are times only in a column named `time`, or in a first one named `t`, \
        `seconds` or `timestamp`. Units in the header are obeyed: `P [kW]`, `P_kW`, `t [ms]`. \
        `every` gives it where there are no times (or a first column of words that are none), and \
        must not contradict them. A step that spans several rows takes their mean, so the energy \
        is the table's. There have to be as many rows as the scenario needs. Powers of a load with \
        several phases are spread as in its network's file.",
    fields: &[
        Field::required("file", Kind::Text, "the table, relative to the scenario"),
        Field::default(
            "column",
            Kind::Text,
            "\"{load}\"",
            "the column of active powers; `{load}` stands for the load's name",
        ),
        Field::default(
            "unit",
            Kind::Choice(&["W", "kW"]),
            "\"W\"",
            "of columns without a unit in their name: W (and var), or kW (kvar)",
        ),
        Field::optional(
            "reactive_column",
            Kind::Text,
            "the column of reactive powers; `{load}` as above",
        ),
        Field::optional(
            "power_factor",
            POWER_FACTOR,
            "lagging, where there is no column of reactive powers; left out: 1",
        ),
        Field::default(
            "scale",
            quantity(Dimension::Ratio, -1e9, 1e9),
            "1",
            "what all its powers are multiplied by; -1 for what is delivered, which has to be \
             written for a generator, as even its powers are drawn (1 confirms that they are)",
        ),
        Field::optional(
            "every",
            STEP,
            "how long a row holds; left out, what the times of the table give, or if it has none a \
             step of the grid",
        ),
    ],
};

static HOUSEHOLD: Entry = Entry {
    name: Profile::Household.word(),
    summary: "a synthetic household: base load, mornings and evenings, appliances",
    description: "Made minute by minute from values of this project's own: 22 % of the energy is always on, \
        12 % a refrigerator's cycles, 26 % light and electronics that follow how many are at home \
        and awake (most from 17 to 22 h, a smaller peak from 6 to 9 h), 40 % appliances from a \
        kettle of 2 kW for 3 min to a dryer of 2.3 kW for 45 min, switched on at random times. \
        Hours are those of the scenario's clock. Each load draws from a random stream of its own, \
        `grid.load.NAME`. Generators are refused. It is no standard load profile.",
    fields: &[
        Field::default(
            "annual_energy",
            quantity(Dimension::ActiveEnergy, 3.6e8, 3.6e11),
            "\"3500 kWh\"",
            "energy of a mean year",
        ),
        Field::default(
            "season",
            Kind::Choice(&["winter", "spring", "summer", "autumn"]),
            "\"autumn\"",
            "scales the energy of a day: winter 1.18, summer 0.82, else 1",
        ),
        Field::default("power_factor", POWER_FACTOR, "0.97", "lagging, of all it draws"),
    ],
};

static SOLAR: Entry = Entry {
    name: Profile::Solar.word(),
    summary: "photovoltaics under a clear sky",
    description: "Delivers what the irradiance on the horizontal makes of its peak power, at a \
        power factor of 1: 1098 W/m2 cos z exp(-0.057 / cos z) with z the sun's distance from the \
        zenith (Haurwitz 1945), its declination 23.45 deg sin(360 deg (284 + n) / 365) on day n \
        of the year (Cooper 1969), the hour from the scenario's clock (UTC) and the longitude. The \
        date is the scenario's.",
    fields: &[
        Field::required(
            "peak",
            quantity(Dimension::ActivePower, 0.0, 1e9),
            "what it delivers at 1000 W/m2",
        ),
        Field::default(
            "latitude",
            quantity(Dimension::Angle, -PI / 2.0, PI / 2.0),
            "\"50 deg\"",
            "north is positive",
        ),
        Field::default(
            "longitude",
            quantity(Dimension::Angle, -PI, TAU),
            "\"0 deg\"",
            "east is positive",
        ),
        Field::default(
            "performance",
            SHARE,
            "0.85",
            "what wiring, inverter and warm panels leave of it",
        ),
    ],
};

static STANDARD: Entry = Entry {
    name: Profile::Standard.word(),
    summary: "a standard load profile from its published table",
    description: "The mean of many customers: typical days for each month, from a file in the form \
        in which BDEW publishes its profiles of 2025 (H25, G25, L25, P25, S25), as CSV. Its first \
        row names the month of each column (Januar to Dezember), the second one the unit, `[kWh]`, \
        and the day types SA, FT and WT; 96 rows follow, each a quarter of an hour. FT is Sundays \
        and `holidays`, SA Saturdays, and 24 and 31 December unless they are FT; WT is all other \
        days. Dates and hours are those of the scenario's clock (UTC) and `utc_offset`. With \
        `dynamic` a day's powers are multiplied by BDEW's factor of its number t in the year from \
        1, not rounded: -3.92e-10 t^4 + 3.2e-7 t^3 - 7.02e-5 t^2 + 2.1e-3 t + 1.24. A step that \
        spans several quarters takes their mean. Energy of a real year differs by some per cent, \
        as it does by the published tables: nothing is normalised again. Generators are refused.",
    fields: &[
        Field::required("file", Kind::Text, "the table, relative to the scenario"),
        Field::required(
            "annual_energy",
            quantity(Dimension::ActiveEnergy, 0.0, 3.6e15),
            "energy of the load's year",
        ),
        Field::default(
            "profile_energy",
            quantity(Dimension::ActiveEnergy, 3.6e3, 3.6e15),
            "\"1000000 kWh\"",
            "energy of the year that the table is made for; BDEW's are for a million kWh",
        ),
        Field::default(
            "dynamic",
            Kind::Boolean,
            "false",
            "whether the factor of dynamisation applies, as it does to H25, P25 and S25, and not \
             to G25 and L25",
        ),
        Field::default(
            "holidays",
            Kind::List(&Kind::Text),
            "[]",
            "days that count as Sundays, such as `[\"2027-04-02\"]`",
        ),
        Field::default(
            "utc_offset",
            quantity(Dimension::Time, -50_400.0, 50_400.0),
            "\"0 s\"",
            "what the profile's clock is ahead of UTC, such as `\"1 h\"` for Central European \
             Time; it does not change within a scenario",
        ),
        Field::default(
            "power_factor",
            POWER_FACTOR,
            "1",
            "lagging; the tables have no reactive power",
        ),
    ],
};
