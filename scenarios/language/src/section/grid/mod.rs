//! `[grid]`: a network in the plant, what its loads draw, and what is wrong with it.

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

pub(crate) use balance::can_add_up;
pub(crate) use defects::GRID_DEFECT;
pub use defects::have_effect;
pub use feed::cannot_be_played;
pub(crate) use feed::{Grid, grid, grid_sources, planned_network};
pub(crate) use fields::{GRID, GRID_LOAD};
pub(crate) use injected::{Injected, Later, NetworkInjection, NetworkKind};
pub(crate) use inputs::{Elements, FAULT_PREFIX, SOURCE_PREFIX};
pub(crate) use motion::{LinePlace, MotionBuilder};
pub(crate) use pieces::{find, poles, wires_of};
pub(crate) use protection::GRID_PROTECTION;
pub(crate) use recorder::GRID_RECORDER;
pub(crate) use rows::kept_text;
pub(crate) use saturation::GRID_SATURATION;
