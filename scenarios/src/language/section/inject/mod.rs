//! `[[inject]]`: something that is done to the bench at an instant.

mod commands;
mod interference;
mod kinds;
mod motion;
mod network;
mod row;

pub(crate) use commands::can_be_given;
pub(crate) use interference::{Connected, Target, do_not_overlap, target_of};
pub(crate) use kinds::{InjectKind, kind_of};
pub(crate) use network::{GridInject, OPEN};
pub use row::{Action, Injection};
pub(crate) use row::{
    INJECT, device_of, gateway_of, injection, is_of_device, kill_has_a_victim, simulator_of,
    source_of_injection,
};
