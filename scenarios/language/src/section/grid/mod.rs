//! `[grid]`: a network in the plant, what its loads draw, and what is wrong with it.
//!
//! ```text
//! fields                          the keys of `[grid]` and `[[grid.load]]`
//! file, rows                      the network's file and those that tables name
//! loads, csv, standard, pickup    what each load draws in each step
//! defects                         what is wrong with the plant
//! injected, inputs                injections that hold from a step on
//! motion, orders, pieces          injections between steps, in a network in motion
//! protection, recorder, saturation  what acts and is recorded there
//!   -> feed                       all of it into one network that can be played
//! switches                        where devices are at its switches
//! balance                         what an `energy_balance` check needs of it
//! ```
//!
//! Larger than its budget: a network, its loads, its defects and its protection are one section
//! with many tables.

mod balance;
mod csv;
mod defects;
mod feed;
mod fields;
mod file;
mod injected;
mod inputs;
mod loads;
mod motion;
mod orders;
mod pickup;
mod pieces;
mod protection;
mod recorder;
mod rows;
mod saturation;
mod standard;
mod switches;

pub(crate) use balance::validate_balance;
pub(crate) use defects::GRID_DEFECT;
pub use defects::report_idle_defects;
pub use feed::report_unplayable;
pub(crate) use feed::{Grid, grid, grid_sources, places, planned_network};
pub(crate) use fields::{GRID, GRID_LOAD};
pub(crate) use injected::{Injected, NetworkInjection, NetworkKind};
pub(crate) use inputs::{Elements, FAULT_PREFIX, SOURCE_PREFIX};
pub(crate) use motion::{LinePlace, MotionBuilder};
pub(crate) use pieces::{find, poles, wires_of};
pub(crate) use protection::GRID_PROTECTION;
pub(crate) use recorder::GRID_RECORDER;
pub(crate) use rows::kept_text;
pub(crate) use saturation::GRID_SATURATION;
pub(crate) use switches::{is_at_its_place, switch_places};
