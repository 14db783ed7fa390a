//! Elements whose current bends: iron that saturates, and arcs of faults.
//!
//! Each is a conductance that is switched by what drives it: a core beyond its knee by its flux
//! linkage, a long arc beyond its voltage. A step in which one of them would leave its side of a
//! bound is taken back, to the zero of an arc's current or else to its beginning. Two half steps
//! by the backward Euler rule follow as after a switching; each of them is repeated until all sides
//! agree with what was solved. A network without such elements is played as if there were none.

use std::f64::consts::SQRT_2;

use super::compile::TransientError;
use super::elements::{Conductance, Taps};
use super::switching::Snapshot;
use super::{Phasors, Rule, Transient};

/// So many times all sides that disagree change together; then the worst one alone.
const JOINT_ROUNDS_MAX: usize = 8;

/// So many times a half step is repeated at most.
const ROUNDS: usize = 40;

/// What a bound may be missed by before a side changes, as a share of what lies between bounds:
/// rounding.
const SLACK: f64 = 1e-11;

/// Iron with less than this share of its rated flux has no voltage.
const DEAD_SHARE: f64 = 0.05;

/// What resistance a long arc has at least, ohm: less would only show how voltages are rounded.
const ARC_OHM_MIN: f64 = 1e-3;

/// The iron of a transformer, as straight pieces: below the knee the inductance of the no-load
/// current, above it that of the winding in air. Hysteresis is left out: losses are those of the
/// no-load conductance, and residual flux only displaces the flux against the current.
///
/// Base values are the rated ones of the magnetised winding, taps as they stand; the rated flux
/// linkage of a phase is `sqrt(2) U / (2 pi f)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    /// Index into the network's transformers.
    pub transformer: usize,
    /// Where it bends, per unit of the rated flux linkage: above 0, commonly 1.1 to 1.25.
    pub knee_pu: f64,
    /// The slope above the knee, per unit of the rated impedance: above 0, less than the
    /// magnetising reactance; commonly 0.2 to 0.4 for the outer winding.
    pub air_core_reactance_pu: f64,
    /// Of each phase in the order of the limbs, per unit of the rated flux linkage: less than the
    /// knee. It is added to the flux of the steady state, which is zero where there is no voltage.
    pub residual_flux_pu: [f64; 3],
}

/// What burns between the conductors of a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arc {
    /// A long arc in a high impedance: two antiparallel direct voltages behind a resistance, with
    /// no current between them (Emanuel and others, High Impedance Fault Arcing on Sandy Soil in
    /// 15 kV Distribution Feeders, IEEE Trans. Power Delivery 5, 1990; unverified).
    Long {
        /// Voltage of the arc while its current is positive, volts.
        positive_v: f64,
        /// The same while it is negative, volts, above 0 too.
        negative_v: f64,
        /// In series, ohm: from 0.001 on.
        resistance_ohm: f64,
    },
    /// A conductance that follows its stationary one, `dg/dt = (G - g) / tau` with
    /// `G = |i| / (u + r |i|)` (Kizilcay and Pniok, Digital Simulation of Fault Arcs in Power
    /// Systems, ETEP 1, 1991; unverified).
    Dynamic {
        /// The stationary voltage of the whole arc, volts.
        voltage_v: f64,
        /// Its stationary resistance, ohm.
        resistance_ohm: f64,
        /// `tau`, seconds.
        time_constant_s: f64,
        /// The conductance that it begins with, siemens.
        initial_siemens: f64,
    },
}

/// On which side of its bounds a branch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Below,
    Within,
    Above,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Characteristic {
    /// The current beyond the knee, by flux linkage in volt seconds.
    Core { transformer: usize, limb: usize, rated_vs: f64 },
    /// By voltage.
    Long { is_ending: bool },
    /// A conductance that moves from step to step.
    Dynamic {
        voltage_v: f64,
        resistance_ohm: f64,
        time_constant_s: f64,
        /// The instant that the conductance holds for.
        aged_s: f64,
        /// An instant before, and the current then.
        last: Option<(f64, f64)>,
    },
}

