//! Procedures: what is played for a standard or a calibration, and which limits hold.
//!
//! The scenarios' package plays them, reports judge what came of them; they belong to neither.

pub mod calibration;
pub mod standard;
