//! Tests of the language as a whole: what a file means, and the messages when it means nothing.

mod applications;
mod boards;
mod can_faults;
mod codes;
mod commands;
mod declared;
mod domains;
mod door;
mod homes;
mod latency;
mod lines;
mod links;
mod matrix;
mod meaning;
mod messages;
mod must_fail;
mod overriding;
mod pages;
mod population;
mod printed;
mod properties;
mod radio;
mod registered;
mod rendering;
mod signals;
mod sources;
mod tenants;
mod test_plan;

use std::path::Path;

pub(crate) use printed::{assert_printed, change, difference};

use super::{LoadFailure, LoadOptions, Scenario};

/// A scenario without mistakes and without links; [`links::LINKED`] has the sections missing here.
pub(crate) const VALID: &str = r#"# A meter at a synthetic generator.
format = 1
[scenario]
name = "first"
title = "Ten minutes – mit Ümläuten"
tags = ["quick"]
start = 2027-01-18T17:00:00Z
duration = "10 min"
seed = 7

[platform]
use = "child"
strict_table2 = true

[[source]]
name = "g"
kind = "synthetic"
voltage = "230 V"

[[device]]
name = "home"
at = "source:g"
model = "stpm34-3ph"
report_every = "10 s"

[[inject]]
name = "skip"
at = "1 min"
kind = "skip_reading"
device = "home"
count = 2

[[inject]]
at = "2 min"
kind = "command"
device = "home"
command = { name = "setReportingPeriod", seconds = 5 }

[[inject]]
at = "3 min"
kind = "kill"

[[check]]
name = "accuracy-u"
kind = "accuracy"
quantity = "electricity.voltage.rms.*"
limit = "0.5 %"
covers = ["F-04", "C-04"]

[[check]]
name = "readings-once"
kind = "no_loss"
device = "home"
"#;

/// Loads a text as if it were a file beside the sources of this package, without recordings.
pub(crate) fn load(text: &str) -> Result<Scenario, LoadFailure> {
    load_with(text, &LoadOptions::default())
}

pub(crate) fn load_with(text: &str, options: &LoadOptions) -> Result<Scenario, LoadFailure> {
    Scenario::from_bytes(Path::new("test.toml"), text.as_bytes(), options)
}

impl Scenario {
    /// Whether both mean the same, wherever and however they are written.
    fn same_meaning(&self, other: &Self) -> bool {
        let (own, other) = (&self.written.tables, &other.written.tables);
        let mut both = own.iter().zip(other);
        own.len() == other.len() && both.all(|(a, b)| a.0.name == b.0.name && a.1.same_values(&b.1))
    }
}

/// The valid scenario with one thing changed.
pub(crate) fn changed(from: &str, to: &str) -> String {
    assert!(VALID.contains(from), "{from}");
    VALID.replacen(from, to, 1)
}

/// Each mistake as code, place and message; none if the scenario loads.
pub(crate) fn mistakes(text: &str) -> Vec<String> {
    mistakes_with(text, &LoadOptions::default())
}

pub(crate) fn mistakes_with(text: &str, options: &LoadOptions) -> Vec<String> {
    let Err(failure) = load_with(text, options) else { return Vec::new() };
    let list = failure.diagnostics().iter().map(|found| {
        let place = failure.texts().place(found.span);
        let marked = place.line_text.get(place.marked.clone()).unwrap_or("?");
        format!("{} {}:{} <{marked}> {}", found.code, place.line, place.column, found.message)
    });
    list.collect()
}
