//! What a master knows of each slave's link: frame count bits and rate; makes requests by it.

use std::collections::{BTreeMap, BTreeSet};

use super::config::MasterConfig;
use super::exchange::{Expect, Request};
use crate::application::SELECT;
use crate::baud::BaudRate;
use crate::control::Control;
use crate::frame::{BROADCAST, Frame, SELECTED};
use crate::header::Identity;

/// What is asked for with a frame count bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    RequestUserData2,
    SendUserData,
}

#[derive(Debug, Clone)]
pub(super) struct Links {
    pub(super) config: MasterConfig,
    frame_counts: BTreeMap<(u8, Counted), bool>,
    rates: BTreeMap<u8, BaudRate>,
    /// Slaves whose last frame count bits are as they are here.
    known: BTreeSet<u8>,
}

impl Links {
    pub(super) fn new(config: MasterConfig) -> Self {
        let (frame_counts, rates, known) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { config, frame_counts, rates, known }
    }

    /// The rate at which a slave listens.
    pub(super) fn rate(&self, address: u8) -> BaudRate {
        self.rates.get(&address).copied().unwrap_or(self.config.baud)
    }

    pub(super) fn set_rate(&mut self, address: u8, baud: BaudRate) {
        if address == BROADCAST {
            self.rates.clear();
            self.config.baud = baud;
        } else {
            self.rates.insert(address, baud);
        }
    }

    /// A slave was initialised or selected: its next frame count bit is set.
    pub(super) fn restart(&mut self, address: u8) {
        self.frame_counts.retain(|(of, _), _| *of != address);
        self.known.insert(address);
    }

    /// Whether a slave took the last frame count bit is not known: it has to be initialised.
    pub(super) fn forget(&mut self, address: u8) {
        if address == BROADCAST {
            self.known.clear();
        }
        self.known.remove(&address);
    }

    /// Whether a slave need not be initialised first.
    pub(super) fn is_known(&self, address: u8) -> bool {
        self.known.contains(&address)
    }

    /// A counted request was answered: the next one has the other bit.
    pub(super) fn toggle(&mut self, address: u8, counted: Counted) {
        let bit = self.frame_counts.entry((address, counted)).or_insert(true);
        *bit = !*bit;
    }

    fn frame_count(&self, address: u8, counted: Counted) -> bool {
        self.frame_counts.get(&(address, counted)).copied().unwrap_or(true)
    }

    fn request(&self, address: u8, frame: &Frame<'_>, expect: Expect) -> Request {
        let mut bytes = Vec::new();
        // Frames of this module have no more data than fits.
        let _ = frame.encode(&mut bytes);
        let expect = if address == BROADCAST { Expect::Nothing } else { expect };
        let repetitions = self.config.repetitions;
        Request {
            bytes,
            baud: self.rate(address),
            expect,
            after_silence: repetitions,
            after_garble: repetitions,
            collisions: false,
        }
    }

    pub(super) fn initialise(&self, address: u8) -> Request {
        let frame = Frame::Short { control: Control::SendReset, address };
        self.request(address, &frame, Expect::Acknowledge)
    }

    pub(super) fn read(&self, address: u8) -> Request {
        let frame_count = Some(self.frame_count(address, Counted::RequestUserData2));
        let control = Control::RequestUserData2 { frame_count };
        self.request(address, &Frame::Short { control, address }, Expect::Response(address))
    }

    /// User data; nothing where it has no control information field or is too long.
    pub(super) fn send(&self, address: u8, user_data: &[u8]) -> Option<Request> {
        let (information, data) = user_data.split_first()?;
        let frame_count = Some(self.frame_count(address, Counted::SendUserData));
        let control = Control::SendUserData { frame_count };
        let frame = Frame::with_data(control, address, *information, data).ok()?;
        Some(self.request(address, &frame, Expect::Acknowledge))
    }

    pub(super) fn select(&self, mask: Identity) -> Request {
        // A selection initialises what was counted, so its own bit may be the same each time.
        let control = Control::SendUserData { frame_count: Some(true) };
        let (address, information, data) = (SELECTED, SELECT, &mask.bytes());
        let frame = Frame::Long { control, address, information, data };
        self.request(SELECTED, &frame, Expect::Acknowledge)
    }
}
