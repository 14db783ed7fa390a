//! Access tokens of log-ins: in memory, and those of own devices in a file. Time comes in, since
//! the epoch of the wall clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use lastmeter_model::access::{MachineToken, Secret, TokenKind};
use lastmeter_store::files;
use serde::{Deserialize, Serialize};

use super::{Account, SecretSum, random};

const IDLE_MAX: Duration = Duration::from_mins(30);
const OF_ONE_MAX: usize = 20;
const TOKENS_MAX: usize = 10_000;

/// What a log-in is for, and so how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LogIn {
    /// Of a program: 12 h at most, 30 min without use.
    Program,
    /// Of pages: the same.
    Pages,
    /// Of pages on a device that is one's own: 30 days.
    OwnDevice,
    /// Of pages, with rights beyond one's own things: 8 h at most, 30 min without use.
    Office,
}

impl LogIn {
    fn kind(self) -> TokenKind {
        if self == Self::Program { TokenKind::Access } else { TokenKind::Page }
    }

    /// How long it lasts at most.
    pub(crate) fn age_max(self) -> Duration {
        Duration::from_hours(match self {
            Self::Program | Self::Pages => 12,
            Self::Office => 8,
            Self::OwnDevice => 30 * 24,
        })
    }

    fn idle_max(self) -> Duration {
        if self == Self::OwnDevice { self.age_max() } else { IDLE_MAX }
    }
}

/// Those that are worth something, by their id. Those of own devices are in a file too, which holds
/// nothing that would open anything.
#[derive(Debug, Default)]
pub(crate) struct AccessTokens {
    all: BTreeMap<u64, AccessToken>,
    file: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AccessToken {
    of: Account,
    sum: SecretSum,
    /// The sum of the hash of the password that it came of: with another one it is worth nothing.
    password: SecretSum,
    log_in: LogIn,
    made: Duration,
    used: Duration,
}

impl AccessToken {
    fn is_over(&self, now: Duration) -> bool {
        let log_in = self.log_in;
        now >= self.made + log_in.age_max() || now >= self.used + log_in.idle_max()
    }
}

impl AccessTokens {
    /// Those of own devices that a file has; from now on it has them all. One that cannot be read
    /// has none: people sign in again.
    pub(crate) fn kept_in(path: PathBuf, now: Duration) -> Self {
        let all = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "log-ins of before cannot be read");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        let is_kept = |token: &AccessToken| {
            token.log_in == LogIn::OwnDevice && token.made <= now && !token.is_over(now)
        };
        let all = all.into_iter().filter(|(_, token)| is_kept(token)).take(TOKENS_MAX).collect();
        Self { all, file: Some(path) }
    }

    /// Changes them, and the file if it is about those of own devices.
    fn change<T>(&mut self, change: impl FnOnce(&mut BTreeMap<u64, AccessToken>) -> T) -> T {
        let of_own = |all: &BTreeMap<u64, AccessToken>| -> Vec<u64> {
            let own = all.iter().filter(|(_, token)| token.log_in == LogIn::OwnDevice);
            own.map(|(id, _)| *id).collect()
        };
        let before = of_own(&self.all);
        let changed = change(&mut self.all);
        if let Some(path) = self.file.as_ref().filter(|_| before != of_own(&self.all)) {
            let own = self.all.iter().filter(|(_, token)| token.log_in == LogIn::OwnDevice);
            let own: BTreeMap<&u64, &AccessToken> = own.collect();
            let written = serde_json::to_vec(&own).map_err(std::io::Error::from);
            if let Err(error) = written.and_then(|bytes| files::replace(path, &bytes)) {
                // What has ended must not come back: rather none of them outlives the process.
                let removed = std::fs::remove_file(path);
                let is_gone = removed.is_ok() || !path.exists();
                tracing::warn!(%error, is_gone, path = %path.display(), "log-ins cannot be kept");
            }
        }
        changed
    }

