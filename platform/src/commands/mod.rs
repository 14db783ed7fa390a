//! Commands to devices: how they are checked, stored and sent. Their states are
//! `lastmeter_model::invocation`'s.

mod definitions;
mod dispatcher;
mod timed;

pub(crate) use definitions::Definitions;
pub(crate) use dispatcher::{Dispatcher, InvokeError, Outstanding};
pub(crate) use timed::{ELEMENTS_MAX, PART_MAX};
