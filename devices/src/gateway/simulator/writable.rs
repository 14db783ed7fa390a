//! A point that is written: what it is to have, what it has, and how its reflection is read.

use lastmeter_rts::point_map::Point;
use lastmeter_rts::{Sample, SignalType};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

use crate::gateway::record::PointState;

/// A float of 32 bits, and a sum of such, is met within this, relative.
const REFLECTED_WITHIN: f64 = 1e-6;

/// What an order that has failed after it was written leaves behind.
pub(super) const STAYS_IN_FORCE: &str =
    "the order stays in force, and is written again when the simulator shows another value";

/// How often the values of a ramp are kept.
pub(super) const KEPT_EVERY: SimDuration = SimDuration::from_seconds(1);

#[derive(Debug, PartialEq)]
pub(super) struct CommandAnswer {
    pub(super) owner: HardwareId,
    pub(super) invocation: String,
    pub(super) result: Result<String, String>,
}

#[derive(Debug, Default)]
pub(super) struct WriteOutcome {
    pub(super) answers: Vec<CommandAnswer>,
    pub(super) frame: Option<Sample>,
    /// For the record: the point, what was written, and by whom.
    pub(super) log: Vec<(String, String)>,
    /// Orders that were written where nothing shows whether they are obeyed: whose, and what.
    pub(super) unreflected: Vec<(HardwareId, String)>,
    /// The targets have changed, and have to be kept.
    pub(super) has_new_targets: bool,
    /// Targets follow what the simulator shows by hand: to be kept with the next reading.
    pub(super) has_followed: bool,
    pub(super) is_safe_now: bool,
}

/// What a point that is written stands at.
#[derive(Debug)]
pub(super) struct Writable {
    pub(super) point: Point,
    /// The point that reflects it, and where that stands among those from the simulator.
    pub(super) reflected_by: Option<(usize, Point)>,
    /// In the SI unit.
    pub(super) target: f64,
    pub(super) value: f64,
    pub(super) open: Option<OpenWrite>,
    /// What was kept of it before a restart, until it goes on from there.
    pub(super) kept: Option<PointState>,
    /// Whether it got its safe value since the platform is gone.
    pub(super) is_safe: bool,
}

/// A write that a command has ordered.
#[derive(Debug)]
pub(super) struct OpenWrite {
    pub(super) owner: HardwareId,
    pub(super) invocation: String,
    /// Until when it has to be reflected, once the target has been written.
    pub(super) deadline: Option<SimTime>,
}

impl Writable {
    /// Before anything was written; `kept` is what was kept before a restart, by point.
    pub(super) fn new(
        point: &Point,
        reflected_by: Option<(usize, Point)>,
        kept: &[PointState],
    ) -> Self {
        let initial = point.write.as_ref().map_or(0.0, |write| write.initial);
        let kept = kept.iter().find(|state| state.name == point.name).cloned();
        // A range that was narrowed since holds for what was kept as well.
        let target = kept.as_ref().map_or(initial, |state| within(point, state.target));
        let point = point.clone();
        Self { reflected_by, target, value: target, open: None, kept, is_safe: false, point }
    }

    /// What is kept of it; none of a point that is not written by anybody's order.
    pub(super) fn state(&self, now: SimTime) -> Option<PointState> {
        let (target, value) = (self.target, self.value);
        self.point.write.as_ref()?;
        // Until it has gone on, that is still what is known of it.
        Some(match &self.kept {
            Some(kept) => PointState { target, ..kept.clone() },
            None => PointState { name: self.point.name.clone(), target, value, at: now },
        })
    }

    /// Goes on with a ramp after a restart. What was written last is not known to the frame, so it
    /// begins where the ramp would be by now: no further from there than it may go in that time.
    pub(super) fn resume(&mut self, now: SimTime, period: SimDuration) {
        let Some(kept) = self.kept.take() else { return };
        let Some(steepest) = self.steepest() else { return };
        // The frame to come moves it by a period.
        let gone = (now - kept.at - period).max(SimDuration::ZERO).min(KEPT_EVERY + KEPT_EVERY);
        let step = steepest * gone.as_seconds_f64();
        self.value = within(&self.point, moved(kept.value, kept.target, step));
    }

    /// How much it may change in a second.
    fn steepest(&self) -> Option<f64> {
        self.point.write.as_ref()?.greatest_change_per_second
    }

    /// Moves its value towards its target for so long.
    pub(super) fn advance(&mut self, seconds: f64) {
        let step = self.steepest().map_or(f64::INFINITY, |most| most * seconds);
        self.value = moved(self.value, self.target, step);
    }

    /// Stays where it is: whatever was on its way is given up.
    pub(super) fn stop(&mut self, why: &str, out: &mut WriteOutcome) {
        if self.target == self.value {
            self.supersede(&format!("{why}; {STAYS_IN_FORCE}"), out);
        } else {
            self.supersede(why, out);
        }
        if self.target != self.value {
            self.target = self.value;
            let (name, shown) = (&self.point.name, self.shown());
            out.log.push((name.clone(), format!("point `{name}` stays at {shown}: {why}")));
            out.has_new_targets = true;
        }
    }

