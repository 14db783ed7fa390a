//! What proves who somebody is, and what follows from it: secrets, passwords, log-ins and permits.
//!
//! | file | purpose |
//! |---|---|
//! | `secret` | random secrets, comparing and keeping them |
//! | `password`, `lock_out` | passwords of people: hashed a few at a time; waits after wrong ones |
//! | `access_tokens` | tokens of log-ins |
//! | `sealing` | secrets that the platform has to read again |
//! | `rights` | permits |
//! | `notes` | what was written into the audit besides changes |

mod access_tokens;
mod lock_out;
mod notes;
mod password;
mod rights;
mod sealing;
mod secret;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use lastmeter_store::lock;
use lastmeter_units::TenantName;
use tokio::time::Instant;

use crate::clock::wall_now;

pub(crate) use access_tokens::{AccessTokens, LogIn};
pub(crate) use lock_out::LockOut;
pub(crate) use notes::{DENIALS_MAX, MINUTE, Notes};
pub(crate) use password::Passwords;
pub(crate) use rights::{administrators, require};
pub(crate) use sealing::{Sealing, SealingError, from_hex, hex};
pub(crate) use secret::{SecretSum, random};

/// What is remembered of those who prove who they are, for all tenants of the process; of it only
/// the log-ins of own devices outlive the process.
pub(crate) struct Access {
    pub(crate) passwords: Passwords,
    pub(crate) lock_out: Mutex<LockOut>,
    pub(crate) tokens: Mutex<AccessTokens>,
    begun: (Duration, Instant),
}

impl Access {
    pub(crate) fn new() -> Self {
        Self {
            passwords: Passwords::new(random().expect("the system gives random bytes")),
            lock_out: Mutex::default(),
            tokens: Mutex::default(),
            begun: (Duration::from_nanos(wall_now().0.unsigned_abs()), Instant::now()),
        }
    }

    /// With the log-ins of own devices that a file has, and will have.
    pub(crate) fn keep_log_ins(&self, path: PathBuf) {
        *lock(&self.tokens) = AccessTokens::kept_in(path, self.now());
    }

    /// The time since the epoch of the wall clock, which nobody sets meanwhile.
    pub(crate) fn now(&self) -> Duration {
        let (wall, begun) = self.begun;
        wall + begun.elapsed()
    }
}

/// A name that somebody gives as a user's, of a tenant that may not be there.
pub(crate) type Account = (TenantName, String);

/// Why somebody is not taken for who it claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotProved {
    /// There is no such tenant or principal, or the secret is not its own.
    Wrong,
    /// Nothing is looked at for so long, after wrong passwords.
    Locked(Duration),
}
