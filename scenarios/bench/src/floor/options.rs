//! How the floor is measured, and why it could not be.

use std::time::Duration;

use lastmeter_link::mqtt::SessionOptions;

/// What to measure. [`FloorOptions::new`] fills in everything but the sessions.
#[derive(Clone, Debug)]
pub struct FloorOptions {
    /// The session that publishes. Its user name is the tenant. To send the echo through a link on
    /// purpose, give the address of the link's lane.
    pub publisher: SessionOptions,
    /// The session that receives.
    pub subscriber: SessionOptions,
    /// The topic; `None`: the publisher's own echo topic, `{tenant}/echo/{clientId}`.
    pub topic: Option<String>,
    /// Echoes to send.
    pub messages: u32,
    /// Time between two echoes.
    pub pace: Duration,
    /// Number of timer probes.
    pub probes: u32,
    /// How long each session may take to connect and subscribe, and the first echo to arrive.
    pub connect_limit: Duration,
    /// How long the last echoes may take; what has not arrived then is lost.
    pub grace: Duration,
}

impl FloorOptions {
    /// 2000 probes, and 2000 echoes of 1.3 kB every 2 ms; 10 s to connect and 10 s of grace.
    pub fn new(publisher: SessionOptions, subscriber: SessionOptions) -> Self {
        Self {
            publisher,
            subscriber,
            topic: None,
            messages: 2000,
            pace: Duration::from_millis(2),
            probes: 2000,
            connect_limit: Duration::from_secs(10),
            grace: Duration::from_secs(10),
        }
    }
}

/// Why the floor could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum FloorError {
    /// A session was not connected in time.
    #[error(
        "the floor's {who} was not connected to {address} within {limit_s} s ({reason}); is the \
         broker there, and are user and password right?"
    )]
    Connect {
        /// Which session: `publisher` or `subscriber`.
        who: &'static str,
        /// Where it was to connect.
        address: String,
        /// What it was given.
        limit_s: f64,
        /// Its last message.
        reason: String,
    },
    /// The machine refused a timer or a socket.
    #[error("the floor could not be measured: {what}")]
    System {
        /// What was being made.
        what: &'static str,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}
