//! `lastmeter-link`: the asynchronous shell the bench's and the devices' I/O goes through.
//!
//! What is here: [`mqtt`], one MQTT 3.1.1 session that survives losses of its connection, over TCP
//! or TLS; [`tls`], the certificates for that; [`http`], a small HTTP/1.1 client for JSON;
//! [`channel`], bytes to and from serial lines, pseudo-terminals and sockets; [`socketcan`], frames
//! to and from CAN interfaces, as far as the build has them; and, without any I/O, [`impair`] and
//! [`medium`], what links and field networks do to what they carry.
//! Nothing here stores, or knows what the bytes mean.
//!
//! No module ever waits without a limit: each wait has one, and the error or event that ends
//! it states what was waited for (ARCHITECTURE.md, "Every wait names what it waits for").

pub mod channel;
pub mod clock;
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
