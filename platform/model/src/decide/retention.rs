//! Retention: what is kept no longer is removed from the beginning of each list, a part at a time.
//!
//! It goes by when something arrived, on the clock of the tenant, and stops at the first row that
//! is to be kept: a list never has a hole. Of each device and epoch the highest serial that was
//! removed is noted, so that what is sent again is recognised; and no reading is removed before
//! its bucket has a roll-up.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_units::{SimDuration, SimTime};

use super::seam::{Batch, Effect, Found, List, Old};
use super::{Decided, Decider, Deciding, Judged, SETTINGS};
use crate::entity::TenantSettings;
use crate::message::Number;
use crate::refusal::RefusalReason;
use crate::series::rollup::{BUCKET, bucket};
use crate::standing::Standing;
use crate::work::Delivery;

/// Rows of a list that are removed in one transaction; of results and blocks, which have up to
/// 256 KiB each, fewer.
const ROWS_AT_ONCE: u32 = 2000;
const LARGE_ROWS_AT_ONCE: u32 = 32;
/// Devices whose roll-ups are removed in one transaction.
const DEVICES_AT_ONCE: i64 = 50;
/// Buckets of earlier versions that get their rows in one transaction.
const BUCKETS_AT_ONCE: u32 = 50;
/// Between two looks for old roll-ups.
const SWEEP_NS: i64 = 3_600_000_000_000;
/// When an empty list is looked at again.
const LOOK_NS: i64 = 3_600_000_000_000;

/// For how many days after its receipt something is kept; without a number for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Readings.
    pub readings: Option<u32>,
    /// Alerts.
    pub alerts: Option<u32>,
    /// Refusals.
    pub refusals: Option<u32>,
    /// Results, by a tenant as long as alerts.
    pub results: Option<u32>,
    /// Blocks, by a tenant as long as readings.
    pub blocks: Option<u32>,
    /// Roll-ups, counted from the end of their bucket.
    pub rollups: Option<u32>,
}

impl Retention {
    /// That of limits for all that is received, and for roll-ups.
    pub fn of(received: Option<u32>, rollups: Option<u32>) -> Self {
        let (readings, alerts, refusals) = (received, received, received);
        Self { readings, alerts, refusals, results: received, blocks: received, rollups }
    }

    /// The shorter of this and what a tenant has settled for itself.
    #[must_use]
    fn within(self, settings: &TenantSettings) -> Self {
        let of = settings.retention_days;
        let least = |limit: Option<u32>, own: Option<std::num::NonZeroU32>| {
            limit.into_iter().chain(own.map(u32::from)).min()
        };
        Self {
            readings: least(self.readings, of.readings),
            alerts: least(self.alerts, of.alerts),
            refusals: least(self.refusals, of.refusals),
            results: least(self.results, of.alerts),
            blocks: least(self.blocks, of.readings),
            rollups: least(self.rollups, of.rollups),
        }
    }
}

/// What was received by then has been kept for so many days; nothing, if that is for ever.
fn due(days: Option<u32>, now: SimTime) -> Option<SimTime> {
    let days = SimDuration::from_seconds(i64::from(days?) * 86_400);
    Some(SimTime(now.0.saturating_sub(days.0)))
}

/// How far it was looked for what is kept no longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    of: Retention,
    /// Nothing of a list is due before.
    next: SimTime,
    /// Roll-ups of the devices up to this row are gone that were due by an instant.
    swept: (SimTime, i64),
    /// Where the device after those that are rolled up is looked at.
    rolled_up: SimTime,
}

impl Default for Kept {
    fn default() -> Self {
        let never = SimTime(i64::MIN);
        let of = Retention::default();
        Self { of, next: never, swept: (never, i64::MAX), rolled_up: never }
    }
}

impl Kept {
    /// The same once a store stands elsewhere: a list that was empty is to be looked at.
    pub(super) fn behind(self, before: &Standing, now: &Standing) -> Self {
        let lists = [
            (before.reading_floor, before.readings, now.readings),
            (before.alert_floor, before.alerts, now.alerts),
            (before.refusal_floor, before.refusals, now.refusals),
            (before.result_floor, before.results, now.results),
            (before.block_floor, before.blocks, now.blocks),
        ];
        let begins = lists.iter().any(|(floor, before, now)| floor == before && before < now);
        Self { next: if begins { SimTime(i64::MIN) } else { self.next }, ..self }
    }
}