/// A branch without current between two bounds of what drives it, which grows straight beyond them.
#[derive(Clone, Debug)]
pub(super) struct Bend {
    /// The conductance that it is beyond its bounds.
    pub(super) conductance: usize,
    pub(super) characteristic: Characteristic,
    /// Amperes by what drives it.
    pub(super) slope: f64,
    /// What a volt at the end of a step adds to what drives it.
    span: f64,
    pub(super) bounds: [f64; 2],
    side: Side,
    /// What the past gives of what drives it.
    past: f64,
    /// The flux linkage of a core without current, volt seconds.
    residual: f64,
    pub(super) driver: f64,
    pub(super) current_a: f64,
}

/// Whether a figure is one that there can be.
pub(super) fn value(
    what: &'static str,
    found: f64,
    is_good: bool,
    expected: &'static str,
) -> Checked {
    if is_good { Ok(()) } else { Err(TransientError::Figure { what, found, expected }) }
}

pub(super) type Checked = Result<(), TransientError>;

const POSITIVE: &str = "a finite one above 0";

pub(super) const FROM_ZERO: &str = "a finite one from 0 on";

fn is_positive(it: f64) -> bool {
    it.is_finite() && it > 0.0
}

impl Saturation {
    /// Against a network with so many transformers.
    pub(super) fn check(&self, transformers: usize) -> Checked {
        let (place, count) = (self.transformer, transformers);
        if place >= count {
            return Err(TransientError::Place { what: "transformer", place, count });
        }
        let knee = self.knee_pu;
        value("a knee per unit of the rated flux", knee, is_positive(knee), POSITIVE)?;
        let air = self.air_core_reactance_pu;
        value("an air-core reactance per unit", air, is_positive(air), POSITIVE)?;
        self.residual_flux_pu.iter().try_for_each(|&residual| {
            let what = "a residual flux per unit of the rated flux";
            value(what, residual, residual.abs() < knee, "one of a size less than the knee")
        })
    }

    /// That the slope above the knee is less than the one below it.
    pub(super) fn check_beside(&self, magnetising_siemens_pu: f64) -> Checked {
        let air = self.air_core_reactance_pu;
        let is_less = air * magnetising_siemens_pu < 1.0;
        value("an air-core reactance per unit", air, is_less, "less than that of magnetising")
    }
}

impl Arc {
    pub(super) fn check(&self) -> Checked {
        match *self {
            Self::Long { positive_v, negative_v, resistance_ohm } => {
                for volts in [positive_v, negative_v] {
                    value("an arc's voltage in V", volts, is_positive(volts), POSITIVE)?;
                }
                let is_good = resistance_ohm.is_finite() && resistance_ohm >= ARC_OHM_MIN;
                let expected = "a finite one from 0.001 on";
                value("an arc's resistance in ohm", resistance_ohm, is_good, expected)
            }
            Self::Dynamic { voltage_v, resistance_ohm, time_constant_s, initial_siemens } => {
                value("an arc's voltage in V", voltage_v, is_positive(voltage_v), POSITIVE)?;
                let is_good = resistance_ohm.is_finite() && resistance_ohm >= 0.0;
                value("an arc's resistance in ohm", resistance_ohm, is_good, FROM_ZERO)?;
                let is_good = is_positive(time_constant_s);
                value("an arc's time constant in s", time_constant_s, is_good, POSITIVE)?;
                let is_good = is_positive(initial_siemens);
                value("an arc's first conductance in S", initial_siemens, is_good, POSITIVE)
            }
        }
    }
}

impl Bend {
    /// A core's current beyond its knee: `slope` is what it has more there, amperes by volt second.
    pub(super) const fn core(
        conductance: usize,
        (transformer, limb, rated_vs): (usize, usize, f64),
        (slope, step_s): (f64, f64),
        (knee_vs, residual_vs): (f64, f64),
    ) -> Self {
        let characteristic = Characteristic::Core { transformer, limb, rated_vs };
        let at_rest = Self::arc(conductance, characteristic, slope, [-knee_vs, knee_vs]);
        Self { span: step_s / 2.0, residual: residual_vs, driver: residual_vs, ..at_rest }
    }

    const fn arc(
        conductance: usize,
        characteristic: Characteristic,
        slope: f64,
        bounds: [f64; 2],
    ) -> Self {
        let (span, side) = (1.0, Side::Within);
        let (past, driver, current_a, residual) = (0.0, 0.0, 0.0, 0.0);
        Self {
            conductance,
            characteristic,
            slope,
            span,
            bounds,
            side,
            past,
            residual,
            driver,
            current_a,
        }
    }

    pub(super) const fn is_core(&self) -> bool {
        matches!(self.characteristic, Characteristic::Core { .. })
    }

