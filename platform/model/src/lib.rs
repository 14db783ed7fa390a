//! What the platform decides, as pure functions of what it has: no I/O, no clock, no randomness.
//!
//! | module | purpose |
//! |---|---|
//! | `access` | principals, credentials and rights |

pub mod access;
