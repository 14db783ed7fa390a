//! The program from outside: spawned as a user would, judged by what it writes and how it exits.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]
#![expect(clippy::print_stdout, reason = "what was measured or skipped is for the log")]

mod accuracy;
mod alerts;
mod app_alone;
mod bench;
mod boards;
mod boards_on_the_desk;
mod broken_input;
mod command_line;
mod commands;
mod compare;
mod crowds;
mod doors;
mod externals;
mod full_disk;
mod gateway_folders;
mod grid;
mod hostile;
mod interrupted;
mod jobs;
mod liars;
mod m_bus_alone;
mod m_bus_lines;
mod maintenance;
mod matrix;
mod measured_events;
mod odd_recordings;
mod populations;
mod postgres;
#[path = "../../platform/store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "other tests do more with it")]
mod postgres_server;
mod recorded_before;
mod repeats;
mod run_folder;
mod shards;
mod simulator_captures;
mod simulator_ping_pong;
mod simulator_shell;
mod simulators;
mod simulators_down;
mod stable;
mod stops;
mod suite_options;
mod suites;
mod thinned;
mod twins;
