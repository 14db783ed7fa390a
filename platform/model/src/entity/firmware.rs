//! Program images for nodes of field networks, and their way to a node.

use lastmeter_units::{HardwareId, SimTime};
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{
    About, Body, Content, Fault, Fingerprint, Key, Metadata, Name, Text, Token, bodies, ensure,
    keys,
};
use crate::access::{Kind, Target};

pub(super) const KINDS: &[DocumentKind] = &[
    DocumentKind::of::<FirmwareImage>("firmware_image", Kind::Firmware),
    DocumentKind {
        is_resident: false,
        ..DocumentKind::of::<FirmwareContent>("firmware_content", Kind::Firmware)
    },
    DocumentKind::of::<FirmwareTransfer>("firmware_transfer", Kind::Firmware),
];

/// The longest image, bytes: as hexadecimal digits it fits into a request of 1 MiB.
pub const IMAGE_BYTES_MAX: u32 = 500_000;

lastmeter_units::words! {
    /// How far an image has come to a node.
    pub enum TransferState in files {
        /// The node has not asked for it.
        Waiting = "waiting",
        /// The node fetches it.
        Sending = "sending",
        /// The node has checked it and runs it.
        Installed = "installed",
        /// The node has all of it and does not run it.
        Refused = "refused",
        /// The image is none for the node.
        Failed = "failed",
    }
}

bodies! {
    /// A program image; its bytes stand under their hash, and stay as they are.
    document FirmwareImage {
        /// Name for people.
        name: Name,
        /// The code of the manufacturer whose nodes it is for.
        manufacturer: u16,
        /// Which of its nodes.
        image_type: u16,
        /// Its version, as nodes state theirs.
        file_version: u32,
        /// SHA-256 of its bytes.
        sha256: Fingerprint,
        /// How many there are.
        size: u32,
    }

    /// The bytes of an image; the document's token is their SHA-256.
    struct FirmwareContent {
        /// The bytes, as hexadecimal digits.
        data: Content,
    }

    /// An image on its way to a node; the document's token is the node's hardware id. What is
    /// counted is kept now and then, and when it ends.
    struct FirmwareTransfer {
        /// The image.
        image: Token,
        /// How far it has come.
        state: TransferState,
        /// Why it ended, if the node does not run the image.
        why: Option<Text>,
        /// Bytes of the image.
        size: u32,
        /// Bytes from its front that the node has for certain.
        confirmed_bytes: u32,
        /// Blocks that were sent although the node was known to have them.
        repeated_blocks: u32,
        /// When it began to wait for the node.
        started: SimTime,
    }
}

impl Body for FirmwareImage {
    const CODE: u8 = 35;

    fn validate(&self) -> Result<(), Fault> {
        let is_image = (1..=IMAGE_BYTES_MAX).contains(&self.size);
        ensure(is_image, "size", "a number of bytes from 1 to 500000")
    }
}

impl Body for FirmwareContent {
    const CODE: u8 = 36;
}

impl Body for FirmwareTransfer {
    const CODE: u8 = 37;

    fn validate(&self) -> Result<(), Fault> {
        ensure(self.confirmed_bytes <= self.size, "confirmedBytes", "at most `size`")
    }

    fn keys(&self) -> Vec<Key> {
        [keys("image", [&self.image]), keys("state", [self.state])].concat()
    }

    fn about(&self, token: &str) -> About {
        About::of(HardwareId::new(token).ok().map(Target::Device))
    }
}
