//! What a terminal carries: what happens to tones and noise over time, or a recording.

use std::ops::Deref;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use lastmeter_units::SimDuration;

use crate::energy::Energies;
use crate::looped::Loop;
use crate::means::{PhaseHarmonics, SpanMeans};
use crate::quality::{Orders, Quality};
use crate::timeline::Timeline;

#[derive(Debug)]
pub(crate) enum Waveform {
    /// Tones and noise, and what happens to them.
    Timeline(Timeline),
    /// The same, of which what lies ahead may be replaced.
    Switched(RwLock<Timeline>),
    /// A recording, played again and again.
    Loop(Loop),
}

/// What is played.
pub(crate) enum Played<'a> {
    Timeline(TimelineRef<'a>),
    Loop(&'a Loop),
}

/// A timeline that stays as it is while it is looked at.
pub(crate) enum TimelineRef<'a> {
    Fixed(&'a Timeline),
    Switched(RwLockReadGuard<'a, Timeline>),
}

impl Deref for TimelineRef<'_> {
    type Target = Timeline;

    fn deref(&self) -> &Timeline {
        match self {
            Self::Fixed(timeline) => timeline,
            Self::Switched(timeline) => timeline,
        }
    }
}

impl Waveform {
    pub(crate) fn played(&self) -> Played<'_> {
        match self {
            Self::Timeline(timeline) => Played::Timeline(TimelineRef::Fixed(timeline)),
            Self::Switched(timeline) => {
                let timeline = timeline.read().unwrap_or_else(PoisonError::into_inner);
                Played::Timeline(TimelineRef::Switched(timeline))
            }
            Self::Loop(table) => Played::Loop(table),
        }
    }

    pub(crate) fn phases(&self) -> usize {
        match self.played() {
            Played::Timeline(timeline) => timeline.phases(),
            Played::Loop(table) => table.harmonics.len(),
        }
    }

    /// Values of the harmonics of each phase; what is not the same all over the span is not a
    /// number.
    pub(crate) fn harmonics(&self, from: SimDuration, to: SimDuration) -> Vec<PhaseHarmonics> {
        match self.played() {
            Played::Timeline(timeline) => timeline.harmonics(from, to),
            Played::Loop(table) => table.harmonics.clone(),
        }
    }

    /// Mean voltage and current of each phase over `[from, to]`, `from < to`; none where they are
    /// not known in closed form.
    pub(crate) fn averages(&self, from: SimDuration, to: SimDuration) -> Vec<(f64, f64)> {
        match self.played() {
            Played::Timeline(timeline) => timeline.averages(from, to).unwrap_or_default(),
            Played::Loop(_) => Vec::new(),
        }
    }

    /// Harmonics one by one, and unbalance; what is not the same all over the span is not a number.
    pub(crate) fn quality(&self, from: SimDuration, to: SimDuration) -> Quality {
        match self.played() {
            Played::Timeline(timeline) => timeline.quality(from, to),
            Played::Loop(table) => {
                let channels = vec![Orders::UNKNOWN; 2 * self.phases()];
                Quality::new(channels, &table.harmonics)
            }
        }
    }

    /// Means over `[from, to]` of each phase, `from < to`.
    pub(crate) fn means(&self, from: SimDuration, to: SimDuration) -> Vec<SpanMeans> {
        match self.played() {
            Played::Timeline(timeline) => timeline.means(from, to),
            Played::Loop(table) => {
                let (phases, harmonics) = (table.means(from, to), &table.harmonics);
                SpanMeans::of_steady(phases, harmonics, table.fundamental_hz())
            }
        }
    }

    /// The mean of each phase's apparent power over so many windows of one length, each of so many
    /// cycles, that make up `[from, to]`, `from < to`.
    pub(crate) fn apparent_powers(
        &self,
        from: SimDuration,
        to: SimDuration,
        (windows, cycles): (u64, u32),
    ) -> Vec<f64> {
        match self.played() {
            Played::Timeline(timeline) => {
                timeline.apparent_powers(from.into(), to.into(), windows, cycles)
            }
            Played::Loop(table) => table.apparent_powers(from, to, windows, cycles),
        }
    }

    /// What registers that stood at zero at an instant hold at a later one.
    pub(crate) fn energies(&self, from: SimDuration, to: SimDuration) -> Energies {
        match self.played() {
            Played::Timeline(timeline) => timeline.energies(from.into(), to.into()),
            Played::Loop(table) => {
                let mut energies = Energies::new(self.phases());
                table.count_active(from, to, &mut energies.active);
                let length_s = to.0.saturating_sub(from.0) as f64 / 1e9;
                energies.add_beside_active(&self.means(from, to), length_s);
                energies
            }
        }
    }
}
