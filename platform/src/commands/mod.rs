//! Commands to devices: how they are checked, stored and sent. Their states are
//! `lastmeter_model::invocation`'s.

mod dispatcher;

pub(crate) use dispatcher::{Dispatcher, InvokeError, Outstanding};
