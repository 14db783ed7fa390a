//! One MQTT session, 3.1.1 or 5, on rumqttc: publications of QoS 1, and of QoS 0 what is of use at
//! once only.
//!
//! Terms: the *owner* is whoever opened the session and keeps the outbox; a *connection* is one TCP
//! connection from CONNACK to its loss; a *message number* is chosen by the owner and comes back in
//! [`SessionEvent::Acknowledged`].
//!
//! The life of a session: connect, subscribe, wait for the SUBACK, announce
//! [`SessionEvent::Connected`], carry messages, and on any loss announce
//! [`SessionEvent::Disconnected`], wait a little and begin again, until it is closed or dropped.
//! What was in flight when a connection is lost is forgotten here: a second list of what is to be
//! sent again, beside the owner's outbox, would be one too many, so rumqttc's event loop is thrown
//! away with the connection. The owner publishes again from its outbox after `Connected`.
//!
//! Over TLS the same holds: each connection begins with a handshake of its own, and what that
//! finds against the broker or against us is the reason reported.
//!
//! Never here: a resend, a file, a retained message, QoS 2 publications.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

mod client;
mod connection;
mod driver;
mod reason;
mod shared;

pub use shared::{
    DEFAULT_PACKET_LIMIT_BYTES, IN_FLIGHT_LIMIT, LIVE_LIMIT, MqttVersion, PublicationRefusal,
    SessionEvent, SessionOptions,
};
use shared::{Queued, Shared};

/// How long [`Session::close`] waits for the broker connection to end before it is cut.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Why a publication was not handed to the broker connection. The message stays the owner's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No announced connection, or it was lost while waiting for room in flight. Publish again
    /// after `Connected`.
    #[error("not connected to the broker; publish again after the session is connected")]
    NotConnected,
    /// The topic is empty, too long, or holds a wildcard or a NUL.
    #[error("topic {topic:?} cannot be published to: {why}")]
    Topic {
        /// The topic as given.
        topic: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The packet would be larger than the session's limit.
    #[error("packet of {size_bytes} bytes exceeds the session's limit of {limit_bytes} bytes")]
    TooLarge {
        /// Size of the whole PUBLISH packet, bytes.
        size_bytes: usize,
        /// The limit, [`SessionOptions::packet_limit_bytes`].
        limit_bytes: usize,
    },
}

/// Why a publication of QoS 0 was not handed to the broker connection; nobody sends it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// It cannot be published now, or at all.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// More than the connection carries.
    #[error("{LIVE_LIMIT} messages wait to be sent; send fewer, or smaller ones")]
    Busy,
}

/// The owner's handle on a session. Dropping it cuts the connection without DISCONNECT, as a crash
/// would.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    closing: watch::Sender<bool>,
    driver: Option<JoinHandle<()>>,
    packet_limit_bytes: usize,
}

/// The events of one session; see [`SessionEvents::recv`].
#[derive(Debug)]
pub struct SessionEvents {
    queue: mpsc::UnboundedReceiver<Queued>,
    shared: Arc<Shared>,
}

impl Session {
    /// Begins a session; must be called within a tokio runtime. Returns at once: the first
    /// [`SessionEvent::Connected`] or [`SessionEvent::Disconnected`] reports how the first attempt
    /// went.
    pub fn open(options: SessionOptions) -> (Self, SessionEvents) {
        let (sender, queue) = mpsc::unbounded_channel();
        let (closing, closing_seen) = watch::channel(false);
        let shared = Arc::new(Shared {
            live: Mutex::new(None),
            announced: AtomicU64::new(0),
            is_refused: AtomicBool::new(false),
            room: Semaphore::new(options.receive_limit.clamp(1, Semaphore::MAX_PERMITS)),
        });
        let properties_bytes = usize::from(options.version == MqttVersion::V5);
        let packet_limit_bytes = options.packet_limit_bytes.saturating_sub(properties_bytes);
        let driver = tokio::spawn(driver::run(options, shared.clone(), sender, closing_seen));
        let events = SessionEvents { queue, shared: shared.clone() };
        (Self { shared, closing, driver: Some(driver), packet_limit_bytes }, events)
    }

    /// Publishes with QoS 1. Waits while [`IN_FLIGHT_LIMIT`] publications are unacknowledged. `Ok`
    /// means handed to the connection, not delivered: that is [`SessionEvent::Acknowledged`] with
    /// the same `message`. Messages leave in the order in which calls return.
    pub async fn publish(
        &self,
        message: u64,
        topic: impl Into<String>,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let topic = topic.into();
        self.check(&topic, payload.len())?;
        let announced = self.shared.announced.load(Ordering::Acquire);
        let window = match self.shared.live().as_ref() {
            Some(live) if live.connection == announced => live.window.clone(),
            _ => return Err(PublishError::NotConnected),
        };
        let permit = window.acquire().await.map_err(|_| PublishError::NotConnected)?;
        let mut guard = self.shared.live();
        let live = guard
            .as_mut()
            .filter(|live| live.connection == announced)
            .ok_or(PublishError::NotConnected)?;
        // The request queue has room for the whole window, so this neither waits nor is it ever
        // full.
        if !live.client.publish(topic, payload, true) {
            return Err(PublishError::NotConnected);
        }
        live.handed.push_back(message);
        permit.forget();
        Ok(())
    }

