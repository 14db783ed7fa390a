//! What a master knows of each slave's link: its frame count bits; makes requests by it.

use std::collections::{BTreeMap, BTreeSet};

use super::config::MasterConfig;
use super::exchange::{Expect, Request};
use crate::application::SELECT;
use crate::control::Control;
use crate::frame::{Frame, SELECTED};
use crate::header::Identity;

#[derive(Debug, Clone)]
pub(super) struct Links {
    pub(super) config: MasterConfig,
    /// Of the next request of class 2.
    frame_counts: BTreeMap<u8, bool>,
    /// Slaves whose last frame count bits are as they are here.
    known: BTreeSet<u8>,
}

impl Links {
    pub(super) fn new(config: MasterConfig) -> Self {
        Self { config, frame_counts: BTreeMap::new(), known: BTreeSet::new() }
    }

    /// A slave was initialised or selected: its next frame count bit is set.
    pub(super) fn restart(&mut self, address: u8) {
        self.frame_counts.remove(&address);
        self.known.insert(address);
    }

    /// Whether a slave took the last frame count bit is not known: it has to be initialised.
    pub(super) fn forget(&mut self, address: u8) {
        self.known.remove(&address);
    }

    /// Whether a slave need not be initialised first.
    pub(super) fn is_known(&self, address: u8) -> bool {
        self.known.contains(&address)
    }

    /// A request was answered: the next one has the other bit.
    pub(super) fn toggle(&mut self, address: u8) {
        let bit = self.frame_counts.entry(address).or_insert(true);
        *bit = !*bit;
    }

    fn request(&self, frame: &Frame<'_>, expect: Expect) -> Request {
        let mut bytes = Vec::new();
        // Frames of this module have no more data than fits.
        let _ = frame.encode(&mut bytes);
        let repetitions = self.config.repetitions;
        Request {
            bytes,
            expect,
            after_silence: repetitions,
            after_garble: repetitions,
            collisions: false,
        }
    }

    pub(super) fn initialise(&self, address: u8) -> Request {
        let frame = Frame::Short { control: Control::SendReset, address };
        self.request(&frame, Expect::Acknowledge)
    }

    pub(super) fn read(&self, address: u8) -> Request {
        let frame_count = Some(self.frame_counts.get(&address).copied().unwrap_or(true));
        let control = Control::RequestUserData2 { frame_count };
        self.request(&Frame::Short { control, address }, Expect::Response(address))
    }

    pub(super) fn select(&self, mask: Identity) -> Request {
        // A selection initialises what was counted, so its own bit may be the same each time.
        let control = Control::SendUserData { frame_count: Some(true) };
        let (address, information, data) = (SELECTED, SELECT, &mask.bytes());
        let frame = Frame::Long { control, address, information, data };
        self.request(&frame, Expect::Acknowledge)
    }
}
