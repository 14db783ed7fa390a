//! Passwords of people: hashed slowly (argon2id, 19 MiB, two passes), a few at a time, and those
//! that were right lately.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lastmeter_store::lock;
use sha2::Sha256;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Account, random};
use crate::gate::network;

/// Hashes that are made at a time, and how many of one address.
const HASHES_MAX: usize = 4;
const HASHES_OF_ONE: usize = 2;
/// Addresses are told apart by so many groups.
const GROUPS: u64 = 64;
/// How long a pair that was right is remembered.
const REMEMBERED: Duration = Duration::from_mins(10);
const REMEMBERED_MAX: usize = 10_000;
/// What is verified where there is no password, so that it takes as long: nothing has this hash.
const OF_NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
    $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The place where passwords are hashed.
pub(crate) struct Passwords {
    key: [u8; 32],
    turns: Semaphore,
    turns_of_group: Vec<Semaphore>,
    /// Pairs that were right, under a key that nobody has, and when that was.
    right: Mutex<BTreeMap<[u8; 32], Duration>>,
}

/// The turn of an address.
pub(crate) struct Turn<'a>(#[expect(dead_code, reason = "held")] [SemaphorePermit<'a>; 2]);

impl Passwords {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            turns: Semaphore::new(HASHES_MAX),
            turns_of_group: (0..GROUPS).map(|_| Semaphore::new(HASHES_OF_ONE)).collect(),
            right: Mutex::default(),
        }
    }

    /// What a pair is remembered as. Another password of the account has another one.
    pub(crate) fn mark(&self, (tenant, name): &Account, kept: &str, given: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).unwrap_or_else(|_| unreachable!());
        for part in [tenant.as_str().as_bytes(), name.as_bytes(), kept.as_bytes(), given] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether a pair was right a short time ago.
    pub(crate) fn was_right(&self, mark: &[u8; 32], now: Duration) -> bool {
        lock(&self.right).get(mark).is_some_and(|at| now < *at + REMEMBERED)
    }

    /// Remembers a pair that is right.
    pub(crate) fn remember(&self, mark: [u8; 32], now: Duration) {
        let mut right = lock(&self.right);
        if right.len() >= REMEMBERED_MAX {
            right.retain(|_, at| now < *at + REMEMBERED);
        }
        if right.len() < REMEMBERED_MAX {
            right.insert(mark, now);
        }
    }

    /// Waits for the turn of an address.
    pub(crate) async fn turn(&self, from: IpAddr) -> Option<Turn<'_>> {
        let mut hasher = DefaultHasher::new();
        network(from).hash(&mut hasher);
        let group = self.turns_of_group.get((hasher.finish() % GROUPS) as usize)?;
        Some(Turn([group.acquire().await.ok()?, self.turns.acquire().await.ok()?]))
    }

    /// Whether a password has a hash; it takes as long where there is none.
    pub(crate) async fn is_of(kept: Option<String>, given: Vec<u8>) -> bool {
        let verify = move || {
            let against = kept.as_deref().unwrap_or(OF_NOBODY);
            Argon2::default().verify_password(&given, against).is_ok() && kept.is_some()
        };
        tokio::task::spawn_blocking(verify).await.unwrap_or(false)
    }

    /// The hash under which a password is kept; `None` if the system gives no random numbers.
    pub(crate) async fn hash(&self, given: String) -> Option<String> {
        let _turn = self.turns.acquire().await.ok()?;
        let hash = move || {
            let salt = random::<16>().ok()?;
            let hashed = Argon2::default().hash_password_with_salt(given.as_bytes(), &salt);
            hashed.ok().map(|hash| hash.to_string())
        };
        tokio::task::spawn_blocking(hash).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_units::TenantName;

    use super::*;

    #[tokio::test]
    async fn a_password_has_its_own_hash_only() {
        let passwords = Passwords::new([7; 32]);
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(passwords.hash("correct horse".to_owned()).await.unwrap(), hash);
        assert!(Passwords::is_of(Some(hash.clone()), b"correct horse".to_vec()).await);
        assert!(!Passwords::is_of(Some(hash), b"correct hors".to_vec()).await);
        assert!(!Passwords::is_of(None, Vec::new()).await);
        // What stands for nobody is a hash all the same, so that it is verified in full.
        let error = Argon2::default().verify_password(b"x", OF_NOBODY).unwrap_err();
        assert_eq!(error, argon2::password_hash::Error::PasswordInvalid);
    }

    #[test]
    fn a_pair_is_remembered_for_a_while_and_not_beyond_a_change() {
        let passwords = Passwords::new([7; 32]);
        let ann = (TenantName::default(), "ann".to_owned());
        let mark = passwords.mark(&ann, "old", b"p");
        passwords.remember(mark, Duration::ZERO);
        assert!(passwords.was_right(&mark, Duration::from_secs(599)));
        assert!(!passwords.was_right(&mark, Duration::from_mins(10)));
        for other in [passwords.mark(&ann, "new", b"p"), passwords.mark(&ann, "oldp", b"")] {
            assert!(!passwords.was_right(&other, Duration::ZERO));
        }
    }
}
