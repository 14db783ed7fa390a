//! What the platform decides, as pure functions of what it has: no I/O, no clock, no randomness.
//!
//! | module | purpose |
//! |---|---|
//! | `access` | who somebody is, what presents it, and what they may do |
//! | `message`, `refusal` | what devices send, decoded; why something was not taken |
//! | `work`, `decide` | what a store is given to do; the storing rules, the same for every store |
//! | `row`, `standing`, `invocation` | what stores keep: rows, counts, commands and their states |
//! | `directory` | every registered device, in memory |

pub mod access;
pub mod decide;
pub mod directory;
pub mod invocation;
pub mod message;
pub mod refusal;
pub mod row;
pub mod standing;
pub mod work;
