//! Runs a scenario in real time: every message at its instant, through links that misbehave.
//!
//! Terms: the *schedule* begins at one instant of the monotonic clock, the *origin*; event time
//! runs beside it at the same pace ([`timeline`]). Devices, observers, proxies and the reader are
//! tasks of their own on a runtime whose threads have real-time priority where the machine grants
//! it; each reports what happened, and when, to the one that keeps the record.
//!
//! Nothing here waits for an answer before it sends the next message, and nothing is sent again to
//! make up for one that was late: lateness of the bench is counted and reported ([`deadlines`]).
//!
//! | files | purpose |
//! |---|---|
//! | `setup`, `access`, `links`, `workers` | platform, links and tasks, put together |
//! | `sender`, `field_sender`, `line_sender`, `real_line`, `outgoing` | devices and gateways |
//! | `applications` | programs beside the platform |
//! | `observer`, `reader` | what the platform passes on and gives back |
//! | `report`, `taking` | what tasks report, taken in by one loop |
//! | `bench`, `acting`, `senders`, `grace`, `settling` | that loop: injects, joins, settles |
//! | `recorder` | the latency record |
//! | `timeline`, `clocks`, `deadlines`, `load`, `floors` | clocks, punctuality, how busy all is |

mod access;
mod acting;
mod applications;
mod bench;
mod clocks;
mod deadlines;
mod field_sender;
mod floors;
mod grace;
mod line_sender;
mod links;
mod load;
mod observer;
mod outgoing;
mod reader;
mod real_line;
mod recorder;
mod report;
mod sender;
mod senders;
mod settling;
mod setup;
mod taking;
mod timeline;
mod workers;

pub(crate) use bench::RealBench;
pub use outgoing::Outgoing;
pub(crate) use setup::assemble;
pub use timeline::Timeline;
