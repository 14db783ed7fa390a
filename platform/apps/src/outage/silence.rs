//! When meters owe their next readings.

use std::collections::BTreeSet;

use lastmeter_units::{SimDuration, SimTime};

/// What is known of one meter's rhythm.
#[derive(Clone, Copy, Debug, Default)]
struct Rhythm {
    /// The date of its last reading by its own clock, and the last gaps between readings.
    last: Option<SimTime>,
    gaps: [Option<SimDuration>; 2],
    due: Option<SimTime>,
}

/// The readings that are due, of meters by their places.
#[derive(Debug)]
pub(super) struct Silence {
    /// How often meters report at the least, and how late a reading may be.
    period: SimDuration,
    grace: SimDuration,
    rhythms: Vec<Rhythm>,
    due: BTreeSet<(SimTime, usize)>,
}

impl Silence {
    pub(super) fn new(period: SimDuration, grace: SimDuration) -> Self {
        Self { period, grace, rhythms: Vec::new(), due: BTreeSet::new() }
    }

    /// Nothing is due any more of so many meters.
    pub(super) fn forget(&mut self, meters: usize) {
        self.rhythms = vec![Rhythm::default(); meters];
        self.due.clear();
    }

    /// The date of a meter's last reading, if there is one.
    pub(super) fn last(&self, meter: usize) -> Option<SimTime> {
        self.rhythms[meter].last
    }

    /// A reading has come, dated by the meter's clock.
    pub(super) fn heard(&mut self, now: SimTime, meter: usize, date: SimTime) {
        let rhythm = &mut self.rhythms[meter];
        if let Some(last) = rhythm.last.filter(|last| *last < date) {
            let gap = SimDuration(date.0.saturating_sub(last.0));
            rhythm.gaps = [rhythm.gaps[1], Some(gap)];
        }
        rhythm.last = rhythm.last.max(Some(date));
        self.expect(now, meter);
    }

    /// The next one is due after the longer of the last two gaps, once there are two: a reading
    /// between two regular ones does not make the next one late. Of a gap as short as a reading may
    /// be late nothing can be concluded.
    fn expect(&mut self, from: SimTime, meter: usize) {
        let rhythm = &mut self.rhythms[meter];
        let own = rhythm.gaps[0].max(rhythm.gaps[1]).filter(|_| rhythm.gaps[0].is_some());
        let gap = own.map_or(self.period, |gap| gap.max(self.grace).min(self.period));
        let due = from + gap + self.grace;
        if let Some(before) = rhythm.due.replace(due) {
            self.due.remove(&(before, meter));
        }
        self.due.insert((due, meter));
    }

    /// When a reading is missing next.
    pub(super) fn wake_at(&self) -> Option<SimTime> {
        self.due.first().map(|it| it.0)
    }

    /// The meter whose reading is missing by now, if there is one; its next one is then due.
    pub(super) fn missing(&mut self, now: SimTime) -> Option<usize> {
        let (due, meter) = self.due.first().copied().filter(|it| it.0 <= now)?;
        // What was missed before a restart is missed once.
        let from = SimTime(due.0.max(now.0 - self.period.0));
        self.expect(SimTime(from.0 - self.grace.0), meter);
        Some(meter)
    }
}
