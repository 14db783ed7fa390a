//! The broker library's connections, in place of the package that it would use.
//!
//! `rmqtt` 0.24.0 takes its connections from a package named `rmqtt-net`, whose listeners own their
//! sockets: they accept without bound, wait without limit for the first byte, end TLS with a second
//! provider, and report no connection until its CONNECT has been read. The workspace puts
//! this package in its place (`[patch.crates-io]` in the root manifest), under the name and version
//! that cargo asks for. It opens no socket: a [`Listener`] is given streams ([`Arrived`]) that the
//! platform has accepted, judged and read the first packet of.
//!
//! What is here is what `rmqtt` 0.24.0 calls, no more; the compiler finds what is missing. Two
//! things differ from the package that it replaces: a connection ends with the client's DISCONNECT
//! (MQTT 3.1.1 section 3.14.4), not only when the client closes it; and the library has every
//! client identifier with the user name in front ([`scope`], [`unscope`]).

mod config;
mod error;
mod identifier;
mod listener;
mod stream;

pub use config::{BadNames, Builder};
pub use error::MqttError;
pub use identifier::{scope, unscope};
pub use listener::{Acceptor, Arrived, Dispatcher, Entry, Listener, ListenerType, Wire};
pub use stream::{MqttStream, v3, v5};

/// Any error.
pub type Error = anyhow::Error;

/// Any result.
pub type Result<T> = std::result::Result<T, Error>;
