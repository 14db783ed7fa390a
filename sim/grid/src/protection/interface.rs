//! Interface protection of generators: stages of voltage and frequency that disconnect, and the
//! reconnection after them.
//!
//! A device looks at the RMS voltages of the network side of its switch, per unit of the rated
//! one: at the lowest for undervoltage, at the highest for overvoltage. The frequency is known
//! ahead and given by the spans in which it is outside a limit.

use std::collections::VecDeque;

use super::{Action, SettingError, above_zero, not_negative, passes};

/// The mean of the voltage goes over so many seconds (EN 50549-1, 4.9.3.4).
const MEAN_S: f64 = 600.0;

/// A stage that trips after a delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoltageStage {
    /// Per unit of the rated voltage.
    pub threshold_pu: f64,
    /// For so long without a break the voltage is beyond it, seconds.
    pub delay_s: f64,
}

/// What disconnects a generator, and when it comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct InterfaceSettings {
    /// Trip below their thresholds.
    pub undervoltage: Vec<VoltageStage>,
    /// Trip above their thresholds.
    pub overvoltage: Vec<VoltageStage>,
    /// Trips at once if the RMS voltage over ten minutes is above this, per unit.
    pub mean_overvoltage_pu: f64,
    /// Trip below the first and above the second, hertz ...
    pub frequency_hz: (f64, f64),
    /// ... after so many seconds.
    pub frequency_delay_s: f64,
    /// From the trip until the switch opens, seconds.
    pub opening_s: f64,
    /// All voltages have to be within this band, per unit ...
    pub reconnect_pu: (f64, f64),
    /// ... and the frequency in this one, hertz ...
    pub reconnect_hz: (f64, f64),
    /// ... for so many seconds before the switch closes again.
    pub reconnect_after_s: f64,
}

/// What made it trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceCause {
    /// A stage of undervoltage, from 0.
    Undervoltage(usize),
    /// A stage of overvoltage, from 0.
    Overvoltage(usize),
    /// The mean of the voltage over ten minutes.
    MeanOvervoltage,
    /// Too low a frequency.
    Underfrequency,
    /// Too high a frequency.
    Overfrequency,
}

/// What an interface protection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceEvent {
    /// It trips.
    Tripped(InterfaceCause),
    /// Its switch opens.
    Opened,
    /// Its switch closes again.
    Closed,
}

/// What it sees of the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InterfaceView {
    /// When, nanoseconds since the beginning of the frequency's course.
    pub at_ns: i64,
    /// The RMS voltages on the network side, per unit; at most three.
    pub voltages_pu: Vec<f64>,
    /// Whether all poles of its switch are closed.
    pub is_closed: bool,
}

