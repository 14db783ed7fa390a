//! Keys of a network and of one connection of its gateway.
//!
//! AES-128 throughout. From the network's key and both nonces of a connection come one key for
//! each direction (NIST SP 800-108, KDF in counter mode with CMAC as its function), so that serial
//! numbers may begin again with each connection. Packets are sealed with CCM (RFC 3610; NIST
//! SP 800-38C) with a tag of 8 bytes and a nonce of 13: gateway, serial number, direction.

use std::fmt;

use aes::Aes128;
use ccm::Ccm;
use ccm::aead::{AeadInOut, KeyInit};
use ccm::consts::{U8, U13};
use cmac::{Cmac, Mac};
use thiserror::Error;

use crate::opcode::Direction;
use crate::packet::{GatewayAddress, HEADER_BYTES, Header, TAG_BYTES};

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;
/// Bytes of a nonce of a connection.
pub const NONCE_BYTES: usize = 16;

/// What either end contributes to a connection's keys: random, never used twice.
pub type Nonce = [u8; NONCE_BYTES];

/// The key of a network. It is not printed by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkKey([u8; KEY_BYTES]);

impl NetworkKey {
    /// The key of these bytes.
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// As people enter it into a gateway: 32 hexadecimal digits.
    pub fn to_text(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkKey(..)")
    }
}

impl std::str::FromStr for NetworkKey {
    type Err = KeyError;

    /// Reads 32 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(KeyError { length: text.chars().count() });
        }
        let value = u128::from_str_radix(text, 16).map_err(|_| KeyError { length: text.len() })?;
        Ok(Self(value.to_be_bytes()))
    }
}

/// A text that is no key. The text is not repeated: it may be a key with a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{length} characters that are no key of a network, expected 32 hexadecimal digits")]
pub struct KeyError {
    /// How long it is.
    pub length: usize,
}

/// The function of SP 800-108 in counter mode: one block, which is one key.
fn derive(key: &[u8; KEY_BYTES], label: &str, context: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut mac = Cmac::<Aes128>::new(key.into());
    mac.update(&[1]);
    mac.update(label.as_bytes());
    mac.update(&[0]);
    for part in context {
        mac.update(part);
    }
    mac.update(&128_u16.to_be_bytes());
    mac.finalize().into_bytes().into()
}

/// The tag of a packet in clear: CMAC, its first 8 bytes.
fn clear_tag(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> [u8; TAG_BYTES] {
    let mut mac = Cmac::<Aes128>::new(key.into());
    for part in parts {
        mac.update(part);
    }
    let whole: [u8; 16] = mac.finalize().into_bytes().into();
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&whole[..TAG_BYTES]);
    tag
}

/// Whether two tags are equal, in a time that does not show where they differ.
fn is_equal(one: [u8; TAG_BYTES], other: [u8; TAG_BYTES]) -> bool {
    one.iter().zip(&other).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

/// What proves at the start of a connection that an end has the network's key.
#[derive(Debug)]
pub(crate) struct HandshakeKey([u8; KEY_BYTES]);

impl HandshakeKey {
    pub(crate) fn new(key: &NetworkKey, gateway: GatewayAddress) -> Self {
        Self(derive(&key.0, "handshake", &[&gateway.0.to_be_bytes()]))
    }

    /// The tag of `hello`.
    pub(crate) fn hello_tag(&self, head: &[u8; HEADER_BYTES], payload: &[u8]) -> [u8; TAG_BYTES] {
        clear_tag(&self.0, &[b"hello", head, payload])
    }

    /// The tag of `accept`: about the request too that it answers.
    pub(crate) fn accept_tag(
        &self,
        head: &[u8; HEADER_BYTES],
        payload: &[u8],
        gateway_nonce: &Nonce,
    ) -> [u8; TAG_BYTES] {
        clear_tag(&self.0, &[b"accept", gateway_nonce, head, payload])
    }

    pub(crate) fn is_hello_tag(
        &self,
        tag: [u8; TAG_BYTES],
        head: &[u8; HEADER_BYTES],
        payload: &[u8],
    ) -> bool {
        is_equal(tag, self.hello_tag(head, payload))
    }

    pub(crate) fn is_accept_tag(
        &self,
        tag: [u8; TAG_BYTES],
        head: &[u8; HEADER_BYTES],
        payload: &[u8],
        gateway_nonce: &Nonce,
    ) -> bool {
        is_equal(tag, self.accept_tag(head, payload, gateway_nonce))
    }
}

/// The key of one direction of one connection.
pub(crate) struct DirectionKey {
    cipher: Ccm<Aes128, U8, U13>,
    direction: Direction,
}

impl fmt::Debug for DirectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DirectionKey({:?}, ..)", self.direction)
    }
}

impl DirectionKey {
    pub(crate) fn new(
        key: &NetworkKey,
        gateway: GatewayAddress,
        (platform_nonce, gateway_nonce): (&Nonce, &Nonce),
        direction: Direction,
    ) -> Self {
        let label = match direction {
            Direction::Up => "up",
            Direction::Down => "down",
        };
        let context = [&gateway.0.to_be_bytes()[..], platform_nonce, gateway_nonce];
        let key = derive(&key.0, label, &context);
        Self { cipher: Ccm::new((&key).into()), direction }
    }

