//! The whole chain over its public doors: MQTT in, REST out.
//!
//! Tests that need a process for themselves start this binary again, directed by the environment to
//! run one test only.
#![expect(clippy::unwrap_used, reason = "a test ends by panicking")]
#![expect(clippy::print_stdout, reason = "what was counted or skipped is for the log")]

mod attacks;
mod commands;
mod common;
mod device_life;
mod documents;
mod gateways;
mod grants;
mod http;
mod identity;
mod kill;
mod live_topics;
mod postgres;
#[path = "../../store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "other tests do more with it")]
mod postgres_server;
mod rest_tls;
mod settings;
mod tenants;
mod thousand;
mod tls;
mod topics;
mod topology;
