//! Who is signed in: the password, sessions with their form tokens, and the lock after wrong ones.
//!
//! The lock is one for everybody, as a page does not know where a request is from: who guesses
//! keeps the customer from signing in for that minute, but does not end a session.

use std::fmt;

use lastmeter_units::{SimDuration, SimTime};
use sha2::{Digest as _, Sha256};

use crate::household::view::PageRefusal;

/// The name of the cookie.
const COOKIE: &str = "aggregator";
/// How long a session lasts without a request.
pub(super) const IDLE_MAX: SimDuration = SimDuration::from_seconds(30 * 60);
/// The most sessions at once; one more ends the one that has been idle for longest.
pub(super) const SESSIONS_MAX: usize = 16;
/// Wrong passwords in a row after which none is taken, and for how long.
pub(super) const WRONG_MAX: u32 = 5;
pub(super) const LOCK: SimDuration = SimDuration::from_seconds(60);

#[derive(Clone)]
struct Session {
    id: u128,
    token: u128,
    used: SimTime,
}

/// The sessions of one user.
#[derive(Clone)]
pub(super) struct Sessions {
    user: [u8; 32],
    password: [u8; 32],
    all: Vec<Session>,
    wrong: u32,
    locked_until: Option<SimTime>,
}

/// Equal lengths of everything that is compared, so that time depends on neither.
fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Whether both are the same, in a time that does not depend on where they differ.
fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let differing = one.iter().zip(other).fold(0, |bits, (one, other)| bits | (one ^ other));
    std::hint::black_box(differing) == 0
}

fn drawn(draw: &mut dyn FnMut() -> u64) -> u128 {
    u128::from(draw()) << 64 | u128::from(draw())
}

/// The identifier in a cookie of ours.
fn id_of(cookie: Option<&str>) -> Option<u128> {
    let parts = cookie?.split(';').filter_map(|part| part.trim().split_once('='));
    let text = parts.into_iter().find_map(|(name, value)| (name == COOKIE).then_some(value))?;
    let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| u128::from_str_radix(text, 16).ok())?
}

/// Without what lets somebody in.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sessions", self.all.len())
    }
}

impl Sessions {
    /// None yet, for this user.
    pub(super) fn new(user: &str, password: &str) -> Self {
        let (user, password) = (hash(user), hash(password));
        Self { user, password, all: Vec::new(), wrong: 0, locked_until: None }
    }

    /// The form token of the session that a cookie names, which is used by that.
    pub(super) fn token(&mut self, now: SimTime, cookie: Option<&str>) -> Option<String> {
        self.all.retain(|session| now.since(session.used) < IDLE_MAX);
        let id = id_of(cookie)?;
        let session = self.all.iter_mut().find(|session| session.id == id)?;
        session.used = now;
        Some(format!("{:032x}", session.token))
    }

    /// A new session in place of the one that the browser had, as the header `Set-Cookie`.
    ///
    /// # Errors
    /// Name or password are wrong, or none is taken for now.
    pub(super) fn enter(
        &mut self,
        now: SimTime,
        (user, password): (&str, &str),
        cookie: Option<&str>,
        draw: &mut dyn FnMut() -> u64,
    ) -> Result<String, PageRefusal> {
        if self.locked_s(now) > 0 {
            return Err(PageRefusal::LockedOut);
        }
        // Both are compared, whatever came of the first.
        let is_right = is_same(&hash(user), &self.user) & is_same(&hash(password), &self.password);
        if !is_right {
            self.wrong += 1;
            if self.wrong >= WRONG_MAX {
                (self.wrong, self.locked_until) = (0, Some(now + LOCK));
            }
            return Err(PageRefusal::WrongPassword);
        }
        (self.wrong, self.locked_until) = (0, None);
        self.leave(cookie);
        if self.all.len() >= SESSIONS_MAX {
            let oldest = self.all.iter().enumerate().min_by_key(|(_, session)| session.used);
            if let Some((place, _)) = oldest {
                self.all.remove(place);
            }
        }
        let (id, token) = (drawn(draw), drawn(draw));
        self.all.push(Session { id, token, used: now });
        Ok(format!("{COOKIE}={id:032x}; Path=/; HttpOnly; SameSite=Strict"))
    }

    /// Ends the session that a cookie names.
    pub(super) fn leave(&mut self, cookie: Option<&str>) {
        let id = id_of(cookie);
        self.all.retain(|session| Some(session.id) != id);
    }

    /// For how many more seconds no password is taken.
    pub(super) fn locked_s(&self, now: SimTime) -> i64 {
        let left = self.locked_until.map_or(0, |until| until.since(now).0);
        (left.max(0) + 999_999_999) / 1_000_000_000
    }
}

/// The header `Set-Cookie` that takes the cookie away.
pub(super) fn without_cookie() -> String {
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}
