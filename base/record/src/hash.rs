//! Hashes of what passes by.

use std::io::{self, Read, Write};

use lastmeter_text::append;
use sha2::{Digest, Sha256};

/// The SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

/// A hash as it is written.
pub fn hexadecimal(hash: Sha256) -> String {
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        append(&mut text, format_args!("{byte:02x}"));
    }
    text
}

/// Hashes what is read or written through it, so that no second pass is needed.
#[derive(Debug)]
pub(super) struct Hashed<T> {
    inner: T,
    /// `None`: nobody wants to know.
    hash: Option<Sha256>,
}

impl<T> Hashed<T> {
    pub(super) fn new(inner: T, is_wanted: bool) -> Self {
        Self { inner, hash: is_wanted.then(Sha256::new) }
    }

    /// The SHA-256 of all bytes that have passed, in hexadecimal.
    pub(super) fn so_far(&self) -> Option<String> {
        self.hash.clone().map(hexadecimal)
    }
}

impl<T: Write> Write for Hashed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes[..count]);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashed<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes[..count]);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1 and the empty message.
    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn what_passes_in_pieces_is_hashed_as_a_whole() {
        let mut written = Hashed::new(Vec::new(), true);
        for piece in [&b"a"[..], b"", b"bc"] {
            written.write_all(piece).unwrap();
        }
        assert_eq!((written.so_far(), written.inner), (Some(sha256(b"abc")), b"abc".to_vec()));
        let mut read = Hashed::new(&b"abc"[..], true);
        io::copy(&mut read, &mut io::sink()).unwrap();
        assert_eq!(read.so_far(), Some(sha256(b"abc")));
        assert_eq!(Hashed::new(&b"abc"[..], false).so_far(), None);
    }
}
