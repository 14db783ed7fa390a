//! Aggregation over time (IEC 61000-4-30, 4.4 and 4.5): 10/12 cycles to 150/180 cycles, to ten
//! minutes, to two hours; and frequency over ten seconds.
//!
//! RMS values, distortions and unbalance: square root of the mean of the squares. Powers: mean. A
//! value over several others carries all their flags. Ten minutes begin at ticks of a clock; a
//! window belongs to the interval it starts in, and 150/180 cycles begin anew with each interval,
//! so that windows that are re-synchronised at the tick fit in. Intervals of which a part is
//! missing are not given.

mod frequency;

use std::collections::VecDeque;

use serde::Serialize;

pub use frequency::{Frequency, FrequencyMeter};

use crate::flagging::Flags;
use crate::numeric::ratio;
use crate::power_theory::non_negative_root;
use crate::unbalance::{Unbalance, sequence_squares};
use crate::window::{Harmonics, Window};

/// Windows in 150/180 cycles.
const WINDOWS_PER_SHORT: u32 = 15;

/// Length of the middle interval in s.
pub const TEN_MINUTES_S: f64 = 600.0;

/// Middle intervals in the long one (two hours).
pub const TEN_MINUTES_PER_TWO_HOURS: usize = 12;

/// A missing part of an interval up to this long is forgiven, in s: one window.
const FORGIVEN_S: f64 = 0.25;

/// Orders of harmonics that are aggregated.
const ORDERS: usize = 50;

/// One phase over an interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PhaseAggregate {
    /// RMS voltage in V.
    pub u_rms_v: f64,
    /// RMS current in A.
    pub i_rms_a: f64,
    /// Mean active power in W.
    pub p_w: f64,
    /// Mean reactive power of the fundamentals in var.
    pub q1_var: f64,
    /// Voltage distortion over sub-groups in per cent; `None` without a fundamental.
    pub thd_u_pct: Option<f64>,
    /// Current distortion, likewise.
    pub thd_i_pct: Option<f64>,
    /// RMS of the voltage's harmonic sub-groups from order 1; empty without harmonics.
    #[serde(skip)]
    pub harmonics_u: Vec<f64>,
    /// Of the current's.
    #[serde(skip)]
    pub harmonics_i: Vec<f64>,
}

/// All phases over an interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Aggregate {
    /// Start in s since the first sample.
    pub start_s: f64,
    /// Length of what was measured in it, in s.
    pub duration_s: f64,
    /// Values of the next finer interval in it.
    pub count: u32,
    /// What of its parts is flagged.
    pub flags: Flags,
    /// The phases.
    pub phases: Vec<PhaseAggregate>,
    /// Voltage unbalance; `None` unless there are three phases.
    pub unbalance_u: Option<Unbalance>,
    /// Current unbalance, likewise.
    pub unbalance_i: Option<Unbalance>,
}

/// Sums of squares and of powers.
#[derive(Clone, Debug, Default)]
struct Sums {
    start_s: f64,
    duration_s: f64,
    count: u32,
    flags: Flags,
    phases: Vec<PhaseSums>,
    /// Squares of the zero, positive and negative sequence: of voltages, of currents.
    sequences: Option<[[f64; 3]; 2]>,
}

#[derive(Clone, Debug, Default)]
struct PhaseSums {
    u2: f64,
    i2: f64,
    p: f64,
    q1: f64,
    harmonics: Option<Box<[Vec<f64>; 2]>>,
}

impl Sums {
    /// Adds one value with its square sums.
    fn add(&mut self, part: &Sums) {
        if self.count == 0 {
            self.start_s = part.start_s;
            self.phases.resize(part.phases.len(), PhaseSums::default());
        }
        self.duration_s += part.duration_s;
        self.count += 1;
        self.flags = self.flags.union(part.flags);
        for (sum, phase) in self.phases.iter_mut().zip(&part.phases) {
            sum.u2 += phase.u2;
            sum.i2 += phase.i2;
            sum.p += phase.p;
            sum.q1 += phase.q1;
            let Some(of) = &phase.harmonics else { continue };
            let sums = sum.harmonics.get_or_insert_with(Box::default);
            for (sum, squares) in sums.iter_mut().zip(of.iter()) {
                sum.resize(sum.len().max(squares.len()), 0.0);
                sum.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
            }
        }
        if let Some(of) = part.sequences {
            let sums = self.sequences.get_or_insert([[0.0; 3]; 2]);
            for (sum, square) in sums.iter_mut().flatten().zip(of.iter().flatten()) {
                *sum += square;
            }
        }
    }

    fn of(window: &Window, flags: Flags) -> Self {
        let squares = |h: &Harmonics| -> Vec<f64> {
            h.sub_groups.iter().take(ORDERS).map(|rms| rms * rms).collect()
        };
        let phases = window.phases.iter().map(|phase| PhaseSums {
            u2: phase.u_rms_v * phase.u_rms_v,
            i2: phase.i_rms_a * phase.i_rms_a,
            p: phase.p_w,
            q1: phase.q1_var,
            harmonics: phase.harmonics.as_deref().map(|h| Box::new([squares(&h.u), squares(&h.i)])),
        });
        Self {
            start_s: window.start_s,
            duration_s: window.duration_s,
            count: 1,
            flags,
            phases: phases.collect(),
            sequences: sequence_squares(window),
        }
    }

