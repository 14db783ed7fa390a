//! The energy aggregator of a household: what it decides of what it measures and is forecast, its
//! pages and its display. It knows no bus and no network.
//!
//! | file | purpose |
//! |---|---|
//! | `settings` | the keys of the table `household` |
//! | `machine` | the household as a machine: readings, feeds, pages in, effects out |
//! | `decisions` | starts, shedding, co-generator, changes by the customer |
//! | `feeds` | prices, weather and forecasts of the platform |
//! | `bill` | the bill so far, from registers |
//! | `statistics`, `calendar` | energy by day, month and year; the power profile |
//! | `kept` | what survives a restart |
//! | `shown` | the view of all that |
//! | `display` | the screens of its display, as lines of text |
//! | `made` | a household that is made up, for tests |
//! | `record` | decisions and bills as they stand in the record of a run |
//! | `site` | the pages that it serves itself, with a sign-in of their own |
//! | `view` | what is shown, and what is changed there |

mod bill;
mod calendar;
mod decisions;
pub mod display;
mod feeds;
mod kept;
mod machine;
#[cfg(test)]
#[path = "../../examples/household_pages/made.rs"]
mod made;
pub mod record;
mod settings;
mod shown;
pub mod site;
mod statistics;
pub mod view;

pub(crate) use machine::{Effect, Household};
pub use settings::Access;
pub(crate) use settings::{HOUSEHOLD, Settings};
