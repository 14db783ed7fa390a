//! Links to devices and brokers, from outside.
//!
//! One program, since each more is linked by itself.

#[path = "channel/main.rs"]
mod channel;
mod http;
mod impair;
mod link_fields;
mod medium;
#[path = "mqtt/main.rs"]
mod mqtt;
#[path = "proxy/main.rs"]
mod proxy;
mod real_broker;
