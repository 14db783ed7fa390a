//! Fuses.

use super::{Action, Curve, SettingError, above_zero, passes, points};

/// A fuse in one phase.
///
/// It melts when the shares of its melting time add up to one: `dt / t(I)` at the RMS current
/// I. Where the melting curve has a constant `I^2 t` that is the integral of the squared current
/// over it. Then it arcs for the time between both curves, which contains the tolerance of
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
    /// What instantaneous currents added since: the integral of the squared current in A²s, and
    /// the time in seconds.
    window: (f64, f64),
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
        let (window_s, share, window) = (0.02, 0.0, (0.0, 0.0));
        let (curve_name, phase) = (None, Phase::Melting);
        Ok(Self { melting, clearing, window_s, curve_name, phase, share, window })
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

    /// The same, with RMS values of instantaneous currents over this time in seconds; a period of
    /// the network, 0.02 s unless set.
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

    /// The share of the phase's time with what the window adds.
    pub(super) fn share_so_far(&self) -> f64 {
        self.share_with(self.window.0, self.window.1)
    }

    /// A step of `dt_s` seconds with a constant RMS current in amperes.
    pub fn step(&mut self, dt_s: f64, current_a: f64) -> Option<Action<FuseEvent>> {
        if !passes(dt_s) || current_a.is_nan() {
            return None;
        }
        self.close_window();
        match self.due_in(current_a) {
            Some(due_s) if due_s <= dt_s => Some(self.act(due_s)),
            _ => {
                self.share = self.progressed(dt_s, current_a);
                None
            }
        }
    }

    /// A step of `dt_s` seconds in which the instantaneous current goes along a straight line from
    /// one value to another, in amperes. Steps are to be short against a period.
    pub fn step_instantaneous(
        &mut self,
        dt_s: f64,
        from_a: f64,
        to_a: f64,
    ) -> Option<Action<FuseEvent>> {
        if !passes(dt_s) || from_a.is_nan() || to_a.is_nan() || self.phase == Phase::Blown {
            return None;
        }
        let [from, to] = [from_a, to_a].map(|current| current.clamp(-MOST_A, MOST_A));
        if self.phase == Phase::Arcing && (self.clearing.is_none() || (from == 0.0 && to == 0.0)) {
            let touches = from == 0.0 || to == 0.0 || (from < 0.0) != (to < 0.0);
            let share = if from == 0.0 { 0.0 } else { from / (from - to) };
            return touches.then(|| self.act(share * dt_s));
        }
        let (square, time) = self.window;
        let window_at = |part: f64| {
            let current = from + (to - from) * part;
            let added = part * dt_s * (from * from + from * current + current * current) / 3.0;
            (square + added, time + part * dt_s)
        };
        let reaches = |fuse: &Self, part: f64| {
            let (square, time) = window_at(part);
            fuse.share_with(square, time) >= 1.0
        };
        if reaches(self, 1.0) {
            let (mut before, mut after) = (0.0, 1.0);
            for _ in 0..60 {
                let middle = 0.5 * (before + after);
                *(if reaches(self, middle) { &mut after } else { &mut before }) = middle;
            }
            return Some(self.act(after * dt_s));
        }
        self.window = window_at(1.0);
        if self.window.1 + 0.5 * dt_s >= self.window_s {
            self.close_window();
        }
        None
    }

    fn act(&mut self, after_s: f64) -> Action<FuseEvent> {
        (self.share, self.window) = (0.0, (0.0, 0.0));
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

    /// The share after a time at an RMS current that does not end the phase.
    fn progressed(&self, dt_s: f64, current_a: f64) -> f64 {
        self.phase_time(current_a).map_or(self.share, |time| self.share + dt_s / time)
    }

    /// The share with what a window adds: its time over that of the RMS current so far, which for
    /// a constant `I^2 t` is exact at each instant, and otherwise at the window's end.
    fn share_with(&self, square_time: f64, time_s: f64) -> f64 {
        if time_s <= 0.0 {
            return self.share;
        }
        self.progressed(time_s, (square_time / time_s).sqrt())
    }

    fn close_window(&mut self) {
        self.share = self.share_so_far();
        self.window = (0.0, 0.0);
    }
}
