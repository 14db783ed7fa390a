//! Comparing secrets without revealing by the time it takes how much of a guess was right.

use sha2::{Digest, Sha256};

/// Whether two secrets are equal; both are hashed first, so that neither their length nor the
/// place of the first difference shows in the time.
pub(crate) fn is_same_secret(given: &[u8], expected: &[u8]) -> bool {
    let (given, expected) = (Sha256::digest(given), Sha256::digest(expected));
    let difference = given.iter().zip(&expected).fold(0, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_is_the_same() {
        assert!(is_same_secret(b"", b""));
        assert!(is_same_secret(b"s3cret", b"s3cret"));
        for other in [&b"s3cres"[..], b"S3cret", b"s3cre", b"s3cret ", b""] {
            assert!(!is_same_secret(other, b"s3cret"));
        }
    }
}
