//! Plays the network of a scenario, runs it in virtual or in real time, and suites of them.
//!
//! The language has read the scenario; `lastmeter-reports` judges what is written here. Commands
//! that need no run are in `lastmeter-commands`, and take what is below `run` from here.
//!
//! ```text
//! suite                        several runs: which, in what order, what came out
//!   select, filter, out_folder   which files and scenarios are meant, and where results go
//!   library                      the scenarios in the program itself
//!   plant                        solves the network before a platform starts
//!   run                          one run, from its platform to its verdicts
//!     floor                      what machine and broker add on their own
//!     lines, capture             real lines, and files of what passed on them
//! stop, host, output           signals that end a run; the machine; what is printed
//! ```

pub mod capture;
pub mod filter;
pub mod floor;
pub mod host;
pub mod library;
pub mod lines;
pub mod out_folder;
pub mod output;
pub mod plant;
pub mod run;
pub mod select;
pub mod stop;
pub mod suite;
