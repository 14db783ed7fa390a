//! Runs of scenarios.

pub mod capture;
pub mod filter;
pub mod floor;
pub mod host;
pub mod lines;
pub mod out_folder;
pub mod output;
pub mod plant;
pub mod run;
pub mod select;
pub mod stop;
pub mod suite;
