//! Keys, which are never printed, and what is computed with them: CMAC-AES-128 (NIST SP 800-38B,
//! RFC 4493) and keys from keys (NIST SP 800-108 in counter mode).

use std::fmt;
use std::str::FromStr;

use aes::Aes128Enc;
use cmac::{Cmac, KeyInit, Mac};

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;

/// A key of 128 bits: the master key of a network, or the one that all share in the scheme as it is
/// written. `{:?}` does not print it.
#[derive(Clone)]
pub struct SecretKey([u8; KEY_BYTES]);

impl SecretKey {
    /// The key of these bytes.
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key of one node; with it nobody computes that of another. Node 0 is all nodes.
    pub fn node_key(&self, node: u8) -> NodeKey {
        NodeKey(Self(self.derive("can node", &[node])))
    }

    pub(super) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The function of SP 800-108 in counter mode: one block, which is one key.
    fn derive(&self, label: &str, context: &[u8]) -> [u8; KEY_BYTES] {
        let parts = [&[1], label.as_bytes(), &[0], context, &128_u16.to_be_bytes()];
        MacKey::new(&self.0).mac(&parts)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    /// Reads 32 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let error = || KeyError { length: text.chars().count() };
        if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        u128::from_str_radix(text, 16).map(|value| Self(value.to_be_bytes())).map_err(|_| error())
    }
}

/// A text that is no key. The text is not repeated: it may be a key with a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of {length} characters, expected 32 hexadecimal digits; correct it")]
pub struct KeyError {
    /// How long it is.
    pub length: usize,
}

/// The key that a node is provisioned with. `{:?}` does not print it.
#[derive(Clone, Debug)]
pub struct NodeKey(SecretKey);

impl NodeKey {
    /// The key that a node was provisioned with.
    pub const fn new(key: SecretKey) -> Self {
        Self(key)
    }

    /// The key of one use.
    pub(super) fn key_of_use(&self, label: &str) -> MacKey {
        MacKey::new(&self.0.derive(label, &[]))
    }
}

/// A key with which MACs are computed. `{:?}` does not print it.
#[derive(Clone)]
pub(super) struct MacKey(Cmac<Aes128Enc>);

impl MacKey {
    pub(super) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(Cmac::new(key.into()))
    }

    pub(super) fn mac(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether these are the first bytes of the MAC, in a time that does not show where they
    /// differ.
    pub(super) fn is_mac(&self, input: &[u8], tag: &[u8]) -> bool {
        self.0.clone().chain_update(input).verify_truncated_left(tag).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}
