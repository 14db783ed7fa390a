//! A network in the plant: what its loads draw over time, what then flows, and the terminals where
//! meters are connected to it.
//!
//! The power flow is solved for every step before anything runs ([`Playing`]); within a step
//! everything is constant. What a meter sees at a load or at a feeding point is one operating point
//! after another, so its truth is known in closed form as that of any other source.
//!
//! Where inputs come while the network runs, [`LiveGrid`] solves one step after another, and a
//! [`LivePoint`] is what a meter sees of it as far as it is solved.
//!
//! A network may also be in motion: what happens in it between steps is a [`NetworkTimeline`].
//! Where its switches are ordered while it is played it is an [`ObeyingNetwork`].
//!
//! ```text
//! household, solar, standard, cold_load_pickup   what loads draw, and generators deliver
//! input                        what somebody changes between two steps
//!   -> playing, solved_network     all steps ahead
//!   -> obeying                     from instant to instant, with orders to switches in between
//!   -> network_timeline, recorder  what happens between them, and what is recorded around it
//!   -> live, live_motion           step by step, with inputs while it runs
//!     -> view, live_point, switch_point  what a meter sees, and a switch
//! ```
//!
//! Terms: the *declared* network is the one that is written down; *defects* make the plant another
//! one, or let a meter see something else. A *profile* is what a load draws, step by step.

mod cold_load_pickup;
mod household;
mod input;
mod live;
mod live_motion;
mod live_point;
mod network_timeline;
mod obeying;
mod plant;
mod playing;
mod profile;
mod recorder;
mod solar;
mod solved_network;
mod standard;
mod switch_point;
mod view;

#[cfg(test)]
mod cold_load_pickup_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod network_timeline_tests;
#[cfg(test)]
mod obeying_tests;
#[cfg(test)]
mod playing_tests;
#[cfg(test)]
mod tests;

pub use cold_load_pickup::Pickup;
pub use household::{Household, Season};
pub use input::{BreakerAt, GridChange, GridInput, InputError};
pub use lastmeter_grid::motion::Operation;
pub use live::LiveGrid;
pub use live_point::LivePoint;
pub use network_timeline::{DynamicNetworkSetup, Interruption, NetworkTimeline};
pub use obeying::ObeyingNetwork;
pub use playing::Playing;
pub use profile::{Raster, Rows};
pub use recorder::{RecordedExcerpt, Recorder, Supply};
pub use solar::ClearSky;
pub use solved_network::{Defect, NetworkFailure, Setup, SolvedNetwork, Step, StepFailure};
pub use standard::{DayType, StandardLoad, StandardProfile};
pub use switch_point::{SwitchPoint, SwitchState};
pub use view::{part_names, phases_of, silent_terminal};
