//! What a node on a CAN bus is made of beside its application: its controller, and the time that
//! its software takes.
//!
//! | file | purpose |
//! |---|---|
//! | `port` | the controller with its interrupts, and frames that wait for a mailbox |
//! | `software` | when tasks have done what they are to do |

pub(crate) mod port;
pub(crate) mod software;
