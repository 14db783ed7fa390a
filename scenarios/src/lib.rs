//! The scenario language, the runner and the stand-alone commands.
//!
//! Sees every other package and puts them together: [`language`] reads a scenario, `plant`
//! plays its network, [`run`] runs it, [`suite`] runs several, and the other modules are the
//! commands that need no run.

pub mod accuracy;
pub mod boards;
pub mod can;
mod capture;
pub mod certificates;
pub mod device;
pub mod doctor;
pub mod filter;
pub mod floor;
pub mod gateway;
pub mod grid;
pub mod inspect;
pub mod language;
mod lines;
pub mod measure;
mod out_folder;
pub mod output;
mod plant;
pub mod rts;
pub mod run;
pub mod select;
pub mod serve;
mod stagger;
mod stop;
pub mod suite;
