//! Comparing secrets without revealing by the time it takes how much of a guess was right, and
//! keeping them so that what is kept does not open anything.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The SHA-256 of a secret. Both sides of a comparison are hashed, so that neither the length nor
/// the place of the first difference shows in the time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SecretSum(pub(crate) [u8; 32]);

impl SecretSum {
    pub(crate) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Whether this is the secret that is kept.
    pub(crate) fn is_of(&self, given: &[u8]) -> bool {
        let given = Self::of(given);
        let difference = given.0.iter().zip(&self.0).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

/// So many random bytes of the system's.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        let rest = &mut bytes[filled..];
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_is_the_same() {
        assert!(SecretSum::of(b"").is_of(b""));
        assert!(SecretSum::of(b"s3cret").is_of(b"s3cret"));
        for other in [&b"s3cres"[..], b"S3cret", b"s3cre", b"s3cret ", b""] {
            assert!(!SecretSum::of(other).is_of(b"s3cret"));
        }
        assert_ne!(random::<32>().unwrap(), random::<32>().unwrap());
    }
}