impl Decider {
    /// For how long everything is kept.
    fn retention(&self, limits: Retention) -> Retention {
        let settings = self.documents.body::<TenantSettings>(SETTINGS);
        settings.map_or(limits, |settings| limits.within(&settings))
    }

    /// Whether there may be anything to do at an instant but what is asked for.
    pub fn is_to_tend(&self, limits: Retention, now: SimTime) -> bool {
        let (of, kept) = (self.retention(limits), &self.kept);
        let is_any =
            of.readings.or(of.alerts).or(of.refusals).or(of.results).or(of.blocks).is_some();
        self.standing.rolled_up < self.standing.devices
            || is_any && (of != kept.of || kept.next <= now)
            || self.sweep(of, now).is_some()
    }

    /// From which device on roll-ups are to be removed, and until when.
    fn sweep(&self, of: Retention, now: SimTime) -> Option<(SimTime, i64)> {
        let (until, through) = self.kept.swept;
        if through < self.standing.devices.cast_signed() {
            return Some((until, through));
        }
        let due = due(of.rollups, now)?;
        (until.0 <= due.0.saturating_sub(SWEEP_NS)).then_some((due, 0))
    }

    /// Removes a part of what is kept no longer, and makes up for a part of the roll-ups that
    /// earlier versions have not written.
    ///
    /// # Errors
    /// If the store cannot be read or written; nothing is decided then.
    pub fn tend<B: Batch + ?Sized>(
        &self,
        batch: &mut B,
        limits: Retention,
        now: SimTime,
    ) -> Result<Decided, B::Error> {
        let of = self.retention(limits);
        let mut kept = Kept { of, next: SimTime(i64::MAX), ..self.kept };
        let mut deciding = self.deciding(batch, now);
        let lists = [
            (List::Readings, of.readings),
            (List::Alerts, of.alerts),
            (List::Refusals, of.refusals),
            (List::Results, of.results),
            (List::Blocks, of.blocks),
        ];
        for (list, days) in lists {
            if let Some(due) = due(days, now) {
                let next = deciding.remove(list, (now, due), of.rollups)?;
                kept.next = kept.next.min(next);
            }
        }
        if let Some((until, through)) = self.sweep(of, now) {
            let devices = self.standing.devices.cast_signed();
            let last = through.saturating_add(DEVICES_AT_ONCE);
            let (devices, is_done) = ((through + 1, last), last >= devices);
            let before = bucket(until);
            deciding.batch.put(Effect::RollupsGone { devices, before })?;
            kept.swept = (until, if is_done { i64::MAX } else { last });
        }
        kept.rolled_up = deciding.make_up()?;
        deciding.so_far.kept = Some(kept);
        Ok(deciding.so_far)
    }
}

fn floor(standing: &mut Standing, list: List) -> &mut u64 {
    match list {
        List::Readings => &mut standing.reading_floor,
        List::Alerts => &mut standing.alert_floor,
        List::Refusals => &mut standing.refusal_floor,
        List::Results => &mut standing.result_floor,
        List::Blocks => &mut standing.block_floor,
    }
}

