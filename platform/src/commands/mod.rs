//! Commands to devices: how they are checked, stored and sent. Their states are
//! `lastmeter_model::invocation`'s.
//!
//! | file | purpose |
//! |---|---|
//! | `definitions` | the commands that a device has |
//! | `dispatcher` | checks, stores and sends invocations |
//! | `turns` | in which order something is sent, and by which task |
//! | `schedules` | makes invocations when schedules are due |
//! | `batches` | makes the invocations of batches, so many at a time |

pub(crate) mod batches;
mod definitions;
mod dispatcher;
pub(crate) mod schedules;
mod turns;

pub(crate) use definitions::Definitions;
pub(crate) use dispatcher::{Dispatcher, InvokeError, Outstanding};
