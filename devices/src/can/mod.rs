//! What a node on a CAN bus is made of beside its application: its controller, and the time that
//! its software takes.
//!
//! | file | purpose |
//! |---|---|
//! | `port` | the controller with its interrupts, and frames that wait for a mailbox |
//! | `seal` | messages sealed and verified between controller and application |
//! | `software` | tasks and interrupts on one processor, and what their jobs are about |

pub(crate) mod port;
pub(crate) mod seal;
pub(crate) mod software;