    fn nonce(&self, header: &Header) -> [u8; 13] {
        let mut nonce = [0; 13];
        nonce[..8].copy_from_slice(&header.gateway.0.to_be_bytes());
        nonce[8..12].copy_from_slice(&header.serial.to_be_bytes());
        nonce[12] = u8::from(self.direction == Direction::Down);
        nonce
    }

    /// Encrypts a payload in place and gives its tag.
    pub(crate) fn seal(
        &self,
        header: &Header,
        head: &[u8; HEADER_BYTES],
        payload: &mut [u8],
    ) -> [u8; TAG_BYTES] {
        let nonce = self.nonce(header);
        // CCM fails on more than 64 KiB only, which the length of a packet does not hold.
        self.cipher
            .encrypt_inout_detached((&nonce).into(), head, payload.into())
            .map(Into::into)
            .unwrap_or_default()
    }

    /// Decrypts a payload in place; false if it is not what the other end has sealed. The payload
    /// is of no use then.
    pub(crate) fn open(
        &self,
        header: &Header,
        head: &[u8; HEADER_BYTES],
        payload: &mut [u8],
        tag: [u8; TAG_BYTES],
    ) -> bool {
        let nonce = self.nonce(header);
        self.cipher
            .decrypt_inout_detached((&nonce).into(), head, payload.into(), (&tag).into())
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3610, packet vector 1.
    #[test]
    fn the_cipher_is_ccm_of_rfc_3610() {
        let key: [u8; 16] = std::array::from_fn(|place| 0xC0 + place as u8);
        let nonce = [0, 0, 0, 3, 2, 1, 0, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5];
        let mut text: Vec<u8> = (8..=0x1E).collect();
        let cipher = Ccm::<Aes128, U8, U13>::new((&key).into());
        let head: Vec<u8> = (0..8).collect();
        let buffer = (&mut text[..]).into();
        let tag = cipher.encrypt_inout_detached((&nonce).into(), &head, buffer).unwrap();
        assert_eq!(
            text,
            [
                0x58, 0x8C, 0x97, 0x9A, 0x61, 0xC6, 0x63, 0xD2, 0xF0, 0x66, 0xD0, 0xC2, 0xC0, 0xF9,
                0x89, 0x80, 0x6D, 0x5F, 0x6B, 0x61, 0xDA, 0xC3, 0x84
            ]
        );
        assert_eq!(tag[..], [0x17, 0xE8, 0xD1, 0x2C, 0xFD, 0xF9, 0x26, 0xE0]);
    }

    /// RFC 4493, section 4, examples 1 and 2.
    #[test]
    fn the_mac_is_cmac_of_rfc_4493() {
        let key = 0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c_u128.to_be_bytes();
        assert_eq!(clear_tag(&key, &[]), [0xBB, 0x1D, 0x69, 0x29, 0xE9, 0x59, 0x37, 0x28]);
        let message = 0x6bc1_bee2_2e40_9f96_e93d_7e11_7393_172a_u128.to_be_bytes();
        assert_eq!(clear_tag(&key, &[&message]), [0x07, 0x0A, 0x16, 0xB4, 0x6B, 0x4D, 0x41, 0x44]);
    }

    #[test]
    fn each_direction_and_connection_has_a_key_of_its_own() {
        let network = NetworkKey::new([7; 16]);
        let header =
            Header { length: 12, gateway: GatewayAddress(1), opcode: 4, time_s: 0, serial: 1 };
        let head = header.encode();
        let up = |platform: u8, gateway: u8| {
            let nonces = (&[platform; 16], &[gateway; 16]);
            DirectionKey::new(&network, GatewayAddress(1), nonces, Direction::Up)
        };
        let mut payload = *b"abcd";
        let tag = up(1, 2).seal(&header, &head, &mut payload);
        assert!(up(1, 2).open(&header, &head, &mut payload.clone(), tag));
        for other in [up(1, 3), up(3, 2), up(2, 1)] {
            assert!(!other.open(&header, &head, &mut payload.clone(), tag));
        }
        let nonces = (&[1; 16], &[2; 16]);
        let down = DirectionKey::new(&network, GatewayAddress(1), nonces, Direction::Down);
        assert!(!down.open(&header, &head, &mut payload, tag));
    }

    #[test]
    fn a_key_is_32_digits_and_is_not_printed() {
        let key: NetworkKey = "000102030405060708090A0b0c0d0e0f".parse().unwrap();
        assert_eq!(key.bytes()[15], 15);
        assert_eq!(key.to_text(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(format!("{key:?}"), "NetworkKey(..)");
        for wrong in ["", "00", "+00102030405060708090a0b0c0d0e0f", &"0".repeat(33)] {
            let error = wrong.parse::<NetworkKey>().unwrap_err().to_string();
            assert!(error.ends_with("expected 32 hexadecimal digits"), "{error}");
        }
    }
}