    /// Makes a token of an account with the hash of its password; of too many the one goes that was
    /// not used for longest.
    pub(crate) fn make(
        &mut self,
        of: Account,
        (password, log_in): (String, LogIn),
        now: Duration,
    ) -> std::io::Result<MachineToken> {
        let (kind, tenant) = (log_in.kind(), of.0.clone());
        let id = u64::from_be_bytes(random()?);
        let token = MachineToken { kind, tenant, id, secret: Secret(random()?) };
        let sum = SecretSum::of(&token.secret.0);
        let password = SecretSum::of(password.as_bytes());
        let kept = AccessToken { of, sum, password, log_in, made: now, used: now };
        self.change(|all| {
            all.retain(|_, token| !token.is_over(now));
            let of_one = all.values().filter(|token| token.of == kept.of).count();
            let is_full = all.len() >= TOKENS_MAX;
            if of_one >= OF_ONE_MAX || is_full {
                let is_meant = |token: &AccessToken| of_one < OF_ONE_MAX || token.of == kept.of;
                let meant = all.iter().filter(|(_, token)| is_meant(token));
                if let Some(id) = meant.min_by_key(|(_, token)| token.used).map(|(id, _)| *id) {
                    all.remove(&id);
                }
            }
            all.insert(id, kept);
        });
        Ok(token)
    }

    /// The account of a token, and the sum of the hash of its password then; with this it was used.
    pub(crate) fn find(
        &mut self,
        given: &MachineToken,
        now: Duration,
    ) -> Option<(Account, SecretSum)> {
        let found = self.all.get_mut(&given.id).filter(|token| {
            let is_it = token.sum.is_of(&given.secret.0) && token.log_in.kind() == given.kind;
            is_it && token.of.0 == given.tenant && !token.is_over(now)
        })?;
        found.used = now;
        Some((found.of.clone(), found.password))
    }

    /// Whether there is still a token of this id.
    pub(crate) fn has(&self, id: u64, now: Duration) -> bool {
        self.all.get(&id).is_some_and(|token| !token.is_over(now))
    }

    /// Ends the other log-ins to pages of an account; how many they were.
    pub(crate) fn end_others(&mut self, of: &Account, except: u64) -> usize {
        self.change(|all| {
            let before = all.len();
            all.retain(|id, token| {
                *id == except || token.of != *of || token.log_in.kind() != TokenKind::Page
            });
            before - all.len()
        })
    }

    /// Ends all log-ins of an account.
    pub(crate) fn end_all(&mut self, of: &Account) {
        self.change(|all| all.retain(|_, token| token.of != *of));
    }

