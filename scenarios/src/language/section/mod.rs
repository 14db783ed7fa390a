//! The sections of the language: one row for each, which says all there is to know of it.

pub(crate) mod calibration;
pub(crate) mod check;
pub(crate) mod device;
pub(crate) mod expect;
pub(crate) mod floor;
pub(crate) mod grid;
pub(crate) mod inject;
pub(crate) mod link;
pub(crate) mod observer;
pub(crate) mod platform;
pub(crate) mod scenario;
pub(crate) mod source;
pub(crate) mod suite;

use super::draft::Section;

/// All sections, in the order of a file.
pub(crate) static SECTIONS: &[&Section] = &[
    &scenario::SCENARIO,
    &platform::PLATFORM,
    &floor::FLOOR,
    &suite::SUITE,
    &calibration::CALIBRATION,
    &grid::GRID,
    &grid::GRID_LOAD,
    &grid::GRID_DEFECT,
    &source::SOURCE,
    &link::LINK,
    &device::DEVICE,
    &observer::OBSERVER,
    &inject::INJECT,
    &check::CHECK,
    &expect::EXPECT,
];
