//! A list of all that was found damaged in a store.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::damage::Damage;
use crate::lock::lock;
use crate::seam::Observer;

/// Damage that is kept one by one; what is beyond is counted.
const KEPT_MAX: usize = 500;

/// Keeps what was found damaged, each part once.
#[derive(Debug, Default)]
pub struct Damages(Mutex<(BTreeSet<Damage>, u64)>);

impl Damages {
    /// Adds damage that somebody else found.
    pub fn add(&self, damage: &Damage) {
        let (kept, further) = &mut *lock(&self.0);
        if kept.len() < KEPT_MAX {
            kept.insert(damage.clone());
        } else if !kept.contains(damage) {
            *further += 1;
        }
    }

    /// What was found, in order, and how much more there is.
    pub fn all(&self) -> (Vec<Damage>, u64) {
        let (kept, further) = &*lock(&self.0);
        (kept.iter().cloned().collect(), *further)
    }
}

impl Observer for Damages {
    fn damaged(&self, damage: &Damage) {
        self.add(damage);
    }

    fn too_slow(&self) {}

    fn content_not_kept(&self) {}

    fn inspected(&self) {}
}