    /// Ends a token.
    pub(crate) fn end(&mut self, id: u64) {
        self.change(|all| all.remove(&id));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use lastmeter_units::TenantName;

    use super::*;

    fn account(name: &str) -> Account {
        (TenantName::default(), name.to_owned())
    }

    #[test]
    fn a_token_ends_unused_and_used_and_by_itself() {
        let mut tokens = AccessTokens::default();
        let minutes = |minutes: u64| Duration::from_mins(minutes);
        let make = |tokens: &mut AccessTokens| {
            tokens.make(account("ann"), ("hash".into(), LogIn::Program), minutes(0)).unwrap()
        };
        let (idle, used) = (make(&mut tokens), make(&mut tokens));
        for half_hours in 1..25 {
            let now = minutes(half_hours * 29);
            let (of, password) = tokens.find(&used, now).unwrap();
            assert!(of == account("ann") && password.is_of(b"hash"));
        }
        assert!(tokens.find(&used, minutes(720)).is_none());
        assert!(tokens.find(&idle, minutes(30)).is_none());
        let other = make(&mut tokens);
        let wrong = MachineToken { secret: Secret([0; 32]), ..other.clone() };
        assert!(tokens.find(&wrong, minutes(0)).is_none());
        let elsewhere = MachineToken { tenant: TenantName::new("b").unwrap(), ..other.clone() };
        assert!(tokens.find(&elsewhere, minutes(0)).is_none());
        tokens.end(other.id);
        assert!(tokens.find(&other, minutes(0)).is_none());
    }

    fn none() -> (String, LogIn) {
        (String::new(), LogIn::Program)
    }

    #[test]
    fn what_is_for_pages_is_for_nothing_else_and_lasts_as_long_as_its_kind() {
        let mut tokens = AccessTokens::default();
        let hours = |hours: u64| Duration::from_hours(hours);
        let make = |tokens: &mut AccessTokens, log_in: LogIn| {
            tokens.make(account("ann"), (String::new(), log_in), hours(0)).unwrap()
        };
        let own = make(&mut tokens, LogIn::OwnDevice);
        assert_eq!(own.kind, TokenKind::Page);
        let as_program = MachineToken { kind: TokenKind::Access, ..own.clone() };
        assert!(tokens.find(&as_program, hours(0)).is_none());
        assert!(tokens.find(&own, hours(719)).is_some());
        assert!(tokens.find(&own, hours(720)).is_none());
        let office = make(&mut tokens, LogIn::Office);
        for turn in 1..=16 {
            assert!(tokens.find(&office, Duration::from_mins(turn * 29)).is_some());
        }
        assert!(tokens.find(&office, hours(8)).is_none());
        let (program, here) = (make(&mut tokens, LogIn::Program), make(&mut tokens, LogIn::Pages));
        let there = make(&mut tokens, LogIn::Pages);
        assert!(tokens.end_others(&account("ann"), here.id) >= 1);
        let is_there = [&program, &here, &there].map(|token| tokens.has(token.id, hours(0)));
        assert_eq!(is_there, [true, true, false]);
    }

    #[test]
    fn a_user_has_twenty_and_all_have_ten_thousand() {
        let mut tokens = AccessTokens::default();
        let first = tokens.make(account("ann"), none(), Duration::ZERO).unwrap();
        for _ in 0..20 {
            tokens.make(account("ann"), none(), Duration::from_secs(1)).unwrap();
        }
        assert_eq!(tokens.all.len(), 20);
        assert!(tokens.find(&first, Duration::from_secs(1)).is_none());
        let (made, used) = (Duration::from_secs(2), Duration::from_secs(2));
        for id in 0..TOKENS_MAX as u64 - 20 {
            let (of, sum) = (account(&id.to_string()), SecretSum([0; 32]));
            let (password, log_in) = (SecretSum([0; 32]), LogIn::Program);
            tokens.all.insert(id, AccessToken { of, sum, password, log_in, made, used });
        }
        for user in ["bob", "eve"] {
            tokens.make(account(user), none(), Duration::from_secs(2)).unwrap();
        }
        assert_eq!(tokens.all.len(), TOKENS_MAX);
    }

    #[test]
    fn what_is_of_an_own_device_outlives_the_process_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log-ins");
        let days = |days: u64| Duration::from_hours(days * 24);
        let open = |now| AccessTokens::kept_in(path.clone(), now);
        let make = |tokens: &mut AccessTokens, log_in| {
            tokens.make(account("ann"), ("hash".into(), log_in), days(1)).unwrap()
        };
        let mut tokens = open(days(1));
        let (own, ended) =
            (make(&mut tokens, LogIn::OwnDevice), make(&mut tokens, LogIn::OwnDevice));
        let others = [LogIn::Pages, LogIn::Office, LogIn::Program];
        let others = others.map(|log_in| make(&mut tokens, log_in));
        tokens.end(ended.id);
        // What is kept opens nothing, and is for its owner alone.
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("hash") && !text.contains(&own.print()), "{text}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut again = open(days(30));
        let (of, password) = again.find(&own, days(30)).unwrap();
        assert!(of == account("ann") && password.is_of(b"hash"));
        let wrong = MachineToken { secret: Secret([0; 32]), ..own.clone() };
        assert!(again.find(&wrong, days(30)).is_none());
        assert!(again.find(&ended, days(30)).is_none());
        assert!(others.iter().all(|one| again.find(one, days(1)).is_none()));
        // Not longer than it lasts, and not from a clock that was ahead.
        assert!(open(days(31)).find(&own, days(31)).is_none());
        assert!(open(days(0)).find(&own, days(1)).is_none());
        // What has ended does not come back where its end could not be kept.
        let mut unwritable = open(days(2));
        std::fs::create_dir(folder.path().join("log-ins.new")).unwrap();
        unwritable.end(own.id);
        assert!(open(days(2)).find(&own, days(2)).is_none());
        std::fs::remove_dir(folder.path().join("log-ins.new")).unwrap();
        std::fs::write(&path, &text.as_bytes()[..text.len() / 2]).unwrap();
        let mut torn = open(days(2));
        assert!(torn.find(&own, days(2)).is_none());
        let next = torn.make(account("ann"), none(), days(2)).unwrap();
        assert!(torn.find(&next, days(2)).is_some());
    }
}