    pub(super) const fn is_dynamic(&self) -> bool {
        matches!(self.characteristic, Characteristic::Dynamic { .. })
    }

    const fn bound(&self) -> f64 {
        match self.side {
            Side::Below => self.bounds[0],
            Side::Within => 0.0,
            Side::Above => self.bounds[1],
        }
    }

    /// What the past gives of its current over the step that begins at this voltage.
    #[inline]
    pub(super) fn history_a(&mut self, rule: Rule, across_v: f64) -> f64 {
        self.past = match (self.characteristic, rule) {
            (Characteristic::Core { .. }, Rule::Trapezoidal) => self.driver + self.span * across_v,
            (Characteristic::Core { .. }, Rule::Damped) => self.driver,
            (Characteristic::Long { .. } | Characteristic::Dynamic { .. }, _) => 0.0,
        };
        if self.side == Side::Within { 0.0 } else { self.slope * (self.past - self.bound()) }
    }

    /// The voltage that was solved, and the conductance that it was solved with.
    #[inline]
    pub(super) fn take(&mut self, across_v: f64, with: &Conductance) {
        self.driver = self.past + self.span * across_v;
        self.current_a = if self.is_dynamic() {
            if with.is_closed { with.siemens * across_v } else { 0.0 }
        } else if self.side == Side::Within {
            0.0
        } else {
            self.slope * (self.driver - self.bound())
        };
    }

    /// The side that what was solved belongs to, and by how much it misses that of now.
    fn disagrees(&self) -> Option<(f64, Side)> {
        let [low, high] = self.bounds;
        let slack = SLACK * (high - low);
        let is_kept = match self.side {
            _ if !slack.is_finite() => return None,
            Side::Below => self.driver <= low + slack,
            Side::Within => (low - slack..=high + slack).contains(&self.driver),
            Side::Above => self.driver >= high - slack,
        };
        let side = match self.driver {
            it if it > high => Side::Above,
            it if it < low => Side::Below,
            _ => Side::Within,
        };
        let missed = (self.driver - self.bound()).abs() / (high - low);
        (!is_kept && side != self.side).then_some((missed, side))
    }

    /// Whether what was solved belongs to another side.
    pub(super) fn is_missed(&self) -> bool {
        self.disagrees().is_some()
    }

    /// Where a steady state begins, by the voltage across it and the flux linkage of that.
    pub(super) fn begin(&mut self, across_v: f64, flux_vs: f64, own: &Conductance) {
        (self.driver, self.current_a) = match &mut self.characteristic {
            Characteristic::Core { .. } => (self.residual + flux_vs, 0.0),
            Characteristic::Long { .. } => (across_v, 0.0),
            Characteristic::Dynamic { aged_s, last, .. } => {
                (*aged_s, *last) = (0.0, None);
                (across_v, if own.is_closed { own.siemens * across_v } else { 0.0 })
            }
        };
    }

    /// Whether an arc is there, though it may have no current at present.
    pub(super) const fn burns(&self, own: &Conductance) -> bool {
        match self.characteristic {
            Characteristic::Core { .. } => false,
            Characteristic::Long { .. } => self.bounds[1].is_finite(),
            Characteristic::Dynamic { .. } => own.is_closed,
        }
    }

    /// The voltage without which an arc has no current worth speaking of, volts.
    const fn least_v(&self) -> f64 {
        match self.characteristic {
            Characteristic::Core { .. } => f64::INFINITY,
            Characteristic::Long { .. } => self.bounds[1].min(-self.bounds[0]),
            Characteristic::Dynamic { voltage_v, .. } => voltage_v,
        }
    }

    /// An arc that is out does not come back.
    const fn put_out(&mut self) {
        self.bounds = [f64::NEG_INFINITY, f64::INFINITY];
        self.side = Side::Within;
        self.characteristic = Characteristic::Long { is_ending: false };
    }
}

impl<const N: usize> Transient<N> {
    /// Whether any transformer has iron that saturates.
    #[must_use]
    pub fn has_cores(&self) -> bool {
        self.bends.iter().any(Bend::is_core)
    }

