//! What the lanes of a proxy share: its record, what breaks them, and their legs.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chacha20::ChaCha8Rng;
use tokio::sync::mpsc::UnboundedSender;

use super::meter::Meter;
use crate::impair::{Breakage, Leg, LegName, LinkSpec};

/// What passed a link; all instants are stamps of [`crate::clock::monotonic_ns`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkRecord {
    /// A chunk was released.
    Release {
        /// The lane's owner.
        lane: Arc<str>,
        /// Which way it went.
        leg: LegName,
        /// Length of the chunk, bytes.
        bytes: u32,
        /// When it was read.
        in_ns: i64,
        /// When it should have been released.
        intended_ns: i64,
        /// When the call that handed over its last byte began.
        actual_ns: i64,
    },
    /// An MQTT PUBLISH packet was released, whole.
    Publish {
        /// The lane's owner.
        lane: Arc<str>,
        /// Which way it went.
        leg: LegName,
        /// The topic it was under.
        topic: String,
        /// The application message as it entered the link.
        payload: Bytes,
        /// When the chunk with its first byte was read.
        in_ns: i64,
        /// When the chunk with its last byte was released.
        out_ns: i64,
    },
}

/// What all lanes share.
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) upstream: SocketAddr,
    pub(super) spec: LinkSpec,
    pub(super) stream: Box<dyn Fn(&str) -> ChaCha8Rng + Send + Sync>,
    pub(super) records: Option<UnboundedSender<LinkRecord>>,
    pub(super) meter: Meter,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("name", &self.name)
            .field("upstream", &self.upstream)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

/// What a lane is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Control {
    pub(super) broken: Option<Breakage>,
    /// How often its connections were cut, whether or not they had the time to notice; and how.
    pub(super) cuts: u64,
    pub(super) cut_by: Breakage,
    pub(super) mended_ns: i64,
}

impl Control {
    pub(super) const fn new(broken: Option<Breakage>) -> Self {
        Self { broken, cuts: 0, cut_by: Breakage::Reset, mended_ns: i64::MIN }
    }

    pub(super) fn break_by(&mut self, how: Breakage) {
        if how != Breakage::Stall {
            self.cuts += 1;
            self.cut_by = how;
        }
        self.broken = Some(how);
    }

    pub(super) fn mend(&mut self, now_ns: i64) {
        if self.broken.take().is_some() {
            self.mended_ns = now_ns;
        }
    }
}

/// What all connections of a lane share.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) owner: Arc<str>,
    pub(super) shared: Arc<Shared>,
    pub(super) legs: [Mutex<Leg>; 2],
}

impl Lane {
    pub(super) fn new(owner: &str, shared: Arc<Shared>) -> Self {
        let leg = |name: LegName| {
            let stream = format!("link/{}/{owner}/{}", shared.name, name.word());
            Mutex::new(Leg::new(&shared.spec, name, &(shared.stream)(&stream)))
        };
        Self { legs: LegName::ALL.map(leg), owner: Arc::from(owner), shared }
    }

    pub(super) fn leg(&self, name: LegName) -> &Mutex<Leg> {
        &self.legs[name as usize]
    }
}
