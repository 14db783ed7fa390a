//! Secrets that the platform itself has to read again: they are kept sealed (AES-256-CCM) under a
//! key in a file of its own, so that a store or a copy of it alone opens nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ccm::aead::{Aead as _, KeyInit as _, Payload};
use ccm::consts::{U13, U16};
use lastmeter_store::files;

use super::random;

type Cipher = ccm::Ccm<aes::Aes256, U16, U13>;

const NONCE_BYTES: usize = 13;

/// The file's name in the data folder.
const KEY_FILE: &str = "platform.key";

/// What seals and opens secrets.
#[derive(Debug)]
pub(crate) struct Sealing {
    path: PathBuf,
    cipher: OnceLock<SealingKey>,
}

/// The key of the file; it shows nowhere.
struct SealingKey([u8; 32]);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey")
    }
}

/// Why a secret cannot be opened or sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealingError {
    /// The file cannot be read or made.
    #[error("{}: {source}; give the platform its file back, or make new network keys", path.display())]
    File { path: PathBuf, source: io::Error },
    /// It was sealed under another key, or for something else.
    #[error("the key was sealed under another `platform.key`; make a new key of the network")]
    Foreign,
}

impl Sealing {
    /// That of a data folder; its file is made when something is sealed for the first time.
    pub(crate) fn of(data: &Path) -> Self {
        Self { path: data.join(KEY_FILE), cipher: OnceLock::new() }
    }

    /// Seals a secret for a purpose, as hexadecimal digits.
    pub(crate) fn seal(&self, purpose: &str, secret: &[u8]) -> Result<String, SealingError> {
        let failed = |source| SealingError::File { path: self.path.clone(), source };
        let nonce = random::<NONCE_BYTES>().map_err(failed)?;
        let payload = Payload { msg: secret, aad: purpose.as_bytes() };
        let cipher = self.cipher(true)?;
        let sealed = cipher.encrypt(&nonce.into(), payload).map_err(|_| SealingError::Foreign)?;
        Ok(hex(&[&nonce[..], &sealed].concat()))
    }

    /// Opens what was sealed for a purpose.
    pub(crate) fn open(&self, purpose: &str, sealed: &str) -> Result<Vec<u8>, SealingError> {
        let bytes = from_hex(sealed).ok_or(SealingError::Foreign)?;
        let (nonce, sealed) =
            bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SealingError::Foreign)?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        let opened = self.cipher(false)?.decrypt(&(*nonce).into(), payload);
        opened.map_err(|_| SealingError::Foreign)
    }

    fn cipher(&self, may_make: bool) -> Result<Cipher, SealingError> {
        let key = if let Some(key) = self.cipher.get() {
            key
        } else {
            let failed = |source| SealingError::File { path: self.path.clone(), source };
            let key = read_or_make(&self.path, may_make).map_err(failed)?;
            self.cipher.get_or_init(|| SealingKey(key))
        };
        Ok(Cipher::new(&key.0.into()))
    }
}

fn read_or_make(path: &Path, may_make: bool) -> io::Result<[u8; 32]> {
    if may_make && !path.exists() {
        let fresh = path.with_extension("key.new");
        files::replace(&fresh, hex(&random::<32>()?).as_bytes())?;
        // Whoever is first makes it; none replaces another's.
        match std::fs::hard_link(&fresh, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => std::fs::remove_file(&fresh)?,
        }
        if let Some(folder) = path.parent() {
            std::fs::File::open(folder)?.sync_all()?;
        }
    }
    let text = std::fs::read_to_string(path)?;
    let key = from_hex(text.trim()).and_then(|key| key.try_into().ok());
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "expected 64 hexadecimal digits");
    key.ok_or_else(wrong)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The bytes of hexadecimal digits.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_opens_under_its_key_and_for_its_purpose_only() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let sealing = Sealing::of(one.path());
        let sealed = sealing.seal("a", b"0123456789abcdef").unwrap();
        assert_ne!(sealing.seal("a", b"0123456789abcdef").unwrap(), sealed);
        assert!(!sealed.contains(&hex(b"0123456789abcdef")));
        let mode = std::fs::metadata(one.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // After a restart.
        let again = Sealing::of(one.path());
        assert_eq!(again.open("a", &sealed).unwrap(), b"0123456789abcdef");
        assert!(matches!(again.open("b", &sealed), Err(SealingError::Foreign)));
        let mut altered = sealed.clone().into_bytes();
        altered[40] = if altered[40] == b'0' { b'1' } else { b'0' };
        let altered = String::from_utf8(altered).unwrap();
        for wrong in [&*altered, "", "00", "xyz", &sealed[..60]] {
            assert!(matches!(again.open("a", wrong), Err(SealingError::Foreign)), "{wrong}");
        }
        let foreign = Sealing::of(other.path());
        assert!(matches!(foreign.open("a", &sealed), Err(SealingError::File { .. })));
        foreign.seal("a", b"").unwrap();
        assert!(matches!(foreign.open("a", &sealed), Err(SealingError::Foreign)));
        std::fs::write(one.path().join(KEY_FILE), "short").unwrap();
        let damaged = Sealing::of(one.path()).open("a", &sealed);
        assert!(matches!(damaged, Err(SealingError::File { .. })));
    }
}