impl InterfaceView {
    fn lowest(&self) -> f64 {
        self.voltages_pu.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn highest(&self) -> f64 {
        self.voltages_pu.iter().copied().fold(0.0, f64::max)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum ProtectionState {
    Watching,
    /// It has tripped, and its switch opens in so many seconds.
    Opening(f64),
    /// It is open, and the network has been as it has to be for so many seconds.
    Open(f64),
    /// Somebody ordered its switch to open: it stays so until somebody closes it.
    HeldOpen,
}

/// Spans of time, in order: from their first nanosecond to before their last.
type Spans = Vec<(i64, i64)>;

/// An interface protection.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    settings: InterfaceSettings,
    doing: ProtectionState,
    /// For how long each stage has been picked up: undervoltage, overvoltage, frequency low, high.
    picked_up_s: Vec<f64>,
    means: [Mean; 3],
    /// When the frequency is below or above its limits, and when outside the band of reconnection.
    low: Spans,
    high: Spans,
    away: Spans,
}

impl Interface {
    /// A device whose switch is closed, in a network of a constant frequency within its limits.
    ///
    /// # Errors
    /// If a value is none that a device can have, or stages contradict each other: of two of one
    /// kind the farther threshold has the longer delay, a band is empty, or a network that is good
    /// for reconnection trips.
    pub fn new(settings: InterfaceSettings) -> Result<Self, SettingError> {
        settings.check()?;
        let stages = settings.undervoltage.len() + settings.overvoltage.len() + 2;
        let (picked_up_s, means) =
            (vec![0.0; stages], [Mean::default(), Mean::default(), Mean::default()]);
        let (low, high, away) = (Spans::new(), Spans::new(), Spans::new());
        Ok(Self { settings, doing: ProtectionState::Watching, picked_up_s, means, low, high, away })
    }

    /// The same where the frequency goes straight from point to point, nanoseconds and hertz in
    /// order of time, and stays beyond the first and the last.
    #[must_use]
    pub fn with_frequency(mut self, course: &[(i64, f64)]) -> Self {
        let (lowest, highest) = self.settings.frequency_hz;
        let (from, to) = self.settings.reconnect_hz;
        let below = |limit: f64| spans(course, |hz| limit - hz);
        let above = |limit: f64| spans(course, |hz| hz - limit);
        (self.low, self.high) = (below(lowest), above(highest));
        self.away = below(from);
        self.away.extend(above(to));
        self
    }

    /// Whether it has opened its switch itself, and has not closed it again.
    pub fn is_open(&self) -> bool {
        matches!(self.doing, ProtectionState::Open(_))
    }

    /// Somebody orders its switch to open.
    pub fn hold(&mut self) {
        self.doing = ProtectionState::HeldOpen;
    }

    /// Somebody closes its switch: it begins again, and remembers the voltages it has seen.
    pub fn close(&mut self) {
        self.doing = ProtectionState::Watching;
        self.picked_up_s.fill(0.0);
    }

    /// Of each stage its cause, its delay, and whether it is picked up.
    fn stages<'a>(
        &'a self,
        seen: &InterfaceView,
    ) -> impl Iterator<Item = (InterfaceCause, f64, bool)> + use<'a> {
        let (lowest, highest, at_ns) = (seen.lowest(), seen.highest(), seen.at_ns);
        let under = self.settings.undervoltage.iter().enumerate().map(move |(at, it)| {
            (InterfaceCause::Undervoltage(at), it.delay_s, lowest < it.threshold_pu)
        });
        let over = self.settings.overvoltage.iter().enumerate().map(move |(at, it)| {
            (InterfaceCause::Overvoltage(at), it.delay_s, highest > it.threshold_pu)
        });
        let delay_s = self.settings.frequency_delay_s;
        let low = (InterfaceCause::Underfrequency, delay_s, is_within(&self.low, at_ns));
        let high = (InterfaceCause::Overfrequency, delay_s, is_within(&self.high, at_ns));
        under.chain(over).chain([low, high])
    }

    /// Whether the mean of a voltage is too high, and in how many seconds that changes if voltages
    /// stay.
    fn mean(&self, seen: &InterfaceView) -> (bool, Option<f64>) {
        let limit = self.settings.mean_overvoltage_pu * self.settings.mean_overvoltage_pu;
        let each =
            self.means.iter().zip(&seen.voltages_pu).map(|(mean, it)| mean.flip(it * it, limit));
        each.fold((false, None), |(is_above, first), (above, flip)| {
            (is_above || above, earlier(first, flip))
        })
    }

    /// Which stage trips first if all stays, and in how many seconds.
    fn trips_in(&self, seen: &InterfaceView) -> Option<(f64, InterfaceCause)> {
        let stages = self.stages(seen).zip(&self.picked_up_s).filter(|((_, _, is_on), _)| *is_on);
        let stages = stages.map(|((cause, delay_s, _), on_s)| ((delay_s - on_s).max(0.0), cause));
        let mean = match self.mean(seen) {
            (true, _) => Some(0.0),
            // None is above, so what changes rises.
            (false, flip) => flip,
        };
        let mean = mean.map(|it| (it, InterfaceCause::MeanOvervoltage));
        let all = stages.chain(mean);
        all.min_by(|one, other| one.0.total_cmp(&other.0))
    }

    /// Whether the network is as it has to be for a reconnection.
    fn is_good(&self, seen: &InterfaceView) -> bool {
        let (from, to) = self.settings.reconnect_pu;
        let is_in_band = seen.lowest() >= from && seen.highest() <= to;
        is_in_band && !self.mean(seen).0 && !is_within(&self.away, seen.at_ns)
    }