    /// Whether an arc of a fault has no current in a steady state, which [`Self::steady`] has
    /// without it: the voltage there never reaches its own. True of what is no arc.
    #[must_use]
    pub fn arc_sleeps(&self, steady: &Phasors<N>, id: u32) -> bool {
        self.fault_at(id).all(|it| {
            let own = &self.conductances[it];
            let Some(bend) = own.bend.map(|it| &self.bends[it]) else { return true };
            let peak_v = SQRT_2 * own.taps.phasor_across(&steady.voltage_v).norm();
            !bend.burns(own) || peak_v < bend.least_v()
        })
    }

    /// Takes the residual flux from iron that has a voltage in the steady state in which everything
    /// began: it has been magnetised by that long ago.
    pub fn magnetise(&mut self, steady: &Phasors<N>) {
        for it in &mut self.bends {
            let Characteristic::Core { rated_vs, .. } = it.characteristic else { continue };
            let across = self.conductances[it.conductance].taps.phasor_across(&steady.voltage_v);
            let flux = across / steady.s;
            if flux.norm() * SQRT_2 > DEAD_SHARE * rated_vs {
                it.driver = SQRT_2 * flux.im;
            }
        }
        self.is_unsettled = self.bends.iter().any(Bend::is_missed);
    }

    /// Puts everything that bends between its bounds.
    pub(super) fn straighten(&mut self) {
        for it in self.bends.iter_mut().filter(|it| !it.is_dynamic()) {
            it.side = Side::Within;
            self.conductances[it.conductance].is_closed = false;
        }
    }

    /// A step of full length, or to the zero of an arc's current in it and a step on from there.
    pub(super) fn step(&mut self, until_s: f64) -> Result<(), TransientError> {
        if self.bends.is_empty() {
            self.go(Rule::Trapezoidal, until_s);
            return Ok(());
        }
        if !self.is_unsettled {
            self.age_arcs(until_s)?;
            let before = self.snapshot();
            self.go(Rule::Trapezoidal, until_s);
            let share = self.first_zero(&before);
            if !self.change_sides(0) {
                return Ok(());
            }
            self.go_back(&before, share, before.time_s + share * (until_s - before.time_s));
            self.refactor_after_switching()?;
        }
        self.damp()
    }

    /// Where in a step the first current of a long arc has its zero, as a share of it, else its
    /// beginning. What follows on it is not continuous: an arc's voltage changes its sign. Flux is,
    /// and so is an arc that begins to burn.
    fn first_zero(&self, before: &Snapshot<N>) -> f64 {
        let both = self.bends.iter().zip(&before.bends);
        let zero = both.filter_map(|(it, &(_, before_a))| {
            let is_zero = matches!(it.characteristic, Characteristic::Long { .. })
                && before_a * it.current_a < 0.0;
            is_zero.then(|| before_a / (before_a - it.current_a))
        });
        zero.reduce(f64::min).unwrap_or(0.0)
    }

    /// Two half steps that leave no oscillation behind.
    pub(super) fn damp(&mut self) -> Result<(), TransientError> {
        let (begun_s, until_s) = (self.time_s, self.time_s + self.step_s);
        let middle_s = begun_s + self.step_s / 2.0;
        // Where branches bend there are many of these steps. With the sources of its beginning in
        // the first half, both together have their mean, and flux does not drift.
        let sources_s = if self.bends.is_empty() { middle_s } else { begun_s };
        self.go_damped(middle_s, sources_s)?;
        self.note(true);
        // What changed only in the second half is damped over another step.
        self.is_unsettled = self.go_damped(until_s, until_s)?;
        self.note(true);
        #[cfg(test)]
        self.book_removed();
        Ok(())
    }

    /// Half a step with sides that agree with it; whether any side changed.
    fn go_damped(&mut self, until_s: f64, sources_s: f64) -> Result<bool, TransientError> {
        if self.bends.is_empty() {
            self.go_with_sources_of(Rule::Damped, until_s, sources_s);
            return Ok(false);
        }
        self.age_arcs(until_s)?;
        let before = self.snapshot();
        for round in 0..ROUNDS {
            self.go_with_sources_of(Rule::Damped, until_s, sources_s);
            if !self.change_sides(round) {
                return Ok(round > 0);
            }
            self.go_back(&before, 0.0, before.time_s);
            self.refactor_after_switching()?;
        }
        self.go_with_sources_of(Rule::Damped, until_s, sources_s);
        Ok(true)
    }

