//! Tests of `[grid]` as a whole: what a file with a network means, its mistakes, and what is
//! played of it.

mod grid;
mod grid_inputs;
mod motion;
mod motion_checks;
mod plant;
#[path = "../../../../language/src/tests/printed.rs"]
mod printed;
mod profiles;

use std::path::Path;

use lastmeter_language::{LoadFailure, LoadOptions, Scenario};
use printed::{assert_printed, change, difference};

/// Loads a text as if it were a file beside the sources of this package, without recordings.
fn load(text: &str) -> Result<Scenario, LoadFailure> {
    Scenario::from_bytes(Path::new("test.toml"), text.as_bytes(), &LoadOptions::default())
}
