//! What all live subscriptions of a tenant share.

use lastmeter_model::access::Principal;
use lastmeter_model::standing::Totals;
use tokio::sync::watch;

use crate::shared_places::{SharedPlace, SharedPlaces};

/// Subscriptions of a tenant at a time.
const SUBSCRIPTIONS_MAX: usize = 256;

pub(crate) struct Live {
    places: SharedPlaces,
    shown: watch::Sender<Shown>,
}

/// What subscriptions may see.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// How far they see on a driven clock.
    pub(crate) totals: Totals,
    pub(crate) is_over: bool,
}

impl Default for Live {
    fn default() -> Self {
        let places = SharedPlaces::new(SUBSCRIPTIONS_MAX);
        Self { places, shown: watch::Sender::new(Shown::default()) }
    }
}

impl Live {
    /// On a driven clock subscriptions see so far from now on.
    pub(crate) fn show(&self, totals: Totals) {
        self.shown.send_modify(|shown| shown.totals = totals);
    }

    /// A place for one more, and what it may see; `None` if there are as many as may be, of all or
    /// of this principal.
    pub(crate) fn subscribe(
        &self,
        who: &Principal,
    ) -> Option<(SharedPlace, watch::Receiver<Shown>)> {
        Some((self.places.take(who)?, self.shown.subscribe()))
    }

    /// How many there are.
    pub(crate) fn subscriptions(&self) -> usize {
        self.places.taken()
    }

    /// Ends all subscriptions.
    pub(crate) fn end(&self) {
        self.shown.send_modify(|shown| shown.is_over = true);
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_units::TenantName;

    use super::*;

    #[test]
    fn one_user_takes_a_quarter_of_the_streams_and_the_bench_finds_a_place() {
        let of = |text: &str| Principal::of(text.parse().unwrap(), TenantName::default());
        let (live, ann) = (Live::default(), of("user:ann"));
        let held: Vec<_> = std::iter::from_fn(|| live.subscribe(&ann)).collect();
        assert_eq!(held.len(), 64);
        assert!(live.subscribe(&of("user:bob")).is_some());
        assert!(live.subscribe(&of("bench")).is_some());
    }
}