    /// Puts branches on the sides that what was solved belongs to; whether any changed.
    fn change_sides(&mut self, round: usize) -> bool {
        let each = self.bends.iter().enumerate();
        let mut moving: Vec<(f64, usize, Side)> = each
            .filter_map(|(at, it)| it.disagrees().map(|(missed, side)| (missed, at, side)))
            .collect();
        if round >= JOINT_ROUNDS_MAX {
            moving.sort_by(|one, other| other.0.total_cmp(&one.0));
            moving.truncate(1);
        }
        for &(_, at, side) in &moving {
            let it = &mut self.bends[at];
            if it.characteristic == (Characteristic::Long { is_ending: true }) {
                it.put_out();
                self.switchings += 1;
            } else {
                it.side = side;
            }
            let (conductance, is_closed) = (it.conductance, it.side != Side::Within);
            self.switched(conductance, is_closed);
        }
        !moving.is_empty()
    }

    /// Brings the conductances of dynamic arcs on to the end of a step.
    fn age_arcs(&mut self, until_s: f64) -> Result<(), TransientError> {
        let now_s = self.time_s;
        for it in &mut self.bends {
            let (current_a, conductance) = (it.current_a, &mut self.conductances[it.conductance]);
            let Characteristic::Dynamic {
                voltage_v,
                resistance_ohm,
                time_constant_s,
                aged_s,
                last,
            } = &mut it.characteristic
            else {
                continue;
            };
            // Before its first solution, a current is not there to be followed.
            if !conductance.is_closed || current_a == 0.0 || *aged_s >= until_s {
                continue;
            }
            // The current in the middle, straight on from the step before.
            let rate = last.map(|(at_s, a)| (current_a - a) / (now_s - at_s));
            let rate = rate.filter(|it| it.is_finite()).unwrap_or(0.0);
            let middle_s = f64::midpoint(*aged_s, until_s);
            let middle_a = (current_a + rate * (middle_s - now_s)).abs();
            let stationary = middle_a / (*voltage_v + *resistance_ohm * middle_a);
            let kept = libm::exp((*aged_s - until_s) / *time_constant_s);
            conductance.siemens = stationary + (conductance.siemens - stationary) * kept;
            (*aged_s, *last) = (until_s, Some((now_s, current_a)));
            self.switching.changed.push(it.conductance);
        }
        if self.switching.changed.is_empty() { Ok(()) } else { self.refactor_after_switching() }
    }

    /// Whether an arc burns on until its current is zero.
    pub(super) fn is_arc_ending(&self) -> bool {
        self.bends.iter().any(|it| it.characteristic == (Characteristic::Long { is_ending: true }))
    }

    /// Ends a long arc, if that conductance is one: at once, or at the zero of its current, which
    /// may be now.
    pub(super) fn end_arc(&mut self, conductance: usize, at_zero: bool) -> bool {
        let Some(bend) = self.conductances[conductance].bend else { return false };
        let it = &mut self.bends[bend];
        if !matches!(it.characteristic, Characteristic::Long { .. }) {
            return false;
        }
        if at_zero && it.side != Side::Within {
            it.characteristic = Characteristic::Long { is_ending: true };
        } else {
            it.put_out();
            self.switched(conductance, false);
        }
        true
    }

    /// An arc that begins, as a conductance.
    pub(super) fn begin_arc(&mut self, taps: Taps, arc: Arc) {
        let conductance = self.conductances.len();
        let (siemens, is_closed, bend) = match arc {
            Arc::Long { positive_v, negative_v, resistance_ohm } => {
                let (characteristic, siemens) =
                    (Characteristic::Long { is_ending: false }, 1.0 / resistance_ohm);
                let bounds = [-negative_v, positive_v];
                (siemens, false, Bend::arc(conductance, characteristic, siemens, bounds))
            }
            Arc::Dynamic { voltage_v, resistance_ohm, time_constant_s, initial_siemens } => {
                let (aged_s, last) = (self.time_s, None);
                let characteristic = Characteristic::Dynamic {
                    voltage_v,
                    resistance_ohm,
                    time_constant_s,
                    aged_s,
                    last,
                };
                let bounds = [f64::NEG_INFINITY, f64::INFINITY];
                (initial_siemens, true, Bend::arc(conductance, characteristic, 0.0, bounds))
            }
        };
        let own = Conductance::switched(taps, siemens, is_closed).bent(self.bends.len());
        self.switched.push(conductance);
        self.conductances.push(own);
        self.bends.push(bend);
    }
}
