//! `lastmeter-link`: the asynchronous shell the bench's and the devices' I/O goes through.
//!
//! | module | purpose |
//! |---|---|
//! | [`mqtt`] | one MQTT session, 3.1.1 or 5, that survives losses of its connection |
//! | [`dispatcher`] | a gateway's connection to a dispatcher, made again when it is lost |
//! | [`tls`], [`http`] | certificates for that; a small HTTP/1.1 client for JSON |
//! | [`channel`], [`socketcan`] | bytes of serial lines, pseudo-terminals, sockets; frames of CAN |
//! | [`emulator`] | a board under QEMU |
//! | [`impair`] -> [`proxy`] | what a link does to its bytes, without I/O; as a TCP proxy |
//! | [`medium`] | the shared medium of a field network, without I/O |
//! | [`clock`], [`timer`], [`priority`] | monotonic clock, precise waits, real-time scheduling |
//!
//! Nothing here stores, or knows what the bytes mean. No module ever waits without a limit: each
//! wait has one, and the error or event that ends it states what was waited for (ARCHITECTURE.md,
//! "Every wait names what it waits for").

pub mod channel;
pub mod clock;
pub mod dispatcher;
pub mod emulator;
pub mod http;
pub mod impair;
pub mod medium;
pub mod mqtt;
pub mod priority;
pub mod proxy;
pub mod socketcan;
pub mod timer;
pub mod tls;
