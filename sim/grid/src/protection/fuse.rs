//! Fuses.

use std::collections::VecDeque;

use super::{Action, Curve, SettingError, above_zero, passes, points};

/// A fuse in one phase.
///
/// It melts when the shares of its melting time add up to one: `i^2 dt / (I^2 t(I))`, the virtual
/// time of IEC 60269-1 over that of the curve, where I is the prospective current: the RMS value
/// that the network drives without an offset. Where what flowed over the last half period was more
/// than that, as an inrush is, I is its RMS value, and all of that half period counts by it. Where
/// the melting curve has a constant `I^2 t` that is the integral of the squared current over it,
/// at any instant. Then it arcs for the time between both curves, which contains the tolerance of
/// manufacture; below the first current of the clearing curve, for the time at that current.
/// Without a clearing curve the arc ends at once ([`Fuse::step`]) or at the next zero of the
/// current ([`Fuse::step_instantaneous`]).
#[derive(Clone, Debug)]
pub struct Fuse {
    melting: Curve,
    clearing: Option<Curve>,
    window_s: f64,
    /// What its melting curve is, for people.
    curve_name: Option<Box<str>>,
    pub(super) phase: Phase,
    /// Share of the phase's time.
    share: f64,
    /// What instantaneous currents added within the last half period, piece by piece, and in sum.
    pieces: VecDeque<CurrentIntegral>,
    sum: CurrentIntegral,
}

/// What flowed for a while.
#[derive(Clone, Copy, Debug, Default)]
struct CurrentIntegral {
    time_s: f64,
    /// The integral of the squared current, A²s.
    square: f64,
    /// The prospective current, A.
    prospective_a: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Melting,
    Arcing,
    Blown,
}

/// What a fuse does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuseEvent {
    /// Its element melts: the arc begins.
    Melted,
    /// Its arc ends: the current is interrupted.
    Cleared,
}

/// The largest instantaneous current that is integrated, in amperes: its square is finite.
const MOST_A: f64 = 1e100;

impl Fuse {
    /// A fuse with a minimum-melting curve and, where it is known, a total-clearing curve.
    ///
    /// # Errors
    /// If the clearing curve is below the melting curve at a point of either.
    pub fn new(melting: Curve, clearing: Option<Curve>) -> Result<Self, SettingError> {
        if let Some(clearing) = &clearing {
            let from_a = melting.pickup_a().max(clearing.pickup_a());
            for current_a in [melting.corners_a(), clearing.corners_a(), vec![from_a]].concat() {
                let [least, most] = [&melting, clearing].map(|it| it.operating_time(current_a));
                let (Some(least), Some(most)) = (least, most) else { continue };
                if most < least {
                    let setting = format!("clearing time in s at {current_a} A");
                    let expected = format!("at least the melting time of {least} s");
                    return Err(SettingError::new(&setting, &most, &expected));
                }
            }
        }
        let (window_s, share, curve_name, phase) = (0.01, 0.0, None, Phase::Melting);
        let (pieces, sum) = Default::default();
        Ok(Self { melting, clearing, window_s, curve_name, phase, share, pieces, sum })
    }

    /// The same; its melting curve is called so where it is drawn.
    #[must_use]
    pub fn with_curve_name(mut self, name: impl Into<Box<str>>) -> Self {
        self.curve_name = Some(name.into());
        self
    }

    /// What its melting curve is called where it is drawn.
    pub fn curve_name(&self) -> &str {
        let plain = if self.has_clearing() { "minimum melting" } else { "melting" };
        self.curve_name.as_deref().unwrap_or(plain)
    }

    /// The same, with RMS values of instantaneous currents over this time in seconds; half a period
    /// of the network, 0.01 s unless set.
    ///
    /// # Errors
    /// If the time is not above zero.
    pub fn with_window(mut self, window_s: f64) -> Result<Self, SettingError> {
        above_zero("window of the RMS current in s", window_s)?;
        self.window_s = window_s;
        Ok(self)
    }

    /// Whether it has a total-clearing curve; without one its arc ends at a zero of the current.
    pub fn has_clearing(&self) -> bool {
        self.clearing.is_some()
    }

    /// The time in seconds after which its element melts at a constant RMS current in amperes.
    pub fn melting_time(&self, current_a: f64) -> Option<f64> {
        self.melting.operating_time(current_a)
    }

    /// The time in seconds after which it has interrupted a constant RMS current in amperes.
    pub fn operating_time(&self, current_a: f64) -> Option<f64> {
        Some(self.melting_time(current_a)? + self.arcing_time(current_a)?)
    }

