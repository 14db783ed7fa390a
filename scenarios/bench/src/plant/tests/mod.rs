//! Tests of `[grid]` as a whole: what a file with a network means, what is said of its mistakes,
//! and what is played of it.

mod grid;
mod grid_inputs;
mod motion;
mod motion_checks;
mod plant;
mod profiles;

use std::path::Path;

use lastmeter_language::{LoadFailure, LoadOptions, Scenario};

/// Loads a text as if it were a file beside the sources of this package, without recordings.
fn load(text: &str) -> Result<Scenario, LoadFailure> {
    Scenario::from_bytes(Path::new("test.toml"), text.as_bytes(), &LoadOptions::default())
}

/// Each mistake as code, place and message; none if the scenario loads.
fn mistakes(text: &str) -> Vec<String> {
    let Err(failure) = load(text) else { return Vec::new() };
    let list = failure.diagnostics().iter().map(|found| {
        let place = failure.texts().place(found.span);
        let marked = place.line_text.get(place.marked.clone()).unwrap_or("?");
        format!("{} {}:{} <{marked}> {}", found.code, place.line, place.column, found.message)
    });
    list.collect()
}