    /// The seconds until it acts, or until what it sees of the frequency or of means is another, if
    /// voltages stay.
    pub fn due_in(&self, seen: &InterfaceView) -> Option<f64> {
        let turns = [&self.low, &self.high, &self.away].into_iter().flatten();
        let turns = turns.flat_map(|(from, to)| [*from, *to]).filter(|it| *it > seen.at_ns);
        let turn = turns.min().map(|it| (it - seen.at_ns) as f64 * 1e-9);
        match self.doing {
            ProtectionState::Watching if seen.is_closed => {
                earlier(turn, self.trips_in(seen).map(|(due_s, _)| due_s))
            }
            ProtectionState::Opening(left_s) => Some(left_s),
            ProtectionState::Open(good_s) if self.is_good(seen) => {
                let left_s = (self.settings.reconnect_after_s - good_s).max(0.0);
                earlier(earlier(turn, self.mean(seen).1), Some(left_s))
            }
            ProtectionState::Open(_) => earlier(turn, self.mean(seen).1),
            ProtectionState::Watching | ProtectionState::HeldOpen => None,
        }
    }

    /// A step of `dt_s` seconds with constant voltages: what it does, in order. Its time stops
    /// where its switch opens or closes.
    pub fn step(&mut self, dt_s: f64, seen: &InterfaceView) -> Vec<Action<InterfaceEvent>> {
        let mut done = Vec::new();
        if !passes(dt_s) {
            return done;
        }
        let (trips, is_good) = (self.trips_in(seen), self.is_good(seen));
        match &mut self.doing {
            ProtectionState::Watching if seen.is_closed => {
                if let Some((after_s, cause)) = trips.filter(|it| it.0 <= dt_s) {
                    done.push(Action { after_s, event: InterfaceEvent::Tripped(cause) });
                    self.doing = ProtectionState::Opening(self.settings.opening_s);
                    self.open_within(after_s, dt_s, &mut done);
                }
            }
            ProtectionState::Opening(_) => self.open_within(0.0, dt_s, &mut done),
            ProtectionState::Open(good_s) if is_good => {
                let after_s = (self.settings.reconnect_after_s - *good_s).max(0.0);
                if after_s <= dt_s {
                    done.push(Action { after_s, event: InterfaceEvent::Closed });
                    self.doing = ProtectionState::Watching;
                } else {
                    *good_s += dt_s;
                }
            }
            ProtectionState::Open(good_s) => *good_s = 0.0,
            ProtectionState::Watching | ProtectionState::HeldOpen => {}
        }
        let is_watching = self.doing == ProtectionState::Watching && seen.is_closed;
        let on: Vec<bool> = self.stages(seen).map(|(_, _, is_on)| is_on && is_watching).collect();
        for (own_s, is_on) in self.picked_up_s.iter_mut().zip(on) {
            *own_s = if is_on { *own_s + dt_s } else { 0.0 };
        }
        for (mean, it) in self.means.iter_mut().zip(&seen.voltages_pu) {
            mean.push(dt_s, it * it);
        }
        done
    }

    /// Opens within a step, if its time is up, from an instant on.
    fn open_within(&mut self, from_s: f64, dt_s: f64, done: &mut Vec<Action<InterfaceEvent>>) {
        let ProtectionState::Opening(left_s) = &mut self.doing else { return };
        if *left_s <= dt_s - from_s {
            done.push(Action { after_s: from_s + *left_s, event: InterfaceEvent::Opened });
            self.doing = ProtectionState::Open(0.0);
        } else {
            *left_s -= dt_s - from_s;
        }
    }
}

impl InterfaceSettings {
    fn check(&self) -> Result<(), SettingError> {
        let Self { undervoltage, overvoltage, mean_overvoltage_pu, .. } = self;
        for (name, stages) in [("undervoltage", undervoltage), ("overvoltage", overvoltage)] {
            for it in stages {
                not_negative(&format!("threshold of {name}"), it.threshold_pu)?;
                not_negative(&format!("delay in s of {name}"), it.delay_s)?;
            }
        }
        above_zero("mean overvoltage", *mean_overvoltage_pu)?;
        not_negative("delay in s of the frequency", self.frequency_delay_s)?;
        not_negative("opening time in s", self.opening_s)?;
        not_negative("time in s before a reconnection", self.reconnect_after_s)?;
        let nearer = |name: &str, stages: &[VoltageStage], sign: f64| {
            for two in stages.windows(2) {
                let farther = sign * (two[1].threshold_pu - two[0].threshold_pu) > 0.0;
                let side = if sign > 0.0 { "above" } else { "below" };
                if !farther {
                    let expected = format!("{side} the first stage's {}", two[0].threshold_pu);
                    let setting = format!("threshold of the second stage of {name}");
                    return Err(SettingError::new(&setting, &two[1].threshold_pu, &expected));
                }
                if two[1].delay_s > two[0].delay_s {
                    let expected = format!("at most the first stage's {}", two[0].delay_s);
                    let setting = format!("delay in s of the second stage of {name}");
                    return Err(SettingError::new(&setting, &two[1].delay_s, &expected));
                }
            }
            Ok(())
        };
        nearer("undervoltage", undervoltage, -1.0)?;
        nearer("overvoltage", overvoltage, 1.0)?;
        let most = undervoltage.iter().map(|it| it.threshold_pu).fold(0.0, f64::max);
        let least = overvoltage.iter().map(|it| it.threshold_pu);
        let least = least.fold(*mean_overvoltage_pu, f64::min);
        let within = |name: &str, (from, to): (f64, f64), (lowest, highest): (f64, f64)| {
            // Also what is no number is not within.
            if from >= lowest && from < to && to <= highest {
                return Ok(());
            }
            let setting = format!("{name} of a reconnection");
            let expected = format!("a band within {lowest} to {highest}, where nothing trips");
            Err(SettingError::new(&setting, &format!("{from} to {to}"), &expected))
        };
        within("voltage", self.reconnect_pu, (most, least))?;
        within("frequency in Hz", self.reconnect_hz, self.frequency_hz)
    }
}

