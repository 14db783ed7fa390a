//! Positions in lists as clients see them: sealed, so that nobody counts a tenant's rows by them.
//!
//! The key is this process's own; a position of an earlier process is not recognised.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use lastmeter_model::token::{open_number, seal_number};

static KEY: LazyLock<[u8; 16]> = LazyLock::new(|| {
    let mut key = [0; 16];
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut key).expect("the system gives random bytes");
    key
});

/// The list that a position is in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Readings = 1,
    Alerts = 2,
    Audit = 3,
    Results = 4,
    Blocks = 5,
}

/// A commit sequence as clients see it.
pub(crate) fn seal(kind: Kind, sequence: u64) -> String {
    seal_number(&KEY, kind as u8, sequence, 0)
}

/// A commit sequence as those see it who may not have everything: each time another text, so that
/// it does not show whether something of others was committed in between.
pub(crate) fn seal_salted(kind: Kind, sequence: u64) -> String {
    static SALT: AtomicU32 = AtomicU32::new(1);
    seal_number(&KEY, kind as u8, sequence, SALT.fetch_add(1, Ordering::Relaxed))
}

/// The commit sequence in a text of `seal`.
pub(crate) fn open(kind: Kind, text: &str) -> Option<u64> {
    open_number(&KEY, kind as u8, text)
}