    /// Takes over what the simulator shows while it is operated by hand, so that nothing jumps when
    /// that ends.
    pub(super) fn follow(&mut self, shown: f64, out: &mut WriteOutcome) {
        self.supersede("the simulator is operated by hand", out);
        let shown = within(&self.point, shown);
        if shown.is_finite() && self.target != shown {
            (self.target, self.value) = (shown, shown);
            out.has_followed = true;
        }
    }

    /// Whether a value is one that its words can carry; else why not.
    pub(super) fn can_carry(&self, si: f64) -> Result<(), String> {
        let word = self.point.to_word(si);
        let carried = rounded(&self.point, word);
        if (carried - word).abs() <= 1e-9 * word.abs().max(1.0) || word.is_nan() {
            return Ok(());
        }
        let of = |word: f64| self.point.to_si(word) / self.point.unit.factor;
        Err(format!(
            "point `{}`: {} is {word} on the wire, which takes whole numbers: {} or {}",
            self.point.name,
            si / self.point.unit.factor,
            of(word.floor()),
            of(word.ceil())
        ))
    }

    /// Whether somebody may order what it is to have: not where a source does.
    pub(super) fn is_by_order(&self) -> bool {
        self.point.write.as_ref().is_some_and(|write| write.fed.is_none())
    }

    pub(super) fn is_blocked_by_mode(&self) -> bool {
        self.point.write.as_ref().is_some_and(|write| write.blocked_by_mode)
    }

    /// Whether a word of the point that reflects it shows its target, as nearly as both words can;
    /// with what is shown and what is expected, for people.
    pub(super) fn compared(&self, by: &Point, word: f64) -> (bool, String, String) {
        let target = self.point.to_si(rounded(&self.point, self.point.to_word(self.target)));
        let shown = by.to_si(word);
        let step_of = |point: &Point| (point.to_si(1.0) - point.to_si(0.0)).abs();
        let of_float =
            |point: &Point, word: f64| REFLECTED_WITHIN * word.abs().max(1e-3) * step_of(point);
        // An integer of another scale shows the nearest it has.
        let is_same_scale = step_of(by) == step_of(&self.point) && by.offset == self.point.offset;
        let of_integer = match by.signal_type {
            SignalType::Integer if !is_same_scale => 0.5 * step_of(by) * (1.0 + 1e-9),
            _ => 0.0,
        };
        let tolerance = of_float(&self.point, self.point.to_word(target))
            .max(of_float(by, by.to_word(target)))
            .max(of_integer);
        let text = |si: f64| {
            let unit = &self.point.unit;
            format!("{} {}", si / unit.factor, unit.symbol).trim_end().to_owned()
        };
        ((shown - target).abs() <= tolerance, text(shown), text(target))
    }

    /// Answers the open write, which will not be met any more.
    pub(super) fn supersede(&mut self, why: &str, out: &mut WriteOutcome) {
        self.answer(Err(why.to_owned()), out);
    }

    /// Answers the open write, if there is one: it is over.
    pub(super) fn answer(&mut self, result: Result<String, String>, out: &mut WriteOutcome) {
        if let Some(OpenWrite { owner, invocation, .. }) = self.open.take() {
            out.answers.push(CommandAnswer { owner, invocation, result });
        }
    }

    /// Whether what was written should have been reflected before an instant.
    pub(super) fn is_overdue(&self, now: SimTime) -> bool {
        self.open.as_ref().and_then(|open| open.deadline).is_some_and(|deadline| deadline < now)
    }

    /// Whether a frame has the same in its place.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let of = |own: &Self| Point { line: 0, ..own.point.clone() };
        of(self) == of(other)
    }

    /// The target in the unit of the map.
    pub(super) fn shown(&self) -> String {
        let value = self.target / self.point.unit.factor;
        format!("{value} {}", self.point.unit.symbol).trim_end().to_owned()
    }
}

/// A value that goes towards another one, by one step at most.
fn moved(from: f64, to: f64, step: f64) -> f64 {
    let distance = to - from;
    if distance.abs() <= step { to } else { from + step.copysign(distance) }
}

/// A value within the range of a point.
pub(super) fn within(point: &Point, si: f64) -> f64 {
    match point.range {
        Some(range) if si.is_finite() => si.clamp(range.least, range.greatest),
        _ => si,
    }
}

/// A word as it goes on the wire.
pub(super) fn rounded(point: &Point, word: f64) -> f64 {
    match point.signal_type {
        SignalType::Integer => word.round(),
        SignalType::Boolean => f64::from(u8::from(word != 0.0)),
        SignalType::Float | SignalType::Complex => word,
    }
}
