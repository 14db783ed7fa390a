//! How wrong secrets are slowed down, by the address they come from. Pure: time comes in.
//!
//! Every wrong secret adds one to its address's debt, which goes down with time. Within the burst
//! the answer comes at once; beyond it the sender waits until the debt would be back there, and no
//! longer than a limit. A right secret is never kept waiting, so a meter beside one with a wrong
//! secret, behind the same address, notices nothing; until the debt is at its limit, which a meter
//! that tries again and again does not reach and a guesser does: then nothing from that address is
//! looked at for a while. That never holds for addresses of this machine: the bench's devices share
//! theirs with whoever else is on it.
//!
//! Memory is bounded: so many addresses, of which the one with the least debt is forgotten.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GuessLimits {
    /// Wrong secrets of one address that are answered at once.
    pub(crate) burst: u32,
    /// Wrong secrets per minute that an address is answered beyond that.
    pub(crate) per_minute: u32,
    /// The longest that an answer waits.
    pub(crate) wait: Duration,
}

#[derive(Debug)]
pub(super) struct Guesses {
    limits: GuessLimits,
    debts: BTreeMap<IpAddr, Debt>,
}

/// Wrong secrets that are not forgiven yet, as they were at a moment.
#[derive(Clone, Copy, Debug)]
struct Debt {
    guesses: f64,
    at: Duration,
}

impl Guesses {
    pub(super) fn new(limits: GuessLimits) -> Self {
        Self { limits, debts: BTreeMap::new() }
    }

    /// A wrong secret came; returns how long its answer has to wait.
    pub(super) fn wrong(&mut self, from: IpAddr, now: Duration) -> Duration {
        let from = network(from);
        let guesses = (self.debt(from, now) + 1.0).min(self.most());
        if !self.debts.contains_key(&from) && self.debts.len() >= ADDRESSES_MAX {
            self.forget_one(now);
        }
        self.debts.insert(from, Debt { guesses, at: now });
        let beyond = (guesses - f64::from(self.limits.burst)).max(0.0);
        Duration::from_secs_f64(beyond / self.per_second()).min(self.limits.wait)
    }

    /// Whether an address has guessed so often that nothing from it is looked at now.
    pub(super) fn is_shut_for(&self, from: IpAddr, now: Duration) -> bool {
        let from = network(from);
        !from.is_loopback() && self.debt(from, now) > self.most() - 1.0
    }

    fn per_second(&self) -> f64 {
        f64::from(self.limits.per_minute.max(1)) / 60.0
    }

    /// The debt at which the wait is at its limit, and one guess more.
    fn most(&self) -> f64 {
        f64::from(self.limits.burst) + self.limits.wait.as_secs_f64() * self.per_second() + 1.0
    }

    fn debt(&self, from: IpAddr, now: Duration) -> f64 {
        self.debts.get(&from).map_or(0.0, |debt| self.left(*debt, now))
    }

    fn left(&self, debt: Debt, now: Duration) -> f64 {
        let forgiven = now.saturating_sub(debt.at).as_secs_f64() * self.per_second();
        (debt.guesses - forgiven).max(0.0)
    }

    fn forget_one(&mut self, now: Duration) {
        let least = self
            .debts
            .iter()
            .map(|(from, debt)| (*from, self.left(*debt, now)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other));
        if let Some((from, _)) = least {
            self.debts.remove(&from);
        }
    }
}

/// What one subscriber of a network has to choose from: an address of IPv4, a /64 of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let high = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(high))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const NEAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    impl Default for GuessLimits {
        fn default() -> Self {
            Self { burst: 10, per_minute: 60, wait: Duration::from_secs(5) }
        }
    }

    fn guesses() -> Guesses {
        Guesses::new(GuessLimits::default())
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_ten_are_answered_at_once_and_the_next_ever_later() {
        let mut guesses = guesses();
        for _ in 0..10 {
            assert_eq!(guesses.wrong(FAR, at(0)), Duration::ZERO);
        }
        // One a second is forgiven, so the eleventh is one second too early, and so on.
        for seconds in 1..=5 {
            assert_eq!(guesses.wrong(FAR, at(0)), at(seconds));
        }
        assert_eq!(guesses.wrong(FAR, at(0)), at(5), "the longest wait");
        assert_eq!(guesses.wrong(NEAR, at(0)), Duration::ZERO, "another address");
        // Sixteen in debt, of which six are left after ten seconds.
        assert_eq!(guesses.wrong(FAR, at(10)), Duration::ZERO);
    }

    #[test]
    fn who_has_guessed_too_often_is_not_looked_at_unless_it_is_on_this_machine() {
        let mut guesses = guesses();
        for from in [FAR, NEAR] {
            for _ in 0..15 {
                guesses.wrong(from, at(0));
                assert!(!guesses.is_shut_for(from, at(0)));
            }
            guesses.wrong(from, at(0));
        }
        assert!(guesses.is_shut_for(FAR, at(0)));
        assert!(!guesses.is_shut_for(NEAR, at(0)));
        assert!(!guesses.is_shut_for("192.0.2.2".parse().unwrap(), at(0)));
        assert!(!guesses.is_shut_for(FAR, at(1)), "one guess more");
    }

    #[test]
    fn a_guesser_gets_no_more_than_the_rate_in_an_hour() {
        let mut guesses = guesses();
        let looked_at = (0..3_600_000_u64)
            .filter(|millisecond| {
                let now = Duration::from_millis(*millisecond);
                let looked_at = !guesses.is_shut_for(FAR, now);
                if looked_at {
                    guesses.wrong(FAR, now);
                }
                looked_at
            })
            .count();
        // Closed form: sixteen at once, then one a second.
        assert!((3_600..=3_600 + 16).contains(&looked_at), "{looked_at}");
    }

    #[test]
    fn a_meter_that_tries_once_a_second_never_shuts_its_address() {
        let mut guesses = guesses();
        for second in 0..10_000 {
            assert!(!guesses.is_shut_for(FAR, at(second)));
            assert!(guesses.wrong(FAR, at(second)) <= at(5));
        }
    }

    #[test]
    fn memory_is_bounded_and_who_owes_most_is_remembered() {
        let mut guesses = guesses();
        for _ in 0..16 {
            guesses.wrong(FAR, at(0));
        }
        for address in 0..20_000_u32 {
            guesses.wrong(IpAddr::V4((0x0a00_0000 + address).into()), at(0));
        }
        assert_eq!(guesses.debts.len(), ADDRESSES_MAX);
        assert!(guesses.is_shut_for(FAR, at(0)));
    }

    #[test]
    fn who_has_a_network_of_its_own_is_one_guesser() {
        let mut guesses = guesses();
        for host in 1..=16 {
            guesses.wrong(format!("2001:db8::{host:x}").parse().unwrap(), at(0));
        }
        assert!(guesses.is_shut_for("2001:db8::ffff".parse().unwrap(), at(0)));
        assert!(!guesses.is_shut_for("2001:db8:0:1::1".parse().unwrap(), at(0)));
        for _ in 0..16 {
            guesses.wrong("::ffff:192.0.2.9".parse().unwrap(), at(0));
            guesses.wrong("::1".parse().unwrap(), at(0));
        }
        assert!(guesses.is_shut_for("192.0.2.9".parse().unwrap(), at(0)));
        assert!(!guesses.is_shut_for("::1".parse().unwrap(), at(0)));
    }
}
