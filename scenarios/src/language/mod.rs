//! The scenario language, version 1: put together from what each package registers, read with all
//! mistakes at once, and built into the parts of a bench.
//!
//! Terms: a *section* is one of the language's tables (`[scenario]`, `[[source]]`, ...); an
//! *entry* is one registered source, device, injection or check; an *override* changes one value
//! from outside (`--set ADDRESS=VALUE`); *resolved* is a scenario with every default and override
//! written out.
//!
//! It never solves or runs anything, and reads no files but the scenario and those it names.

mod construct;
mod draft;
mod explain;
mod failure;
mod files;
mod json_schema;
mod judging;
mod load;
mod names;
mod overlay;
mod overrides;
mod read;
mod references;
mod render;
mod resolve;
mod scenario;
mod scenario_file;
mod section;
mod texts;
mod twin;
mod warnings;

pub use explain::explain;
pub use failure::LoadFailure;
pub(crate) use files::{open as open_file, read as read_file};
pub use json_schema::json_schema;
pub use lastmeter_record::TimeMode;
pub(crate) use load::{Document, failure};
pub use load::{LoadOptions, time_modes};
pub use scenario::Scenario;
pub use scenario_file::{Control, ScenarioFile};
pub use section::application::{ApplicationRow, Reaction};
pub(crate) use section::board::BoardRow;
pub use section::check::CheckRow;
pub use section::device::DeviceRow;
pub(crate) use section::device::reported;
pub use section::expect::Expect;
pub use section::floor::FloorRow;
pub use section::gateway::GatewayRow;
pub(crate) use section::grid::{report_idle_defects, report_unplayable};
pub use section::inject::Injection;
pub(crate) use section::inject::{Order, Through};
pub use section::link::LinkRow;
pub use section::network::NetworkRow;
pub use section::observer::ObserverRow;
pub use section::platform::{GivenAuthority, PlatformSetup, PlatformUse, TlsUse};
pub use section::scenario::{About, Schedule};
pub use section::signal::{SignalFrom, SignalRow};
pub(crate) use section::simulator::ShownBy;
pub use section::simulator::SimulatorRow;
pub use section::source::Source;
pub(crate) use section::{registry, section_names};
pub use texts::{Place, Texts};
pub(crate) use warnings::warn_off_rated_voltage;

#[cfg(test)]
mod tests;
