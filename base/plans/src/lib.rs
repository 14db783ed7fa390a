//! Procedures: what is played for a standard or a calibration, and which limits hold.
//!
//! | room | purpose |
//! |---|---|
//! | `standard` | test plans and published tables: files in, points with their limits out |
//! | `calibration` | the sweeps and measuring points of a meter's calibration |
//!
//! The scenarios' package plays them, reports judge what came of them; they belong to neither.

pub mod calibration;
pub mod standard;
