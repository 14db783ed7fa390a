//! The energy aggregator of a household: what it decides of what it measures and is forecast, its
//! pages and its display. It knows no bus and no network.
//!
//! | file | purpose |
//! |---|---|
//! | `record` | decisions and bills as they stand in the record of a run |
//! | `view` | what is shown, and what is changed there |

pub mod record;
pub mod view;