    /// The sums as means: what the next coarser interval adds.
    fn means(&self) -> Self {
        let part = 1.0 / f64::from(self.count.max(1));
        let mut means = self.clone();
        for phase in &mut means.phases {
            for x in [&mut phase.u2, &mut phase.i2, &mut phase.p, &mut phase.q1] {
                *x *= part;
            }
            for list in phase.harmonics.iter_mut().flat_map(|both| both.iter_mut()) {
                for x in list {
                    *x *= part;
                }
            }
        }
        means.sequences.iter_mut().flatten().flatten().for_each(|x| *x *= part);
        means
    }

    fn values(&self) -> Aggregate {
        let roots = |squares: &[f64]| -> Vec<f64> {
            squares.iter().map(|square| non_negative_root(*square)).collect()
        };
        let thd = |squares: &[f64]| -> Option<f64> {
            let (first, rest) = squares.split_first()?;
            ratio(rest.iter().sum(), *first).map(|share| 100.0 * share.sqrt())
        };
        let phases = self.phases.iter().map(|phase| {
            let [u, i] = phase.harmonics.as_deref().cloned().unwrap_or_default();
            PhaseAggregate {
                u_rms_v: non_negative_root(phase.u2),
                i_rms_a: non_negative_root(phase.i2),
                p_w: phase.p,
                q1_var: phase.q1,
                thd_u_pct: thd(&u),
                thd_i_pct: thd(&i),
                harmonics_u: roots(&u),
                harmonics_i: roots(&i),
            }
        });
        Aggregate {
            start_s: self.start_s,
            duration_s: self.duration_s,
            count: self.count,
            flags: self.flags,
            phases: phases.collect(),
            unbalance_u: self.sequences.map(|[u, _]| Unbalance::from_squares(u)),
            unbalance_i: self.sequences.map(|[_, i]| Unbalance::from_squares(i)),
        }
    }
}

/// Aggregates windows; the results are popped as they complete.
#[derive(Clone, Debug)]
pub struct Aggregator {
    /// The first tick of the clock, in s since the first sample.
    tick_s: f64,
    short: Sums,
    middle: Sums,
    long: Sums,
    /// Ticks before the present ten minutes; `None` before the first window.
    interval: Option<i64>,
    two_hours: i64,
    shorts: VecDeque<Aggregate>,
    middles: VecDeque<Aggregate>,
    longs: VecDeque<Aggregate>,
    frequency: FrequencyMeter,
    frequencies: VecDeque<Frequency>,
}

impl Aggregator {
    /// Ten-minute intervals begin at `tick_s` seconds after the first sample and every ten
    /// minutes before and after; 0 where there is no clock.
    pub fn new(tick_s: f64) -> Self {
        Self {
            tick_s: if tick_s.is_finite() { tick_s } else { 0.0 },
            short: Sums::default(),
            middle: Sums::default(),
            long: Sums::default(),
            interval: None,
            two_hours: 0,
            shorts: VecDeque::new(),
            middles: VecDeque::new(),
            longs: VecDeque::new(),
            frequency: FrequencyMeter::new(tick_s),
            frequencies: VecDeque::new(),
        }
    }

    /// Takes the next window with its flags (the window's own is added).
    pub fn push(&mut self, window: &Window, flags: Flags) {
        let unsynchronised = flags.unsynchronised || window.flagged;
        let flags = Flags { unsynchronised, ..flags };
        self.frequencies.extend(self.frequency.push(window, flags.over_event()));
        // Rounding must not leave a window that starts at a tick on the wrong side of it.
        let ticks = (window.start_s - self.tick_s + 1e-6) / TEN_MINUTES_S;
        let interval = ticks.floor() as i64;
        if self.interval.is_some_and(|present| present != interval) {
            self.close_middle();
        }
        self.interval = Some(interval);
        let part = Sums::of(window, flags);
        self.middle.add(&part);
        self.short.add(&part);
        if self.short.count == WINDOWS_PER_SHORT {
            self.shorts.push_back(self.short.means().values());
            self.short = Sums::default();
        }
    }

    /// Ends the signal: an interval that is complete but for rounding is still given out.
    pub fn finish(&mut self) {
        self.close_middle();
        self.interval = None;
        self.short = Sums::default();
        self.frequencies.extend(self.frequency.finish());
    }

    /// Ends the present ten minutes and, with them, perhaps two hours.
    fn close_middle(&mut self) {
        self.short = Sums::default();
        let middle = std::mem::take(&mut self.middle);
        let Some(interval) = self.interval.filter(|_| middle.count > 0) else { return };
        let two_hours = interval.div_euclid(TEN_MINUTES_PER_TWO_HOURS as i64);
        if two_hours != self.two_hours {
            self.long = Sums::default();
            self.two_hours = two_hours;
        }
        if middle.duration_s < TEN_MINUTES_S - FORGIVEN_S {
            self.long = Sums::default();
            return;
        }
        let means = middle.means();
        self.middles.push_back(means.values());
        self.long.add(&means);
        if self.long.count as usize == TEN_MINUTES_PER_TWO_HOURS {
            self.longs.push_back(self.long.means().values());
            self.long = Sums::default();
        }
    }

    /// The next value over 150/180 cycles.
    pub fn pop_short(&mut self) -> Option<Aggregate> {
        self.shorts.pop_front()
    }

    /// The next value over ten minutes.
    pub fn pop_ten_minutes(&mut self) -> Option<Aggregate> {
        self.middles.pop_front()
    }

    /// The next value over two hours.
    pub fn pop_two_hours(&mut self) -> Option<Aggregate> {
        self.longs.pop_front()
    }

    /// The next ten-second frequency.
    pub fn pop_frequency(&mut self) -> Option<Frequency> {
        self.frequencies.pop_front()
    }
}
