//! The stand-alone commands: each a module with its options and a function that gives an exit code.
//!
//! | module | command |
//! |---|---|
//! | `inspect` | validate, list, explain, schema, report |
//! | `measure`, `grid` | metrology of a recording; a network file solved |
//! | `accuracy` | a meter against a test plan, by a run that is assembled here |
//! | `device`, `gateway`, `can`, `boards` | one device or gateway on real lines; buses and boards |
//! | `app` | one application beside any platform |
//! | `rts` | simulators: point maps, the adapter, captures, latency |
//! | `serve`, `certificates` | the platform alone, and what TLS needs |
//! | `demo` | the platform with a household in it, to look at |
//! | `store` | its data while it does not run, and the audit in it |
//! | `new` | a start of one's own |
//! | `suites`, `compare` | shards joined, suites judged again; runs held against others |
//! | `doctor` | whether this machine can do all that |
//!
//! `log` is what is shown of what parts log; `ending` is how long those that serve go on. Runs and
//! suites are in `lastmeter-bench`.

pub mod accuracy;
pub mod app;
pub mod boards;
pub mod can;
pub mod certificates;
pub mod compare;
pub mod demo;
pub mod device;
pub mod doctor;
mod ending;
pub mod gateway;
pub mod grid;
pub mod inspect;
mod log;
pub mod measure;
pub mod new;
pub mod rts;
pub mod serve;
pub mod store;
pub mod suites;

pub use log::show_log;
