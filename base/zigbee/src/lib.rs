//! ZigBee of a home as a gateway carries it to a platform.
//!
//! | module | source | what |
//! |---|---|---|
//! | [`zcl`] | ZigBee Cluster Library (07-5123), chapters 2, 3, 4, 10, 11 | frames, typed attributes, the clusters of a metering plug |

pub mod zcl;
