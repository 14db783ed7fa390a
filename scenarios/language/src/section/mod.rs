//! The sections of the language: one row for each, which holds all there is to know of it.
//!
//! | tables | files |
//! |---|---|
//! | what it is, and against what it runs | `scenario`, `matrix`, `platform`, `tenant`, `door`, `floor` |
//! | what makes voltage, current and flow | `source`, `home`, `grid`, `test_plan`, `calibration` |
//! | who measures, and on what | `device` with `board`, `network`, `gateway`, `simulator`, `link` |
//! | who reads and commands | `observer`, `application` |
//! | what is done to them | `inject`, `request` |
//! | what is recorded and judged | `record`, `signal`, `check`, `expect`, `must_fail` |
//!
//! A section knows its keys, the rules between its tables and others, and makes its part; `keys`
//! has what several read. The network knows of injections by what [`grid::Injected`] hands to it.

pub(crate) mod application;
pub(crate) mod board;
pub(crate) mod calibration;
pub(crate) mod check;
pub(crate) mod device;
pub(crate) mod door;
pub(crate) mod expect;
pub(crate) mod floor;
pub(crate) mod gateway;
pub(crate) mod grid;
pub(crate) mod home;
pub(crate) mod inject;
pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod matrix;
pub(crate) mod must_fail;
pub(crate) mod network;
pub(crate) mod observer;
pub(crate) mod platform;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod scenario;
pub(crate) mod signal;
pub(crate) mod simulator;
pub(crate) mod source;
pub(crate) mod tenant;
pub(crate) mod test_plan;

use lastmeter_params::Entry;

use super::draft::{Section, once_first};

/// All sections, in the order of a file.
pub(crate) static SECTIONS: &[&Section] = &[
    &scenario::SCENARIO,
    &matrix::MATRIX,
    &platform::PLATFORM,
    &tenant::TENANT,
    &door::DOOR,
    &floor::FLOOR,
    &test_plan::TEST_PLAN,
    &calibration::CALIBRATION,
    &grid::GRID,
    &grid::GRID_LOAD,
    &grid::GRID_DEFECT,
    &grid::GRID_PROTECTION,
    &grid::GRID_RECORDER,
    &grid::GRID_SATURATION,
    &source::SOURCE,
    &home::HOME,
    &link::LINK,
    &network::NETWORK,
    &device::DEVICE,
    &gateway::GATEWAY,
    &simulator::SIMULATOR,
    &observer::OBSERVER,
    &application::APPLICATION,
    &inject::INJECT,
    &request::REQUEST,
    &record::RECORD,
    &signal::SIGNAL,
    &check::CHECK,
    &expect::EXPECT,
    &must_fail::MUST_FAIL,
];

/// The names of all sections.
pub fn section_names() -> impl Iterator<Item = &'static str> {
    once_first(SECTIONS).map(|section| section.name)
}

/// Everything that is registered, section by section.
pub fn registry() -> impl Iterator<Item = (&'static Section, Entry)> {
    let of = |section: &'static Section| (section.entries)().into_iter().map(move |e| (section, e));
    SECTIONS.iter().copied().flat_map(of)
}