impl<B: Batch + ?Sized> Deciding<'_, B> {
    /// Removes a part of what is due of a list; when to look again.
    fn remove(
        &mut self,
        list: List,
        (now, due): (SimTime, SimTime),
        rollup_days: Option<u32>,
    ) -> Result<SimTime, B::Error> {
        let after = *floor(self.standing(), list);
        let rows_at_once = match list {
            List::Readings | List::Alerts | List::Refusals => ROWS_AT_ONCE,
            List::Results | List::Blocks => LARGE_ROWS_AT_ONCE,
        };
        let old = self.batch.oldest(list, after, rows_at_once)?;
        let is_due = |one: &&Old| one.content.is_none_or(|content| content.received <= due);
        let mut gone = &old[..old.iter().take_while(is_due).count()];
        // When a damaged one came is not known: it goes with one that came after it.
        while let [before @ .., last] = gone
            && last.content.is_none()
        {
            gone = before;
        }
        if let Some(last) = gone.last() {
            if list == List::Readings {
                self.settle(gone, self::due(rollup_days, now))?;
            }
            let kept_bytes = gone.iter().filter_map(|one| one.content).map(|one| one.kept_bytes);
            let standing = self.standing();
            standing.refused_bytes = standing.refused_bytes.saturating_sub(kept_bytes.sum());
            *floor(standing, list) = last.sequence;
            self.batch.put(Effect::Gone(list, last.sequence))?;
        }
        if gone.len() == rows_at_once as usize {
            return Ok(now);
        }
        let first = old[gone.len()..].iter().find_map(|one| one.content);
        let next = first.map(|first| first.received.0.saturating_add(now.0.saturating_sub(due.0)));
        Ok(SimTime(next.unwrap_or_else(|| now.0.saturating_add(LOOK_NS))))
    }

    /// Notes of readings that are going to be removed what stays of them: roll-ups of their
    /// buckets, unless these are kept no longer either, and their numbers.
    fn settle(&mut self, gone: &[Old], rollups_due: Option<SimTime>) -> Result<(), B::Error> {
        let (mut buckets, mut removed) = (BTreeSet::new(), BTreeMap::new());
        let readings = gone.iter().filter_map(|one| one.content?.reading);
        for (device, number, event) in readings {
            buckets.insert((device, bucket(event)));
            if let Some((epoch, serial)) = number {
                let highest = removed.entry((device, epoch)).or_insert(serial);
                *highest = serial.max(*highest);
            }
        }
        for (device, start) in buckets {
            if rollups_due.is_none_or(|due| bucket(due) <= start) {
                self.settle_bucket(device, start)?;
            }
        }
        for ((device, epoch), serial) in removed {
            self.batch.put(Effect::Removed { device, epoch, serial })?;
            self.so_far.removed.insert((device, epoch), serial);
        }
        Ok(())
    }

    /// Writes roll-ups that earlier versions have not written; where to go on.
    fn make_up(&mut self) -> Result<SimTime, B::Error> {
        let mut from = self.decider.kept.rolled_up;
        for _ in 0..BUCKETS_AT_ONCE {
            let Standing { rolled_up, devices, .. } = *self.standing();
            if rolled_up >= devices {
                break;
            }
            let device = rolled_up.cast_signed() + 1;
            let here = self.batch.event_from(device, from)?;
            let behind = here.map(|event| SimTime(bucket(event).0.saturating_add(BUCKET.0)));
            let next = match behind {
                Some(behind) => self.batch.event_from(device, behind)?,
                None => None,
            };
            if let (Some(here), Some(next)) = (here, next) {
                self.make_up_for_bucket(device, bucket(here))?;
                from = next;
            } else {
                // The last bucket of a device is open.
                self.standing().rolled_up += 1;
                from = SimTime(i64::MIN);
            }
        }
        Ok(from)
    }

    /// What becomes of a message whose number is not there: it may have been removed.
    pub(super) fn removed_before(
        &mut self,
        device: i64,
        (epoch, serial): Number,
        delivery: &Delivery,
    ) -> Result<Option<Judged<()>>, B::Error> {
        if self.standing().reading_floor == 0 {
            return Ok(None);
        }
        let detail = match self.batch.removed(device, epoch)? {
            Found::Sound(highest) if serial <= highest => format!(
                "epoch {epoch}, serial {serial}: readings of this epoch up to serial {highest} are \
                 not kept any more, so that it cannot be compared"
            ),
            Found::Sound(_) | Found::Absent => return Ok(None),
            Found::Damaged => format!(
                "epoch {epoch}, serial {serial}: up to which serial readings are not kept any more \
                 is damaged"
            ),
        };
        self.touch(device, delivery.received);
        Ok(Some(Err((RefusalReason::RepetitionBeyondRetention, detail))))
    }
}
