//! Places of which nobody takes more than a share, so that others find some.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lastmeter_model::access::{Principal, PrincipalRef};
use lastmeter_store::lock;
use lastmeter_units::TenantName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One principal takes one in so many places at most.
const SHARES: usize = 4;

type Who = (Option<TenantName>, PrincipalRef);

/// So many places.
pub(crate) struct SharedPlaces {
    all: usize,
    free: Arc<Semaphore>,
    taken: Arc<Mutex<BTreeMap<Who, usize>>>,
}

/// A place, until it is dropped.
pub(crate) struct SharedPlace {
    _permit: OwnedSemaphorePermit,
    who: Who,
    taken: Arc<Mutex<BTreeMap<Who, usize>>>,
}

impl SharedPlaces {
    /// So many, all of them free.
    pub(crate) fn new(all: usize) -> Self {
        Self { all, free: Arc::new(Semaphore::new(all)), taken: Arc::default() }
    }

    /// A place for a principal; `None` if there is none for it. Those who stand for a whole tenant
    /// or for many devices may take them all.
    pub(crate) fn take(&self, who: &Principal) -> Option<SharedPlace> {
        let is_many = matches!(
            who.reference,
            PrincipalRef::Bench | PrincipalRef::PlatformAdmin(_) | PrincipalRef::SharedDevices
        );
        let share = if is_many { self.all } else { self.all.div_ceil(SHARES) };
        let who = (who.tenant.clone(), who.reference.clone());
        let mut taken = lock(&self.taken);
        if taken.get(&who).is_some_and(|count| *count >= share) {
            return None;
        }
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        *taken.entry(who.clone()).or_default() += 1;
        Some(SharedPlace { _permit: permit, who, taken: Arc::clone(&self.taken) })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.all - self.free.available_permits()
    }
}

impl Drop for SharedPlace {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_principal_takes_its_share_and_leaves_the_rest_to_others() {
        let of = |text: &str| Principal::of(text.parse().unwrap(), TenantName::default());
        let (places, ann, bob) = (SharedPlaces::new(8), of("user:ann"), of("user:bob"));
        let mut held: Vec<_> = (0..2).map(|_| places.take(&ann).unwrap()).collect();
        assert!(places.take(&ann).is_none());
        // Of another tenant it is somebody else.
        let other = Principal { tenant: Some(TenantName::new("other").unwrap()), ..ann.clone() };
        held.push(places.take(&other).unwrap());
        let of_bob = places.take(&bob).unwrap();
        assert_eq!(places.taken(), 4);
        drop(held);
        assert_eq!(places.taken(), 1);
        let all: Vec<_> = (0..7).map(|_| places.take(&of("devices")).unwrap()).collect();
        assert!(places.take(&of("bench")).is_none(), "none is left");
        drop((all, of_bob));
        assert!(lock(&places.taken).is_empty());
    }
}
