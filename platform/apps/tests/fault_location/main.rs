//! Fault location, against faults whose places are known.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accuracy;
mod application;
mod evidence;
mod phasors;
mod rig;