fn earlier(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::min)
}

fn is_within(spans: &[(i64, i64)], at_ns: i64) -> bool {
    spans.iter().any(|(from, to)| (*from..*to).contains(&at_ns))
}

/// When a measure of the frequency is above 0.
fn spans(course: &[(i64, f64)], measure: impl Fn(f64) -> f64) -> Spans {
    let (Some(first), Some(last)) = (course.first(), course.last()) else { return Spans::new() };
    let ends = [(i64::MIN, first.1), (i64::MAX, last.1)];
    let all = ends[..1].iter().chain(course).chain(&ends[1..]);
    let points: Vec<(i64, f64)> = all.map(|(at, hz)| (*at, measure(*hz))).collect();
    let mut spans = Spans::new();
    for two in points.windows(2) {
        let ((from, one), (to, other)) = (two[0], two[1]);
        let crosses = || from + ((to - from) as f64 * (one / (one - other))).round() as i64;
        let (from, to) = match (one > 0.0, other > 0.0) {
            (true, true) => (from, to),
            (true, false) => (from, crosses()),
            (false, true) => (crosses(), to),
            (false, false) => continue,
        };
        match spans.last_mut().filter(|last| last.1 == from) {
            Some(last) => last.1 = to,
            None if from < to => spans.push((from, to)),
            None => {}
        }
    }
    spans
}

/// The mean square of a voltage over ten minutes; before it was seen it was the rated one.
#[derive(Clone, Debug, PartialEq)]
struct Mean {
    /// Lengths in seconds with the square that each had, the oldest first; together ten minutes.
    parts: VecDeque<(f64, f64)>,
}

impl Default for Mean {
    fn default() -> Self {
        Self { parts: VecDeque::from([(MEAN_S, 1.0)]) }
    }
}

impl Mean {
    #[expect(clippy::float_cmp, reason = "what stays is the same to the bit")]
    fn push(&mut self, dt_s: f64, square: f64) {
        let dt_s = dt_s.min(MEAN_S);
        let mut old_s = dt_s;
        while let Some((length_s, _)) = self.parts.front_mut() {
            if *length_s > old_s {
                *length_s -= old_s;
                break;
            }
            old_s -= *length_s;
            self.parts.pop_front();
        }
        match self.parts.back_mut().filter(|last| last.1 == square) {
            Some(last) => last.0 += dt_s,
            None => self.parts.push_back((dt_s, square)),
        }
    }

    /// Whether it is above a limit, and in how many seconds that changes if the square stays.
    fn flip(&self, square: f64, limit: f64) -> (bool, Option<f64>) {
        let whole = limit * MEAN_S;
        let mut sum: f64 = self.parts.iter().map(|(length_s, square)| length_s * square).sum();
        let (is_above, mut after_s) = (sum > whole, 0.0);
        for (length_s, old) in &self.parts {
            let slope = square - old;
            let end = sum + slope * length_s;
            if (end > whole) != is_above {
                return (is_above, Some(after_s + ((whole - sum) / slope).clamp(0.0, *length_s)));
            }
            (sum, after_s) = (end, after_s + length_s);
        }
        (is_above, None)
    }
}
