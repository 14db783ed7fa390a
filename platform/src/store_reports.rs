//! What a store finds wrong, counted and reported as losses.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lastmeter_store::{Damage, Observer};

use crate::losses::{LossKind, Losses};
use crate::metrics::Metrics;

pub(crate) struct StoreReports {
    pub(crate) losses: Arc<Losses>,
    pub(crate) metrics: Arc<Metrics>,
    /// `limits.refused_content_bytes`.
    pub(crate) refused_content_bytes: u64,
}

impl Observer for StoreReports {
    fn damaged(&self, damage: &Damage) {
        self.metrics.damaged_reads.fetch_add(1, Ordering::Relaxed);
        let place = format!("{} {}", damage.part, damage.key);
        let detail = format!(
            "{}; it is answered with an error, never with its value; restore the store from a copy",
            damage.found
        );
        self.losses.note(LossKind::DamagedStore, &place, &detail);
    }

    fn queried(&self) {
        self.metrics.queries.fetch_add(1, Ordering::Relaxed);
    }

    fn too_slow(&self) {
        self.metrics.slow_queries.fetch_add(1, Ordering::Relaxed);
    }

    fn content_not_kept(&self) {
        let detail = format!(
            "refused readings whose content would be lost have filled the {} bytes there are for \
             them (`limits.refused_content_bytes`); of further ones only the reason is kept",
            self.refused_content_bytes
        );
        self.losses.note(LossKind::ContentNotKept, "refusals", &detail);
    }

    fn inspected(&self) {
        self.metrics.inspections.fetch_add(1, Ordering::Relaxed);
    }
}
