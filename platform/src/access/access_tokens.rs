//! Access tokens of log-ins. In memory alone; time comes in.

use std::collections::BTreeMap;
use std::time::Duration;

use lastmeter_model::access::{MachineToken, Secret, TokenKind};

use super::{Account, SecretSum, random};

const IDLE_MAX: Duration = Duration::from_mins(30);
const OF_ONE_MAX: usize = 20;
const TOKENS_MAX: usize = 10_000;

/// What a log-in is for, and so how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Those that are worth something, by their id.
#[derive(Debug, Default)]
pub(crate) struct AccessTokens(BTreeMap<u64, AccessToken>);

#[derive(Debug)]
struct AccessToken {
    of: Account,
    sum: SecretSum,
    /// The hash of the password that it came of: with another one it is worth nothing.
    password: String,
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
    /// Makes a token of an account with a password; of too many the one goes that was not used for
    /// longest.
    pub(crate) fn make(
        &mut self,
        of: Account,
        (password, log_in): (String, LogIn),
        now: Duration,
    ) -> std::io::Result<MachineToken> {
        self.0.retain(|_, token| !token.is_over(now));
        let of_one = self.0.values().filter(|token| token.of == of).count();
        let is_full = self.0.len() >= TOKENS_MAX;
        if of_one >= OF_ONE_MAX || is_full {
            let is_meant = |token: &AccessToken| of_one < OF_ONE_MAX || token.of == of;
            let meant = self.0.iter().filter(|(_, token)| is_meant(token));
            if let Some(id) = meant.min_by_key(|(_, token)| token.used).map(|(id, _)| *id) {
                self.0.remove(&id);
            }
        }
        let (kind, tenant) = (log_in.kind(), of.0.clone());
        let id = u64::from_be_bytes(random()?);
        let token = MachineToken { kind, tenant, id, secret: Secret(random()?) };
        let sum = SecretSum::of(&token.secret.0);
        let kept = AccessToken { of, sum, password, log_in, made: now, used: now };
        self.0.insert(token.id, kept);
        Ok(token)
    }

    /// The account of a token, and the hash of its password then; with this it was used.
    pub(crate) fn find(
        &mut self,
        given: &MachineToken,
        now: Duration,
    ) -> Option<(Account, String)> {
        let found = self.0.get_mut(&given.id).filter(|token| {
            let is_it = token.sum.is_of(&given.secret.0) && token.log_in.kind() == given.kind;
            is_it && token.of.0 == given.tenant && !token.is_over(now)
        })?;
        found.used = now;
        Some((found.of.clone(), found.password.clone()))
    }

    /// Whether there is still a token of this id.
    pub(crate) fn has(&self, id: u64, now: Duration) -> bool {
        self.0.get(&id).is_some_and(|token| !token.is_over(now))
    }

    /// Ends the other log-ins to pages of an account; how many they were.
    pub(crate) fn end_others(&mut self, of: &Account, except: u64) -> usize {
        let before = self.0.len();
        self.0.retain(|id, token| {
            *id == except || token.of != *of || token.log_in.kind() != TokenKind::Page
        });
        before - self.0.len()
    }

    /// Ends a token.
    pub(crate) fn end(&mut self, id: u64) {
        self.0.remove(&id);
    }
}

#[cfg(test)]
mod tests {
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
            let expected = Some((account("ann"), "hash".to_owned()));
            assert_eq!(tokens.find(&used, now), expected);
        }
        assert_eq!(tokens.find(&used, minutes(720)), None);
        assert_eq!(tokens.find(&idle, minutes(30)), None);
        let other = make(&mut tokens);
        let wrong = MachineToken { secret: Secret([0; 32]), ..other.clone() };
        assert_eq!(tokens.find(&wrong, minutes(0)), None);
        let elsewhere = MachineToken { tenant: TenantName::new("b").unwrap(), ..other.clone() };
        assert_eq!(tokens.find(&elsewhere, minutes(0)), None);
        tokens.end(other.id);
        assert_eq!(tokens.find(&other, minutes(0)), None);
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
        assert_eq!(tokens.find(&as_program, hours(0)), None);
        assert!(tokens.find(&own, hours(719)).is_some());
        assert_eq!(tokens.find(&own, hours(720)), None);
        let office = make(&mut tokens, LogIn::Office);
        for turn in 1..=16 {
            assert!(tokens.find(&office, Duration::from_mins(turn * 29)).is_some());
        }
        assert_eq!(tokens.find(&office, hours(8)), None);
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
        assert_eq!((tokens.0.len(), tokens.find(&first, Duration::from_secs(1))), (20, None));
        let (made, used) = (Duration::from_secs(2), Duration::from_secs(2));
        for id in 0..TOKENS_MAX as u64 - 20 {
            let (of, sum) = (account(&id.to_string()), SecretSum([0; 32]));
            let (password, log_in) = none();
            tokens.0.insert(id, AccessToken { of, sum, password, log_in, made, used });
        }
        for user in ["bob", "eve"] {
            tokens.make(account(user), none(), Duration::from_secs(2)).unwrap();
        }
        assert_eq!(tokens.0.len(), TOKENS_MAX);
    }
}