    /// Points of the operating time for drawing, as [`Curve::points`].
    pub fn points(&self, from_a: f64, to_a: f64) -> impl Iterator<Item = (f64, f64)> + '_ {
        let mut corners = self.melting.corners_a();
        corners.extend(self.clearing.iter().flat_map(Curve::corners_a));
        points(from_a, to_a, corners, move |current_a| self.operating_time(current_a))
    }

    /// Points of the melting time for drawing, as [`Curve::points`].
    pub fn melting_points(&self, from_a: f64, to_a: f64) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.melting.points(from_a, to_a)
    }

    /// The time in seconds until it melts or, if it arcs, clears, if the RMS current in amperes
    /// stays.
    pub fn due_in(&self, current_a: f64) -> Option<f64> {
        self.phase_time(current_a).map(|time| (1.0 - self.share_so_far()).max(0.0) * time)
    }

    /// Whether its element has not melted.
    pub fn is_whole(&self) -> bool {
        self.phase == Phase::Melting
    }

    /// The share of the phase's time with what the last half period adds.
    pub(super) fn share_so_far(&self) -> f64 {
        let rms_a = (self.sum.square / self.window_s).sqrt();
        self.pieces.iter().fold(self.share, |sum, it| sum + self.added(it, rms_a))
    }

    /// A step of `dt_s` seconds with a constant RMS current in amperes.
    pub fn step(&mut self, dt_s: f64, current_a: f64) -> Option<Action<FuseEvent>> {
        if !passes(dt_s) || current_a.is_nan() {
            return None;
        }
        self.share = self.share_so_far();
        self.forget();
        match self.due_in(current_a) {
            Some(due_s) if due_s <= dt_s => Some(self.act(due_s)),
            _ => {
                self.share += self.phase_time(current_a).map_or(0.0, |time| dt_s / time);
                None
            }
        }
    }

    /// A step of `dt_s` seconds in which the instantaneous current goes along a straight line from
    /// one value to another, in amperes, where the network drives this RMS value. Steps are to be
    /// short against a period.
    pub fn step_instantaneous(
        &mut self,
        dt_s: f64,
        (from_a, to_a): (f64, f64),
        prospective_a: f64,
    ) -> Option<Action<FuseEvent>> {
        let all = [from_a, to_a, prospective_a];
        if !passes(dt_s) || all.iter().any(|it| it.is_nan()) || self.phase == Phase::Blown {
            return None;
        }
        let [from, to, prospective_a] = all.map(|current| current.clamp(-MOST_A, MOST_A));
        if self.phase == Phase::Arcing && (self.clearing.is_none() || (from == 0.0 && to == 0.0)) {
            let touches = from == 0.0 || to == 0.0 || (from < 0.0) != (to < 0.0);
            let share = if from == 0.0 { 0.0 } else { from / (from - to) };
            return touches.then(|| self.act(share * dt_s));
        }
        self.pass_by(dt_s);
        let flowed = |part: f64| {
            let current = from + (to - from) * part;
            let square = part * dt_s * (from * from + from * current + current * current) / 3.0;
            CurrentIntegral { time_s: part * dt_s, square, prospective_a: prospective_a.abs() }
        };
        let reaches = |fuse: &Self, part: f64| {
            let own = flowed(part);
            let square = fuse.sum.square + own.square;
            let rms_a = (square / fuse.window_s).sqrt();
            fuse.share + fuse.added(&CurrentIntegral { square, ..own }, rms_a) >= 1.0
        };
        if reaches(self, 1.0) {
            let (mut before, mut after) = (0.0, 1.0);
            for _ in 0..60 {
                let middle = 0.5 * (before + after);
                *(if reaches(self, middle) { &mut after } else { &mut before }) = middle;
            }
            return Some(self.act(after * dt_s));
        }
        let own = flowed(1.0);
        self.pieces.push_back(own);
        self.sum.time_s += own.time_s;
        self.sum.square += own.square;
        None
    }

    /// Counts what is more than half a period before the end of a step for good.
    fn pass_by(&mut self, dt_s: f64) {
        let rms_a = (self.sum.square / self.window_s).sqrt();
        while let Some(first) = self.pieces.front_mut() {
            let over_s = self.sum.time_s + dt_s - self.window_s;
            if over_s <= 0.0 {
                return;
            }
            let part = (over_s / first.time_s).min(1.0);
            let (time_s, square) = (first.time_s * part, first.square * part);
            let gone = CurrentIntegral { time_s, square, ..*first };
            (first.time_s, first.square) = (first.time_s - time_s, first.square - square);
            if part >= 1.0 {
                self.pieces.pop_front();
            }
            self.sum.time_s -= time_s;
            self.sum.square = (self.sum.square - square).max(0.0);
            self.share += self.added(&gone, rms_a);
        }
        self.sum = CurrentIntegral::default();
    }

    fn act(&mut self, after_s: f64) -> Action<FuseEvent> {
        self.share = 0.0;
        self.forget();
        let (phase, event) = match self.phase {
            Phase::Melting => (Phase::Arcing, FuseEvent::Melted),
            Phase::Arcing | Phase::Blown => (Phase::Blown, FuseEvent::Cleared),
        };
        self.phase = phase;
        Action { after_s, event }
    }

    /// The time that its phase lasts at a constant current, if it ends at all.
    fn phase_time(&self, current_a: f64) -> Option<f64> {
        match self.phase {
            Phase::Melting => self.melting_time(current_a),
            // Without a current there is no arc.
            Phase::Arcing if current_a == 0.0 => Some(0.0),
            Phase::Arcing => self.arcing_time(current_a),
            Phase::Blown => None,
        }
    }

    fn arcing_time(&self, current_a: f64) -> Option<f64> {
        if current_a.is_nan() {
            return None;
        }
        let Some(clearing) = &self.clearing else { return Some(0.0) };
        let from_a = self.melting.pickup_a().max(clearing.pickup_a()) * (1.0 + 1e-9);
        let current = current_a.abs().max(from_a);
        let melting = self.melting_time(current)?;
        Some((clearing.operating_time(current)? - melting).max(0.0))
    }

    /// The share that is added by what flowed, of which half a period had at most this RMS value.
    fn added(&self, flowed: &CurrentIntegral, rms_a: f64) -> f64 {
        let current_a = rms_a.max(flowed.prospective_a);
        match self.phase_time(current_a) {
            Some(time) if flowed.square > 0.0 => flowed.square / (current_a * current_a * time),
            _ => 0.0,
        }
    }

    /// Begins another half period.
    fn forget(&mut self) {
        self.pieces.clear();
        self.sum = CurrentIntegral::default();
    }
}
