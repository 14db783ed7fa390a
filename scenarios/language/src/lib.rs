//! The scenario language, version 1: put together from what each package registers, read with all
//! mistakes at once, and built into the parts of a bench.
//!
//! Terms: a *section* is one of the language's tables (`[scenario]`, `[[source]]`, ...); an
//! *entry* is one registered source, device, injection or check; an *override* changes one value
//! from outside (`--set ADDRESS=VALUE`); *resolved* is a scenario with every default and override
//! written out.
//!
//! It never solves or runs anything, and reads no files but the scenario and those it names.
//!
//! ```text
//! load, scenario_file, twin, overlay   a file, its must-fail twins and changes from outside
//! matrix, distribution, population     the cases of a file, values that are drawn, members
//!   -> read, draft, overrides          TOML to the tables of each section
//!   -> resolve, names, references      what tables refer to, and what holds between them
//!   -> construct, judging, warnings    the parts: sources, devices, checks
//!   -> scenario, injected              what comes out, for the bench
//! section                              one row for each section, with what is particular to it
//! explain, json_schema                 the same rows for people and editors
//! failure, texts, render               mistakes, where they are, and how they are shown
//! files, network_file, shipped_boards  what else is read
//! choice, emulation, stagger           small things that bench and commands use too
//! ```

mod choice;
mod construct;
mod distribution;
mod draft;
mod emulation;
mod explain;
mod failure;
mod files;
mod injected;
mod json_schema;
mod judging;
mod load;
mod matrix;
mod names;
pub mod network_file;
mod overlay;
mod overrides;
mod population;
mod read;
mod references;
mod render;
mod resolve;
mod scenario;
mod scenario_file;
mod section;
pub mod shipped_boards;
mod stagger;
mod texts;
mod twin;
mod warnings;

pub use choice::one_of;
pub use distribution::Distribution;
pub use draft::Section;
pub use emulation::{IMAGE_ENDING, emulated_of, missing_for_firmware};
pub use explain::explain;
pub use failure::LoadFailure;
pub use files::{open as open_file, read as read_file};
pub use json_schema::{json_schema, json_schema_text};
pub use lastmeter_record::TimeMode;
pub use load::{Document, failure};
pub use load::{LoadOptions, time_modes};
pub use matrix::{Case, Variation};
pub use references::{GivenAuthority, Through};
pub use scenario::{LoadedFrom, Plant, Scenario};
pub use scenario_file::{Control, ScenarioFile};
pub use section::application::{ApplicationRow, KnownNetwork};
pub use section::board::BoardRow;
pub use section::check::CheckRow;
pub use section::device::DeviceRow;
pub use section::device::reported;
pub use section::expect::Expect;
pub use section::floor::FloorRow;
pub use section::gateway::GatewayRow;
pub use section::grid::{report_idle_defects, report_unplayable};
pub use section::inject::Injection;
pub use section::inject::Order;
pub use section::link::LinkRow;
pub use section::network::NetworkRow;
pub use section::observer::ObserverRow;
pub use section::platform::{PlatformSetup, PlatformUse, StoreUse, TlsUse, postgres_address};
pub use section::record::{Keep, RecordRule, RecordRules};
pub use section::request::{Asker, RequestBody, RequestRow};
pub use section::scenario::{About, Schedule};
pub use section::signal::{SignalFrom, SignalRow};
pub use section::simulator::ShownBy;
pub use section::simulator::SimulatorRow;
pub use section::source::Source;
pub use section::tenant::{TenantRow, tenant_prefix};
pub use section::{registry, section_names};
pub use stagger::stagger;
pub use texts::{Place, Texts};
pub use warnings::warn_off_rated_voltage;

#[cfg(test)]
mod tests;
