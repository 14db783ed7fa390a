//! Wire formats as pure encode and decode, one folder per protocol.
//!
//! | module | purpose |
//! |---|---|
//! | [`flexmeter`] | messages: `reader` -> `decode`, `batch` -> `message` -> `encode` |
//! | [`block`] | blocks of samples, in a binary form |
//! | [`commands`] | the commands that devices understand, one row each |
//! | [`rest`] | requests of devices and applications to the platform, and their answers |
//! | [`topics`] | MQTT topics, built and taken apart |
//!
//! Terms: a *payload* is the body of one message, a *topic* the MQTT name it is published under,
//! a *refusal* the reason why a payload is not accepted. Nothing here opens a socket, reads a
//! clock, or panics on any input.

pub mod block;
pub mod commands;
pub mod flexmeter;
pub mod rest;
pub mod topics;
