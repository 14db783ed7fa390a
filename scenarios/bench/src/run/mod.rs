//! Runs one scenario: assembles the bench, moves it to the end, writes the record, has it judged.
//!
//! Terms: a *run* is one execution of one scenario into one run folder. The runner appends to the
//! record as it goes, so that a killed run leaves what there was; judging and drawing read the
//! folder alone. Virtual and real time are two ways to move a bench (`moving`); what is injected,
//! commanded, joined and judged is the same in both.
//!
//! | files | purpose |
//! |---|---|
//! | `start`, `moving`, `error`, `console` | a run from its name to its verdicts, and what it shows |
//! | `run_platform`, `own_settings`, `own_runtime`, `tenants`, `rest` | the platform under test |
//! | `virtual_time`, `modelled` | a bench that moves from sync point to sync point; modelled links |
//! | `real`, `alarm`, `steps`, `turns` | a bench that follows the clock; punctuality |
//! | `shell`, `client`, `client_output`, `device_setup`, `signal_feed` | a connected device |
//! | `connection` | its connection: an MQTT session, or a gateway's to the dispatcher |
//! | `board`, `programs` | its board; the program of somebody else's that it is |
//! | `field`, `field_setup`, `field_simulator`, `mqtt_port` | a gateway and the networks behind it |
//! | `real_node` | a node of a CAN bus that is real |
//! | `exchanges`, `bus_faults` | a CAN bus: exchanges, where their time goes; faults, error counters |
//! | `field_networks`, `carried`, `live_home` | a transparent gateway: network, readings; by itself |
//! | `gateway_rest`, `pages`, `household` | a gateway's requests to REST, pages; what one decides |
//! | `injecting`, `commands`, `requests`, `firmware`, `applications` | what is done, and by whom |
//! | `hearing`, `flows` | who hears topics; those that feed points of a gateway |
//! | `results`, `blocks` | what applications conclude; samples of recorders |
//! | `schedule`, `ledger`, `joining`, `notices`, `alerts` | what was due, joined with what came back |
//! | `blocks` | blocks of samples, in the account of alerts |
//! | `recording`, `thinning`, `live`, `signals`, `latency_row`, `device_note` | what is written as it goes |
//! | `network`, `plant_notes`, `motion_record`, `tampering` | the record of the plant |
//!
//! Data flow: plant, `signal_feed`, `client`, `shell`, platform, `rest`, `joining`, `recording`.

mod alarm;
mod alerts;
mod applications;
mod blocks;
mod board;
mod bus_faults;
mod carried;
mod client;
mod client_output;
mod commands;
mod connection;
mod console;
mod device_note;
mod device_setup;
mod error;
mod exchanges;
mod field;
mod field_networks;
mod field_setup;
mod field_simulator;
mod firmware;
mod flows;
mod gateway_rest;
mod hearing;
mod household;
mod injecting;
mod joining;
mod latency_row;
mod ledger;
mod live;
mod live_home;
mod modelled;
mod motion_record;
mod moving;
mod mqtt_port;
mod network;
mod notices;
mod own_runtime;
mod own_settings;
mod pages;
mod plant_notes;
mod programs;
mod real;
mod real_node;
mod recording;
mod requests;
mod rest;
mod results;
mod run_platform;
mod schedule;
mod shell;
mod signal_feed;
mod signals;
mod start;
mod steps;
mod tampering;
mod tenants;
mod thinning;
mod turns;
mod virtual_time;

pub use board::firmware::hexadecimal;
pub use board::lock::{Lock as BoardLock, held_by as board_held_by, path as board_lock_path};
pub use console::{Console, ConsoleOptions};
pub use device_setup::{DeviceSetup, device_setup};
pub use error::{BenchError, chain};
pub use field_setup::{endpoint_of, inputs_of};
pub use ledger::Account;
pub use live_home::{Dials, LiveHome, Records};
pub use moving::RunOptions;
pub use mqtt_port::MqttPort;
pub use own_runtime::{OwnRuntime, Policy, own_policy};
pub use real::{Outgoing, Timeline};
pub use run_platform::Profile;
pub use signal_feed::SignalFeed;
pub use start::{default_out, run_scenario};
pub use steps::Steps;
pub(crate) use turns::Turns;
