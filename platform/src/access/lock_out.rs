//! Waits after wrong passwords of an account. Pure: time comes in.
//!
//! Five wrong ones from one address, and the next from there is looked at after 10 s, then after
//! twice as long each time, up to 15 min. From every other address one is looked at each 10 s, so
//! that whoever guesses neither goes on from elsewhere nor keeps the account's owner out. Whether
//! there is such an account makes no difference.
//!
//! Memory is bounded: so many accounts with so many addresses, of which those that failed longest
//! ago are forgotten.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::Account;
use crate::gate::network;

/// Wrong passwords that nobody waits after.
const FREE: u32 = 5;
const WAIT: Duration = Duration::from_secs(10);
const WAIT_MAX: Duration = Duration::from_mins(15);
/// Wrong passwords are forgotten after this.
const FORGOTTEN: Duration = Duration::from_hours(24);
const ACCOUNTS_MAX: usize = 10_000;
const ADDRESSES_MAX: usize = 32;

/// Wrong passwords by account.
#[derive(Debug, Default)]
pub(crate) struct LockOut {
    accounts: BTreeMap<Account, Failures>,
}

/// Wrong passwords of an account.
#[derive(Debug, Default)]
struct Failures {
    by_address: BTreeMap<IpAddr, Failed>,
    /// When one from elsewhere is looked at again.
    elsewhere: Duration,
}

/// Wrong passwords from an address.
#[derive(Clone, Copy, Debug, Default)]
struct Failed {
    count: u32,
    last: Duration,
}

impl Failed {
    fn is_locked(self, now: Duration) -> bool {
        self.count >= FREE && now < self.last + FORGOTTEN
    }

    /// Until when nothing is looked at.
    fn until(self) -> Duration {
        let doubled = WAIT.saturating_mul(1 << (self.count - FREE).min(16));
        self.last + doubled.min(WAIT_MAX)
    }
}

impl LockOut {
    /// Whether a password of an account from an address is looked at.
    ///
    /// # Errors
    /// After how long it is.
    pub(crate) fn admit(
        &mut self,
        account: &Account,
        from: IpAddr,
        now: Duration,
    ) -> Result<(), Duration> {
        let Some(failures) = self.accounts.get_mut(account) else { return Ok(()) };
        let from = network(from);
        let own = failures.by_address.get(&from).filter(|failed| failed.is_locked(now));
        let until = match own {
            Some(own) => own.until(),
            None if failures.by_address.values().any(|failed| failed.is_locked(now)) => {
                failures.elsewhere
            }
            None => return Ok(()),
        };
        if let Some(wait) = until.checked_sub(now).filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        failures.elsewhere = now + WAIT;
        Ok(())
    }

    /// A password was wrong.
    pub(crate) fn failed(&mut self, account: &Account, from: IpAddr, now: Duration) {
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(account) {
            let last = |failures: &Failures| failures.by_address.values().map(|one| one.last).max();
            let oldest = self.accounts.iter().min_by_key(|(_, failures)| last(failures));
            if let Some(oldest) = oldest.map(|(account, _)| account.clone()) {
                self.accounts.remove(&oldest);
            }
        }
        let addresses = &mut self.accounts.entry(account.clone()).or_default().by_address;
        let from = network(from);
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&from) {
            let oldest = addresses.iter().min_by_key(|(_, failed)| failed.last);
            if let Some(oldest) = oldest.map(|(from, _)| *from) {
                addresses.remove(&oldest);
            }
        }
        let failed = addresses.entry(from).or_default();
        let is_new = now >= failed.last + FORGOTTEN;
        *failed = Failed { count: if is_new { 1 } else { failed.count + 1 }, last: now };
    }

    /// A password was right.
    pub(crate) fn succeeded(&mut self, account: &Account, from: IpAddr) {
        if let Some(failures) = self.accounts.get_mut(account) {
            failures.by_address.remove(&network(from));
            if failures.by_address.is_empty() {
                self.accounts.remove(account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_units::TenantName;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn ann() -> Account {
        (TenantName::default(), "ann".to_owned())
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn failed_five_times() -> LockOut {
        let mut lock_out = LockOut::default();
        for _ in 0..5 {
            assert_eq!(lock_out.admit(&ann(), HERE, at(0)), Ok(()));
            lock_out.failed(&ann(), HERE, at(0));
        }
        lock_out
    }

    #[test]
    fn the_sixth_waits_ten_seconds_and_each_further_one_twice_as_long_up_to_a_quarter_of_an_hour() {
        let mut lock_out = failed_five_times();
        let mut now = at(0);
        for wait in [10, 20, 40, 80, 160, 320, 640, 900, 900] {
            assert_eq!(lock_out.admit(&ann(), HERE, now), Err(at(wait)));
            now += at(wait);
            assert_eq!(lock_out.admit(&ann(), HERE, now), Ok(()));
            lock_out.failed(&ann(), HERE, now);
        }
        assert_eq!(lock_out.admit(&ann(), HERE, now + FORGOTTEN), Ok(()));
    }

    #[test]
    fn elsewhere_one_is_looked_at_each_ten_seconds_and_the_right_one_ends_it() {
        let mut lock_out = failed_five_times();
        assert_eq!(lock_out.admit(&ann(), THERE, at(1)), Ok(()));
        assert_eq!(lock_out.admit(&ann(), THERE, at(2)), Err(at(9)));
        assert_eq!(lock_out.admit(&(TenantName::default(), "bob".into()), HERE, at(1)), Ok(()));
        lock_out.succeeded(&ann(), HERE);
        assert_eq!(lock_out.admit(&ann(), HERE, at(2)), Ok(()));
        assert_eq!(lock_out.admit(&ann(), THERE, at(2)), Ok(()));
    }

    #[test]
    fn who_has_a_network_of_its_own_is_one_and_memory_is_bounded() {
        let mut lock_out = LockOut::default();
        for host in 1..=5 {
            lock_out.failed(&ann(), format!("2001:db8::{host}").parse().unwrap(), at(0));
        }
        assert!(lock_out.admit(&ann(), "2001:db8::ffff".parse().unwrap(), at(0)).is_err());
        for number in 0..ACCOUNTS_MAX as u32 + 20 {
            let account = (TenantName::default(), number.to_string());
            lock_out.failed(&account, HERE, at(1));
        }
        for number in 0..100_u32 {
            lock_out.failed(&ann(), IpAddr::V4(number.into()), at(2));
        }
        assert_eq!(lock_out.accounts.len(), ACCOUNTS_MAX);
        assert_eq!(lock_out.accounts[&ann()].by_address.len(), ADDRESSES_MAX);
    }
}
