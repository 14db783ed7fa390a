//! The MQTT session against a broker made of bytes.
#![expect(clippy::unwrap_used, reason = "a test ends by panicking")]

mod fake;
mod five;
mod matching;
mod session;
mod tls;
