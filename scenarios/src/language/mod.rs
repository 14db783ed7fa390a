//! The scenario language, version 1: put together from what each package registers, read with all
//! mistakes at once, and built into the parts of a bench.
//!
//! Terms: a *section* is one of the language's tables (`[scenario]`, `[[source]]`, ...); an
//! *entry* is one registered source, device, injection or check; an *override* changes one value
//! from outside (`--set ADDRESS=VALUE`); *resolved* is a scenario with every default and override
//! written out.
//!
//! It never runs anything, and reads no files but the scenario and those it names.

mod assemble;
mod calibration;
mod commands;
mod construct;
mod draft;
mod explain;
mod failure;
mod files;
mod grid;
mod interference;
mod json_schema;
mod judging;
mod load;
mod names;
mod overrides;
mod parts;
mod read;
mod render;
mod scenario;
mod sections;
mod semantics;
mod suite;
mod texts;
mod warnings;
mod wiring;

pub use explain::explain;
pub use failure::LoadFailure;
pub(crate) use files::{open as open_file, read as read_file};
pub(crate) use grid::{other_separator, turns_back};
pub use json_schema::json_schema;
pub use lastmeter_record::TimeMode;
pub use load::{LoadOptions, time_word};
pub(crate) use load::{Meant, failure};
pub use scenario::{
    Action, CheckRow, DeviceRow, Expect, FloorRow, GivenAuthority, Injection, LinkRow, ObserverRow,
    PlatformUse, Scenario, Source, TlsUse,
};
pub use sections::{Registered, registry, section_names};
pub use texts::{Place, Texts};

#[cfg(test)]
mod tests;