    /// Publishes with QoS 0, at once or not at all: it never waits, and what it cannot hand over is
    /// an error and the owner's to count. `Ok` means handed to the connection; nothing more becomes
    /// known of it.
    ///
    /// # Errors
    /// As of [`publish`](Self::publish), and [`LiveError::Busy`] while [`LIVE_LIMIT`] such
    /// messages wait.
    pub fn publish_live(&self, topic: &str, payload: Vec<u8>) -> Result<(), LiveError> {
        self.check(topic, payload.len())?;
        let announced = self.shared.announced.load(Ordering::Acquire);
        let mut guard = self.shared.live();
        let live = guard
            .as_mut()
            .filter(|live| live.connection == announced)
            .ok_or(PublishError::NotConnected)?;
        if live.unsent >= LIVE_LIMIT {
            return Err(LiveError::Busy);
        }
        // The request queue has room for these beside the whole window of the others.
        if !live.client.publish(topic.to_owned(), payload.into(), false) {
            return Err(PublishError::NotConnected.into());
        }
        live.unsent += 1;
        Ok(())
    }

    /// Whether such a publication can be made at all.
    fn check(&self, topic: &str, payload_bytes: usize) -> Result<(), PublishError> {
        check_topic(topic)?;
        let size_bytes = publish_size_bytes(topic.len(), payload_bytes);
        let limit_bytes = self.packet_limit_bytes;
        if size_bytes > limit_bytes {
            return Err(PublishError::TooLarge { size_bytes, limit_bytes });
        }
        Ok(())
    }

    /// Ends the session with a DISCONNECT where there is a connection. Publications without
    /// acknowledgement are abandoned. Takes at most two seconds; then the connection is cut.
    pub async fn close(mut self) {
        self.closing.send_replace(true);
        if let Some(mut driver) = self.driver.take()
            && tokio::time::timeout(CLOSE_LIMIT, &mut driver).await.is_err()
        {
            driver.abort();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

impl SessionEvents {
    /// The next event; `None` after the session was closed or dropped and all its events were
    /// taken. May be cancelled without losing an event.
    ///
    /// An owner in one task must not stop taking events for good while it awaits
    /// [`Session::publish`]; for as long as a publication needs to be acknowledged it may.
    pub async fn recv(&mut self) -> Option<SessionEvent> {
        let queued = self.queue.recv().await?;
        Some(self.hand_out(queued))
    }

    /// The next event if one is there already.
    pub fn try_recv(&mut self) -> Option<SessionEvent> {
        let queued = self.queue.try_recv().ok()?;
        Some(self.hand_out(queued))
    }

    /// Whether the broker refused user name and password when it was last tried to connect: it will
    /// again. Known with MQTT 5 only, from [`SessionEvent::Disconnected`] on.
    pub fn is_refused(&self) -> bool {
        self.shared.is_refused.load(Ordering::Acquire)
    }

    fn hand_out(&self, queued: Queued) -> SessionEvent {
        match queued {
            Queued::Connected { connection } => {
                self.shared.announced.store(connection, Ordering::Release);
                SessionEvent::Connected
            }
            Queued::Other(event) => {
                if matches!(event, SessionEvent::Received { .. }) {
                    self.shared.room.add_permits(1);
                }
                event
            }
        }
    }
}

/// MQTT 3.1.1 section 4.7 for topic names.
fn check_topic(topic: &str) -> Result<(), PublishError> {
    let why = if topic.is_empty() {
        "it is empty"
    } else if topic.len() > usize::from(u16::MAX) {
        "it is longer than 65535 bytes"
    } else if topic.contains(['+', '#']) {
        "it holds a wildcard"
    } else if topic.contains('\0') {
        "it holds a NUL"
    } else {
        return Ok(());
    };
    Err(PublishError::Topic { topic: topic.to_owned(), why })
}

/// Size of a QoS 1 PUBLISH packet (MQTT 3.1.1 section 3.3), bytes; one of MQTT 5 has one more,
/// which states that it has no properties.
fn publish_size_bytes(topic_bytes: usize, payload_bytes: usize) -> usize {
    let remaining = 2 + topic_bytes + 2 + payload_bytes;
    let length_bytes = match remaining {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    };
    1 + length_bytes + remaining
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publish_packet_sizes_are_those_of_the_standard() {
        // Section 2.2.3, table 2.4: the remaining length takes one byte up to 127, two up to 16
        // 383, three up to 2 097 151.
        for (remaining, length_bytes) in
            [(127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_151, 3), (2_097_152, 4)]
        {
            assert_eq!(publish_size_bytes(1, remaining - 5), 1 + length_bytes + remaining);
        }
    }

    #[test]
    fn topics_with_wildcards_are_not_published_to() {
        for topic in ["", "a/+", "a/#", "a\0", &"a".repeat(65_536)] {
            assert!(matches!(check_topic(topic), Err(PublishError::Topic { .. })), "{topic:.10}");
        }
        assert_eq!(check_topic("default/SiteWhere/input/json"), Ok(()));
    }

    #[test]
    fn the_password_is_not_shown() {
        let shown = format!("{:?}", SessionOptions::new("h:1", "id", "user", "s3cret"));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
