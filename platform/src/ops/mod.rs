//! One function per use case, for whoever asks: REST calls them, and so will pages.
//!
//! | file | purpose |
//! |---|---|
//! | `caller` | who asks, and the one way to a permit |
//! | `bounds` | what changes of documents may not do, and whose former versions are |
//! | `accounts`, `credentials` | users and their own accounts; keys and credentials |
//! | `aggregates` | what was published of zones |
//! | `alarms` | what people do about alarms |
//! | `awareness`, `homes` | what the devices of a home come to, and what to be aware of |
//! | `assignments`, `devices` | devices registered, changed, assigned and decommissioned |
//! | `bills` | bills of customers, made of registers and tariffs |
//! | `commands` | commands to many devices, and what schedules have to have |
//! | `rules` | rules that are offered, and what one would have done |
//! | `permits` | what somebody may have: of lists, of devices, of pages |
//! | `jobs` | jobs of maintenance, done one after the other |
//! | `live` | live values, in the order of commit |
//! | `firmware` | program images for nodes, and their way to a node |
//! | `networks`, `nodes` | field networks and their keys; what is behind their gateways |
//! | `losses` | that somebody has looked at a loss |
//! | `documents` | making, reading, changing and removing documents of every kind |
//! | `reports` | reports that are asked for; what services do again and again |
//! | `transfer` | rows as messages, and messages taken in again |
//! | `topology`, `grid` | electric networks and the states of their switches; which elements have supply |
//! | `outages`, `results` | outages that applications report, and what operators make of them |

pub(crate) mod accounts;
pub(crate) mod aggregates;
pub(crate) mod alarms;
pub(crate) mod assignments;
pub(crate) mod awareness;
pub(crate) mod bills;
mod bounds;
mod caller;
pub(crate) mod commands;
pub(crate) mod credentials;
pub(crate) mod devices;
pub(crate) mod documents;
pub(crate) mod firmware;
pub(crate) mod grid;
pub(crate) mod homes;
pub(crate) mod jobs;
pub(crate) mod live;
pub(crate) mod losses;
pub(crate) mod networks;
pub(crate) mod nodes;
pub(crate) mod outages;
mod permits;
pub(crate) mod reports;
pub(crate) mod results;
pub(crate) mod rules;
pub(crate) mod topology;
pub(crate) mod transfer;

pub(crate) use caller::{Caller, not_permitted};
pub(crate) use permits::{Cuts, Looked};
